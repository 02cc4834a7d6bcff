"""Reads what valgrind --tool=callgrind writes (with --compress-pos=no): instructions by function, and calls."""

import re
from collections import Counter
from dataclasses import dataclass, field

# "fn=(12) name", "fn=(12)"; a name stands with its first use.
NAMED = re.compile(r"(fn|cfn|ob|cob|fl|fi|fe|cfi|cfl)=\((\d+)\)(?: (.*))?$")
COST = re.compile(r"(?:0x[0-9a-f]+|\d+|\*) (\d+)$")


@dataclass
class Profile:
    own: Counter = field(default_factory=Counter)        # instructions in the function itself
    inclusive: Counter = field(default_factory=Counter)  # with what it calls
    calls: Counter = field(default_factory=Counter)      # how often it was called
    callers: Counter = field(default_factory=Counter)    # (caller, called)
    objects: dict = field(default_factory=dict)          # function -> file name of its program or library
    sources: dict = field(default_factory=dict)          # function -> its source file, "???" where that is not known

    @property
    def total(self):
        return sum(self.own.values())


class Reader:
    def __init__(self):
        self.profile = Profile()
        self.names = {"fn": {}, "ob": {}, "file": {}}
        self.function = self.called = self.object = self.source = None
        self.call_count = 0
        self.in_call = False

    def name(self, kind, number, text):
        table = self.names.get(kind[-2:], self.names["file"])
        if text is not None:
            table[number] = text.rsplit("/", 1)[-1] if kind.endswith("ob") else re.sub(r"'\d+$", "", text)
        return table[number]

    def line(self, line):
        if named := NAMED.match(line):
            kind, value = named[1], self.name(named[1], named[2], named[3])
            if kind == "fn":
                self.function = value
                self.profile.objects.setdefault(value, self.object)
                self.profile.sources.setdefault(value, self.source)
            elif kind == "cfn":
                self.called = value
            elif kind == "ob":
                self.object = value
            elif kind == "fl":
                self.source = value
        elif line.startswith("calls="):
            self.call_count = int(line[6:].split()[0])
            self.in_call = True
        elif cost := COST.match(line):
            self.cost(int(cost[1]))

    def cost(self, instructions):
        profile = self.profile
        profile.inclusive[self.function] += instructions
        if not self.in_call:
            profile.own[self.function] += instructions
            return
        profile.calls[self.called] += self.call_count
        profile.callers[self.function, self.called] += self.call_count
        self.in_call = False


def read(path):
    reader = Reader()
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            reader.line(line.rstrip("\n"))
    return reader.profile


def difference(fewer, more, requests):
    """Two profiles, by the requests between them."""
    result = Profile(objects={**fewer.objects, **more.objects}, sources={**fewer.sources, **more.sources})
    for name in ("own", "inclusive", "calls", "callers"):
        before, after, into = getattr(fewer, name), getattr(more, name), getattr(result, name)
        for key in set(before) | set(after):
            into[key] = (after[key] - before[key]) / requests
    return result
