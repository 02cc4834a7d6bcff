"""Disks that fail under a running gate, by strace's hand: what clients and the metrics page are told, what comes back by itself, and that
nothing is lost that was promised. What a full disk and missing files do stands in test_journal_trouble.py."""

import contextlib
import http.client
import os
import pathlib
import resource
import signal
import subprocess
import threading
import time

import pytest

import world
from checks import assert_error, assert_sequence, fields_of
from processes import BUILD, SANITIZER, wait_until
from world import DELETE, READ, TOKENS, UPDATE

ADMIN = {"admin": {"listen": "127.0.0.1:0"}}


@pytest.fixture
def gate(make_gate, sandbox):
    return make_gate(sandbox, config=ADMIN)


def update(gate):
    return gate.request("PATCH", UPDATE.target, UPDATE.token, body=world.another().body)


@contextlib.contextmanager
def injected(gate, tmp_path, *faults, paths=()):
    """The system calls of the running gate fail as told, those on these paths only, until the block is left."""
    words = ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(gate.process.pid), "-e", "trace=" + ",".join(fault.partition(":")[0] for fault in faults)]
    for fault in faults:
        words += ["-e", f"inject={fault}"]
    for path in paths:
        words += ["-P", str(path)]
    errors = tmp_path / "strace.stderr"
    with open(errors, "ab") as file:
        tracer = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def traced():
        if tracer.poll() is not None:
            pytest.skip(f"strace cannot be used here: {errors.read_text()}")
        return all(task_tracer(task) == tracer.pid for task in pathlib.Path(f"/proc/{gate.process.pid}/task").iterdir())

    try:
        wait_until(traced, what="strace to hold all threads")
        yield
    finally:
        if tracer.poll() is None:
            tracer.send_signal(signal.SIGINT)
        tracer.wait(20)


def task_tracer(task):
    try:
        lines = (task / "status").read_text().splitlines()
    except FileNotFoundError:
        return None
    return int(next(line for line in lines if line.startswith("TracerPid:")).split()[1])


def files_of(gate):
    """The segment being written, and the name that the next one begins under."""
    return [gate.segments()[-1], gate.audit_directory / "segment.new"]


def assert_closed(gate, sandbox, says):
    """Mutations are refused with the reason, reads and refusals are answered as ever, the metrics page knows."""
    before = mutations(sandbox)

    def refused_with_reason():
        [error] = assert_error(update(gate), 503, "journal-unavailable")
        return says in error["detail"]

    wait_until(refused_with_reason, what=f"a refusal that says {says!r}")
    assert_error(gate.request("DELETE", DELETE.target, DELETE.token), 503, "journal-unavailable")
    assert gate.request("GET", READ.target, READ.token).status == 200
    assert_error(gate.request("DELETE", DELETE.target, TOKENS["viewer"]), 403, "forbidden")
    assert gate.metrics()["portcullis_journal_usable"] == 0
    status, checks = gate.health()
    assert status == 503 and says in checks["journal"]["why"] and [name for name, check in checks.items() if not check["ok"]] == ["journal"], checks
    assert gate.health("readyz/reads")[0] == gate.health("livez")[0] == 200, "reads go on"
    assert mutations(sandbox) == before, "a mutation went out without its intent"
    assert any(line["event"] == "journal-unusable" and says in line["detail"] for line in gate.log()), gate.stderr()


def assert_recovers(gate):
    wait_until(lambda: update(gate).status == 200, what="recovery")
    wait_until(lambda: gate.metrics()["portcullis_journal_usable"] == 1, what="the metrics page to know")
    assert gate.health()[0] == 200
    assert gate.log()[-1]["event"] != "journal-unusable"


def mutations(sandbox):
    return [fields_of(line, "x-request-id")[0] for line in sandbox.ledger() if line["method"] != "GET"]


def assert_whole(gate, sandbox):
    """The books, when the gate has stopped."""
    gate.stop()
    records = gate.journal()
    assert_sequence(records)
    stages = {stage: {record["request_id"] for record in records if record["stage"] == stage and "request_id" in record}
              for stage in ("intent", "outcome", "reconciled")}
    sent = mutations(sandbox)
    assert len(sent) == len(set(sent))
    assert set(sent) <= stages["intent"]
    assert stages["intent"] <= stages["outcome"] | stages["reconciled"], "an intent without an end"
    verify = subprocess.run([BUILD / "portcullis", "audit", "verify", gate.audit_directory], capture_output=True, text=True, check=False)
    assert verify.returncode == 0, verify.stdout + verify.stderr
    return records


