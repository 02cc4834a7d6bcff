"""What the gate learns from the API before a delete: it stands in the intent, or the delete is not sent. Each time the upstream's own ledger
says what was asked, and that nothing else was."""

import copy
import json
import subprocess
import threading

import pytest

import world
from checks import access_line, assert_error, records_of, request_id
from processes import BUILD, wait_until
from upstreams import answer, describe, reset
from world import ABSENT, BROKERED, DELETE, ECR, FIXTURES, GITHUB, HUB, INTEGRATIONS, PAYMENTS, READ, SETTINGS_BODY, TOKENS, UPDATE, VERSION

ITEM = f"{INTEGRATIONS}/{ECR}?version={VERSION}"
SETTINGS = f"{INTEGRATIONS}/{ECR}/settings?version={VERSION}"
TARGETS = f"/rest/orgs/{PAYMENTS}/targets?version=2024-10-15&limit=100&exclude_empty=false&source_types=ecr"
PROJECTS = f"/rest/orgs/{PAYMENTS}/projects?version=2024-10-15&limit=100&meta_count=only&target_id="
TARGET = "dddddddd-0000-4000-8000-000000000001"


def delete(gate, integration=ECR, token=TOKENS["deleter"], **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return gate.request("DELETE", f"{INTEGRATIONS}/{integration}?version={VERSION}", token, headers=headers)


def asked(sandbox):
    """What the sandbox was asked, as method and target."""
    return [(line["method"], line["target"]) for line in sandbox.ledger(asked=True)]


def identity(got):
    return got.field("portcullis-request-id")


def intent_of(gate, got):
    return records_of(gate, identity(got), ["intent", "outcome"])[0]


def assert_not_sent(gate, sandbox, got, status, code, most=2):
    """Refused, recorded as refused, and the upstream saw some reads and no change."""
    [error] = assert_error(got, status, code)
    [record] = records_of(gate, request_id(got), ["refused"])
    assert (record["status"], record["detail"]) == (status, f"portcullis-{code}")
    assert {method for method, _ in asked(sandbox)} <= {"GET"}
    assert len(asked(sandbox)) <= most
    return error


# ---- seen before ----


def test_what_is_destroyed_stands_in_the_intent(gate, sandbox):
    got = delete(gate)
    assert got.status == 204
    assert asked(sandbox) == [("GET", ITEM), ("GET", SETTINGS), ("GET", TARGETS), ("GET", PROJECTS + TARGET), ("DELETE", ITEM)]
    intent = intent_of(gate, got)
    line = access_line(gate, identity(got))
    assert line["asked"] == 4 and "dry_run" not in line
    assert intent["before"]["integration"]["id"] == ECR
    assert intent["before"]["integration"]["attributes"]["profile_name"] == "images"
    assert intent["before"]["settings"]["attributes"] == {"container_app_scan_enabled": True}
    assert intent["radius"] == {"known": True, "listed": [{"id": TARGET, "projects": 1}], "projects": 1, "targets": 1}
    for line in sandbox.ledger(asked=True):
        fields = {name.lower(): value for name, value in line["headers"]}
        assert fields["x-request-id"] == identity(got)
        assert fields["authorization"] == f"Token {TOKENS['deleter']}"
        assert fields["traceparent"].split("-")[1] == intent["trace_id"]
        assert ("via" in fields) == (line["method"] == "DELETE")  # the reads are the gate's own


def test_with_the_key_of_the_gate(make_gate, sandbox):
    """The credential that the delete will be sent with."""
    policy = world.policy()
    policy["principals"]["held"]["upstream_token"] = {"env": "HELD"}
    gate = make_gate(sandbox, policy=policy, environment={"HELD": "the-key-of-the-gate-0001"})
    assert delete(gate, token=TOKENS["held"]).status == 204
    seen = [dict((name.lower(), value) for name, value in line["headers"])["authorization"] for line in sandbox.ledger(asked=True)]
    assert seen == ["Token the-key-of-the-gate-0001"] * 5


def test_metrics(make_gate, sandbox):
    gate = make_gate(sandbox, config={"admin": {"listen": "127.0.0.1:0"}})
    delete(gate)
    delete(gate, ABSENT)
    metrics = gate.metrics()
    assert metrics["portcullis_facts_requests_total"] == 5 and metrics["portcullis_facts_failures_total"] == 1


def test_a_refusal_by_policy_asks_nothing(gate, sandbox):
    assert_error(delete(gate, token=TOKENS["viewer"]), 403, "forbidden")
    assert_error(delete(gate, token="stranger"), 401, "unauthenticated")
    assert asked(sandbox) == []


@pytest.mark.parametrize("integration, status, code, words", [
    (BROKERED, 409, "brokered", [f"PUT /v1/org/{PAYMENTS}/integrations/{BROKERED}", '"type": "acr"', "broker"]),
    (GITHUB, 409, "not-deletable", ['"github"', "container registries"]),
    (ABSENT, 404, "no-such-integration", ["does not show"]),
])
def test_what_cannot_be_deleted(gate, sandbox, integration, status, code, words):
    error = assert_not_sent(gate, sandbox, delete(gate, integration), status, code, most=1)
    assert all(word in error["detail"] for word in words), error


def test_answers_hold_no_secrets(make_gate, make_upstream):
    """The API shows no credentials; should it do so one day, the journal does not."""
    def script(connection, received):
        attributes = {"integration_type": "ecr", "profile_name": "x", "credentials": {"password": world.MARK}, "brokerToken": world.MARK}
        if received.method == "DELETE":
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        elif received.target.startswith(f"{INTEGRATIONS}/{ECR}?"):
            connection.sendall(answer(body=json.dumps({"data": {"type": "integration", "id": ECR, "attributes": attributes}}).encode()))
        else:
            connection.sendall(describe(received))
        return True

    gate = make_gate(make_upstream(script, scripted_asked=True))
    before = intent_of(gate, delete(gate))["before"]
    shown = before["integration"]["attributes"]
    assert shown["brokerToken"].startswith("hmac-sha256:") and shown["credentials"]["password"].startswith("hmac-sha256:")


def describes(**attributes):
    """An answer about the integration with these attributes."""
    known = {"integration_type": "ecr", "profile_name": "images", "has_broker": False}
    return json.dumps({"data": {"type": "integration", "id": ECR, "attributes": {**known, **attributes}}})


UNREADABLE = {
    "500": {"status": 500}, "503": {"status": 503}, "401": {"status": 401}, "403": {"status": 403}, "302": {"status": 302},
    "no JSON": {"body": "<html>"}, "no JSON by its type": {"content_type": "text/html", "body": describes()},
    "a member twice": {"body": '{"data":{},"data":{}}'}, "no data": {"body": "{}"}, "a list": {"body": '{"data":[]}'},
    "another integration": {"body": describes().replace(ECR, HUB)}, "no id": {"body": describes().replace('"id"', '"ident"')},
    "no attributes": {"body": describes().replace("attributes", "attribs")}, "no type": {"body": describes(integration_type=None)},
    "a broker that is neither on nor off": {"body": describes(has_broker="no")},
    "too large": {"body": describes(profile_name="x" * 70000)}, "too large by far": {"large_body": 200000}, "an encoding": {"encoding": "gzip"},
    "closes before": {"close": "before"}, "closes in the middle": {"close": "middle"}, "resets": {"reset": True},
    "no HTTP": {"raw": "no HTTP at all\r\n\r\n"}, "too short": {"truncate": 20}, "more than asked": {"surplus": "x"},
    "100 first": {"interim": 100}, "silence": {"delay_ms": 60000}, "drips": {"drip_ms": 500},
}


@pytest.mark.parametrize("fault", UNREADABLE)
def test_no_pre_image_no_delete(make_gate, sandbox, fault):
    slow = fault in ("silence", "drips")
    gate = make_gate(sandbox, config={"facts": {"timeout_ms": 400 if slow else 15000}, "workers": 1})
    sandbox.fault(UNREADABLE[fault], match={"method": "GET"}, count=0)
    got = delete(gate)
    # A connection that is closed without a byte of an answer may be tried once more.
    error = assert_not_sent(gate, sandbox, got, 502, "pre-image-unavailable")
    assert "was not sent" in error["detail"]
    assert access_line(gate, identity(got))["error"] in error["detail"]


@pytest.mark.parametrize("fault", [{"status": 500}, {"body": "{}"}, {"close": "middle"}, {"status": 403}], ids=str)
def test_no_settings_no_delete(gate, sandbox, fault):
    sandbox.fault(fault, match={"method": "GET", "path_prefix": SETTINGS.partition("?")[0]}, count=0)
    assert_not_sent(gate, sandbox, delete(gate), 502, "pre-image-unavailable", most=3)


def test_an_integration_without_settings(gate, sandbox):
    """The API may have none: that is known, then."""
    sandbox.fault({"status": 404}, match={"method": "GET", "path_prefix": SETTINGS.partition("?")[0]})
    before = intent_of(gate, delete(gate))["before"]
    assert before["integration"]["id"] == ECR and "settings" not in before


def test_the_api_asks_to_wait(gate, sandbox):
    sandbox.fault({"status": 429, "headers": {"Retry-After": "120"}}, match={"method": "GET"})
    for _ in range(3):
        got = delete(gate)
        assert_error(got, 429, "upstream-rate-limited")
        assert 100 < int(got.field("retry-after")) <= 120
    assert asked(sandbox) == [("GET", ITEM)]


# ---- while it asks ----


def slow_reads(make_sandbox, make_gate, path, **config):
    sandbox = make_sandbox()
    gate = make_gate(sandbox, config={"workers": 1, **config})
    sandbox.fault({"delay_ms": 60000}, match={"method": "GET", "path_prefix": path})
    return sandbox, gate


@pytest.mark.parametrize("path", [ITEM, SETTINGS, TARGETS, PROJECTS], ids=["integration", "settings", "targets", "projects"])
def test_a_client_that_leaves(make_sandbox, make_gate, path):
    sandbox, gate = slow_reads(make_sandbox, make_gate, path)
    with gate.connect() as client:
        client.sendall(f"DELETE {ITEM} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {DELETE.token}\r\n\r\n".encode())
        wait_until(lambda: any(target.startswith(path) for _, target in asked(sandbox)), what="the question")
        reset(client)  # a client that closes its side in good order may still read
    [record] = wait_until(lambda: gate.exchanges("refused"), what="the record")
    assert record["detail"] == "portcullis-client-gone"
    assert gate.request("GET", READ.target, READ.token).status == 200
    assert {method for method, _ in asked(sandbox)} == {"GET"} and gate.exchanges("intent") == []


def test_a_gate_that_stops(make_sandbox, make_gate):
    sandbox, gate = slow_reads(make_sandbox, make_gate, TARGETS, stop_timeout_ms=300)
    with gate.connect() as client:
        client.sendall(f"DELETE {ITEM} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {DELETE.token}\r\n\r\n".encode())
        wait_until(lambda: len(asked(sandbox)) == 3, what="the question")
        gate.signal(15)
        assert gate.wait() == 0
    assert gate.exchanges("intent") == [] and {method for method, _ in asked(sandbox)} == {"GET"}


def test_many_at_once(make_gate, sandbox):
    """Each delete is looked at for itself."""
    gate = make_gate(sandbox)
    ids = [f"aaaaaaaa-0000-4000-8000-0000000001{i:02d}" for i in range(25)]
    answers = {}
    threads = [threading.Thread(target=lambda one=one: answers.update({one: delete(gate, one)})) for one in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, one in enumerate(ids):
        intent = intent_of(gate, answers[one])
        assert (intent["resource"], intent["before"]["integration"]["id"]) == (one, one)
        assert intent["before"]["integration"]["attributes"]["profile_name"] == f"more-{number:02d}"
    assert len([method for method, _ in asked(sandbox) if method == "DELETE"]) == 25


# ---- what hangs on it ----


def test_a_target_that_says_nothing(make_sandbox, make_gate):
    fixtures = copy.deepcopy(FIXTURES)
    fixtures["organizations"][PAYMENTS]["targets"].append(
        {"id": "dddddddd-0000-4000-8000-000000000002", "integration_id": ECR, "unrelated": True})
    gate = make_gate(make_sandbox(fixtures))
    radius = intent_of(gate, delete(gate))["radius"]
    assert radius == {"detail": "a target does not say on which integration it hangs", "known": False, "listed": [{"id": TARGET}]}


UNKNOWN = {"403": {"status": 403}, "404": {"status": 404}, "429": {"status": 429}, "500": {"status": 500}, "no list": {"body": '{"data":{}}'}, "no JSON": {"body": "x"},
           "no ids": {"body": '{"data":[{"relationships":{}}]}'}, "closes": {"close": "middle"},
           "a link elsewhere": {"body": '{"data":[],"links":{"next":"/x?page=2"}}'}}


@pytest.mark.parametrize("fault", UNKNOWN)
def test_an_unknown_radius(gate, sandbox, fault):
    """It is no reason to refuse, by itself."""
    sandbox.fault(UNKNOWN[fault], match={"method": "GET", "path_prefix": TARGETS.partition("?")[0]}, count=0)
    got = delete(gate)
    assert got.status == 204
    radius = intent_of(gate, got)["radius"]
    assert radius["known"] is False and radius["detail"] and radius["listed"] == [] and "targets" not in radius


@pytest.mark.parametrize("count", ["-1", "1.5", '"3"', "null", "99999999999999"])
def test_projects_that_are_no_number(gate, sandbox, count):
    sandbox.fault({"body": f'{{"data":[],"meta":{{"count":{count}}}}}'}, match={"method": "GET", "path_prefix": PROJECTS.partition("?")[0]})
    radius = intent_of(gate, delete(gate))["radius"]
    assert (radius["known"], radius["targets"], radius["listed"]) == (False, 1, [{"id": TARGET}]) and "projects" not in radius


def crowd(count, projects=2):
    """An ECR on which `count` targets hang, and another with a few of its own."""
    fixtures = copy.deepcopy(FIXTURES)
    payments = fixtures["organizations"][PAYMENTS]
    ids = [f"dddddddd-0000-4000-8000-{number:012d}" for number in range(100, 100 + count)]
    payments["targets"] = [{"id": one, "integration_id": ECR} for one in ids] + [
        {"id": f"dddddddd-0000-4000-8001-{number:012d}", "integration_id": "aaaaaaaa-0000-4000-8000-000000000101"} for number in range(9)]
    payments["projects"] = [{"id": f"eeeeeeee-0000-4000-8000-{number:012d}", "target_id": one}
                            for number, one in enumerate(one for one in ids for _ in range(projects))]
    return fixtures, ids


def test_pages(make_sandbox, make_gate):
    fixtures, ids = crowd(230)
    sandbox = make_sandbox(fixtures)
    gate = make_gate(sandbox, config={"facts": {"requests": 1000}})
    radius = intent_of(gate, delete(gate))["radius"]
    assert (radius["known"], radius["targets"], radius["projects"]) == (True, 230, 460)
    assert sorted(one["id"] for one in radius["listed"]) == ids
    assert all(one["projects"] == 2 for one in radius["listed"])
    assert len([target for _, target in asked(sandbox) if "/targets?" in target]) == 3


@pytest.mark.parametrize("requests, targets, known", [(4, None, 0), (5, 230, 0), (20, 230, 15)])
def test_a_bound_on_requests(make_sandbox, make_gate, requests, targets, known):
    fixtures, _ = crowd(230)
    sandbox = make_sandbox(fixtures)
    gate = make_gate(sandbox, config={"facts": {"requests": requests}})
    radius = intent_of(gate, delete(gate))["radius"]
    assert not radius["known"] and radius.get("targets") == targets and "facts.requests" in radius["detail"]
    assert len([one for one in radius["listed"] if "projects" in one]) == known
    assert len(asked(sandbox)) == requests + 1


def test_a_list_without_end(make_gate, make_upstream):
    """Pages that lead on and on are read as often as is allowed, and those that lead to themselves once."""
    def script(connection, received):
        if received.method == "DELETE":
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        elif "/targets?" in received.target:
            cursor = "v1.Zm9v" if same else f"v1.{len(upstream.received):08d}"
            connection.sendall(answer(body=json.dumps({"data": [], "links": {"next": f"/x?starting_after={cursor}"}}).encode()))
        else:
            connection.sendall(describe(received))
        return True

    upstream = make_upstream(script, scripted_asked=True)
    gate = make_gate(upstream, config={"facts": {"requests": 10}, "workers": 1})
    for same, reads in ((False, 11), (True, 5)):
        before = len(upstream.received)
        assert intent_of(gate, delete(gate))["radius"]["known"] is False
        assert len(upstream.received) - before == reads


def test_pages_that_overlap(make_gate, make_upstream):
    """What came in between moves the pages: nothing is counted twice, by whatever spelling of its id."""
    ids = [f"dddddddd-0000-4000-8000-00000000000{number}" for number in range(4)]
    pages = [ids[:3], [ids[2].upper(), ids[3]]]

    def script(connection, received):
        if received.method == "DELETE":
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        elif "/targets?" in received.target:
            second = "starting_after" in received.target
            related = {"relationships": {"integration": {"data": {"type": "integration", "id": ECR.upper()}}}}
            document = {"data": [{"type": "target", "id": one, **related} for one in pages[second]],
                        "links": {} if second else {"next": "/x?starting_after=v1.Zm9v"}}
            connection.sendall(answer(body=json.dumps(document).encode()))
        else:
            connection.sendall(describe(received))
        return True

    gate = make_gate(make_upstream(script, scripted_asked=True))
    radius = intent_of(gate, delete(gate))["radius"]
    assert (radius["known"], radius["targets"], [one["id"] for one in radius["listed"]]) == (True, 4, ids)


def test_only_when_needed(make_gate, sandbox):
    gate = make_gate(sandbox, config={"facts": {"radius": "when-needed"}})
    assert "radius" not in intent_of(gate, delete(gate))
    assert asked(sandbox) == [("GET", ITEM), ("GET", SETTINGS), ("DELETE", ITEM)]


# ---- updates ----


def test_updates_are_seen_before_by_policy(make_gate, sandbox):
    gate = make_gate(sandbox, policy=world.policy(audit={"pre_image": True}))
    got = gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)
    intent, outcome = records_of(gate, identity(got), ["intent", "outcome"])
    assert intent["before"]["integration"]["attributes"]["profile_name"] == "images" and "radius" not in intent
    assert outcome["after"]["attributes"]["profile_name"] == "renamed"
    assert outcome["changed"] == ["/attributes/profile_name", "/attributes/updated_at"]
    assert asked(sandbox) == [("GET", ITEM), ("GET", SETTINGS), ("PATCH", ITEM)]

    settings = world.BY_ID["updateIntegrationSettings"]
    got = gate.request("PATCH", settings.target, settings.token, body=SETTINGS_BODY)
    intent, outcome = records_of(gate, identity(got), ["intent", "outcome"])
    assert intent["before"]["settings"]["attributes"] == {"container_app_scan_enabled": True}
    assert outcome["changed"] == ["/attributes/container_app_scan_enabled"]

    got = gate.request("PATCH", UPDATE.target.replace(ECR, GITHUB), UPDATE.token,
                       body={"data": {"id": GITHUB, "type": "integration", "attributes": {"profile_name": "any type"}}})
    assert got.status not in (409, 502)  # what cannot be deleted can be looked at

    sandbox.fault({"status": 500}, match={"method": "GET"}, count=0)
    got = gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)
    assert_error(got, 502, "pre-image-unavailable")
    records_of(gate, request_id(got), ["refused"])


