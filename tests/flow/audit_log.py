"""A journal as somebody with an editor sees it who has no key: segments as lists of lines, to be changed, hashed anew and written back.
Hashes and tree are made here, by the letter of RFC 6962, and not by the program under test."""

import base64
import hashlib
import json
import re
import shutil
import subprocess

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from processes import BUILD, PATIENCE

DASH = "\N{EM DASH} "
ZEROS = "0" * 64


def leaf(line):
    return hashlib.sha256(b"\0" + line).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def grow(edge, size, hashed):
    """The edge of a tree of `size` leaves, one leaf more."""
    edge = list(edge)
    while size & 1:
        hashed = node(edge.pop(), hashed)
        size >>= 1
    return edge + [hashed]


def root(edge):
    if not edge:
        return hashlib.sha256(b"").digest()
    hashed = edge[-1]
    for left in reversed(edge[:-1]):
        hashed = node(left, hashed)
    return hashed


class Signer:
    """A key that signs notes, as C2SP's signed-note has it."""

    def __init__(self, name):
        self.name = name
        self.key = Ed25519PrivateKey.generate()
        self.public = b"\1" + self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = hashlib.sha256(name.encode() + b"\n" + self.public).digest()[:4]

    @property
    def vkey(self):
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(self.public).decode()}"

    def sign(self, text):
        signature = base64.b64encode(self.id + self.key.sign(text.encode())).decode()
        return f"{text}\n{DASH}{self.name} {signature}\n"

    def checkpoint(self, size, hashed, origin=None):
        return self.sign(f"{origin or self.name}\n{size}\n{base64.b64encode(hashed).decode()}\n")


def audit(*words, status=None, **options):
    """Runs `portcullis audit`."""
    done = subprocess.run([str(BUILD / "portcullis"), "audit", *map(str, words)], capture_output=True, timeout=PATIENCE, check=False, **options)
    done.out, done.err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode in (0, 1, 2), (done.returncode, done.out, done.err)
    assert status is None or done.returncode == status, (done.returncode, done.out, done.err)
    return done


class Log:
    """A copy of a journal. `segments` maps names to lists of lines (bytes, no newlines)."""

    def __init__(self, source, directory):
        self.directory = directory
        shutil.copytree(source, directory)
        self.segments = {path.name: path.read_bytes().split(b"\n")[:-1] for path in sorted(directory.glob("*.jsonl"))}

    # What is there.

    @property
    def names(self):
        return sorted(self.segments)

    def lines(self):
        """All of them: (segment, number of the line from 1, bytes)."""
        return [(name, number, line) for name in self.names for number, line in enumerate(self.segments[name], 1)]

    def place(self, seq):
        """Segment and line number of a record of the log as it was."""
        return next((name, number) for name, number, line in self.lines() if json.loads(line)["seq"] == seq)

    @property
    def size(self):
        return len(self.lines())

    @property
    def notes(self):
        return sorted((self.directory / "checkpoints").glob("*.note"))

    def note(self, size):
        return self.directory / "checkpoints" / f"{size:016}.note"

    @property
    def vkey(self):
        return (self.directory / "verifier.vkey").read_text().strip()

    # What is done to it.

    def save(self):
        for path in self.directory.glob("*.jsonl"):
            path.unlink()
        for name, lines in self.segments.items():
            (self.directory / name).write_bytes(b"".join(line + b"\n" for line in lines))
        return self

    def change(self, seq, pattern=rb'"time":"(....)', by=rb'"time":"1999'):
        """Changes the text of a record."""
        name, number = self.place(seq)
        line = self.segments[name][number - 1]
        changed = re.sub(pattern, by, line, count=1)
        assert changed != line
        self.segments[name][number - 1] = changed
        return name, number

    def rechain(self):
        """Gives every line its number, `prev`, and every header its edge, as a gate would have."""
        edge, before = [], ZEROS
        for size, (name, number, line) in enumerate(self.lines()):
            line = re.sub(rb'"prev":"[0-9a-f]{64}"', f'"prev":"{before}"'.encode(), line, count=1)
            line = re.sub(rb'"seq":\d+', b'"seq":%d' % (size + 1), line, count=1)
            if b'"stage":"segment"' in line:
                line = re.sub(rb'"edge":\[[^]]*\]', b'"edge":' + json.dumps([hashed.hex() for hashed in edge]).replace(" ", "").encode(), line)
                line = re.sub(rb'"first_seq":\d+', b'"first_seq":%d' % (size + 1), line)
                line = re.sub(rb'"tree_size":\d+', b'"tree_size":%d' % size, line)
            self.segments[name][number - 1] = line
            hashed = leaf(line)
            edge, before = grow(edge, size, hashed), hashed.hex()
        return self

    def roots(self):
        """The root of the tree of each size."""
        edge, roots = [], [root([])]
        for size, (_, _, line) in enumerate(self.lines()):
            edge = grow(edge, size, leaf(line))
            roots.append(root(edge))
        return roots

    def resign(self, signer):
        """Signs every checkpoint anew, by another key, and puts that in the place of the journal's."""
        roots = self.roots()
        for note in self.notes:
            size = int(note.stem)
            note.unlink()
            if size < len(roots):
                note.write_text(signer.checkpoint(size, roots[size]))
        self.note(self.size).write_text(signer.checkpoint(self.size, roots[-1]))
        (self.directory / "verifier.vkey").write_text(signer.vkey + "\n")
        return self

    # What the verifier says.

    def verify(self, *options, path=None):
        done = audit("verify", path or self.directory, "--json", *options)
        assert done.returncode in (0, 1), done.err
        report = json.loads(done.out)
        assert report["good"] is (done.returncode == 0), report
        assert report["good"] is (report["damages"] == 0), report
        return report


def found(report, damage=True):
    """The findings as (kind, file, line)."""
    return [(finding["kind"], finding["file"], finding["line"]) for finding in report["findings"] if finding["damage"] is damage]
