"""No secret in any log, record or error: marked secrets are sent every way that can be thought of, and then looked for everywhere."""

import copy
import json

from world import CREATE, ECR, INTEGRATIONS, MARK, TOKENS, UPDATE, VERSION


def marked(number):
    return f"{MARK}{number:04d}"


def everything_written(gate):
    """All that the gate wrote: journal, access log, stderr."""
    texts = [gate.access_file.read_text(), gate.stderr()]
    texts += [path.read_text(errors="replace") for path in gate.audit_directory.rglob("*") if path.is_file()]
    return "\n".join(texts)


def test_secrets_are_nowhere(make_gate, sandbox):
    gate = make_gate(sandbox)
    create, update = CREATE.target, UPDATE.target
    answers = []

    def send(method, target, token, **more):
        answers.append(gate.request(method, target, token, **more))
        return answers[-1].status

    def created(name, credentials, **changes):
        body = {"data": {"type": "integration", "attributes": {"integration_type": "docker-hub", "profile_name": name,
                                                               "credentials": credentials}}}
        body["data"].update(changes)
        return body

    # Passed, refused by permission, refused by the contract, and not even JSON.
    assert send("POST", create, TOKENS["creator"], body=created("one", {"username": marked(1), "password": marked(2)})) == 201
    assert send("POST", create, TOKENS["viewer"], body=created("two", {"username": marked(3), "password": marked(4)})) == 403
    assert send("POST", create, TOKENS["creator"], body=created("three", {"username": "u", "password": [marked(5)]})) == 400
    assert send("POST", create, TOKENS["creator"], body=created("four", marked(6))) == 400
    assert send("POST", create, TOKENS["creator"], body=created("five", {"pass word": marked(7), "password": marked(8)})) == 400
    assert send("POST", create, TOKENS["creator"], body=created("six", {}, token=marked(9), apiToken=marked(10))) == 400
    assert send("POST", create, TOKENS["creator"], body={"password": marked(11), "data": {"secret": marked(12)}}) == 400
    assert send("POST", create, TOKENS["creator"], body=json.dumps(created("seven", {"password": marked(13)}))[:-3]) == 400
    assert send("POST", create, TOKENS["creator"], body=f'{{"password":"{marked(14)}","password":"{marked(15)}"}}') == 400
    assert send("PATCH", update, TOKENS["updater"], body={"data": {"attributes": {"credentials": {"role_arn": marked(16)}}}}) == 400
    assert send("PATCH", update, TOKENS["updater"],
                body={"data": {"attributes": {"credentials": {"role_arn": f"arn:aws:iam::123456789012:role/{marked(17)}"}}}}) == 200
    # As a member's name, by mistake or by design.
    assert send("PATCH", update, TOKENS["updater"], body={"data": {"attributes": {"credentials": {marked(28): "role_arn"}}}}) == 400
    assert send("POST", create, TOKENS["creator"],
                body=created("eight", {"username": "u", "password": "p", marked(29): {marked(30): 1}})) == 400
    # Tokens that are known, unknown, or in the wrong place.
    assert send("DELETE", update, marked(18)) == 401
    assert send("GET", update, None, headers={"Authorization": f"Basic {marked(19)}"}) == 401
    assert send("GET", update, None, headers={"Authorization": marked(20)}) == 401
    assert send("GET", update, None, headers={"X-Api-Key": marked(21)}) == 401
    assert send("GET", f"{INTEGRATIONS}/{ECR}?version={VERSION}&token={marked(22)}", TOKENS["viewer"]) == 400
    assert send("GET", f"{INTEGRATIONS}?version={VERSION}&starting_after={marked(23)}", TOKENS["viewer"]) == 400
    assert send("GET", update, TOKENS["viewer"], headers={"Portcullis-Token": marked(24)}) == 400
    assert send("GET", update, TOKENS["viewer"], headers={"Cookie": f"session={marked(25)}"}) == 200
    # The upstream's word on the same profile name, and a conflict of its own making.
    assert send("POST", create, TOKENS["creator"], body=created("one", {"username": marked(26), "password": marked(27)})) == 409

    gate.access_log(len(answers))
    gate.stop()
    # A token in the query is refused; names of unknown parameters may be shown, values not.
    for answer in answers:
        assert MARK not in answer.body.decode() or answer.status == 201, answer
        assert MARK not in str(answer.fields), answer
    written = everything_written(gate)
    at = written.find(MARK)
    assert at < 0, written[max(0, at - 400):at + 100]
    for name in ("creator", "viewer", "updater"):
        assert TOKENS[name] not in written
        assert not any(TOKENS[name] in answer.body.decode() for answer in answers)


def test_equal_secrets_have_equal_masks(gate):
    """The mask is keyed and tells equal from different, so that an auditor can say "the old password came back"."""
    def credentials_of(name, password):
        body = copy.deepcopy(CREATE.body)
        body["data"]["attributes"].update(profile_name=name, credentials={"username": "robot", "password": password})
        assert gate.request("POST", CREATE.target, TOKENS["creator"], body=body).status == 201
        return gate.exchanges("intent")[-1]["body"]["data"]["attributes"]["credentials"]

    first, second, third = credentials_of("a", "same"), credentials_of("b", "same"), credentials_of("c", "other")
    assert first == second != third
    for value in (first.values() if isinstance(first, dict) else [first]):
        kind, key, digest = value.split(":")
        assert (kind, len(key), len(digest)) == ("hmac-sha256", 8, 64)


def test_another_gate_has_another_key(make_gate, sandbox):
    def mask(gate, name):
        body = copy.deepcopy(CREATE.body)
        body["data"]["attributes"]["profile_name"] = name
        assert gate.request("POST", CREATE.target, TOKENS["creator"], body=body).status == 201
        return gate.exchanges("intent")[0]["body"]["data"]["attributes"]["credentials"]

    assert mask(make_gate(sandbox), "one") != mask(make_gate(sandbox), "two")


def test_names_are_shown(gate):
    """What is no secret is recorded as it is."""
    assert gate.request("PATCH", UPDATE.target, TOKENS["updater"], body=UPDATE.body).status == 200
    [intent] = gate.exchanges("intent")
    assert intent["body"]["data"]["attributes"]["profile_name"] == "renamed"


def test_files_are_private(gate):
    """Journal and keys are their owner's alone."""
    assert gate.request("PATCH", UPDATE.target, TOKENS["updater"], body=UPDATE.body).status == 200
    keys = gate.directory / gate.config["audit"]["keys"]
    for path in [gate.audit_directory, keys, *gate.segments(), *keys.iterdir()]:
        assert path.stat().st_mode & 0o077 == 0, path
