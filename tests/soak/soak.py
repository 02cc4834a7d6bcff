"""Many mixed requests over many connections, and then the books: every mutation that the upstream saw has its intent before it and an
outcome after it; nothing is sent twice, nothing is lost, every answer is the one that its request should get.

    soak.py [--requests N] [--connections 64] [--workers 4] [--seed S]

PORTCULLIS_BUILD says which build to run: the point is to run those with sanitizers.
"""

import argparse
import asyncio
import collections
import json
import pathlib
import random
import re
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "flow"))

import world  # noqa: E402
from processes import BUILD, Gate, Sandbox, wait_until  # noqa: E402

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
# The sandbox's misbehaviour for requests that carry X-Soak with this value.
FAULTS = {
    "lose": {"close": "after-read"},
    "drop": {"close": "before"},
    "reset": {"reset": True},
    "middle": {"close": "middle"},
    "chunked": {"chunked": True},
    "until-close": {"until_close": True},
    "interim": {"interim": 103},
    "error": {"status": 500},
    "busy": {"status": 503},  # a 429 would hold the credential back for all others, as it should
    "surplus": {"surplus": "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"},
    "slow": {"delay_ms": 20},
    "links": {"absolute_links": True},
    "truncate": {"truncate": 10},
}


class Closed(Exception):
    """The connection ended where an answer should have been."""


