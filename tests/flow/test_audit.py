"""`portcullis audit` as people and scripts use it: query, show, prove, verify-proof, stats, and verify beside a gate that runs."""

import base64
import json
import os
import pty
import re
import select
import signal
import shutil
import subprocess

import pytest

import world
from audit_log import Log, Signer, audit, found, leaf, node
from packages import packages  # noqa: F401
from processes import BUILD, PATIENCE, Gate, Sandbox, wait_until
from test_compatibility import judge
from world import CREATE, DELETE, ECR, PAYMENTS, SETTINGS_BODY, TOKENS, UPDATE

ORIGIN = "portcullis/gate.example"
HOSTILE = "\x1b]0;owned\x07\x1b[31m\u009b1m\u202e"


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    directory = tmp_path_factory.mktemp("audit")
    sandbox = Sandbox(directory, fixtures=world.FIXTURES).start()
    gate = Gate(directory, sandbox, world.policy(), {"audit": {"origin": ORIGIN, "checkpoint_records": 5, "segment_bytes": 8192}}).start()
    for _ in range(3):
        for operation in (CREATE, UPDATE, world.BY_ID["updateIntegrationSettings"]):
            gate.request(operation.method, operation.target, operation.token, body=operation.body)
        gate.request("DELETE", DELETE.target, TOKENS["viewer"])
        gate.request("PATCH", UPDATE.target, TOKENS["viewer"], body=SETTINGS_BODY)
    gate.request(DELETE.method, DELETE.target, DELETE.token)
    gate.stop()
    sandbox.stop()
    return gate.audit_directory


@pytest.fixture
def log(journal, tmp_path):
    return Log(journal, tmp_path / "log")


def records(log):
    return [json.loads(line) for _, _, line in log.lines()]


def query(path, *words, status=0):
    done = audit("query", path, *words, "--json", status=status)
    return [json.loads(line) for line in done.out.splitlines()]


