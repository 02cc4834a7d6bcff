"""A published client library for this API (npm: snyk-request-manager), pointed at the gate as its users would."""

import json
import os
import subprocess

from packages import SOURCE, packages  # noqa: F401
from processes import wait_until
from world import DELETE, OPERATIONS, TOKENS


def call(place, gate, token, requests, home):
    environment = {**os.environ, "SNYK_API": f"{gate.url}/v1", "SNYK_TOKEN": token, "HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    done = subprocess.run(["node", SOURCE / "calls.js", place], input=json.dumps(requests), env=environment, capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout[done.stdout.index("["):])


def as_request(operation):
    request = {"verb": operation.method, "url": operation.target.removeprefix("/rest")}
    return request if operation.body is None else {**request, "body": operation.body}


def test_all_seven(packages, gate, sandbox, tmp_path):
    """Reads, then the mutations; the delete last, so that each finds what it needs."""
    order = sorted(OPERATIONS, key=lambda operation: operation.method == "DELETE")
    results = call(packages, gate, TOKENS["editor"], [as_request(operation) for operation in order], tmp_path)
    assert [result.get("status") for result in results] == [operation.status for operation in order], results
    assert [(line["method"], line["target"]) for line in sandbox.ledger()] == [(operation.method, operation.target) for operation in order]
    mutations = [operation.id for operation in order if operation.mutation]
    assert [record["operation"] for record in gate.exchanges("intent")] == mutations
    wait_until(lambda: len(gate.exchanges("outcome")) == len(mutations), what="the outcomes")


def test_a_refused_delete_is_tried_six_times_and_never_arrives(packages, gate, sandbox, tmp_path):
    """The library retries what was refused; a refusal has no side effect and uses nothing up."""
    [result] = call(packages, gate, TOKENS["viewer"], [as_request(DELETE)], tmp_path)
    assert "error" in result, result
    lines = gate.access_log(6)
    assert [(line["status"], line["operation"]) for line in lines] == [(403, DELETE.id)] * 6
    assert len(gate.exchanges("refused")) == len(gate.exchanges()) == 6
    assert sandbox.ledger() == []
    [result] = call(packages, gate, TOKENS["deleter"], [as_request(DELETE)], tmp_path)
    assert result["status"] == 204, result
