"""Storms at length: many.py [--rounds 1000] [--seed S] [--only N]

Identical and conflicting deletes, creations and updates, with and without keys, under approvals and budgets, while people agree and think better
of it, somebody changes things behind the gate, the clock leaps, and the gate dies: and then ledger and journal are held against what may be
(promises.py). PORTCULLIS_BUILD says which build to run: one made with FAULTS=1. A seed and a number make the same plan again.
"""

import argparse
import collections
import random
import sys
import tempfile
import time

import life

ROUNDS_A_LIFE = 10

# What must have come to pass at least so often in a thousand rounds.
FLOORS = {
    "approvals used": 1000, "approvals given": 1000, "approvals withdrawn": 50, "approvals void": 50, "replayed": 200, "breaker tripped": 200,
    "breaker reset": 200, "deaths": 200, "unanswered": 100, "sent, and unanswered": 10, "intents that were not sent": 10, "found out afterwards": 20,
    "refused: key-reused": 50, "refused: key-in-flight": 10, "refused: key-done": 20, "refused: twin-in-flight": 50, "refused: budget-spent": 500,
    "refused: approval-required": 1000, "refused: denied": 50, "refused: forbidden": 100,
}


def plan(dice):
    kind = dice.random()
    if kind < 0.7:
        return None
    if kind < 0.8:
        return "kill"
    return f"{dice.choice(life.POINTS)}:{dice.choice((1, 2, 3, 5, 8, 13))}"


def run(rounds, seed, directory, happened, say=lambda *_: None):
    """So many rounds in one life; what came to pass is added up. AssertionError where a promise was not kept."""
    dice = random.Random(seed)
    one = life.Life(directory, seed)
    try:
        for number in range(1, rounds + 1):
            end = plan(dice)
            try:
                one.round(end)
            except AssertionError as failure:
                raise AssertionError(f"round {number} of the life with seed {seed} (end: {end}): {failure}\n{one.gate.stderr()[-3000:]}") from failure
            say(number)
    finally:
        happened.update(one.happened)
        one.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", type=int, help="the life of that number alone")
    given = parser.parse_args()
    happened = collections.Counter()
    lives = [given.only] if given.only is not None else range((given.rounds + ROUNDS_A_LIFE - 1) // ROUNDS_A_LIFE)
    print(f"storms: {given.rounds} rounds, {ROUNDS_A_LIFE} a life, seed {given.seed}", flush=True)
    began = time.monotonic()
    for number in lives:
        with tempfile.TemporaryDirectory(prefix="portcullis-rounds-") as directory:
            try:
                run(ROUNDS_A_LIFE, f"{given.seed}.{number}", directory, happened)
            except AssertionError as failure:
                print(f"{failure}\nagain: --seed {given.seed} --only {number}", file=sys.stderr)
                return 1
        if number % 10 == 9:
            print(f"  {happened['rounds']} rounds, {time.monotonic() - began:.0f} s", flush=True)
    for name, count in sorted(happened.items()):
        print(f"  {count:7} {name}")
    rare = [f"{name}: {happened[name]}" for name, floor in FLOORS.items() if happened[name] < floor * happened["rounds"] / 1000]
    if rare and given.only is None:
        print(f"too rare to have been tried: {', '.join(rare)}", file=sys.stderr)
    return bool(rare) and given.only is None


if __name__ == "__main__":
    sys.exit(main())
