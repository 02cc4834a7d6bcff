"""How much the journal is told, by operation; keys of the masks that change; and what the journal says of a new policy."""

import copy
import hashlib
import hmac
import json
import pathlib
import re
import subprocess

import pytest

import world
from checks import records_of, request_id
from processes import BUILD, wait_until
from story import audit
from tokens import Issuer
from world import BY_ID, CREATE, DELETE, ECR, PAYMENTS, READ, SECRET_PASSWORD, TOKENS, UPDATE

LIST = BY_ID["listIntegrations"]
JSON_API = "application/vnd.api+json"
MASK = re.compile(r"^hmac-sha256:[0-9a-f]{8}:[0-9a-f]{64}$")


def leveled(**levels):
    return world.policy(audit={"levels": levels})


def answering(content_type, body):
    """A script for an upstream that answers everything with that."""

    def script(connection, received):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (content_type.encode(), len(body), body))
        return True

    return script


def ask(gate, operation, **changes):
    given = {"method": operation.method, "target": operation.target, "token": operation.token, "body": operation.body, **changes}
    return gate.request(**given)


def told(gate, stage, count=1):
    """The records of a stage, once there are that many; reads are written a moment after their answer."""
    return wait_until(lambda: len(found := gate.exchanges(stage)) >= count and found, what=f"{count} records of stage {stage}")


# ---- levels ----

def test_without_a_word_reads_are_not_told_and_changes_are(gate):
    for operation in world.OPERATIONS:
        if operation is not DELETE:
            ask(gate, operation)
    gate.stop()
    assert gate.exchanges("read") == []
    intents = gate.exchanges("intent")
    assert {intent["operation"] for intent in intents} == {"createIntegration", "updateIntegration", "updateIntegrationSettings"}
    assert all(intent["level"] == "request" and "body" in intent for intent in intents)
    assert not any("answer" in record for record in gate.exchanges())


def test_metadata_has_no_bodies(make_gate, sandbox):
    gate = make_gate(sandbox, policy=leveled(createIntegration="metadata", getIntegration="metadata"))
    assert ask(gate, CREATE).status == 201
    assert ask(gate, CREATE, token=TOKENS["viewer"]).status == 403
    assert ask(gate, READ).status == 200
    intent, outcome, refused, read = told(gate, "intent") + told(gate, "outcome") + told(gate, "refused") + told(gate, "read")
    for record in (intent, outcome, refused, read):
        assert record["level"] == "metadata"
        assert not {"body", "answer", "answer_bytes", "answer_digest"} & set(record)
    assert "new one" not in "".join(path.read_text() for path in gate.segments())


def test_without_bodies_the_gate_still_finds_out(make_gate, sandbox):
    """What is not told to the journal is known while the gate runs: a create whose answer never came is looked for by its name."""
    reconcile = {"upstream_token": {"env": "PORTCULLIS_TEST_READER"}, "settle_seconds": 1, "retry_seconds": 1}
    gate = make_gate(sandbox, policy=world.policy(audit={"levels": {"createIntegration": "metadata"}}, reconcile=reconcile),
                     environment={"PORTCULLIS_TEST_READER": "a-key-that-can-only-read"})
    sandbox.fault({"close": "after-read", "effect": True}, match={"method": "POST"})
    assert ask(gate, CREATE).status == 502
    [found] = told(gate, "reconciled")
    assert found["result"] == "present" and found["resource"]
    assert "new one" not in "".join(path.read_text() for path in gate.segments())


def test_answers_are_told_with_their_secrets_masked(make_gate, make_upstream):
    """brokerToken and the like in an answer: masked by their names, since the contract does not describe answers."""
    document = {"data": {"id": ECR, "attributes": {"profile_name": "images", "brokerToken": "broker-token-in-an-answer",
                                                   "credentials": {"username": "robot-in-an-answer"}, "has_broker": True}}}
    upstream = make_upstream(answering(JSON_API, json.dumps(document).encode()))
    gate = make_gate(upstream.url, policy=leveled(updateIntegration="request-response", getIntegration="request-response"))
    for operation, stage in ((UPDATE, "outcome"), (READ, "read")):
        answer = ask(gate, operation)
        assert answer.json() == document  # the client's is whole
        attributes = told(gate, stage)[0]["answer"]["data"]["attributes"]
        assert attributes["profile_name"] == "images" and attributes["has_broker"] is True
        assert MASK.match(attributes["brokerToken"]) and MASK.match(attributes["credentials"]["username"])
    written = "".join(path.read_text() for path in gate.segments())
    assert "in-an-answer" not in written


