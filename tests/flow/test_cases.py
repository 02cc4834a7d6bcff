"""`portcullis test`: files of cases, strictly read and judged as the gate judges."""

import json
import subprocess
import xml.etree.ElementTree as ElementTree

import jsonschema
import pytest

import world
from processes import BUILD, ROOT
from test_console import CONTRACT, run
from world import CREATE, CREATE_BODY, DELETE, OPERATIONS, PAYMENTS, READ, SEARCH, SECRET_PASSWORD, TOKENS

SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "conf" / "cases.schema.json").read_text()), format_checker=jsonschema.FormatChecker())
# What a schema cannot know, or is not worth the words.
UNKNOWN_TO_SCHEMA = {"/cases/1", "/cases/1/principal", "/cases/1/token", "/cases/1/time", "/cases/1/request/headers/A B", "/cases/1/request/headers/A",
                     "/cases/1/request/headers/authorization", "/cases/1/expect/status", "/cases/1/expect/obligations"}


@pytest.fixture
def suite(tmp_path):
    """suite(cases, policy=…, **members): writes a file of cases and its policy, and returns its path."""

    def write(cases, policy=None, name="cases.json", **members):
        (tmp_path / "policy.json").write_text(json.dumps(policy or world.policy()))
        document = {"policy": "policy.json", "contract": CONTRACT, "cases": cases, **members}
        (tmp_path / name).write_text(json.dumps(document, indent=1))
        return tmp_path / name

    return write


def case(operation=READ, principal="viewer", expect=None, **members):
    request = {"method": operation.method, "target": operation.target, **({"body": operation.body} if operation.body else {})}
    document = {"name": "a case", "principal": principal, "request": request, "expect": expect or {"verdict": "allow"}, **members}
    return {name: value for name, value in document.items() if value != "absent"}


def judged(*arguments, status=0):
    done = run("test", "--json", *arguments, status=status)
    assert done.err == ""
    return json.loads(done.out)


def test_all_as_expected(suite):
    cases = [case(operation, next(name for name, token in TOKENS.items() if token == operation.token),
                  {"verdict": "allow", "gate": "rules", "obligations": ["journal"] if operation.mutation else []}) for operation in OPERATIONS]
    path = suite(cases)
    result = judged(path)
    assert [(found["case"], found["passed"], found["verdict"]) for found in result["cases"]] == [(i, True, "allow") for i in range(len(OPERATIONS))]
    assert (result["passed"], result["failed"]) == (len(OPERATIONS), 0)
    SCHEMA.validate(json.loads(path.read_text()))
    assert run("test", path).out.endswith(f"{len(OPERATIONS)} cases: {len(OPERATIONS)} passed, 0 failed\n")


def test_a_refusal(suite):
    expect = {"verdict": "refuse", "gate": "permission", "status": 403, "code": "portcullis-forbidden", "rule": "not-granted"}
    [found] = judged(suite([case(DELETE, expect=expect)]))["cases"]
    assert found["passed"] and {name: found[name] for name in expect} == expect


@pytest.mark.parametrize("operation, principal, expect, differences", [
    (READ, "viewer", {"verdict": "refuse"}, [("verdict", "refuse", "allow")]),
    (DELETE, "viewer", {"verdict": "allow"}, [("verdict", "allow", "refuse")]),
    (DELETE, "viewer", {"verdict": "refuse", "gate": "body"}, [("gate", "body", "permission")]),
    (DELETE, "viewer", {"verdict": "refuse", "rule": "no-grant"}, [("rule", "no-grant", "not-granted")]),
    (DELETE, "viewer", {"verdict": "refuse", "status": 404}, [("status", "404", "403")]),
    (DELETE, "viewer", {"verdict": "refuse", "code": "x"}, [("code", "x", "portcullis-forbidden")]),
    (DELETE, "deleter", {"verdict": "allow", "obligations": []}, [("obligations", "", "journal")]),
    (READ, "viewer", {"verdict": "allow", "obligations": ["journal"]}, [("obligations", "journal", "")]),
    (READ, "viewer", {"verdict": "allow", "would_refuse": "x"}, [("would_refuse", "x", "")]),
])
def test_what_is_not_as_expected(suite, operation, principal, expect, differences):
    path = suite([case(), case(operation, principal, expect)])
    result = judged(path, status=1)
    found = result["cases"][1]
    assert (found["passed"], result["passed"], result["failed"]) == (False, 1, 1)
    assert [tuple(difference.values()) for difference in found["differences"]] == differences
    out = run("test", path, status=1).out
    [line] = [line for line in out.splitlines() if ": failed: a case" in line]
    number = int(line.removeprefix(f"{path}:").split(":")[0])
    assert "{" in path.read_text().splitlines()[number - 1]
    assert "2 cases: 1 passed, 1 failed" in out


