"""Clients that send a change again: with an Idempotency-Key they get the first answer again, and no change is under way twice at once."""

import concurrent.futures
import json
import threading

import pytest

import world
from checks import access_line, assert_error, fields_of, records_of
from processes import wait_until
from test_rules import changes, rule, send
from test_upstream_faults import answer
from world import CREATE, DELETE, READ, UPDATE

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


def keyed(gate, operation, key=KEY, **fields):
    return send(gate, operation, Idempotency_Key=key, **fields)


def content(got):
    return got.json() if got.body else None


def assert_replayed(got, first):
    """Status, content and place of the first one's answer, under a request id of its own."""
    assert (got.status, content(got), got.field("location")) == (first.status, content(first), first.field("location"))
    assert got.field("portcullis-replay-of") == first.field("portcullis-request-id") != got.field("portcullis-request-id")
    assert first.field("portcullis-replay-of") is None


def close_after(sandbox, operation, effect):
    sandbox.fault({"close": "after-read", "effect": effect}, match={"method": operation.method})


@pytest.mark.parametrize("operation", [CREATE, UPDATE, DELETE, world.BY_ID["updateIntegrationSettings"]], ids=str)
def test_the_same_again_gets_the_first_answer(make_gate, sandbox, operation):
    gate = make_gate(sandbox, config={"workers": 2, "admin": {"listen": "127.0.0.1:0"}})
    first = keyed(gate, operation)
    assert first.status == operation.status
    asked = len(sandbox.ledger(asked=True))
    for _ in range(3):
        got = keyed(gate, operation)
        assert_replayed(got, first)
        line = access_line(gate, got.field("portcullis-request-id"))
        assert (line["verdict"], line["gate"], line["rule"]) == ("pass", "repeat", "replayed")
        [told] = records_of(gate, got.field("portcullis-request-id"), ["replayed"])
        assert (told["replay_of"], told["status"]) == (first.field("portcullis-request-id"), first.status)
        assert (told["principal"], told["operation"]) == (line["principal"], operation.id) and "body" not in told and "claims" not in told
    assert len(changes(sandbox)) == 1 and len(sandbox.ledger(asked=True)) == asked, "the API is not even read"
    wait_until(lambda: gate.metrics()["portcullis_replayed_answers_total"] == 3, what="the count")


def test_the_key_is_not_sent_on(gate, sandbox):
    keyed(gate, UPDATE)
    keyed(gate, READ)
    assert len(sandbox.ledger()) == 2 and all(fields_of(line, "idempotency-key") == [] for line in sandbox.ledger())
    assert gate.leaks([KEY]) == []


def test_a_restart_forgets_no_key(make_gate, sandbox):
    gate = make_gate(sandbox)
    first = keyed(gate, CREATE)
    gate.stop()
    gate.start()
    assert_replayed(keyed(gate, CREATE), first)
    assert len(changes(sandbox)) == 1


def test_the_same_key_for_another_request(gate, sandbox):
    keyed(gate, UPDATE)
    [error] = assert_error(keyed(gate, world.another()), 422, "key-reused")
    assert "day" in error["detail"]
    assert keyed(gate, CREATE).status == 201, "another principal's key is another key"
    assert [line["method"] for line in changes(sandbox)] == ["PATCH", "POST"]


def test_a_secret_in_the_body_makes_another_request(gate, sandbox):
    """Bodies that differ in nothing but a credential are not the same."""
    keyed(gate, CREATE)
    body = json.loads(json.dumps(CREATE.body).replace(world.SECRET_PASSWORD, world.SECRET_PASSWORD + "2"))
    assert body != CREATE.body
    assert_error(gate.request("POST", CREATE.target, CREATE.token, body=body, headers={"Idempotency-Key": KEY}), 422, "key-reused")


def test_who_may_not_is_refused_whatever_the_key(make_gate, sandbox):
    """Authorised first: a key gives nobody another's answer, nor its own when the right is gone."""
    gate = make_gate(sandbox, policy=world.policy())
    keyed(gate, DELETE)
    denied = world.policy(rules=[rule(deny=True, operations=["deleteIntegration"])])
    gate.write_policy(denied)
    assert gate.reload()["detail"].startswith("in force")
    assert_error(keyed(gate, DELETE), 403, "denied")


