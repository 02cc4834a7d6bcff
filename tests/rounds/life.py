"""The life of a gate and its journal through many storms, some of which it does not survive; and what is looked at after each."""

import asyncio
import collections
import copy
import dataclasses
import json
import pathlib
import random
import re
import signal
import sys

sys.dont_write_bytecode = True
TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / name) for name in ("rounds", "flow", "soak", "crash")]

import promises  # noqa: E402
import storm  # noqa: E402
import world  # noqa: E402
from clock import Clock  # noqa: E402
from processes import PATIENCE, ROOT, Gate, Sandbox, wait_until  # noqa: E402
from rounds import require  # noqa: E402
from soak import Client  # noqa: E402
from storm import FUSE, PER_PRINCIPAL, WINDOW_S, People, Storm  # noqa: E402
from world import CREATE  # noqa: E402

# Where a change can be when the gate dies: read from where they are written down. Others are the crash matrix's.
POINTS = re.findall(r"^ \*   ((?:exchange|journal)-[a-z-]+) ", (ROOT / "proxy" / "base" / "fault_point.h").read_text(), re.MULTILINE)


@dataclasses.dataclass
class History:
    attempts: list = dataclasses.field(default_factory=list)
    words: list = dataclasses.field(default_factory=list)
    asked: dict = dataclasses.field(default_factory=dict)  # approval -> the requests that were told of it


