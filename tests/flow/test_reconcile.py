"""Mutations whose answer never came: the gate looks what became of them, only by reading, and the journal says what it found."""

import copy
import json
import threading

import pytest

import world
from checks import fields_of, records_of, request_id
from processes import wait_until
from world import ABSENT, BY_ID, CREATE, DELETE, ECR, INTEGRATIONS, PAYMENTS, READ, SECRET_PASSWORD, TOKENS, UPDATE, VERSION

SETTINGS = BY_ID["updateIntegrationSettings"]
READER = "read-only-key-of-the-gate-0001"
LOOKING = {"method": "GET", "header": {"authorization": f"Token {READER}"}}  # what the gate asks about a change whose end it does not know
ENVIRONMENT = {"PORTCULLIS_TEST_READER": READER}
QUICK = {"upstream_token": {"env": "PORTCULLIS_TEST_READER"}, "settle_seconds": 1, "retry_seconds": 1, "deadline_seconds": 30}


@pytest.fixture
def make_watched(make_gate):
    """make_watched(upstream, **reconcile): a gate that holds the read-only key and does not wait long."""

    def make(upstream, config=None, **reconcile):
        return make_gate(upstream, policy=world.policy(reconcile={**QUICK, **reconcile}), environment=ENVIRONMENT,
                         config={"upstream": {"first_byte_timeout_ms": 500}, **(config or {})})

    return make


def change(gate, operation, body=None):
    """Sends the mutation, whose answer does not come; its request id."""
    answer = gate.request(operation.method, operation.target, operation.token, body=body or operation.body)
    assert answer.status in (502, 504), answer
    return request_id(answer)


def settled(gate, identity):
    """The record of what was found, once it is there; there is one, behind intent and outcome."""
    records = records_of(gate, identity, ["intent", "outcome", "reconciled"])
    intent, outcome, found = records
    assert outcome["result"] == "unknown"
    for member in ("operation", "organization", "principal"):
        assert found[member] == intent[member]
    assert found["detail"]
    return found


def assert_only_read(sandbox, mutations=1):
    """Besides what the client sent there is nothing but GET, with the gate's key and without anything of the client's."""
    others = [line for line in sandbox.ledger() if line["method"] != "GET"]
    assert len(others) == mutations, others
    for line in sandbox.ledger():
        if line["method"] == "GET":
            assert fields_of(line, "authorization") == [f"Token {READER}"]
            assert line["body"] == ""


# What the answer hides, and what is found.
TABLE = [
    (DELETE, True, "absent", ECR),
    (DELETE, False, "present", ECR),
    (CREATE, True, "present", None),
    (CREATE, False, "absent", None),
    (UPDATE, True, "applied", ECR),
    (UPDATE, False, "not-applied", ECR),
    (SETTINGS, True, "applied", ECR),
    (SETTINGS, False, "not-applied", ECR),
]


@pytest.mark.parametrize("operation, effect, result, resource", TABLE,
                         ids=[f"{operation}-{'done' if effect else 'not done'}" for operation, effect, _, _ in TABLE])
def test_closed_without_an_answer(make_watched, sandbox, operation, effect, result, resource):
    gate = make_watched(sandbox)
    sandbox.fault({"close": "after-read", "effect": effect}, match={"method": operation.method})
    found = settled(gate, change(gate, operation))
    assert found["result"] == result, found
    if operation is CREATE and effect:
        listed = [json.loads(line["body"]) for line in sandbox.ledger() if line["method"] == "POST"]
        assert len(listed) == 1
        shown = gate.request("GET", f"{INTEGRATIONS}/{found['resource']}?version={VERSION}", TOKENS["viewer"])
        assert shown.json()["data"]["attributes"]["profile_name"] == "new one"
    else:
        assert found.get("resource") == resource
    assert found["upstream_status"] == 200
    reads = [line for line in sandbox.ledger() if line["method"] == "GET" and READER in str(line["headers"])]
    assert len(reads) >= 1
    assert SECRET_PASSWORD not in str(found)


