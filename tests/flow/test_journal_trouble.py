"""The journal cannot be written: permitted mutations are refused with 503, reads go on, refusals answer as ever, and all recovers by itself."""

import os
import shutil
import subprocess
import threading

import pytest

from checks import assert_error, assert_sequence
from processes import wait_until
from world import DELETE, READ, TOKENS, UPDATE

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs with room for little; None where this machine allows no mount."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", place], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no mount here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def update(gate):
    return gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)


def assert_closed(gate, sandbox):
    """How the gate answers while it cannot record."""
    before = [line for line in sandbox.ledger() if line["method"] != "GET"]
    for _ in range(3):
        assert_error(update(gate), 503, "journal-unavailable")
        assert_error(gate.request("DELETE", DELETE.target, DELETE.token), 503, "journal-unavailable")
        assert gate.request("GET", READ.target, READ.token).status == 200
        assert_error(gate.request("DELETE", DELETE.target, TOKENS["viewer"]), 403, "forbidden")
        assert_error(gate.request("DELETE", DELETE.target, "stranger"), 401, "unauthenticated")
    assert [line for line in sandbox.ledger() if line["method"] != "GET"] == before, "a mutation went out without its intent"


def fill(place):
    """Leaves no byte free."""
    with open(place / "ballast", "wb", buffering=0) as ballast:
        try:
            while ballast.write(b"x" * 4096):
                pass
        except OSError:
            pass


@needs_root
def test_full_disk(make_gate, sandbox, small_disk):
    gate = make_gate(sandbox, config={"audit": {"directory": str(small_disk / "audit")}})
    gate.audit_directory = small_disk / "audit"
    assert update(gate).status == 200
    fill(small_disk)
    # The gate may hold some room in reserve: it takes mutations until that too is used, and never one that it cannot record.
    wait_until(lambda: update(gate).status == 503, what="the end of the room")
    assert_closed(gate, sandbox)
    assert gate.alive()
    (small_disk / "ballast").unlink()
    wait_until(lambda: update(gate).status == 200, what="recovery")
    gate.stop()
    # Every mutation that the sandbox saw has its intent; what could not be recorded was counted.
    assert_mutations_recorded(gate, sandbox)
    assert any("missed" in str(record) or "lost" in str(record) or record["stage"] not in ("intent", "outcome", "refused")
               for record in gate.journal()), gate.journal()


def assert_mutations_recorded(gate, sandbox):
    intents = {record["request_id"] for record in gate.exchanges("intent")}
    for line in sandbox.ledger():
        if line["method"] != "GET":
            [identity] = [value for name, value in line["headers"] if name.lower() == "x-request-id"]
            assert identity in intents, line


def test_refusals_alone_do_not_break_a_gate_with_room(gate, sandbox):
    for _ in range(50):
        assert gate.request("DELETE", DELETE.target, TOKENS["viewer"]).status == 403
    wait_until(lambda: len(gate.exchanges("refused")) == 50, what="fifty records")
    assert_sequence(gate.journal())
    assert sandbox.ledger() == []


def test_directory_that_cannot_be_made(make_gate, sandbox, tmp_path):
    """A file stands where the directory should be: the gate does not start, and says so."""
    (tmp_path / "in-the-way").write_text("")
    gate = make_gate(sandbox, config={"audit": {"directory": "in-the-way/audit"}}, start=False)
    gate.launch()
    assert gate.wait() != 0
    gate.checked = True
    assert "in-the-way" in gate.stderr()


def test_damage_before_the_last_line_is_not_passed_over(make_gate, sandbox):
    """A journal that was tampered with, or that a disk ate: the gate refuses to start and says where."""
    gate = make_gate(sandbox)
    for _ in range(3):
        assert update(gate).status == 200
    gate.stop()
    segment = gate.segments()[-1]
    lines = segment.read_bytes().splitlines(keepends=True)
    lines[1] = b"\x00" * (len(lines[1]) - 1) + b"\n"
    segment.write_bytes(b"".join(lines))
    gate.launch()
    assert gate.wait() != 0
    gate.checked = True
    assert segment.name in gate.stderr()