def test_by_what_is_shown(suite):
    shown = [({"token": TOKENS["viewer"]}, "allow"), ({"token": "somebody-elses-token"}, "refuse"), ({"principal": None}, "refuse"),
             ({"certificate": ["dns:viewer.example"]}, "refuse")]
    cases = [case(principal="absent", expect={"verdict": verdict}) | show for show, verdict in shown]
    result = judged(suite(cases))
    assert [found["status"] for found in result["cases"]] == [None, 401, 401, 401]
    assert "somebody-elses-token" not in json.dumps(result)


def test_a_certificate(suite):
    policy = world.policy()
    policy["principals"]["viewer"]|= {"certificates": ["uri:spiffe://example/viewer"], "identity": "both"}
    policy["organizations"]["*"]["upstream_token"] = {"env": "PORTCULLIS_TEST_UNSET"}
    both = case(principal="absent", certificate=["dns:other.example", "uri:spiffe://example/viewer"], token=TOKENS["viewer"])
    assert judged(suite([both], policy))["failed"] == 0


def test_headers_are_those_of_the_request(suite):
    cases = [case(CREATE, "creator", {"verdict": "refuse", "status": 415}), case(READ, expect={"verdict": "refuse", "gate": "version"})]
    cases[0]["request"]["headers"] = {"content-type": "text/plain"}
    cases[1]["request"]["headers"] = {"X-Snyk-Version": "2025-01-01"}
    assert judged(suite(cases))["failed"] == 0


def test_a_body_is_judged_and_not_shown(suite):
    wrong = case(CREATE, "creator", {"verdict": "refuse", "gate": "body"})
    wrong["request"]["body"] = {**CREATE_BODY, "x": 1}
    done = run("test", "--json", suite([wrong]))
    assert SECRET_PASSWORD not in done.out


# Strict reading.

