"""A second judge of requests: policy, contract, request, facts and time in, verdict out. Written from the words of the README alone, by somebody
who had not read the gate's own evaluator: clear, slow, and with nothing remembered from one request to the next. Where the two differ, one of
them misreads the words, or the words do not say enough."""

import datetime
import hashlib
import ipaddress
import re
from urllib.parse import unquote

import contract as contracts

STABILITIES = {"wip": "wip", "work-in-progress": "wip", "experimental": "experimental", "beta": "beta"}
VERSION_PATTERN = (r"^(wip|work-in-progress|experimental|beta|((([0-9]{4})-([0-1][0-9]))-((3[01])|(0[1-9])|([12][0-9]))"
                   r"(~(wip|work-in-progress|experimental|beta))?))$")
VERSION_FORM = r"([0-9]{4}-[0-9]{2}-[0-9]{2}(~(wip|work-in-progress|experimental|beta))?|wip|work-in-progress|experimental|beta)\Z"
EDIT = "org.integration.edit"
PARTS_OF_EDIT = ["org.integration.create", "org.integration.update", "org.integration.delete", "org.integration.settings.edit"]
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ORDERS = ["portcullis-reason", "portcullis-break-glass", "portcullis-dry-run"]
ABSENT = object()   # there is no such value
UNKNOWN = object()  # it is not known whether there is one, nor which


class Refused(Exception):
    """A gate said no. `rule` is None where the README does not say what the rule is called."""

    def __init__(self, gate, status, code, rule=None):
        super().__init__(gate, status, code, rule)
        self.gate, self.status, self.code, self.rule = gate, status, "portcullis-" + code, rule


class Request:
    """A case's request, with what the gates find out about it, one after the other."""

    def __init__(self, case):
        request = case["request"]
        self.case = case
        self.method, self.target = request["method"], request["target"]
        self.headers = [(name.lower(), value) for name, value in request.get("headers", {}).items()]
        self.body = request.get("body", ABSENT)
        self.client = request.get("client", "127.0.0.1")
        self.time = read_moment(case["time"])
        self.integration, self.radius = case.get("integration", "unknown"), case.get("radius", "unknown")
        self.operation = self.principal = self.version = self.organization = self.resource = None
        self.said = []  # what its conditions said, for whoever counts

    def header(self, name):
        return next((value for known, value in self.headers if known == name), None)


def judge(policy, contract, case):
    """The verdict: a dictionary as `portcullis test --json` prints one, without its names and its prose."""
    request = Request(case)
    try:
        gate_spelling(request)
        gate_operation(request, contract)
        gate_identity(request, policy)
        gate_version(request, policy)
        gate_parameters(request, contract)
        watching = enforcement(policy, request.organization) == "observe"
        rule, refusal = gate_permission(request, policy)
        observed = refusal
        if refusal and not watching:
            raise refusal
        need_credential(request, policy)
        gate_body(request, contract)
        obligations, refusal = gate_rules(request, policy)
        if refusal and not watching:
            raise refusal
        if watching:
            approvals = [one for one in obligations if one.startswith("approval:")]
            observed = observed or refusal or (approvals and Refused("rules", 403, "approval-required", approvals[0].split(":")[1])) or None
            obligations = [one for one in obligations if one not in approvals]
    except Refused as refusal:
        return {"verdict": "refuse", "gate": refusal.gate, "rule": refusal.rule, "status": refusal.status, "code": refusal.code,
                "obligations": [], "would_refuse": None, "said": request.said}
    if request.operation.changes:
        obligations.append("journal")
    return {"verdict": "allow", "gate": None, "rule": rule, "status": None, "code": None, "obligations": sorted(obligations),
            "would_refuse": observed and would_refuse(observed), "said": request.said}


def would_refuse(refusal):
    """The rule's id, where a rule would have refused, else the code."""
    return refusal.rule if refusal.gate == "rules" and refusal.rule else refusal.code


