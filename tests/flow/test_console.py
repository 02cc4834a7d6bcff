"""The commands that need no running gate: check, explain, token, and what all of them say about themselves."""

import hashlib
import json
import os
import pty
import re
import subprocess

import pytest

import world
from processes import BUILD, ROOT
from world import CREATE, CREATE_BODY, DELETE, ECR, OPERATIONS, PAYMENTS, READ, SEARCH, SECRET_PASSWORD, TOKENS, UPDATE, VERSION, digest

CONTRACT = str(ROOT / "conf" / "integrations.openapi.json")
COMMANDS = ["serve", "check", "explain", "test", "matrix", "diff", "replay", "token", "manifest", "approve", "breaker", "audit"]


def run(*arguments, stdin="", status=0, environment=None, cwd=None):
    """Runs portcullis; what it left behind, when it ended with that status."""
    done = subprocess.run([str(BUILD / "portcullis"), *map(str, arguments)], input=stdin if isinstance(stdin, bytes) else stdin.encode(),
                          capture_output=True, timeout=60, check=False, cwd=cwd or ROOT, env={**os.environ, **(environment or {})})
    done.out, done.err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == status, (done.returncode, done.out, done.err)
    return done


@pytest.fixture
def make_config(tmp_path):
    """make_config(policy=…, **settings): writes a configuration and its policy, and returns its path."""

    def make(policy=None, **settings):
        document = {"contract": CONTRACT, "policy": "policy.json", **settings}
        document.setdefault("approvals", {"listen": "127.0.0.1:8082"})
        (tmp_path / "policy.json").write_text(policy if isinstance(policy, str) else json.dumps(policy or world.policy(), indent=1))
        (tmp_path / "portcullis.json").write_text(json.dumps(document, indent=1))
        return tmp_path / "portcullis.json"

    return make


def quiet_policy():
    """One that nothing is to be said about."""
    grants = [{"principal": name, "roles": ["viewer"]} for name in ("viewer", "held")]
    return world.policy(principals={name: {"tokens": [digest(TOKENS[name])]} for name in ("viewer", "held")},
                        roles={"viewer": ["org.integration.read"]},
                        organizations={PAYMENTS: {"name": "payments", "grants": grants}}, reconcile={"upstream_token": None})


def explain(config, *arguments, **options):
    """The judgement as JSON."""
    done = run("explain", "-c", config, *arguments, "--json", **options)
    assert done.err == ""
    return json.loads(done.out)


def states(judgement):
    return {gate["gate"]: gate["state"] for gate in judgement["gates"]}


# What the program says of itself.

def test_version():
    assert re.fullmatch(r"portcullis \d[0-9.]*\n", run("--version").out)


def test_help_lists_every_command():
    out = run("--help").out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("  portcullis ")] == COMMANDS
    assert run("-h").out == out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command):
    done = run(command, "--help")
    assert done.out.startswith(f"usage: portcullis {command} ")
    assert done.err == ""


@pytest.mark.parametrize("command", ["serve", "check"])
def test_help_lists_every_setting(command):
    out = run(command, "--help").out
    sample = json.loads((ROOT / "conf" / "portcullis.json").read_text())
    for name, value in sample.items():
        for setting in [f"{name}.{member}" for member in value] if isinstance(value, dict) else [name]:
            assert name == "$schema" or re.search(rf"^  {re.escape(setting)} ", out, re.MULTILINE), setting


@pytest.mark.parametrize("arguments", [
    [], ["frobnicate"], ["check"], ["check", "-c"], ["check", "--frobnicate"], ["check", "-c", "x", "y"],
    ["explain", "-c", "x", "GET", "/"], ["explain", "-c", "x", "GET", "--principal", "p"],
    ["explain", "-c", "x", "GET", "/", "--principal", "p", "--token-stdin"],
    ["explain", "-c", "x", "POST", "/", "--token-stdin", "--body", "-"],
    ["explain", "GET", "/", "--principal", "p"], ["token", "secret-as-argument"], ["token", "--frobnicate"], ["serve"],
])
def test_usage(arguments):
    done = run(*arguments, status=2)
    assert done.out == ""
    assert "usage: portcullis" in done.err


def test_output_that_cannot_be_written_is_not_success():
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(BUILD / "portcullis"), "--version"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 2
    assert b"stdout" in done.stderr


# check

def test_check_the_sample_that_is_shipped():
    done = run("check", "-c", "conf/portcullis.json")
    assert re.fullmatch(r"conf/portcullis\.json: ok, 7 operations, \d+ principals, \d+ organisations\n", done.out)
    assert done.err == ""


def test_check_counts(make_config):
    config = make_config(quiet_policy())
    assert run("check", "-c", config).out == f"{config}: ok, 7 operations, 2 principals, 1 organisation\n"
    assert ": ok, " in run("check", "-c", make_config(world.policy())).out


