"""README.md does not drift: the commands that it shows are run and their output compared, its tables are held against what they describe.

A comment `<!-- test: NAME -->` before a fenced block or a table says which test here takes care of it; only blocks of plain `text` may go
without one. In what a command prints, "…" stands for anything, line breaks are for the reader's sake, and times, ids, digests and ports are
not compared.
"""

import copy
import http.server
import json
import os
import re
import socket
import subprocess
import threading
import urllib.request
from dataclasses import dataclass

import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families

import world
from processes import BUILD, PATIENCE, ROOT, Gate, Sandbox, wait_until
from test_upstream_faults import KINDS
from tokens import Issuer
from world import READ

README = (ROOT / "README.md").read_text()
POLICY = (ROOT / "conf" / "policy.json").read_text()
ADDRESS = "127.0.0.1:8080"
TESTS = {"make", "session", "portcullis.json", "policy.json", "policy members", "permissions", "operations", "warnings", "cases.json", "cases", "table.json", "tour/portcullis.json", "tour/policy.json", "tour/cases.json", "tour/policy.json, again", "tour/candidate.json",
         "story/policy.json", "story 1", "story 2", "story 3", "story 4", "story 5", "tour 1", "tour 2", "tour 3", "tour 4", "case members", "versions", "rules", "rule values", "rule tests", "refusals", "stages",
         "record members", "levels", "audit levels", "upstream faults", "reconciled", "checkpoint command", "audit usage", "access members", "shadow results", "metrics", "health", "alerts", "usage", "wrong policy", "listeners", "tls", "tls policy", "rotation", "oauth policy", "settings", "limits", "files",
         "packages", "targets", "flags", "faults", "layers"}


# What is in the README.

@dataclass
class Part:
    """A fenced block or a table: the test that its comment names ("" without one), its language ("" for a table), its lines."""
    test: str
    language: str
    lines: list

    @property
    def text(self):
        return "\n".join(self.lines) + "\n"


def read_parts(text):
    parts, test, part, fence = [], "", None, None
    for line in text.splitlines():
        if fence is not None:
            if line.strip() == "```":
                fence = None
            else:
                part.lines.append(line.removeprefix(fence))
            continue
        opening = re.fullmatch(r"( *)```(\w+)", line)
        if opening or (line.startswith("|") and (part is None or part.language)):
            part = Part(test, opening[2] if opening else "", [] if opening else [line])
            parts.append(part)
            fence = opening[1] if opening else None
        elif line.startswith("|"):
            part.lines.append(line)
        else:
            part = None
        comment = re.fullmatch(r" *<!-- test: (.+) -->", line)
        test = comment[1] if comment else ""
    return parts


PARTS = read_parts(README)


def the_part(test):
    [part] = [part for part in PARTS if part.test == test]
    return part


def rows(test):
    """The cells of a table's rows, without its head."""
    lines = the_part(test).lines
    assert re.fullmatch(r"[|-]+", lines[1]), lines[:2]
    table = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]
    assert all(len(row) == lines[1].count("|") - 1 for row in table), test
    return table


def names(cell):
    """What stands in `code` in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def first_names(test):
    listed = [name for row in rows(test) for name in names(row[0])]
    assert len(set(listed)) == len(listed), listed
    return set(listed)


def source(path):
    return (ROOT / path).read_text()


def output(*words, status=0, cwd=ROOT):
    """What a program says, in an environment that owes nothing to the make above."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=cwd,
                          stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def test_every_block_is_tested():
    assert {part.test for part in PARTS if part.test} == TESTS
    assert len(re.findall("<!-- test:", README)) == len([part for part in PARTS if part.test]), "a comment stands before nothing"
    assert [part.lines[:1] for part in PARTS if part.language not in ("", "text") and not part.test] == []


def test_links_lead_somewhere():
    headings = [re.sub(r"[^a-z0-9 -]", "", line[3:].lower()).replace(" ", "-") for line in README.splitlines() if line.startswith("## ")]
    targets = re.findall(r"\]\(([^)]+)\)", README)
    assert len(targets) > len(headings) > 10
    contents = README[README.index("\nContents:"):README.index("\n## ")]
    assert re.findall(r"\(#([^)]+)\)", contents) == headings
    for target in targets:
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif not target.startswith("https://"):
            assert (ROOT / target).exists(), target


def test_paths_exist():
    paths = re.findall(r"(?<![\w/*.])((?:policies|proxy|conf|tests)/[\w./*-]*[\w*/])", README)
    assert len(paths) > 40
    assert [path for path in paths if not list(ROOT.glob(path))] == []


# The commands that it shows.

