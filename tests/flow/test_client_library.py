"""A published client library for this API (npm: snyk-request-manager), pointed at the gate as its users would."""

import fcntl
import json
import os
import shutil
import subprocess

import pytest

from processes import BUILD, ROOT, wait_until
from world import DELETE, OPERATIONS, TOKENS

PLACE = BUILD / "client"
SOURCE = ROOT / "tests" / "client"


@pytest.fixture(scope="module")
def library():
    """Installed once for each build; tests that run at the same time wait for one another."""
    PLACE.mkdir(parents=True, exist_ok=True)
    with open(PLACE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp, wanted = PLACE / "installed", (SOURCE / "package-lock.json").read_text()
        if not stamp.exists() or stamp.read_text() != wanted:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SOURCE / name, PLACE / name)
            done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=PLACE, capture_output=True, text=True,
                                  timeout=300, check=False)
            if done.returncode != 0:
                assert not os.environ.get("CI"), done.stdout + done.stderr
                pytest.skip(f"npm could not install the client library: {done.stderr[-500:]}")
            stamp.write_text(wanted)
    return PLACE


def call(library, gate, token, requests, home):
    environment = {**os.environ, "SNYK_API": f"{gate.url}/v1", "SNYK_TOKEN": token, "HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    done = subprocess.run(["node", SOURCE / "calls.js", library], input=json.dumps(requests), env=environment, capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout[done.stdout.index("["):])


def as_request(operation):
    request = {"verb": operation.method, "url": operation.target.removeprefix("/rest")}
    return request if operation.body is None else {**request, "body": operation.body}


def test_all_seven(library, gate, sandbox, tmp_path):
    """Reads, then the mutations; the delete last, so that each finds what it needs."""
    order = sorted(OPERATIONS, key=lambda operation: operation.method == "DELETE")
    results = call(library, gate, TOKENS["editor"], [as_request(operation) for operation in order], tmp_path)
    assert [result.get("status") for result in results] == [operation.status for operation in order], results
    assert [(line["method"], line["target"]) for line in sandbox.ledger()] == [(operation.method, operation.target) for operation in order]
    mutations = [operation.id for operation in order if operation.mutation]
    assert [record["operation"] for record in gate.exchanges("intent")] == mutations
    wait_until(lambda: len(gate.exchanges("outcome")) == len(mutations), what="the outcomes")


def test_a_refused_delete_is_tried_six_times_and_never_arrives(library, gate, sandbox, tmp_path):
    """The library retries what was refused; a refusal has no side effect and uses nothing up."""
    [result] = call(library, gate, TOKENS["viewer"], [as_request(DELETE)], tmp_path)
    assert "error" in result, result
    lines = gate.access_log(6)
    assert [(line["status"], line["operation"]) for line in lines] == [(403, DELETE.id)] * 6
    assert len(gate.exchanges("refused")) == len(gate.exchanges()) == 6
    assert sandbox.ledger() == []
    [result] = call(library, gate, TOKENS["deleter"], [as_request(DELETE)], tmp_path)
    assert result["status"] == 204, result