def test_check_shows_everything_at_once(make_config, tmp_path):
    policy = quiet_policy()
    policy["principals"]["viewer"]["tokens"] = ["viewer-token"]
    policy["organizations"][PAYMENTS]["grants"][0]["roles"] = ["vewer"]
    (tmp_path / "contract.json").write_text('{"openapi": "3.0.3", "paths": 7}')
    config = make_config(policy, contract="contract.json", workers=-1, listen=["localhost:80"], polcy="x",
                         upstream={"url": "https://u:p@h/x", "queu": 1})
    done = run("check", "-c", config, status=1)
    assert done.out == ""
    errors = [line for line in done.err.splitlines() if ": error: " in line]
    assert all(re.match(r"[^:]+:\d+:\d+: error: .", line) for line in errors), errors
    files = [line.split(":")[0] for line in errors]
    assert files.count(f"{tmp_path}/portcullis.json") == 5
    assert files.count(f"{tmp_path}/contract.json") >= 1
    assert files.count(f"{tmp_path}/policy.json") == 2
    assert 'did you mean "policy"' in done.err
    assert 'did you mean "queue"' in done.err
    assert "(/principals/viewer/tokens/0)" in done.err
    assert "viewer-token" not in done.err


def test_check_without_a_policy(make_config):
    config = make_config()
    config.write_text(json.dumps({"contract": CONTRACT}))
    assert run("check", "-c", config, status=1).err == f"{config}:1:1: error: policy is missing\n"


@pytest.mark.parametrize("missing", ["portcullis.json", "policy.json"])
def test_check_a_missing_file(make_config, missing):
    config = make_config()
    (config.parent / missing).unlink()
    done = run("check", "-c", config, status=1)
    assert done.err == f"{config.parent / missing}: error: cannot read it: No such file or directory\n"


def test_check_names_files_as_the_reader_would(make_config):
    config = make_config("{")
    assert run("check", "-c", "portcullis.json", status=1, cwd=config.parent).err.startswith("policy.json:1:")


def test_check_json(make_config):
    assert json.loads(run("check", "-c", make_config(quiet_policy()), "--json").out) == []
    done = run("check", "--json", "-c", make_config(quiet_policy(), workers="two"), status=1)
    assert done.err == ""
    [problem] = json.loads(done.out)
    assert problem == {"severity": "error", "code": None, "file": problem["file"], "line": 4, "column": 2, "pointer": "/workers",
                       "message": "workers must be a whole number"}


def test_check_only_warns_of_credentials(make_config, tmp_path):
    policy = quiet_policy()
    policy["principals"]["held"]["upstream_token"] = {"env": "PORTCULLIS_TEST_UNSET"}
    policy["principals"]["viewer"]["upstream_token"] = {"file": "upstream.key"}
    (tmp_path / "upstream.key").write_text("s3cret s3cret\n")
    done = run("check", "-c", make_config(policy))
    assert done.out.endswith(", 3 warnings\n")  # the third: the file is open to everybody
    assert "environment variable PORTCULLIS_TEST_UNSET is not set" in done.err
    assert "credential file upstream.key must be one line" in done.err
    assert "s3cret" not in done.err


def test_check_warns_of_unknown_ends(make_config, tmp_path):
    """Without a key to look with; once, and only where something can be changed at all."""
    policy = quiet_policy()
    del policy["reconcile"]
    done = run("check", "-c", make_config(policy))
    assert done.out.endswith(", 1 warning\n")
    assert done.err.startswith(f"{tmp_path}/policy.json: warning: no reconcile.upstream_token: ")
    contract = json.loads((ROOT / "conf" / "integrations.openapi.json").read_text())
    for path in contract["paths"].values():
        for method in ("post", "patch", "delete"):
            path.pop(method, None)
    (tmp_path / "reading.openapi.json").write_text(json.dumps(contract))
    assert run("check", "-c", make_config(policy, contract="reading.openapi.json")).err == ""
    policy["reconcile"] = {"upstream_token": {"env": "PORTCULLIS_TEST_READER"}}
    assert run("check", "-c", make_config(policy), environment={"PORTCULLIS_TEST_READER": "reader"}).err == ""
    assert "PORTCULLIS_TEST_READER is not set (/reconcile/upstream_token)" in run("check", "-c", make_config(policy)).err


def test_check_warns_of_clear_text(make_config):
    done = run("check", "-c", make_config(quiet_policy(), listen=["0.0.0.0:8080"], upstream={"url": "http://api.example"}))
    assert done.err.count("warning: ") == 2


# Each kind of warning that `check` looks for, of a policy that has it: what is changed in quiet_policy(), and where the warning stands.

