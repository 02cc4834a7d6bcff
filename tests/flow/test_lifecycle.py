"""Starting, draining, reloading, reopening: what the signals do, and what the gate does not survive by design."""

import json
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import world
from checks import assert_error
from processes import ROOT, wait_until
from upstreams import answer
from world import PAYMENTS, READ, TOKENS, UPDATE


def test_port_file(make_gate, sandbox):
    gate = make_gate(sandbox, config={"listen": ["127.0.0.1:0", "127.0.0.1:0"]})
    content = gate.port_file.read_text()
    addresses = json.loads(content)["listen"]
    assert len(set(addresses)) == 2
    assert all(address.startswith("127.0.0.1:") and address.split(":")[1] != "0" for address in addresses)
    for address in addresses:
        gate.port = int(address.split(":")[1])
        assert gate.request("GET", READ.target, READ.token).status == 200


def test_ipv6(make_gate, sandbox):
    gate = make_gate(sandbox, config={"listen": ["[::1]:0"]}, start=False)
    try:
        gate.start()
    except AssertionError:
        if "::1" in gate.stderr() and "assign" in gate.stderr():
            gate.checked = True
            pytest.skip("no IPv6 here")
        raise
    assert gate.request("GET", READ.target, READ.token, headers={"Host": "gate"}).status == 200
    [line] = sandbox.ledger()
    assert ["x-forwarded-for", "::1"] in [[name.lower(), value.strip("[]")] for name, value in line["headers"]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_when_idle(make_gate, sandbox, number):
    gate = make_gate(sandbox)
    with gate.connect() as idle:
        assert gate.request("GET", READ.target, READ.token).status == 200
        gate.signal(number)
        assert gate.wait() == 0
        assert idle.recv(1) == b""


@pytest.mark.parametrize("operation", [READ, UPDATE], ids=str)
def test_stop_drains(make_gate, make_upstream, operation):
    """A running exchange ends properly; nobody new is let in; the process then ends with 0."""
    release = threading.Event()

    def script(connection, received):
        release.wait(20)
        connection.sendall(answer(body=b"{}"))
        return True

    upstream = make_upstream(script)
    gate = make_gate(upstream)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(gate.request, operation.method, operation.target, operation.token, body=operation.body)
        wait_until(lambda: upstream.received, what="the request at the upstream")
        gate.signal(signal.SIGTERM)

        def refused():
            try:
                gate.connect(timeout=5).close()
                return False
            except ConnectionError:
                return True

        wait_until(refused, what="the closed listener")
        assert gate.alive()
        release.set()
        got = running.result()
    assert (got.status, got.body) == (200, b"{}")
    assert gate.wait() == 0
    if operation.mutation:
        assert [record["stage"] for record in gate.exchanges()] == ["intent", "outcome"]
    assert len(gate.access_log()) == 1


def test_stop_has_a_deadline(make_gate, make_upstream):
    """An upstream that never answers does not keep the gate from stopping; the outcome is recorded as not known."""
    release = threading.Event()
    upstream = make_upstream(lambda connection, received: release.wait(30))
    gate = make_gate(upstream, config={"stop_timeout_ms": 300})
    with gate.connect() as client:
        client.sendall(f"DELETE {world.DELETE.target} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {world.DELETE.token}\r\n\r\n".encode())
        wait_until(lambda: upstream.received, what="the request at the upstream")
        gate.signal(signal.SIGTERM)
        assert gate.wait() == 0
    release.set()
    assert [record["stage"] for record in gate.exchanges()] == ["intent", "outcome"]
    assert gate.exchanges("outcome")[0]["result"] == "unknown"


def test_sighup_takes_a_new_policy(make_gate, sandbox):
    gate = make_gate(sandbox)
    assert gate.request("GET", READ.target, TOKENS["nobody"]).status == 403
    policy = world.policy()
    policy["organizations"][PAYMENTS]["grants"].append({"principal": "nobody", "roles": ["viewer"]})
    policy["organizations"][PAYMENTS]["grants"] = [grant for grant in policy["organizations"][PAYMENTS]["grants"]
                                                   if grant["principal"] != "viewer"]
    gate.write_policy(policy)
    line = gate.reload()
    assert line["level"] == "info", line
    wait_until(lambda: gate.request("GET", READ.target, TOKENS["nobody"]).status == 200, what="the new policy")
    wait_until(lambda: gate.request("GET", READ.target, TOKENS["viewer"]).status == 403, what="the new policy on every worker")


def test_the_journal_names_the_policy_in_force(make_gate, sandbox):
    gate = make_gate(sandbox)
    gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)
    gate.write_policy(world.policy(roles={"viewer": ["org.integration.read"], "editor": ["org.integration.read", "org.integration.edit"],
                                          "spare": ["org.integration.read"]}))
    gate.reload()

    def digests():
        gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)
        found = [value for record in gate.exchanges("intent") for key, value in record.items()
                 if "policy" in key and str(value).startswith("sha256:")]
        return len(found) == len(gate.exchanges("intent")) and len(set(found)) == 2

    wait_until(digests, what="two policies in the journal")


@pytest.mark.parametrize("wrong", [
    "{", "{}x", '{"principals":{}, "principals":{}}', '{"grants":[]}',
    json.dumps(world.policy(roles={"viewer": ["org.integration.fly"], "editor": ["org.integration.edit"]}))],
    ids=["cut", "junk behind", "duplicate", "unknown member", "unknown permission"])
