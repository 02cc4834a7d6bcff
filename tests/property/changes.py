#!/usr/bin/python3
"""`portcullis diff` against the naive evaluator: pairs of made-up policies, of which the second is the first with something changed, and made-up
requests. Where the naive verdicts on a request differ, diff must have told of something; where more passes than before, it must have told of
something that is or may be gained, and end with status 1.

    changes.py [--pairs 1000] [--seed N] [--binary build/portcullis]
"""

import argparse
import collections
import copy
import json
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import agree  # noqa: E402
import generate  # noqa: E402
import naive  # noqa: E402

REQUESTS = 60


class Changer(generate.Generator):
    def changed(self, policy):
        """The policy with one thing changed, or two; and the names of what was changed."""
        new, names = copy.deepcopy(policy), []
        for _ in range(self.pick([1, 1, 1, 2])):
            change = self.pick([self.add_grant, self.remove_grant, self.change_grant, self.add_rule, self.remove_rule, self.remove_rule,
                                self.change_conditions, self.change_conditions, self.change_conditions, self.change_scope, self.change_effect,
                                self.change_versions, self.change_enforcement, self.change_token, self.change_glass, self.change_role, self.change_key])
            change(new)
            names.append(change.__name__)
        return new, names

    def organization_of(self, policy):
        return policy["organizations"][self.pick(list(policy["organizations"]))]

    def add_grant(self, policy):
        self.organization_of(policy)["grants"].append(self.grant())

    def remove_grant(self, policy):
        grants = self.organization_of(policy)["grants"]
        grants.pop(self.random.randrange(len(grants)))

    def change_grant(self, policy):
        grants = self.organization_of(policy)["grants"]
        grants[self.random.randrange(len(grants))] = self.grant()

    def add_rule(self, policy):
        rules = policy.setdefault("rules", [])
        rules.append(self.rule(10 + len(rules)))

    def remove_rule(self, policy):
        if policy.get("rules"):
            policy["rules"].pop(self.random.randrange(len(policy["rules"])))

    def change_conditions(self, policy):
        for rule in policy.get("rules", [])[:1]:
            rule = self.pick(policy["rules"])
            member = self.pick(["when", "unless"])
            conditions = rule.setdefault(member, [])
            if conditions and self.chance(0.5):
                conditions.pop()
            else:
                conditions.append(self.condition(rule.get("operations")))
            if not conditions:
                del rule[member]

    def change_scope(self, policy):
        if policy.get("rules"):
            rule = self.pick(policy["rules"])
            member = self.pick(["organizations", "principals"])
            if member in rule and self.chance(0.5):
                del rule[member]
            else:
                rule[member] = self.some(generate.PRINCIPALS if member == "principals" else generate.ORGANIZATIONS, 1, 2)

    def change_effect(self, policy):
        for rule in policy.get("rules", []):
            if "operations" not in rule or not set(rule["operations"]) & set(generate.READS):
                for member in ("deny", "require", "budget"):
                    rule.pop(member, None)
                self.give_effect(rule, self.pick(["deny", "approval", "reason", "break_glass", "budget"]))
                return

    def change_versions(self, policy):
        policy["api_versions"] = self.api_versions()

    def change_enforcement(self, policy):
        policy["enforcement"] = self.pick(["observe", "enforce"])

    def change_token(self, policy):
        one = policy["principals"][self.pick(generate.PRINCIPALS)]
        if "tokens" in one:
            one["tokens"] = [self.token(self.pick([generate.token_of(name) + "x" for name in generate.PRINCIPALS]))]
            digests = [token if isinstance(token, str) else token["digest"] for other in policy["principals"].values() for token in other.get("tokens", [])]
            if len(digests) != len(set(digests)):
                one["tokens"] = [generate.digest(str(self.random.random()))]

    def change_glass(self, policy):
        one = policy["principals"][self.pick(generate.PRINCIPALS)]
        if one.pop("break_glass", None) is None:
            one["break_glass"] = {"requests": 1, "seconds": 60}

    def change_role(self, policy):
        policy["roles"]["some"] = self.some(generate.PERMISSIONS, 1, 3)

    def change_key(self, policy):
        one = self.pick([self.organization_of(policy), policy["principals"][self.pick(generate.PRINCIPALS)]])
        if one.pop("upstream_token", None) is None:
            one["upstream_token"] = {"env": "MADE_UP"}