def enforcement(policy, organization):
    return policy.get("organizations", {}).get(organization, {}).get("enforcement") or policy.get("enforcement", "enforce")


# Spelling: only what the generator makes of it; tests/tables/targets.tsv and tests/flow/test_hostile.py are about the rest.

def gate_spelling(request):
    path, _, query = request.target.partition("?")
    segments = path.split("/")[1:]
    if "" in segments or any(unquote(segment) in (".", "..") or "%2f" in segment.lower() for segment in segments):
        raise Refused("spelling", 400, "malformed-target")
    request.query = [tuple(unquote(part) for part in pair.split("=", 1)) for pair in query.split("&")] if query else []
    names = [pair[0] for pair in request.query]
    if len(names) != len(set(names)) or any(len(pair) < 2 or pair[1] == "" for pair in request.query):
        raise Refused("spelling", 400, "malformed-target")
    if any(name.startswith("portcullis-") and name not in ORDERS for name, _ in request.headers):
        raise Refused("spelling", 400, "malformed-field")
    if request.header("portcullis-dry-run") not in (None, "?1"):
        raise Refused("spelling", 400, "malformed-field")
    request.segments = [unquote(segment) for segment in segments]
    request.segments = [segment.lower() if contracts.UUID.match(segment) else segment for segment in request.segments]


def gate_operation(request, contract):
    known = [(operation, operation.bind(request.segments)) for operation in contract.operations]
    known = [(operation, bound) for operation, bound in known if bound is not None]
    if not known:
        raise Refused("operation", 404, "no-such-operation")
    known = [(operation, bound) for operation, bound in known if operation.method == request.method]
    if not known:
        raise Refused("operation", 405, "method-not-allowed")
    request.operation, request.bound = known[0]
    request.organization = request.bound["org_id"]
    request.resource = request.bound.get("integration_id")
    if request.operation.schema is None and request.body is not ABSENT:
        raise Refused("operation", 400, "unexpected-content")


# Identity: who it is.

def gate_identity(request, policy):
    principals = policy["principals"]
    request.came_by_certificate_alone = False
    if "principal" in request.case:
        if request.case["principal"] is None:
            raise Refused("identity", 401, "unauthenticated")
        request.principal = request.case["principal"]
        request.came_by_certificate_alone = not principals[request.principal].get("tokens")
        return
    by_token = None
    if "token" in request.case:
        digest = "sha256:" + hashlib.sha256(request.case["token"].encode()).hexdigest()
        by_token = next((name for name, one in principals.items() if any(valid_token(token, digest, request.time) for token in one.get("tokens", []))), None)
        if by_token is None:
            raise Refused("identity", 401, "unauthenticated")
    shown = [name if not name.startswith("dns:") else name.lower() for name in request.case.get("certificate", [])]
    named = {name for name, one in principals.items() for ours in one.get("certificates", []) if ours in shown}
    if len(named) > 1 or (by_token is not None and named and named != {by_token}):
        raise Refused("identity", 403, "identity-conflict")
    if by_token is None and not named:
        raise Refused("identity", 401, "unauthenticated")
    request.principal = by_token if by_token is not None else named.pop()
    both = principals[request.principal].get("identity") == "both"
    if both and (by_token is None or not shown_by(principals[request.principal], shown)):
        raise Refused("identity", 401, "unauthenticated")
    request.came_by_certificate_alone = by_token is None


def shown_by(principal, shown):
    return any(name in shown for name in principal.get("certificates", []))


def valid_token(token, digest, time):
    if isinstance(token, str):
        return token.lower() == digest
    return token["digest"].lower() == digest and in_time(token, time)


def in_time(timed, time):
    """From not_before to not_after, of those that are given; both of these seconds are included."""
    return (("not_before" not in timed or read_moment(timed["not_before"]) <= time)
            and ("not_after" not in timed or time <= read_moment(timed["not_after"])))


# Version.

