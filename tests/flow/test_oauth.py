"""OAuth tokens over the real program: who comes in with one, what is forwarded and recorded, and that no part of one is written anywhere."""

import json
import time

import pytest
import world
from checks import assert_error, fields_of, records_of
from processes import wait_until
from tokens import Issuer, encode

OAUTH = {"issuer": Issuer.NAME, "audience": Issuer.AUDIENCE, "keys": "issuer.jwks.json"}


@pytest.fixture(scope="module")
def issuer():
    return Issuer()


def policy(**oauth):
    document = world.policy(oauth={**OAUTH, **oauth})
    document["principals"]["viewer"]["subjects"] = ["client-viewer"]
    document["principals"]["robot"] = {"subjects": ["client-robot", "client-robot-2"], "upstream_token": {"env": "GATE_KEY"}}
    document["organizations"][world.PAYMENTS]["grants"].append({"principal": "robot", "roles": ["editor"]})
    return document


@pytest.fixture
def gate(make_gate, sandbox, tmp_path, issuer):
    (tmp_path / "issuer.jwks.json").write_text(json.dumps(issuer.jwks()))
    return make_gate(sandbox, policy=policy(), environment={"GATE_KEY": "key-of-the-gate-0001"})


def ask(gate, token, scheme="Bearer", operation=world.READ):
    return gate.request(operation.method, operation.target, headers={"Authorization": f"{scheme} {token}"}, body=operation.body)


def refused(gate, token, words, scheme="Bearer"):
    [error] = assert_error(ask(gate, token, scheme), 401, "unauthenticated")
    assert words in error["detail"], error
    assert not any(part and part in json.dumps(error) for part in token.split(".")), error


def presented(sandbox):
    return [fields_of(line, "authorization") for line in sandbox.ledger()]


def nothing_is_written(gate, tokens):
    """Not even one part of a token: what is between the dots."""
    texts = [gate.access_file.read_text(), gate.stderr()]
    texts += [path.read_text(errors="replace") for path in gate.audit_directory.rglob("*") if path.is_file()]
    for token in tokens:
        for part in token.split("."):
            assert not part or all(part not in text for text in texts)


def test_each_algorithm(gate, sandbox, issuer):
    """The client's own token goes on where the gate holds no key, and the gate's key where it does."""
    tokens = [issuer.token("client-viewer", algorithm) for algorithm in issuer.keys]
    for token in tokens:
        for _ in range(2):  # verified, and remembered
            assert ask(gate, token).status == 200
    robot = issuer.token("client-robot-2")
    answer = ask(gate, robot, operation=world.UPDATE)
    assert answer.status == 200
    [intent, _] = records_of(gate, answer.field("portcullis-request-id"), ["intent", "outcome"])
    assert (intent["principal"], intent["rule"]) == ("robot", f"/organizations/{world.PAYMENTS}/grants/{len(world.GRANTS)}")
    assert presented(sandbox) == [[f"Bearer {token}"] for token in tokens for _ in range(2)] + [["Token key-of-the-gate-0001"]]
    assert sorted(line["principal"] for line in gate.access_log(7)) == ["robot"] + ["viewer"] * 6  # workers write as they come
    nothing_is_written(gate, [*tokens, robot])


def test_other_tokens_still_pass(gate):
    assert gate.request("GET", world.READ.target, world.TOKENS["viewer"]).status == 200


def test_bad_ones(gate, sandbox, issuer):
    now, stranger = int(time.time()), Issuer()
    good = issuer.token("client-viewer", "RS256")
    first, second, signature = good.split(".")
    unsigned = encode(json.dumps({"alg": "none", "kid": issuer.kid("RS256")}).encode())
    cases = [
        (stranger.token("client-viewer", "RS256"), "signature"),
        (f"{unsigned}.{second}.", '"alg"'),
        (f"{first}.{second}.", "signature"),
        (f"{first}.{encode(json.dumps({'sub': 'client-robot'}).encode())}.{signature}", "signature"),
        (issuer.token("client-viewer", header={"alg": "HS256"}), '"alg"'),
        (issuer.token("client-viewer", header={"crit": ["x"]}), '"crit"'),
        (issuer.token("client-viewer", header={"kid": "another"}), '"kid"'),
        (issuer.token("client-viewer", header={"typ": "logout+jwt"}), '"typ"'),
        (issuer.token("client-viewer", iss="https://issuer.example"), '"iss"'),
        (issuer.token("client-viewer", aud="https://other.example"), '"aud"'),
        (issuer.token("client-viewer", exp=None), '"exp"'),
        (issuer.token("client-viewer", exp=now - 3600), "expired: it was good until"),
        (issuer.token("client-viewer", nbf=now + 3600), "not good yet"),
        (issuer.token("client-nobody"), "`subjects`"),
        (issuer.token(None), "lacks the claim"),
    ]
    for token, words in cases:
        refused(gate, token, words)
    refused(gate, good, '"Authorization: Bearer <token>"', scheme="Token")
    assert sandbox.ledger() == []
    assert gate.exchanges() == []
    nothing_is_written(gate, [token for token, _ in cases])


def test_it_ends_though_it_is_remembered(gate, issuer):
    """Its time is looked at with every request, not only when it is verified: here it ends, the leeway of a minute included, while the gate
    remembers it."""
    token = issuer.token("client-viewer", exp=int(time.time()) - 57)
    assert ask(gate, token).status == 200
    wait_until(lambda: ask(gate, token).status == 401, what="the end of the token")
    refused(gate, token, "expired")


def test_another_claim(make_gate, sandbox, tmp_path, issuer):
    (tmp_path / "issuer.jwks.json").write_text(json.dumps(issuer.jwks()))
    gate = make_gate(sandbox, policy=policy(claim="client_id"), environment={"GATE_KEY": "x"})
    assert ask(gate, issuer.token("somebody", client_id="client-viewer")).status == 200
    refused(gate, issuer.token("client-viewer"), "lacks the claim")


def test_new_keys_after_sighup(gate, tmp_path, issuer):
    """What was remembered under the old keys is not known under the new ones; a set that is wrong changes nothing."""
    old, successor = issuer.token("client-viewer"), Issuer(generation=2)
    new = successor.token("client-viewer")
    assert ask(gate, old).status == 200
    refused(gate, new, '"kid"')
    (tmp_path / "issuer.jwks.json").write_text(json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "x"}]}))
    gate.reload()
    assert ask(gate, old).status == 200
    (tmp_path / "issuer.jwks.json").write_text(json.dumps(successor.jwks()))
    gate.reload()
    wait_until(lambda: ask(gate, new).status == 200, what="the new keys")
    refused(gate, old, '"kid"')


def test_a_policy_that_drops_a_subject(gate, issuer):
    token = issuer.token("client-robot")
    assert ask(gate, token).status == 200
    document = policy()
    document["principals"]["robot"]["subjects"] = ["client-robot-2"]
    gate.write_policy(document)
    gate.reload()
    wait_until(lambda: ask(gate, token).status == 401, what="the new policy")
    refused(gate, token, "`subjects`")


def test_without_oauth(make_gate, sandbox, issuer):
    gate = make_gate(sandbox)
    refused(gate, issuer.token("client-viewer"), "a digest in the policy cannot name them")
    assert sandbox.ledger() == []


def test_no_start_without_keys(make_gate, sandbox):
    gate = make_gate(sandbox, policy=policy(), environment={"GATE_KEY": "x"}, start=False)
    gate.launch()
    assert gate.wait() == 2
    gate.checked = True
    assert "/oauth/keys" in gate.stderr() and "issuer.jwks.json" in gate.stderr()
