"""The metrics page, and what is noticed of the versions that the upstream serves."""

import http.client
import json

import pytest

from processes import wait_until
from upstreams import answer
from world import DELETE, READ, TOKENS, UPDATE

ADMIN = {"admin": {"listen": "127.0.0.1:0"}}


def test_counts(make_gate, sandbox):
    gate = make_gate(sandbox, config=ADMIN)
    assert gate.request("GET", READ.target, READ.token).status == 200
    assert gate.request("DELETE", DELETE.target, TOKENS["viewer"]).status == 403
    assert gate.request("DELETE", DELETE.target, "stranger").status == 401
    assert gate.raw(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    gate.access_log(4)
    metrics = gate.metrics()
    assert metrics['portcullis_requests_total{operation="getIntegration",verdict="pass",gate="body",status="2xx"}'] == 1
    assert sum(value for name, value in metrics.items() if name.startswith("portcullis_requests_total") and 'verdict="refuse"' in name) == 3
    assert metrics["portcullis_unauthenticated_total"] == 1
    assert metrics['portcullis_wire_refusals_total{reason="space-before-colon"}'] == 1
    assert metrics["portcullis_connections_total"] == 4
    assert metrics["portcullis_journal_usable"] == 1
    gate.reload()
    wait_until(lambda: gate.metrics()['portcullis_reloads_total{result="done"}'] == 1, what="the reload in the metrics")


@pytest.mark.parametrize("method, target", [("GET", "/"), ("POST", "/metrics"), ("GET", "/metrics/x"), ("DELETE", "/metrics")])
def test_nothing_else_is_there(make_gate, sandbox, method, target):
    gate = make_gate(sandbox, config=ADMIN)
    host, _, port = json.loads(gate.port_file.read_text())["admin"].rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    connection.request(method, target)
    assert connection.getresponse().status >= 400
    connection.close()
    assert gate.request("GET", READ.target, READ.token).status == 200


def test_only_on_the_loopback(make_gate, sandbox):
    gate = make_gate(sandbox, config={"admin": {"listen": "0.0.0.0:0"}}, start=False)
    done = gate.run("check")
    assert done.returncode == 1
    assert "admin" in done.stdout + done.stderr


def versions(gate):
    return [line for line in gate.log() if line["event"].startswith("upstream-version")]


def test_a_change_of_the_version_served_is_noticed_once(make_gate, make_upstream):
    """Once when it is first seen, once when it changes; not for each answer, and not for each worker."""
    served = {"snyk-version-served": "2024-10-15", "snyk-version-lifecycle-stage": "beta"}
    upstream = make_upstream(lambda connection, received: connection.sendall(answer(body=b"{}", fields=served.items())) or True)
    gate = make_gate(upstream, config={**ADMIN, "workers": 2})

    def ask(count):
        for _ in range(count):
            assert gate.request("GET", READ.target, READ.token).status == 200

    ask(20)
    assert [line["event"] for line in versions(gate)] == ["upstream-version"]
    assert "2024-10-15" in versions(gate)[0]["detail"] and READ.id in versions(gate)[0]["detail"]
    served["sunset"] = "2027-01-31"
    ask(20)
    assert [line["event"] for line in versions(gate)] == ["upstream-version", "upstream-version-change"]
    assert "2027-01-31" in versions(gate)[1]["detail"]
    assert gate.metrics()["portcullis_upstream_version_changes_total"] == 1
    # Another operation is seen for the first time: no change.
    assert gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body).status == 200
    assert [line["event"] for line in versions(gate)][2:] == ["upstream-version"]
    assert gate.metrics()["portcullis_upstream_version_changes_total"] == 1


def test_what_the_upstream_claims_cannot_forge_the_log(make_gate, make_upstream):
    upstream = make_upstream(lambda connection, received: connection.sendall(answer(
        body=b"{}", fields=[("snyk-version-served", '2024"},{"event":"forged' + "x" * 5000)])))
    gate = make_gate(upstream)
    assert gate.request("GET", READ.target, READ.token).status == 200
    assert not [line for line in gate.log() if line["event"] == "forged"]
    assert all(len(line) < 1000 for line in gate.stderr().splitlines())
