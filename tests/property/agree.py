#!/usr/bin/python3
"""Made-up requests by made-up policies, judged twice: by the gate (`portcullis test --json --print`) and by the naive evaluator. They must agree on
each, and enough of them must be allowed, and refused by each gate. A case on which they differ is made as small as it goes and printed as a file of
cases that `portcullis test` takes.

    agree.py [--cases 10000] [--seed N] [--minutes M] [--binary build/portcullis] [--keep DIRECTORY]
"""

import argparse
import collections
import concurrent.futures
import copy
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import generate  # noqa: E402
import naive  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONTRACT_FILE = ROOT / "conf" / "integrations.openapi.json"
CONTRACT = naive.Contract(json.loads(CONTRACT_FILE.read_text()))
BINARY = ROOT / os.environ.get("PORTCULLIS_BUILD", "build") / "portcullis"
CASES_OF_A_POLICY = 40
POLICIES_OF_A_RUN = 10
# At least so large a share of the verdicts must be each of these, or the requests prove little.
SHARES = {"allow": 0.25, "spelling": 0.01, "operation": 0.01, "identity": 0.01, "version": 0.02, "parameters": 0.01, "permission": 0.03, "body": 0.02,
          "portcullis-no-credential": 0.01, "portcullis-identity-conflict": 0.001}
SHARES |= {"rules": 0.08, "would_refuse": 0.01, "approval": 0.01, "budget": 0.01, "break-glass": 0.001, "rename": 0.005,
           "portcullis-denied": 0.02, "portcullis-frozen": 0.005, "portcullis-reason-required": 0.005, "portcullis-no-break-glass": 0.002}
SHARES |= {f"{test} is {answer}": 0.003 for test in ("equals", "in", "matches", "exists", "above") for answer in ("true", "false", "unknown")}
SHARES |= {f"{test} is {answer}": 0.003 for test in ("within", "during") for answer in ("true", "false")}


class Failure(Exception):
    """The gate did not judge what it was given."""


class Difference:
    """One case on which the two differ."""

    def __init__(self, policy, case, ours, gates):
        self.policy, self.case, self.ours, self.gates = policy, case, ours, gates

    @property
    def kind(self):
        return [(verdict["verdict"], verdict["gate"], verdict["code"]) for verdict in (self.ours, self.gates)]

    def __str__(self):
        return "\n".join(f"{name}: naive {self.ours[name]!r}, gate {self.gates.get(name)!r}" for name in differs(self.ours, self.gates))


def decide(binary, directory, files):
    """What the gate says of each case of these files, by their order. A file is (policy, cases)."""
    paths = []
    for number, (policy, cases) in enumerate(files):
        (directory / f"policy{number}.json").write_text(json.dumps(policy))
        paths.append(directory / f"cases{number}.json")
        paths[-1].write_text(json.dumps({"policy": f"policy{number}.json", "contract": str(CONTRACT_FILE), "cases": cases}))
    done = subprocess.run([str(binary), "test", "--json", "--print", *map(str, paths)], capture_output=True, timeout=120, check=False)
    if done.returncode not in (0, 1):
        raise Failure(f"exit status {done.returncode}\n" + done.stderr.decode(errors="replace")[:1000])
    found = json.loads(done.stdout)["cases"]
    wanted = [case["name"] for _, cases in files for case in cases]
    if [case["name"] for case in found] != wanted:
        raise Failure(f"{len(wanted)} cases were given, {len(found)} came back, or in another order")
    return found


def differs(ours, gates):
    """The names of the members in which the two verdicts differ. A rule that the README gives no name is not compared."""
    names = ["verdict", "status", "code", "would_refuse"] + (["gate"] if ours["verdict"] == "refuse" else ["obligations"])
    names += ["rule"] if ours["rule"] is not None else []
    return [name for name in names if value_of(ours, name) != value_of(gates, name)]


def value_of(verdict, name):
    value = verdict.get(name)
    return sorted(value or []) if name == "obligations" else value


def seed_of(base, number):
    return f"{base}.{number}"


def run_batch(binary, base, numbers, cases_of_a_policy=CASES_OF_A_POLICY):
    """Judges these policies' cases twice. What was decided, counted by kind, and the differences."""
    files = []
    for number in numbers:
        made = generate.Generator(seed_of(base, number))
        policy = made.policy()
        files.append((policy, [made.case(policy, case) for case in range(cases_of_a_policy)]))
    with tempfile.TemporaryDirectory() as directory:
        try:
            found = iter(decide(binary, pathlib.Path(directory), files))
        except Failure as failure:
            raise Failure(f"seeds {seed_of(base, numbers[0])} to {seed_of(base, numbers[-1])}: {failure}") from failure
    tally, differences = collections.Counter(), []
    for policy, cases in files:
        for case in cases:
            ours, gates = naive.judge(policy, CONTRACT, case), next(found)
            count(tally, ours)
            if differs(ours, gates):
                differences.append(Difference(policy, case, ours, gates))
    return tally, differences


def count(tally, verdict):
    tally["cases"] += 1
    tally[verdict["gate"] or "allow"] += 1
    if verdict["code"]:
        tally[verdict["code"]] += 1
    if verdict["would_refuse"]:
        tally["would_refuse"] += 1
    for kind in {obligation.split(":")[0] for obligation in verdict["obligations"]} | set(verdict["said"]):
        tally[kind] += 1