MAKER = {"tokens": [digest("maker-token-0123456789")]}
PEOPLE = {name: {"tokens": [digest(name + "-token-0123456789")]} for name in ("ann", "bob")}


def edit(policy, principals=None, grants=(), **members):
    """The quiet policy with more of these."""
    policy["principals"] |= principals or {}
    policy["organizations"][PAYMENTS]["grants"] += grants
    policy |= members
    return policy


def ruled(*rules, approvers=(), owners=()):
    """One with rules, and somebody who may change what they are about."""
    grants = [{"principal": "maker", "permissions": ["org.integration.update", "org.integration.delete"]}]
    grants += [{"principal": name, "permissions": ["portcullis.approve"]} for name in approvers]
    principals = {"maker": MAKER | ({"owners": list(owners)} if owners else {})} | {name: PEOPLE[name] for name in approvers}
    policy = edit(quiet_policy(), principals, grants, rules=[{"id": f"rule-{i}", "reason": "because"} | rule for i, rule in enumerate(rules)])
    policy["organizations"][SEARCH] = {"name": "search", "grants": [{"principal": "maker", "permissions": ["org.integration.update"]}]
                                       + [{"principal": name, "permissions": ["portcullis.approve"]} for name in approvers]}
    return policy


NAMED, PAST = {"at": "/integration/attributes/profile_name"}, "2020-01-01T00:00:00Z"
BUDGET = {"budget": {"requests": 10, "seconds": 3600, "each": "organization"}}
BREAKER = {"requests": 10, "seconds": 3600, "until": "reset"}


def everywhere(*rules, **more):
    """The same, where "ann" may approve in all organisations."""
    policy = ruled(*rules, approvers=("ann",), **more)
    policy["organizations"]["*"] = {"grants": [{"principal": "ann", "permissions": ["portcullis.approve"]}]}
    return policy