def test_updates_are_not_looked_at_otherwise(gate, sandbox):
    got = gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)
    intent, outcome = records_of(gate, identity(got), ["intent", "outcome"])
    assert "before" not in intent and "after" not in outcome
    assert asked(sandbox) == [("PATCH", ITEM)]


# ---- If-Match ----


def tag_of(gate, target=READ.target, token=TOKENS["editor"]):
    return gate.request("GET", target, token).field("etag")


def test_tags(make_gate, sandbox):
    gate = make_gate(sandbox)
    tag = tag_of(gate)
    assert tag == tag_of(gate) and len(tag) == 34 and tag[0] == tag[-1] == '"'
    assert tag != tag_of(gate, READ.target.replace(ECR, HUB))
    assert tag != tag_of(gate, SETTINGS)
    assert tag_of(gate, token=TOKENS["viewer"]) is None  # it can make no use of one
    assert tag_of(gate, f"{INTEGRATIONS}?version={VERSION}") is None
    assert tag_of(gate, READ.target.replace(ECR, ABSENT)) is None
    sandbox.fault({"headers": {"ETag": '"theirs"'}}, match={"method": "GET"})
    got = gate.request("GET", READ.target, TOKENS["editor"])
    assert [value for name, value in got.fields if name == "etag"] == [tag]
    gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)
    assert tag_of(gate) != tag
    # Another gate has another key: nothing can be told from a tag.
    assert tag_of(make_gate(sandbox)) != tag_of(gate)