@pytest.mark.parametrize("change, pointer, message", [
    ({"principle": "x"}, "/cases/1/principle", 'did you mean "principal"?'),
    ({"principal": "veiwer"}, "/cases/1/principal", 'no principal "veiwer"; did you mean "viewer"?'),
    ({"principal": 7}, "/cases/1/principal", "name of a principal"),
    ({"principal": "absent"}, "/cases/1", "needs a `principal`"),
    ({"token": "x"}, "/cases/1", "needs a `principal`"),
    ({"principal": "absent", "token": "a b"}, "/cases/1/token", "the token"),
    ({"principal": "absent", "certificate": ["viewer"]}, "/cases/1/certificate/0", ""),
    ({"principal": "absent", "certificate": "viewer"}, "/cases/1/certificate", "must be an array"),
    ({"name": 7}, "/cases/1/name", "must be a string"),
    ({"time": "yesterday"}, "/cases/1/time", "must be a moment"),
    ({"time": "2026-01-31"}, "/cases/1/time", "must be a moment"),
    ({"time": "90s"}, "/cases/1/time", "must be a moment"),
    ({"time": "2026-01-31T12:00:00+01:00"}, "/cases/1/time", "must be a moment"),
    ({"time": "2026-02-31T12:00:00Z"}, "/cases/1/time", "must be a moment"),
    ({"time": "2026-01-31T12:00:00.5Z"}, "/cases/1/time", "must be a moment"),
    ({"integration": 7}, "/cases/1/integration", 'must be an object, or "unknown"'),
    ({"integration": {"attribute": {}}}, "/cases/1/integration/attribute", 'did you mean "attributes"?'),
    ({"integration": {"attributes": []}}, "/cases/1/integration/attributes", "must be an object"),
    ({"integration": {"settings": "none"}}, "/cases/1/integration/settings", "must be an object"),
    ({"radius": 3}, "/cases/1/radius", "must be an object"),
    ({"radius": {"targets": -1}}, "/cases/1/radius/targets", "whole number"),
    ({"radius": {"projects": 1.5}}, "/cases/1/radius/projects", "whole number"),
    ({"radius": {"projcts": 1}}, "/cases/1/radius/projcts", 'did you mean "projects"?'),
    ({"request": "absent"}, "/cases/1", "request is missing"),
    ({"request": []}, "/cases/1/request", "must be an object"),
    ({"request": {"method": "GET"}}, "/cases/1/request", "target is missing"),
    ({"request": {"target": "/"}}, "/cases/1/request", "method is missing"),
    ({"request": {"method": "GET", "target": "/", "bdy": 1}}, "/cases/1/request/bdy", 'did you mean "body"?'),
    ({"request": {"method": "GET", "target": "/", "client": "localhost"}}, "/cases/1/request/client", "address"),
    ({"request": {"method": "GET", "target": "/", "headers": {"A B": "x"}}}, "/cases/1/request/headers/A B", "header field has a name"),
    ({"request": {"method": "GET", "target": "/", "headers": {"A": "x\ny"}}}, "/cases/1/request/headers/A", "control character"),
    ({"request": {"method": "GET", "target": "/", "headers": {"A": 1}}}, "/cases/1/request/headers/A", "must be a string"),
    ({"request": {"method": "GET", "target": "/", "headers": {"authorization": "Token x"}}}, "/cases/1/request/headers/authorization",
     "by `principal`, `token` or `certificate`"),
    ({"request": {"method": "GET", "target": "/", "headers": {f"A{i}": "x" for i in range(65)}}}, "/cases/1/request/headers", "more than 64"),
    ({"expect": "absent"}, "/cases/1", "expect is missing"),
    ({"expect": {"gate": "body"}}, "/cases/1/expect", "verdict is missing"),
    ({"expect": {"verdict": "alow"}}, "/cases/1/expect/verdict", 'did you mean "allow"?'),
    ({"expect": {"verdict": "refuse", "statsu": 403}}, "/cases/1/expect/statsu", 'did you mean "status"?'),
    ({"expect": {"verdict": "refuse", "status": "403"}}, "/cases/1/expect/status", "400 to 599"),
    ({"expect": {"verdict": "refuse", "status": 200}}, "/cases/1/expect/status", "400 to 599"),
    ({"expect": {"verdict": "allow", "status": 403}}, "/cases/1/expect/status", '"refuse" only'),
    ({"expect": {"verdict": "refuse", "obligations": []}}, "/cases/1/expect/obligations", '"allow" only'),
    ({"expect": {"verdict": "allow", "obligations": "journal"}}, "/cases/1/expect/obligations", "must be an array"),
    ({"expect": {"verdict": "allow", "obligations": [1]}}, "/cases/1/expect/obligations/0", "must be a string"),
])
def test_an_error_has_its_place(suite, change, pointer, message):
    path = suite([case(), case(**change)])
    done = run("test", path, status=2)
    [line] = done.err.splitlines()
    assert pointer in UNKNOWN_TO_SCHEMA or not SCHEMA.is_valid(json.loads(path.read_text()))
    assert done.out == "" and line.startswith(f"{path}:") and line.endswith(f" ({pointer})") and message in line
    number, column = map(int, line.removeprefix(f"{path}:").split(":")[:2])
    last = pointer.rpartition("/")[2]
    assert path.read_text().splitlines()[number - 1][column - 1:].startswith("{" if last == "1" else "" if last == "0" else f'"{last}"')


