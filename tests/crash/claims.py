"""What may be used only once, or only so often, across deaths: requests with Idempotency-Keys, budgets and a breaker of organisations that each
round makes up, and approvals that are asked for, given and used while the gate dies. What must hold each time:

 - the upstream's ledger has at most one change for each key and each approval, and for each budget no more than there is;
 - what was acknowledged is there: an answer is the answer that the key gets again, a request for approval waits, an agreement counts;
 - what is reserved is given back only where certainly nothing was sent, and what may pass does pass, as often as it may;
 - the claims that a start reads from the newest segment are those that all lines of the journal say.
"""

import asyncio
import collections
import copy
import json
import subprocess
import uuid

import world
from processes import BUILD
from soak import Client, message
from world import CREATE, INTEGRATIONS, PAYMENTS, TOKENS, VERSION, digest

SPEND, TRIP = 3, 2  # requests of the budget, and of the breaker
AGREED = {"reason": "That is how it is."}
MORE = {name: f"{name}-token-of-the-crash-rounds" for name in ("spender", "tripper")}
MOST_PENDING = 20
LATER, MOST_LATER = 0.5, 6
LEAVES = 0.3  # of the clients, so many do not wait for an answer: often nothing is sent then
LOOKED_AT = 3  # of each kind after each round


def policy(**changes):
    """The world's policy, with what makes requests claim something."""
    document = world.policy(rules=[
        {"id": "two", "reason": "Not alone.", "operations": ["deleteIntegration"], "principals": ["held"],
         "require": {"approval": {"people": 1, "seconds": 86400}}},
        {"id": "so-many", "reason": "Enough.", "principals": ["spender"], "budget": {"requests": SPEND, "seconds": 86400, "each": "organization"}},
        {"id": "shuts", "reason": "Too much.", "principals": ["tripper"],
         "budget": {"requests": TRIP, "seconds": 86400, "each": "organization", "until": "reset"}},
    ], **changes)
    everywhere = document["organizations"]["*"]["grants"]
    for name, token in MORE.items():
        document["principals"][name] = {"tokens": [digest(token)]}
        everywhere.append({"principal": name, "permissions": ["org.integration.create"]})
    everywhere.append({"principal": "viewer", "permissions": ["portcullis.approve"]})
    return document


class Failed(AssertionError):
    """A promise was not kept."""


def require(condition, what, *details):
    if not condition:
        raise Failed(f"{what}: {', '.join(str(detail)[:2000] for detail in details)}")


def named(name):
    body = copy.deepcopy(CREATE.body)
    body["data"]["attributes"]["profile_name"] = name
    return body


def create_in(organization):
    return f"/rest/orgs/{organization}/integrations?version={VERSION}"


class Removal:
    """A deletion that needs somebody's approval."""

    def __init__(self, target):
        self.target = target
        self.approval = None
        self.given = self.later = False