@pytest.mark.parametrize("condition, status", [
    ("{tag}", 204), ("*", 204), ('"x", {tag}', 204), ('{tag},"x"', 204), (' , "a,b" ,, {tag} ', 204),
    ('"x"', 412), ("W/{tag}", 412), ('"x", W/{tag}, "y"', 412), ('""', 412),
    ("{bare}", 400), ("", 400), (",", 400), ('"x" {tag}', 400), ("*, {tag}", 400), ('"x', 400), ("w/{tag}", 400), ("W/", 400),
])
def test_if_match(gate, sandbox, condition, status):
    tag = tag_of(gate)
    got = delete(gate, If_Match=condition.format(tag=tag, bare=tag.strip('"')))
    assert got.status == status, got
    methods = [method for method, _ in asked(sandbox)[1:]]
    assert methods.count("DELETE") == (1 if status == 204 else 0)
    assert methods.count("GET") == (0 if status == 400 else 4)
    assert not any(name.lower() == "if-match" for line in sandbox.ledger(asked=True) for name, _ in line["headers"])
    if status != 204:
        assert_error(got, status, {400: "malformed-field", 412: "precondition-failed"}[status])
        records_of(gate, request_id(got), ["refused"])


def test_if_match_after_a_change(gate, sandbox):
    tag = tag_of(gate)
    headers = {"If-Match": tag}
    assert gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body, headers=headers).status == 200
    assert_error(gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body, headers=headers), 412, "precondition-failed")
    assert_error(delete(gate, If_Match=tag), 412, "precondition-failed")
    assert_error(delete(gate, ABSENT, If_Match="*"), 404, "no-such-integration")
    assert delete(gate, If_Match=tag_of(gate)).status == 204
    assert [method for method, _ in asked(sandbox) if method != "GET"] == ["PATCH", "DELETE"]