def test_every_error_at_once(suite, tmp_path):
    path = suite([case(principal=1), case(expect={"gate": "x"})], polcy="x")
    (tmp_path / "other.json").write_text('{"cases": {}}')
    done = run("test", path, tmp_path / "other.json", status=2)
    assert done.err.count("error: ") == 4


@pytest.mark.parametrize("document, message", [("[]", "object"), ("{", "in the middle"), ('{"cases": 7}', "must be an array"), ("{}", "cases is missing")])
def test_a_file_that_is_none(tmp_path, document, message):
    (tmp_path / "cases.json").write_text(document)
    assert message in run("test", tmp_path / "cases.json", status=2).err
    assert "No such file" in run("test", tmp_path / "none.json", status=2).err


def test_rules(suite):
    """By what is known of the integration; rules are named by their ids and count into the coverage."""
    rules = [{"id": "lock", "reason": "because", "when": [{"at": "/integration/attributes/profile_name", "matches": "^prod-"}], "deny": True},
             {"id": "few", "reason": "because", "operations": ["deleteIntegration"], "budget": {"requests": 1, "seconds": 60, "each": "gate"}},
             {"id": "big", "reason": "because", "operations": ["deleteIntegration"], "when": [{"at": "/radius/targets", "above": 20}], "deny": True},
             {"id": "never", "reason": "because", "when": [{"at": "/time", "during": [{"before": "2000-01-01T00:00:00Z"}]}], "deny": True}]
    def named(name):
        return {"attributes": {"profile_name": name}}

    allowed, locked = {"verdict": "allow", "obligations": ["budget:few", "journal"]}, {"verdict": "refuse", "gate": "rules", "rule": "lock"}
    few = {"targets": 3, "projects": 4}
    cases = [case(DELETE, "deleter", allowed, integration=named("test-1"), radius=few),
             case(DELETE, "deleter", locked, integration=named("prod-1"), radius=few),
             case(DELETE, "deleter", locked, integration="unknown", radius=few), case(DELETE, "deleter", locked, radius=few),
             case(DELETE, "deleter", locked | {"rule": "big", "code": "portcullis-denied"}, integration=named("x"), radius={"targets": 21}),
             case(DELETE, "deleter", locked | {"rule": "big"}, integration=named("x"), radius={"targets": "unknown"})]
    result = judged(suite(cases, world.policy(rules=rules)))
    assert result["coverage"][0]["rules"] == {"all": 4, "decisive": 3, "never": ["never"]}
    observed = case(DELETE, "deleter", {"verdict": "allow", "would_refuse": "lock"}, integration=named("prod-1"), radius=few)
    assert judged(suite([observed], world.policy(rules=rules, enforcement="observe")))["failed"] == 0


# The table.

def row(principal="viewer", organization=PAYMENTS, operations=None, **members):
    return {"principal": principal, "organization": organization, "operations": operations or {"listIntegrations": "allow"}, **members}


def test_a_table(suite):
    reads = {"listIntegrations": "allow", "getIntegration": "allow", "deleteIntegration": "refuse"}
    elsewhere = "99999999-9999-4999-8999-999999999999"
    path = suite([], table=[row(operations=reads), row("everywhere", elsewhere, {"deleteIntegration": "allow"}),
                            row("everywhere", "*", {"deleteIntegration": "allow"}), row("viewer", elsewhere, {"getIntegration": "refuse"}),
                            row("undeleter", operations={"deleteIntegration": "refuse"})])
    SCHEMA.validate(json.loads(path.read_text()))
    result = judged(path)
    assert [(cell["row"], cell["operation"], cell["verdict"]) for cell in result["table"]] == [
        (0, "listIntegrations", "allow"), (0, "getIntegration", "allow"), (0, "deleteIntegration", "refuse"), (1, "deleteIntegration", "allow"),
        (2, "deleteIntegration", "allow"), (3, "getIntegration", "refuse"), (4, "deleteIntegration", "refuse")]
    assert all(cell["passed"] for cell in result["table"]) and (result["passed"], result["failed"]) == (7, 0)
    [coverage] = result["coverage"]
    assert coverage["grants"]["decisive"] == 3  # of viewer, everywhere and undeleter


