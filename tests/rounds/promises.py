"""What must hold after a storm, whatever came first and whatever died: the upstream's ledger, the journal, and what clients and people saw are held
against each other and against the numbers of the storm's policy.

Safety: nothing is sent twice, without an intent, or that the policy forbids; no more than one change for each approval and each key, and no
more than there are units of each budget; an approval passes only what was asked for, as it was seen, in its time, when enough people who
count had agreed. Progress: nobody is refused without a cause that can be shown.
"""

import collections
import json

from clock import DAY, seconds_of
from rounds import require
from storm import APPROVAL, FUSE, FUSE_WINDOW_S, OWNED, PER_ORGANIZATION, PER_PRINCIPAL, WINDOW_S

SLACK = 0.05  # seconds between two clocks that are read one after the other

# The gate's refusals behind which nothing can have reached the upstream.
NOT_SENT = {"approval-required", "approval-limit", "budget-spent", "key-reused", "key-in-flight", "key-unknown", "key-done", "twin-in-flight",
            "denied", "forbidden", "no-such-integration", "upstream-unreachable", "pre-image-unavailable"}
# What else the gate may say in a storm: it is about to die, or the upstream kept its answer to itself.
OTHERWISE = {"journal-unavailable", "upstream-closed"}


def header(line, name):
    return next((value for known, value in line["headers"] if known.lower() == name), None)


class Books:
    """The journal and the ledger of a gate's life so far, by request id and by attempt."""

    def __init__(self, gate, sandbox, history):
        self.attempts = history.attempts
        self.history = history
        self.stages = collections.defaultdict(dict)
        self.approvals = collections.defaultdict(list)  # id -> records of stage `approval`
        self.breaker = []
        latest = 0
        for place, record in enumerate(gate.journal()):
            record["place"] = place
            record["at"] = seconds_of(record["time"])
            latest = max(latest, record["at"])
            record["judged"] = latest  # the writer's time: one that was made before a leap of the clock and written after it counts then
            if record["stage"] == "approval":
                self.approvals[record["approval"]].append(record)
            elif record["stage"] == "breaker":
                self.breaker.append(record)
            elif record.get("request_id"):
                require(record["request_id"] not in self.stages[record["stage"]], "two records of one stage", record)
                self.stages[record["stage"]][record["request_id"]] = record
        self.sent = {}  # request id -> attempt, in the order of the ledger
        for line in sandbox.ledger():
            number = header(line, "x-attempt")
            if line["method"] == "GET" or number is None:
                continue
            identity = header(line, "x-request-id")
            require(identity not in self.sent, "sent twice", identity)
            self.sent[identity] = self.attempts[int(number)]
        self.numbers = {attempt.number for attempt in self.sent.values()}
        self.by_id = {attempt.request_id: attempt for attempt in self.attempts if attempt.request_id} | self.sent

    def intent(self, identity):
        return self.stages["intent"][identity]

    def claims(self, identity, kind):
        return [claim for claim in self.intent(identity).get("claims", []) if claim["claim"] == kind]

    def intents_of(self, operation):
        """(record, attempt) of each intent of that operation, whether or not it was sent; in the journal's order."""
        return [record for record in self.stages["intent"].values() if record["operation"] == operation]


# ---- safety ----

def nothing_without_an_intent(books):
    numbers = collections.Counter(attempt.number for attempt in books.sent.values())
    require(not [number for number, times in numbers.items() if times > 1], "one attempt was sent twice", numbers.most_common(3))
    for identity, attempt in books.sent.items():
        require(identity in books.stages["intent"], "sent without an intent", attempt)
        at = books.intent(identity)["at"]
        require(attempt.began - SLACK <= at and (attempt.ended is None or at <= attempt.ended + SLACK), "the intent's time is not the clock's",
                at, attempt)


def nothing_that_is_forbidden(books):
    for identity, attempt in books.sent.items():
        may = {"deleteIntegration": ("deleter", "editor"), "createIntegration": ("creator",), "updateIntegration": ("updater", "editor"),
               "updateIntegrationSettings": ("setter",)}[attempt.operation]
        require(attempt.principal in may, "sent without the right to", attempt)
        if attempt.operation == "deleteIntegration":
            before = books.intent(identity)["before"]["integration"]["attributes"]["profile_name"]
            require(not before.startswith("locked"), "a locked one was deleted", attempt)


