"""What holds for a time ends when that is over: approvals, keys, budgets, windows, grants. The clock is moved, nobody waits."""

import pytest

import world
from checks import assert_error
from clock import DAY, Clock, seconds_of
from processes import BUILD, FAULTS, wait_until
from test_approvals import approvals, assert_waits, demand
from test_budgets import budget
from test_people import LISTEN, REASON, error, people_policy
from test_repeats import keyed
from test_rules import changes, rule, send
from world import CREATE, DELETE, TOKENS, UPDATE

WORDS = (b"PORTCULLIS_TEST_CLOCK", b"PORTCULLIS_FAULT")
pytestmark = pytest.mark.usefixtures("faults")


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)


@pytest.fixture
def make_timed_gate(make_gate, sandbox, clock):
    """A gate that goes by the test clock, with a listener for approvals."""
    return lambda policy=None, **config: make_gate(sandbox, policy=policy, config={**LISTEN, **config}, environment=clock.environment)


def agreed(gate, approval):
    return gate.people("POST", f"/approvals/{approval}", TOKENS["viewer"], REASON)


def test_only_the_build_for_tests_has_it():
    """… nor a way to die at a point that somebody names."""
    assert [word in (BUILD / "portcullis").read_bytes() for word in WORDS] == [False, False]
    assert [word in (FAULTS / "portcullis").read_bytes() for word in WORDS] == [True, True]


def test_the_records_have_its_time(make_timed_gate, clock):
    gate = make_timed_gate()
    clock.move(400 * DAY)
    assert send(gate, UPDATE).status == 200
    [intent] = gate.exchanges("intent")
    assert abs(seconds_of(intent["time"]) - clock.now()) < 60


@pytest.mark.parametrize("given", [False, True], ids=["while it waits", "when all have agreed"])
def test_an_approval_expires(make_timed_gate, sandbox, clock, given):
    gate = make_timed_gate(people_policy())
    first = assert_waits(send(gate, DELETE))
    if given:
        assert agreed(gate, first).status == 200
    clock.move(3590)
    if not given:
        assert assert_waits(send(gate, DELETE)) == first, "ten seconds are left"
    clock.move(11)
    assert error(agreed(gate, first), 404) == "no-such-approval"
    assert gate.people("GET", "/approvals", TOKENS["viewer"]).json()["data"] == []
    again = assert_waits(send(gate, DELETE))
    assert again != first and changes(sandbox) == []
    assert agreed(gate, again).status == 200
    assert send(gate, DELETE).status == 204 and len(changes(sandbox)) == 1
    assert [record["result"] for record in approvals(gate)] == ["requested", *["given"] * given, "requested", "given"]


def test_an_approval_passes_until_the_end_of_its_time(make_timed_gate, sandbox, clock):
    gate = make_timed_gate(people_policy())
    approval = assert_waits(send(gate, DELETE))
    assert agreed(gate, approval).status == 200
    clock.move(3590)
    assert send(gate, DELETE).status == 204 and len(changes(sandbox)) == 1


def test_a_restart_adds_no_time(make_timed_gate, sandbox, clock):
    gate = make_timed_gate(people_policy())
    approval = assert_waits(send(gate, DELETE))
    assert agreed(gate, approval).status == 200
    gate.stop()
    clock.move(3601)
    gate.start()
    assert assert_waits(send(gate, DELETE)) != approval and changes(sandbox) == []


def test_a_key_is_kept_for_a_day(make_timed_gate, sandbox, clock):
    gate = make_timed_gate()
    assert keyed(gate, CREATE).status == 201
    clock.move(DAY - 10)
    assert keyed(gate, CREATE).field("portcullis-replay-of") and len(changes(sandbox)) == 1
    clock.move(11)
    assert keyed(gate, CREATE).field("portcullis-replay-of") is None and len(changes(sandbox)) == 2


def test_a_window_slides(make_timed_gate, sandbox, clock):
    """Each request counts for a minute from its own time on."""
    gate = make_timed_gate(world.policy(rules=[budget(2, seconds=60)]))
    assert send(gate, world.another()).status == 200
    clock.move(30)
    assert [send(gate, world.another()).status for _ in range(2)] == [200, 429]
    clock.move(31)
    assert [send(gate, world.another()).status for _ in range(2)] == [200, 429]
    assert len(changes(sandbox)) == 3


def test_a_breaker_stays_shut_whatever_the_time(make_timed_gate, sandbox, clock):
    gate = make_timed_gate(world.policy(rules=[budget(1, until="reset", seconds=60)]))
    assert [send(gate, world.another()).status for _ in range(2)] == [200, 429]
    clock.move(30 * DAY)
    assert send(gate, world.another()).status == 429 and len(changes(sandbox)) == 1


def test_a_freeze_begins_and_ends(make_timed_gate, sandbox, clock):
    window = {"after": clock.text(3600), "before": clock.text(7200)}
    gate = make_timed_gate(world.policy(rules=[rule(require={"break_glass": True}, when=[{"at": "/time", "during": [window]}])]))
    assert send(gate, UPDATE).status == 200
    clock.move(3600 + 60)
    assert_error(send(gate, UPDATE), 403, "frozen")
    clock.move(3600)
    assert send(gate, UPDATE).status == 200 and len(changes(sandbox)) == 2


def test_a_grant_and_a_token_end(make_timed_gate, clock):
    policy = world.policy()
    until = clock.text(3600)
    policy["principals"]["updater"]["tokens"] = [{"digest": world.digest(TOKENS["updater"]), "not_after": until}]
    [grant] = [grant for grant in policy["organizations"][world.PAYMENTS]["grants"] if grant["principal"] == "creator"]
    grant["not_after"] = until
    gate = make_timed_gate(policy)
    assert (send(gate, UPDATE).status, send(gate, CREATE).status) == (200, 201)
    clock.move(3601)
    assert (send(gate, UPDATE).status, send(gate, CREATE).status) == (401, 403)
    wait_until(lambda: len(gate.exchanges("outcome")) == 2, what="the outcomes of the two that passed")