def test_nothing_but_reading(make_watched, sandbox):
    gate = make_watched(sandbox)
    sandbox.fault({"close": "after-read"}, match={"method": "DELETE"})
    assert settled(gate, change(gate, DELETE))["result"] == "absent"
    assert_only_read(sandbox)
    # The item, then all pages of the list; and all of it once more.
    targets = [line["target"] for line in sandbox.ledger() if line["method"] == "GET"]
    item, page = f"{INTEGRATIONS}/{ECR}?version={VERSION}", f"{INTEGRATIONS}?version={VERSION}&limit=100"
    assert targets == [item, page, item, page]


def json_answer(document, status="200 OK"):
    body = json.dumps(document).encode()
    return b"HTTP/1.1 %s\r\nContent-Type: application/vnd.api+json\r\nContent-Length: %d\r\n\r\n" % (status.encode(), len(body)) + body


def test_a_deletion_that_arrives_late(make_watched, make_upstream):
    """After a timeout, the first look still shows the integration: that is not believed."""
    there = json_answer({"data": {"id": ECR, "type": "integration", "attributes": {"profile_name": "images"}}})
    gone, without = json_answer({}, "404 Not Found"), json_answer({"data": []})
    answers = iter([there, gone, without, gone, without])

    def script(connection, received):
        if received.method == "DELETE":
            connection.recv(1)  # until the gate has waited long enough
            return False
        connection.sendall(next(answers))
        return True

    upstream = make_upstream(script)
    gate = make_watched(upstream)
    assert settled(gate, change(gate, DELETE))["result"] == "absent"
    assert [received.method for received in upstream.received] == ["DELETE"] + ["GET"] * 5
    assert next(answers, None) is None


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
def test_every_page_is_read(make_watched, make_sandbox, count):
    fixtures = copy.deepcopy(world.FIXTURES)
    fixtures["organizations"][PAYMENTS]["integrations"] = [{"id": ECR, "integration_type": "ecr", "profile_name": "images", "has_broker": False}] + [
        {"id": f"aaaaaaaa-0000-4000-8000-0000000{i:05d}", "integration_type": "ecr", "profile_name": f"n{i}", "has_broker": False}
        for i in range(10000, 10000 + count)]
    sandbox = make_sandbox(fixtures=fixtures)
    gate = make_watched(sandbox)
    sandbox.fault({"close": "after-read"}, match={"method": "POST"})
    assert settled(gate, change(gate, CREATE))["result"] == "present"
    pages = [line for line in sandbox.ledger() if line["method"] == "GET"]
    assert len(pages) == (count + 2 + 99) // 100


def test_an_invisible_organization_is_not_absence(make_watched, sandbox):
    """404 for the integration and 404 for the list: that says nothing."""
    gate = make_watched(sandbox)
    sandbox.fault({"close": "before"}, match={"method": "DELETE"})
    sandbox.fault({"status": 404}, match=LOOKING, count=0)
    found = settled(gate, change(gate, DELETE))
    assert (found["result"], found["detail"], found["upstream_status"]) == ("unknown", "the API answered 404", 404)
    assert len([line for line in sandbox.ledger() if line["method"] == "GET"]) == 2 * 4  # one reading, and three more


def test_a_failure_is_tried_again(make_watched, sandbox):
    gate = make_watched(sandbox)
    sandbox.fault({"close": "after-read"}, match={"method": "PATCH"})
    sandbox.fault({"status": 500}, match={"method": "GET"})
    sandbox.fault({"close": "middle"}, match={"method": "GET"})
    sandbox.fault({"body": "{\"data\":{}}"}, match={"method": "GET"})
    assert settled(gate, change(gate, UPDATE))["result"] == "applied"
    assert_only_read(sandbox)


def test_429_is_obeyed(make_watched, sandbox):
    gate = make_watched(sandbox)
    sandbox.fault({"close": "after-read"}, match={"method": "PATCH"})
    for _ in range(5):  # more often than a failure would be tried again
        sandbox.fault({"status": 429, "headers": {"Retry-After": "1"}}, match={"method": "GET"})
    assert settled(gate, change(gate, UPDATE))["result"] == "applied"


def test_a_long_429_ends_it(make_watched, sandbox):
    gate = make_watched(sandbox)
    sandbox.fault({"close": "after-read"}, match={"method": "PATCH"})
    sandbox.fault({"status": 429, "headers": {"Retry-After": "3600"}}, match={"method": "GET"})
    found = settled(gate, change(gate, UPDATE))
    assert (found["result"], found["upstream_status"]) == ("unknown", 429)
    assert "429" in found["detail"] and "deadline" in found["detail"]
    assert len([line for line in sandbox.ledger() if line["method"] == "GET"]) == 1