class Life:
    def __init__(self, directory, seed):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.dice = random.Random(seed)
        self.clock = Clock(self.directory)
        self.sandbox = Sandbox(self.directory, fixtures=world.FIXTURES).start()
        self.sandbox.fault({"delay_ms": 20}, match={"header": {"x-slow": "1"}}, count=0)
        self.sandbox.fault({"close": "after-read", "effect": True}, match={"header": {"x-lose": "1"}}, count=0)
        self.gate = Gate(self.directory, self.sandbox, storm.policy(), {
            "approvals": {"listen": "127.0.0.1:0"}, "audit": {"segment_bytes": 65536, "checkpoint_records": 100, "checkpoint_seconds": 1}})
        self.history = History()
        self.number = 0
        self.first = 0  # of the attempts of the round
        self.happened = collections.Counter()
        self.books = None
        self.start()

    def close(self):
        if self.gate.alive():
            self.gate.kill()
        self.sandbox.stop()

    def start(self, point=None):
        self.gate.extra_environment = {**self.clock.environment, "PORTCULLIS_TEST_READER": "read-only-key-of-the-gate-0001",
                                       **({"PORTCULLIS_FAULT": point} if point else {})}
        self.gate.start()

    def round(self, end=None):
        """`end`: None: the gate lives; "kill": it dies at some moment; "<point>:<n>": there, if it comes there."""
        self.number += 1
        self.first = len(self.history.attempts)
        said = self.gate.stderr()
        if end in (None, "kill") or self.begin(end):
            tempest = Storm(self.gate, self.sandbox, self.clock, self.dice, self.history, self.number)
            asyncio.run(tempest.run(dies=end == "kill"))
        if end is not None:
            self.bury(end, said)
        self.books = wait_until(self.settled, seconds=PATIENCE + 30, what="an end of each intent")
        promises.keep(self.books)
        asyncio.run(self.progress())
        self.books = wait_until(self.settled, what="an end of each intent")
        self.count(promises.keep(self.books), end)
        if self.dice.random() < 0.5:
            self.clock.move(601)

    def begin(self, point):
        """Another life, which ends at that point; False when it has ended before anybody could come."""
        self.gate.stop()
        try:
            self.start(point)
        except AssertionError:
            require(not self.gate.alive(), "it does not start", self.gate.stderr()[-3000:])
            return False
        return True

    def bury(self, end, said):
        """It died as it should, or is killed now; what it leaves is served by another."""
        if self.gate.alive() and end != "kill":
            self.gate.process.kill()
        status = self.gate.wait(PATIENCE)
        require(status == -signal.SIGKILL, "the gate ended by itself", status, self.gate.stderr()[len(said):])
        self.gate.checked = True
        self.happened["deaths"] += 1
        self.start()

    def settled(self):
        """The books, once each intent has an end that is known; or None."""
        books = promises.Books(self.gate, self.sandbox, self.history)
        known = {identity for identity, record in books.stages["outcome"].items() if record.get("result") != "unknown"}
        return books if books.stages["intent"].keys() <= known | books.stages["reconciled"].keys() else None

    # What may pass does.

    async def progress(self):
        """In the calm after it: everything is possible again that should be, in the number that should be."""
        self.number += 1
        calm = Storm(self.gate, self.sandbox, self.clock, self.dice, self.history, self.number, most=0)
        await calm.prepare()
        client, people = Client(self.gate), People(self.gate)
        try:
            await self.again(calm, client)
            await self.updates(calm, client)
            await self.keys(calm, client)
            await self.breaker(calm, client, people)
            await self.approved(calm, client, people)
        finally:
            client.close()
            people.close()

    async def again(self, calm, client):
        """Whoever got no answer, or one that says nothing, sends the same again under the same key."""
        for attempt in self.fresh():
            if attempt.key and (attempt.status is None or attempt.status >= 500):
                body = None if attempt.body is None else json.loads(attempt.body)
                await calm.attempt(client, attempt.principal, attempt.operation, attempt.target, body, attempt.key)

    def fresh(self):
        """The attempts of this round's storm."""
        return [attempt for attempt in self.history.attempts if attempt.number >= self.first]

    @staticmethod
    def renamed(calm, name):
        which = calm.integrations[0]
        return calm.target(which), {"data": {"id": which, "type": "integration", "attributes": {"profile_name": name}}}

    async def updates(self, calm, client):
        """Exactly as many as there are units."""
        self.clock.move(WINDOW_S + 1)
        got = [await calm.attempt(client, "updater", "updateIntegration", *self.renamed(calm, f"renamed {self.number} {index}")) for index in range(PER_PRINCIPAL + 1)]
        require([one.status for one in got] == [200] * PER_PRINCIPAL + [429], "the budget after the storm", got)

    async def keys(self, calm, client):
        self.clock.move(WINDOW_S + 1)
        key = f"calm-{self.number}"
        got = [await calm.attempt(client, "updater", "updateIntegration", *self.renamed(calm, f"by key {self.number}"), key) for _ in range(2)]
        require([one.status for one in got] == [200, 200] and got[1].replay_of == got[0].request_id, "a key after the storm", got)

    async def breaker(self, calm, client, people):
        which = calm.integrations[2]
        body = copy.deepcopy(world.SETTINGS_BODY)
        body["data"]["id"] = which

        async def once():
            return await calm.attempt(client, "setter", "updateIntegrationSettings", calm.target(which, "/settings"), body)

        got = [await once() for _ in range(FUSE + 1)]
        require(got[-1].status == 429, "more than the breaker lets pass", got)
        self.clock.move(7200)
        require((await once()).status == 429, "the breaker opened by itself")
        status, told = await calm.say(people, "viewer", "POST", "/breakers/fuse", "fuse", "The cause is known.")
        require(status == 200, "the breaker cannot be reset", status, told)
        require((await once()).status == 200, "the breaker stays shut")

    async def approved(self, calm, client, people):
        """Asked once, given by two, passes once."""
        self.clock.move(601)
        body = copy.deepcopy(world.CREATE_BODY)
        body["data"]["attributes"]["profile_name"] = f"calm {self.number}"

        async def once():
            return await calm.attempt(client, "creator", "createIntegration", CREATE.target, body)

        asked = [await once() for _ in range(3)]
        require({one.error for one in asked} == {"approval-required"} and len({one.meta["approval"] for one in asked}) == 1, "asked once", asked)
        approval = asked[0].meta["approval"]
        for given, principal in enumerate(("viewer", "held"), 1):
            status, told = await calm.say(people, principal, "POST", f"/approvals/{approval}", approval)
            require(status == 200, "nobody can agree", status, told)
            if given == 1:
                require((await once()).meta["given"] == "1", "one of two has agreed")
        passed, again = await once(), await once()
        require(passed.status == 201, "approved, and it does not pass", passed)
        require(again.error == "approval-required" and again.meta["approval"] != approval, "approved once, and it passes twice", again)

    # What came to pass, so that nobody takes an empty street for a safe one.

    def count(self, used, end):
        happened = self.happened
        happened["rounds"] += 1
        books = self.books
        happened["attempts"] = len(self.history.attempts)
        for attempt in self.fresh():
            if attempt.error is not None:
                happened[f"refused: {attempt.error}"] += 1
            happened["replayed"] += attempt.replay_of is not None
            happened["unanswered"] += attempt.status is None
            happened["sent, and unanswered"] += attempt.status is None and attempt.number in books.numbers
        happened["sent"] = len(books.sent)
        happened["approvals used"] = len(used)
        happened["intents that were not sent"] = len(books.stages["intent"].keys() - books.sent.keys())
        happened["found out afterwards"] = len(books.stages["reconciled"])
        results = collections.Counter(record["result"] for records in books.approvals.values() for record in records)
        for name in ("requested", "given", "withdrawn", "void"):
            happened[f"approvals {name}"] = results[name]
        for name in ("tripped", "reset"):
            happened[f"breaker {name}"] = len([record for record in books.breaker if record["result"] == name])
        happened[f"end: {(end or 'none').partition(':')[0]}"] += 1
