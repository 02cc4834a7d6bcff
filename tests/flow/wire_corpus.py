"""The raw requests of tests/wire, and what Node's parser makes of such bytes."""

import base64
import functools
import json
import re
import subprocess
from dataclasses import dataclass

from processes import ROOT

PLACE = ROOT / "tests" / "wire"
# The bounds that expect.tsv is written for, as settings.
LIMITS = {"header_bytes": 2000, "header_fields": 20, "target_bytes": 300, "body_bytes": 1024}
UNFINISHED = ("idle", "head", "body")


@dataclass(frozen=True)
class Case:
    name: str
    outcome: str     # "complete", one of UNFINISHED, or the name of the fault
    left: int        # bytes behind the request
    content: bytes
    known: tuple     # behind the header: version, "keep" or "close", and more

    @property
    def accepted(self):
        return self.outcome == "complete"

    @property
    def data(self):
        return (PLACE / f"{self.name}.http").read_bytes()

    def __str__(self):
        return self.name


def expand(text):
    """Undoes \\xNN and {text*N}; "-" alone is nothing."""
    if text == "-":
        return b""
    text = re.sub(r"\{([^{}]*)\*(\d+)\}", lambda match: match[1] * int(match[2]), text)
    return re.sub(r"\\x([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), text).encode("latin-1")


@functools.cache
def cases():
    rows = [line.split("\t") for line in (PLACE / "expect.tsv").read_text().splitlines() if line and line[0] != "#"]
    return [Case(name, outcome, int(left), expand(content), tuple(known.split())) for name, outcome, left, content, known in rows]


def accepted():
    return [case for case in cases() if case.accepted]


@functools.cache
def differences():
    """Name and reason of each case that Node refuses and the gate accepts."""
    rows = [line.split("\t") for line in (PLACE / "llhttp.tsv").read_text().splitlines() if line and line[0] != "#"]
    return {name: reason for name, reason in rows}


@dataclass(frozen=True)
class Reading:
    """A request as Node reads it."""
    method: str
    target: bytes
    version: str
    fields: tuple    # of name and value
    body: bytes
    keep: bool


def node(requests):
    """{name: (requests, refusal)} for (name, bytes): the whole requests that Node read, and why it refused the rest or None."""
    given = json.dumps([[name, base64.b64encode(data).decode()] for name, data in requests])
    done = subprocess.run(["node", PLACE / "llhttp.js"], input=given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    read = {}
    for name, result in json.loads(done.stdout)["results"].items():
        whole = [Reading(one["method"], base64.b64decode(one["target"]), one["version"],
                         tuple((field, base64.b64decode(value)) for field, value in one["fields"]), base64.b64decode(one["body"]), one["keep"])
                 for one in result["requests"] if one["whole"]]
        read[name] = whole, result["refused"]
    return read