def on_terminal(*words):
    """What the program writes where stdout is a terminal."""
    try:
        master, slave = pty.openpty()
    except OSError as error:
        pytest.skip(f"no terminal can be made here: {error}")
    with subprocess.Popen([str(BUILD / "portcullis"), "audit", *map(str, words)], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                got = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not got:
                break
            shown += got
        process.wait(PATIENCE)
    os.close(master)
    return shown.replace(b"\r\n", b"\n")


# Usage

COMMANDS = ["verify", "query", "show", "prove", "verify-proof", "stats"]


def test_help_lists_every_command():
    out = audit("--help", status=0).out
    listed = [line.split()[2] for line in out.splitlines() if line.startswith("  portcullis audit ")]
    assert set(COMMANDS) <= set(listed)
    for command in listed:
        assert audit(command, "--help", status=0).out.startswith(f"usage: portcullis audit {command} ")


@pytest.mark.parametrize("words", [
    [], ["frobnicate"], ["verify"], ["verify", "a", "b"], ["verify", "--frobnicate", "a"], ["verify", "/no/such/journal"],
    ["verify", "/tmp", "--key", "nonsense"], ["verify", "/tmp", "--checkpoint", "/no/such/note"], ["verify", "/tmp", "--uncovered", "soon"],
    ["query"], ["query", "/no/such/journal"], ["query", "/tmp", "--since", "soon"], ["query", "/tmp", "--status", "40x"],
    ["query", "/tmp", "--verdict", "perhaps"], ["query", "/tmp", "--limit", "0"], ["query", "/tmp", "--limit", "-1"],
    ["query", "/tmp", "--follow", "--reverse"], ["show"], ["show", "/tmp"], ["show", "/no/such/journal", "x"], ["prove", "/tmp"],
    ["prove", "/no/such/journal", "1"], ["verify-proof", "/etc/hostname"], ["verify-proof", "/no/such/proof", "--key", "x"], ["stats"],
    ["stats", "/no/such/journal"],
])
def test_usage(words):
    done = audit(*words, status=2)
    assert done.out == "" and done.err


def test_a_directory_that_is_no_journal(tmp_path):
    assert "no journal" in audit("verify", tmp_path, status=2).err


# query

QUESTIONS = {
    "everything": ([], lambda record: True),
    "principal": (["--principal", "updater"], lambda record: record.get("principal") == "updater"),
    "organisation": (["--organization", PAYMENTS], lambda record: record.get("organization") == PAYMENTS),
    "an organisation in capitals": (["--organization", PAYMENTS.upper()], lambda record: record.get("organization") == PAYMENTS),
    "operation": (["--operation", "createIntegration"], lambda record: record.get("operation") == "createIntegration"),
    "resource": (["--resource", ECR], lambda record: record.get("resource") == ECR),
    "stage": (["--stage", "outcome"], lambda record: record["stage"] == "outcome"),
    "passed": (["--verdict", "pass"], lambda record: record["stage"] in ("intent", "outcome", "reconciled", "read")),
    "refused": (["--verdict", "refused"], lambda record: record["stage"] in ("refused", "unauthenticated")),
    "status": (["--status", "403"], lambda record: record.get("status") == 403),
    "a class of status": (["--status", "2xx"], lambda record: 200 <= record.get("status", 0) < 300),
    "text": (["--text", "renamed"], lambda record: "renamed" in json.dumps(record)),
    "two things": (["--principal", "viewer", "--operation", "deleteIntegration"],
                   lambda record: record.get("principal") == "viewer" and record.get("operation") == "deleteIntegration"),
    "since long ago": (["--since", "2h"], lambda record: True),
    "until tomorrow": (["--until", "2999-01-01"], lambda record: True),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_query(log, question):
    words, belongs = QUESTIONS[question]
    expected = [record for record in records(log) if belongs(record)]
    assert expected
    assert query(log.directory, *words) == expected
    assert query(log.directory, *words, "--reverse") == expected[::-1]
    assert query(log.directory, *words, "--limit", "2") == expected[:2]
    assert query(log.directory, *words, "--limit", "2", "--reverse") == expected[::-1][:2]
    table = audit("query", log.directory, *words, status=0).out.splitlines()
    assert table[0].split() == ["TIME", "STAGE", "STATUS", "PRINCIPAL", "OPERATION", "ORGANIZATION", "RESOURCE"]
    assert [line.split()[0] for line in table[1:]] == [record["time"] for record in expected]
    assert [line.split()[1] for line in table[1:]] == [record["stage"] for record in expected]


def test_query_by_request_id_and_rule(log):
    record = next(record for record in records(log) if record.get("rule") and record.get("request_id"))
    assert query(log.directory, "--request-id", record["request_id"]) == [
        other for other in records(log) if other.get("request_id") == record["request_id"]]
    assert record in query(log.directory, "--rule", record["rule"])


def test_query_by_time(log):
    times = [record["time"] for record in records(log)]
    middle = times[len(times) // 2]
    since = query(log.directory, "--since", middle)
    until = query(log.directory, "--until", middle)
    assert since == [record for record in records(log) if record["time"] >= middle]
    assert until == [record for record in records(log) if record["time"] < middle]
    assert query(log.directory, "--since", middle, "--reverse") == since[::-1]
    assert query(log.directory, "--since", "2999-01-01", status=1) == []
    assert query(log.directory, "--until", "1971-01-01T00:00:00+01:00", status=1) == []


def test_query_says_when_there_is_nothing(log):
    assert query(log.directory, "--principal", "nobody-of-that-name", status=1) == []
    assert query(log.directory, "--principal", "viewe", status=1) == [], "the whole value counts"


def test_query_is_not_led_astray_by_bodies(log):
    """The bytes that are searched for stand in a body: they are not the record's own member."""
    name, number = log.place(5)
    line = b'{"body":{"principal":"somebody"},"principal":"else","prev":"' + b"0" * 64 + b'","seq":5,"stage":"intent","time":"2026-01-01T00:00:00.000000Z"}'
    log.segments[name][number - 1] = line
    log.save()
    assert query(log.directory, "--principal", "somebody", status=1) == []
    assert len(query(log.directory, "--principal", "else")) == 1


def test_query_of_one_segment(log):
    name = log.names[1]
    assert query(log.directory / name) == [json.loads(line) for line in log.segments[name]]
    assert query(log.directory / name, "--reverse") == [json.loads(line) for line in reversed(log.segments[name])]


def test_query_tells_of_lines_that_are_no_records(log):
    log.segments[log.names[0]].insert(3, b"garbage")
    done = audit("query", log.save().directory, "--json", status=0)
    assert "lines that are no records: 1;" in done.err
    assert len(done.out.splitlines()) == log.size - 1


def test_query_follows(make_gate, sandbox):
    gate = make_gate(sandbox, config={"audit": {"segment_bytes": 4096}})
    with subprocess.Popen([str(BUILD / "portcullis"), "audit", "query", str(gate.audit_directory), "--stage", "outcome", "--follow", "--json",
                           "--limit", "8"], stdout=subprocess.PIPE) as process:
        try:
            for _ in range(8):
                gate.request(UPDATE.method, UPDATE.target, UPDATE.token, body=UPDATE.body)
                ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
                assert ready, "nothing followed"
                assert json.loads(process.stdout.readline())["operation"] == UPDATE.id
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
    assert len(gate.segments()) > 1, "across segments"


def test_query_follows_past_what_was_removed(make_gate, sandbox):
    """Segments are removed, by age, under a reader that is slow: it goes on with the oldest that there is, in order, to the newest."""
    gate = make_gate(sandbox, config={"audit": {"segment_bytes": 4096}})
    gate.request(UPDATE.method, UPDATE.target, UPDATE.token, body=UPDATE.body)
    with subprocess.Popen([str(BUILD / "portcullis"), "audit", "query", str(gate.audit_directory), "--stage", "outcome", "--follow", "--json"],
                          stdout=subprocess.PIPE, bufsize=0) as process:  # select knows nothing of a buffer
        try:
            first = json.loads(process.stdout.readline())
            process.send_signal(signal.SIGSTOP)
            for _ in range(20):
                gate.request(UPDATE.method, UPDATE.target, UPDATE.token, body=UPDATE.body)
            wait_until(lambda: len(gate.exchanges("outcome")) == 21, what="all outcomes")
            segments = gate.segments()
            assert len(segments) > 5
            for segment in segments[:-3]:
                segment.unlink()
            left = [record["seq"] for record in gate.exchanges("outcome")]
            process.send_signal(signal.SIGCONT)
            gate.request(UPDATE.method, UPDATE.target, UPDATE.token, body=UPDATE.body)
            last = wait_until(lambda: len(gate.exchanges("outcome")) > len(left) and gate.exchanges("outcome")[-1]["seq"], what="the last outcome")
            seen = [first["seq"]]
            while seen[-1] < last:
                ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
                assert ready, (seen, last)
                seen.append(json.loads(process.stdout.readline())["seq"])
            assert seen == sorted(set(seen)) and set(left) <= set(seen), (seen, left)
            assert process.poll() is None
        finally:
            process.kill()


# show

def test_show(log):
    intent = next(record for record in records(log) if record["stage"] == "intent" and record["operation"] == "updateIntegration")
    story = [record for record in records(log) if record.get("request_id") == intent["request_id"]]
    assert [record["stage"] for record in story] == ["intent", "outcome"]
    done = audit("show", log.directory, intent["request_id"], "--json", status=0)
    assert [json.loads(line) for line in done.out.splitlines()] == story
    out = audit("show", log.directory, intent["request_id"], status=0).out
    assert re.search(rf"^{intent['time']} intent \(number {intent['seq']}\): .*renamed.*^  principal +updater$.* outcome \(.*^  status +200$", out,
                     re.MULTILINE | re.DOTALL), out


def test_show_by_resource(log):
    """The newest mutation of it."""
    newest = [record for record in records(log) if record.get("resource") == ECR][-1]
    done = audit("show", log.directory, ECR.upper(), "--json", status=0)
    assert {json.loads(line)["request_id"] for line in done.out.splitlines()} == {newest["request_id"]}
    assert json.loads(done.out.splitlines()[0])["operation"] == "deleteIntegration"


def test_show_without_an_outcome(log):
    intent = next(record for record in records(log) if record["stage"] == "intent")
    for lines in log.segments.values():
        lines[:] = [line for line in lines if not (b'"stage":"outcome"' in line and intent["request_id"].encode() in line)]
    out = audit("show", log.save().directory, intent["request_id"], status=0).out
    assert "There is no outcome yet" in out


def test_show_nothing(log):
    assert audit("show", log.directory, "no-such-id", status=1).out == ""


# prove, verify-proof

class Proof:
    """A .tlog-proof file, read by the letter of C2SP's page."""

    def __init__(self, text):
        head, _, self.note = text.partition("\n\n")
        lines = head.split("\n")
        assert lines[0] == "c2sp.org/tlog-proof@v1"
        assert lines[1].startswith("extra ") and lines[2].startswith("index ")
        self.record = base64.b64decode(lines[1][6:], validate=True)
        self.index = int(lines[2][6:])
        self.hashes = [base64.b64decode(line, validate=True) for line in lines[3:]]
        self.origin, size, root = self.note.split("\n")[:3]
        self.size, self.root = int(size), base64.b64decode(root, validate=True)

    def climb(self):
        """The root that the record and the hashes lead to (RFC 9162 §2.1.3.2)."""
        at, last, hashed = self.index, self.size - 1, leaf(self.record)
        for other in self.hashes:
            assert last > 0
            if at & 1 or at == last:
                hashed = node(other, hashed)
                while not at & 1 and at:
                    at, last = at >> 1, last >> 1
            else:
                hashed = node(hashed, other)
            at, last = at >> 1, last >> 1
        assert last == 0
        return hashed


def test_every_record_can_be_proven(log, tmp_path, packages):
    file = tmp_path / "record.tlog-proof"
    proofs = []
    for seq, (_, _, line) in enumerate(log.lines(), 1):
        audit("prove", log.directory, seq, "-o", file, status=0)
        proof = Proof(file.read_text())
        assert (proof.record, proof.index, proof.origin) == (line, seq - 1, ORIGIN)
        assert proof.climb() == proof.root == log.roots()[proof.size] if seq % 10 == 0 else proof.climb() == proof.root
        proofs.append({"line": base64.b64encode(line).decode(), "index": proof.index,
                       "hashes": [base64.b64encode(hashed).decode() for hashed in proof.hashes], "note": proof.note})
    assert judge(packages, log.vkey + "\n", proofs) == [None] * len(proofs), "so says a program that is not ours"


def test_proof_needs_nothing_but_the_key(log, tmp_path):
    intent = next(record for record in records(log) if record["stage"] == "intent")
    file = tmp_path / "record.tlog-proof"
    file.write_text(audit("prove", log.directory, intent["request_id"], "--stage", "intent", status=0).out)
    vkey = log.vkey
    shutil.rmtree(log.directory)
    done = audit("verify-proof", file, "--key", vkey, status=0)
    assert f"good, record {intent['seq']} of {ORIGIN}" in done.out and intent["request_id"] in done.out
    said = json.loads(audit("verify-proof", file, "--key", vkey, "--json", status=0).out)
    assert said["good"] and said["seq"] == intent["seq"] and json.loads(said["record"]) == intent
    key = tmp_path / "log.vkey"
    key.write_text(vkey)
    audit("verify-proof", file, "--key", key, status=0)
    assert audit("verify-proof", file, "--key", Signer(ORIGIN).vkey, status=1).out == ""


def test_a_proof_that_was_changed(log, tmp_path):
    file = tmp_path / "record.tlog-proof"
    text = audit("prove", log.directory, 12, status=0).out
    other = audit("prove", log.directory, 13, status=0).out
    lines = text.split("\n")
    assert len(lines) > 8
    changes = {
        "record": "\n".join([lines[0], other.split("\n")[1], *lines[2:]]),
        "index": text.replace("\nindex 11\n", "\nindex 10\n"),
        "index beyond": text.replace("\nindex 11\n", "\nindex 11111\n"),
        "hash": "\n".join([*lines[:3], lines[4], lines[3], *lines[5:]]),
        "hash left out": "\n".join([*lines[:3], *lines[4:]]),
        "hash doubled": "\n".join([*lines[:4], *lines[3:]]),
        "size": text.replace(f"\n{ORIGIN}\n", f"\n{ORIGIN}\n1", 1),
        "signature": text[:-7] + ("A" if text[-7] != "A" else "B") + text[-6:],
        "version": text.replace("@v1", "@v2"),
        "no record": "\n".join([lines[0], *lines[2:]]),
        "no checkpoint": text.partition("\n\n")[0] + "\n\n",
        "nothing": "", "binary": "\0" * 100, "cut": text[: len(text) // 2],
    }
    for what, changed in changes.items():
        assert changed != text, what
        file.write_text(changed)
        done = audit("verify-proof", file, "--key", log.vkey, status=1)
        assert done.out == "" and done.err, what
        assert json.loads(audit("verify-proof", file, "--key", log.vkey, "--json", status=1).out)["good"] is False


def test_prove_asks_which(log):
    intent = next(record for record in records(log) if record["stage"] == "intent")
    done = audit("prove", log.directory, intent["request_id"], status=2)
    assert f"{intent['seq']} (intent), " in done.err and "--stage" in done.err
    assert "no record" in audit("prove", log.directory, "no-such-id", status=1).err
    assert "--key" not in audit("prove", log.directory, 999999, status=1).err


def test_prove_refuses_what_no_checkpoint_covers(log):
    for note in log.notes:
        if int(note.stem) >= 10:
            note.unlink()
    done = audit("prove", log.directory, 10, status=1)
    assert "no good checkpoint covers number 10 yet" in done.err and "checkpoint_seconds" in done.err and done.out == ""


def test_prove_refuses_a_log_that_was_changed(log):
    log.change(11)
    log.save()
    assert "audit verify" in audit("prove", log.directory, 11, status=1).err
    log.rechain().save()
    assert "damaged" in audit("prove", log.directory, 11, status=1).err


# stats

def test_stats(log):
    stats = json.loads(audit("stats", log.directory, "--json", status=0).out)
    stages = [record["stage"] for record in records(log)]
    assert stats["stages"] == {stage: stages.count(stage) for stage in set(stages)}
    assert stats["records"] == stats["last_seq"] == log.size and stats["segments"] == len(log.names)
    assert stats["bytes"] == sum(path.stat().st_size for path in log.directory.glob("*.jsonl"))
    assert stats["first_time"] == records(log)[0]["time"] and stats["last_time"] == records(log)[-1]["time"]
    assert stats["keys"] == [log.vkey] and stats["newest_checkpoint"]["size"] == log.size
    assert stats["open_intents"] == {} and stats["principals"]["viewer"] == 6
    out = audit("stats", log.directory, status=0).out
    assert log.vkey in out and "open intents  0" in out
    intent = next(record for record in records(log) if record["stage"] == "intent")
    for lines in log.segments.values():
        lines[:] = [line for line in lines if b'"stage":"outcome"' not in line]
    stats = json.loads(audit("stats", log.save().directory, "--json", status=0).out)
    assert stats["open_intents"][intent["request_id"]] == intent["time"]


# verify beside a gate that runs, dies, and starts again

def test_verify_while_the_gate_writes(make_gate, sandbox):
    gate = make_gate(sandbox)
    for _ in range(5):
        gate.request(UPDATE.method, UPDATE.target, UPDATE.token, body=UPDATE.body)
    done = audit("verify", gate.audit_directory, status=0)
    assert "not yet covered by a checkpoint" in done.out
    gate.kill()
    audit("verify", gate.audit_directory, status=0)
    notes = len(list((gate.audit_directory / "checkpoints").iterdir()))
    gate.start()
    wait_until(lambda: len(list((gate.audit_directory / "checkpoints").glob("*.note"))) > notes, what="the checkpoint of the start")
    audit("verify", gate.audit_directory, status=0)
    gate.stop()
    done = audit("verify", gate.audit_directory, status=0)
    assert "not yet covered" not in done.out


def test_an_incomplete_last_line_is_being_written(make_gate, sandbox):
    gate = make_gate(sandbox)
    gate.request(UPDATE.method, UPDATE.target, UPDATE.token, body=UPDATE.body)
    wait_until(lambda: any(gate.audit_directory.glob("checkpoints/*.note")), what="the first checkpoint")
    gate.kill()
    with open(gate.segments()[-1], "ab") as segment:
        segment.write(b'{"body":')
    done = audit("verify", gate.audit_directory, status=0)
    assert "incomplete line" in done.out


def test_lines_that_wait_too_long_for_a_checkpoint(log):
    """A day of records and no checkpoint: those that covered them may have been taken away."""
    log.change(log.size - 1, rb'"time":"....', b'"time":"2999')
    signer = Signer(ORIGIN)
    last = log.names[-1]
    log.segments[last] = [line for line in log.segments[last] if b'"stage":"stop"' not in line]
    log.rechain().save().resign(signer)
    for note in log.notes[-3:]:
        note.unlink()
    report = log.verify()
    assert [kind for kind, _, _ in found(report)] == ["unsigned"] and "--uncovered" in report["findings"][0]["message"]
    assert log.verify("--uncovered", "999999d")["good"]


def without_the_oldest(log, record=True, root=None, signer=None):
    """A log whose first two segments were removed by the gate."""
    signer = signer or Signer(ORIGIN)
    first = log.names[2]
    last_seq = json.loads(log.segments[first][0])["seq"] - 1
    if record:
        removed = {"count": 3, "first_seq": 1, "last_seq": last_seq, "prev": "0" * 64, "root": root or log.roots()[last_seq].hex(),
                   "segment": log.names[1], "seq": 1, "stage": "removed", "time": "2026-01-01T00:00:00.000000Z"}
        log.segments[log.names[-1]].insert(1, json.dumps(removed, separators=(",", ":")).encode())
    log.rechain().resign(signer)
    for name in log.names[:2]:
        del log.segments[name]
    log.save()
    for note in log.notes:
        if int(note.stem) < last_seq:
            note.unlink()
    return first, last_seq


def test_a_log_whose_oldest_segments_were_removed(log):
    first, last_seq = without_the_oldest(log)
    report = log.verify()
    assert report["good"], report
    assert found(report, damage=False) == [("begins-later", first, 1)]
    assert report["first_seq"] == last_seq + 1
    text = audit("prove", log.directory, last_seq + 3, status=0).out
    assert Proof(text).climb() == Proof(text).root


def test_oldest_segments_removed_without_a_record(log):
    first, _ = without_the_oldest(log, record=False)
    assert found(log.verify()) == [("missing", first, 1)]


def test_oldest_segments_removed_with_a_record_of_others(log):
    without_the_oldest(log, root="ab" * 32)
    assert [kind for kind, _, _ in found(log.verify())] == ["header"]


def test_a_checkpoint_kept_elsewhere_of_what_was_removed(log, tmp_path):
    old = tmp_path / "old.note"
    signer = Signer(ORIGIN)
    without_the_oldest(log, signer=signer)
    old.write_text(signer.checkpoint(4, log.roots()[4]))
    report = log.verify("--key", Signer(ORIGIN).vkey, "--key", signer.vkey, "--checkpoint", old)
    assert found(report) == [("unproven", str(old), 0)] and "removed" in report["findings"][0]["message"], report


# What records hold

def test_nothing_of_a_record_reaches_a_terminal_as_control_characters(log):
    """Escaped as the gate writes it, and raw as a forger may."""
    name, number = log.place(6)
    line = json.loads(log.segments[name][number - 1])
    for raw in (False, True):
        line.update(principal=HOSTILE, operation=HOSTILE, request_id="hostile", stage="intent" + HOSTILE, resource=HOSTILE)
        text = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        if raw:
            text = text.replace(b"\\u001b", b"\x1b").replace(b"\\u0007", b"\x07").replace("\u202e".encode(), b"\xff")
        log.segments[name][number - 1] = text
        log.save()
        for words in (["query", log.directory], ["query", log.directory, "--json"], ["show", log.directory, "hostile"],
                      ["show", log.directory, "hostile", "--json"], ["stats", log.directory], ["stats", log.directory, "--json"],
                      ["verify", log.directory], ["verify", log.directory, "--json"], ["prove", log.directory, "hostile"]):
            shown = on_terminal(*words)
            assert shown, words
            text = shown.decode("utf-8")  # no broken sequences either
            controls = {c for c in text if (ord(c) < 0x20 and c != "\n") or 0x7f <= ord(c) < 0xa0 or c == "\u202e"}
            assert not controls, (words, controls)


def test_json_is_the_records_bytes(log):
    out = subprocess.run([str(BUILD / "portcullis"), "audit", "query", str(log.directory), "--json"], capture_output=True, timeout=PATIENCE, check=True)
    assert out.stdout == b"".join((log.directory / name).read_bytes() for name in log.names)


def test_progress_is_for_terminals_alone(log):
    assert audit("verify", log.directory, status=0).err == ""
    assert b"[" not in on_terminal("verify", log.directory).split(b"\n")[0], "nothing is drawn for what takes a moment"


def test_output_that_cannot_be_written_is_not_success(log):
    for words in (["query", log.directory, "--json"], ["verify", log.directory], ["stats", log.directory], ["prove", log.directory, "3"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([str(BUILD / "portcullis"), "audit", *map(str, words)], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
        assert done.returncode == 2, words