# What fails, and what is said of it. By name where the gate uses the call for sockets too.
FAULTS = {
    "EIO of a sync": (["fdatasync:error=EIO", "fsync:error=EIO"], "Input/output error"),
    "EIO of a write": (["writev:error=EIO"], "Input/output error"),
    "ENOSPC of a write": (["writev:error=ENOSPC"], "No space left"),
    "ENOSPC of a sync": (["fdatasync:error=ENOSPC", "fsync:error=ENOSPC"], "No space left"),
    "a file system turned read-only": (["writev:error=EROFS", "openat:error=EROFS"], "Read-only file system"),
    "permission lost": (["writev:error=EIO", "openat:error=EACCES"], "Permission denied"),
    "a new file cannot get its name": (["writev:error=EIO:when=1", "link:error=EACCES"], "Permission denied"),
    "a disk that takes nothing": (["writev:retval=0"], "Input/output error"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_calls_that_fail(gate, sandbox, tmp_path, name):
    faults, says = FAULTS[name]
    assert update(gate).status == 200
    with injected(gate, tmp_path, *faults, paths=files_of(gate)):
        assert_error(update(gate), 503, "journal-unavailable")
        assert_closed(gate, sandbox, says)
        assert gate.alive()
    assert_recovers(gate)
    records = assert_whole(gate, sandbox)
    assert [record for record in records if record["stage"] == "recovered"], "the fault is not told of"


def test_a_write_that_never_came(gate, sandbox, tmp_path):
    """The system says that bytes were written, and they were not: the file's size tells."""
    assert update(gate).status == 200
    with injected(gate, tmp_path, "writev:retval=4096:when=1", paths=files_of(gate)):
        assert_error(update(gate), 503, "journal-unavailable")
    assert_recovers(gate)
    assert_whole(gate, sandbox)


def test_one_fault_is_one_refusal(gate, sandbox, tmp_path):
    """A sync that fails once is never tried again on its file: a new segment is begun, and soon."""
    assert update(gate).status == 200
    with injected(gate, tmp_path, "fdatasync:error=EIO:when=1"):
        assert_error(update(gate), 503, "journal-unavailable")
        assert_recovers(gate)
    assert len(gate.segments()) == 2
    assert_whole(gate, sandbox)


def test_short_writes(gate, sandbox):
    """A limit on the size of files cuts a write in its middle; what it left is taken back."""
    assert update(gate).status == 200
    [segment] = gate.segments()
    whole = segment.read_bytes()
    limits = resource.prlimit(gate.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gate.process.pid, resource.RLIMIT_FSIZE, (len(whole) + 100, limits[1]))
    assert_error(update(gate), 503, "journal-unavailable")
    resource.prlimit(gate.process.pid, resource.RLIMIT_FSIZE, limits)
    assert_recovers(gate)
    assert segment.read_bytes() == whole
    assert_whole(gate, sandbox)


def test_a_slow_disk(gate, sandbox, tmp_path):
    """Two seconds for a sync: mutations wait for it, reads do not, and it is no fault."""
    assert update(gate).status == 200
    answers = []
    with injected(gate, tmp_path, "fdatasync:delay_exit=2000000"):
        writers = [threading.Thread(target=lambda: answers.append((update(gate).status, time.monotonic()))) for _ in range(8)]
        begin = time.monotonic()
        for writer in writers:
            writer.start()
        reads = []
        while any(writer.is_alive() for writer in writers):
            start = time.monotonic()
            assert gate.request("GET", READ.target, READ.token).status == 200
            reads.append(time.monotonic() - start)
            time.sleep(0.02)
        for writer in writers:
            writer.join()
        assert [status for status, _ in answers] == [200] * 8
        assert min(end for _, end in answers) - begin >= 4, "an answer before intent and outcome were durable"
        assert max(end for _, end in answers) - begin < 8 * 4, "a sync for each record"
        assert sorted(reads)[len(reads) // 2] < (2 if SANITIZER else 0.5)
        page = gate.metrics()
        assert page["portcullis_journal_usable"] == 1
        assert page["portcullis_journal_sync_max_seconds"] >= 2
    assert_whole(gate, sandbox)


@pytest.mark.parametrize("reply, syncs", [("durable", 2), ("queued", 1)])
def test_when_a_change_is_answered(make_gate, sandbox, tmp_path, reply, syncs):
    """Its intent is durable before the API sees it, whatever is set; its answer waits for the outcome's sync, or does not."""
    gate, delay = make_gate(sandbox, config={**ADMIN, "audit": {"reply": reply}}), 2
    assert update(gate).status == 200
    before = len(mutations(sandbox))
    with injected(gate, tmp_path, f"fdatasync:delay_enter={delay * 1000000}"):
        begin = time.monotonic()
        answers = []
        writer = threading.Thread(target=lambda: answers.append((update(gate).status, time.monotonic())))
        writer.start()
        wait_until(lambda: len(mutations(sandbox)) > before, what="the change at the API")
        assert time.monotonic() - begin >= delay, "sent before its intent was durable"
        writer.join()
    [(status, end)] = answers
    assert status == 200
    assert syncs * delay <= end - begin < (syncs + 1) * delay
    assert_whole(gate, sandbox)
    assert len(gate.exchanges("outcome")) == 2


@pytest.mark.parametrize("forced", ["second signal", "deadline"])
def test_a_forced_stop_reserves_nothing(make_gate, sandbox, tmp_path, forced):
    """The gate is ended while an intent and what it claims are on their way to the disk: nothing was sent, so all of it is given back."""
    budget = {"id": "once", "reason": "Once.", "budget": {"requests": 1, "seconds": 3600, "each": "principal"}}
    gate = make_gate(sandbox, policy=world.policy(rules=[budget]), config={"stop_timeout_ms": 60000 if forced == "second signal" else 200},
                     environment={"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"})  # it ends in strace's hands

    def change():
        return gate.request("PATCH", UPDATE.target, UPDATE.token, {"Idempotency-Key": "the first one"}, body=UPDATE.body)

    def changed():
        with contextlib.suppress(OSError, http.client.HTTPException):
            change()

    client = threading.Thread(target=changed)
    with injected(gate, tmp_path, "fdatasync:delay_enter=1500000"):
        client.start()
        wait_until(lambda: gate.exchanges("intent"), what="an intent that is written and not durable")
        gate.signal(signal.SIGTERM)
        if forced == "second signal":
            wait_until(lambda: not can_connect(gate), what="the end of listening")
            gate.signal(signal.SIGTERM)
        gate.stop()
    client.join()
    assert [(record["stage"], record.get("sent")) for record in gate.exchanges()] == [("intent", None), ("outcome", False)]
    assert mutations(sandbox) == []
    gate.start()
    got = change()
    assert got.status == 200 and got.field("portcullis-replay-of") is None, "the key is free, and the budget has its one request"
    assert update(gate).status == 429 and len(mutations(sandbox)) == 1


def can_connect(gate):
    try:
        gate.connect().close()
    except ConnectionError:
        return False
    return True


def test_an_unknown_outcome_that_nobody_waits_for(make_gate, sandbox):
    """It comes before the record of what was found out about it."""
    gate = make_gate(sandbox, config={"audit": {"reply": "queued"}})
    sandbox.fault({"close": "after-read"}, match={"method": "PATCH"})
    assert_error(update(gate), 502, "upstream-closed")
    wait_until(lambda: gate.exchanges("reconciled"), what="the gate's word on it")
    records = [(record["stage"], record.get("result")) for record in gate.journal() if "request_id" in record]
    assert records == [("intent", None), ("outcome", "unknown"), ("reconciled", "unknown")]


def test_renamed_segment(gate, sandbox):
    """Somebody renames the file that is being written: the gate goes on in a new one."""
    assert update(gate).status == 200
    [segment] = gate.segments()
    away = gate.audit_directory / "renamed"
    segment.rename(away)
    assert_error(update(gate), 503, "journal-unavailable")
    assert_recovers(gate)
    assert len(gate.segments()) == 1
    away.rename(segment)  # and put back: it is whole
    assert_whole(gate, sandbox)


def test_renamed_directory(gate, sandbox):
    """What lies under another name is not the journal any more; under its own name again it is."""
    assert update(gate).status == 200
    away = gate.audit_directory.with_name("away")
    gate.audit_directory.rename(away)
    assert_error(update(gate), 503, "journal-unavailable")
    assert_closed(gate, sandbox, "put it back")
    away.rename(gate.audit_directory)
    assert_recovers(gate)
    assert_whole(gate, sandbox)


def test_a_checkpoint_that_cannot_be_written(gate, sandbox, tmp_path):
    """It holds up nothing: changes go on, the metrics page counts the failure, and the next attempt makes good for it."""
    gate.stop()
    gate.configure({"audit": {"checkpoint_seconds": 1}})
    gate.start()
    wait_until(lambda: gate.metrics()["portcullis_journal_checkpoints_total"] >= 1, what="the first checkpoint")
    with injected(gate, tmp_path, "fsync:error=EIO"):
        wait_until(lambda: update(gate).status == 200 and gate.metrics()["portcullis_journal_checkpoint_failures_total"] > 0,
                   what="a checkpoint that fails")
        assert gate.metrics()["portcullis_journal_usable"] == 1
        assert any(line["event"] == "journal-checkpoint" and "Input/output error" in line["detail"] for line in gate.log())
    covered = gate.metrics()["portcullis_journal_records"]
    wait_until(lambda: update(gate).status == 200 and gate.metrics()["portcullis_journal_checkpoint_records"] >= covered, what="a checkpoint")
    assert_whole(gate, sandbox)


def test_replaced_segment(gate, sandbox):
    """A copy of the same bytes is not the file that the gate writes."""
    assert update(gate).status == 200
    [segment] = gate.segments()
    copy = gate.audit_directory / "copy"
    copy.write_bytes(segment.read_bytes())
    copy.rename(segment)
    assert_error(update(gate), 503, "journal-unavailable")
    assert_recovers(gate)
    assert_whole(gate, sandbox)


def test_locked_by_another(make_gate, gate, sandbox):
    """A second gate on the same journal serves reads alone, says who has it, and takes over when that one ends; the first notices nothing."""
    second = make_gate(sandbox, config={**ADMIN, "audit": {"directory": str(gate.audit_directory), "keys": str(gate.directory / "gate1.keys")}},
                       start=False, name="second")
    second.audit_directory = gate.audit_directory
    second.start()
    assert f"pid {gate.process.pid}" in second.stderr(), second.stderr()
    before = mutations(sandbox)
    for _ in range(2):
        [error] = assert_error(update(second), 503, "journal-unavailable")
        assert "another process writes it" in error["detail"]
        assert_error(second.request("DELETE", DELETE.target, TOKENS["viewer"]), 403, "forbidden")
        assert second.request("GET", READ.target, READ.token).status == 200
    assert second.metrics()["portcullis_journal_usable"] == 0
    assert mutations(sandbox) == before
    assert update(gate).status == 200
    gate.stop()
    assert_recovers(second)
    assert second.metrics()["portcullis_journal_usable"] == 1
    # What the second one had to tell while it waited is there too: that it began, its policy, what it could not record.
    records = second.journal()
    second_life = records[max(number for number, record in enumerate(records) if record["stage"] == "start"):]
    assert [record["cause"] for record in second_life if record["stage"] == "policy"] == ["start"], second_life
    assert sum(record["count"] for record in second_life if record["stage"] == "missed") >= 4
    assert_whole(second, sandbox)


@pytest.mark.skipif(os.geteuid() == 0, reason="root is refused nothing")
def test_a_directory_that_may_not_be_written(gate, sandbox):
    assert update(gate).status == 200
    gate.segments()[-1].unlink()
    gate.audit_directory.chmod(0o500)
    assert_error(update(gate), 503, "journal-unavailable")
    assert_closed(gate, sandbox, "Permission denied")
    gate.audit_directory.chmod(0o700)
    assert_recovers(gate)


@pytest.mark.parametrize("reply", ["durable", "queued"])
def test_the_outcome_of_what_was_under_way(make_gate, sandbox, tmp_path, reply):
    """The journal breaks while the API works: the client gets the API's answer, and its record follows when the journal is back."""
    gate = make_gate(sandbox, config={**ADMIN, "audit": {"reply": reply}})
    assert update(gate).status == 200
    sandbox.fault({"delay_ms": 1500}, match={"method": "DELETE"})
    before, answers = len(mutations(sandbox)), []
    slow = threading.Thread(target=lambda: answers.append(gate.request("DELETE", DELETE.target, DELETE.token)))
    slow.start()
    wait_until(lambda: len(gate.exchanges("intent")) == 2, what="the intent")
    with injected(gate, tmp_path, "writev:error=EIO", paths=files_of(gate)):
        assert_error(update(gate), 503, "journal-unavailable")
        slow.join()
        assert [answer.status for answer in answers] == [204]
        assert len(gate.exchanges("outcome")) == 1
        assert gate.metrics()["portcullis_journal_queued"] == 1
    wait_until(lambda: len(gate.exchanges("outcome")) == 2, what="the outcome that was owed")
    assert len(mutations(sandbox)) == before + 1
    [*_, outcome] = gate.exchanges("outcome")
    assert outcome["status"] == 204 and outcome["request_id"] == mutations(sandbox)[-1]
    assert gate.metrics()["portcullis_journal_queued"] == 0
    assert_whole(gate, sandbox)
