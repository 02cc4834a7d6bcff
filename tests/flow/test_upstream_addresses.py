"""An upstream with several addresses: how requests are spread, what becomes of addresses that fail, and how they come back."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from checks import assert_error
from processes import wait_until
from upstreams import answer
from world import DELETE, READ, TOKENS, UPDATE

HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
GOOD = answer(body=b"{}")


def serve(connection, received):
    connection.sendall(GOOD)
    return True


def hang_up(connection, received):
    return False


class Addresses:
    """Some of three addresses with one port, each an upstream of its own."""

    def __init__(self, make_upstream, scripts):
        self.make = make_upstream
        first = next(host for host in HOSTS if scripts.get(host))
        for attempt in range(20):
            self.upstreams = {first: make_upstream(scripts[first], at=(first, 0))}
            self.port = self.upstreams[first].port
            try:
                for host in HOSTS:
                    if scripts.get(host) and host != first:
                        self.start(host, scripts[host])
                return
            except OSError:  # somebody else has that port at another address
                for upstream in self.upstreams.values():
                    upstream.close()
        pytest.fail("no port is free at all addresses")

    def start(self, host, script):
        self.upstreams[host] = self.make(script, at=(host, self.port))

    def received(self, host):
        return self.upstreams[host].received if host in self.upstreams else []


@pytest.fixture
def make_pair(make_gate, make_upstream):
    """make_pair(scripts, **settings of upstream): a gate before addresses, and those."""

    def make(scripts, hosts=HOSTS, **settings):
        addresses = Addresses(make_upstream, scripts)
        gate = make_gate(f"http://localhost:{addresses.port}", config={
            "workers": 1, "admin": {"listen": "127.0.0.1:0"}, "upstream": {"addresses": hosts, **settings}})
        return gate, addresses

    return make


def state(gate, addresses, host, what="up"):
    return gate.metrics()[f'portcullis_upstream_address_{what}{{address="{host}:{addresses.port}"}}']


def read(gate, token=READ.token):
    return gate.request("GET", READ.target, token).status


def test_requests_go_where_the_fewest_are(make_pair):
    release = threading.Event()

    def held(connection, received):
        release.wait(20)
        connection.sendall(GOOD)
        return True

    gate, addresses = make_pair({host: held for host in HOSTS})
    with ThreadPoolExecutor(12) as pool:
        running = [pool.submit(read, gate) for _ in range(12)]
        wait_until(lambda: sum(len(addresses.received(host)) for host in HOSTS) == 12, what="all requests")
        assert [len(addresses.received(host)) for host in HOSTS] == [4, 4, 4]
        assert [state(gate, addresses, host, "outstanding") for host in HOSTS] == [4, 4, 4]
        release.set()
        assert [future.result() for future in running] == [200] * 12
    assert [state(gate, addresses, host, "outstanding") for host in HOSTS] == [0, 0, 0]
    assert {received.field("host") for host in HOSTS for received in addresses.received(host)} == {f"localhost:{addresses.port}"}


def test_an_address_that_is_busy_gets_no_more(make_pair):
    release = threading.Event()

    def held(connection, received):
        release.wait(20)
        connection.sendall(GOOD)
        return True

    gate, addresses = make_pair({"127.0.0.1": serve, "127.0.0.2": held, "127.0.0.3": serve}, idle_connections=0)
    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(read, gate, TOKENS[name]) for name in ("viewer", "editor", "everywhere")]
        wait_until(lambda: addresses.received("127.0.0.2"), what="the one that is held")
        for name in ["viewer", "deleter", "uneditor", "undeleter", "held"] * 4:
            assert read(gate, TOKENS[name]) == 200
        assert len(addresses.received("127.0.0.2")) == 1
        assert all(len(addresses.received(host)) >= 5 for host in ("127.0.0.1", "127.0.0.3"))
        release.set()
        assert [future.result() for future in running] == [200] * 3


def test_an_address_that_refuses_harms_nobody(make_pair):
    """It is tried and passed over, for reads and changes, and after a while not tried any more."""
    gate, addresses = make_pair({"127.0.0.1": serve, "127.0.0.3": serve}, eject_failures=3, eject_seconds=3600, idle_connections=0)
    names = ["viewer", "editor", "deleter", "uneditor", "undeleter", "held"]
    for round in range(4):
        for name in names:
            assert read(gate, TOKENS[name]) == 200
        assert gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body).status == 200
        assert gate.request("DELETE", DELETE.target, DELETE.token).status == 200
    assert [state(gate, addresses, host) for host in HOSTS] == [1, 0, 1]
    assert state(gate, addresses, "127.0.0.2", "failures_total") == 3
    assert state(gate, addresses, "127.0.0.2", "ejections_total") == 1
    [line] = [line for line in gate.log() if line["event"] == "upstream-ejected"]
    assert f"127.0.0.2:{addresses.port}" in line["detail"]
    assert all(len(addresses.received(host)) > 5 for host in ("127.0.0.1", "127.0.0.3"))


def test_an_address_that_comes_back(make_pair):
    """When its time is over, a read tries it, and never a change; when that gets its answer, it is one like the others."""
    gate, addresses = make_pair({"127.0.0.1": serve}, hosts=HOSTS[:2], eject_failures=1, eject_seconds=1, idle_connections=0)
    names = iter(["viewer", "editor"] * 1000)
    wait_until(lambda: read(gate, TOKENS[next(names)]) == 200 and state(gate, addresses, "127.0.0.2") == 0, what="its ejection")
    addresses.start("127.0.0.2", serve)
    seen = []

    def back():
        """Changes and reads in turn, so that both could be the first to come there."""
        for method, name in (("PATCH", "editor"), ("GET", "viewer")):
            body = UPDATE.body if method == "PATCH" else None
            seen.append(gate.request(method, READ.target, TOKENS[name], body=body).status)
        return state(gate, addresses, "127.0.0.2") == 1

    wait_until(back, what="its return")
    assert set(seen) == {200}
    assert addresses.received("127.0.0.2")[0].method == "GET"
    [line] = [line for line in gate.log() if line["event"] == "upstream-back"]
    assert f"127.0.0.2:{addresses.port}" in line["detail"]
    for _ in range(2):  # two changes in a row: one for each
        assert gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body).status == 200
    assert "PATCH" in [received.method for received in addresses.received("127.0.0.2")]


def test_one_probe_at_a_time(make_pair):
    """While one read tries an address that is returning, all others go where it is known to work."""
    release = threading.Event()

    def held(connection, received):
        release.wait(20)
        connection.sendall(GOOD)
        return True

    gate, addresses = make_pair({"127.0.0.1": serve}, hosts=HOSTS[:2], eject_failures=1, eject_seconds=1)
    names = iter(["viewer", "editor", "deleter", "uneditor", "undeleter", "held"])
    wait_until(lambda: read(gate, TOKENS[next(names)]) == 200 and state(gate, addresses, "127.0.0.2") == 0, what="its ejection")
    addresses.start("127.0.0.2", held)
    with ThreadPoolExecutor(1) as pool:

        def begin_probe():
            task = pool.submit(read, gate)
            wait_until(lambda: task.done() or addresses.received("127.0.0.2"), what="an answer, or the probe")
            return None if task.done() else task

        probe = wait_until(begin_probe, what="a probe")
        for _ in range(10):
            assert read(gate) == 200
        assert len(addresses.received("127.0.0.2")) == 1
        assert state(gate, addresses, "127.0.0.2") == 0
        release.set()
        assert probe.result() == 200
    wait_until(lambda: state(gate, addresses, "127.0.0.2") == 1, what="its return")


def test_an_address_that_hangs_up_is_left_alone(make_pair):
    """What it was given is lost, as with any upstream that closes; but that is at most as many as the setting says."""
    gate, addresses = make_pair({"127.0.0.1": serve, "127.0.0.2": hang_up}, hosts=HOSTS[:2], eject_failures=3, eject_seconds=3600, idle_connections=0)
    statuses = [read(gate, TOKENS[name]) for name in ["viewer", "editor"] * 15]
    assert statuses.count(502) == 3 and statuses.count(200) == 27
    assert statuses[-10:] == [200] * 10
    assert len(addresses.received("127.0.0.2")) == 3


def test_when_all_have_failed_all_are_tried(make_pair):
    """Nothing is refused for what was known a moment ago."""
    gate, addresses = make_pair({"127.0.0.3": hang_up}, eject_failures=2, eject_seconds=3600)

    def all_down():
        assert_error(gate.request("GET", READ.target, READ.token), 502, "upstream-closed")
        return [state(gate, addresses, host) for host in HOSTS] == [0, 0, 0]

    wait_until(all_down, what="all to be ejected")
    before = len(addresses.received("127.0.0.3"))
    assert gate.request("DELETE", DELETE.target, DELETE.token).status == 502
    assert len(addresses.received("127.0.0.3")) == before + 1
    addresses.start("127.0.0.2", serve)
    addresses.upstreams["127.0.0.3"].close()
    assert gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body).status == 200
    assert state(gate, addresses, "127.0.0.2") == 1


def test_pinned_addresses_keep_the_name(make_gate, make_upstream, certificates):
    """The certificate must name the host of the URL, whatever address it is reached at."""
    for certificate, status in ((certificates.good, 200), (certificates.wrong_host, 502)):
        upstream = make_upstream(serve, certificate)
        gate = make_gate(upstream, config={"upstream": {"addresses": ["127.0.0.1"], "ca_file": str(certificates.authority.file)}})
        assert read(gate) == status