WARNED = [
    ("edit-everywhere", lambda: edit(quiet_policy(), {"maker": MAKER}) | {"organizations": quiet_policy()["organizations"] | {
        "*": {"grants": [{"principal": "maker", "permissions": ["org.integration.update"]}]}}}, "/organizations/*/grants/0"),
    ("unused-principal", lambda: edit(quiet_policy(), {"maker": MAKER}), "/principals/maker"),
    ("unreachable-principal", lambda: edit(quiet_policy(), {"maker": {}}, [{"principal": "maker", "roles": ["viewer"]}]), "/principals/maker"),
    ("unused-role", lambda: edit(quiet_policy(), roles=quiet_policy()["roles"] | {"maker": ["org.integration.edit"]}), "/roles/maker"),
    ("not-enforced", lambda: edit(quiet_policy(), enforcement="observe"), "/enforcement"),
    ("break-glass-without-grant", lambda: edit(quiet_policy(), {"viewer": {**quiet_policy()["principals"]["viewer"],
                                                                           "break_glass": {"requests": 1, "seconds": 60}}}),
     "/principals/viewer/break_glass"),
    ("freeze-without-break-glass", lambda: ruled({"require": {"break_glass": True}}), "/rules/0"),
    ("rule-never-applies", lambda: ruled({"deny": True, "operations": ["createIntegration"]}), "/rules/0"),
    ("rule-never-applies", lambda: ruled({"deny": True, "operations": ["deleteIntegration"], "organizations": [SEARCH]}), "/rules/0"),
    ("rule-never-applies", lambda: ruled({"deny": True, "principals": ["viewer"]}), "/rules/0"),
    ("rule-shadowed", lambda: ruled({"deny": True, "operations": ["deleteIntegration"]},
                                    {"require": {"reason": "x"}, "operations": ["deleteIntegration"], "principals": ["maker"]}), "/rules/1"),
    ("rule-shadowed", lambda: ruled({"deny": True, "principals": ["maker"]}, {"deny": True, "principals": ["maker"]}), "/rules/1"),
    ("approval-impossible", lambda: ruled({"require": {"approval": {"people": 1, "seconds": 60}}}), "/rules/0"),
    ("approval-impossible", lambda: ruled({"require": {"approval": {"people": 2, "seconds": 60}}}, approvers=("ann",)), "/rules/0"),
    ("approval-impossible", lambda: ruled({"require": {"approval": {"people": 2, "seconds": 60}}}, approvers=("ann", "bob"), owners=["bob"]),
     "/rules/0"),
    ("breaker-impossible", lambda: ruled({"budget": {**BREAKER, "each": "organization"}, "principals": ["maker"]}), "/rules/0"),
    ("breaker-impossible", lambda: ruled({"budget": {**BREAKER, "each": "gate"}, "principals": ["maker"]}, approvers=("ann",)), "/rules/0"),
    ("breaker-impossible", lambda: everywhere({"budget": {**BREAKER, "each": "principal"}}, owners=["ann"]), "/rules/0"),
    ("budget-shared", lambda: ruled(BUDGET), "/rules/0"),
    ("budget-shared", lambda: ruled(BUDGET, {"budget": {"requests": 5, "seconds": 3599, "each": "principal"}}), "/rules/0"),
    ("budget-shared", lambda: ruled(BUDGET, {"budget": {"requests": 10, "seconds": 3600, "each": "principal"}}), "/rules/0"),
    ("budget-shared", lambda: ruled(BUDGET, {"budget": {"requests": 5, "seconds": 3600, "each": "principal"}, "operations": ["deleteIntegration"]}),
     "/rules/0"),
    ("pattern-blows-up", lambda: edit(quiet_policy(), api_versions={"pattern": "^([0-9]+-?)*$"}), "/api_versions/pattern"),
    ("pattern-blows-up", lambda: ruled({"deny": True, "when": [{"at": "/version", "equals": "2024-10-15"}, NAMED | {"matches": "(a+)+$"}]}),
     "/rules/0/when/1/matches"),
    ("pattern-blows-up", lambda: ruled({"deny": True, "unless": [NAMED | {"matches": "(.*)*x"}]}), "/rules/0/unless/0/matches"),
    ("pattern-blows-up", lambda: ruled({"require": {"reason": "^(\\w+\\s?)*$"}}), "/rules/0/require/reason"),
    ("time-is-over", lambda: ruled({"deny": True, "when": [{"at": "/time", "during": [{"before": PAST}, {"days": ["mon"], "before": PAST}]}]}),
     "/rules/0/when/0/during"),
    ("time-is-over", lambda: ruled({"deny": True, "unless": [{"at": "/time", "during": [{"before": PAST}]}]}), "/rules/0/unless/0/during"),
]
DEMANDED = {"approval-impossible", "breaker-impossible", "budget-shared"}
RIGHT = [
    lambda: ruled({"budget": {**BREAKER, "each": "organization"}, "principals": ["maker"]}, approvers=("ann",)),
    lambda: everywhere({"budget": {**BREAKER, "each": "gate"}, "principals": ["maker"]}),
    lambda: everywhere({"budget": {**BREAKER, "each": "principal"}, "principals": ["maker"]}),
    lambda: ruled({"deny": True, "when": [NAMED | {"matches": "^(?:[a-z]+-)*prod$"}]}, {"require": {"reason": "^[A-Z]+-[0-9]+: .{10,}$"}}),
    lambda: ruled({"deny": True, "when": [{"at": "/time", "during": [{"before": PAST}, {"days": ["mon"]}]}]}),
    lambda: ruled({"require": {"approval": {"people": 2, "seconds": 60}}}, approvers=("ann", "bob")),
    lambda: ruled({"require": {"approval": {"people": 1, "seconds": 60}}}, approvers=("ann", "bob"), owners=["bob"]),
    lambda: ruled(BUDGET, {"budget": {"requests": 5, "seconds": 3600, "each": "principal"}}),
    lambda: ruled(BUDGET | {"principals": ["maker"]}),
    lambda: ruled({"deny": True, "when": [{"at": "/client", "within": ["10.0.0.0/8"]}]}, {"require": {"reason": "x"}}),
    lambda: ruled({"deny": True, "operations": ["updateIntegration"]}, {"require": {"reason": "x"}}),
    lambda: ruled({"deny": True, "organizations": [SEARCH]}, {"deny": True}),
]


@pytest.mark.parametrize("code, policy, pointer", WARNED, ids=[f"{row[0]}-{i}" for i, row in enumerate(WARNED)])
def test_check_warns(make_config, code, policy, pointer):
    """Of that and of nothing else; --strict makes it fail, and some do anyway."""
    config, fails = make_config(policy()), code in DEMANDED
    [problem] = json.loads(run("check", "-c", config, "--json", status=int(fails)).out)
    assert (problem["severity"], problem["code"], problem["pointer"]) == ("error" if fails else "warning", code, pointer)
    assert problem["line"] > 1 and problem["column"] > 1
    done = run("check", "-c", config, status=int(fails))
    assert done.out == "" if fails else done.out.endswith(", 1 warning\n")
    assert f" [{code}] ({pointer})\n" in done.err
    assert run("check", "--strict", "-c", config, status=1).out == ""


@pytest.mark.parametrize("rule, what", [({"require": {"approval": {"people": 1, "seconds": 60}}}, "give the approval that it demands"),
                                        ({"budget": {**BREAKER, "each": "gate"}, "principals": ["maker"]}, "open it again once it has tripped")])
