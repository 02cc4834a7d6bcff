"""A gate that dies, or loses its power, under writers, again and again on the same journal; and what must hold each time:

 - every mutation that the upstream saw has its intent in the journal, and it saw none twice;
 - every answer that a client got has its outcome there, with that status, and a mutation that was refused was not sent;
 - a gate started on what is left serves, and then every intent has an outcome or a record of what was found instead;
 - what was once acknowledged stays; `portcullis audit verify` finds nothing wrong;
 - and what claims.py says of keys, approvals and budgets.
"""

import asyncio
import collections
import copy
import datetime
import json
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import types

sys.dont_write_bytecode = True
TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "flow"), str(TESTS / "soak")]

import claims  # noqa: E402
import world  # noqa: E402
from claims import Claims, require  # noqa: E402
from processes import BUILD, PATIENCE, ROOT, Gate, Sandbox, wait_until  # noqa: E402
from soak import Client, Closed, message  # noqa: E402
from world import CREATE, INTEGRATIONS, READ, TOKENS, UPDATE, VERSION  # noqa: E402

# In the order in which one life of a gate passes them; read from where they are written down, so that none is forgotten.
POINTS = re.findall(r"^ \*   ([a-z]+-[a-z-]+) ", (ROOT / "proxy" / "base" / "fault_point.h").read_text(), re.MULTILINE)
USED = re.compile(r'FAULT_POINT\("([a-z-]+)"\)')