def answers_are_true(books):
    for attempt in books.attempts:
        if attempt.status is None:
            continue
        if attempt.error in NOT_SENT:
            require(attempt.number not in books.numbers, "refused, and sent", attempt)
        elif attempt.replay_of is not None:
            require(attempt.number not in books.numbers, "answered with another's answer, and sent", attempt)
        elif attempt.status < 300:
            require(attempt.number in books.numbers, "answered as if it had been sent", attempt)
            outcome = books.stages["outcome"].get(attempt.request_id)
            require(outcome is not None and outcome["status"] == attempt.status, "answered otherwise than recorded", attempt, outcome)


def people_behind(books, approval, requester, at, number):
    """Those who may have agreed and had not taken it back before the attempt began."""
    given = {}
    for word in books.history.words:
        if word.of != approval or word.began > at:
            continue
        if word.method == "POST" and word.status in (200, None):
            given[word.principal] = word
        elif word.method == "DELETE" and word.status == 200 and word.ended < books.attempts[number].began and word.principal in given:
            del given[word.principal]
    return given.keys() - OWNED.get(requester, set())


def approvals_are_used_once(books):
    used = {}
    for identity, attempt in books.sent.items():
        if attempt.operation not in APPROVAL:
            continue
        people, seconds = APPROVAL[attempt.operation]
        claims = books.claims(identity, "approval")
        require(len(claims) == 1, "sent without an approval", attempt)
        approval = claims[0]["id"]
        require(approval not in used, "one approval let two changes pass", attempt, used.get(approval))
        used[approval] = attempt
        [asked] = [record for record in books.approvals[approval] if record["result"] == "requested"]
        intent = books.intent(identity)
        asked_for = books.history.asked.get(approval, {attempt.request})
        require(asked_for == {attempt.request}, "approved for one request, used for another", asked_for, attempt)
        require((asked["principal"], asked["method"], asked["target"]) == (attempt.principal, attempt.method, attempt.target),
                "approved for one request, used for another", asked, attempt)
        require(asked["at"] <= intent["at"] <= asked["at"] + seconds + SLACK, "used after its time", asked["time"], intent["time"])
        require(asked.get("before") == intent.get("before"), "used for something that had changed since", asked.get("before"), intent.get("before"))
        behind = people_behind(books, approval, attempt.principal, intent["at"] + SLACK, attempt.number)
        require(len(behind) >= people, "sent with too few people behind it", behind, attempt)
        ends = [record for record in books.approvals[approval] if record["result"] == "void" and record["place"] < intent["place"]]
        require(not ends, "used after it was void", ends, attempt)
    for approval, requests in books.history.asked.items():
        require(len(requests) == 1, "one approval for two requests", approval, requests)
    return used


def keys_are_used_once(books):
    last = {}
    for identity, attempt in books.sent.items():
        if attempt.key is None:
            continue
        at = books.intent(identity)["at"]
        before = last.get((attempt.principal, attempt.key))
        require(before is None or at >= before[0] + DAY - SLACK, "one key let two changes pass within a day", before, attempt)
        last[attempt.principal, attempt.key] = at, attempt
    for attempt in books.attempts:
        if attempt.replay_of is not None:
            first = books.by_id.get(attempt.replay_of)
            require(first is not None, "the answer of nobody", attempt)
            require((first.principal, first.key, first.request) == (attempt.principal, attempt.key, attempt.request), "another's answer",
                    first, attempt)
            require(first.status is None or (first.status, masked(first.content)) == (attempt.status, masked(attempt.content)),
                    "another answer than the first one's", first, attempt)


def masked(content):
    """Secrets are masked in an answer that was kept."""
    return json.dumps(content, sort_keys=True) if content is not None and "credentials" not in json.dumps(content) else None


def windows_hold(times, most, seconds, what):
    """No more than so many in any window: each one and those in the window that ends with it."""
    recent = collections.deque()
    for at in sorted(times):
        recent.append(at)
        while recent[0] <= at - seconds:
            recent.popleft()
        require(len(recent) <= most, f"more than {most} within {seconds} s: {what}", list(recent))


def budgets_hold(books):
    each = collections.defaultdict(list)
    for identity, attempt in books.sent.items():
        if attempt.operation == "updateIntegration":
            each[attempt.principal].append(books.intent(identity)["judged"])
    for principal, times in each.items():
        windows_hold(times, PER_PRINCIPAL, WINDOW_S, principal)
    windows_hold([at for times in each.values() for at in times], PER_ORGANIZATION, WINDOW_S, "the organisation")
    events = sorted([(books.intent(identity)["place"], "sent") for identity, attempt in books.sent.items()
                     if attempt.operation == "updateIntegrationSettings"] + [(record["place"], record["result"]) for record in books.breaker])
    passed, shut = 0, False
    for place, what in events:
        if what == "reset":
            passed, shut = 0, False
        elif what == "tripped":
            shut = True
        else:
            passed += 1
            require(not shut, "passed while the breaker was shut", place)
    resets = [record for record in books.breaker if record["result"] == "reset"]
    said = [word for word in books.history.words if word.of == "fuse" and word.status in (200, None)]
    require(len(resets) <= len(said), "a breaker was reset by nobody", len(resets), len(said))
    bounds = [-1, *(record["place"] for record in resets), float("inf")]
    sends = [(books.intent(identity)["place"], books.intent(identity)["judged"]) for identity, attempt in books.sent.items()
             if attempt.operation == "updateIntegrationSettings"]
    for first, last in zip(bounds, bounds[1:]):
        windows_hold([at for place, at in sends if first < place < last], FUSE, FUSE_WINDOW_S, "the breaker")


