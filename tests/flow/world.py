"""The world that the flow tests play in: two organisations, their integrations, principals and what they may do; and the seven operations."""

import copy
import hashlib
import itertools
import json
from dataclasses import dataclass, field, replace

PAYMENTS = "11111111-2222-4333-8444-555555555555"
SEARCH = "22222222-3333-4444-8555-666666666666"
ECR = "aaaaaaaa-0000-4000-8000-000000000001"
HUB = "aaaaaaaa-0000-4000-8000-000000000002"
BROKERED = "aaaaaaaa-0000-4000-8000-000000000003"
GITHUB = "aaaaaaaa-0000-4000-8000-000000000004"
OTHER = "bbbbbbbb-0000-4000-8000-000000000001"
ABSENT = "cccccccc-0000-4000-8000-00000000000c"
VERSION = "2024-10-15"

FIXTURES = {"organizations": {
    PAYMENTS: {
        "integrations": [
            {"id": ECR, "integration_type": "ecr", "profile_name": "images", "has_broker": False},
            {"id": HUB, "integration_type": "docker-hub", "profile_name": "hub", "has_broker": False},
            {"id": BROKERED, "integration_type": "acr", "profile_name": "azure", "has_broker": True},
            {"id": GITHUB, "integration_type": "github", "profile_name": None, "has_broker": False},
        ] + [{"id": f"aaaaaaaa-0000-4000-8000-0000000001{i:02d}", "integration_type": "ecr", "profile_name": f"more-{i:02d}",
              "has_broker": False} for i in range(25)],
        "targets": [{"id": "dddddddd-0000-4000-8000-000000000001", "integration_id": ECR, "display_name": "shop/basket"}],
        "projects": [{"id": "eeeeeeee-0000-4000-8000-000000000001", "target_id": "dddddddd-0000-4000-8000-000000000001"}],
    },
    SEARCH: {"integrations": [{"id": OTHER, "integration_type": "ecr", "profile_name": "search", "has_broker": False}],
             "targets": [], "projects": []},
}}

SECRET_PASSWORD = "s3cr3t-Pa55word-in-a-body"

# Name of the principal -> its token. "nobody" is known and has no grant.
TOKENS = {name: f"{name}-token-0123456789" for name in
          ("viewer", "editor", "deleter", "creator", "updater", "setter", "undeleter", "uneditor", "unreader", "everywhere", "nobody", "held")}

# What must never stand in anything that a gate writes or says: looked for behind every test.
MARK = "MARKEDsecret"
SECRETS = [*TOKENS.values(), SECRET_PASSWORD, MARK]

GRANTS = {
    "viewer": {"roles": ["viewer"]},
    "editor": {"roles": ["editor"]},
    "deleter": {"permissions": ["org.integration.read", "org.integration.delete"]},
    "creator": {"permissions": ["org.integration.create"]},
    "updater": {"permissions": ["org.integration.update"]},
    "setter": {"permissions": ["org.integration.settings.edit"]},
    "undeleter": {"roles": ["editor"], "deny": ["org.integration.delete"]},
    "uneditor": {"roles": ["viewer"], "permissions": ["org.integration.create"], "deny": ["org.integration.edit"]},
    "unreader": {"roles": ["editor"], "deny": ["org.integration.read"]},
    "held": {"roles": ["editor"]},
}


def digest(token):
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


def policy(**changes):
    """A policy with every kind of principal. Keyword arguments replace top-level members."""
    document = {
        "api_versions": {"oldest": VERSION, "newest": None, "stability": ["ga", "beta"], "calendar": True},
        "principals": {name: {"tokens": [digest(token)]} for name, token in TOKENS.items()},
        "roles": {"viewer": ["org.integration.read"], "editor": ["org.integration.read", "org.integration.edit"]},
        "organizations": {
            PAYMENTS: {"name": "payments", "grants": [{"principal": name, **grant} for name, grant in GRANTS.items()]},
            SEARCH: {"name": "search", "grants": [{"principal": "viewer", "roles": ["viewer"]}]},
            "*": {"grants": [{"principal": "everywhere", "roles": ["editor"]}]},
        },
    }
    document.update(changes)
    return copy.deepcopy(document)


CREATE_BODY = {"data": {"type": "integration", "attributes": {
    "integration_type": "docker-hub", "profile_name": "new one",
    "credentials": {"username": "robot", "password": SECRET_PASSWORD}}}}
UPDATE_BODY = {"data": {"id": ECR, "type": "integration", "attributes": {"profile_name": "renamed"}}}
SETTINGS_BODY = {"data": {"id": ECR, "type": "integration_settings", "attributes": {"container_app_scan_enabled": False}}}


@dataclass(frozen=True)
class Operation:
    """One of the seven, with a request that passes."""
    id: str
    method: str
    path: str
    token: str         # of a principal that may, and no more than that
    permission: str    # named in a 403
    status: int        # of the sandbox's answer
    body: dict = None
    mutation: bool = False
    resource: str = None
    paged: bool = False
    parameters: dict = field(default_factory=dict, hash=False)

    @property
    def target(self):
        return f"{self.path}?version={VERSION}"

    def __str__(self):
        return self.id


INTEGRATIONS = f"/rest/orgs/{PAYMENTS}/integrations"
OPERATIONS = [
    Operation("listIntegrations", "GET", INTEGRATIONS, TOKENS["viewer"], "org.integration.read", 200, paged=True),
    Operation("createIntegration", "POST", INTEGRATIONS, TOKENS["creator"], "org.integration.create", 201, CREATE_BODY, mutation=True),
    Operation("getIntegration", "GET", f"{INTEGRATIONS}/{ECR}", TOKENS["viewer"], "org.integration.read", 200, resource=ECR),
    Operation("updateIntegration", "PATCH", f"{INTEGRATIONS}/{ECR}", TOKENS["updater"], "org.integration.update", 200, UPDATE_BODY,
              mutation=True, resource=ECR),
    Operation("deleteIntegration", "DELETE", f"{INTEGRATIONS}/{ECR}", TOKENS["deleter"], "org.integration.delete", 204, mutation=True,
              resource=ECR),
    Operation("getIntegrationSettings", "GET", f"{INTEGRATIONS}/{ECR}/settings", TOKENS["viewer"], "org.integration.read", 200,
              resource=ECR, paged=True),
    Operation("updateIntegrationSettings", "PATCH", f"{INTEGRATIONS}/{ECR}/settings", TOKENS["setter"], "org.integration.settings.edit",
              200, SETTINGS_BODY, mutation=True, resource=ECR),
]
BY_ID = {operation.id: operation for operation in OPERATIONS}
READ = BY_ID["getIntegration"]
UPDATE = BY_ID["updateIntegration"]
DELETE = BY_ID["deleteIntegration"]
CREATE = BY_ID["createIntegration"]


_numbers = itertools.count(1)


def another(operation=UPDATE):
    """The same update with another name: two that are alike would not be under way at the same time."""
    body = copy.deepcopy(operation.body)
    if operation.id == "updateIntegration":
        body["data"]["attributes"]["profile_name"] = f"renamed {next(_numbers)}"
    return replace(operation, body=body)


def body_bytes(operation):
    """The operation's good body as bytes, None where it has none."""
    return None if operation.body is None else json.dumps(operation.body).encode()