class Load:
    """Writers of mutations, each on a connection of its own, until the gate is gone or the time is over."""

    def __init__(self, gate, writers, seconds, seed, claimed):
        self.gate = gate
        self.claimed = claimed
        self.writers = writers
        self.end = time.monotonic() + seconds
        self.random = random.Random(seed)
        self.answers = {}  # request id -> status
        self.over = False

    def run(self):
        asyncio.run(self.all())
        return self.answers

    async def all(self):
        await asyncio.gather(*(self.writer(number) for number in range(self.writers)))

    async def send(self, client, method, target, token, body=None, fields=()):
        """Status, fields and content of the answer; its status is kept, unless it repeats another. `token`: or a principal's name."""
        await client.send(message(method, target, TOKENS.get(token, token), dict(fields).items(), body))
        status, head, answered = await client.answer()
        told = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head.decode().split("\r\n")[1:])}
        if "portcullis-replay-of" not in told:
            self.answers[told["portcullis-request-id"]] = status
        return status, told, answered

    async def leave(self, method, target, token, body=None, fields=()):
        """Sends it on a connection of its own, and resets that: often the gate knows before it has sent anything on."""
        client = Client(self.gate)
        try:
            await client.send(message(method, target, TOKENS.get(token, token), dict(fields).items(), body))
            client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            client.close()
        await asyncio.sleep(0)

    async def change(self, client, number, count):
        """A creation, an update and a delete that claim nothing but that they are made once at a time."""
        create, update = copy.deepcopy(CREATE.body), copy.deepcopy(UPDATE.body)
        create["data"]["attributes"]["profile_name"] = f"{id(self)} {number} {count}"
        update["data"]["attributes"]["profile_name"] = f"renamed {number} {count}"
        status, _, answered = await self.send(client, "POST", CREATE.target, "creator", create)
        if status == 201:
            target = f"{INTEGRATIONS}/{json.loads(answered)['data']['id']}?version={VERSION}"
            await self.send(client, "DELETE", target, "deleter")
        status, _, _ = await self.send(client, "PATCH", UPDATE.target, "updater", update)
        if status == 503:
            await asyncio.sleep(0.02)

    async def writer(self, number):
        """Every other writer claims."""
        client = Client(self.gate)
        count = number
        claiming = (self.claimed.key, self.claimed.approval, self.claimed.budget)
        try:
            while not self.over and time.monotonic() < self.end:
                count += 1
                if number % 2 == 0:
                    await self.change(client, number, count)
                else:
                    await claiming[count // 2 % len(claiming)](self, client)
        except (Closed, OSError):
            self.over = not self.gate.alive()
            if not self.over and time.monotonic() < self.end:
                await asyncio.sleep(0.01)
                await self.writer(number)
        finally:
            client.close()


class World:
    """A sandbox and a gate whose journal lives through many deaths."""

    def __init__(self, directory, library=None, seed=0, config=None, policy=None, environment=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.library = library  # powercut.so
        self.random = random.Random(seed)
        self.sandbox = Sandbox(self.directory, fixtures=world.FIXTURES).start()
        self.environment = environment or {}
        self.gate = Gate(self.directory, self.sandbox, policy or claims.policy(),
                         {"audit": {"segment_bytes": 16384, "checkpoint_records": 40, "checkpoint_seconds": 1},
                          "approvals": {"listen": "127.0.0.1:0"}})
        self.claims = Claims()
        self.gate.configure(config or {})
        self.shadow = self.directory / "shadow"
        self.shadow.mkdir()
        self.read = 0         # bytes of the ledger that were looked at
        self.seen = set()     # request ids in them
        self.settled = set()  # request ids whose story was found whole
        self.killed = False   # the last life had to be ended from outside
        self.old = {}         # files that were there before the last life: identity -> path
        self.deaths = collections.Counter()
        self.torn = 0         # files that a cut left with zeros and lines behind them

    def close(self):
        if self.gate.alive():
            self.gate.kill()
        self.sandbox.stop()

    # One round.

    def round(self, point=None, writers=8, seconds=2.0, power=False, fail=None):
        """Lets the gate die at the point ("name" or "name:count"; None: at a random moment) and holds what is left against the promises.
        `power`: what was not synced is lost; `fail`: every n-th sync of a file fails. True when it died as told."""
        name = (point or "").partition(":")[0]
        self.claims.begin()
        self.prepare(name)
        fail = fail or (25 if name.startswith("mend-") else None)
        self.arm(point, power or fail, fail)
        before = self.gate.stderr()
        answers = self.live(writers, seconds, at_random=point is None)
        died = self.gate.wait(PATIENCE) == -signal.SIGKILL
        self.gate.checked = True
        require(died, "the gate ended by itself", self.gate.stderr()[len(before):])
        self.deaths[point or "at random"] += self.killed is False
        self.settle_ledger()
        if power:
            self.cut_power()
        self.check(answers, faulty=fail is not None)
        return not self.killed

    def prepare(self, name):
        """Brings about what the point needs."""
        if name.startswith("cut-"):
            self.life_without_harm()
            with open(self.gate.segments()[-1], "ab") as segment:
                segment.write(b'{"request_id":"torn')
        if name.startswith("removal-"):
            self.life_without_harm()
            self.age()
        self.gate.configure({"audit": {"keep_days": 1 if name.startswith("removal-") else 0}})

    def life_without_harm(self):
        self.arm(None, False, None)
        self.gate.start()
        for _ in range(30):
            self.gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)
        self.gate.stop()
        self.mutations()
        self.settled |= self.journal()["intent"].keys()

    def age(self):
        """Makes all segments look as if they were begun three days ago."""
        then = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=3)).strftime("%Y%m%dT%H%M%SZ")
        for segment in self.gate.segments():
            segment.rename(segment.with_name(f"{segment.name.partition('-')[0]}-{then}.jsonl"))

    def arm(self, point, library, fail):
        self.gate.extra_environment = dict(self.environment)
        if point:
            self.gate.extra_environment["PORTCULLIS_FAULT"] = point
        if library:
            shutil.rmtree(self.shadow)
            self.shadow.mkdir()
            self.old = self.durable_copy()
            self.gate.extra_environment |= {"LD_PRELOAD": str(self.library), "POWERCUT_ROOT": str(self.directory),
                                            "POWERCUT_SHADOW": str(self.shadow)}
        if fail:
            self.gate.extra_environment["POWERCUT_FAIL"] = str(fail)

    def live(self, writers, seconds, at_random):
        """From the start to the death; what clients were answered. A point at the start is passed before anybody comes."""
        self.killed = False
        self.gate.launch()
        listening = wait_until(lambda: not self.gate.alive() or self.accepts(), what="the gate, or its end")
        answers = {}
        if listening is True and not self.gate.alive():
            return answers
        load = Load(self.gate, writers, self.random.uniform(0.02, seconds) if at_random else seconds, self.random.random(), self.claims)
        if at_random:
            asyncio.run(self.until_killed(load))
        else:
            load.run()
            self.kill()
        return load.answers

    async def until_killed(self, load):
        """The writers do not stop before the gate does."""
        moment, load.end = load.end - time.monotonic(), float("inf")
        writing = asyncio.create_task(load.all())
        await asyncio.sleep(moment)
        self.gate.process.kill()
        await writing

    def kill(self):
        """A gate that has not come to its point, or never will."""
        if self.gate.alive():
            self.killed = True
            self.gate.process.kill()

    def accepts(self):
        try:
            ports = json.loads(self.gate.port_file.read_text())
        except (FileNotFoundError, ValueError):
            return False
        for place, address in ((self.gate, ports["listen"][0]), (people := types.SimpleNamespace(), ports["approvals"])):
            place.host, _, port = address.rpartition(":")
            place.port = int(port)
        self.gate.people_place = people
        return True

    def settle_ledger(self):
        """The sandbox may still be reading what was sent before the death: a request on each of its loops comes behind that."""
        size = -1
        while size != (now := self.sandbox.ledger_file.stat().st_size if self.sandbox.ledger_file.exists() else 0):
            size = now
            time.sleep(0.03)

    # Power cuts.

    def durable_copy(self):
        """What lies there before a life: all of it counts as durable."""
        copied = self.directory / "before"
        shutil.rmtree(copied, ignore_errors=True)
        copied.mkdir()
        for name in (self.gate.audit_directory, self.directory / "gate.keys"):
            if name.exists():
                shutil.copytree(name, copied / name.name)
        paths = [path for name in (self.gate.audit_directory, self.directory / "gate.keys") if name.exists()
                 for path in (name, *name.rglob("*"))]
        return {identity: path.relative_to(self.directory) for path, identity in self.identities(paths).items()}

    @staticmethod
    def identities(paths):
        """As the library names files, by path. stat(1) knows the time of birth, Python does not."""
        if not paths:
            return {}
        said = subprocess.run(["stat", "-c", "%i-%.9W %F", *paths], capture_output=True, text=True, check=True).stdout.splitlines()
        return {path: f"{'d' if line.endswith(' directory') else 'f'}-{line.split()[0]}" for path, line in zip(paths, said, strict=True)}

    def identity(self, path):
        return self.identities([path])[path]

    def cut_power(self):
        """Puts in place of the journal and its keys what was durable, and of the rest a part at will."""
        after = self.directory / "after"
        shutil.rmtree(after, ignore_errors=True)
        after.mkdir()
        for name in (self.gate.audit_directory, self.directory / "gate.keys"):
            if name.exists():
                self.rebuild(name, self.identity(name), after / name.name)
                shutil.rmtree(name)
                if (after / name.name).exists():
                    (after / name.name).rename(name)

    def entries(self, identity, live):
        """Names and identities of a directory after the cut: the durable ones, and of the changes since then some. And those before it."""
        if (self.shadow / identity).exists():
            durable = {name: entry for entry, _, name in
                       (line.partition(" ") for line in (self.shadow / identity).read_text().splitlines())}
        elif identity in self.old:
            copied = self.directory / "before" / self.old[identity]
            known = {str(path): entry for entry, path in self.old.items()}
            durable = {path.name: known[str(self.old[identity] / path.name)] for path in copied.iterdir()}
        else:
            durable = {}
        now = {path.name: identity for path, identity in self.identities(list(live.iterdir())).items()} if live.exists() else {}
        keep = self.random.choice(("none", "some"))
        for name in sorted(now.keys() | durable.keys()):
            if keep == "some" and now.get(name) != durable.get(name) and self.random.random() < 0.5:
                if name in now:
                    durable[name] = now[name]
                else:
                    del durable[name]
        return durable, now

    def content(self, identity, live, same):
        """A file's bytes after the cut: those synced, and of what was written behind them a part, of which any pages may be zeros."""
        if (self.shadow / identity).exists():
            durable = (self.shadow / identity).read_bytes()
        elif identity in self.old:
            durable = (self.directory / "before" / self.old[identity]).read_bytes()
        else:
            durable = b""
        if not same:
            return durable
        now = live.read_bytes()
        if not now.startswith(durable):
            return durable
        after = bytearray(now[:self.random.choice((len(durable), self.random.randint(len(durable), len(now)), len(now)))])
        page, lost = self.random.choice((512, 4096)), self.random.choice((0, 0.3, 0.7, 1))
        for start in range(len(durable) // page * page, len(after), page):
            if self.random.random() < lost:
                start, end = max(start, len(durable)), min(start + page, len(after))
                after[start:end] = bytes(end - start)
        self.torn += b"\n{" in after[after.find(b"\0"):] if b"\0" in after else 0
        return bytes(after)

    def rebuild(self, live, identity, into):
        into.mkdir(mode=0o700)
        entries, now = self.entries(identity, live)
        for name, entry in entries.items():
            if entry[0] == "d":
                self.rebuild(live / name, entry, into / name)
            else:
                (into / name).write_bytes(self.content(entry, live / name, now.get(name) == entry))
                (into / name).chmod(0o600)

    # The promises.

    def journal(self):
        records = self.gate.journal()
        stages = collections.defaultdict(dict)
        for record in records:
            identity = record.get("request_id")
            if identity and record["stage"] in ("intent", "outcome", "reconciled"):
                require(identity not in stages[record["stage"]], "two records of one stage", record)
                stages[record["stage"]][identity] = record
        return stages

    def ended(self):
        """The journal, once each intent in it has an outcome that is known, or a record of what was found instead."""
        stages = self.journal()
        known = {identity for identity, record in stages["outcome"].items() if record.get("result") != "unknown"}
        return stages if stages["intent"].keys() <= known | stages["reconciled"].keys() else None

    def mutations(self):
        """Request ids of the ledger's mutations that are new."""
        with open(self.sandbox.ledger_file, "rb") as ledger:
            ledger.seek(self.read)
            text = ledger.read()
        text = text[:text.rfind(b"\n") + 1]
        self.read += len(text)
        found = []
        for line in map(json.loads, text.splitlines()):
            if line["method"] != "GET":
                [identity] = [value for name, value in line["headers"] if name.lower() == "x-request-id"]
                found.append(identity)
                self.claims.note(line, identity)
        fresh = set(found)
        require(len(found) == len(fresh) and not fresh & self.seen, "a mutation was sent twice", fresh & self.seen)
        self.seen |= fresh
        return fresh

    def check(self, answers, faulty):
        sent = self.mutations()
        left = self.left_behind()
        require(sent <= left["intent"].keys(), "sent without an intent", sent - left["intent"].keys())
        self.check_answers(answers, sent, left, faulty)
        self.claims.check_ledger(left["intent"], sent)
        self.claims.check_journal(left["records"])

        self.arm(None, False, None)
        self.gate.start()
        require(self.gate.request("GET", READ.target, READ.token).status == 200, "it does not serve")
        answer = self.gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)
        require(answer.status == 200, "it takes no mutation", answer)
        now = wait_until(self.ended, what="an end of each intent")
        for stage in ("intent", "outcome"):
            lost = left[stage].keys() - now[stage].keys() - self.settled  # old segments may be removed
            require(not lost, f"lost by the restart: {stage}", lost)
        self.claims.after(self.gate, now, self.gate.journal(), self.random, faulty)
        self.gate.stop()
        sent |= self.mutations()
        now = self.journal()
        self.claims.check_ledger(now["intent"], sent)
        self.settled |= now["intent"].keys()
        self.verify()
        self.claims.compare(self.gate.audit_directory)

    def left_behind(self):
        """What the dead gate's journal says, up to what the death damaged: nothing behind that was acknowledged."""
        stages = collections.defaultdict(dict, records=[])
        for segment in self.gate.segments():
            data = segment.read_bytes()
            for line in data[:data.rfind(b"\n") + 1].splitlines():
                if b"\0" in line:
                    break
                record = json.loads(line)
                stages["records"].append(record)
                if record.get("request_id"):
                    stages[record["stage"]][record["request_id"]] = record
        return stages

    @staticmethod
    def check_answers(answers, sent, left, faulty):
        for identity, status in answers.items():
            outcome = left["outcome"].get(identity)
            if identity not in sent:
                require(status >= 400, "answered, though it was not sent", identity, status)
            elif not faulty:
                require(outcome is not None, "answered without a durable outcome", identity, status)
                require(outcome["status"] == status, "answered otherwise than recorded", status, outcome)

    def verify(self):
        """By the gate's own program."""
        done = subprocess.run([BUILD / "portcullis", "audit", "verify", self.gate.audit_directory], capture_output=True, text=True,
                              timeout=60, check=False)
        require(done.returncode == 0, "verify", done.stdout[-3000:], done.stderr[-3000:])