def test_credentials_cannot_be_seen(make_watched, sandbox):
    gate = make_watched(sandbox)
    secret = {"role_arn": "arn:aws:iam::123456789012:role/new"}
    for attributes, asks, says in (({"credentials": secret}, 0, "whether credentials were changed cannot be seen"),
                                   ({"credentials": secret, "profile_name": "renamed"}, 1, "the integration is as was asked for; the credentials")):
        sandbox.fault({"close": "after-read"}, match={"method": "PATCH"})
        before = len(sandbox.ledger())
        found = settled(gate, change(gate, UPDATE, body={"data": {"attributes": attributes}}))
        assert found["result"] == "unknown" and found["detail"].startswith(says), found
        assert len(sandbox.ledger()) - before == 1 + asks


def test_several_of_that_name(make_watched, make_upstream):
    """Which of two is ours cannot be told."""
    one = {"type": "integration", "attributes": {"integration_type": "docker-hub", "profile_name": "new one", "created_at": "2099-01-01T00:00:00Z"}}

    def script(connection, received):
        if received.method == "GET":
            connection.sendall(json_answer({"data": [{**one, "id": ECR}, {**one, "id": ABSENT}]}))
        return False

    gate = make_watched(make_upstream(script))
    assert settled(gate, change(gate, CREATE))["result"] == "unknown"


