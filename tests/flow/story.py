"""A journal in which every stage stands: what a gate writes when all that can happen to it does."""

import json
import subprocess

import world
from processes import BUILD, wait_until
from world import CREATE, DELETE, READ, TOKENS, UPDATE

# Stages that the gate can write; conf/audit-record.schema.json has them too.
STAGES = {"intent", "outcome", "refused", "read", "reconciled", "unauthenticated", "policy", "key", "segment", "start", "stop",
          "recovered", "missed", "removed", "dry-run", "replayed", "state"}
RESERVED = {"approval", "breaker"}  # written where rules demand it; not part of the story
LEVELS = {"levels": {"getIntegration": "request-response", "listIntegrations": "metadata", "createIntegration": "request-response",
                     "updateIntegrationSettings": "metadata"}}


def audit(gate, *words, stdin=None):
    """portcullis audit …"""
    return subprocess.run([BUILD / "portcullis", "audit", *map(str, words)], input=stdin, capture_output=True, check=False,
                          env=gate.environment(), cwd=gate.directory, timeout=60)


def update(gate):
    return gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)


def tell(make_gate, sandbox):
    """A stopped gate whose journal holds every stage."""
    gate = make_gate(sandbox, policy=world.policy(audit=LEVELS), config={"audit": {"origin": "gate.example/story"}})
    remove_the_first_segment(gate)
    ask_for_everything(gate, sandbox)
    change_policy_and_key(gate)
    lose_a_segment_for_a_while(gate)
    gate.stop()
    gate.find_segment()
    return gate


def remove_the_first_segment(gate):
    """Its time has come: the gate keeps one day, and the names say that the segments are older."""
    gate.stop()
    gate.start()
    gate.stop()
    for segment in gate.segments():
        segment.rename(segment.with_name(f"{segment.name[:16]}-20200101T000000Z.jsonl"))
    gate.configure({"audit": {"keep_days": 1}})
    gate.start()
    wait_until(lambda: any(record["stage"] == "removed" for record in gate.journal()), what="the removal of the oldest segment")


def ask_for_everything(gate, sandbox):
    for operation in world.OPERATIONS:
        target = operation.target if operation is not DELETE else operation.target.replace(world.ECR, world.HUB)
        assert gate.request(operation.method, target, operation.token, body=operation.body).status < 300
    assert gate.request("DELETE", DELETE.target, TOKENS["viewer"]).status == 403
    assert gate.request("DELETE", DELETE.target, DELETE.token, headers={"Portcullis-Dry-Run": "?1"}).status == 200
    assert gate.request("POST", CREATE.target, CREATE.token, body={"data": 1}).status == 400
    repeated = [gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body, headers={"Idempotency-Key": "the first one"}) for _ in range(2)]
    assert [got.field("portcullis-replay-of") is None for got in repeated] == [True, False]
    assert gate.request("GET", READ.target, TOKENS["nobody"]).status == 403
    assert gate.request("GET", READ.target, "nobody's-token").status == 401
    sandbox.fault({"close": "after-read", "effect": False}, match={"method": "PATCH"})
    assert update(gate).status == 502  # no credential to look with: reconciled as unknown
    wait_until(lambda: gate.exchanges("reconciled"), what="the gate's word on what it cannot know")


def change_policy_and_key(gate):
    policy = json.loads(gate.policy_file.read_text())
    del policy["principals"]["setter"]
    grants = policy["organizations"][world.PAYMENTS]["grants"]
    grants[:] = [grant for grant in grants if grant["principal"] != "setter"]
    gate.write_policy(policy)
    assert audit(gate, "rotate-key", "-c", gate.config_file).returncode == 0
    assert gate.reload()["detail"].startswith("in force")


def lose_a_segment_for_a_while(gate):
    """Mutations are refused then, and what cannot be recorded is counted."""
    segment = gate.segments()[-1]
    hidden = gate.directory / segment.name
    segment.rename(hidden)
    gate.find_segment = lambda: hidden.rename(segment)
    wait_until(lambda: update(gate).status == 503, what="the end of the journal")
    wait_until(lambda: update(gate).status == 200, what="recovery")
