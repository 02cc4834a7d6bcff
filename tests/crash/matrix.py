"""The crash matrix at length: matrix.py [--rounds 1000] [--writers 64] [--seed S] [--library powercut.so]

Round after round a gate dies: at random under all writers, at each fault point at its first and at later passages, of kill -9 alone or
with the power, whose cut takes what was not synced. PORTCULLIS_BUILD says which build to run: one made with FAULTS=1.
"""

import argparse
import collections
import pathlib
import random
import sys
import tempfile
import time

import rounds

ROUNDS_A_WORLD = 10


def plan(count, dice):
    """What each round does: every point alone and with the power, then whatever the dice say."""
    rows = [(point, False, None) for point in rounds.POINTS] + [(point, True, None) for point in rounds.POINTS]
    dice.shuffle(rows)
    while len(rows) < count:
        kind = dice.random()
        if kind < 0.4:
            rows.append((None, dice.random() < 0.5, None))
        elif kind < 0.5:
            rows.append((None, dice.random() < 0.5, dice.randint(5, 60)))
        else:
            rows.append((f"{dice.choice(rounds.POINTS)}:{dice.choice((2, 3, 5, 10, 30))}", dice.random() < 0.5, None))
    return rows[:count]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--writers", type=int, default=64)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--library", type=pathlib.Path, default=rounds.BUILD / "powercut.so")
    given = parser.parse_args()
    dice = random.Random(given.seed)
    reached, torn = collections.Counter(), 0
    rows = plan(given.rounds, dice)
    print(f"crash matrix: {len(rows)} rounds, {given.writers} writers, seed {given.seed}", flush=True)
    for first in range(0, len(rows), ROUNDS_A_WORLD):
        with tempfile.TemporaryDirectory(prefix="portcullis-crash-") as directory:
            world = rounds.World(directory, given.library, seed=dice.random())
            try:
                for number, (point, power, fail) in enumerate(rows[first:first + ROUNDS_A_WORLD], first + 1):
                    what = f"round {number}: {point or 'at random'}{', power cut' * power}{f', every {fail}th sync fails' * bool(fail)}"
                    try:
                        died = world.round(point, given.writers, power=power, fail=fail)
                    except AssertionError as failure:
                        print(f"{what}: {failure}\nseed {given.seed}; the gate said:\n{world.gate.stderr()[-4000:]}", file=sys.stderr)
                        return 1
                    reached[(point or "at random").partition(":")[0]] += died
            finally:
                torn += world.torn
                world.close()
        print(f"  {min(first + ROUNDS_A_WORLD, len(rows))} rounds", flush=True)
    missing = [point for point in rounds.POINTS if reached[point] == 0] if len(rows) > 2 * len(rounds.POINTS) else []
    for point, count in sorted(reached.items()):
        print(f"  {count:5} {point}")
    print(f"  {torn:5} files were torn by the power cuts, with lines behind the damage")
    if missing:
        print(f"never reached: {', '.join(missing)}", file=sys.stderr)
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main())
