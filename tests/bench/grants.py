"""The world of the benchmark: principals, organisations, who may do what; and the requests of the load.

Every principal has a role in every organisation but one, in which it has none; in the next one it may edit, in the others only read. The
same facts are written for each contestant in the form that it looks up best: a policy for Portcullis, maps for the peers.
"""

import hashlib
import json
import random

PRINCIPALS = 1000
ORGANISATIONS = 8
VERSION = "2024-10-15"
OLDEST = "2024-10-15"
# As the API documents it, and as Portcullis has it for a default.
VERSION_PATTERN = (r"^(wip|work-in-progress|experimental|beta|((([0-9]{4})-([0-1][0-9]))-((3[01])|(0[1-9])|([12][0-9]))"
                   r"(~(wip|work-in-progress|experimental|beta))?))$")
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
ROUTE_PATTERN = f"^/rest/orgs/{UUID}/integrations(/{UUID}(/settings)?)?$"
UPDATE = json.dumps({"data": {"type": "integration", "attributes": {"profile_name": "renamed by the benchmark"}}})


class World:
    """Grants for a number of principals in each of a number of organisations."""

    def __init__(self, principals=PRINCIPALS, organisations=ORGANISATIONS):
        self.principals = principals
        self.organisations = organisations

    @property
    def grants(self):
        return self.principals * (self.organisations - 1 if self.organisations > 1 else 1)

    def token(self, principal):
        return f"bench-token-{principal:07d}-7c9e6679f4a1"

    def organisation(self, number):
        return f"{number + 1:08x}-2222-4333-8444-555555555555"

    def role(self, principal, organisation):
        """ "viewer", "editor" or None."""
        if self.organisations == 1:
            return "editor"
        distance = (organisation - principal) % self.organisations
        return None if distance == 0 else "editor" if distance == 1 else "viewer"

    def allowed(self, chance, mutation):
        """A principal and an organisation in which it may edit (mutation) or, if there are such, only read."""
        principal = chance.randrange(self.principals)
        distance = 1 if mutation or self.organisations < 3 else chance.randrange(2, self.organisations)
        return principal, (principal + distance) % self.organisations

    # ---- the same for each contestant ----

    def write_policy(self, path):
        """Portcullis' policy; written line by line, since a million grants are a large document."""
        with open(path, "w", encoding="ascii") as file:
            file.write(f'{{"api_versions":{{"oldest":"{OLDEST}","stability":["ga","beta"]}},\n"principals":{{\n')
            file.write(",\n".join(f'"p{number}":{{"tokens":["sha256:{self.digest(number)}"]}}' for number in range(self.principals)))
            file.write('\n},\n"roles":{"viewer":["org.integration.read"],"editor":["org.integration.read","org.integration.edit"]},\n'
                       '"organizations":{\n')
            for number in range(self.organisations):
                grants = ((principal, self.role(principal, number)) for principal in range(self.principals))
                file.write(",\n" if number else "")
                file.write(f'"{self.organisation(number)}":{{"grants":[\n')
                file.write(",\n".join(f'{{"principal":"p{principal}","roles":["{role}"]}}' for principal, role in grants if role))
                file.write("]}")
            file.write("}}\n")

    def digest(self, principal):
        return hashlib.sha256(self.token(principal).encode()).hexdigest()

    def write_maps(self, directory):
        """tokens.map: digest and principal; grants.map: principal:organisation and what it may do (r, rw)."""
        with open(directory / "tokens.map", "w", encoding="ascii") as file:
            for principal in range(self.principals):
                file.write(f"{self.digest(principal).upper()} p{principal}\n")
        with open(directory / "grants.map", "w", encoding="ascii") as file:
            for principal in range(self.principals):
                for organisation in range(self.organisations):
                    role = self.role(principal, organisation)
                    if role:
                        file.write(f"p{principal}:{self.organisation(organisation)} {'rw' if role == 'editor' else 'r'}\n")

    # ---- requests ----

    def resource(self, number):
        return f"aaaaaaaa-0000-4000-8000-{number:012d}"

    def target(self, organisation, resource):
        return f"/rest/orgs/{self.organisation(organisation)}/integrations/{self.resource(resource)}?version={VERSION}"

    def request(self, number, principal, organisation, mutation=False, close=False):
        """The bytes of one request."""
        lines = [f"{'PATCH' if mutation else 'GET'} {self.target(organisation, number)} HTTP/1.1", "Host: gate.bench",
                 f"Authorization: Token {self.token(principal)}", "Accept: application/vnd.api+json", "User-Agent: bench/1.0"]
        if close:
            lines.append("Connection: close")
        if mutation:
            lines += ["Content-Type: application/vnd.api+json", f"Content-Length: {len(UPDATE)}"]
        return "\r\n".join(lines) + "\r\n\r\n" + (UPDATE if mutation else "")

    def load(self, mutations=0.0, close=False, count=1000):
        """Requests that are all allowed, each of another principal and organisation; of every 1/mutations, one is a PATCH."""
        chance = random.Random(7)
        every = round(1 / mutations) if mutations else 0
        requests = []
        for number in range(count):
            mutation = every > 0 and number % every == every - 1
            principal, organisation = self.allowed(chance, mutation)
            requests.append(self.request(number, principal, organisation, mutation, close))
        return requests