def test_people_have_nowhere_to_go(make_config, make_gate, sandbox, rule, what):
    """`check` says it, and so does the gate when it starts: once, at the first such rule."""
    policy = everywhere({"require": {"reason": "x"}}, rule, {**rule, "id": "another"})
    assert "nobody can" not in run("check", "-c", make_config(policy)).err
    [problem] = json.loads(run("check", "-c", make_config(policy, approvals={"listen": None}), "--json").out)
    assert (problem["severity"], problem["pointer"]) == ("warning", "/rules/1") and problem["line"] > 1
    assert problem["message"].startswith(f"nobody can {what}: the configuration has no approvals.listen")
    assert f"nobody can {what}" in make_gate(sandbox, policy=policy).stderr()


@pytest.mark.parametrize("policy", [quiet_policy, *RIGHT])
def test_check_strict_of_what_is_right(make_config, policy):
    assert ": ok, " in run("check", "--strict", "-c", make_config(policy())).out


def test_check_suggests_a_permission(make_config, tmp_path):
    policy = quiet_policy()
    policy["roles"]["viewer"] = ["org.integration.raed"]
    policy["organizations"][PAYMENTS]["grants"][0] |= {"permissions": ["org.integrations.edit"], "deny": ["portcullis.aprove"]}
    err = run("check", "-c", make_config(policy), status=1).err
    for wrong, right in (("raed", "org.integration.read"), ("integrations.edit", "org.integration.edit"), ("aprove", "portcullis.approve")):
        assert re.search(rf"policy.json:\d+:\d+: error: unknown permission \"[a-z.]*{wrong}\"; did you mean \"{right}\"\? \(/", err), err


def test_every_kind_of_warning_is_tested():
    kinds = re.findall(r"^  ([a-z-]+)  +\S", run("check", "--help").out.split("Kinds of what")[1].split("Settings of")[0], re.MULTILINE)
    assert len(kinds) > 3 and set(kinds) == {row[0] for row in WARNED}


# explain

@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_explain_a_pass(make_config, tmp_path, operation):
    principal = next(name for name, token in TOKENS.items() if token == operation.token)
    arguments = [operation.method, operation.target, "--principal", principal]
    if operation.body is not None:
        (tmp_path / "body.json").write_text(json.dumps(operation.body))
        arguments += ["--body", tmp_path / "body.json"]
    judgement = explain(make_config(), *arguments)
    assert judgement["verdict"] == "pass"
    assert judgement["operation"] == operation.id
    assert judgement["principal"] == principal
    assert judgement["organization"] == PAYMENTS
    assert judgement["resource"] == operation.resource
    assert judgement["version"] == VERSION
    assert set(states(judgement).values()) == {"passed"}
    assert judgement["forward"]["method"] == operation.method
    assert judgement["forward"]["target"] == operation.target
    assert judgement["forward"]["credential"] is None
    assert judgement["forward"]["obligations"] == (["journal"] if operation.mutation else [])
    assert (judgement["forward"]["body"] is None) == (operation.body is None)


def test_explain_says_what_became_of_each_rule(make_config, tmp_path):
    """Whether it applies, is met, or what kept it out: its scope, or the first condition that did."""
    monday, tuesday = "2026-07-06T12:00:00Z", "2026-07-07T12:00:00Z"
    delete = {"operations": ["deleteIntegration"]}
    config = make_config(ruled(
        {"deny": True, "operations": ["createIntegration"]},
        {"deny": True, "organizations": [SEARCH]},
        {"deny": True, "principals": ["viewer"]},
        delete | {"deny": True, "when": [{"at": "/version", "matches": "^20"}, {"at": "/time", "during": [{"days": ["mon"]}]}]},
        delete | {"deny": True, "unless": [{"at": "/version", "equals": "x"}, {"at": "/client", "within": ["10.0.0.0/8"]}]},
        delete | {"require": {"reason": "^OPS-[0-9]+$"}},
        delete | {"deny": True, "when": [NAMED | {"matches": "^prod-"}]}))
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps({"integration": {"attributes": {"profile_name": "sandbox"}}}))
    arguments = ["DELETE", DELETE.target, "--principal", "maker", "--header", "Portcullis-Reason: OPS-12"]
    there = [*arguments, "--client", "10.1.2.3", "--facts", facts]

    def became(*options, status=0):
        judgement = json.loads(run("explain", "-c", config, *options, "--json", status=status).out)
        return [(rule["outcome"], rule["by"], rule["at"]) for rule in judgement["rules"]]

    tue = became(*there, "--time", tuesday)
    assert tue == [("kept out", "/rules/0/operations", None), ("kept out", "/rules/1/organizations", None),
                   ("kept out", "/rules/2/principals", None), ("kept out", "/rules/3/when/1", "/time"),
                   ("kept out", "/rules/4/unless/1", "/client"), ("met", None, None),
                   ("kept out", "/rules/6/when/0", "/integration/attributes/profile_name")]
    applies = ("applies", None, None)
    assert became(*there, "--time", monday, status=1) == tue[:3] + [applies] + tue[4:]
    assert became(*arguments, "--time", tuesday, status=1) == tue[:4] + [applies, tue[5], applies]  # what is not known applies
    text = run("explain", "-c", config, *there, "--time", monday, status=1).out
    assert re.search(r"^rule rule-3 +applies +deny$", text, re.MULTILINE)
    assert re.search(r"^rule rule-4 +kept out +/rules/4/unless/1 looks at /client$", text, re.MULTILINE)
    (tmp_path / "body.json").write_text(json.dumps(UPDATE.body))
    update = ["PATCH", UPDATE.target, "--principal", "maker", "--body", tmp_path / "body.json", "--facts", facts]
    facts.write_text(json.dumps({"integration": {"attributes": UPDATE.body["data"]["attributes"]}}))
    assert became(*update)[6] == ("kept out", "/rules/6/operations", "/body/data/attributes/profile_name")  # the name stays
    assert became("DELETE", DELETE.target, "--principal", "viewer", status=1) == []  # the gate of rules was not asked
    for option, value in (("--client", "example.com"), ("--client", "10.0.0.0/8"), ("--time", "noon"), ("--time", "2026-02-30T00:00:00Z")):
        assert value in run("explain", "-c", config, *arguments, option, value, status=2).err


