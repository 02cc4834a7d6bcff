"""More requests than can be served: who waits, in which order, and who is sent away with 503 before everybody waits for ever."""

import concurrent.futures
import signal
import statistics
import threading
import time

import pytest

from checks import access_line, assert_error, records_of, request_id
from processes import wait_until
from upstreams import answer
from world import DELETE, READ, TOKENS, UPDATE

ADMIN = {"admin": {"listen": "127.0.0.1:0"}}


class SlowUpstream:
    """An upstream that answers when it is told to, or after some time; says whose requests it got, in order."""

    def __init__(self, make_upstream, seconds=None):
        self.seconds = seconds
        self.go = threading.Semaphore(0)
        self.tokens = []
        self.upstream = make_upstream(self.script)
        self.url = self.upstream.url

    def script(self, connection, received):
        self.tokens.append(received.field("authorization").removeprefix("Token "))
        if self.seconds is None:
            assert self.go.acquire(timeout=30)
        else:
            time.sleep(self.seconds)
        connection.sendall(answer(body=b"{}"))
        return True

    def release(self, count=1000):
        self.go.release(count)


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(80) as threads:
        yield threads


def get(gate, token=READ.token):
    return gate.request("GET", READ.target, token)


def asked(gate):
    """How many requests have come to the gate: those that are answered and those that wait."""
    return gate.metrics()["portcullis_connections_total"]


def shed(gate):
    return gate.metrics()["portcullis_shed_requests_total"]


def begin(pool, gate, count, token=READ.token):
    """So many requests, the connections of all of them accepted when it returns."""
    before = asked(gate)
    futures = [pool.submit(get, gate, token) for _ in range(count)]
    wait_until(lambda: asked(gate) >= before + count, what=f"{count} requests at the gate")
    return futures


def statuses(futures):
    return sorted(future.result().status for future in futures)


# Whose turn it is.

def test_one_principal_does_not_make_another_wait(make_gate, make_upstream, pool):
    """Sixty reads of one wait for the only connection when one of another comes: it is served behind one of them, not behind sixty."""
    slow = SlowUpstream(make_upstream)
    gate = make_gate(slow, config={**ADMIN, "workers": 1, "upstream": {"connections": 1}})
    crowd = begin(pool, gate, 60, TOKENS["viewer"])
    [other] = begin(pool, gate, 1, TOKENS["editor"])
    while TOKENS["editor"] not in slow.tokens:
        served = len(slow.tokens)
        slow.release(1)
        wait_until(lambda: len(slow.tokens) > served, what="the next request at the upstream")
    assert len(slow.tokens) < 10
    slow.release()
    assert other.result().status == 200
    assert statuses(crowd) == [200] * 60


def test_a_full_queue_sends_away_who_waits_most(make_gate, make_upstream, pool):
    """It is full of one principal's reads: one more of theirs goes, and not the other's that comes last."""
    slow = SlowUpstream(make_upstream)
    gate = make_gate(slow, config={**ADMIN, "workers": 1, "upstream": {"connections": 1, "queue": 10}})
    crowd = begin(pool, gate, 30, TOKENS["viewer"])
    others = begin(pool, gate, 3, TOKENS["editor"])
    wait_until(lambda: shed(gate) == 22, what="all but those that are served and ten that wait to be sent away")
    slow.release()
    assert statuses(others) == [200] * 3
    assert statuses(crowd) == [200] * 8 + [503] * 22
    refused = next(future.result() for future in crowd if future.result().status == 503)
    assert_error(refused, 503, "overloaded")
    assert refused.field("Retry-After") == "1"


def test_changes_that_are_recorded_stay(make_gate, make_upstream, pool):
    """A change that waits is not sent away, whatever comes behind it; one that finds no room is refused before its intent."""
    slow = SlowUpstream(make_upstream)
    gate = make_gate(slow, config={**ADMIN, "workers": 1, "upstream": {"connections": 1, "queue": 4}})
    first = begin(pool, gate, 1)
    change = pool.submit(gate.request, "PATCH", UPDATE.target, UPDATE.token, None, UPDATE.body)
    wait_until(lambda: gate.exchanges("intent"), what="the intent of the change")
    crowd = begin(pool, gate, 20)
    wait_until(lambda: shed(gate) == 16, what="all reads but four to be sent away")
    late = gate.request("DELETE", DELETE.target, DELETE.token)
    assert_error(late, 503, "overloaded")
    assert late.field("Retry-After") == "1"
    [record] = records_of(gate, request_id(late), ["refused"])
    assert (record["status"], record["rule"]) == (503, "upstream.queue")
    slow.release()
    assert change.result().status == 200
    assert statuses(first) == [200]
    assert statuses(crowd) == [200] * 4 + [503] * 16
    assert len(gate.exchanges("intent")) == 1