VARYING = [
    (r"\b(?!([0-9a-f])\1{7})[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b", "<uuid>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "<time>"),
    (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "<date>"),
    (r"hmac-sha256:[0-9a-f]{8}:[0-9a-f]{4,64}…?", "hmac-sha256:<mask>"),
    (r"(?<!hmac-)sha256:[0-9a-f]*…?", "sha256:<digest>"),
    (r"pct_[\w-]*…?", "pct_<secret>"),
    (r'("\w+_us"):\d+', r"\1:<number>"),
    (r"(?<![0-9a-f:])[0-9a-f]{64}(?![0-9a-f])", "<hash>"),
    (r"(?<![0-9a-f:])[0-9a-f]{32}(?![0-9a-f])", "<trace>"),
    (r"portcullis/[\w.-]+\+[0-9a-f]{8}", "portcullis/<host>+<key>"),
    (r"\b(key|hmac-) ?[0-9a-f]{8}\b", r"\1<key>"),
    (r"\d{16}-\d{8}T\d{6}Z", "<segment>"),
    (r"\d+ checkpoints?\b", "<number> checkpoints"),
]


def comparable(text):
    for pattern, name in VARYING:
        text = re.sub(pattern, name, text)
    return re.sub(r"\s+", "", text)


def matches(shown, printed):
    """Is what a command printed what is shown of it?"""
    pattern = ".*?".join(re.escape(piece) for piece in comparable(shown).split("…"))
    return re.fullmatch(pattern, comparable(printed), re.DOTALL) is not None


@pytest.mark.parametrize("shown, printed, same", [
    ("a …\n", "a b c", True), ("a\n  b", "a b", True), ("a … d", "a b c", False), ("a", "a b", False), ("…", "", True),
    ('"time":"2026-11-23T16:07:19.556455Z"', '"time":"2027-01-01T00:00:00.000000Z"', True),
    ('"time":"2026-11-23T16:07:19.556455Z"', '"time":"2027-01-01T00:00:00Z"', False),
    ("8c5f4e03-9bf6-48b5-b919-bb4be1f15430", "00000001-9bf6-48b5-b919-bb4be1f15430", True),
    ("aaaaaaaa-0001-4000-8000-000000000001", "aaaaaaaa-0002-4000-8000-000000000001", False),
    ('"sha256:58…"', f'"sha256:{"ab" * 32}"', True), ("hmac-sha256:29c5370a:6c9d…", "correct horse", False),
    ('"total_us":1,"seq":2', '"total_us":9,"seq":2', True), ('"total_us":1,"seq":2', '"total_us":1,"seq":3', False),
])
def test_what_is_compared(shown, printed, same):
    assert matches(shown, printed) == same


def read_commands():
    """All commands of all sessions, in the order of the page, each with what is shown of its output."""
    commands = []
    for part in PARTS:
        if part.test != "session":
            continue
        assert part.lines[0].startswith("$ "), part.lines[0]
        for line in part.lines:
            if line.startswith("$ "):
                commands.append([line[2:], ""])
            else:
                commands[-1][1] += line + "\n"
    return commands


def write_examples(directory):
    """A directory like the /etc/portcullis of the README, with the files that it shows."""
    directory.mkdir()
    for name in ("portcullis.json", "policy.json"):
        (directory / name).write_text(the_part(name).text)
    (directory / "integrations.openapi.json").write_text(source("conf/integrations.openapi.json"))
    for name in ("snyk-ci.token", "snyk-read.token"):
        (directory / name).touch(mode=0o600)
        (directory / name).write_text("a-key-that-the-gate-holds\n")


def await_checkpoint(journal):
    """Until the journal is at rest: all its records are covered by a checkpoint, and what is unknown was looked into."""
    def at_rest():
        lines = "".join(segment.read_text() for segment in sorted(journal.glob("*.jsonl"))).split("\n")
        records = [json.loads(line) for line in lines[:-1]]
        sizes = [int(note.stem) for note in (journal / "checkpoints").glob("*.note")]
        unknown = {record["request_id"] for record in records if record.get("result") == "unknown"}
        return max(sizes, default=0) == len(records) and unknown <= {record.get("request_id") for record in records if record["stage"] == "reconciled"}

    wait_until(at_rest, what="a checkpoint of all records")


def test_sessions(tmp_path, processes):
    """Runs every command of the page before one sandbox and one gate, as `make run` starts them."""
    run, etc = tmp_path / "build" / "run", tmp_path / "etc"
    run.mkdir(parents=True)
    write_examples(etc)
    for program in ("portcullis", "portcullis-sandbox"):
        (tmp_path / "build" / program).symlink_to(BUILD / program)
    sandbox = Sandbox(run)
    sandbox.ledger_file = run / "ledger.jsonl"
    processes.append(sandbox)
    sandbox.start()
    gate = Gate(run, sandbox, POLICY, {"audit": {"directory": "audit", "keys": "keys", "checkpoint_records": 1}, "access_log": "access.log"},
                name="portcullis")
    processes.append(gate)
    gate.start()

    commands = read_commands()
    assert len(commands) > 10
    environment = {**os.environ, "PATH": f"{tmp_path}/build:{os.environ['PATH']}", "SNYK_TOKEN_PAYMENTS": "another-key-that-the-gate-holds"}
    for command, shown in commands:
        if "portcullis audit" in command:
            await_checkpoint(run / "audit")
        typed = command.replace(ADDRESS, f"127.0.0.1:{gate.port}").replace("/etc/portcullis", str(etc))
        done = subprocess.run(["bash", "-c", typed], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=PATIENCE, check=False, cwd=tmp_path, env=environment)
        printed = done.stdout.replace(str(etc), "/etc/portcullis").replace(f"127.0.0.1:{gate.port}", ADDRESS)
        assert shown.replace("…", "").strip(), f"nothing is shown of: {command}"
        assert matches(shown, printed), f"$ {command}\nshown:\n{shown}\nprinted:\n{printed}"


def test_the_tour_is_that_of_make_run(tmp_path):
    """The first commands of the page are those that `make run` prints, and there they work, too."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 8080)) == 0:
            pytest.skip("something listens at port 8080 already")
    for program in ("portcullis", "portcullis-sandbox"):
        (tmp_path / program).symlink_to(BUILD / program)
    done = subprocess.run(["bash", "tests/demo.sh"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=4 * PATIENCE,
                          check=False, cwd=ROOT, env={**os.environ, "BUILD": str(tmp_path), "RUN_ONCE": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    printed = [line.removeprefix("  $ ").replace(str(tmp_path), "build") for line in done.stdout.splitlines() if line.startswith("  $ ")]
    printed = [re.sub(r"127\.0\.0\.1:\d+", ADDRESS, command) for command in printed]
    assert len(printed) >= 6
    assert [command for command, _ in read_commands()][:len(printed)] == printed


def make_targets():
    return {line.split()[0] for line in output("make", "-s", "help").splitlines()}


def test_make_commands():
    commands = [line.split("#")[0].split() for line in the_part("make").lines]
    assert len(commands) == 2
    for word, target in commands:
        assert word == "make" and target in make_targets(), target


@pytest.mark.parametrize("part, words", [("usage", ["--help"]), ("audit usage", ["audit", "--help"])])
def test_usage(part, words):
    lines = the_part(part).lines
    assert lines[0] == " ".join(["$ portcullis", *words])
    assert "\n".join(lines[1:]) + "\n" == output(BUILD / "portcullis", *words)


def test_wrong_policy(tmp_path):
    wrong = POLICY.replace('{"principal": "reader", "roles": ["viewer"]}', '{"principal": "reader", "roles": ["veiwer"]}')
    assert wrong != POLICY
    (tmp_path / "policy.json").write_text(wrong)
    (tmp_path / "portcullis.json").write_text(json.dumps({"contract": str(ROOT / "conf/integrations.openapi.json"), "policy": "policy.json"}))
    printed = output(BUILD / "portcullis", "check", "-c", "portcullis.json", status=1, cwd=tmp_path)
    [shown] = the_part("wrong policy").lines
    assert shown in printed.splitlines()


def test_warnings():
    said = output(BUILD / "portcullis", "check", "--help").split("Kinds of what")[1].split("\nSettings of")[0]
    assert {(names(code)[0], why) for code, why in rows("warnings")} == set(re.findall(r"^  (\S+) +(\S.*)$", said, re.MULTILINE))


def test_cases(tmp_path):
    for name in ("policy.json", "integrations.openapi.json"):
        (tmp_path / name).write_text(source(f"conf/{name}"))
    (tmp_path / "cases.json").write_text(the_part("cases.json").text)
    command, *lines = the_part("cases").lines
    words = command.split()
    assert words[:3] == ["$", "portcullis", "test"]
    assert output(BUILD / "portcullis", *words[2:], cwd=tmp_path) == "\n".join(lines) + "\n"
    (tmp_path / "table.json").write_text(the_part("table.json").text)
    assert "4 cases: 4 passed" in output(BUILD / "portcullis", "test", "table.json", cwd=tmp_path)


LISTED = {"time": "2026-11-23T09:14:03.118203Z", "request_id": "5a0cbb4e-3a3f-4f2e-9a76-0d7e0c1d9b11", "principal": "nightly", "method": "GET",
          "target": "/rest/orgs/11111111-2222-4333-8444-555555555555/integrations?version=2024-10-15", "operation": "listIntegrations",
          "organization": "11111111-2222-4333-8444-555555555555", "version": "2024-10-15", "status": 200, "verdict": "pass", "gate": "rules"}


def walk(directory, part, status=0):
    """Runs the commands of a part and holds what they print against what it shows; the first ends with that status."""
    blocks = re.split(r"^\$ ", "\n".join(the_part(part).lines), flags=re.MULTILINE)[1:]
    for number, block in enumerate(blocks):
        command, _, shown = block.partition("\n")
        words = command.split()
        assert words[0] == "portcullis"
        assert output(BUILD / "portcullis", *words[1:], cwd=directory, status=0 if number else status).strip() == shown.strip(), command


def test_tour(tmp_path, make_sandbox, make_gate):
    """From an empty policy to one in force, in the order of the page; the gate then refuses what the policy says, and the job stops at a gain."""
    (tmp_path / "integrations.openapi.json").write_text(source("conf/integrations.openapi.json"))
    for name in ("portcullis.json", "policy.json", "cases.json"):
        (tmp_path / name).write_text(the_part(f"tour/{name}").text)
    walk(tmp_path, "tour 1")
    policy = json.loads(the_part("tour/policy.json, again").text)
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    walk(tmp_path, "tour 2")

    fixtures = copy.deepcopy(world.FIXTURES)
    fixtures["organizations"][world.PAYMENTS]["integrations"][0]["profile_name"] = "prod-images"
    sandbox = make_sandbox(fixtures)
    gate = make_gate(sandbox, policy=policy)
    answer = gate.request("DELETE", READ.target, token="tour-token-0123456789")
    assert answer.status == 403 and policy["rules"][0]["reason"] in answer.json()["errors"][0]["detail"]
    assert sandbox.ledger() == [] and gate.request("GET", READ.target, token="tour-token-0123456789").status == 200

    candidate = copy.deepcopy(policy)
    candidate["organizations"][world.PAYMENTS]["grants"] = [json.loads(the_part("tour/candidate.json").text)]
    (tmp_path / "candidate.json").write_text(json.dumps(candidate))
    (tmp_path / "access.log").write_text(json.dumps(LISTED, separators=(",", ":")) + "\n")
    walk(tmp_path, "tour 3", status=1)

    job = {"args": ["sh", "-c", the_part("tour 4").text], "cwd": tmp_path, "capture_output": True, "check": False, "timeout": 60,
           "env": {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}"}}
    (tmp_path / "in-force.json").write_text(json.dumps(policy))
    assert subprocess.run(**job).returncode == 0
    (tmp_path / "policy.json").write_text(json.dumps(candidate))
    assert subprocess.run(**job).returncode == 1


def commands_of(test):
    """The commands of a part, each with what is shown of its output."""
    for block in re.split(r"^\$ ", "\n".join(the_part(test).lines), flags=re.MULTILINE)[1:]:
        command, _, shown = block.partition("\n")
        yield command, shown


def test_story(make_sandbox, make_gate):
    """From the try to the proof, in the order of the page; the API has seen one delete."""
    policy = json.loads(the_part("story/policy.json").text)
    sandbox = make_sandbox(world.FIXTURES)
    gate = make_gate(sandbox, policy=policy, config={"approvals": {"listen": "127.0.0.1:0"}})
    (gate.directory / "audit").symlink_to(gate.audit_directory)
    shown_id = re.search(r'"approval":"([0-9a-f-]{36})"', the_part("story 2").text)[1]
    places = {"127.0.0.1:8080": f"127.0.0.1:{gate.port}", "127.0.0.1:8082": json.loads(gate.port_file.read_text())["approvals"]}
    environment = {"PATH": f"{BUILD}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    for part in (f"story {number}" for number in range(1, 6)):
        if part == "story 5":
            gate.stop()
        for command, shown in commands_of(part):
            for place, real in places.items():
                command = command.replace(place, real)
            done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=gate.directory,
                                  stdin=subprocess.DEVNULL, env=environment)
            printed = done.stdout + done.stderr
            assert done.returncode == 0 and matches(shown, printed), f"$ {command}\nshown:\n{shown}\n\nprinted:\n{printed}"
            for approval in re.findall(r'"approval":"([0-9a-f-]{36})"', printed):
                places[shown_id] = approval
    assert [line["method"] for line in sandbox.ledger(asked=True) if line["method"] != "GET"] == ["DELETE"]


def test_case_members():
    schema = json.loads(source("conf/cases.schema.json"))
    jsonschema.Draft202012Validator(schema).validate(json.loads(the_part("cases.json").text))
    assert {name for row in rows("case members") for name in names(row[0])} == set(schema["$defs"]["case"]["properties"])


def test_versions():
    target = "/rest/orgs/11111111-2222-4333-8444-555555555555/integrations"
    table = rows("versions")
    assert len(table) > 5
    for version, verdict, rule in table:
        query = "?version=" + names(version)[0] if names(version) else ""
        status = {"passes": 0, "refused": 1}[verdict]
        words = [BUILD / "portcullis", "explain", "-c", "conf/portcullis.json", "GET", target + query, "--principal", "reader", "--json"]
        judgement = json.loads(output(*words, status=status))
        if verdict == "refused":
            assert (judgement["gate"], [judgement["rule"]]) == ("version", names(rule)), version
        else:
            assert (judgement["verdict"], rule) == ("pass", ""), version


def test_listeners(tmp_path):
    """The example is a configuration that the program takes."""
    listening = json.loads("\n".join(the_part("listeners").lines))
    configuration = {"contract": str(ROOT / "conf/integrations.openapi.json"), "policy": str(ROOT / "conf/policy.json"), **listening}
    (tmp_path / "portcullis.json").write_text(json.dumps(configuration))
    jsonschema.validate(configuration, json.loads(source("conf/portcullis.schema.json")))
    assert "portcullis.json:" not in output(BUILD / "portcullis", "check", "-c", "portcullis.json", cwd=tmp_path).replace("portcullis.json: ok", "")


def test_tls(tmp_path, certificates):
    """The configuration as it stands there; the policy under `principals`, between the rest of a policy."""
    settings = json.loads("\n".join(the_part("tls").lines))
    tls = settings["tls"]
    for name, source_file in (("certificate", certificates.good.file), ("key", certificates.good.key_file), ("client_ca", certificates.authority.file)):
        (tmp_path / tls[name]).write_bytes(source_file.read_bytes())
        (tmp_path / tls[name]).chmod(0o600)
    principals = json.loads("{" + "\n".join(the_part("tls policy").lines) + "}")
    policy = {**principals, "organizations": {"*": {"upstream_token": {"env": "SNYK_TOKEN"},
                                                   "grants": [{"principal": name, "permissions": ["org.integration.read"]}
                                                              for name in principals["principals"]]}}}
    configuration = {"contract": str(ROOT / "conf/integrations.openapi.json"), "policy": "policy.json", **settings}
    jsonschema.validate(configuration, json.loads(source("conf/portcullis.schema.json")))
    jsonschema.validate(policy, json.loads(source("conf/policy.schema.json")))
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    (tmp_path / "portcullis.json").write_text(json.dumps(configuration))
    said = output(BUILD / "portcullis", "check", "-c", "portcullis.json", cwd=tmp_path)
    assert "3 principals" in said and "error" not in said


# The tables.

def test_settings():
    """The manual of the program, with nothing left out and nothing changed."""
    manual = re.findall(r"^  ([a-z_.]+) +(.+?), (?:default (.+?)|(must be given))\. (.+)$", output(BUILD / "portcullis", "serve", "--help"),
                        re.MULTILINE)
    assert len(manual) > 30
    expected = [[f"`{name}`", kind, f"`{default}`" if default else must, text] for name, kind, default, must, text in manual]
    assert rows("settings") == expected


def read_default(text):
    """The numbers that people read, as the settings have them."""
    units = {"": 1, "KiB": 1024, "MiB": 1024 * 1024, "s": 1000, "min": 60000}
    found = re.findall(r"(\d[\d,]*|none)(?: (KiB|MiB|s|min)\b)?", text.partition(" a worker")[0].partition(", all workers")[0])
    return [0 if number == "none" else int(number.rstrip(",").replace(",", "")) * units[unit] for number, unit in found]


def test_limits():
    """Every limit among the settings is there, with its default."""
    defaults = {names(row[0])[0]: row[2].strip("`") for row in rows("settings")}
    listed = set()
    for limit, default, beyond in rows("limits"):
        limits = [name for name in names(limit) if name in defaults]
        numbers = read_default(default) if limits else []
        assert len(numbers) == len(limits), limit
        for name, number in zip(limits, numbers):
            assert number // (1000 if name.endswith("_most_s") else 1) == int(defaults[name]), name
        listed |= set(limits) | {name for name in names(beyond) if name in defaults}
    assert {name for name in defaults if name.startswith("limits.")} <= listed


def test_settings_are_those_of_the_sample():
    def flatten(value, prefix=""):
        for name, member in value.items():
            if isinstance(member, dict):
                yield from flatten(member, f"{prefix}{name}.")
            elif name != "$schema":
                yield prefix + name

    assert first_names("settings") == set(flatten(json.loads(source("conf/portcullis.json"))))


def test_refusals():
    table = re.findall(r'\[REFUSE_\w+\] =\s*\{(\d{3}), "(portcullis-[a-z0-9-]+)"', source("policies/refusal.c"))
    assert len(table) == source("policies/refusal.c").count("[REFUSE_") - source("policies/refusal.c").count("[REFUSE_KINDS]") > 30
    assert sorted((row[0], *names(row[1])) for row in rows("refusals")) == sorted(table)
    assert [row[0] for row in rows("refusals")] == sorted(row[0] for row in rows("refusals")), "in the order of the statuses"


def test_permissions():
    listed = re.search(r"names\[\] = \{(.*?)NULL", source("policies/permission.c"), re.DOTALL)[1]
    assert first_names("permissions") == set(re.findall(r'"([a-z.]+)"', listed))


def test_operations():
    contract = json.loads(source("conf/integrations.openapi.json"))
    base = "/" + contract["servers"][0]["url"].split("/", 3)[3]
    expected = [[f"`{operation['operationId']}`", f"`{method.upper()} {base}{path}`", f"`{operation['x-portcullis']['permission']}`",
                 operation["x-portcullis"]["effect"]]
                for path, item in contract["paths"].items() for method, operation in item.items() if method != "parameters"]
    assert len(expected) == 7
    assert sorted(rows("operations")) == sorted(expected)


def policy_members():
    """Every member that the policy's schema knows, with its schema: ("organizations.ID.grants[].deny", {…})."""
    schema = json.loads(source("conf/policy.schema.json"))

    def walk(node, path):
        if "$ref" in node:
            node = {**schema["$defs"][node["$ref"].removeprefix("#/$defs/")], **node}
        children = list(node.get("properties", {}).items())
        if isinstance(node.get("additionalProperties"), dict):
            children.append(("ID" if path == "organizations" else "NAME", node["additionalProperties"]))
        if children:
            for name, child in children:
                if name not in ("description", "$schema"):
                    yield from walk(child, f"{path}.{name}" if path else name)
        elif "$ref" in node.get("items", {}) and node["items"]["$ref"] in ("#/$defs/grant", "#/$defs/rule"):
            yield from walk(node["items"], path + "[]")
        else:
            yield path, node
            for one in node.get("items", {}).get("anyOf", ()):
                if "properties" in schema["$defs"][one["$ref"].removeprefix("#/$defs/")]:
                    yield from walk(one, path + "[]")

    return dict(walk(schema, ""))


def test_rules(tmp_path):
    """The example stands in the sample policy, with two people who approve, without an error; the tables name what the compiler knows."""
    policy = {**json.loads(POLICY), **json.loads("{" + the_part("rules").text + "}")}
    for name in ("alice", "bob"):
        policy["principals"][name] = {"tokens": [world.digest(name)]}
        for organization in policy["organizations"].values():
            organization.setdefault("grants", []).append({"principal": name, "permissions": ["portcullis.approve"]})
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    (tmp_path / "portcullis.json").write_text(json.dumps({"contract": str(ROOT / "conf/integrations.openapi.json"), "policy": "policy.json"}))
    assert "error" not in output(BUILD / "portcullis", "check", "-c", "portcullis.json", cwd=tmp_path)
    subjects = re.search(r"subjects\[\] = \{(.*?)\n\};", source("policies/conditions_compile.c"), re.DOTALL)[1]
    pointers = {"/" + first + (f"/{second}" if second else "") + ("/…" if deeper == "true" else "")
                for first, second, deeper in re.findall(r'\{"(\w+)", (?:"(\w+)"|NULL), SUBJECT_\w+, (\w+)\}', subjects)}
    assert first_names("rule values") == pointers
    tests = re.search(r" tests\[\] = \{(.*?)\n\};", source("policies/tests_compile.c"), re.DOTALL)[1]
    assert {name.split('"')[1] for name in first_names("rule tests")} == set(re.findall(r'\{"(\w+)", TEST_', tests))


def test_policy_members():
    members = policy_members()
    assert len(members) > 15
    assert first_names("policy members") == set(members)
    for name, default, _ in rows("policy members"):
        expected = members[names(name)[0]].get("default")
        if expected is not None:
            assert json.loads(names(default)[0]) == expected, name


def test_oauth_policy(tmp_path):
    policy = json.loads("{" + the_part("oauth policy").text + "}")
    (tmp_path / policy["oauth"]["keys"]).write_text(json.dumps(Issuer().jwks()))
    (tmp_path / policy["principals"]["deployer"]["upstream_token"]["file"]).write_text("key")
    said = check_policy(tmp_path, policy)
    assert "oauth" not in said and "jwks" not in said


def check_policy(tmp_path, policy):
    """What `check` says of a policy that is right."""
    jsonschema.validate(policy, json.loads(source("conf/policy.schema.json")))
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    (tmp_path / "portcullis.json").write_text(json.dumps({"contract": str(ROOT / "conf/integrations.openapi.json"), "policy": "policy.json"}))
    return output(BUILD / "portcullis", "check", "-c", "portcullis.json", status=0, cwd=tmp_path)


def test_rotation(tmp_path):
    policy = {"principals": {"ci": json.loads("{" + the_part("rotation").text + "}")}}
    assert "good at once" not in check_policy(tmp_path, policy)


def test_stages():
    listed = re.search(r"stage_names\[\] = \{(.*?)\};", source("proxy/audit/record.c"), re.DOTALL)[1]
    assert first_names("stages") == set(re.findall(r'= "([a-z-]+)"', listed))


def test_record_members():
    assert first_names("record members") == set(re.findall(r'^    (?:KEPT_)?MEMBER\("([a-z_]+)", KIND_', source("proxy/audit/record.c"), re.MULTILINE))


def check_levels(directory, levels, status=0):
    """What `check` says of a policy with these levels."""
    (directory / "policy.json").write_text(json.dumps({**json.loads(POLICY), "audit": levels}))
    config = {"contract": str(ROOT / "conf/integrations.openapi.json"), "policy": "policy.json"}
    (directory / "portcullis.json").write_text(json.dumps(config))
    return output(BUILD / "portcullis", "check", "-c", "portcullis.json", status=status, cwd=directory)


def test_levels(tmp_path):
    """Each kind of operation bears the levels from its own row on, and none above that."""
    table = rows("levels")
    order = [name for row in table for name in names(row[0])]
    assert order == re.findall(r'= "([a-z-]+)"', re.search(r"names\[AUDIT_LEVELS\] = \{(.*?)\};", source("policies/audit_level.c"), re.DOTALL)[1])
    operations = {"reads": "getIntegration", "changes": "updateIntegration", "hard deletes": "deleteIntegration"}
    assert {least for _, _, least in table if least} == set(operations)
    for least, (_, _, kind) in enumerate(table):
        for at, level in enumerate(order) if kind else ():
            check_levels(tmp_path, {"levels": {operations[kind]: level}}, status=0 if at >= least else 1)


def test_audit_levels(tmp_path):
    check_levels(tmp_path, json.loads(the_part("audit levels").text))


def test_reconciled():
    rules = re.search(r"rules\[\] = \{(.*?)\n\};", source("proxy/audit/reconcile_course.c"), re.DOTALL)[1]
    assert first_names("reconciled") == set(re.findall(r'\.operation = "(\w+)"', rules))
    for operation, rule in zip(re.findall(r'\.operation = "(\w+)"', rules), rules.split(".operation = ")[1:]):
        findings = {name.lower().replace("_", "-") for name in re.findall(r"\[FINDING_(\w+)\]", rule)}
        [said] = [names(row[2]) for row in rows("reconciled") if names(row[0]) == [operation]]
        assert findings - {"unknown"} == set(said) - {"unknown", "resource"}, operation


def test_upstream_faults():
    """The table is that of the tests."""

    def row(kind, status, code, result):
        said = f"{status} `portcullis-{code}`" if code else "the answer"
        return [kind, said, f"`{result}`" if result else "none: it is known"]

    assert rows("upstream faults") == [row(kind, *answer, result) for kind, (answer, result) in KINDS.items()]


def test_checkpoint_command(make_gate, sandbox):
    """The example uploads every checkpoint, and nothing in the answer is taken for a note."""
    notes = {}

    class Witness(http.server.BaseHTTPRequestHandler):
        def do_PUT(self):
            notes[self.path] = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.send_response(201)
            self.end_headers()
            self.wfile.write(b"thank you")

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Witness) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        audit = json.loads(the_part("checkpoint command").text.replace("https://witness.example", f"http://127.0.0.1:{server.server_port}"))
        gate = make_gate(sandbox, config={"audit": {"directory": "audit", "keys": "keys", **audit}})
        gate.stop()
        server.shutdown()
    kept = {note.name: note.read_text() for note in (gate.config_file.parent / "audit" / "checkpoints").glob("*.note")}
    newest = max(kept)
    assert notes[f"/portcullis/{newest}"] == kept[newest]
    assert "journal-witness" not in gate.stderr()