def test_while_the_first_is_in_flight(make_gate, sandbox):
    gate = make_gate(sandbox, config={"workers": 2})
    sandbox.fault({"delay_ms": 700}, match={"method": "POST"})
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(keyed, gate, CREATE)
        wait_until(lambda: changes(sandbox), what="the first one at the API")
        [error] = assert_error(keyed(gate, CREATE), 409, "key-in-flight")
        assert error["meta"]["first_request_id"]
        [twin] = assert_error(send(gate, CREATE), 409, "twin-in-flight")
        assert "Idempotency-Key" in twin["detail"]
        assert_error(keyed(gate, CREATE, "another-key"), 409, "twin-in-flight")
        assert first.result().status == 201
    assert keyed(gate, CREATE).json() == first.result().json()
    assert len(changes(sandbox)) == 1
    assert "portcullis-request-id" in str(send(gate, CREATE)) and len(changes(sandbox)) == 2, "it is not under way: the API itself is asked"


@pytest.mark.parametrize("fields", [{}, {"Idempotency_Key": KEY}], ids=["twins", "keys"])
def test_of_many_at_once_one_is_sent(make_gate, sandbox, fields):
    """Over two workers; whoever is not first is told so, or gets the first one's answer."""
    gate = make_gate(sandbox, config={"workers": 2})
    sandbox.fault({"delay_ms": 300}, match={"method": "POST"}, count=100)
    barrier = threading.Barrier(12)

    def one(_):
        barrier.wait(30)
        return send(gate, CREATE, **fields)

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(one, range(12)))
    assert len(changes(sandbox)) == 1
    assert sorted({got.status for got in answers}) in ([201, 409], [201])
    assert len({got.body for got in answers if got.status == 201}) == 1
    assert len([got for got in answers if got.status == 201 and got.field("portcullis-replay-of") is None]) == 1


@pytest.mark.parametrize("fields", [{}, {"Idempotency_Key": KEY}], ids=["twins", "keys"])
def test_of_many_deletes_at_once_one_looks(make_gate, sandbox, fields):
    """What is to be known before a delete is asked once, not for each that is just like it."""
    gate = make_gate(sandbox, config={"workers": 2})
    sandbox.fault({"delay_ms": 400}, match={"method": "GET"})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        first = pool.submit(send, gate, DELETE, **fields)
        wait_until(lambda: sandbox.ledger(asked=True), what="the first one's questions")
        others = [pool.submit(send, gate, DELETE, **fields) for _ in range(6)]
        another = pool.submit(gate.request, "DELETE", DELETE.target, world.TOKENS["held"])  # somebody else's is no twin
        for other in others:
            assert_error(other.result(), 409, "twin-in-flight")
        assert sorted([first.result().status, another.result().status]) == [204, 404]
    assert len([line for line in sandbox.ledger(asked=True) if line["method"] == "GET"]) <= 2 * 4
    if fields:
        assert_replayed(keyed(gate, DELETE), first.result()) if first.result().status == 204 else None
    else:
        assert send(gate, DELETE).status == 404, "it is not under way any more"


def test_nothing_was_sent_so_the_key_is_free(make_gate, sandbox):
    gate = make_gate(sandbox)
    sandbox.stop()
    for _ in range(2):
        got = keyed(gate, CREATE)
        assert got.status == 502 and got.field("portcullis-replay-of") is None
        _, outcome = records_of(gate, got.field("portcullis-request-id"), ["intent", "outcome"])
        assert outcome["sent"] is False and "replay" not in outcome


def test_the_api_asked_to_come_back(make_gate, sandbox):
    """429 is no answer to keep: the API wants the request again."""
    gate = make_gate(sandbox)
    sandbox.fault({"status": 429, "headers": {"Retry-After": "0"}}, match={"method": "POST"})
    assert keyed(gate, CREATE).status == 429
    got = wait_until(lambda: (lambda got: got if got.status != 429 else None)(keyed(gate, CREATE)), what="the end of the wait")
    assert got.status == 201 and got.field("portcullis-replay-of") is None