def test_explain_says_what_is_forwarded(make_config):
    target = f"HTTP://127.0.0.1:8080/rest/orgs/{PAYMENTS.upper()}/integrations/{ECR.replace('a', '%61')}?version={VERSION}"
    judgement = explain(make_config(), "GET", target, "--principal", "viewer")
    assert judgement["forward"]["target"] == READ.target


def test_explain_a_refusal(make_config):
    judgement = explain(make_config(), "DELETE", DELETE.target, "--principal", "viewer", status=1)
    assert judgement["verdict"] == "refuse"
    assert judgement["gate"] == "permission"
    assert states(judgement) == {"spelling": "passed", "operation": "passed", "identity": "passed", "version": "passed",
                                 "parameters": "passed", "permission": "refused", "body": "not reached", "rules": "not reached"}
    assert judgement["refusal"]["status"] == 403
    assert judgement["refusal"]["code"] == "portcullis-forbidden"
    assert judgement["refusal"]["meta"] == {"permission": "org.integration.delete", "organization": PAYMENTS, "principal": "viewer"}
    assert "forward" not in judgement


def test_explain_for_a_person(make_config):
    config = make_config()
    done = run("explain", "-c", config, "DELETE", DELETE.target, "--principal", "undeleter", status=1)
    assert re.search(r"^permission +refused ", done.out, re.MULTILINE)
    assert "refused: 403 portcullis-forbidden" in done.out
    assert "permission: org.integration.delete" in done.out
    assert "decided by: permission" in done.out
    done = run("explain", "-c", config, "DELETE", DELETE.target, "--principal", "deleter")
    assert f"DELETE {DELETE.target}" in done.out
    assert "the client's own token" in done.out
    assert "audit journal" in done.out


@pytest.mark.parametrize("as_json", [False, True])
def test_explain_shows_no_secret(make_config, as_json):
    done = run("explain", "-c", make_config(), "POST", CREATE.target, "--principal", "creator", "--body", "-", *["--json"] * as_json,
               stdin=json.dumps(CREATE_BODY))
    assert SECRET_PASSWORD not in done.out + done.err
    assert "(secret)" in done.out
    assert "new one" in done.out


def test_explain_lists_every_error_of_a_body(make_config):
    body = json.loads(json.dumps(CREATE_BODY))
    body["data"]["type"] = "integrations"
    body["data"]["attributes"]["profil_name"] = body["data"]["attributes"].pop("profile_name")
    judgement = explain(make_config(), "POST", CREATE.target, "--principal", "creator", "--body", "-", stdin=json.dumps(body), status=1)
    assert judgement["refusal"]["status"] == 400
    pointers = {error["pointer"] for error in judgement["refusal"]["errors"]}
    assert {"/data/type", "/data/attributes/profil_name"} <= pointers
    assert SECRET_PASSWORD not in json.dumps(judgement)


def test_explain_by_token(make_config):
    config = make_config()
    judgement = explain(config, "GET", READ.target, "--token-stdin", stdin=TOKENS["viewer"] + "\n")
    assert (judgement["verdict"], judgement["principal"]) == ("pass", "viewer")
    judgement = explain(config, "GET", READ.target, "--token-stdin", stdin="somebody-else-entirely", status=1)
    assert (judgement["refusal"]["status"], judgement["gate"], judgement["principal"]) == (401, "identity", None)
    assert "somebody-else-entirely" not in json.dumps(judgement)
    for stdin in ["", "two words", "x" * 5000]:
        done = run("explain", "-c", config, "GET", READ.target, "--token-stdin", stdin=stdin, status=2)
        assert "the token on stdin" in done.err