@pytest.mark.parametrize("size, shown", [(64 * 1024, True), (64 * 1024 + 1, False), (3 << 20, False)])
def test_long_answers_are_told_by_length_and_digest(make_gate, make_upstream, size, shown):
    body = b'{"data":"' + b"x" * (size - 11) + b'"}'
    upstream = make_upstream(answering(JSON_API, body))
    gate = make_gate(upstream.url, policy=leveled(**{"*": "request-response"}))
    assert ask(gate, UPDATE).body == body
    [outcome] = told(gate, "outcome")
    assert ("answer" in outcome) == shown
    if shown:
        assert outcome["answer"] == json.loads(body)
    else:
        assert outcome["answer_bytes"] == size
        assert outcome["answer_digest"] == mask_of(gate, body)


@pytest.mark.parametrize("content_type, body", [
    ("text/html", b"<p>secret page</p>"),
    ("application/json", b'{"a":1,"a":2}'),
    ("application/json", b"[" * 70 + b"]" * 70),
])
def test_what_cannot_be_masked_is_told_by_length_and_digest(make_gate, make_upstream, content_type, body):
    upstream = make_upstream(answering(content_type, body))
    gate = make_gate(upstream.url, policy=leveled(**{"*": "request-response"}))
    assert ask(gate, UPDATE).status == 200
    [outcome] = told(gate, "outcome")
    assert "answer" not in outcome
    assert (outcome["answer_bytes"], outcome["answer_digest"]) == (len(body), mask_of(gate, body))


def test_an_answer_that_is_passed_on_while_it_comes_has_a_length_only(make_gate, make_upstream):
    upstream = make_upstream(answering("text/html", b"<p>page</p>"))
    gate = make_gate(upstream.url, policy=leveled(getIntegration="request-response"))
    assert ask(gate, READ).body == b"<p>page</p>"
    [read] = told(gate, "read")
    assert read["answer_bytes"] == 11 and not {"answer", "answer_digest"} & set(read)


def test_an_empty_answer_is_no_answer(make_gate, sandbox):
    gate = make_gate(sandbox, policy=leveled(deleteIntegration="request-response"))
    assert ask(gate, DELETE).status == 204
    [outcome] = told(gate, "outcome")
    assert not any(name.startswith("answer") for name in outcome)


def test_reads(make_gate, sandbox):
    """Passed, refused by policy, refused by the contract, and failed: one record each."""
    gate = make_gate(sandbox, policy=leveled(getIntegration="request"))
    assert ask(gate, READ).status == 200
    assert ask(gate, LIST).status == 200  # without a row: not told
    assert ask(gate, READ, token="a-stranger").status == 401  # counted elsewhere
    [passed] = told(gate, "read")
    assert passed["status"] == passed["upstream_status"] == 200
    assert (passed["sent"], passed["credential"], passed["principal"], passed["resource"]) == (True, "own", "viewer", ECR)
    assert passed["duration_us"] > 0 and "result" not in passed

    forbidden = ask(gate, READ, token=TOKENS["nobody"])
    [record] = records_of(gate, request_id(forbidden), ["read"])
    assert (record["status"], record["sent"], record["gate"], record["detail"]) == (403, False, "permission", "portcullis-forbidden")
    assert "upstream_status" not in record

    sandbox.fault({"close": "after-read"}, match={"method": "GET"}, count=4)
    failed = ask(gate, READ)
    assert failed.status == 502
    [record] = records_of(gate, request_id(failed), ["read"])
    assert record["sent"] is True and record["status"] == 502 and record["detail"]


def test_reads_go_on_without_a_journal(make_gate, sandbox):
    gate = make_gate(sandbox, policy=leveled(getIntegration="request-response"), config={"admin": {"listen": "127.0.0.1:0"}})
    assert ask(gate, READ).status == 200
    told(gate, "read")
    gate.audit_directory.rename(gate.directory / "away")
    wait_until(lambda: ask(gate, UPDATE).status == 503, what="the end of the journal")
    before = gate.metrics()["portcullis_journal_missed_total"]
    for _ in range(5):
        assert ask(gate, READ).status == 200
    wait_until(lambda: gate.metrics()["portcullis_journal_missed_total"] == before + 5, what="the count of the reads that were not told")


