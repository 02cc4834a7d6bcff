"""One storm: clients, people and somebody who changes things behind the gate, all at once; and what each of them saw.

The storm knows nothing of what is right. It writes down each attempt with the time at which it began and ended, by the clock that the gates
go by, and promises.py holds that against what the upstream saw and what the journal says.
"""

import asyncio
import copy
import dataclasses
import json
import pathlib
import re
import sys

sys.dont_write_bytecode = True
TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "flow"), str(TESTS / "soak"), str(TESTS / "crash")]

import world  # noqa: E402
from soak import Client, Closed, message  # noqa: E402
from world import CREATE, INTEGRATIONS, PAYMENTS, TOKENS, VERSION  # noqa: E402

APPROVERS = ("viewer", "undeleter", "held", "deleter")
OWNED = {"deleter": {"deleter", "held"}, "creator": {"creator"}}  # whose agreement does not count: the requester's people
REQUEST_ID = re.compile(rb"\r\nportcullis-request-id: ([^\r]+)", re.IGNORECASE)
REPLAY_OF = re.compile(rb"\r\nportcullis-replay-of: ([^\r]+)", re.IGNORECASE)

# What the storm's policy says; promises.py counts by the same numbers.
APPROVAL = {"deleteIntegration": (1, 600), "createIntegration": (2, 600)}  # people, seconds
PER_PRINCIPAL, PER_ORGANIZATION, WINDOW_S = 3, 4, 60
FUSE, FUSE_WINDOW_S = 4, 3600


def policy():
    def rule(name, operations, **more):
        return {"id": name, "reason": f"So says {name}.", "operations": operations, **more}

    document = world.policy(rules=[
        rule("locked", ["deleteIntegration"], deny=True, when=[{"at": "/integration/attributes/profile_name", "matches": "^locked"}]),
        rule("one-person", ["deleteIntegration"], require={"approval": {"people": 1, "seconds": APPROVAL["deleteIntegration"][1]}}),
        rule("two-people", ["createIntegration"], require={"approval": {"people": 2, "seconds": APPROVAL["createIntegration"][1]}}),
        rule("few", ["updateIntegration"], budget={"requests": PER_PRINCIPAL, "seconds": WINDOW_S, "each": "principal"}),
        rule("shared", ["updateIntegration"], budget={"requests": PER_ORGANIZATION, "seconds": WINDOW_S, "each": "organization"}),
        rule("fuse", ["updateIntegrationSettings"], budget={"requests": FUSE, "seconds": FUSE_WINDOW_S, "each": "gate", "until": "reset"}),
    ], reconcile={"upstream_token": {"env": "PORTCULLIS_TEST_READER"}, "settle_seconds": 1, "retry_seconds": 1, "deadline_seconds": 30})
    for grant in document["organizations"][PAYMENTS]["grants"]:
        if grant["principal"] in APPROVERS:
            grant["permissions"] = [*grant.get("permissions", []), "portcullis.approve"]
    document["organizations"]["*"]["grants"].append({"principal": "viewer", "permissions": ["portcullis.approve"]})
    document["principals"]["deleter"]["owners"] = ["held"]
    return document


@dataclasses.dataclass(repr=False)
class Attempt:
    """A change as a client tried it."""
    number: int      # in its header X-Attempt, which the upstream's ledger shows
    principal: str
    operation: str
    method: str
    target: str
    body: str | None
    key: str | None
    began: float
    ended: float | None = None
    status: int | None = None  # None: no answer came
    request_id: str | None = None
    replay_of: str | None = None
    content: object = None
    lost: bool = False         # the upstream closed without an answer, because the storm told it to

    @property
    def request(self):
        """What makes two of them the same request."""
        return self.principal, self.method, self.target, self.body

    def __str__(self):
        return (f"<{self.number}: {self.principal} {self.operation} {self.target.rpartition('/')[2][:8]} key {self.key}: {self.status} {self.error}, "
                f"{self.request_id}{', replay' * bool(self.replay_of)}, {self.began:.3f}-{self.ended or 0:.3f}>")

    __repr__ = __str__

    @property
    def error(self):
        """The gate's code of the refusal, without what they have in common."""
        if self.status is None or self.status < 400 or not isinstance(self.content, dict):
            return None
        return self.content["errors"][0].get("code", "").removeprefix("portcullis-") or None

    @property
    def meta(self):
        return self.content["errors"][0].get("meta", {})