class Client:
    """One connection, opened anew when it was closed."""

    def __init__(self, gate):
        self.gate = gate
        self.reader = self.writer = None

    async def open(self):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(self.gate.host, self.gate.port)

    def close(self):
        if self.writer is not None:
            self.writer.close()
            self.reader = self.writer = None

    async def send(self, data):
        await self.open()
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self):
        """Status, head and body of the next answer."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            status = int(STATUS.match(head)[1])
            lower = head.lower()
            if status == 204 or status == 304:
                body = b""
            elif b"\r\ntransfer-encoding: chunked" in lower:
                body = b""
                while size := int((await self.reader.readline()).split(b";")[0], 16):
                    body += (await self.reader.readexactly(size + 2))[:-2]
                await self.reader.readuntil(b"\r\n")
            elif length := LENGTH.search(head):
                body = await self.reader.readexactly(int(length[1]))
            else:
                body = await self.reader.read()
            if b"\r\nconnection: close" in lower:
                self.close()
            return status, head, body
        except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
            self.close()
            raise Closed(str(error)) from error


def message(method, target, token, fields=(), body=None, chunked=False):
    lines = [f"{method} {target} HTTP/1.1", "Host: gate"]
    if token:
        lines.append(f"Authorization: Token {token}")
    lines += [f"{name}: {value}" for name, value in fields]
    data = b""
    if body is not None:
        data = json.dumps(body).encode()
        lines.append("Content-Type: application/vnd.api+json")
        if chunked:
            lines.append("Transfer-Encoding: chunked")
            data = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (10, data[:10], len(data) - 10, data[10:])
        else:
            lines.append(f"Content-Length: {len(data)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + data


class Soak:
    def __init__(self, gate, requests, seed):
        self.gate = gate
        self.left = requests
        self.random = random.Random(seed)
        self.results = collections.Counter()
        self.wrong = []
        self.abandoned = 0
        self.number = 0

    def expect(self, what, status, allowed, detail=b""):
        self.results[f"{what} {status}"] += 1
        if status not in allowed:
            self.wrong.append(f"{what}: got {status}, expected one of {sorted(allowed)}: {detail[:300]!r}")

    async def run(self, connections):
        disturbing = asyncio.create_task(self.disturb())
        await asyncio.gather(*(self.client() for _ in range(connections)))
        disturbing.cancel()

    async def disturb(self):
        """Reloads and reopened logs all the while."""
        for number in (signal.SIGHUP, signal.SIGUSR1) * 100000:
            self.gate.signal(number)
            await asyncio.sleep(0.2)

    async def client(self):
        client = Client(self.gate)
        kinds = [(self.read, 40), (self.list, 12), (self.update, 14), (self.create_and_delete, 6), (self.refused, 16), (self.fault, 8),
                 (self.leave, 2), (self.reconnect, 2)]
        actions, weights = zip(*kinds)
        while self.left > 0:
            try:
                await self.random.choices(actions, weights)[0](client)
            except Closed as closed:
                self.wrong.append(f"a connection closed without an answer: {closed}")
        client.close()

    async def exchange(self, client, *args, **more):
        self.left -= 1
        await client.send(message(*args, **more))
        return await client.answer()

    async def read(self, client):
        status, _, body = await self.exchange(client, "GET", world.READ.target, world.TOKENS["viewer"])
        self.expect("read", status, {200}, body)
        if status == 200 and json.loads(body)["data"]["id"] != world.ECR:
            self.wrong.append("a read got another's answer")

    async def list(self, client):
        limit = self.random.choice([10, 20, 100])
        status, _, body = await self.exchange(client, "GET", f"{world.INTEGRATIONS}?version={world.VERSION}&limit={limit}", world.TOKENS["viewer"])
        self.expect("list", status, {200}, body)
        if status == 200 and len(json.loads(body)["data"]) > limit:
            self.wrong.append("a list got another's answer")

    def update_body(self):
        self.number += 1
        return {"data": {"id": world.ECR, "type": "integration", "attributes": {"profile_name": f"renamed {self.number}"}}}

    async def update(self, client):
        wanted = self.update_body()
        status, _, body = await self.exchange(client, "PATCH", world.UPDATE.target, world.TOKENS["updater"], body=wanted,
                                              chunked=self.random.random() < 0.3)
        self.expect("update", status, {200}, body)
        if status == 200 and json.loads(body)["data"]["attributes"]["profile_name"] != wanted["data"]["attributes"]["profile_name"]:
            self.wrong.append("an update got another's answer")

    async def create_and_delete(self, client):
        self.number += 1
        body = {"data": {"type": "integration", "attributes": {"integration_type": "docker-hub", "profile_name": f"soak {self.number}",
                                                               "credentials": {"username": "u", "password": world.SECRET_PASSWORD}}}}
        status, _, answer = await self.exchange(client, "POST", world.CREATE.target, world.TOKENS["creator"], body=body)
        self.expect("create", status, {201}, answer)
        if status == 201:
            target = f"{world.INTEGRATIONS}/{json.loads(answer)['data']['id']}?version={world.VERSION}"
            status, _, answer = await self.exchange(client, "DELETE", target, world.TOKENS["deleter"])
            self.expect("delete", status, {204}, answer)

    async def refused(self, client):
        """One of the ways to be refused."""
        target, delete = world.UPDATE.target, world.DELETE.target
        args, more, expected = self.random.choice([
            (("DELETE", delete, world.TOKENS["viewer"]), {}, 403),
            (("DELETE", delete, "stranger"), {}, 401),
            (("GET", world.READ.target, None), {}, 401),
            (("PATCH", target, world.TOKENS["updater"]), {"body": {"data": {"type": "x", "owner": world.SECRET_PASSWORD}}}, 400),
            (("GET", f"{world.READ.path}?version=yesterday", world.TOKENS["viewer"]), {}, 400),
            (("GET", f"{world.READ.path}/../x?version={world.VERSION}", world.TOKENS["viewer"]), {}, 400),
            (("PUT", target, world.TOKENS["updater"]), {"body": {}}, 405),
            (("GET", f"/v1/orgs?version={world.VERSION}", world.TOKENS["viewer"]), {}, 404),
        ])
        status, _, body = await self.exchange(client, *args, **more)
        self.expect("refused", status, {expected}, body)

    async def fault(self, client):
        """The upstream misbehaves; whatever it does, the client gets one whole answer, its own."""
        name = self.random.choice(list(FAULTS))
        mutation = self.random.random() < 0.5
        good = {"chunked", "until-close", "slow", "links"}
        expected = {200} if name in good else {200, 502} if name in ("interim", "surplus") else {500} if name == "error" else {503} if name == "busy" else {502}
        fields = [("X-Soak", name)]
        if mutation:
            got = await self.exchange(client, "PATCH", world.UPDATE.target, world.TOKENS["updater"], fields, self.update_body())
        else:
            got = await self.exchange(client, "GET", world.READ.target, world.TOKENS["viewer"], fields)
        self.expect(f"fault {name}", got[0], expected, got[2])
        if b"forged" in got[2]:
            self.wrong.append("forged bytes reached a client")

    async def leave(self, client):
        """Sends a request, or a part of one, and goes away."""
        self.left -= 1
        data = message("PATCH", world.UPDATE.target, world.TOKENS["updater"], [("X-Soak", "slow")], self.update_body())
        await client.send(data[:self.random.choice([5, 60, len(data) - 3, len(data), len(data)])])
        self.abandoned += 1
        client.close()

    async def reconnect(self, client):
        client.close()
        await self.read(client)


def check_books(gate, sandbox, soak):
    """What client, upstream and journal say of the mutations, held against each other."""
    wrong = soak.wrong
    journal = gate.journal()
    position = {"intent": {}, "outcome": {}, "refused": {}}
    last = None
    for record in journal:
        if last is not None and record["seq"] != last + 1:
            wrong.append(f"the sequence jumps from {last} to {record['seq']}")
        last = record["seq"]
        if record["stage"] in position:
            if record["request_id"] in position[record["stage"]]:
                wrong.append(f"two records {record['stage']} of {record['request_id']}")
            position[record["stage"]][record["request_id"]] = record
    seen = collections.Counter()
    for line in sandbox.ledger():
        if line["method"] != "GET":
            seen[next(value for name, value in line["headers"] if name.lower() == "x-request-id")] += 1
    for identity, times in seen.items():
        intent, outcome = position["intent"].get(identity), position["outcome"].get(identity)
        if times != 1:
            wrong.append(f"{identity} was sent {times} times")
        if intent is None:
            wrong.append(f"{identity} reached the upstream without an intent")
        elif outcome is None:
            wrong.append(f"{identity} has no outcome")
        elif not intent["seq"] < outcome["seq"]:
            wrong.append(f"{identity}: the outcome stands before the intent")
    for identity in position["intent"]:
        if identity not in position["outcome"]:
            wrong.append(f"the intent {identity} has no outcome")
        if identity in position["refused"]:
            wrong.append(f"{identity} was both sent and refused")
    written = "".join(path.read_text() for path in gate.segments()) + gate.access_file.read_text() + gate.stderr()
    if world.SECRET_PASSWORD in written:
        wrong.append("a secret was written down")
    return {"intents": len(position["intent"]), "mutations at the upstream": len(seen), "refusals recorded": len(position["refused"]),
            "records": len(journal), "reloads": len(gate.reloads()), "access log lines": len(gate.access_file.read_text().splitlines())}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="portcullis-soak-") as directory:
        sandbox = Sandbox(directory, fixtures=world.FIXTURES).start()
        gate = Gate(directory, sandbox, world.policy(), {"workers": options.workers}).start()
        try:
            for name, fault in FAULTS.items():
                sandbox.fault(fault, match={"header": {"x-soak": name}}, count=0)
            soak = Soak(gate, options.requests, options.seed)
            began = time.monotonic()
            asyncio.run(soak.run(options.connections))
            seconds = time.monotonic() - began
            answered = sum(soak.results.values())
            wait_until(lambda: len(gate.exchanges("intent")) == len(gate.exchanges("outcome")), what="the last outcomes")
        finally:
            for process in (gate, sandbox):
                try:
                    process.stop()
                except AssertionError as failure:
                    print(failure, file=sys.stderr)
                    sys.exit(1)
        books = check_books(gate, sandbox, soak)

    print(f"soak: {BUILD.name}: {answered} requests answered, {soak.abandoned} abandoned by their clients, {seconds:.0f} s, "
          f"{answered / seconds:.0f} a second")
    for name, count in {**dict(sorted(soak.results.items())), **books}.items():
        print(f"  {name:28} {count}")
    if books["access log lines"] < answered:
        soak.wrong.append(f"{answered} answers, but {books['access log lines']} lines in the access log")
    for line in soak.wrong[:50]:
        print(f"WRONG: {line}", file=sys.stderr)
    print(f"soak: {answered} passed, {len(soak.wrong)} failed")
    return 1 if soak.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
