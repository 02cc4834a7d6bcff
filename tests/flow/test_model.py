"""The courses that exchanges and approvals really take are courses of the model that spin has looked through (tests/model): the gate with its fault
points writes down each step, spin prints those of the model, and both have them from the same tables (proxy/worker/exchange_states.h,
proxy/audit/approval_states.h)."""

import collections
import concurrent.futures
import re
import socket
import subprocess
import sys
import time

import pytest

import world
from processes import BUILD, PATIENCE, ROOT, SANITIZER, wait_until
from test_approvals import assert_waits, demand
from test_people import LISTEN, REASON, people_policy
from test_repeats import keyed
from test_rules import send
from test_takeover import change, hold, replace, short, slow, succeed  # noqa: F401: fixtures among them
from world import CREATE, DELETE, READ, TOKENS, UPDATE

sys.path.append(str(ROOT / "tests" / "rounds"))

import many  # noqa: E402

TABLE = re.compile(r"STEP\(([A-Z]+), ([A-Z]+)\)")
FIRST, LAST, ABORTED = "received", "replied", "aborted"

pytestmark = [pytest.mark.skipif(SANITIZER is not None, reason="the courses are the same, and spin looks through them for long"),
              pytest.mark.usefixtures("faults")]


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """Where the gates of this test write their steps."""
    monkeypatch.setenv("PORTCULLIS_STEPS", str(tmp_path / "steps"))
    return tmp_path / "steps"


def table(name):
    return {(before.lower(), after.lower()) for before, after in TABLE.findall((ROOT / "proxy" / name).read_text())}


def of_the_model(what):
    """Each step of an exchange ("course") with the one before it: (state before, from, to); or of an approval: (from, to)."""
    said = subprocess.run(["sh", "tests/model/run.sh", BUILD, "courses"], capture_output=True, text=True, timeout=PATIENCE + 60, check=True, cwd=ROOT)
    return {tuple(line.lower().split()[1:]) for line in said.stdout.splitlines() if line.startswith(what)}


def courses(steps):
    """States of each exchange, by its id."""
    found = collections.defaultdict(list)
    for line in steps.read_text().splitlines():
        identity, kind, before, after = line.split()
        if kind == "approval":
            continue
        if not found[identity]:
            found[identity].append(before)
        assert found[identity][-1] == before, "a state was changed without a step"
        found[identity].append(after)
    return found


def assert_of_the_model(steps, whole=True):
    """Each course begins, goes on and ends as one of the model; the steps that were seen. `whole`: no gate died in the middle."""
    windows, seen = of_the_model("course"), set()
    for identity, course in courses(steps).items():
        assert course[0] == FIRST, (identity, course)
        assert course[-1] in (LAST, ABORTED) or not whole, (identity, course)
        course = course[:-1] if course[-1] == ABORTED else course
        for window in zip(["nowhere", *course], course, course[1:]):
            assert window in windows, f"no course of the model: {window} in {course}"
        seen |= set(zip(course, course[1:]))
    return seen


def test_the_model_takes_every_step_of_the_table():
    """None of the table's rows is dead, and the model has no other."""
    assert {window[1:] for window in of_the_model("course")} == table("worker/exchange_states.h")
    assert of_the_model("approval") == table("audit/approval_states.h")


def refusals(make_gate, sandbox):
    gate = make_gate(sandbox)
    assert send(gate, READ).status == 200
    assert gate.request("GET", READ.target, "stranger").status == 401
    assert send(gate, UPDATE, Portcullis_Dry_Run="?1").status == 200
    assert send(gate, DELETE, Portcullis_Dry_Run="?1").status == 200
    assert gate.request("DELETE", DELETE.target, TOKENS["viewer"]).status == 403
    assert gate.request("DELETE", f"{world.INTEGRATIONS}/{world.ABSENT}?version={world.VERSION}", DELETE.token).status == 404
    assert [keyed(gate, CREATE).status for _ in range(2)] == [201, 201]


def approvals(make_gate, sandbox):
    gate = make_gate(sandbox, policy=people_policy(), config=LISTEN)
    approval = assert_waits(send(gate, DELETE))
    assert gate.people("POST", f"/approvals/{approval}", TOKENS["viewer"], REASON).status == 200
    assert send(gate, DELETE).status == 204
    waiting = make_gate(sandbox, policy=world.policy(rules=[demand()]))
    assert [assert_waits(send(waiting, CREATE)) for _ in range(2)]


def clients_who_leave(make_gate, sandbox, steps):
    """… while the intent is on its way to the disk: tried until one is quick enough."""
    gate = make_gate(sandbox)

    def leave():
        operation = world.another()
        body = world.body_bytes(operation)
        connection = gate.connect()
        connection.sendall((f"PATCH {operation.target} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {operation.token}\r\n"
                            f"Content-Type: application/vnd.api+json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
        return any(line.endswith(" recording settling") for line in steps.read_text().splitlines())

    wait_until(leave, what="a client that is gone when its intent is durable")


def test_the_gates_courses_are_the_models(make_gate, sandbox, steps):
    refusals(make_gate, sandbox)
    approvals(make_gate, sandbox)
    clients_who_leave(make_gate, sandbox, steps)
    seen = assert_of_the_model(steps)
    driven = {("decided", state) for state in ("preparing", "refusing", "recording", "forwarded", "replied")}
    driven |= {("preparing", state) for state in ("refusing", "recording", "replied")}
    driven |= {("recording", state) for state in ("forwarded", "asking", "settling")} | {("asking", "replied"), ("settling", "replied")}
    assert driven <= seen, driven - seen


def test_the_courses_of_a_takeover(slow, succeed, steps):  # noqa: F811
    """Changes wait for the journal, with and without a look at what they are about; or do not wait to the end."""
    gate, script, _ = slow
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        running = hold(pool, slow)
        new = replace(gate, succeed)
        waiting = [pool.submit(change, new), pool.submit(lambda: new.request("DELETE", DELETE.target, DELETE.token).status)]
        time.sleep(0.3)
        script.release.set()
        assert running.result() == 200
        assert waiting[0].result().status == 200 and waiting[1].result() in (404, 409, 502, 200, 204)
    assert gate.wait() == 0
    assert ("awaiting", "recording") in assert_of_the_model(steps)


def test_the_courses_in_storms(tmp_path, steps):
    """Under everything at once, and deaths, too."""
    many.run(4, "courses", tmp_path / "life", collections.Counter())
    seen = assert_of_the_model(steps, whole=False)
    assert {("recording", "asking"), ("recording", "refusing"), ("refusing", "replied")} <= seen and len(courses(steps)) > 100
    assert approval_steps(steps) | {("used", "pending")} == of_the_model("approval")


def approval_steps(steps):
    """Those that were seen, of all approvals; after a restart the journal is read, and takes them again."""
    return {tuple(line.split()[2:]) for line in steps.read_text().splitlines() if line.split()[1] == "approval"}


def test_an_approval_of_what_was_not_sent_waits_again(make_gate, sandbox, steps):
    gate = make_gate(sandbox, policy=people_policy(), config=LISTEN)
    approval = assert_waits(send(gate, CREATE))
    assert gate.people("POST", f"/approvals/{approval}", TOKENS["viewer"], REASON).status == 200
    sandbox.stop()
    assert send(gate, CREATE).status == 502
    assert [tuple(line.split()[2:]) for line in steps.read_text().splitlines() if line.startswith(approval)] == [
        ("nowhere", "pending"), ("pending", "pending"), ("pending", "used"), ("used", "pending")]
