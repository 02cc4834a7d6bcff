"""The journal as evidence, judged by code that is not ours: a published verifier of transparency logs (npm: @sigstore/verify) and openssl. What
they are given is what lies in the journal's directory, and proofs made here as RFC 6962 §2.1.1 writes them down."""

import base64
import hashlib
import json
import subprocess

import pytest

from packages import SOURCE, packages  # noqa: F401
from world import OPERATIONS

DASH = "\N{EM DASH} "


class Log:
    """A journal's directory: the lines of all segments, the notes of all checkpoints (smallest first), the verifier's key."""

    def __init__(self, directory):
        text = b"".join(segment.read_bytes() for segment in sorted(directory.glob("*.jsonl")))
        assert text.endswith(b"\n")
        self.lines = text.split(b"\n")[:-1]
        self.notes = [note.read_bytes().decode() for note in sorted((directory / "checkpoints").glob("*.note"))]
        self.vkey = (directory / "verifier.vkey").read_text()

    def proof(self, index, note):
        """That the line is in the tree which the note has signed."""
        hashes = path(index, [leaf(line) for line in self.lines[:size_of(note)]])
        return {"line": encode(self.lines[index]), "index": index, "hashes": [encode(node) for node in hashes], "note": note}


def encode(data):
    return base64.b64encode(data).decode()


def size_of(note):
    return int(note.split("\n")[1])


def leaf(line):
    return hashlib.sha256(b"\0" + line).digest()


def split(hashes):
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return hashes[:half], hashes[half:]


def root(hashes):
    if len(hashes) == 1:
        return hashes[0]
    left, right = split(hashes)
    return hashlib.sha256(b"\1" + root(left) + root(right)).digest()


def path(index, hashes):
    if len(hashes) == 1:
        return []
    left, right = split(hashes)
    return path(index, left) + [root(right)] if index < len(left) else path(index - len(left), right) + [root(left)]


def judge(place, vkey, proofs):
    done = subprocess.run(["node", SOURCE / "tlog.js", place], input=json.dumps({"vkey": vkey, "proofs": proofs}), capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def log(make_gate, sandbox):
    """What two lives of a gate leave behind, with a checkpoint after every few records."""
    gate = make_gate(sandbox, config={"audit": {"origin": "portcullis/gate.example", "checkpoint_records": 4}})
    for _ in range(2):
        for operation in OPERATIONS:
            gate.request(operation.method, operation.target, operation.token, body=operation.body)
        gate.stop()
        gate.start()
    gate.stop()
    return Log(gate.audit_directory)


def test_every_line_is_in_the_tree_that_was_signed(packages, log):
    assert len(log.notes) >= 3
    assert size_of(log.notes[-1]) == len(log.lines), "the last checkpoint covers all"
    proofs = [log.proof(index, note) for note in log.notes for index in range(size_of(note))]
    assert judge(packages, log.vkey, proofs) == [None] * len(proofs)


def test_what_was_changed_is_not(packages, log):
    note = log.notes[-1]
    proofs = [log.proof(index, note) for index in range(size_of(note))]
    origin, size, _, rest = note.split("\n", 3)
    changed = {
        "a line": {**proofs[3], "line": encode(log.lines[3].replace(b"Z", b"z", 1))},
        "another line": {**proofs[3], "line": proofs[4]["line"]},
        "another place": {**proofs[3], "index": 2},
        "a proof too long": {**proofs[3], "hashes": [*proofs[3]["hashes"], proofs[0]["hashes"][0]]},
        "another root": {**proofs[3], "note": f"{origin}\n{size}\n{encode(bytes(32))}\n{rest}"},
        "an older note": {**proofs[3], "note": log.notes[0]},
        "another origin": {**proofs[3], "note": "x" + note},
    }
    verdicts = dict(zip(changed, judge(packages, log.vkey, list(changed.values()))))
    assert all(verdicts.values()), verdicts
    other_key = "+".join(log.vkey.split("+")[:2]) + "+" + encode(b"\1" + hashlib.sha256(b"another").digest())
    assert all(judge(packages, other_key, proofs))


def test_openssl_verifies_the_notes_by_the_key_alone(log, tmp_path):
    name, identity, key = log.vkey.strip().split("+", 2)
    key = base64.b64decode(key, validate=True)
    assert (name, key[0], len(key)) == ("portcullis/gate.example", 1, 33)
    assert hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8] == identity
    spki = encode(bytes.fromhex("302a300506032b6570032100") + key[1:])  # RFC 8410
    (tmp_path / "key.pem").write_text(f"-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n")
    for note in log.notes:
        text, signature = note.split(f"\n\n{DASH}{name} ")
        signature = base64.b64decode(signature.removesuffix("\n"), validate=True)
        assert signature[:4].hex() == identity
        (tmp_path / "signature").write_bytes(signature[4:])
        for content, verdict in ((text + "\n", 0), (text, 1), (text.replace("\n", "\n0", 1) + "\n", 1)):
            (tmp_path / "text").write_text(content)
            done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "text", "-sigfile", "signature"],
                                  cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == verdict, done
