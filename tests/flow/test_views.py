"""What shows a policy from afar: matrix, diff and replay. No gate runs here but for the record that is replayed."""

import base64
import copy
import csv
import hashlib
import io
import json
import re
from pathlib import Path

import pytest

import world
from test_console import CONTRACT, run
from world import CREATE_BODY, ECR, PAYMENTS, SEARCH, TOKENS, VERSION, digest

LOCK = {"id": "prod-is-locked", "reason": "Ask first.", "operations": ["deleteIntegration"],
        "when": [{"at": "/integration/attributes/profile_name", "matches": "^prod-[a-z]+$"}], "deny": True}
BUDGET = {"id": "ten", "reason": "Slowly.", "operations": ["deleteIntegration"],
          "budget": {"requests": 10, "seconds": 3600, "each": "organization"}}


@pytest.fixture
def write(tmp_path):
    """write(name, policy): its path."""

    def make(name, policy):
        path = tmp_path / name
        path.write_text(json.dumps(policy))
        return path

    return make


def ruled(*rules, **changes):
    return world.policy(rules=list(rules), **changes)


def diff(write, old, new, status):
    done = run("diff", write("old.json", old), write("new.json", new), "--contract", CONTRACT, "--json", status=status)
    found = json.loads(done.out)
    assert found["gained"] + found["may_be_gained"] == 0 or status == 1
    return found


def senses(found):
    return {(change["sense"], change["what"]) for change in found["changes"]}


# matrix

def cells(write, policy, *arguments):
    done = run("matrix", "--policy", write("policy.json", policy), "--contract", CONTRACT, "--format", "json", *arguments)
    return {(cell["principal"], cell["organization"], cell["operation"]): cell for cell in json.loads(done.out)["cells"]}


def test_matrix_of_rules(write):
    found = cells(write, ruled(LOCK, {"id": "no-creates", "reason": "No.", "operations": ["createIntegration"], "deny": True}))
    assert len(found) == len(TOKENS) * 3 * 7
    assert found["editor", PAYMENTS, "getIntegration"]["verdict"] == "allowed"
    assert found["viewer", "*", "getIntegration"] == {
        "principal": "viewer", "organization": "*", "operation": "getIntegration", "verdict": "denied", "enforced": "denied",
        "by": "no-grant", "conditions": []}
    assert found["creator", PAYMENTS, "createIntegration"]["by"] == "/rules/1"
    locked = found["deleter", PAYMENTS, "deleteIntegration"]
    assert (locked["verdict"], locked["conditions"]) == ("conditional", [{"what": "deny", "rule": "/rules/0"}])


def test_matrix_observed(write):
    found = cells(write, world.policy(enforcement="observe"), "--principal", "viewer", "--operation", "deleteIntegration")
    assert {(cell["verdict"], cell["enforced"]) for cell in found.values()} == {("allowed", "denied")}


def test_matrix_csv_and_choice(write):
    done = run("matrix", "--policy", write("p.json", world.policy()), "--contract", CONTRACT, "--format", "csv",
               "--principal", "viewer", "--organization", SEARCH, "--organization", "*", "--operation", "getIntegration")
    rows = list(csv.DictReader(io.StringIO(done.out, newline="")))
    assert [(row["organization"], row["verdict"]) for row in rows] == [(SEARCH, "allowed"), ("*", "denied")]
    for option, value in [("--principal", "nobody-at-all"), ("--operation", "getIntegrations"), ("--organization", "payments")]:
        done = run("matrix", "--policy", write("p.json", world.policy()), "--contract", CONTRACT, option, value, status=2)
        assert value in done.err


def test_matrix_page_is_self_contained(write):
    hostile = "</script><img src=x onerror=alert(1)>&\"'"
    policy = world.policy()
    policy["principals"][hostile] = {"tokens": [digest("hostile")]}
    page = run("matrix", "--policy", write("p.json", policy), "--contract", CONTRACT, "--format", "html").out
    assert hostile not in page and "&#60;/script&#62;&#60;img" in page
    assert page.count("<script") == page.count("</script>") == 1
    assert not re.search(r"<[^>]*\s(src|href|on\w+)\s*=", page)
    # the policy of the page lets this style and this script run, and nothing else
    for tag in ("style", "script"):
        text = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.S).group(1)
        source = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{source}'" in page
    assert "default-src 'none'" in page


# diff