def gate_version(request, policy):
    rules = policy.get("api_versions", {})
    fields = [name.lower() for name in rules.get("headers", ["Snyk-Version", "X-Snyk-Version"])]
    given = [value for name, value in request.query if name == "version"] + [value for name, value in request.headers if name in fields]
    if not given:
        raise refused_version("no-version")
    if len(set(given)) > 1:
        raise refused_version(None)
    text = request.version = given[0]
    if not contracts.matches(rules.get("pattern") or VERSION_PATTERN, text):
        raise refused_version("/api_versions/pattern")
    if not re.match(VERSION_FORM, text):
        raise refused_version(None)
    oldest, newest = rules.get("oldest"), rules.get("newest")
    date, _, stability = text.partition("~")
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", date):
        date, stability = None, text
    if date is None and (oldest or newest):
        raise refused_version("/api_versions/oldest" if oldest else "/api_versions/newest")
    if date is not None:
        if rules.get("calendar", True) and not is_a_day(date):
            raise refused_version("/api_versions/calendar")
        if oldest and date < oldest:
            raise refused_version("/api_versions/oldest")
        if newest and date > newest:
            raise refused_version("/api_versions/newest")
    request.stability = STABILITIES[stability] if stability else "ga"
    if request.stability not in [STABILITIES.get(name, name) for name in rules.get("stability", ["ga", "beta"])]:
        raise refused_version("/api_versions/stability")


def refused_version(rule):
    return Refused("version", 400, "version", rule)


def is_a_day(text):
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def gate_parameters(request, contract):
    declared = {(parameter["in"], parameter["name"]): parameter for parameter in request.operation.parameters}
    given = [("path", name, value) for name, value in request.bound.items()]
    given += [("query", name, value) for name, value in request.query if name != "version"]
    for place, name, value in given:
        if (place, name) not in declared or not contracts.parameter_fits(value, declared[place, name]["schema"], contract.document):
            raise Refused("parameters", 400, "parameter")
    names = [name for _, name, _ in given]
    if "starting_after" in names and "ending_before" in names:
        raise Refused("parameters", 400, "parameter")


# Permission.

def gate_permission(request, policy):
    """The pointer to the grant that gives the permission: the first in the organisation, else the first under "*"; or the refusal, with the
    pointer to the grant that denies it."""
    grants = []
    for organization in (request.organization, "*"):
        for id_, one in policy.get("organizations", {}).items():
            if id_.lower() == organization:
                grants += [(f"/organizations/{id_}/grants/{number}", grant) for number, grant in enumerate(one.get("grants", []))]
    grants = [(pointer, grant) for pointer, grant in grants if grant["principal"] == request.principal and in_time(grant, request.time)]
    wanted = request.operation.permission
    for pointer, grant in grants:
        if wanted in spread(grant.get("deny", [])):
            return None, Refused("permission", 403, "forbidden", pointer)
    for pointer, grant in grants:
        given = list(grant.get("permissions", []))
        for role in grant.get("roles", []):
            given += policy["roles"][role]
        if wanted in spread(given):
            return pointer, None
    return None, Refused("permission", 403, "forbidden")


def spread(permissions):
    return set(permissions) | (set(PARTS_OF_EDIT) if EDIT in permissions else set())


def need_credential(request, policy):
    if not request.came_by_certificate_alone:
        return
    if "upstream_token" in policy["principals"][request.principal]:
        return
    if any("upstream_token" in one for id_, one in policy["organizations"].items() if id_.lower() in (request.organization, "*")):
        return
    raise Refused("permission", 403, "no-credential")


# Body.