# ---- progress: each refusal has a cause ----

def refusals_have_a_cause(books):
    for attempt in books.attempts:
        of_the_gate = attempt.error and json.dumps(attempt.content).find("portcullis-") > 0
        require(not of_the_gate or attempt.error in NOT_SENT | OTHERWISE, "refused, and nobody knows why", attempt)
        check = CAUSES.get(attempt.error)
        if check is not None:
            require(check(books, attempt), f"refused without a cause: {attempt.error}", attempt)


def refused_at(books, attempt):
    record = books.stages["refused"].get(attempt.request_id)
    return record["at"] if record else attempt.ended


def budget_was_spent(books, attempt):
    """Reserved counts as spent, even when it was given back later."""
    if attempt.operation == "updateIntegrationSettings":
        return any(record["result"] == "tripped" for record in books.breaker)
    end = refused_at(books, attempt) + SLACK
    within = [record for record in books.intents_of("updateIntegration") if attempt.began - WINDOW_S - SLACK < record["at"] <= end]
    own = [record for record in within if record["principal"] == attempt.principal]
    return len(own) >= PER_PRINCIPAL or len(within) >= PER_ORGANIZATION


def others(books, attempt, alike):
    """Intents of other attempts that are alike and may have been under way while this one was tried."""
    found = []
    for identity, record in books.stages["intent"].items():
        other = books.by_id.get(identity)
        if identity == attempt.request_id or record["at"] > attempt.ended + SLACK:
            continue
        if other is None:  # its client got no answer and nothing was sent: what the journal says must do
            found.append(record)
        elif alike(other) and other.number != attempt.number:
            found.append(record)
    return found


def under_way(books, record, attempt):
    """Had that intent no end before the attempt began?"""
    outcome = books.stages["outcome"].get(record["request_id"])
    end = outcome if outcome and outcome.get("result") != "unknown" else books.stages["reconciled"].get(record["request_id"])
    return end is None or end["at"] >= attempt.began - SLACK


def is_looked_into(books, attempt):
    """Was the gate at another one like it at the same time? Before there is an intent it reads what that is about."""
    return any(other.request == attempt.request and other.number != attempt.number and other.error != "twin-in-flight"
               and other.began <= attempt.ended + SLACK and (other.ended is None or other.ended >= attempt.began - SLACK) for other in books.attempts)


def a_twin_was_under_way(books, attempt):
    intents = others(books, attempt, lambda other: other.request == attempt.request)
    return is_looked_into(books, attempt) or any(under_way(books, record, attempt) for record in intents)


def same_key(attempt):
    return lambda other: (other.principal, other.key) == (attempt.principal, attempt.key)


CAUSES = {
    "budget-spent": budget_was_spent,
    "twin-in-flight": a_twin_was_under_way,
    "key-in-flight": lambda books, attempt: any(under_way(books, record, attempt) for record in others(books, attempt, same_key(attempt))),
    "key-unknown": lambda books, attempt: bool(others(books, attempt, same_key(attempt))),
    "key-done": lambda books, attempt: bool(others(books, attempt, same_key(attempt))),
    "key-reused": lambda books, attempt: any(
        other.request != attempt.request for other in books.attempts if other.number != attempt.number and same_key(attempt)(other)),
    "approval-required": lambda books, attempt: int(attempt.meta["given"]) < int(attempt.meta["people"]) == APPROVAL[attempt.operation][0],
    "approval-limit": lambda books, attempt: len([one for one in books.approvals.values() if one[0]["principal"] == attempt.principal]) >= 20,
}


def keep(books):
    """Holds everything against everything; the approvals that were used."""
    nothing_without_an_intent(books)
    nothing_that_is_forbidden(books)
    answers_are_true(books)
    used = approvals_are_used_once(books)
    keys_are_used_once(books)
    budgets_hold(books)
    refusals_have_a_cause(books)
    return used
