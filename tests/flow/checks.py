"""What the flow tests hold answers and records against."""

import re
import uuid

import jsonschema

from processes import wait_until

# The API's own error document, as its description has it.
ERROR_DOCUMENT = {
    "type": "object",
    "required": ["jsonapi", "errors"],
    "additionalProperties": False,
    "properties": {
        "jsonapi": {"type": "object", "required": ["version"], "additionalProperties": False,
                    "properties": {"version": {"type": "string", "pattern": r"^(0|[1-9]\d*)\.(0|[1-9]\d*)$"}}},
        "errors": {"type": "array", "minItems": 1, "items": {
            "type": "object",
            "required": ["status", "detail"],
            "additionalProperties": False,
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "status": {"type": "string", "pattern": r"^[45]\d\d$"},
                "code": {"type": "string"},
                "title": {"type": "string"},
                "detail": {"type": "string", "minLength": 1},
                "source": {"type": "object", "additionalProperties": False, "minProperties": 1,
                           "properties": {"pointer": {"type": "string", "pattern": "^(/.*)?$"}, "parameter": {"type": "string"}}},
                "links": {"type": "object", "additionalProperties": False, "properties": {"about": {}}},
                "meta": {"type": "object"},
            }}},
    },
}
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")


def assert_error(answer, status, code):
    """The answer is an error document of that status and code. Returns its errors."""
    assert answer.status == status, answer
    assert answer.field("Content-Type") == "application/vnd.api+json", answer
    assert answer.field("Content-Length") == str(len(answer.body)), answer
    document = answer.json()
    jsonschema.validate(document, ERROR_DOCUMENT)
    for error in document["errors"]:
        assert error["status"] == str(status), document
        assert error["code"] == f"portcullis-{code}", document
        assert error["meta"]["request_id"] == request_id(answer), document
    return document["errors"]


def request_id(answer):
    """The request id of a refusal."""
    identity = answer.json()["errors"][0]["meta"]["request_id"]
    assert str(uuid.UUID(identity)) == identity
    return identity


def records_of(gate, identity, stages):
    """The journal's records of a request, once they have the stages expected; they may follow the answer by a moment. What the gate
    finds out later, in its own time, counts only where it is expected."""

    def found():
        records = [record for record in gate.journal() if record.get("request_id") == identity
                   and (record["stage"] != "reconciled" or "reconciled" in stages)]
        return len(records) >= len(stages) and records

    records = wait_until(found, what=f"the records {stages} of {identity} in the journal") if stages else found() or []
    assert [record["stage"] for record in records] == stages, records
    for record in records:
        assert TIME.match(record["time"]), record
    sequence = [record["seq"] for record in records]
    assert sequence == sorted(set(sequence)), records
    return records


def access_line(gate, identity):
    """The one line of the access log for a request."""

    def found():
        return [line for line in gate.access_log() if line["request_id"] == identity]

    lines = wait_until(found, what=f"{identity} in the access log")
    assert len(lines) == 1, lines
    assert TIME.match(lines[0]["time"]), lines
    return lines[0]


def last_access_line(gate, count):
    """The newest line once there are `count`."""
    return gate.access_log(count)[-1]


def fields_of(line, name):
    """The values of a field in a line of the sandbox's ledger."""
    return [value for known, value in line["headers"] if known.lower() == name.lower()]


def assert_sequence(records):
    """Sequence numbers are without gap and without repetition."""
    numbers = [record["seq"] for record in records]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), numbers