def test_replaced_signing_key(make_gate, sandbox):
    """The runbook of a signing key that is replaced, step by step; its last command is the README's."""
    [words] = re.findall(r"`portcullis (audit verify DIR --key OLD --key NEW --checkpoint LAST)`", README)
    gate = make_gate(sandbox, config={"audit": {"directory": "audit", "keys": "keys"}})
    gate.stop()
    home = gate.config_file.parent
    verifier, last = home / "audit/verifier.vkey", home / "last.note"
    (home / "old.vkey").write_text(verifier.read_text())
    last.write_text(max((home / "audit/checkpoints").glob("*.note")).read_text())
    (home / "keys/journal-signing.key").rename(home / "old.key")
    verifier.rename(home / f"audit/verifier-{verifier.read_text().split('+')[1]}.vkey")
    gate.start()
    gate.stop()
    places = {"DIR": home / "audit", "OLD": home / "old.vkey", "NEW": verifier, "LAST": last}
    assert verifier.read_text() != (home / "old.vkey").read_text()
    assert "ok, " in output(BUILD / "portcullis", *(places.get(word, word) for word in words.split()))
    output(BUILD / "portcullis", "audit", "verify", home / "audit")


def test_lost_signing_key(make_gate, sandbox):
    """None is made in place of a lost one, until the runbook's step says that it is lost for good."""
    gate = make_gate(sandbox, config={"audit": {"directory": "audit", "keys": "keys"}})
    gate.stop()
    home = gate.config_file.parent
    key, verifier = home / "keys/journal-signing.key", home / "audit/verifier.vkey"
    key.rename(home / "kept.key")
    for _ in range(2):
        gate.launch()
        assert gate.wait() == 2
        gate.checked = True
        assert f"{key}: the journal's signing key is not there" in gate.stderr(), gate.stderr()
        assert "then, and older checkpoints are verified with the old public key" in gate.stderr(), gate.stderr()
        assert not key.exists()
    (home / "kept.key").rename(key)
    gate.start()
    gate.stop()
    key.unlink()
    verifier.rename(home / f"audit/verifier-{verifier.read_text().split('+')[1]}.vkey")
    gate.start()
    gate.stop()
    assert key.stat().st_mode & 0o777 == 0o600
    output(BUILD / "portcullis", "audit", "verify", home / "audit")