@dataclasses.dataclass
class Word:
    """What a person said about an approval or a breaker: POST gives or resets, DELETE takes back."""
    principal: str
    method: str
    of: str
    began: float
    ended: float | None = None
    status: int | None = None


class People(Client):
    """A connection to the listener for approvals."""

    async def open(self):
        if self.writer is None:
            host, _, port = json.loads(self.gate.port_file.read_text())["approvals"].rpartition(":")
            self.reader, self.writer = await asyncio.open_connection(host, int(port))


class Storm:
    """`history` is that of the gate's whole life: attempts, words, approvals by the request that they were asked for."""

    def __init__(self, gate, sandbox, clock, dice, history, number, most=None):
        self.gate, self.sandbox, self.clock, self.dice, self.history, self.number = gate, sandbox, clock, dice, history, number
        self.left = most or dice.randint(16, 48)
        self.keys = [f"key-{number}-{index}" for index in range(3)] + [f"key-{dice.randint(max(0, number - 3), number)}-0"]
        self.integrations = []
        self.over = False

    # What exists before it.

    async def prepare(self):
        """Two integrations of its own, and one that must not be deleted."""
        client = Client(self.sandbox)
        for name in ("one", "two", "locked"):
            body = copy.deepcopy(world.CREATE_BODY)
            body["data"]["attributes"]["profile_name"] = f"{name} {self.number}"
            await client.send(message("POST", CREATE.target, "nature", body=body))
            status, _, answered = await client.answer()
            assert status == 201, (status, answered)
            self.integrations.append(json.loads(answered)["data"]["id"])
        client.close()

    # Clients.

    async def attempt(self, client, principal, operation, target, body=None, key=None, fields=()):
        """Tries it and writes down what came of it. Raises Closed when there is no answer."""
        known = world.BY_ID[operation]
        made = Attempt(len(self.history.attempts), principal, operation, known.method, target, None if body is None else json.dumps(body), key,
                       self.clock.now(), lost=("X-Lose", "1") in fields)
        self.history.attempts.append(made)
        named = [("X-Attempt", str(made.number)), *fields] + ([("Idempotency-Key", key)] if key else [])
        await client.send(message(known.method, target, TOKENS[principal], named, body))
        status, head, answered = await client.answer()
        made.content = json.loads(answered) if answered else None
        made.request_id = REQUEST_ID.search(head)[1].decode()
        made.replay_of = (found := REPLAY_OF.search(head)) and found[1].decode()
        made.status, made.ended = status, self.clock.now()
        if made.error == "approval-required":
            self.history.asked.setdefault(made.meta["approval"], set()).add(made.request)
        return made

    def target(self, integration, more=""):
        return f"{INTEGRATIONS}/{integration}{more}?version={VERSION}"

    def fields(self):
        """Some take longer, and of some the upstream's answer is lost."""
        kind = self.dice.random()
        return [("X-Lose", "1")] if kind < 0.02 else [("X-Slow", "1")] if kind < 0.4 else []

    async def one(self, client):
        dice = self.dice
        kind = dice.choices(("delete", "create", "update", "settings", "forbidden"), (5, 4, 5, 2, 1))[0]
        key = dice.choice(self.keys) if dice.random() < 0.5 else None
        fields = self.fields()
        if kind == "delete":
            # Again and again until it passes or is refused for good: an agent that does not give up.
            which, principal = dice.choice(self.integrations), dice.choice(("deleter", "deleter", "editor"))
            for _ in range(dice.randint(1, 4)):
                made = await self.attempt(client, principal, "deleteIntegration", self.target(which), key=key, fields=fields)
                if made.error not in ("approval-required", "twin-in-flight", "key-in-flight"):
                    break
                await asyncio.sleep(dice.uniform(0, 0.02))
        elif kind == "create":
            body = copy.deepcopy(world.CREATE_BODY)
            body["data"]["attributes"]["profile_name"] = f"made {self.number} {dice.randint(0, 1)}"
            for _ in range(dice.randint(1, 4)):
                made = await self.attempt(client, "creator", "createIntegration", CREATE.target, body, key, fields)
                if made.error not in ("approval-required", "twin-in-flight", "key-in-flight"):
                    break
                await asyncio.sleep(dice.uniform(0, 0.02))
        elif kind == "update":
            which = dice.choice(self.integrations[:2])
            body = {"data": {"id": which, "type": "integration", "attributes": {"profile_name": f"name {self.number} {dice.randint(0, 3)}"}}}
            await self.attempt(client, dice.choice(("updater", "editor")), "updateIntegration", self.target(which), body, key, fields)
        elif kind == "settings":
            which = self.integrations[2]
            body = copy.deepcopy(world.SETTINGS_BODY)
            body["data"]["id"] = which
            body["data"]["attributes"]["container_app_scan_enabled"] = dice.random() < 0.5
            await self.attempt(client, "setter", "updateIntegrationSettings", self.target(which, "/settings"), body, key, fields)
        else:
            await self.attempt(client, dice.choice(("viewer", "updater", "nobody")), "deleteIntegration", self.target(dice.choice(self.integrations)),
                               key=key, fields=fields)

    async def client(self):
        client = Client(self.gate)
        while self.left > 0 and not self.over:
            self.left -= 1
            try:
                await self.one(client)
            except (Closed, OSError):
                client.close()
                self.over = self.over or not self.gate.alive()
            await asyncio.sleep(self.dice.uniform(0, 0.01))
        client.close()

    # People.

    async def say(self, people, principal, method, path, of, reason="Seen and agreed."):
        """Status and document of the answer."""
        word = Word(principal, method, of, self.clock.now())
        self.history.words.append(word)
        body = {"reason": reason}
        data = message(method, path, TOKENS[principal], body=body).replace(b"application/vnd.api+json", b"application/json")
        await people.send(data)
        word.status, _, answered = await people.answer()
        word.ended = self.clock.now()
        return word.status, json.loads(answered) if answered else None

    async def pending(self, people, principal):
        await people.send(message("GET", "/approvals", TOKENS[principal]))
        _, _, answered = await people.answer()
        return json.loads(answered)["data"]

    async def person(self, principal):
        """Agrees to what waits, mostly; and sometimes thinks better of it."""
        people = People(self.gate)
        while self.left > 0 and not self.over:
            try:
                waiting = [one["id"] for one in await self.pending(people, principal)]
                if waiting and self.dice.random() < 0.8:
                    approval = self.dice.choice(waiting)
                    await self.say(people, principal, "POST", f"/approvals/{approval}", approval)
                    if self.dice.random() < 0.15:
                        await asyncio.sleep(self.dice.uniform(0, 0.01))
                        await self.say(people, principal, "DELETE", f"/approvals/{approval}", approval, "I was wrong.")
                if principal == "viewer" and self.dice.random() < 0.1:
                    await self.say(people, principal, "POST", "/breakers/fuse", "fuse", "The cause is known.")
            except (Closed, OSError):
                people.close()
                self.over = self.over or not self.gate.alive()
            await asyncio.sleep(self.dice.uniform(0, 0.02))
        people.close()

    # Nature.

    async def nature(self):
        """Renames or deletes behind the gate's back, and moves the clock."""
        client = Client(self.sandbox)
        while self.left > 0 and not self.over:
            kind = self.dice.random()
            which = self.dice.choice(self.integrations[:2])
            if kind < 0.25:
                body = {"data": {"id": which, "type": "integration", "attributes": {"profile_name": f"by nature {self.dice.randint(0, 99)}"}}}
                await client.send(message("PATCH", self.target(which), "nature", body=body))
                await client.answer()
            elif kind < 0.27:
                await client.send(message("DELETE", self.target(which), "nature"))
                await client.answer()
            elif kind < 0.4:
                self.clock.move(self.dice.choice((1, 7, 20, 61, 61, 300)))
            elif kind < 0.43:
                self.clock.move(self.dice.choice((601, 3601, 86401)))
            await asyncio.sleep(self.dice.uniform(0, 0.03))
        client.close()

    async def death(self):
        """Kill -9 at some moment."""
        await asyncio.sleep(self.dice.uniform(0.01, 0.3))
        self.over = True
        if self.gate.alive():
            self.gate.process.kill()

    async def run(self, dies=False):
        await self.prepare()
        tasks = [self.client() for _ in range(8)] + [self.person(principal) for principal in APPROVERS] + [self.nature()]
        await asyncio.gather(*tasks, *([self.death()] if dies else []))