def test_explain_headers(make_config):
    config = make_config()
    bare = READ.target.partition("?")[0]
    judgement = explain(config, "GET", bare, "--principal", "viewer", "--header", f"Snyk-Version:  {VERSION} ")
    assert judgement["forward"]["target"] == READ.target
    judgement = explain(config, "GET", READ.target, "--principal", "viewer", "--header", "X-Snyk-Version: 2025-01-01", status=1)
    assert judgement["gate"] == "version"
    judgement = explain(config, "POST", CREATE.target, "--principal", "creator", "--header", "Content-Type: text/plain", "--body", "-",
                        stdin="{}", status=1)
    assert judgement["refusal"]["status"] == 415
    judgement = explain(config, "GET", f"http://gate.example{READ.target}", "--principal", "viewer", "--header", "Host: gate.example")
    assert judgement["forward"]["target"] == READ.target


@pytest.mark.parametrize("header", ["Host", ": x", "A B: x", "X: a\rb", "Authorization: Token abc", "authorization: x"])
def test_explain_refuses_a_header(make_config, header):
    done = run("explain", "-c", make_config(), "GET", READ.target, "--principal", "viewer", "--header", header, status=2)
    assert "--header" in done.err
    assert "\r" not in done.err


def test_explain_names_the_credential_and_needs_none(make_config):
    policy = world.policy()
    policy["principals"]["held"]["upstream_token"] = {"env": "PORTCULLIS_TEST_UNSET"}
    judgement = explain(make_config(policy), "GET", READ.target, "--principal", "held")
    assert judgement["forward"]["credential"] == {"env": "PORTCULLIS_TEST_UNSET"}
    out = run("explain", "-c", make_config(policy), "GET", READ.target, "--principal", "held").out
    assert "the gate holds (env PORTCULLIS_TEST_UNSET)" in out


def test_explain_limits(make_config):
    config = make_config(limits={"body_bytes": 1024, "target_bytes": 256})
    judgement = explain(config, "POST", CREATE.target, "--principal", "creator", "--body", "-", stdin=" " * 1025, status=1)
    assert (judgement["refusal"]["status"], judgement["gate"], judgement["rule"]) == (413, "limits", "limits.body_bytes")
    judgement = explain(config, "GET", "/" + "x" * 256, "--principal", "viewer", status=1)
    assert (judgement["refusal"]["status"], judgement["rule"]) == (414, "limits.target_bytes")


@pytest.mark.parametrize("principal, operation, permission", [
    ("viewer", DELETE, "org.integration.delete"), ("viewer", CREATE, "org.integration.create"), ("creator", READ, "org.integration.read"),
    ("nobody", READ, "org.integration.read")])
def test_explain_names_the_smallest_grant(make_config, tmp_path, principal, operation, permission):
    """And with it the request passes that gate."""
    arguments = [operation.method, operation.target, "--principal", principal]
    if operation.body is not None:
        (tmp_path / "body.json").write_text(json.dumps(operation.body))
        arguments += ["--body", tmp_path / "body.json"]
    judgement = explain(make_config(), *arguments, status=1)
    assert (judgement["grant"], judgement["hindrance"]) == ({"principal": principal, "permissions": [permission]}, None)
    assert json.dumps(judgement["grant"]) in run("explain", "-c", make_config(), *arguments, status=1).out
    policy = world.policy()
    policy["organizations"][PAYMENTS]["grants"].append(judgement["grant"])
    assert explain(make_config(policy), *arguments)["grant"] is None


def test_explain_what_no_grant_helps_against(make_config):
    judgement = explain(make_config(), "DELETE", DELETE.target, "--principal", "undeleter", status=1)
    assert judgement["grant"] is None and judgement["hindrance"] == judgement["rule"] and "/grants/" in judgement["rule"]
    assert "no grant helps: /organizations/" in run("explain", "-c", make_config(), "DELETE", DELETE.target, "--principal", "undeleter", status=1).out


LOCK = {"id": "lock", "reason": "because", "when": [{"at": "/integration/attributes/profile_name", "matches": "^prod-"}], "deny": True}