def gate_body(request, contract):
    if request.operation.schema is None:
        return
    if request.body is ABSENT:
        raise Refused("body", 400, "invalid-body")
    media = request.header("content-type")
    if media is not None and media not in ("application/json", "application/vnd.api+json"):
        raise Refused("body", 415, "media-type")
    if not contracts.fits(request.body, request.operation.schema, contract.document):
        raise Refused("body", 400, "invalid-body")
    id_ = request.body.get("data", {}).get("id")
    if id_ is not None and id_.lower() != request.resource:
        raise Refused("body", 400, "invalid-body")
    if id_ is not None:  # what is sent on has the path's spelling
        request.body = {**request.body, "data": {**request.body["data"], "id": request.resource}}


# Rules.

def gate_rules(request, policy):
    """The obligations that rules bring, and the refusal, if there is one."""
    if asks_for_glass(request) and not may_break_glass(request, policy):
        return [], Refused("rules", 403, "no-break-glass")
    applying = [rule for rule in policy.get("rules", []) if in_scope(rule, request) and holds(rule, request)]
    glass = asks_for_glass(request)
    required = [] if glass else [(rule, rule["require"]) for rule in applying if "require" in rule]
    obligations = ["approval:" + rule["id"] for rule, require in required if "approval" in require]
    obligations += ["budget:" + rule["id"] for rule in applying if "budget" in rule]
    obligations += ["break-glass"] if glass else []
    return obligations, refusal_of_rules(request, applying, required)


def refusal_of_rules(request, applying, required):
    """What decides among the rules that apply: a denial, then a freeze, then a reason that is missing; among equals the first."""
    for rule in applying:
        if "deny" in rule:
            return refused_by(rule, "denied")
    for rule, require in required:
        if "break_glass" in require:
            return refused_by(rule, "frozen")
    for rule, require in required:
        if "reason" in require and not gives_reason(request, require["reason"]):
            return refused_by(rule, "reason-required")
    return None


def asks_for_glass(request):
    return request.header("portcullis-break-glass") is not None


def may_break_glass(request, policy):
    return request.operation.changes and "break_glass" in policy["principals"][request.principal]


def gives_reason(request, pattern):
    given = request.header("portcullis-reason")
    return given is not None and contracts.matches(pattern, given)


def refused_by(rule, code):
    return Refused("rules", 403, code, rule["id"])


def in_scope(rule, request):
    if "organizations" in rule and request.organization not in [id_.lower() for id_ in rule["organizations"]]:
        return False
    if "principals" in rule and request.principal not in rule["principals"]:
        return False
    if "operations" not in rule:
        return request.operation.changes
    return request.operation.id in rule["operations"] or is_rename_of_what_is_locked(rule, request)


def is_rename_of_what_is_locked(rule, request):
    """A lock by name also denies the rename."""
    looks = any(condition["at"] == "/integration/attributes/profile_name" for condition in rule.get("when", []))
    if "deny" not in rule or "deleteIntegration" not in rule["operations"] or not looks or request.operation.effect != "update":
        return False
    name = point(request.body, ["data", "attributes", "profile_name"])
    if name is ABSENT:
        return False
    before = value_at("/integration/attributes/profile_name", request)
    request.said.append("rename")
    return before is UNKNOWN or before is ABSENT or before != name


def holds(rule, request):
    """Does the rule apply? What is unknown counts against the request: in `when` as holding, in `unless` as not holding."""
    return (all(condition_holds(condition, request) in (True, UNKNOWN) for condition in rule.get("when", []))
            and not any(condition_holds(condition, request) is True for condition in rule.get("unless", [])))


def condition_holds(condition, request):
    """True, False or UNKNOWN."""
    test, = set(condition) - {"at"}
    answer = evaluate(condition, request)
    request.said.append(f"{test} is {'unknown' if answer is UNKNOWN else str(answer).lower()}")
    return answer


def evaluate(condition, request):
    (name, wanted), = [(name, wanted) for name, wanted in condition.items() if name != "at"]
    value = value_at(condition["at"], request)
    if value is UNKNOWN:
        return UNKNOWN
    if name == "exists":
        return (value is not ABSENT) == wanted
    if value is ABSENT:
        return False
    return TESTS[name](value, wanted)