def run(binary, base, cases, minutes=None, jobs=None, most=3):
    """All of it, on all cores. Stops when the time is over, or at some differences."""
    policies = -(-cases // CASES_OF_A_POLICY)
    batches = [range(first, min(first + POLICIES_OF_A_RUN, policies)) for first in range(0, policies, POLICIES_OF_A_RUN)]
    deadline = time.monotonic() + minutes * 60 if minutes else None
    tally, differences = collections.Counter(), []
    with concurrent.futures.ProcessPoolExecutor(jobs or os.cpu_count()) as pool:
        waiting = collections.deque()
        batches = iter(batches)
        over = False
        while not over or waiting:
            while not over and len(waiting) < 2 * (jobs or os.cpu_count()):
                batch = next(batches, None)
                over = batch is None or (deadline and time.monotonic() > deadline) or len(differences) >= most
                if not over:
                    waiting.append(pool.submit(run_batch, binary, base, batch))
            if waiting:
                more, found = waiting.popleft().result()
                tally += more
                differences += found
    return tally, differences


def missing_shares(tally, shares=None):
    """What there was too little of."""
    return [f"{name}: {tally[name]} of {tally['cases']} cases, less than {share:.1%}" for name, share in (shares or SHARES).items()
            if tally[name] < share * tally["cases"]]


# A difference, made small.

def minimise(binary, difference, attempts=1500):
    """Leaves out what can be left out of policy and case while the two go on to differ in the same way."""
    small = {"policy": copy.deepcopy(difference.policy), "case": copy.deepcopy(difference.case)}
    best = difference
    with tempfile.TemporaryDirectory() as directory:
        again = True
        while again and attempts > 0:
            again = False
            for path in paths_of(small):
                attempts -= 1
                tried = without(small, path)
                found = tried and attempts > 0 and still_differs(binary, pathlib.Path(directory), tried)
                if found and found.kind == best.kind:
                    small, best, again = tried, found, True
    return best


def paths_of(document, path=()):
    """Every place, outer ones first, and the last of a list first, so that the places before it stay where they are."""
    inside = list(document.items()) if isinstance(document, dict) else list(enumerate(document))[::-1] if isinstance(document, list) else []
    for name, value in inside:
        if len(path) > 0:
            yield (*path, name)
        yield from paths_of(value, (*path, name))


def without(document, path):
    tried = copy.deepcopy(document)
    place = tried
    try:
        for name in path[:-1]:
            place = place[name]
        del place[path[-1]]
    except (KeyError, IndexError, TypeError):
        return None
    return tried


def still_differs(binary, directory, tried):
    policy, case = tried["policy"], tried["case"]
    try:
        ours = naive.judge(policy, CONTRACT, case)
        gates, = decide(binary, directory, [(policy, [case])])
    except (Failure, KeyError, AttributeError, TypeError, ValueError):
        return None
    return Difference(policy, case, ours, gates) if differs(ours, gates) else None


def write_down(difference, directory):
    """As files that `portcullis test` takes; the naive verdict is what they expect. Returns what to show."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    name = difference.case["name"]
    expected = {member: value for member, value in difference.ours.items() if value not in (None, [])}
    document = {"policy": f"{name}.policy.json", "contract": str(CONTRACT_FILE), "cases": [{**difference.case, "expect": expected}]}
    (directory / f"{name}.policy.json").write_text(json.dumps(difference.policy, indent=1) + "\n")
    (directory / f"{name}.cases.json").write_text(json.dumps(document, indent=1) + "\n")
    return "\n".join([f"-- {difference.case['name']}", str(difference), "policy: " + json.dumps(difference.policy), "cases: " + json.dumps(document),
                      f"portcullis test {directory / f'{name}.cases.json'}"])


def report(tally):
    cases = tally["cases"] or 1
    return f"{tally['cases']} cases: " + ", ".join(f"{name} {number / cases:.1%}" for name, number in tally.most_common() if name != "cases")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10000)
    parser.add_argument("--seed", default=None, help="the same seed makes the same cases; without one, a new seed, which is printed")
    parser.add_argument("--minutes", type=float, default=None, help="stop after so long, however many are left")
    parser.add_argument("--binary", default=str(BINARY))
    parser.add_argument("--keep", default=str(BINARY.parent / "property"), help="where cases that differ are written")
    options = parser.parse_args()
    seed = options.seed or f"{random.SystemRandom().getrandbits(40):x}"
    print(f"seed {seed}", flush=True)
    began = time.monotonic()
    shutil.rmtree(options.keep, ignore_errors=True)
    try:
        tally, differences = run(options.binary, seed, options.cases, options.minutes)
    except Failure as failure:
        print(failure)
        return 1
    print(f"{report(tally)}; {time.monotonic() - began:.0f} s")
    for difference in differences[:3]:
        print(write_down(minimise(options.binary, difference), options.keep))
    wrong = missing_shares(tally) + ([f"the two differ on {len(differences)} cases"] if differences else [])
    if tally["cases"] < options.cases and not differences:
        print(f"stopped at {tally['cases']} of {options.cases}: the time is over")
    print("\n".join(wrong) or "they agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