def test_explain_facts(make_config, tmp_path):
    """What is not told is unknown, and the rule applies."""
    config = make_config(world.policy(rules=[LOCK, {"id": "few", "reason": "because", "budget": {"requests": 1, "seconds": 60, "each": "gate"}}]))
    arguments = ["DELETE", DELETE.target, "--principal", "deleter"]
    judgement = explain(config, *arguments, status=1)
    assert (judgement["gate"], judgement["hindrance"], judgement["grant"]) == ("rules", "/rules/0", None)
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps({"integration": {"attributes": {"profile_name": "test-1"}}}))
    assert explain(config, *arguments, "--facts", facts)["forward"]["obligations"] == ["journal", "budget:few"]
    facts.write_text(json.dumps({"integration": {"attributes": {"profile_name": "prod-1"}}}))
    assert explain(config, *arguments, "--facts", facts, status=1)["gate"] == "rules"
    facts.write_text(json.dumps({"integration": {"attribute": {}}}))
    assert 'did you mean "attributes"?' in run("explain", "-c", config, *arguments, "--facts", facts, status=2).err
    assert "No such file" in run("explain", "-c", config, *arguments, "--facts", tmp_path / "none", status=2).err


def test_explain_what_is_only_observed(make_config):
    config = make_config(world.policy(enforcement="observe"))
    judgement = explain(config, "DELETE", DELETE.target, "--principal", "viewer")
    assert judgement["verdict"] == "pass" and judgement["forward"]["would_refuse"] == "portcullis-forbidden"
    assert "NOT ENFORCED: portcullis-forbidden would refuse it" in run("explain", "-c", config, "DELETE", DELETE.target, "--principal", "viewer").out


def test_explain_bad_input(make_config, tmp_path):
    config = make_config()
    assert '"nemo"' in run("explain", "-c", config, "GET", READ.target, "--principal", "nemo", status=2).err
    done = run("explain", "-c", config, "POST", CREATE.target, "--principal", "creator", "--body", tmp_path / "none", status=2)
    assert "No such file or directory" in done.err
    assert ": error: " in run("explain", "-c", tmp_path / "none", "GET", "/", "--principal", "viewer", status=2).err


@pytest.mark.parametrize("target", ["/rest/\x1b[2J", "\x1b]0;title\x07", "/rest/orgs/%1b[2J", "/\udcff\udcfe"])
def test_explain_prints_no_control_characters(make_config, target):
    done = run("explain", "-c", make_config(), "G\x1b[2JT", os.fsencode(target).decode("latin-1"), "--principal", "viewer", status=1)
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", done.stdout + done.stderr)


# token

def test_token_of_a_secret():
    done = run("token", stdin="a-secret-of-some-length")
    assert done.out == f'"{digest("a-secret-of-some-length")}"\n'
    assert done.err == ""
    assert run("token", stdin="a-secret-of-some-length\n").out == done.out
    assert json.loads(run("token", "--json", stdin="a-secret-of-some-length").out) == {"digest": digest("a-secret-of-some-length")}


@pytest.mark.parametrize("stdin", ["", "\n", "two words in one", "two\nlines", "tab\tbed", b"nul\0", b"\xff\xfe", "x" * 4097])
def test_token_refuses_a_secret(stdin):
    done = run("token", stdin=stdin, status=2)
    assert done.out == ""
    assert "the secret on stdin" in done.err


def test_token_warns_of_a_short_secret():
    assert "warning" in run("token", stdin="hunter2").err


def made(out):
    """Secret and digest line that `token --new` printed."""
    [secret] = re.findall(r"^  (pct_[A-Za-z0-9_-]{43})$", out, re.MULTILINE)
    [line] = re.findall(r'^  "(sha256:[0-9a-f]{64})"$', out, re.MULTILINE)
    return secret, line


def test_token_makes_a_new_one():
    secrets = set()
    for _ in range(4):
        secret, line = made(run("token", "--new").out)
        assert line == "sha256:" + hashlib.sha256(secret.encode()).hexdigest()
        secrets.add(secret)
    assert len(secrets) == 4
    document = json.loads(run("token", "--new", "--json").out)
    assert document["digest"] == digest(document["secret"])


def test_token_on_a_terminal_makes_a_new_one():
    try:
        controller, terminal = pty.openpty()
    except OSError as error:
        pytest.skip(f"no terminal can be made here: {error}")
    try:
        done = subprocess.run([str(BUILD / "portcullis"), "token"], stdin=terminal, capture_output=True, timeout=60, check=True)
    finally:
        os.close(controller)
        os.close(terminal)
    secret, line = made(done.stdout.decode())
    assert line == digest(secret)


def test_a_new_token_lets_its_client_in(make_config):
    secret, line = made(run("token", "--new").out)
    policy = world.policy()
    policy["principals"]["viewer"]["tokens"].append(line)
    judgement = explain(make_config(policy), "GET", READ.target, "--token-stdin", stdin=secret)
    assert (judgement["verdict"], judgement["principal"]) == ("pass", "viewer")
