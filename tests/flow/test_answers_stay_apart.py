"""An upstream that tries to have one client's answer taken for another's.

Every byte that it sends names the client whose request it last read on that connection: the field X-Tag, which the gate passes on. Several
principals, two of them behind one key that the gate holds, ask at the same time over kept connections of their own, through one worker
and so through one pool. Whatever the upstream does, no client may see a byte with another one's name.
"""

import http.client
import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import world
from processes import PATIENCE
from upstreams import answer
from world import READ, TOKENS, UPDATE

READERS = ["viewer", "editor", "deleter", "uneditor", "undeleter", "held"]
SHARED = ("uneditor", "held")  # these two have no key of their own at the upstream
ROUNDS = 25


def tagged(tag, kind="true", status="200 OK", **options):
    return answer(status, body=json.dumps({"for": tag, "kind": kind}).encode(), **options)


def later(connection, data, seconds):
    """Sends when nobody has asked; the connection may be gone by then."""

    def send():
        time.sleep(seconds)
        try:
            connection.sendall(data)
        except OSError:
            pass

    threading.Thread(target=send, daemon=True).start()


def surplus_at_once(connection, tag):
    connection.sendall(tagged(tag) + tagged(tag, "forged"))
    return True


def surplus_after_50_ms(connection, tag):
    connection.sendall(tagged(tag))
    later(connection, tagged(tag, "forged"), 0.05)
    return True


def surplus_after_a_moment(connection, tag):
    connection.sendall(tagged(tag))
    later(connection, tagged(tag, "forged") * 2, random.uniform(0, 0.003))
    return True


def half_an_answer_after_a_moment(connection, tag):
    """What begins as an answer here would end with the next one's first bytes."""
    connection.sendall(tagged(tag))
    later(connection, tagged(tag, "forged")[:-5], random.uniform(0, 0.003))
    return True


def interim_then_two(connection, tag):
    connection.sendall(b"HTTP/1.1 103 Early Hints\r\nX-For: " + tag.encode() + b"\r\n\r\n" + tagged(tag) + tagged(tag, "forged"))
    return True


def interim_later(connection, tag):
    connection.sendall(tagged(tag))
    later(connection, b"HTTP/1.1 103 Early Hints\r\nX-For: " + tag.encode() + b"\r\n\r\n" + tagged(tag, "forged"), random.uniform(0, 0.003))
    return True


def body_on_204(connection, tag):
    connection.sendall(answer("204 No Content", body=b"", length=False))
    later(connection, tagged(tag, "forged"), random.uniform(0, 0.003))
    return True


def body_on_304(connection, tag):
    connection.sendall(tagged(tag, status="304 Not Modified"))
    return True


def two_lengths(connection, tag):
    body = json.dumps({"for": tag, "kind": "true"}).encode()
    connection.sendall(answer(body=body, fields=[("Content-Length", "2")]) + tagged(tag, "forged"))
    return True


def longer_than_it_says(connection, tag):
    body = json.dumps({"for": tag, "kind": "true"}).encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body + b" " * 10)
    return True


def chunks_behind_the_last(connection, tag):
    body = json.dumps({"for": tag, "kind": "true"}).encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    later(connection, b"5\r\n%s\r\n0\r\n\r\n" % tag[:5].ljust(5).encode(), random.uniform(0, 0.003))
    return True


TRICKS = [surplus_at_once, surplus_after_50_ms, surplus_after_a_moment, half_an_answer_after_a_moment, interim_then_two, interim_later,
          body_on_204, body_on_304, two_lengths, longer_than_it_says, chunks_behind_the_last]


class Client:
    """One principal's client: a connection that is kept as long as the gate keeps it."""

    def __init__(self, gate, name):
        self.gate, self.name = gate, name
        self.connection = http.client.HTTPConnection(gate.host, gate.port, timeout=PATIENCE)
        self.seen = []

    def ask(self, operation):
        body = json.dumps(operation.body) if operation.body else None
        fields = {"Authorization": f"Token {TOKENS[self.name]}", "X-Tag": self.name, "Content-Type": "application/vnd.api+json"}
        try:
            self.connection.request(operation.method, operation.target, body=body, headers=fields)
            got = self.connection.getresponse()
            self.seen.append((got.status, got.getheaders(), got.read()))
        except (http.client.HTTPException, ConnectionError):
            self.seen.append((0, [], b""))  # cut off in the middle: nothing of another's in it
            self.connection.close()

    def run(self):
        for number in range(ROUNDS):
            self.ask(UPDATE if self.name in ("editor", "held") and number % 5 == 4 else READ)
            time.sleep(random.uniform(0, 0.004))
        self.connection.close()
        return self


def policy():
    document = world.policy()
    for name in SHARED:
        document["principals"][name]["upstream_token"] = {"env": "SHARED_KEY"}
    return document


def others_in(client, seen):
    """Names of other clients in what this one saw."""
    _, fields, body = seen
    text = body + repr(fields).encode()
    return [name for name in READERS if name != client.name and b'"' + name.encode() + b'"' in text.replace(b"'", b'"')]


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.__name__)
def test_no_client_sees_anothers_answer(make_gate, make_upstream, trick):
    def script(connection, received):
        return trick(connection, received.field("x-tag"))

    upstream = make_upstream(script)
    gate = make_gate(upstream, policy(), config={"workers": 1, "upstream": {"connections": 4}}, environment={"SHARED_KEY": "the-shared-key"})
    with ThreadPoolExecutor(len(READERS)) as pool:
        clients = list(pool.map(Client.run, [Client(gate, name) for name in READERS]))

    for client in clients:
        assert len(client.seen) == ROUNDS
        for seen in client.seen:
            assert others_in(client, seen) == [], (client.name, seen)
            assert seen[0] in (0, 200, 204, 304, 502), (client.name, seen)
    # It was tried: each client's requests got there, and those who share a key came with the same one.
    tags = {received.field("x-tag"): received.field("authorization") for received in upstream.received}
    assert set(tags) == set(READERS)
    assert {tags[name] for name in SHARED} == {"Token the-shared-key"}


def test_kept_connections_stay_with_their_principal(make_gate, make_upstream):
    """A connection to the upstream never carries requests of two principals, nor of one with two keys, and is kept for its own."""

    def script(connection, received):
        connection.sendall(tagged(received.field("x-tag")))
        return True

    upstream = make_upstream(script)
    gate = make_gate(upstream, policy(), config={"workers": 1}, environment={"SHARED_KEY": "the-shared-key"})
    clients = [Client(gate, name) for name in READERS]
    for _ in range(5):
        for client in clients:
            client.ask(READ)
    for client in clients:
        assert [(status, json.loads(body)["for"]) for status, _, body in client.seen] == [(200, client.name)] * 5
        client.connection.close()
    owners = {(received.connection, received.field("x-tag")) for received in upstream.received}
    assert len(owners) == upstream.connections == len(READERS)