def test_if_match_on_settings_and_on_creation(gate, sandbox):
    settings = world.BY_ID["updateIntegrationSettings"]
    for tag, status in ((tag_of(gate), 412), (tag_of(gate, SETTINGS), 200)):
        got = gate.request("PATCH", settings.target, settings.token, body=SETTINGS_BODY, headers={"If-Match": tag})
        assert got.status == status
    create = world.CREATE
    assert_error(gate.request("POST", create.target, create.token, body=create.body, headers={"If-Match": "*"}), 400, "malformed-field")
    assert [method for method, _ in asked(sandbox) if method != "GET"] == ["PATCH"]


# ---- orphans ----


def orphans(gate, *words):
    return subprocess.run([BUILD / "portcullis", "audit", "orphans", gate.audit_directory, *words], capture_output=True, text=True,
                          check=False, timeout=60)


def test_orphans(gate, sandbox):
    got = delete(gate)
    records_of(gate, identity(got), ["intent", "outcome"])
    done = orphans(gate, identity(got), "--json")
    listed = json.loads(done.stdout)
    assert (done.returncode, listed["deleted"], listed["known"], listed["targets"], listed["projects"]) == (0, "yes", True, 1, 1)
    [entry] = listed["orphans"]
    assert entry["id"] == TARGET
    assert orphans(gate, ECR, "--json").stdout == done.stdout
    assert all(call in orphans(gate, ECR).stdout for call in entry["calls"])

    # The calls, made as they stand, leave nothing behind.
    for call in entry["calls"]:
        method, target = call.split(" ", 1)
        if "{each id of that list}" in target:
            for one in found:
                assert sandbox.request(method, target.replace("{each id of that list}", one), {"Authorization": "Token x"}).status == 204
        else:
            told = sandbox.request(method, target, {"Authorization": "Token x"})
            assert told.status in (200, 204), told
            found = [one["id"] for one in told.json()["data"]] if method == "GET" else []
    state = sandbox.request("GET", "/_sandbox/state").json()["organizations"][PAYMENTS]
    assert state["targets"] == [] and state["projects"] == []


@pytest.mark.parametrize("fault, deleted, word", [({"status": 500, "effect": False}, "no", "NOT deleted"),
                                                  ({"close": "after-read"}, "unknown", "not known")], ids=["refused", "unknown"])
def test_orphans_of_what_was_not_deleted(gate, sandbox, fault, deleted, word):
    sandbox.fault(fault, match={"method": "DELETE"})
    got = delete(gate)
    wait_until(lambda: gate.exchanges("outcome"), what="the outcome")
    assert json.loads(orphans(gate, identity(got), "--json").stdout)["deleted"] == deleted
    assert word in orphans(gate, identity(got)).stdout


def test_orphans_that_nobody_knows_of(make_gate, sandbox):
    gate = make_gate(sandbox, config={"facts": {"radius": "when-needed"}})
    records_of(gate, identity(delete(gate)), ["intent", "outcome"])
    for words, told in (((ECR,), "facts.radius"), ((HUB,), "no delete"), ((), "usage")):
        done = orphans(gate, *words)
        assert done.returncode == (1 if words else 2) and told in done.stdout + done.stderr