# ---- bounds ----

@pytest.mark.parametrize("levels, faults", [
    ({"updateIntegration": "none"}, [("/audit/levels/updateIntegration", '"none" is too low for a change: "metadata" or higher')]),
    ({"createIntegration": "metadata"}, []),
    ({"deleteIntegration": "metadata"}, [("/audit/levels/deleteIntegration", '"metadata" is too low for a hard delete: "request" or')]),
    ({"deleteIntegration": "request"}, []),
    ({"getIntegration": "none", "*": "request"}, []),
    ({"*": "metadata"}, [("/audit/levels/*", 'give it a row of its own, "deleteIntegration": "request" or higher')]),
    ({"*": "metadata", "deleteIntegration": "request"}, []),
    ({"getIntegratio": "request"}, [("/audit/levels/getIntegratio", 'did you mean "getIntegration"?')]),
    ({"a": "request"}, [("/audit/levels/a", "no operation of the contract")]),
    ({"getIntegration": "requests"}, [("/audit/levels/getIntegration", 'did you mean "request"?')]),
    ({"getIntegration": 1}, [("/audit/levels/getIntegration", "must be a string")]),
])
def test_check_knows_the_bounds(make_gate, levels, faults):
    gate = make_gate("http://127.0.0.1:1", policy=leveled(**levels), start=False)
    problems = json.loads(gate.run("check", "--json").stdout)
    errors = [problem for problem in problems if problem["severity"] == "error"]
    assert len(errors) == len(faults), errors
    for error, (pointer, message) in zip(errors, faults):
        assert error["pointer"] == pointer and message in error["message"] and error["line"] > 1, error


def test_a_gate_does_not_start_with_a_level_too_low(make_gate):
    gate = make_gate("http://127.0.0.1:1", policy=leveled(deleteIntegration="none"), start=False)
    gate.launch()
    assert gate.wait() == 2
    gate.checked = True
    assert "too low for a hard delete" in gate.stderr()


# ---- keys ----

def keys_of(gate):
    return gate.directory / gate.config["audit"]["keys"]


