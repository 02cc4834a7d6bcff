"""Made-up policies and requests, from a seed: the same seed makes the same ones. Requests are made for the policy that they are judged by, so that
every gate gets its share of them, and values lie near the edges of what the policy says."""

import copy
import datetime
import hashlib
import ipaddress
import random

ORGANIZATIONS = ["11111111-2222-4333-8444-55555555aaaa", "22222222-3333-4444-8555-66666666abcd", "33333333-4444-4555-8666-777777777777"]
ELSEWHERE = "99999999-8888-4777-8666-555555555555"
INTEGRATIONS = ["aaaaaaaa-0000-4000-8000-00000000000a", "bbbbbbbb-0000-4000-8000-000000000001"]
PRINCIPALS = ["ann", "bot", "ci", "deployer", "eve"]
READS = ["listIntegrations", "getIntegration", "getIntegrationSettings"]
CHANGES = ["createIntegration", "updateIntegration", "deleteIntegration", "updateIntegrationSettings"]
PERMISSIONS = ["org.integration.read", "org.integration.edit", "org.integration.create", "org.integration.update", "org.integration.delete",
               "org.integration.settings.edit"]
FINER = {"createIntegration": "org.integration.create", "updateIntegration": "org.integration.update",
         "deleteIntegration": "org.integration.delete", "updateIntegrationSettings": "org.integration.settings.edit"}
NAMES = ["prod-eu", "prod", "production", "Prod-eu", "dev-1", "dev-2", "staging prod-x", "a", "x.y_z"]
# As a client may not name them, but the API might.
ODD_NAMES = [None, "", "pröd-eu", "prod-eu\n", 7, True, ["prod-eu"], {"prod-eu": "prod-eu"}]
PATTERNS = ["^prod-", "prod$", "^(dev|staging)", "-[0-9]+$", "^.{4}$", "(?i)^prod-EU$", "^$", "prod", "^[a-z]+$", "[^a-z]", "\\.", "^prod(uction)?$"]
KINDS = ["ecr", "docker-hub", "acr", "gcr", "digitalocean-cr"]
CREDENTIALS = {
    "ecr": {"region": "eu-west-1", "role_arn": "arn:aws:iam::000000000000:role/reader"},
    "docker-hub": {"username": "robot", "password": "hush"},
    "acr": {"username": "robot", "password": "hush", "registry_base": "registry.example.com"},
    "gcr": {"password": "hush", "registry_base": "registry.example.com"},
    "digitalocean-cr": {"token": "hush"},
}
VERSIONS = ["2024-10-14", "2024-10-15", "2024-10-16", "2025-02-28", "2025-02-29", "2025-06-01", "2026-12-31", "2027-01-01"]
STABILITIES = ["wip", "work-in-progress", "experimental", "beta"]
NETWORKS = ["10.0.0.0/8", "10.1.2.0/24", "10.1.2.3", "192.168.0.0/31", "0.0.0.0/0", "2001:db8::/32", "2001:db8::1", "::/0", "10.128.0.0/9",
            "203.0.113.128/25", "2001:db8:0:8000::/49", "::ffff:10.1.0.0/112", "::ffff:10.1.2.3", "127.0.0.0/8"]
REASONS = ["^[A-Z]+-[0-9]+: .{3,}$", "^OPS-", "because"]
GIVEN_REASONS = ["OPS-12: gone", "OPS-12: go", "ops-12: gone", "because", "x"]
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
BEGINNING = datetime.datetime(2026, 11, 23, tzinfo=datetime.timezone.utc)  # a Monday
ATTRIBUTES = ["/integration/attributes/profile_name", "/integration/attributes/integration_type", "/integration/attributes/has_broker",
              "/integration/attributes/n", "/integration/attributes/list/1", "/integration/attributes/a~1b/m~0n",
              "/integration/settings/container_app_scan_enabled", "/integration/settings/more"]