def test_sighup_keeps_the_old_policy_when_the_new_is_wrong(make_gate, sandbox, wrong):
    gate = make_gate(sandbox)
    gate.write_policy(wrong)
    line = gate.reload()
    assert line["level"] == "error", line
    assert gate.policy_file.name in gate.stderr()
    for _ in range(4):
        assert gate.request("GET", READ.target, READ.token).status == 200
        assert gate.request("GET", READ.target, TOKENS["nobody"]).status == 403
    gate.write_policy(world.policy())
    assert gate.reload()["level"] == "info"
    assert gate.request("GET", READ.target, READ.token).status == 200


def test_sighup_with_the_contract_gone(make_gate, sandbox, tmp_path):
    contract = tmp_path / "contract.json"
    contract.write_bytes((ROOT / "conf" / "integrations.openapi.json").read_bytes())
    gate = make_gate(sandbox, config={"contract": "contract.json"})
    contract.unlink()
    assert gate.reload()["level"] == "error"
    assert gate.request("GET", READ.target, READ.token).status == 200


def test_a_reload_does_not_disturb_running_exchanges(make_gate, make_upstream):
    release = threading.Event()

    def script(connection, received):
        release.wait(20)
        connection.sendall(answer(body=b"{}"))
        return True

    upstream = make_upstream(script)
    gate = make_gate(upstream)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(gate.request, "PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)
        wait_until(lambda: upstream.received, what="the request at the upstream")
        policy = world.policy()
        policy["organizations"] = {}
        gate.write_policy(policy)
        gate.reload()
        release.set()
        assert running.result().status == 200
    wait_until(lambda: gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body).status == 403, what="the new policy")


def test_sigusr1_reopens_the_access_log(make_gate, sandbox):
    gate = make_gate(sandbox)
    gate.request("GET", READ.target, READ.token)
    gate.access_log(1)
    rotated = gate.access_file.with_suffix(".1")
    gate.access_file.rename(rotated)
    gate.signal(signal.SIGUSR1)
    wait_until(gate.access_file.exists, what="the new access log")
    gate.request("GET", READ.target, READ.token)
    assert len(gate.access_log(1)) == 1
    assert len(rotated.read_text().splitlines()) == 1


def test_the_journal_goes_on_after_a_restart(make_gate, sandbox):
    gate = make_gate(sandbox)
    for _ in range(2):
        gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)
    gate.stop()
    gate.start()
    gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)
    numbers = [record["seq"] for record in gate.journal()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(gate.exchanges("outcome")) == 3


def test_address_in_use(make_gate, sandbox):
    """Said plainly, and no half a gate."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        gate = make_gate(sandbox, config={"listen": [address]}, start=False)
        gate.launch()
        assert gate.wait() != 0
        gate.checked = True
    assert address in gate.stderr()
    assert not gate.port_file.exists()


def test_address_of_another_gate(make_gate, sandbox):
    """Each gate's workers share an address among themselves, and with nobody else."""
    first = make_gate(sandbox)
    address = f"127.0.0.1:{first.port}"
    second = make_gate(sandbox, config={"listen": [address]}, start=False)
    second.launch()
    assert second.wait() != 0
    second.checked = True
    assert address in second.stderr()
    assert first.request("GET", "/rest/nothing").status == 404


@pytest.mark.parametrize("config, word", [
    ({"upstreem": {}}, "upstreem"), ({"workers": -1}, "workers"), ({"listen": ["localhost"]}, "listen"),
    ({"upstream": {"url": "ftp://x"}}, "upstream"), ({"policy": "absent.json"}, "absent.json"), ({"limits": {"body_bytes": "1M"}}, "body_bytes")])
def test_wrong_configuration(make_gate, sandbox, config, word):
    """serve and check say the same, with file and line, and neither starts anything."""
    gate = make_gate(sandbox, config=config, start=False)
    gate.launch()
    assert gate.wait() != 0
    gate.checked = True
    assert word in gate.stderr()
    checked = gate.run("check")
    assert checked.returncode == 1, checked
    assert word in checked.stdout + checked.stderr


def test_check_of_a_good_configuration(make_gate, sandbox):
    gate = make_gate(sandbox, start=False)
    done = gate.run("check")
    assert done.returncode == 0, done
    assert not gate.audit_directory.exists(), "check writes nothing"


def test_workers_share_the_load(make_gate, sandbox):
    """Connections spread over the workers: with four, more than one upstream connection is in use at a time."""
    gate = make_gate(sandbox, config={"workers": 4})
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: gate.request("GET", READ.target, READ.token), range(200)))
    assert {got.status for got in answers} == {200}
    assert len({line["connection"] for line in sandbox.ledger()}) > 1
    assert len(gate.access_log(200)) == 200


def test_a_slow_header_is_timed_out(make_gate, sandbox):
    gate = make_gate(sandbox, config={"limits": {"header_timeout_ms": 300, "idle_timeout_ms": 300, "body_timeout_ms": 300}})
    received = gate.raw(b"GET /rest/x HTTP/1.1\r\nHost:")
    assert received == b"" or b" 408 " in received.split(b"\r\n")[0], received
    received = gate.raw(f"PATCH {UPDATE.target} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {UPDATE.token}\r\n"
                        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode())
    assert received == b"" or b" 408 " in received.split(b"\r\n")[0], received
    assert gate.raw(b"") == b""
    assert sandbox.ledger() == []
    assert gate.request("GET", READ.target, READ.token).status == 200


def test_refusal_of_a_large_body_can_be_read(make_gate, sandbox):
    """The client is still sending when the gate has made up its mind; it reads the answer all the same."""
    gate = make_gate(sandbox)
    got = gate.request("PATCH", UPDATE.target, UPDATE.token, body=b" " * (1536 * 1024), headers={"Content-Type": "application/json"})
    assert_error(got, 413, "body-too-large")
    assert sandbox.ledger() == []