def test_a_table_that_is_wrong(suite, tmp_path):
    path = suite([case()], table=[row(), row(operations={"deleteIntegration": "conditional", "listIntegrations": "allow"})])
    result = judged(path, "--junit", tmp_path / "report.xml", status=1)
    assert [cell["passed"] for cell in result["table"]] == [True, False, True]
    assert result["table"][1]["differences"] == [{"member": "verdict", "expected": "conditional", "found": "refuse"}]
    lines = run("test", path, status=1).out.splitlines()
    at = next(at for at, line in enumerate(lines) if ": failed: " in line)
    assert lines[at].endswith(f": failed: deleteIntegration: viewer in {PAYMENTS}")
    assert lines[at + 1:at + 3] == ["  verdict: expected conditional, found refuse", "  by not-granted"]
    number = int(lines[at].removeprefix(f"{path}:").split(":")[0])
    assert '"deleteIntegration": "conditional"' in path.read_text().splitlines()[number - 1]
    report = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert [test.attrib["name"] for test in report][1:] == [f"{name}: viewer in {PAYMENTS}" for name in
                                                             ("listIntegrations", "deleteIntegration", "listIntegrations")]


@pytest.mark.parametrize("wrong, pointer, message", [
    (7, "", "must be an object"),
    (row(principal=7), "/principal", "must be a string"),
    (row(principal="veiwer"), "/principal", 'did you mean "viewer"?'),
    (row(organization="payments"), "/organization", "must be a UUID"),
    (row(operations={"x": "allow"}), "/operations/x", 'the contract has no operation "x"'),
    (row(operations={"deleteIntegratoin": "allow"}), "/operations/deleteIntegratoin", 'did you mean "deleteIntegration"?'),
    (row(operations={"deleteIntegration": "alow"}), "/operations/deleteIntegration", 'did you mean "allow"?'),
    (row(operations={"deleteIntegration": True}), "/operations/deleteIntegration", '"conditional"'),
    (row(operations=[1]), "/operations", "an object of operationIds"),
    (row(prinicpal="x"), "/prinicpal", 'did you mean "principal"?'),
    ({"principal": "viewer", "organization": PAYMENTS}, "", "needs operations"),
    ({"principal": "viewer", "operations": {"listIntegrations": "allow"}}, "", "organization is missing"),
])
def test_an_error_of_a_table(suite, wrong, pointer, message):
    path = suite([], table=[row(), wrong])
    [line] = run("test", path, status=2).err.splitlines()
    assert line.endswith(f" (/table/1{pointer})") and message in line
    assert "must be an array" in run("test", suite([], table={}), status=2).err


# Which policy and contract.

def test_the_policy_that_is_meant(suite, tmp_path):
    """The option goes before the file's own, and that before the configuration's."""
    path = suite([case()], policy=world.policy(organizations={}))
    assert judged(path, status=1)["failed"] == 1
    (tmp_path / "good.json").write_text(json.dumps(world.policy()))
    assert judged(path, "--policy", tmp_path / "good.json")["failed"] == 0
    bare = tmp_path / "bare.json"
    bare.write_text(json.dumps({"cases": [case()]}))
    done = run("test", bare, status=2)
    assert done.err.startswith(f"{bare}:1:1: error: names no policy")
    assert "names no contract" in run("test", bare, "--policy", tmp_path / "good.json", status=2).err
    (tmp_path / "portcullis.json").write_text(json.dumps({"policy": "good.json", "contract": CONTRACT}))
    assert judged("-c", tmp_path / "portcullis.json", bare)["failed"] == 0
    assert judged("-c", tmp_path / "portcullis.json", path, status=1)["failed"] == 1


def test_a_policy_with_errors(suite):
    done = run("test", suite([case()], policy={"x": 1}), suite([case()], policy={"x": 1}, name="again.json"), status=2)
    assert done.out == "" and done.err.count('unknown member "x"') == 1