@pytest.mark.parametrize("answered", [
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n{",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"2000\r\n" + b" " * 8192 + b"\r\n") * 16,
    b"no HTTP at all\r\n\r\n",
    b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
], ids=["html", "redirect", "204", "large", "large in chunks", "no HTTP", "401"])
def test_answers_that_say_nothing(make_watched, make_upstream, answered):
    def script(connection, received):
        if received.method == "GET":
            connection.sendall(answered)
        return False

    upstream = make_upstream(script)
    gate = make_watched(upstream, config={"upstream": {"json_bytes": 65536}})
    found = settled(gate, change(gate, DELETE))
    assert found["result"] == "unknown", found
    assert [received.method for received in upstream.received].count("GET") == 4


def test_without_a_key(make_gate, sandbox):
    """Said at once, and nothing is asked."""
    gate = make_gate(sandbox)
    sandbox.fault({"close": "after-read"}, match={"method": "DELETE"})
    found = settled(gate, change(gate, DELETE))
    assert (found["result"], found["resource"]) == ("unknown", ECR)
    assert "reconcile.upstream_token" in found["detail"]
    assert [line["method"] for line in sandbox.ledger()] == ["DELETE"]


def test_a_reload_brings_the_key(make_gate, sandbox):
    gate = make_gate(sandbox, environment=ENVIRONMENT)
    gate.write_policy(world.policy(reconcile=QUICK))
    gate.reload()
    sandbox.fault({"close": "after-read"}, match={"method": "DELETE"})
    assert settled(gate, change(gate, DELETE))["result"] == "absent"


def test_an_answered_mutation_is_not_looked_into(make_watched, sandbox):
    gate = make_watched(sandbox)
    for operation in (CREATE, UPDATE, SETTINGS, DELETE, DELETE):
        gate.request(operation.method, operation.target, operation.token, body=operation.body)
    sandbox.fault({"status": 500}, match={"method": "POST"})
    assert gate.request("POST", CREATE.target, CREATE.token, body=CREATE.body).status == 500
    assert gate.exchanges("outcome") and not gate.exchanges("reconciled")
    assert all(line["method"] != "GET" for line in sandbox.ledger())


def test_many_at_once(make_watched, sandbox):
    """Two organisations, forty mutations each: every one gets its record, and there are never two questions about one organisation."""
    gate = make_watched(sandbox, deadline_seconds=600)
    sandbox.fault({"close": "after-read"}, match={"method": "POST"}, count=0)
    identities = []

    def create(organization, number):
        body = copy.deepcopy(CREATE.body)
        body["data"]["attributes"]["profile_name"] = f"one of many {number}"
        answer = gate.request("POST", f"/rest/orgs/{organization}/integrations?version={VERSION}", TOKENS["everywhere"], body=body)
        identities.append(request_id(answer))

    threads = [threading.Thread(target=create, args=(organization, number)) for organization in (PAYMENTS, world.SEARCH) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(identities) == 80
    wait_until(lambda: len(gate.exchanges("reconciled")) == 80, what="eighty records")
    records = {record["request_id"]: record for record in gate.exchanges("reconciled")}
    assert set(records) == set(identities)
    assert {record["result"] for record in records.values()} == {"present"}
    assert len({record["resource"] for record in records.values()}) == 80


# Stop and start.

def restart(gate):
    gate.start()
    return gate


def reconciled(gate, identity):
    """The one word on it."""
    def last():
        return [record for record in gate.journal() if record.get("request_id") == identity and record["stage"] == "reconciled"]

    [record] = wait_until(last, what=f"a record on {identity}")
    assert record["detail"]
    return record


@pytest.mark.parametrize("operation, effect, result", [(operation, effect, result) for operation, effect, result, _ in TABLE],
                         ids=[f"{operation}-{'done' if effect else 'not done'}" for operation, effect, _, _ in TABLE])
def test_kill_between_intent_and_outcome(make_gate, sandbox, operation, effect, result):
    gate = make_gate(sandbox, policy=world.policy(reconcile=QUICK), environment=ENVIRONMENT)
    sandbox.fault({"delay_ms": 3600000, "close": "after-read", "effect": effect}, match={"method": operation.method})
    sender = threading.Thread(target=lambda: pytest.raises(Exception, gate.request, operation.method, operation.target, operation.token,
                                                           body=operation.body))
    sender.start()
    wait_until(lambda: sandbox.ledger(), what="the mutation at the API")
    [intent] = gate.exchanges("intent")
    gate.kill()
    sender.join()
    restart(gate)
    found = reconciled(gate, intent["request_id"])
    assert found["result"] == result, found
    assert found["operation"] == operation.id and found["principal"] == intent["principal"]
    # Once settled, it is not looked into again.
    gate.stop()
    asked = len(sandbox.ledger())
    restart(gate)
    gate.request("GET", world.READ.target, world.READ.token)  # whatever it finds: the gate had time to look
    gate.stop()
    assert len(sandbox.ledger()) == asked + 1
    assert len(gate.exchanges("reconciled")) == 1


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_a_stop_leaves_is_taken_up(make_gate, sandbox, end):
    """Also when the start after it ends too early."""
    gate = make_gate(sandbox, policy=world.policy(reconcile={**QUICK, "settle_seconds": 3600, "deadline_seconds": 86400}), environment=ENVIRONMENT)
    sandbox.fault({"close": "after-read"}, match={"method": "DELETE"})
    identity = change(gate, DELETE)
    for life in (1, 2, 3):  # each looks once, and ends before it may look again
        wait_until(lambda: len([line for line in sandbox.ledger() if line["method"] == "GET"]) == 2 * life, what="a look")
        assert not gate.exchanges("reconciled")
        gate.stop() if end == "stop" else gate.kill()
        if life == 3:
            gate.write_policy(world.policy(reconcile=QUICK))
        restart(gate)
    assert reconciled(gate, identity)["result"] == "absent"


def test_stop_while_asking(make_watched, sandbox):
    """A stop does not wait for what it cannot know."""
    gate = make_watched(sandbox, config={"upstream": {"first_byte_timeout_ms": 600000, "total_timeout_ms": 600000}})
    sandbox.fault({"close": "after-read"}, match={"method": "DELETE"})
    sandbox.fault({"delay_ms": 3600000}, match=LOOKING)
    identity = change(gate, DELETE)
    wait_until(lambda: len(sandbox.ledger()) == 2, what="the question")
    gate.stop()
    restart(gate)
    assert reconciled(gate, identity)["result"] == "absent"


def test_the_key_is_nowhere(make_watched, sandbox):
    gate = make_watched(sandbox)
    sandbox.fault({"close": "after-read"}, match={"method": "DELETE"})
    sandbox.fault({"status": 401}, match=LOOKING)
    assert settled(gate, change(gate, DELETE))["result"] == "absent"
    gate.stop()
    written = gate.stderr() + gate.access_file.read_text() + "".join(
        path.read_text(errors="replace") for path in gate.audit_directory.rglob("*") if path.is_file())
    assert READER not in written
    assert any(line["event"] == "reconciled" for line in gate.log())
