"""What a core dump would hold of secrets, were one to be made against the gate's will: nothing of requests that are over."""

import os
import re
import resource
import signal

import pytest

import world
from processes import SANITIZER, wait_until

pytestmark = pytest.mark.skipif(SANITIZER is not None, reason="a sanitizer keeps freed memory")

HELD = "held-by-the-gate-0123456789abcdef"
LIST = world.BY_ID["listIntegrations"].target


def core_of(pid):
    """The process' memory, mapping by mapping, but for what it has asked the kernel to leave out (VmFlags "dd")."""
    mappings = []
    for line in open(f"/proc/{pid}/smaps", encoding="utf-8"):
        found = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) ", line)
        if found:
            mappings.append([int(found[1], 16), int(found[2], 16), found[3], line, []])
        elif line.startswith("VmFlags:"):
            mappings[-1][4] = line.split()[1:]
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for first, last, permissions, line, flags in mappings:
            if "r" in permissions and "dd" not in flags and "[v" not in line:
                memory.seek(first)
                yield memory.read(last - first)


def found_in(gate, texts):
    """Which of the texts stand in the gate's memory."""
    return {text for piece in core_of(gate.process.pid) for text in texts if text.encode() in piece}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read the memory of a process that forbids it")
def test_requests_that_are_over_leave_no_secret_in_memory(make_gate, sandbox, tmp_path):
    policy = world.policy()
    policy["principals"]["held"]["upstream_token"] = {"file": "held.token"}
    (tmp_path / "held.token").write_text(HELD)
    (tmp_path / "held.token").chmod(0o600)
    gate = make_gate(sandbox, policy=policy)
    kept = gate.connect()
    for _ in range(5):
        for operation in world.OPERATIONS:
            gate.request(operation.method, operation.target, operation.token, body=operation.body)
            gate.request(operation.method, operation.target, world.TOKENS["nobody"], body=operation.body)
    assert gate.request("GET", LIST, world.TOKENS["held"]).status == 200
    head = f"GET {LIST} HTTP/1.1\r\nHost: gate\r\nAuthorization: Token {world.TOKENS['viewer']}\r\n"
    kept.sendall(head.encode() + b"\r\n")
    assert kept.recv(65536).startswith(b"HTTP/1.1 200")
    assert b" 400 " in gate.raw(head.encode() + b"no field\r\n\r\n")  # refused in the middle of the header
    with gate.connect() as half:
        half.sendall(head.replace(world.TOKENS["viewer"], world.TOKENS["setter"]).encode())
        wait_until(lambda: found_in(gate, [world.TOKENS["setter"]]), what="half a request in the gate's memory: else this test sees nothing")
    wait_until(lambda: not found_in(gate, world.SECRETS), what="memory without a secret of a request")
    assert not found_in(gate, [HELD]), "credentials that the gate holds are in memory that no core dump has"
    kept.close()


def test_the_gate_forbids_core_dumps(gate):
    limits = dict(line.split("  ", 1) for line in open(f"/proc/{gate.process.pid}/limits", encoding="utf-8"))
    assert limits["Max core file size"].split()[:2] == ["0", "0"]
    assert resource.prlimit(gate.process.pid, resource.RLIMIT_CORE) == (0, 0)
    gate.process.send_signal(signal.SIGABRT)
    assert gate.wait() == -signal.SIGABRT
    gate.checked = True
    assert list(gate.directory.glob("core*")) == []