class Claims:
    """What clients asked for and were told, over all lives of a gate."""

    def __init__(self):
        self.budgets, self.breakers = collections.Counter(), collections.Counter()  # organisation -> how much may reach the upstream
        self.sent = collections.defaultdict(list)  # what -> request ids of the ledger's changes that are of it
        self.begin()

    def begin(self):
        """A new round: new names for everything."""
        self.keys = {}  # key -> the answers with a status below 400, as (status, request id, what it repeats, body)
        self.removals = []
        self.spent_in = [str(uuid.uuid4()) for _ in range(2)]
        self.tripped_in = [str(uuid.uuid4()) for _ in range(2)]
        self.budgets.update({organization: SPEND for organization in self.spent_in})
        self.breakers.update({organization: TRIP for organization in self.tripped_in})

    # ---- while the gate lives ----

    async def key(self, load, client):
        """The same request three times, as a client would that hears nothing; at times it did not wait for the first answer."""
        key = str(uuid.uuid4())
        answers = self.keys[key] = []
        if load.random.random() < LEAVES:
            await load.leave("POST", CREATE.target, "creator", named(f"key {key}"), {"Idempotency-Key": key})
        for _ in range(3):
            status, fields, body = await load.send(client, "POST", CREATE.target, "creator", named(f"key {key}"), {"Idempotency-Key": key})
            if status < 400:
                answers.append((status, fields["portcullis-request-id"], fields.get("portcullis-replay-of"), json.loads(body)))

    async def budget(self, load, client):
        for organizations, token in ((self.spent_in, MORE["spender"]), (self.tripped_in, MORE["tripper"])):
            organization = load.random.choice(organizations)
            if load.random.random() < LEAVES:
                await load.leave("POST", create_in(organization), token, named(str(uuid.uuid4())))
            await load.send(client, "POST", create_in(organization), token, named(str(uuid.uuid4())))

    async def approval(self, load, client):
        status, _, body = await load.send(client, "POST", CREATE.target, "creator", named(f"to go {uuid.uuid4()}"))
        if status != 201:
            return
        removal = Removal(f"{INTEGRATIONS}/{json.loads(body)['data']['id']}?version={VERSION}")
        self.removals.append(removal)
        status, _, body = await load.send(client, "DELETE", removal.target, "held")
        if status != 403:
            return
        removal.approval = json.loads(body)["errors"][0]["meta"]["approval"]
        people = Client(load.gate.people_place)
        try:
            await people.send(message("POST", f"/approvals/{removal.approval}", TOKENS["viewer"], body=AGREED))
            status, _, _ = await people.answer()
            removal.given = status == 200
        finally:
            people.close()
        if load.random.random() < LATER and len([one for one in self.removals if one.later]) < MOST_LATER:
            removal.later = True  # what was given before the death is used after it
            return
        if load.random.random() < LEAVES:
            await load.leave("DELETE", removal.target, "held")
        twin = Client(load.gate)
        try:
            await asyncio.gather(*(load.send(one, "DELETE", removal.target, "held") for one in (client, twin)), return_exceptions=True)
        finally:
            twin.close()
        await load.send(client, "DELETE", removal.target, "held")

    # ---- the ledger ----

    def note(self, line, identity):
        """One change that reached the upstream."""
        organization = line["target"].split("/")[3]
        body = line.get("body")
        name = str(json.loads(body)["data"]["attributes"].get("profile_name")) if body else ""
        if name.startswith("key "):
            self.sent[name].append(identity)
            require(len(self.sent[name]) == 1, "a key was used twice", name, self.sent[name])
        if organization != PAYMENTS:
            self.sent[organization].append(identity)
            most = self.budgets.get(organization, 0) + self.breakers.get(organization, 0)
            require(len(self.sent[organization]) <= most, "more was sent than the budget has", organization, most)
        if line["method"] == "DELETE":
            self.sent[line["target"]].append(identity)

    @staticmethod
    def claimed(intents, kind):
        """What the intents claimed of that kind -> their request ids."""
        found = collections.defaultdict(list)
        for identity, intent in intents.items():
            for claim in intent.get("claims", []):
                if claim["claim"] == kind:
                    found[claim.get("id") or claim["scope"]].append(identity)
        return found

    def check_ledger(self, intents, sent):
        """Each approval let one change through at most; `sent`: the request ids in the ledger."""
        for kind in ("approval", "key"):
            for name, identities in self.claimed(intents, kind).items():
                require(len(sent & set(identities)) <= 1, f"one {kind} let two changes through", name, identities)
        for removal in self.removals:
            require(len(self.sent[removal.target]) <= 1, "deleted twice", removal.target, self.sent[removal.target])

    # ---- after the death ----

    def check_journal(self, records):
        """What was acknowledged is in what is left."""
        told = {(record["approval"], record["result"]) for record in records if record["stage"] == "approval"}
        for removal in self.removals:
            require(removal.approval is None or (removal.approval, "requested") in told, "a request for approval is lost", removal.approval)
            require(not removal.given or (removal.approval, "given") in told, "an agreement is lost", removal.approval)

    def after(self, gate, stages, records, dice, faulty):
        """The gate is there again, and each intent has its end."""
        def some(these):
            return dice.sample(sorted(these, key=str), min(LOOKED_AT, len(these)))

        for key in some(self.keys):
            self.after_key(gate, key, stages, faulty)
        later = [removal for removal in self.removals if removal.later]
        others = [removal for removal in self.removals if not removal.later]
        for removal in later + dice.sample(others, min(LOOKED_AT, len(others))):
            self.after_removal(gate, removal, stages, records)
        for organization in self.spent_in:
            self.after_budget(gate, organization, stages)
        for organization in self.tripped_in:
            self.after_breaker(gate, organization, stages, records)
        self.deny_all(gate)

    @staticmethod
    def standing(identity, stages):
        """What became of an intent: "nothing" was sent, it is "done", or "unknown"."""
        outcome = stages["outcome"].get(identity, {"result": "unknown"})
        return "nothing" if outcome.get("sent") is False else "unknown" if outcome.get("result") == "unknown" else "done"

    def after_key(self, gate, key, stages, faulty):
        ends = [self.standing(identity, stages) for identity, intent in stages["intent"].items()
                if intent.get("body", {}).get("data", {}).get("attributes", {}).get("profile_name") == f"key {key}"]
        require(sum(end != "nothing" for end in ends) <= 1, "a key has two intents in force", key, ends)
        answers = self.keys[key]
        require(len({one[2] or one[1] for one in answers}) <= 1 and all(one[3] == answers[0][3] for one in answers),
                "the same again got another answer", answers)
        got = gate.request("POST", CREATE.target, TOKENS["creator"], {"Idempotency-Key": key}, named(f"key {key}"))
        expected = {"unknown": 409, "done": 201}.get(next((end for end in ends if end != "nothing"), None), 201)
        require(got.status == expected, "a key after the death", key, ends, got)
        replayed = got.field("portcullis-replay-of")
        require((replayed is not None) == ("done" in ends), "is it the first answer again?", ends, got)
        if answers and not faulty:
            require([end for end in ends if end != "nothing"] == ["done"] and replayed == (answers[0][2] or answers[0][1])
                    and got.json() == answers[0][3], "an answer was forgotten", answers, ends, got)
        other = gate.request("POST", CREATE.target, TOKENS["creator"], {"Idempotency-Key": key}, named(f"not {key}"))
        require(other.status == 422, "the key took another request", other)

    def after_removal(self, gate, removal, stages, records):
        def attempt():
            got = gate.request("DELETE", removal.target, TOKENS["held"])
            return got, got.json()["errors"][0]["meta"]["approval"] if got.status == 403 else None

        ends = [self.standing(identity, stages) for identity in self.claimed(stages["intent"], "approval").get(removal.approval, [])]
        given = any(record["stage"] == "approval" and record["result"] == "given" and record["approval"] == removal.approval for record in records)
        got, approval = attempt()
        if self.sent[removal.target]:
            require(got.status == 404, "it is gone already", removal.target, ends, got)
            return
        if given and all(end == "nothing" for end in ends):
            require(got.status == 204, "what was approved does not pass", removal.approval, ends, got)
            return
        if got.status == 429:
            require(removal.approval is None or ends, "what waits is not told", removal.approval, got)
            require(len(self.pending(gate)) >= MOST_PENDING, "fewer wait than may", got)
            return
        require(got.status == 403, "it passed without anybody's approval", removal.approval, given, ends, got)
        require(removal.approval is None or (approval == removal.approval) == (ends == []), "which approval does it wait for?", removal.approval, approval)
        require(gate.people("POST", f"/approvals/{approval}", TOKENS["viewer"], AGREED).status == 200, "nobody can approve it", approval)
        require([attempt()[0].status for _ in range(2)] == [204, 404], "it does not pass once", approval)

    @staticmethod
    def pending(gate):
        return [one["id"] for one in gate.people("GET", "/approvals", TOKENS["viewer"]).json()["data"]]

    def deny_all(self, gate):
        """What waits still when its round is over is in the way of the next one. Who agreed takes that back first."""
        for _ in range(2):
            for approval in self.pending(gate):
                require(gate.people("DELETE", f"/approvals/{approval}", TOKENS["viewer"], AGREED).status == 200, "it cannot be denied", approval)
        require(self.pending(gate) == [], "it waits still")

    def spent(self, scope, stages):
        return sum(self.standing(identity, stages) != "nothing" for identity in self.claimed(stages["intent"], "budget").get(scope, []))

    @staticmethod
    def spend(gate, organization, token, count):
        """Whether each of so many passes."""
        return [gate.request("POST", create_in(organization), token, body=named(str(uuid.uuid4()))).status != 429 for _ in range(count)]

    def after_budget(self, gate, organization, stages):
        left = SPEND - self.spent(f"so-many\n{organization}", stages)
        require(left >= 0, "more was reserved than there is", organization)
        passed = self.spend(gate, organization, MORE["spender"], left + 2)
        require(passed == [True] * left + [False] * 2, "what is left of a budget", organization, left, passed)

    def after_breaker(self, gate, organization, stages, records):
        scope = f"shuts\n{organization}"
        shut = any(claim["scope"] == scope for record in records if record["stage"] == "breaker" for claim in record["claims"])
        left = 0 if shut else TRIP - self.spent(scope, stages)
        passed = self.spend(gate, organization, MORE["tripper"], left + 2)
        require(passed == [True] * left + [False] * 2, "what is left until a breaker trips", organization, left, shut, passed)
        got = gate.people("POST", f"/breakers/shuts/{organization}", TOKENS["viewer"], AGREED)
        require(got.status == 200, "it cannot be opened", got)
        self.breakers[organization] += TRIP
        passed = self.spend(gate, organization, MORE["tripper"], TRIP + 1)
        require(passed == [True] * TRIP + [False], "what passes when it was opened", organization, passed)

    @staticmethod
    def compare(directory):
        """Read from the newest segment, and from all lines."""
        done = subprocess.run([BUILD / "bench" / "claims", directory], capture_output=True, text=True, timeout=60, check=False)
        require(done.returncode == 0, "the state at the segment's head is not what the lines say", done.stdout, done.stderr)
