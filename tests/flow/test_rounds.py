"""A few of the storms (tests/rounds): identical and conflicting changes, approvals, keys, budgets, leaps of the clock and deaths, all at once;
behind each, ledger, journal and answers are held against what may be."""

import collections
import subprocess
import sys

import pytest

from processes import ROOT

sys.path.append(str(ROOT / "tests" / "rounds"))

import many  # noqa: E402

pytestmark = pytest.mark.usefixtures("faults")


@pytest.mark.parametrize("seed", range(2))
def test_storms(tmp_path, seed):
    happened = collections.Counter()
    many.run(5, f"flow {seed}", tmp_path / "life", happened)
    assert happened["rounds"] == 5
    for name in ("approvals used", "refused: approval-required", "refused: budget-spent", "breaker tripped", "breaker reset", "replayed"):
        assert happened[name] > 0, (name, happened)


@pytest.mark.parametrize("end", ["exchange-after-intent:2", "exchange-after-forward:1", "exchange-before-outcome:3", "journal-after-write:4", "kill"])
def test_deaths_in_storms(tmp_path, end):
    """Between what is reserved, what is sent, and what is known of it."""
    life = many.life.Life(tmp_path / "life", f"deaths {end}")
    try:
        life.round(end)
        life.round()
        assert life.happened["deaths"] == 1
    finally:
        life.close()


def test_each_seeded_mutant_can_be_made():
    """The lines that seeded.py changes are there, each once. It runs them all, which takes minutes."""
    done = subprocess.run([sys.executable, ROOT / "tests" / "rounds" / "seeded.py", "--list"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.split()[1:]) == (0, ["mutants"]), done