def test_the_same_differs_in_nothing(write):
    assert diff(write, ruled(LOCK, BUDGET), ruled(LOCK, BUDGET), 0)["changes"] == []


def changed(change):
    policy = copy.deepcopy(ruled(LOCK, BUDGET))
    change(policy)
    return policy


def in_rule(index, **members):
    return lambda policy: policy["rules"][index].update(members)


def grant(policy, **members):
    policy["organizations"][PAYMENTS]["grants"].append({"principal": "viewer", **members})


# What changes, the exit status, and what must be among what is told.
CHANGES = {
    "a grant": (lambda p: grant(p, permissions=["org.integration.delete"]), 1, ("gained", "cell")),
    "a denial": (lambda p: grant(p, deny=["org.integration.read"]), 0, ("lost", "cell")),
    "a grant in times to come": (lambda p: grant(p, permissions=["org.integration.delete"], not_before="2090-01-01T00:00:00Z"), 1,
                                 ("gained", "cell")),
    "an approver": (lambda p: grant(p, permissions=["portcullis.approve"]), 1, ("gained", "permission")),
    "a token more": (lambda p: p["principals"]["viewer"]["tokens"].append(digest("x")), 1, ("gained", "token")),
    "a token less": (lambda p: p["principals"]["viewer"].update(tokens=[]), 0, ("lost", "token")),
    "a token for a time": (lambda p: p["principals"]["viewer"].update(
        tokens=[{"digest": digest(TOKENS["viewer"]), "not_after": "2090-01-01T00:00:00Z"}]), 0, ("lost", "token")),
    "a certificate": (lambda p: p["principals"]["viewer"].update(certificates=["uri:spiffe://x/y"], identity="either"), 1,
                      ("gained", "certificate")),
    "an owner": (lambda p: p["principals"]["viewer"].update(owners=["editor"]), 1, ("may-be-gained", "owners")),
    "break-glass": (lambda p: p["principals"]["editor"].update(break_glass={"requests": 1, "seconds": 60}), 1,
                    ("gained", "break-glass")),
    "a rate limit": (lambda p: p["principals"]["editor"].update(rate_limit={"requests": 1, "seconds": 60}), 0,
                     ("lost", "rate limit")),
    "a key": (lambda p: p["organizations"][PAYMENTS].update(upstream_token={"env": "KEY"}), 1, ("may-be-gained", "credential")),
    "an older version": (lambda p: p["api_versions"].update(oldest="2024-01-01"), 1, ("gained", "versions")),
    "a newer version": (lambda p: p["api_versions"].update(oldest="2025-01-01"), 0, ("lost", "versions")),
    "another stability": (lambda p: p["api_versions"].update(stability=["ga"]), 0, ("lost", "versions")),
    "a level": (lambda p: p.update(audit={"levels": {"updateIntegration": "metadata"}}), 1, ("gained", "audit level")),
    "observing": (lambda p: p["organizations"][SEARCH].update(enforcement="observe"), 1, ("gained", "enforcement")),
    "a lock lifted": (lambda p: p["rules"].pop(0), 1, ("may-be-gained", "cell")),
    # it asks for the name no more, so that it does not keep the name from being changed any more, either
    "a lock without its condition": (lambda p: p["rules"][0].pop("when"), 1, ("lost", "cell")),
    "a lock made wider": (in_rule(0, when=[{"at": "/integration/attributes/profile_name", "exists": True}]), 0, ("lost", "cell")),
    "a lock made narrower": (in_rule(0, unless=[{"at": "/client", "within": ["10.0.0.0/8"]}]), 1, ("may-be-gained", "cell")),
    "another pattern": (in_rule(0, when=[{"at": "/integration/attributes/profile_name", "matches": "^prod"}]), 1,
                        ("may-be-gained", "cell")),
    "a budget raised": (in_rule(1, budget={"requests": 11, "seconds": 3600, "each": "organization"}), 1, ("may-be-gained", "cell")),
    "a budget lowered": (in_rule(1, budget={"requests": 9, "seconds": 3600, "each": "organization"}), 0, ("lost", "cell")),
    "a budget under another name": (in_rule(1, id="another"), 1, ("may-be-gained", "cell")),
    "a reason": (in_rule(0, reason="Another."), 0, ("changed", "rule")),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes(write, name):
    change, status, told = CHANGES[name]
    assert told in senses(diff(write, ruled(LOCK, BUDGET), changed(change), status))


def test_subjects_of_tokens(write):
    write("keys.json", {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "alg": "EdDSA",
                                  "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})

    def policy(*subjects):
        made = world.policy(oauth={"issuer": "https://id.example", "audience": "gate", "keys": "keys.json"})
        made["principals"]["viewer"]["subjects"] = ["one", *subjects]
        return made

    assert senses(diff(write, policy(), policy("two"), 1)) == {("gained", "subject")}
    assert senses(diff(write, policy("two"), policy(), 0)) == {("lost", "subject")}


def test_keys_of_tokens(write):
    """Compared by what is in the files, wherever they lie."""
    for name, x in (("one.json", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"), ("two.json", "3qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo0"),):
        write(name, {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "alg": "EdDSA", "x": x}]})

    def policy(keys):
        return world.policy(oauth={"issuer": "https://id.example", "audience": "gate", "keys": keys})

    assert senses(diff(write, policy("one.json"), policy("one.json"), 0)) == set()
    assert ("may-be-gained", "oauth-keys") in senses(diff(write, policy("one.json"), policy("two.json"), 1))
    assert ("may-be-gained", "oauth-keys") in senses(diff(write, policy("one.json"), policy("gone.json"), 1))


def test_a_witness_is_a_request_that_the_lock_refused(write, tmp_path):
    found = diff(write, ruled(LOCK), ruled(), 1)
    witness = next(change["witness"] for change in found["changes"] if change.get("operation") == "deleteIntegration"
                   and change["principal"] == "deleter")
    assert witness["integration"]["attributes"]["profile_name"].startswith("prod-")
    for name, verdict in (("old.json", "refuse"), ("new.json", "allow")):
        (tmp_path / "cases.json").write_text(json.dumps({
            "policy": name, "contract": CONTRACT,
            "cases": [{"name": "witness", **witness, "expect": {"verdict": verdict}}]}))
        run("test", tmp_path / "cases.json")


def test_another_contract(write, tmp_path):
    contract = json.loads(Path(CONTRACT).read_text(encoding="utf-8"))
    for path in contract["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict) and operation.get("operationId") == "deleteIntegration":
                operation["x-portcullis"] = {"permission": "org.integration.read", "effect": "update"}
    (tmp_path / "contract.json").write_text(json.dumps(contract))
    policy = write("p.json", world.policy())
    done = run("diff", policy, policy, "--old-contract", CONTRACT, "--new-contract", tmp_path / "contract.json", "--json", status=1)
    found = json.loads(done.out)
    assert ("may-be-gained", "contract") in senses(found)
    assert any(change["sense"] == "gained" and change.get("principal") == "viewer" and change["operation"] == "deleteIntegration"
               for change in found["changes"])


# replay

def record(stage, **members):
    return {"stage": stage, "time": "2026-11-23T12:00:00.000000Z", "client": "127.0.0.1", "request_id": "r", "policy": "p",
            "level": "request", "version": VERSION, **members}


def request(principal, method, operation, rest=f"/{ECR}", **members):
    return {"principal": principal, "method": method, "operation": operation, "organization": PAYMENTS,
            "target": f"/rest/orgs/{PAYMENTS}/integrations{rest}?version={VERSION}", "gate": "rules", "rule": "x", **members}


def replay(tmp_path, policy, lines, status):
    (tmp_path / "log").write_text("".join(json.dumps(line, separators=(",", ":"), sort_keys=True) + "\n" for line in lines))
    (tmp_path / "new.json").write_text(json.dumps(policy))
    done = run("replay", tmp_path / "log", "--policy", tmp_path / "new.json", "--contract", CONTRACT, "--json", status=status)
    return json.loads(done.out)


def test_replay(tmp_path):
    masked = copy.deepcopy(CREATE_BODY)
    path = f"/rest/orgs/{PAYMENTS}/integrations/{ECR}"
    prod = {"integration": {"attributes": {"profile_name": "prod-a"}}}
    lines = [
        record("segment", seq=1),
        record("intent", **request("deleter", "DELETE", "deleteIntegration", before=prod, credential="own", request_id="locked")),
        record("intent", **request("deleter", "DELETE", "deleteIntegration", before={"integration": {"attributes": {}}}, credential="own")),
        record("intent", **request("deleter", "DELETE", "deleteIntegration", credential="own")),  # no facts
        record("intent", **request("creator", "POST", "createIntegration", "", body=masked, credential="own")),
        record("intent", **request("creator", "POST", "createIntegration", "", level="metadata", credential="own")),
        record("refused", **request("viewer", "DELETE", "deleteIntegration", gate="permission", target=path, before=prod,
                                    detail="portcullis-forbidden")),
        record("refused", **request("nobody", "DELETE", "deleteIntegration", gate="permission", target=path, request_id="now",
                                    detail="portcullis-forbidden", before={"integration": {"attributes": {}}})),
        record("refused", **request("viewer", "DELETE", "deleteIntegration", gate="version", target=path)),
        record("refused", **request("viewer", "DELETE", "deleteIntegration", gate="journal", target=path)),
        {**record("x", verdict="pass", **request("gone", "GET", "getIntegration")), "stage": None},
        {**record("x", verdict="pass", **request("viewer", "GET", "getIntegration")), "stage": None},
        {**record("x", verdict="pass", **request("deleter", "DELETE", "deleteIntegration")), "stage": None},
    ]
    for line in lines:
        if line["stage"] is None:
            del line["stage"], line["level"]
    policy = ruled(LOCK)
    policy["organizations"][PAYMENTS]["grants"].append({"principal": "nobody", "permissions": ["org.integration.delete"]})
    found = replay(tmp_path, policy, lines, 1)
    assert [(change["now"], change["principal"], change["rule"]) for change in found["changes"]] == [
        ("refused", "deleter", "/rules/0"),
        ("allowed", "nobody", f"/organizations/{PAYMENTS}/grants/{len(policy['organizations'][PAYMENTS]['grants']) - 1}"),
        ("refused", "gone", "no-principal")]
    assert found["same"] == 4
    assert found["undecided"] == {"facts": 1, "body": 1, "not-as-it-came": 1, "not-by-policy": 1, "change-in-access-log": 1}
    assert found["by_principal"] == {"deleter": {"refused": 1, "approval": 0, "allowed": 0},
                                     "nobody": {"refused": 0, "approval": 0, "allowed": 1},
                                     "gone": {"refused": 1, "approval": 0, "allowed": 0}}
    assert found["by_organization"] == {PAYMENTS: {"refused": 2, "approval": 0, "allowed": 1}}


def test_replay_of_the_same_policy_changes_nothing(tmp_path):
    lines = [record("intent", **request("deleter", "DELETE", "deleteIntegration", credential="own"))] * 3
    found = replay(tmp_path, world.policy(), lines, 0)
    assert (found["same"], found["changes"], found["undecided"]) == (3, [], {})
    approval = {"id": "two", "reason": "Two.", "operations": ["deleteIntegration"],
                "require": {"approval": {"people": 1, "seconds": 3600}}}
    found = replay(tmp_path, ruled(approval), lines, 1)
    assert found["approval"] == 3


def test_replay_does_not_guess_what_a_header_field_said(tmp_path):
    """Refused then by a rule that is gone: whether the reason given would do now is not known; without one it would not."""
    why = {"id": "why", "reason": "Why.", "operations": ["deleteIntegration"], "require": {"reason": "^OPS-"}}

    def refused(code, **members):
        return record("refused", **request("deleter", "DELETE", "deleteIntegration", detail=code, **members))

    found = replay(tmp_path, ruled(why), [refused("portcullis-denied", reason="OPS-1 gone"), refused("portcullis-denied"),
                                          refused("portcullis-reason-required", reason="gone"), refused("portcullis-reason-required")], 0)
    assert (found["same"], found["undecided"]) == (1, {"headers": 3})


@pytest.mark.parametrize("damage", [b"garbage\n", b"\xff\x00\xfe\n", b'{"stage":"intent","method":"DE\n', b"[]\n", b'{"stage":"intent"}x\n'])
def test_replay_fails_where_lines_cannot_be_read(tmp_path, damage):
    """A job that sees status 0 would take a damaged journal for one in which nothing changes. What can be read is still told."""
    good = json.dumps(record("intent", **request("deleter", "DELETE", "deleteIntegration", credential="own")), separators=(",", ":"), sort_keys=True)
    (tmp_path / "log").write_bytes(good.encode() + b"\n" + damage + good.encode() + b"\n")
    (tmp_path / "policy.json").write_text(json.dumps(world.policy()))
    done = run("replay", tmp_path / "log", "--policy", tmp_path / "policy.json", "--contract", CONTRACT, "--json", status=2)
    found = json.loads(done.out)
    assert (found["same"], found["unreadable"]) == (2, 1) and "lines that are no records: 1;" in done.err, (found, done.err)
