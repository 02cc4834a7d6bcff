"""Every line of a journal is what conf/audit-record.schema.json says, judged by a validator that is not ours; and the schema lets nothing else
pass."""

import copy
import json

import jsonschema
import pytest

import story
from records import SCHEMA, VALIDATOR, faults_of


def test_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_stages_of_the_story_are_those_of_the_schema():
    assert set(SCHEMA["properties"]["stage"]["enum"]) == story.STAGES | story.RESERVED
    told = [branch["if"]["properties"]["stage"] for branch in SCHEMA["allOf"]]
    assert {name for stage in told for name in stage.get("enum", [stage.get("const")])} == story.STAGES | story.RESERVED


def test_every_stage_is_valid(make_gate, sandbox):
    gate = story.tell(make_gate, sandbox)
    records = gate.journal()
    assert {record["stage"] for record in records} == story.STAGES
    for record in records:
        assert faults_of(record) == [], record
    assert_canonical(gate)
    assert_closed(records)


def assert_canonical(gate):
    """RFC 8785, as far as the values go: sorted, compact, nothing escaped that need not be."""
    for segment in gate.segments():
        for line in segment.read_bytes().splitlines():
            assert json.dumps(json.loads(line), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == line


def assert_closed(records):
    """The schema is no sieve: a member too many, a required one too few and a value of another kind are refused in every stage."""
    for record in {record["stage"]: record for record in records}.values():
        assert refused({**record, "token": "x"}), record["stage"]
        assert refused({**record, "seq": 0}), record["stage"]
        for name in record:
            assert refused({**record, name: [["not", 1]]}) or name in ("body", "answer"), (record["stage"], name)
        for name in ("prev", "seq", "stage", "time"):
            assert refused({key: value for key, value in record.items() if key != name}), (record["stage"], name)


def refused(record):
    return not VALIDATOR.is_valid(record)


BASE = {"prev": "0" * 64, "seq": 7, "time": "2026-01-31T23:59:59.123456Z"}
KEY = {**BASE, "stage": "key", "cause": "start", "key": "0123abcd", "uid": 0}
OUTCOME = {**BASE, "stage": "outcome", "client": "::1", "effect": "update", "gate": "body", "level": "request", "method": "PATCH",
           "operation": "o", "policy": "sha256:" + "a" * 64, "principal": "p", "request_id": "11111111-2222-4333-8444-555555555555",
           "sent": True, "status": 200, "target": "/rest"}


@pytest.mark.parametrize("record, changes, valid", [
    (KEY, {}, True),
    (KEY, {"cause": "signal"}, False),
    (KEY, {"cause": "signal", "key_before": "89abcdef"}, True),
    (KEY, {"key": "0123ABCD"}, False),
    (KEY, {"uid": -1}, False),
    (KEY, {"time": "2026-01-31T23:59:59Z"}, False),
    (KEY, {"stage": "approved"}, False),
    (OUTCOME, {}, True),
    (OUTCOME, {"effect": "read"}, False),
    (OUTCOME, {"result": "present"}, False),
    (OUTCOME, {"result": "unknown"}, True),
    (OUTCOME, {"answer": {}, "answer_bytes": 2}, False),
    (OUTCOME, {"answer": {}}, True),
    (OUTCOME, {"answer_digest": "hmac-sha256:01234567:" + "0" * 64}, False),
    (OUTCOME, {"answer_digest": "hmac-sha256:01234567:" + "0" * 64, "answer_bytes": 70000}, True),
    (OUTCOME, {"body": {}}, False),
    (OUTCOME, {"status": 200.5}, False),
    ({**OUTCOME, "stage": "read"}, {}, False),
    ({**OUTCOME, "stage": "read"}, {"effect": "read", "level": "metadata"}, True),
    ({**OUTCOME, "stage": "read"}, {"effect": "read", "level": "none"}, False),
    ({key: OUTCOME[key] for key in OUTCOME if key not in ("sent", "status")} | {"stage": "intent", "credential": "own"}, {}, True),
    ({key: OUTCOME[key] for key in OUTCOME if key not in ("sent", "status")} | {"stage": "intent", "credential": "own"},
     {"level": "metadata", "body": {}}, False),
])
def test_records(record, changes, valid):
    changed = {**copy.deepcopy(record), **changes}
    assert VALIDATOR.is_valid(changed) == valid, list(VALIDATOR.iter_errors(changed))


def test_an_approval():
    record = {"stage": "approval", "prev": "0" * 64, "seq": 7, "time": "2026-01-01T00:00:00.000000Z", "principal": "second",
              "approval": "11111111-2222-4333-8444-555555555555", "result": "given", "detail": "the registry moved",
              "claims": [{"claim": "give", "id": "11111111-2222-4333-8444-555555555555", "person": "second", "principal": "second"}]}
    assert not faults_of(record)
    for wrong in ({"principal": ""}, {"approval": "7"}, {"approver": "second"}, {"result": "used"}, {"claims": []}):
        assert faults_of({**record, **wrong}), wrong