def same(value, wanted):
    """Equal, and of the same kind: true is not 1."""
    kinds = [bool, (int, float), str, type(None)]
    return value == wanted and any(isinstance(value, kind) and isinstance(wanted, kind) and isinstance(value, bool) == isinstance(wanted, bool)
                                   for kind in kinds)


def is_above(value, bound):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > bound


def is_within(value, networks):
    """IPv4 is in networks of IPv4, IPv6 in those of IPv6: ::/0 holds no IPv4 address."""
    address = as_ipv6(value)
    return any(address.is_four() == as_ipv6(text).is_four() and address in as_ipv6(text) for text in networks)


def as_ipv6(text):
    """An address, or a network; IPv4 stands in IPv6 below ::ffff:0:0/96."""
    network = ipaddress.ip_network(text)
    if network.version == 6:
        return Range(int(network.network_address), network.prefixlen)
    return Range(0xffff << 32 | int(network.network_address), network.prefixlen + 96)


class Range:
    def __init__(self, first, bits):
        self.first, self.last = first, first + (1 << 128 - bits) - 1

    def __contains__(self, other):
        return self.first <= other.first and other.last <= self.last

    def is_four(self):
        return self.first >> 32 == self.last >> 32 == 0xffff


def is_during(time, windows):
    return any(in_window(time, window) for window in windows)


def in_window(time, window):
    """All members that are given must agree; from before to, both of the day on which the window began."""
    if "after" in window and time < read_moment(window["after"]):
        return False
    if "before" in window and time >= read_moment(window["before"]):
        return False
    if "days" not in window and "from" not in window:
        return True
    today = time.replace(hour=0, minute=0, second=0, microsecond=0)
    begin, end = minutes_of(window.get("from", "00:00")), minutes_of(window.get("to", "24:00"))
    if end <= begin:
        end += 24 * 60
    for day in (today, today - datetime.timedelta(days=1)):
        if "days" in window and DAYS[day.weekday()] not in window["days"]:
            continue
        if day + datetime.timedelta(minutes=begin) <= time < day + datetime.timedelta(minutes=end):
            return True
    return False


def minutes_of(text):
    return int(text[:2]) * 60 + int(text[3:])


def read_moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


TESTS = {
    "equals": same,
    "in": lambda value, wanted: any(same(value, one) for one in wanted),
    "matches": lambda value, pattern: isinstance(value, str) and contracts.matches(pattern, value),
    "above": is_above,
    "within": is_within,
    "during": is_during,
}


def value_at(pointer, request):
    """What stands at this place of the input document: a value, ABSENT or UNKNOWN."""
    first, *rest = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    if first == "version":
        return request.version
    if first == "stability":
        return request.stability
    if first == "client":
        return request.client
    if first == "time":
        return request.time
    if first == "body":
        return point(request.body, rest)
    if first == "radius":
        return radius_at(rest, request)
    assert first == "integration", pointer
    return integration_at(rest, request)


def integration_at(path, request):
    part, *rest = path
    effect = request.operation.effect
    if part == "id":
        return request.resource if request.resource is not None else ABSENT
    if effect == "create":
        return point(request.body, ["data", "attributes", *rest]) if part == "attributes" else ABSENT
    if effect == "read":
        return ABSENT
    if request.integration == "unknown" or part not in request.integration:
        return UNKNOWN
    return point(request.integration[part], rest)


def radius_at(path, request):
    if request.operation.effect != "hard-delete":
        return ABSENT
    return UNKNOWN if request.radius == "unknown" else request.radius[path[0]]


def point(document, path):
    """RFC 6901, once its escapes are gone."""
    for part in path:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and re.match(r"(0|[1-9][0-9]*)\Z", part) and int(part) < len(document):
            document = document[int(part)]
        else:
            return ABSENT
    return document


class Contract:
    def __init__(self, document):
        self.document, self.operations = document, contracts.operations(document)
