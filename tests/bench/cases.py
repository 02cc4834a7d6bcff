"""Ten cases that every contestant with a policy must answer rightly before anything is measured; of what it refuses, the upstream sees nothing."""

import http.client
from dataclasses import dataclass

import grants


@dataclass
class Case:
    what: str
    status: int
    method: str = "GET"
    principal: int = 3
    organisation: int = 6
    target: str = None
    authorization: str = None  # instead of the principal's
    version: str = grants.VERSION


# Of principal 3 in a world of eight organisations: none in the third, editor in the fourth, else viewer.
CASES = [
    Case("a read that is allowed", 200),
    Case("the same with Bearer", 200, authorization="Bearer {token}"),
    Case("a change that is allowed", 200, method="PATCH", organisation=4),
    Case("no token", 401, authorization=""),
    Case("an unknown token", 401, authorization="Token bench-token-unknown"),
    Case("an organisation without a grant", 403, organisation=3),
    Case("an organisation that is not known", 403, organisation=77),
    Case("a change by one who may only read", 403, method="PATCH"),
    Case("a version that does not match", 400, version="2024-13-1"),
    Case("an operation that does not exist", 404, target="/rest/orgs/00000007-2222-4333-8444-555555555555/targets"),
]


def ask(port, case, world):
    token = world.token(case.principal)
    headers = {"Accept": "application/vnd.api+json"}
    authorization = f"Token {token}" if case.authorization is None else case.authorization.format(token=token)
    if authorization:
        headers["Authorization"] = authorization
    path = case.target or world.target(case.organisation, 1).partition("?")[0]
    body = None
    if case.method == "PATCH":
        body = grants.UPDATE
        headers["Content-Type"] = "application/vnd.api+json"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(case.method, f"{path}?version={case.version}", body=body, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def failures(contestant, upstream, world):
    """What the contestant got wrong, as sentences."""
    wrong = []
    for case in CASES:
        before = upstream.count()["requests"]
        status = ask(contestant.port, case, world)
        seen = upstream.count()["requests"] - before
        if status != case.status:
            wrong.append(f"{contestant.name}: {case.what}: {status}, not {case.status}")
        if seen != (case.status == 200):
            wrong.append(f"{contestant.name}: {case.what}: the upstream saw {seen} requests")
    return wrong