def key_id(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def mask_of(gate, secret):
    """What the gate's key makes of it, computed here."""
    key = (keys_of(gate) / "journal-hmac.key").read_bytes()
    return f"hmac-sha256:{hashlib.sha256(key).hexdigest()[:8]}:{hmac.new(key, secret, 'sha256').hexdigest()}"


def masked_password(gate, name):
    """Sends the same password with another profile; what the journal has of it."""
    body = copy.deepcopy(CREATE.body)
    body["data"]["attributes"]["profile_name"] = name
    assert ask(gate, CREATE, body=body).status == 201
    return gate.exchanges("intent")[-1]["body"]["data"]["attributes"]["credentials"]["password"]


def test_rotation(gate):
    key = keys_of(gate) / "journal-hmac.key"
    old_id = key_id(key)
    first = masked_password(gate, "one")
    done = audit(gate, "rotate-key", "-c", gate.config_file)
    assert done.returncode == 0, done.stderr
    new_id = key_id(key)
    kept = keys_of(gate) / f"journal-hmac-{old_id}.key"
    assert new_id != old_id and key_id(kept) == old_id
    assert new_id.encode() in done.stdout and old_id.encode() in done.stdout
    for path in keys_of(gate).iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path

    assert masked_password(gate, "two") == first  # not before SIGHUP
    gate.reload()
    second = masked_password(gate, "three")
    assert second == mask_of(gate, SECRET_PASSWORD.encode()) and second != first
    started, changed = records(gate, "key", 2)
    assert (started["cause"], started["key"]) == ("start", old_id) and "key_before" not in started
    assert (changed["cause"], changed["key"], changed["key_before"]) == ("signal", new_id, old_id)

    # A known secret finds both.
    for identity, value in ((old_id, first), (new_id, second)):
        shown = audit(gate, "mask", "-c", gate.config_file, "--key-id", identity, stdin=SECRET_PASSWORD.encode() + b"\n")
        assert shown.stdout.decode() == value + "\n", shown.stderr
    assert audit(gate, "mask", "-c", gate.config_file, stdin=SECRET_PASSWORD.encode()).stdout.decode() == second + "\n"
    exact = audit(gate, "mask", "-c", gate.config_file, "--exact", stdin=b"line\n").stdout.decode()
    assert exact == mask_of(gate, b"line\n") + "\n"


def test_a_reload_without_rotation_says_nothing_of_keys(gate):
    gate.reload()
    policies(gate, 2)
    assert [record["cause"] for record in records(gate, "key", 1)] == ["start"]


def test_a_key_that_cannot_be_read_changes_nothing(gate):
    first = masked_password(gate, "one")
    key = keys_of(gate) / "journal-hmac.key"
    key.chmod(0o644)
    gate.reload()
    assert any(line["level"] == "error" and "chmod 600" in line["detail"] for line in gate.log())
    assert masked_password(gate, "two") == first
    key.unlink()
    gate.reload()
    assert not key.exists(), "a reload makes no key"
    assert masked_password(gate, "three") == first


@pytest.mark.parametrize("words, says", [
    (["mask", "--key-id", "0123456"], "no key id"),
    (["mask", "--key-id", "0123ABCD"], "no key id"),
    (["mask", "--key-id", "../../xx"], "no key id"),
    (["mask", "--key-id", "01234567"], "journal-hmac-01234567.key: cannot read the key"),
])
def test_keys_that_are_not_there(gate, words, says):
    done = audit(gate, *words, "-c", gate.config_file, stdin=b"secret")
    assert done.returncode == 2 and says in done.stderr.decode(), done
    assert done.stdout == b""


def test_a_kept_key_under_a_wrong_name_is_refused(gate):
    other = keys_of(gate) / "journal-hmac-01234567.key"
    other.write_bytes(b"k" * 32)
    other.chmod(0o600)
    done = audit(gate, "mask", "-c", gate.config_file, "--key-id", "01234567", stdin=b"secret")
    assert done.returncode == 2 and "not the one its name says" in done.stderr.decode()


def test_rotation_without_a_key(make_gate):
    gate = make_gate("http://127.0.0.1:1", start=False)
    done = audit(gate, "rotate-key", "-c", gate.config_file)
    assert done.returncode == 2 and done.stdout == b""
    assert not list(gate.directory.rglob("*.key")), "there is nothing to rotate, and nothing was made"


def test_rotations_at_the_same_time_lose_no_key(gate):
    words = [str(BUILD / "portcullis"), "audit", "rotate-key", "-c", str(gate.config_file)]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(8)]
    for process in running:
        process.communicate(timeout=60)
    done = sum(process.returncode == 0 for process in running)
    assert done >= 1
    kept = [path for path in keys_of(gate).glob("journal-hmac-*.key")]
    assert len(kept) == done
    assert all(path.name == f"journal-hmac-{key_id(path)}.key" for path in kept)
    assert sorted(path.name for path in keys_of(gate).iterdir() if "XXXXXX" in path.name) == []


def test_masks_while_the_key_changes(gate):
    """Many changes are masked while the key is rotated again and again: every mask is of a key that is kept."""
    for turn in range(5):
        assert audit(gate, "rotate-key", "-c", gate.config_file).returncode == 0
        gate.signal(1)
        masked_password(gate, f"turn-{turn}")
    keys = {key_id(path): path.read_bytes() for path in keys_of(gate).glob("journal-hmac*.key")}
    for intent in gate.exchanges("intent"):
        _, identity, digest = intent["body"]["data"]["attributes"]["credentials"]["password"].split(":")
        assert hmac.new(keys[identity], SECRET_PASSWORD.encode(), "sha256").hexdigest() == digest


# ---- policies ----

def records(gate, stage, count):
    """The gate's own records of a stage, once there are that many: nothing waits for them."""
    found = wait_until(lambda: len(those := [record for record in gate.journal() if record["stage"] == stage]) >= count and those,
                       what=f"{count} records of stage {stage}")
    assert len(found) == count, found
    return found


def policies(gate, count):
    return records(gate, "policy", count)


def test_the_first_policy(gate):
    [first] = policies(gate, 1)
    document = json.loads(gate.policy_file.read_text())
    assert first["cause"] == "start" and first["uid"] == gate_uid(gate)
    assert first["policy"] == "sha256:" + hashlib.sha256(gate.policy_file.read_bytes()).hexdigest()
    changes = first["changes"]
    assert changes["principals"]["gained"] == first["principals"] == len(document["principals"])
    assert len(changes["principals"]["gained_names"]) == min(16, len(document["principals"]))
    assert changes["tokens"] == {"gained": len(TOKENS), "lost": 0}
    assert changes["organizations"] == {"gained": 2, "lost": 0}
    assert changes["grants"] == {"gained": sum(len(part["grants"]) for part in document["organizations"].values()), "lost": 0}
    assert changes["audit"] == {"gained": 0, "lost": 0}