def diff(binary, directory, old, new):
    """Exit status, and what the command printed as JSON."""
    for name, policy in (("old", old), ("new", new)):
        (directory / f"{name}.json").write_text(json.dumps(policy))
    done = subprocess.run([str(binary), "diff", str(directory / "old.json"), str(directory / "new.json"), "--contract", str(agree.CONTRACT_FILE), "--json"],
                          capture_output=True, timeout=120, check=False)
    if done.returncode not in (0, 1):
        errors = [line for line in done.stderr.decode(errors="replace").splitlines() if " warning: " not in line]
        raise agree.Failure("\n".join([f"exit status {done.returncode}", *errors[:5]]))
    return done.returncode, json.loads(done.stdout)


def demanded(policy, obligations):
    """The approvals that the obligations name, as (people, seconds)."""
    by_id = {f"approval:{rule['id']}": rule["require"]["approval"] for rule in policy.get("rules", []) if "approval" in rule.get("require", {})}
    return [(by_id[one]["people"], by_id[one]["seconds"]) for one in obligations if one in by_id]


def is_more(before, after, old, new, observed):
    """Does more pass than before, or is less asked of what passes? Where the old policy only observed, its rules kept nobody out. An approval is
    asked for still where another rule wants as many people in as short a time: one satisfies all."""
    if after["verdict"] != "allow":
        return False
    if before["verdict"] == "refuse":
        return True
    asked = {one for one in before["obligations"] if one == "journal" or not observed}
    lost = asked - set(after["obligations"])
    others = demanded(new, after["obligations"])
    covered = all(any(more >= people and less <= seconds for more, less in others) for people, seconds in demanded(old, lost))
    return not covered or any(not one.startswith("approval:") for one in lost)


def check_pair(binary, seed, directory, tally):
    """What diff missed: (what, request, both verdicts), or None."""
    made = Changer(seed)
    old = made.policy()
    new, names = made.changed(old)
    status, told = diff(binary, directory, old, new)
    tally["pairs"] += 1
    tally["gained" if status == 1 else "not gained"] += 1
    for number in range(REQUESTS):
        case = made.case(made.pick([old, new]), number)
        before, after = naive.judge(old, agree.CONTRACT, case), naive.judge(new, agree.CONTRACT, case)
        if (before["verdict"], before["obligations"]) == (after["verdict"], after["obligations"]):
            continue
        tally["differ"] += 1
        organization = case["request"]["target"].split("/orgs/")[1].split("/")[0].lower()
        more = is_more(before, after, old, new, naive.enforcement(old, organization) == "observe")
        tally["more"] += more
        tally["less"] += not more
        if more and status != 1 or not told["changes"]:
            return {"missed": "more passes" if more else "a difference", "changes": names, "seed": seed, "case": case, "before": before, "after": after,
                    "old": old, "new": new, "told": told}
    return None


def run(binary, seed, pairs, most=3):
    tally, missed = collections.Counter(), []
    with tempfile.TemporaryDirectory() as directory:
        for number in range(pairs):
            found = check_pair(binary, f"{seed}.{number}", pathlib.Path(directory), tally)
            missed += [found] if found else []
            if len(missed) >= most:
                break
    return tally, missed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--seed", default=None)
    parser.add_argument("--binary", default=str(agree.BINARY))
    options = parser.parse_args()
    seed = options.seed or f"{random.SystemRandom().getrandbits(40):x}"
    print(f"seed {seed}", flush=True)
    tally, missed = run(options.binary, seed, options.pairs)
    print(dict(tally))
    for one in missed:
        print(json.dumps(one))
    print(f"diff missed {len(missed)}" if missed else "diff missed nothing")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