def test_what_became_of_the_first_is_unknown(make_gate, sandbox):
    """Without a key to look with nobody can tell: the request is not sent again under this key."""
    gate = make_gate(sandbox, config={"upstream": {"first_byte_timeout_ms": 500}})
    close_after(sandbox, CREATE, True)
    first = keyed(gate, CREATE)
    assert first.status == 502
    for _ in range(2):
        [error] = assert_error(keyed(gate, CREATE), 409, "key-unknown")
        assert error["meta"]["first_request_id"] == first.field("portcullis-request-id")
    assert len(changes(sandbox)) == 1


def make_watched(make_gate, sandbox, settle_seconds):
    """A gate that looks what became of a change, and believes that something is gone when it was so twice."""
    reconcile = {"upstream_token": {"env": "PORTCULLIS_TEST_READER"}, "settle_seconds": settle_seconds, "retry_seconds": 1, "deadline_seconds": 300}
    return make_gate(sandbox, policy=world.policy(reconcile=reconcile), environment={"PORTCULLIS_TEST_READER": "read-only-key-of-the-gate-0001"},
                     config={"upstream": {"first_byte_timeout_ms": 500}})


def test_while_the_gate_looks_nothing_alike_is_sent(make_gate, sandbox):
    """A deletion that timed out may still arrive."""
    gate = make_watched(make_gate, sandbox, settle_seconds=60)
    close_after(sandbox, DELETE, False)
    assert send(gate, DELETE).status == 502
    for _ in range(3):
        assert_error(send(gate, DELETE), 409, "twin-in-flight")
    assert len(changes(sandbox)) == 1


def test_the_gate_has_looked(make_gate, sandbox):
    gate = make_watched(make_gate, sandbox, settle_seconds=1)
    close_after(sandbox, CREATE, True)
    assert keyed(gate, CREATE).status == 502
    wait_until(lambda: [line for line in gate.log() if line["event"] == "reconciled"], what="what was found, recorded and taken note of")
    [error] = assert_error(keyed(gate, CREATE), 409, "key-done")
    assert "present" in error["detail"] and len(changes(sandbox)) == 1


def test_an_answer_too_long_to_keep(make_gate, make_upstream):
    upstream = make_upstream(lambda connection, received: connection.sendall(answer(body=json.dumps({"data": "x" * 9000}).encode())) or True)
    gate = make_gate(upstream)
    assert keyed(gate, UPDATE).status == 200
    [error] = assert_error(keyed(gate, UPDATE), 409, "key-done")
    assert "200" in error["detail"] and "not kept" in error["detail"]
    assert len(upstream.received) == 1


def test_a_dry_run_uses_no_key(gate, sandbox):
    assert keyed(gate, CREATE, Portcullis_Dry_Run="?1").status == 200
    assert keyed(gate, CREATE).status == 201 and len(changes(sandbox)) == 1


def test_a_read_needs_none(gate, sandbox):
    assert [keyed(gate, READ).status for _ in range(2)] == [200, 200]
    assert len(sandbox.ledger(asked=True)) == 2


@pytest.mark.parametrize("value", ["x" * 256, "", "caf\u00e9"], ids=["long", "empty", "not ascii"])
def test_what_is_no_key(gate, sandbox, value):
    got = gate.request("POST", CREATE.target, CREATE.token, body=CREATE.body, headers={"Idempotency-Key": value})
    assert got.status == 400 and changes(sandbox) == []


def test_two_keys_are_none(gate, sandbox):
    answer = gate.raw(f"DELETE {DELETE.target} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {DELETE.token}\r\n"
                      "Idempotency-Key: a\r\nIdempotency-Key: b\r\nConnection: close\r\n\r\n".encode())
    assert b" 400 " in answer.split(b"\r\n")[0] and changes(sandbox) == []


def test_what_is_kept_holds_no_secret(make_gate, make_upstream):
    body = json.dumps({"data": {"attributes": {"credentials": {"password": world.MARK}}, "id": "x"}}).encode()
    upstream = make_upstream(lambda connection, received: connection.sendall(answer(body=body)) or True)
    gate = make_gate(upstream)
    assert world.MARK.encode() in keyed(gate, UPDATE).body
    again = keyed(gate, UPDATE)
    assert again.status == 200 and world.MARK.encode() not in again.body and b"hmac-sha256:" in again.body
    assert gate.leaks([world.MARK]) == []