BODIES = ["/body/data/attributes/profile_name", "/body/data/attributes/integration_type", "/body/data/type", "/body/data/id",
          "/body/data/attributes/container_app_scan_enabled", "/body/data/attributes/missing", "/body/data/attributes"]
NUMBERS = [-1, 0, 1, 2, 3, 17, 18]


def token_of(name):
    return f"{name}-made-up-token"


def digest(text):
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def moment(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def read(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class Generator:
    def __init__(self, seed):
        self.seed = seed
        self.random = random.Random(seed)
        self.chance = lambda share: self.random.random() < share
        self.pick = self.random.choice

    def some(self, things, least=1, most=None):
        return self.random.sample(things, self.random.randint(least, min(len(things), most or len(things))))

    # Policies.

    def policy(self):
        policy = {"principals": {}, "roles": {"viewer": ["org.integration.read"], "editor": ["org.integration.read", "org.integration.edit"],
                                              "some": self.some(PERMISSIONS, 1, 3)},
                  "organizations": {}, "reconcile": {"upstream_token": None}}
        if self.chance(0.8):
            policy["api_versions"] = self.api_versions()
        for name in PRINCIPALS:
            policy["principals"][name] = self.principal(name)
        for organization in self.some(ORGANIZATIONS, 2) + (["*"] if self.chance(0.5) else []):
            policy["organizations"][organization] = self.organization()
        policy["organizations"].get("*", {}).pop("enforcement", None)
        if self.chance(0.85):
            policy["rules"] = [self.rule(number) for number in range(self.random.randint(1, 6))]
        if self.chance(0.15):
            policy["enforcement"] = self.pick(["observe", "observe", "enforce"])
        return policy

    def api_versions(self):
        versions = {}
        if self.chance(0.5):
            versions["oldest"] = self.pick(VERSIONS[:3])
        if self.chance(0.3):
            versions["newest"] = self.pick(VERSIONS[-2:])
        if self.chance(0.4):
            versions["stability"] = self.some(["ga", "beta", "wip", "experimental"])
        if self.chance(0.2):
            versions["calendar"] = False
        if self.chance(0.2):
            versions["headers"] = self.pick([[], ["Api-Version"]])
        if self.chance(0.1):
            versions["pattern"] = self.pick(["^2[0-9-]+$", "^2[0-9-]+(~[a-z]+)?$", "."])
        return versions

    def principal(self, name):
        principal = {"tokens": [self.token(token_of(name))] + ([self.token(token_of(name + "2"))] if self.chance(0.2) else [])}
        if self.chance(0.5):
            principal["certificates"] = [f"uri:spiffe://example/{name}"] + ([f"dns:{name}.example"] if self.chance(0.5) else [])
            principal["identity"] = self.pick(["both", "either", "either"])
            if self.chance(0.3):
                del principal["tokens"], principal["identity"]
        if self.chance(0.3):
            principal["upstream_token"] = {"env": "MADE_UP"}
        if self.chance(0.35):
            principal["break_glass"] = {"requests": self.random.randint(1, 5), "seconds": 3600}
        return principal

    def token(self, text):
        return {"digest": digest(text), **self.bounds()} if self.chance(0.25) else digest(text)

    def bounds(self):
        """Mostly such that most of the time lies between them."""
        begin = BEGINNING + datetime.timedelta(hours=self.random.randint(0, 24 * 5))
        end = BEGINNING + datetime.timedelta(hours=self.random.randint(24 * 5, 24 * 14))
        bounds = {"not_before": moment(begin), "not_after": moment(end)}
        if self.chance(0.5):
            del bounds[self.pick(["not_before", "not_after"])]
        return bounds

    def organization(self):
        organization = {"grants": [self.grant() for _ in range(self.random.randint(3, 9))]}
        if self.chance(0.3):
            organization["upstream_token"] = {"env": "MADE_UP"}
        if self.chance(0.15):
            organization["enforcement"] = self.pick(["observe", "enforce"])
        return organization

    def grant(self):
        grant = {"principal": self.pick(PRINCIPALS)}
        if self.chance(0.8):
            grant["roles"] = [self.pick(["viewer", "editor", "editor", "editor", "some"])]
        if self.chance(0.3) or "roles" not in grant:
            grant["permissions"] = self.some(PERMISSIONS, 1, 2)
        if self.chance(0.15):
            grant.update(self.bounds())
        if self.chance(0.08):
            grant["deny"] = self.some(PERMISSIONS, 1, 2)
            if self.chance(0.4):
                grant.pop("roles", None)
                grant.pop("permissions", None)
        return grant

    # Rules.

    def rule(self, number):
        effect = self.pick(["deny", "deny", "approval", "approval", "reason", "reason", "break_glass", "budget", "budget", "lock"])
        rule = {"id": f"rule-{number}", "reason": f"Because of {number}."}
        if effect == "lock":
            return self.lock(rule)
        reads = effect in ("deny", "reason") and self.chance(0.4)
        if reads or self.chance(0.5):
            rule["operations"] = self.some(READS if reads else CHANGES) + (self.some(CHANGES, 0, 2) if reads else [])
        if self.chance(0.35):
            rule["organizations"] = self.some([*ORGANIZATIONS, ORGANIZATIONS[1].upper(), ELSEWHERE], 1, 2)
        if self.chance(0.35):
            rule["principals"] = self.some(PRINCIPALS, 1, 3)
        for member in ("when", "unless"):
            if self.chance(0.75 if member == "when" else 0.3):
                rule[member] = [self.condition(rule.get("operations")) for _ in range(self.pick([1, 1, 1, 2, 3]))]
        self.give_effect(rule, effect)
        return rule

    def lock(self, rule):
        """A lock by name, which denies the rename, too."""
        rule["operations"] = ["deleteIntegration"] + self.some(["createIntegration", "updateIntegrationSettings"], 0, 1)
        if self.chance(0.3):
            rule["principals"] = self.some(PRINCIPALS, 1, 3)
        name = {"at": "/integration/attributes/profile_name"}
        name.update(self.pick([{"matches": self.pick(PATTERNS)}, {"equals": self.pick(NAMES)}, {"in": self.some(NAMES, 1, 4)}, {"exists": True}]))
        rule["when"] = [name] + ([self.condition(rule["operations"])] if self.chance(0.2) else [])
        self.random.shuffle(rule["when"])
        if self.chance(0.2):
            rule["unless"] = [self.condition(rule["operations"])]
        rule["deny"] = True
        return rule

    def give_effect(self, rule, effect):
        if effect == "deny":
            rule["deny"] = True
        elif effect == "approval":
            rule["require"] = {"approval": {"people": self.random.randint(1, 3), "seconds": self.pick([60, 3600, 604800])}}
        elif effect == "reason":
            rule["require"] = {"reason": self.pick(REASONS)}
        elif effect == "break_glass":
            rule["require"] = {"break_glass": True}
        else:
            rule["budget"] = {"requests": self.random.randint(1, 9), "seconds": self.pick([1, 60, 3600]),
                              "each": self.pick(["principal", "organization", "gate"])}
            if self.chance(0.2):
                rule["budget"]["until"] = "reset"

    def condition(self, operations):
        """One that such a rule may have: reads have no attributes, and only a hard delete has a radius."""
        reads = any(name in READS for name in operations or [])
        kinds = ["time", "time", "client", "version", "body", "id"]
        if not reads:
            kinds += ["attribute"] * 5
        if operations is None or operations == ["deleteIntegration"]:
            kinds += ["radius"] * 4
        return getattr(self, "condition_on_" + self.pick(kinds))()

    def condition_on_time(self):
        return {"at": "/time", "during": [self.window() for _ in range(self.pick([1, 1, 2]))]}

    def window(self):
        window = {}
        if self.chance(0.5):
            window["days"] = self.some(DAYS, 1, 6)
        if self.chance(0.6):
            window["from"] = f"{self.random.randint(0, 23):02}:{self.pick([0, 1, 30, 59]):02}"
            window["to"] = self.pick(["24:00", "00:00", window["from"], f"{self.random.randint(0, 23):02}:{self.pick([0, 1, 30, 59]):02}"])
        if self.chance(0.2) or not window:
            time = BEGINNING + datetime.timedelta(hours=self.random.randint(0, 96))
            if self.chance(0.7):
                window["after"] = moment(time)
            if self.chance(0.5) or "after" not in window:
                window["before"] = moment(time + datetime.timedelta(hours=self.random.randint(1, 72)))
        return window

    def condition_on_client(self):
        return {"at": "/client", "within": self.some(NETWORKS, 1, 2)}

    def condition_on_version(self):
        if self.chance(0.5):
            return {"at": "/stability", **self.pick([{"equals": self.pick(["ga", "beta", "wip"])}, {"in": self.some(["ga", "beta", "wip"], 1, 2)}])}
        return {"at": "/version", **self.test(VERSIONS, ["^2024", "~beta$", "^[0-9-]+$"])}

    def condition_on_id(self):
        return {"at": "/integration/id", **self.test([*INTEGRATIONS, INTEGRATIONS[0].upper()], ["^a", "1$"])}

    def condition_on_body(self):
        at = self.pick(BODIES)
        values = {"integration_type": KINDS, "id": INTEGRATIONS, "type": ["integration", "integration_settings"],
                  "container_app_scan_enabled": [True, False, None, 1, "true"]}.get(at.rsplit("/", 1)[1], NAMES)
        return {"at": at, **self.test(values, PATTERNS)}

    def condition_on_attribute(self):
        at = self.pick(ATTRIBUTES + ATTRIBUTES[:1] * 4)
        values = {"profile_name": [*NAMES, None], "integration_type": KINDS, "has_broker": [True, False, None, 1],
                  "container_app_scan_enabled": [True, False, None]}.get(at.rsplit("/", 1)[1], [*NUMBERS, "x", "1", True, None])
        return {"at": at, **self.test(values, PATTERNS)}

    def condition_on_radius(self):
        return {"at": self.pick(["/radius/targets", "/radius/projects"]), **self.test(NUMBERS[1:], PATTERNS[:1])}

    def test(self, values, patterns):
        """One that could hold for one of these values; now and then one that is not for their kind."""
        fitting = ["equals", "equals", "in", "in", "exists"]
        fitting += ["matches"] * 4 if any(isinstance(value, str) for value in values) else []
        fitting += ["above"] * 5 if any(isinstance(value, int) and not isinstance(value, bool) for value in values) else []
        test = self.pick(fitting if self.chance(0.95) else ["matches", "above"])
        return {test: {"equals": lambda: self.pick(values), "in": lambda: self.some(values, 1, 4), "matches": lambda: self.pick(patterns),
                       "exists": lambda: self.chance(0.5), "above": lambda: self.pick(NUMBERS)}[test]()}

    # Requests.

    def case(self, policy, number):
        """A request for this policy. Most are made to get past the first gates; the others are wrong in one way each."""
        wrong = self.pick([None] * 22 + ["spelling", "operation", "identity", "version", "version", "parameters", "body", "body"])
        operation = self.pick(READS + CHANGES * 3) if wrong != "body" else self.pick([name for name in CHANGES if name != "deleteIntegration"])
        organization, principal = self.who(policy, operation, wrong)
        request = {"method": "GET", "headers": {}}
        case = {"name": f"{self.seed}-{number}", "request": request, "time": moment(self.time(policy)), **self.identity(policy, principal, wrong)}
        integration = self.pick(INTEGRATIONS)
        self.make_target(request, policy, operation, organization, integration, wrong)
        self.make_body(request, operation, integration, wrong)
        self.make_headers(request)
        client = self.client(policy)
        if client is not None:
            request["client"] = client
        self.add_facts(case)
        return case

    def who(self, policy, operation, wrong):
        """Mostly somebody who has a grant there, for it."""
        wanted = {FINER.get(operation, "org.integration.read")} | ({"org.integration.edit"} if operation in CHANGES else set())
        able = []
        for organization, one in policy["organizations"].items():
            for grant in one["grants"]:
                given = set(grant.get("permissions", [])).union(*[policy["roles"][role] for role in grant.get("roles", [])])
                if given & wanted:
                    able.append((organization if organization != "*" else self.pick([*ORGANIZATIONS, ELSEWHERE]), grant["principal"]))
        if able and self.chance(0.94):
            return self.pick(able)
        return self.pick([*ORGANIZATIONS, ELSEWHERE]), self.pick(PRINCIPALS)

    def identity(self, policy, principal, wrong):
        one, other = policy["principals"][principal], self.pick(PRINCIPALS)
        if wrong == "identity":
            return self.pick([{"certificate": [f"uri:spiffe://example/{name}" for name in PRINCIPALS]}, {"principal": None}, {"token": "nobody's"}, {"token": token_of(principal).upper()}, {"certificate": ["dns:nobody.example"]},
                              {"token": token_of(principal), "certificate": [f"uri:spiffe://example/{other}"]},
                              {"certificate": [f"uri:spiffe://example/{principal}"]}, {"token": token_of(principal)}])
        if self.chance(0.2):
            return {"principal": principal}
        shown = {}
        if "tokens" in one and (one.get("identity") != "either" or self.chance(0.5)):
            shown["token"] = token_of(principal + "2" if len(one["tokens"]) > 1 and self.chance(0.5) else principal)
        if "certificates" in one and (one.get("identity") == "both" or "token" not in shown or self.chance(0.5)):
            shown["certificate"] = self.some([*one["certificates"], "dns:nobody.example"])
            if set(shown["certificate"]) == {"dns:nobody.example"}:
                shown["certificate"] = one["certificates"]
        return shown

    def time(self, policy):
        """Mostly within a second of an edge of the policy's windows."""
        edges = []
        for rule in policy.get("rules", []):
            for condition in rule.get("when", []) + rule.get("unless", []):
                for window in condition.get("during", []):
                    edges += self.edges_of(window)
        if self.chance(0.3) or not edges:
            timed = [token for one in policy["principals"].values() for token in one.get("tokens", []) if isinstance(token, dict)]
            timed += [grant for one in policy["organizations"].values() for grant in one["grants"]]
            edges = [read(one[name]) for one in timed for name in ("not_before", "not_after") if name in one]
        time = self.pick(edges) if edges and self.chance(0.7) else BEGINNING + datetime.timedelta(seconds=self.random.randint(0, 14 * 86400))
        return time + datetime.timedelta(seconds=self.pick([-1, 0, 0, 1, 0]))

    def edges_of(self, window):
        edges = [read(window[name]) for name in ("after", "before") if name in window]
        midnight = BEGINNING + datetime.timedelta(days=self.random.randint(0, 13))
        edges += [midnight + datetime.timedelta(hours=int(window[name][:2]), minutes=int(window[name][3:])) for name in ("from", "to") if name in window]
        return edges + ([midnight] if "days" in window else [])

    def make_target(self, request, policy, operation, organization, integration, wrong):
        path = f"/rest/orgs/{organization.upper() if self.chance(0.1) else organization}/integrations"
        if operation not in ("listIntegrations", "createIntegration"):
            path += "/" + (integration.upper() if self.chance(0.1) else integration)
        path += "/settings" if operation.endswith("Settings") else ""
        method = {"c": "POST", "u": "PATCH", "d": "DELETE"}.get(operation[0], "GET")
        query = {}
        self.add_version(request, query, policy, wrong)
        if operation in ("listIntegrations", "getIntegrationSettings") and self.chance(0.3):
            query[self.pick(["starting_after", "ending_before"])] = "v1.eA%3D%3D"
            query["limit"] = str(self.pick([10, 50, 100]))
        if wrong == "parameters":
            name, value = self.pick([("limit", "15"), ("limit", "5"), ("limit", "110"), ("limit", "010"), ("x", "y"), ("starting_after", "x"),
                                     ("org_id", organization)])
            query[name] = value
            if operation == "listIntegrations" and self.chance(0.3):
                query["starting_after"] = query["ending_before"] = "v1.eA"
            if self.chance(0.2):
                path = path.replace("/orgs/", "/orgs/x", 1)
        if wrong == "operation":
            path, method = self.pick([(path, "PUT"), (path + "/more", method), (path.replace("/rest/", "/v1/"), method),
                                      (path.replace("integrations", "Integrations"), method)])
        text = "&".join(f"{name}={value}" for name, value in query.items())
        if wrong == "spelling":
            path, text = self.pick([(path.replace("/rest/", "/rest//"), text), (path.replace("/rest/", "/rest/./"), text), (path + "%2Fx", text),
                                    (path, text + "&limit=10&limit=10"), (path, text + "&limit="), (path, text)])
            if path.startswith("/rest/orgs/") and "%2F" not in path and "limit=" not in text:
                request["headers"][self.pick(["Portcullis-Approval", "Portcullis-Version"])] = "x"
        request["method"], request["target"] = method, path + ("?" + text if text else "")

    def add_version(self, request, query, policy, wrong):
        rules = policy.get("api_versions", {})
        dates = [date for date in VERSIONS if (rules.get("oldest") or date) <= date <= (rules.get("newest") or date) and date != "2025-02-29"]
        levels = rules.get("stability", ["ga", "beta"])
        level = self.pick(levels)
        version = self.pick(dates) + ("" if level == "ga" or "pattern" in rules else "~" + level)
        if wrong == "version":
            version = self.pick([*VERSIONS, *STABILITIES, self.pick(VERSIONS) + "~" + self.pick(STABILITIES), "2025-06-01~ga", "2025-00-10", "2025-20-10", "2025-06-32", "20250601", None])
        fields = rules.get("headers", ["Snyk-Version", "X-Snyk-Version"])
        if version is None:
            return
        if not fields or self.chance(0.8):
            query["version"] = version
        if fields and ("version" not in query or self.chance(0.1)):
            request["headers"][self.pick(fields)] = version if wrong != "version" or self.chance(0.7) else "2025-06-02"

    def make_body(self, request, operation, integration, wrong):
        body = getattr(self, "body_of_" + operation, lambda integration: None)(integration)
        if wrong == "body":
            body = self.spoil(body)
        elif body is None and self.chance(0.2 if wrong == "operation" else 0.01):
            body = {}
        if body is not None:
            request["body"] = body
            request["headers"]["Content-Type"] = self.pick(["application/vnd.api+json", "application/json"])
            if wrong == "body" and self.chance(0.2):
                request["headers"]["Content-Type"] = self.pick(["text/plain", "text/json"])

    def body_of_createIntegration(self, integration):
        kind = self.pick(KINDS)
        return {"data": {"type": "integration", "attributes": {"integration_type": kind, "profile_name": self.pick(NAMES),
                                                               "credentials": copy.deepcopy(CREDENTIALS[kind])}}}

    def body_of_updateIntegration(self, integration):
        data = {}
        if self.chance(0.5):
            data["id"] = integration.upper() if self.chance(0.3) else integration
        if self.chance(0.5):
            data["type"] = "integration"
        if self.chance(0.85):
            data["attributes"] = {}
            if self.chance(0.8):
                data["attributes"]["profile_name"] = self.pick(NAMES)
            if self.chance(0.3):
                data["attributes"]["credentials"] = dict(self.some(sorted(CREDENTIALS[self.pick(KINDS)].items()), 0))
        return {"data": data} if data or self.chance(0.8) else {}

    def body_of_updateIntegrationSettings(self, integration):
        return {"data": {"type": "integration_settings", "id": integration,
                         "attributes": {"container_app_scan_enabled": self.chance(0.5)} if self.chance(0.9) else {}}}

    def spoil(self, body):
        """Something in it is not as the contract has it; now and then nothing is."""
        data = body.get("data", {})
        attributes = data.get("attributes", {})
        way = self.pick(["none", "more", "id", "type", "name", "name", "attributes", "credentials", "whole"])
        if way == "none":
            return None
        if way == "more":
            self.pick([body, data, attributes])["more"] = self.pick([1, None, "x"])
        elif way == "id":
            data["id"] = self.pick([ELSEWHERE, "x", 1, None])
        elif way == "type":
            data["type"] = self.pick(["x", None, "integration_settings", "integration"])
        elif way == "name":
            attributes["profile_name"] = self.pick(["", "-prod", "a" * 255, "a" * 256, None, 1, "prod\n", "pröd"])
        elif way == "attributes":
            data["attributes"] = self.pick([None, [], "x", {}])
        elif way == "credentials":
            attributes["credentials"] = self.pick([{"region": "x"}, {"username": "", "password": "x"}, {"token": "a b"}, {"registry_base": "a..b"},
                                                   {"username": "u", "token": "t"}, {}, None])
        else:
            return self.pick([[], "x", 1, True])
        body.setdefault("data", data)
        return body

    def make_headers(self, request):
        if self.chance(0.4):
            request["headers"]["Portcullis-Reason"] = self.pick(GIVEN_REASONS)
        if self.chance(0.12):
            request["headers"]["Portcullis-Break-Glass"] = "INC-7: everything burns"

    def client(self, policy):
        """Mostly the first or the last address of a network of the policy, or a neighbour of those; None: not said."""
        networks = [text for rule in policy.get("rules", []) for condition in rule.get("when", []) + rule.get("unless", [])
                    for text in condition.get("within", [])]
        if not networks or self.chance(0.2):
            return self.pick(["10.1.2.3", "192.0.2.1", "2001:db8::2", "::ffff:10.1.2.3", "::1"])
        network = ipaddress.ip_network(self.pick(networks))
        address = self.pick([network[0], network[-1], network[0] - 1 if int(network[0]) else network[0],
                             network[-1] + 1 if int(network[-1]) + 1 < 2 ** network.max_prefixlen else network[-1]])
        if address.version == 6 and address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return f"::ffff:{address}" if address.version == 4 and self.chance(0.15) else str(address)

    def add_facts(self, case):
        if self.chance(0.84):
            case["integration"] = {"attributes": self.attributes(), "settings": self.settings()}
        elif self.chance(0.5):
            case["integration"] = "unknown"
        if self.chance(0.8):
            case["radius"] = {"targets": self.pick(NUMBERS[1:]), "projects": self.pick(NUMBERS[1:])}
        elif self.chance(0.5):
            case["radius"] = "unknown"

    def attributes(self):
        values = {"profile_name": self.pick(NAMES * 3 + ODD_NAMES), "integration_type": self.pick([*KINDS, "github"]), "has_broker": self.pick([True, False]),
                  "n": self.pick([*NUMBERS, 1.5, None, True, "1"]), "list": self.pick([[1, 2], ["x"], [0, "x", 2], {"1": 3}, [None, None]]),
                  "a/b": self.pick([{"m~n": self.pick([*NUMBERS, "x", None])}, {}, "x"])}
        return {name: value for name, value in values.items() if self.chance(0.9)}

    def settings(self):
        settings = {"container_app_scan_enabled": self.chance(0.5), "more": self.pick([*NUMBERS, "x", None, True])}
        return {name: value for name, value in settings.items() if self.chance(0.8)}