def test_a_torn_last_line_is_what_a_crash_leaves(make_gate, sandbox):
    """It is cut off into a file beside the journal, and the gate goes on."""
    gate = make_gate(sandbox)
    assert update(gate).status == 200
    gate.kill()
    segment = gate.segments()[-1]
    whole = segment.read_bytes()
    segment.write_bytes(whole + b'{"request_id":"torn')
    gate.start()
    assert segment.read_bytes() == whole or segment.read_bytes().startswith(whole)
    assert update(gate).status == 200
    for path in gate.segments():
        for line in path.read_bytes().splitlines():
            assert line.startswith(b"{") and line.endswith(b"}"), (path, line)
    assert_sequence(gate.journal())


@needs_root
def test_a_gate_that_starts_with_a_full_disk(make_gate, sandbox, small_disk):
    """It serves reads, refuses mutations with the reason, and opens its journal when there is room."""
    gate = make_gate(sandbox, config={"audit": {"directory": str(small_disk / "audit")}}, start=False)
    gate.audit_directory = small_disk / "audit"
    fill(small_disk)
    gate.start()
    assert_closed(gate, sandbox)
    [error] = assert_error(update(gate), 503, "journal-unavailable")
    assert "No space left on device" in error["detail"]
    assert f"{small_disk}/audit" in next(line["detail"] for line in gate.log() if line["event"] == "journal-unusable")
    (small_disk / "ballast").unlink()
    wait_until(lambda: update(gate).status == 200, seconds=30, what="recovery")
    assert [record["stage"] for record in gate.journal()][:2] == ["segment", "start"]
    assert any(record["stage"] == "policy" for record in gate.journal())
    gate.stop()
    assert_mutations_recorded(gate, sandbox)


@needs_root
def test_a_gate_that_starts_on_a_read_only_disk(make_gate, sandbox, small_disk):
    """The same, and the run before it left an intent without an outcome: that is looked into when the journal is open."""
    gate = make_gate(sandbox, config={"audit": {"directory": str(small_disk / "audit")}}, start=False)
    gate.audit_directory = small_disk / "audit"
    gate.start()
    sandbox.fault({"delay_ms": 3600000}, match={"method": "PATCH"})
    sender = threading.Thread(target=lambda: pytest.raises(Exception, update, gate))
    sender.start()
    wait_until(lambda: [line for line in sandbox.ledger() if line["method"] == "PATCH"], what="the mutation at the API")
    gate.kill()
    sender.join()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    gate.start()
    [error] = assert_error(update(gate), 503, "journal-unavailable")
    assert "Read-only file system" in error["detail"]
    assert_closed(gate, sandbox)
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    wait_until(lambda: update(gate).status == 200, seconds=30, what="recovery")
    wait_until(lambda: gate.exchanges("reconciled"), what="the gate's word on what was open")
    gate.stop()
    assert_mutations_recorded(gate, sandbox)


def test_removed_directory(make_gate, sandbox):
    """Somebody removes the journal under the running gate: records would go into a file that has no name any more."""
    gate = make_gate(sandbox)
    assert update(gate).status == 200
    shutil.rmtree(gate.audit_directory)
    assert_closed(gate, sandbox)
    assert gate.alive()
    assert any(line["event"] == "journal-unusable" for line in gate.log())


def test_removed_segment(make_gate, sandbox):
    """The file alone is gone: the gate begins another and goes on, and the sequence shows the hole."""
    gate = make_gate(sandbox)
    assert update(gate).status == 200
    [segment] = gate.segments()
    last = gate.journal()[-1]["seq"]
    segment.unlink()
    assert update(gate).status == 503
    wait_until(lambda: update(gate).status == 200, what="recovery")
    records = gate.journal()
    assert_sequence(records)
    assert records[0]["seq"] > last
    seen = [line for line in sandbox.ledger() if line["method"] == "PATCH"]
    assert len(seen) == 1 + len(gate.exchanges("intent"))