def test_access_members():
    written = set(re.findall(r'\b(?:member|word|number)\(line, NAME\("([a-z_]+)"\)', source("proxy/worker/exchange_log.c")))
    assert len(written) > 15
    assert first_names("access members") == written | {"time", "shadow", "dry_run"}


def test_shadow_results():
    written = set(re.findall(r'\[SHADOW_\w+\] = "([a-z-]+)"', source("proxy/observe/shadow_tally.c")))
    assert len(written) > 5
    assert first_names("shadow results") == written - {"unasked"}


def test_metrics(make_gate, sandbox):
    gate = make_gate(sandbox, start=False, config={"admin": {"listen": "127.0.0.1:0"}, "policy_shadow": "shadow.json"})
    (gate.directory / "shadow.json").write_text('{"principals": {}, "organizations": {}}')
    gate.start()
    # So that every family has something to show: a version of the upstream's, a shadow's other view, a refusal, one of the wire guard's.
    assert gate.request("GET", READ.target, READ.token).status == 200
    assert gate.raw(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    gate.access_log(2)
    page = gate.admin("GET", "/metrics").body.decode()
    shown = set()
    for family in text_string_to_metric_families(page):
        keys = ",".join(key for key in family.samples[0].labels if key != "le")
        name = family.name + "_total" * (family.type == "counter")
        shown.add(f"{name}{{{keys}}}" if keys else name)
    assert len(shown) == page.count("# TYPE ")
    assert first_names("metrics") == shown


def test_health(make_gate, sandbox):
    gate = make_gate(sandbox, config={"admin": {"listen": "127.0.0.1:0"}})
    shown = json.loads(the_part("health").text)
    status, checks = gate.health()
    assert status == 200
    assert shown["checks"].keys() == checks.keys()
    assert {name: set(check) - {"why"} for name, check in shown["checks"].items()} == {name: set(check) for name, check in checks.items()}


def test_alerts():
    """Every expression asks for metrics and labels that there are."""
    known = {name.partition("{")[0] for name in first_names("metrics")} | {"portcullis_tls_certificate_expiry_time_seconds"}
    asked = [name for row in rows("alerts") for name in re.findall(r"portcullis_\w+", row[0])]
    assert len(asked) > 5
    assert [name for name in asked if name not in known and name.removesuffix("_bucket") not in known] == []


def test_files():
    """What stands in the table of files exists, and every folder of the house stands in it."""
    for path, job in rows("files"):
        for name in names(path):
            assert (ROOT / name).exists(), name
            assert (ROOT / name).is_dir() == name.endswith("/"), name
        for name in re.findall(r"`(\w+\.[ch])`", job):
            assert (ROOT / names(path)[0] / name).exists(), (path, name)
    folders = {f"{folder.relative_to(ROOT)}/" for top in ("policies", "proxy", "conf", "tests") for folder in [ROOT / top, *(ROOT / top).iterdir()]
               if folder.is_dir() and any(file.suffix in (".c", ".json") for file in folder.iterdir()) and folder.parts[-2] != "tests"}
    assert len(folders) >= 6
    assert folders <= first_names("files")


def test_layers():
    """Each part of proxy/ includes only what the list names before it: no circles, and nothing looks up."""
    order = [name.rstrip("/").removesuffix(".c") for name in the_part("layers").text.split()]
    files = [*(ROOT / "proxy").rglob("*.[ch]")]
    assert {file.relative_to(ROOT / "proxy").parts[0].split(".")[0] for file in files} == set(order)
    upward = [(file.name, included) for file in files for included in re.findall(r'#include "proxy/([^"]+)"', file.read_text())
              if order.index(re.split("[/.]", included)[0]) > order.index(file.relative_to(ROOT / "proxy").parts[0].split(".")[0])]
    assert upward == []


def test_packages():
    needed = set(re.findall(r"^(?:cmd|pkg):\S+ +(\S+)$", source("tests/deps.sh"), re.MULTILINE))
    assert len(needed) > 15
    assert first_names("packages") == needed
    least = re.search(r"^libevent_least='(.+)'$", source("tests/deps.sh"), re.MULTILINE)[1]
    assert least in the_part("packages").text


def test_targets():
    assert {name.removeprefix("make ") for name in first_names("targets")} == make_targets()


def test_flags():
    words = the_part("flags").text.split()
    assert len(words) > 10
    known = output("make", "-s", "print-flags").split() + source("Makefile").split("override LDFLAGS")[1].split("\n")[0].split()
    assert [word for word in words if word not in known] == []


def test_faults():
    said = output(BUILD / "portcullis-sandbox", "--help").split("Members of a fault:\n")[1]
    members = set(re.findall(r"^  ([a-z_]+)  ", said, re.MULTILINE))
    assert len(members) > 15
    assert first_names("faults") == members