# How many, and for how long.

def test_a_bound_on_requests_under_way(make_gate, make_upstream, pool):
    slow = SlowUpstream(make_upstream)
    gate = make_gate(slow, config={**ADMIN, "workers": 1, "limits": {"exchanges": 5}})
    inside = begin(pool, gate, 5)
    wait_until(lambda: len(slow.tokens) == 5, what="five requests at the upstream")
    got = get(gate)
    assert_error(got, 503, "overloaded")
    assert got.field("Retry-After") == "1"
    line = access_line(gate, request_id(got))
    assert (line["verdict"], line["gate"], line["rule"]) == ("refuse", "limits", "limits.exchanges")
    slow.release()
    assert statuses(inside) == [200] * 5
    assert get(gate).status == 200


def refused_changes(gate, until):
    """Changes that their principal may not make, eight at a time, as fast as they are refused."""
    request = f"DELETE {DELETE.target} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {TOKENS['nobody']}\r\n\r\n".encode()
    with gate.connect() as connection:
        while not until.is_set():
            connection.sendall(request * 8)
            answered = b""
            while answered.count(b"HTTP/1.1 403 ") < 8:
                piece = connection.recv(65536)
                assert piece
                answered += piece


def test_changes_that_are_refused_leave_room_for_others(make_gate, sandbox, pool):
    """The journal's queue is for those first who may change something."""
    gate = make_gate(sandbox, config={"audit": {"queue": 16}, "admin": {"listen": "127.0.0.1:0"}})
    end = threading.Event()
    flood = [pool.submit(refused_changes, gate, end) for _ in range(40)]
    try:
        wait_until(lambda: gate.metrics()["portcullis_journal_missed_total"] > 0, what="a queue that is full of refusals")
        statuses_of_changes = {gate.request("DELETE", DELETE.target, DELETE.token).status for _ in range(60)}
    finally:
        end.set()
    for one in flood:
        one.result()
    assert statuses_of_changes <= {204, 404}, "the first one deletes, the API finds nothing for the others"


def load(pool, gate, seconds, clients):
    """Clients that ask again and again, and wait as they are told to: what each request came to, and how long it took."""
    done = []

    def client():
        while time.monotonic() < end:
            began = time.monotonic()
            got = get(gate)
            done.append((began, got.status, time.monotonic() - began))
            if got.status == 503:
                assert got.field("Retry-After") == "1"
                time.sleep(0.2)

    end = time.monotonic() + seconds
    for future in [pool.submit(client) for _ in range(clients)]:
        future.result()
    return done


def test_latency_does_not_collapse(make_gate, make_upstream, pool):
    """Three times as many as can be served in time: those that are taken are served in time, and as many as could be."""
    seconds, clients, each = 4, 48, 0.04
    slow = SlowUpstream(make_upstream, each)
    gate = make_gate(slow, config={**ADMIN, "workers": 1, "upstream": {"connections": 1, "queue_wait_ms": 300}})
    done = load(pool, gate, seconds, clients)
    began = done[0][0]
    served = sorted(took for start, status, took in done if status == 200 and start > began + 1)
    assert {status for _, status, _ in done} == {200, 503}
    assert len(slow.tokens) >= 0.7 * seconds / each, "the upstream was not kept busy"
    # Without the bound all of them wait for all others: 48 times 40 ms.
    assert statistics.median(served) < 1.0 < clients * each, served


def test_a_loop_that_is_late(make_gate, sandbox):
    """A process that gets too little time answers 503 rather than ever later, and goes on as soon as it has time again."""
    gate = make_gate(sandbox, config={"workers": 1, "limits": {"loop_lag_ms": 150}})
    assert get(gate).status == 200
    stop = threading.Event()

    def starve():
        while not stop.is_set():
            gate.signal(signal.SIGSTOP)
            time.sleep(0.4)
            gate.signal(signal.SIGCONT)
            time.sleep(0.03)

    starver = threading.Thread(target=starve)
    starver.start()
    try:
        got = wait_until(lambda: (answered := get(gate)).status == 503 and answered, what="a 503")
    finally:
        stop.set()
        starver.join()
        gate.signal(signal.SIGCONT)
    assert_error(got, 503, "overloaded")
    assert access_line(gate, request_id(got))["rule"] == "limits.loop_lag_ms"
    wait_until(lambda: get(gate).status == 200, what="an end to it")
    assert [line for line in gate.log() if line["event"] == "overload"]
