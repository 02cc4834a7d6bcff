"""The records of journals, held against the published schema by a validator that is not ours."""

import json

import jsonschema

from processes import ROOT

SCHEMA = json.loads((ROOT / "conf" / "audit-record.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def faults_of(record):
    """What the schema has against it."""
    return [f"{fault.json_path}: {fault.message}" for fault in VALIDATOR.iter_errors(record)]


def shapes_of(gate):
    """One record of each shape (stage and names of members) that stands in a gate's journal. Lines that a test spoilt are none."""
    shapes = {}
    for segment in gate.segments():
        for line in segment.read_bytes().splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and "stage" in record:
                shapes[(record["stage"], *record)] = record
    return shapes.values()