def gate_uid(gate):
    return pathlib.Path(f"/proc/{gate.process.pid}").stat().st_uid


def drop_principal(policy):
    del policy["principals"]["setter"]
    grants = policy["organizations"][PAYMENTS]["grants"]
    grants[:] = [grant for grant in grants if grant["principal"] != "setter"]
    return {"principals": {"gained": 0, "gained_names": [], "lost": 1, "lost_names": ["setter"]},
            "tokens": {"gained": 0, "lost": 1}, "grants": {"gained": 0, "lost": 1}}


def new_token(policy):
    policy["principals"]["setter"]["tokens"] = [world.digest("another-token-0123456789")]
    return {"tokens": {"gained": 1, "lost": 1}}


def moved_token(policy):
    principals = policy["principals"]
    principals["nobody"]["tokens"] += principals["viewer"]["tokens"]
    principals["viewer"]["tokens"] = []
    return {"tokens": {"gained": 1, "lost": 1}}


def wider_role(policy):
    policy["roles"]["viewer"].append("org.integration.create")
    return {"grants": {"gained": 2, "lost": 2}}  # of "viewer", in two organizations


def new_organization(policy):
    policy["organizations"]["33333333-2222-4333-8444-555555555555"] = {"grants": [{"principal": "nobody", "roles": ["viewer"]}]}
    return {"organizations": {"gained": 1, "lost": 0}, "grants": {"gained": 1, "lost": 0}}


def everywhere(policy):
    policy["organizations"]["*"]["grants"] = []
    return {"grants": {"gained": 0, "lost": 1}}


def other_level(policy):
    policy["audit"] = {"levels": {"createIntegration": "metadata", "getIntegration": "request"}}
    return {"audit": {"gained": 2, "lost": 0}}


def new_certificate(policy):
    """Its token is told, too: what it is good for alone has another reason now."""
    policy["principals"]["viewer"].update(certificates=["dns:viewer.example"], identity="either")
    return {"certificates": {"gained": 1, "lost": 0}, "tokens": {"gained": 1, "lost": 1}}


def oauth_tokens(policy):
    """An issuer, and whom its tokens name."""
    policy["oauth"] = {"issuer": "https://id.example", "audience": "gate", "keys": "keys.json"}
    policy["principals"]["viewer"]["subjects"] = ["one", "two"]
    return {"oauth": {"gained": 1, "lost": 0}, "subjects": {"gained": 2, "lost": 0}}


def only_words(policy):
    policy["description"] = "the same in other words"
    return {}


PARTS = ("audit", "break_glass", "certificates", "credentials", "grants", "oauth", "observed", "organizations", "people", "rate_limits", "rules",
         "settings", "subjects", "tokens")


@pytest.mark.parametrize("change", [drop_principal, new_token, moved_token, wider_role, new_organization, everywhere, other_level, new_certificate,
                                    oauth_tokens, only_words],
                         ids=lambda change: change.__name__)
def test_changes_are_told(gate, change):
    policy = json.loads(gate.policy_file.read_text())
    expected = change(policy)
    (gate.policy_file.parent / "keys.json").write_text(json.dumps(Issuer().jwks()))
    gate.write_policy(policy)
    gate.reload()
    first, second = policies(gate, 2)
    assert second["cause"] == "signal" and second["policy"] != first["policy"]
    nothing = {part: {"gained": 0, "lost": 0} for part in PARTS}
    nothing["principals"] = {"gained": 0, "gained_names": [], "lost": 0, "lost_names": []}
    assert second["changes"] == {**nothing, **expected}


def test_the_change_is_from_the_policy_before(gate):
    """Not from the first one: a principal that came and went is lost again."""
    policy = json.loads(gate.policy_file.read_text())
    policy["principals"]["guest"] = {"tokens": []}
    gate.write_policy(policy)
    gate.reload()
    del policy["principals"]["guest"]
    gate.write_policy(policy)
    gate.reload()
    assert [record["changes"]["principals"]["gained_names"] for record in policies(gate, 3)[1:]] == [["guest"], []]
    assert [record["changes"]["principals"]["lost_names"] for record in policies(gate, 3)[1:]] == [[], ["guest"]]
