"""The JSON Schema that editors use accepts the sample policy, and refuses what `portcullis check` refuses."""

import copy
import json
import pathlib

import jsonschema
import pytest

CONF = pathlib.Path(__file__).resolve().parents[2] / "conf"
SAMPLE = json.loads((CONF / "policy.json").read_text())
SCHEMA = json.loads((CONF / "policy.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
PAYMENTS = "11111111-2222-4333-8444-555555555555"


def test_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_sample_is_valid():
    VALIDATOR.validate(SAMPLE)


@pytest.mark.parametrize(
    "path, value",
    [
        (["principal"], {}),
        (["api_versions", "oldest"], "2024-02-30"),
        (["api_versions", "stability"], []),
        (["api_versions", "stability"], ["stable"]),
        (["api_versions", "headers"], ["no good"]),
        (["principals", "reader", "token"], []),
        (["principals", "reader", "owners"], []),
        (["principals", "reader", "subjects"], [""]),
        (["principals", "reader", "subjects"], ["a\nb"]),
        (["oauth"], {"issuer": "x", "audience": "y"}),
        (["oauth"], {"issuer": "x", "audience": "", "keys": "z"}),
        (["oauth"], {"issuer": "x", "audience": "y", "keys": "z", "leeway": 1}),
        (["principals", "reader", "owners"], "deployer"),
        (["principals", "reader", "break_glass"], None),
        (["principals", "reader", "break_glass"], {"requests": 1}),
        (["principals", "reader", "break_glass"], {"requests": 1, "seconds": 2678401}),
        (["principals", "reader", "tokens"], ["demo-reader-token"]),
        (["principals", "reader", "tokens"], [{"not_after": "2027-01-31T23:59:59Z"}]),
        (["principals", "reader", "tokens"], [{"digest": "sha256:" + 64 * "a", "not_after": "2027-01-31"}]),
        (["principals", "reader", "tokens"], [{"digest": "sha256:" + 64 * "a", "until": "2027-01-31T23:59:59Z"}]),
        (["principals", "reader", "upstream_token"], {"env": "A", "file": "b"}),
        (["principals", "reader", "upstream_token"], {}),
        (["principals", "reader", "upstream_token"], {"env": "1A"}),
        (["principals", ""], {}),
        (["roles", "viewer"], ["org.integration.write"]),
        (["organizations", "payments"], {}),
        (["organizations", PAYMENTS, "grants"], [{"principal": "reader"}]),
        (["organizations", PAYMENTS, "grants"], [{"principal": "reader", "roles": []}]),
        (["organizations", PAYMENTS, "grants"], [{"roles": ["viewer"]}]),
        (["organizations", PAYMENTS, "grants"], [{"principal": "reader", "roles": ["viewer"], "not_after": "tomorrow"}]),
        (["organizations", "*"], {"grants": [{"principal": "reader", "deny": ["everything"]}]}),
        (["reconcile", "upstream_token"], "secret"),
        (["reconcile", "settle_seconds"], 0),
        (["reconcile", "settle"], 1),
    ],
)
def test_schema_refuses(path, value):
    policy = copy.deepcopy(SAMPLE)
    place = policy
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(policy)