def test_limits_of_the_configuration(suite, tmp_path):
    (tmp_path / "portcullis.json").write_text(json.dumps({"policy": "policy.json", "contract": CONTRACT, "limits": {"target_bytes": 256}}))
    long = case(expect={"verdict": "refuse", "gate": "limits", "status": 414, "rule": "limits.target_bytes"})
    long["request"]["target"] = "/" + "x" * 300
    path = suite([long])
    assert judged("-c", tmp_path / "portcullis.json", path)["failed"] == 0
    assert judged(path, status=1)["cases"][0]["status"] == 404


# Output.

def test_coverage(suite):
    policy = world.policy(organizations={
        PAYMENTS: {"name": "p", "grants": [{"principal": "viewer", "roles": ["viewer"]},
                                           {"principal": "editor", "roles": ["editor"], "deny": ["org.integration.delete"]},
                                           {"principal": "viewer", "permissions": ["org.integration.read"]}]},
        "*": {"grants": [{"principal": "everywhere", "roles": ["editor"]}]}})
    refused = {"verdict": "refuse"}
    path = suite([case(), case(DELETE, "editor", refused), case(DELETE, "viewer", refused)], policy)
    [coverage] = judged(path)["coverage"]
    never = [f"/organizations/{PAYMENTS}/grants/2", "/organizations/*/grants/0"]
    assert coverage["grants"] == {"all": 4, "decisive": 2, "never": never} and coverage["percent"] == 50
    out = run("test", path).out
    assert all(f"never decisive: {pointer}\n" in out for pointer in never) and "50% covered: 0 of 0 rules and 2 of 4 grants" in out
    assert run("test", "--min-coverage", "50", path)
    assert "less than the 51% asked for" in run("test", "--min-coverage", "51", path, status=1).out
    elsewhere = case(READ, "everywhere")
    elsewhere["request"]["target"] = elsewhere["request"]["target"].replace(PAYMENTS, SEARCH)
    [coverage] = judged(suite([case(), elsewhere], policy))["coverage"]
    assert coverage["grants"]["never"] == [f"/organizations/{PAYMENTS}/grants/{i}" for i in (1, 2)]


def test_junit(suite, tmp_path):
    path = suite([case(name="fine"), case(DELETE, name='a <b> & "c" \x01\uffff', expect={"verdict": "allow"}), case(name="absent")])
    run("test", "--junit", tmp_path / "report.xml", path, status=1)
    report = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert (report.tag, report.attrib["tests"], report.attrib["failures"]) == ("testsuite", "3", "1")
    assert [test.attrib["name"] for test in report] == ["fine", 'a <b> & "c" ??', "case 2"]
    [failure] = report.iter("failure")
    assert failure.text.strip() == "verdict: expected allow, found refuse"
    assert "cannot write" in run("test", "--junit", tmp_path / "none" / "report.xml", path, status=2).err


def test_print(suite):
    """Cases that expect nothing are only said what becomes of; one that does is still held to it."""
    path = suite([case(expect="absent"), case(DELETE, expect="absent")])
    result = judged("--print", path)
    assert [(found["passed"], found["verdict"]) for found in result["cases"]] == [(None, "allow"), (None, "refuse")]
    assert judged("--print", suite([case(DELETE)]), status=1)["failed"] == 1
    assert "usage" in run("test", "--print", path, status=2).err


def test_many_cases(suite):
    """More than fits into one piece of output."""
    path = suite([case(READ, ["viewer", "nobody"][i % 2], {"verdict": ["allow", "refuse"][i % 2]}, name=f"case {i}") for i in range(6000)])
    result = judged(path)
    assert [found["name"] for found in result["cases"]] == [f"case {i}" for i in range(6000)] and result["failed"] == 0


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--min-coverage", "101", "x"], ["--min-coverage", "-1", "x"], ["--min-coverage", "x", "x"],
                                       ["--frobnicate", "x"]])
def test_usage(arguments):
    assert "usage: portcullis test" in run("test", *arguments, status=2).err


def test_output_that_cannot_be_written(suite):
    path = suite([case(name=f"case {i}") for i in range(6000)])
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(BUILD / "portcullis"), "test", "--json", path], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 2 and b"stdout" in done.stderr
