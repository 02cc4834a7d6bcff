"""The judgement against a second, naive evaluator that was written from the README's words: on made-up policies and requests the two agree. See
tests/property/."""

import subprocess
import sys

import pytest

from processes import BUILD, ROOT, SANITIZER

sys.path.insert(0, str(ROOT / "tests" / "property"))

import agree  # noqa: E402
import changes  # noqa: E402
import mutants  # noqa: E402

SEED = "1"
CASES = 2000 if SANITIZER else 10000
JOBS = 2


def test_gate_and_naive_evaluator_agree(tmp_path):
    tally, differences = agree.run(BUILD / "portcullis", SEED, CASES, jobs=JOBS)
    assert not differences, agree.write_down(agree.minimise(BUILD / "portcullis", differences[0]), tmp_path)
    assert tally["cases"] == CASES
    if CASES == 10000:
        assert agree.missing_shares(tally) == []


@pytest.mark.skipif(bool(SANITIZER), reason="it is about the tests, and the same with a sanitizer")
def test_mutants_are_seen():
    """A sample of them; `make mutants` has all."""
    assert mutants.run(mutants.chosen(sample=4, seed=SEED), SEED, 10000) == []


def test_every_mutation_fits_the_code():
    for _, mutation in mutants.chosen():
        assert mutants.mutated(mutation) != (ROOT / mutation.file).read_text()


def test_a_difference_is_found_and_made_small(tmp_path, monkeypatch):
    """With a naive evaluator that forgets denials."""
    monkeypatch.setattr(agree.naive, "gate_permission", forgetful(agree.naive.gate_permission))
    _, differences = agree.run_batch(BUILD / "portcullis", SEED, range(20))
    found = next(one for one in differences if one.ours["verdict"] == "allow")
    small = agree.minimise(BUILD / "portcullis", found)
    assert small.ours["verdict"] == "allow" and small.gates["verdict"] == "refuse"
    assert len(str(small.policy)) < len(str(found.policy)) / 2
    assert "portcullis test" in agree.write_down(small, tmp_path)
    done = subprocess.run([str(BUILD / "portcullis"), "test", str(tmp_path / f"{small.case['name']}.cases.json")], capture_output=True, text=True,
                                timeout=60, check=False)
    assert done.returncode == 1, done


def forgetful(gate):
    def without_denials(request, policy):
        organizations = {id_: {**one, "grants": [{**grant, "deny": []} for grant in one.get("grants", [])]} for id_, one in policy["organizations"].items()}
        return gate(request, {**policy, "organizations": organizations})

    return without_denials


def test_diff_misses_nothing():
    """Of what the naive evaluator sees differ between two policies."""
    tally, missed = changes.run(BUILD / "portcullis", SEED, 40 if SANITIZER else 200)
    assert missed == []
    assert tally["more"] > 2 * tally["pairs"] / 5 and tally["less"] > 2 * tally["pairs"] / 5


def test_a_diff_that_misses_something_is_found(monkeypatch):
    monkeypatch.setattr(changes, "diff", lambda *_: (0, {"changes": []}))
    _, missed = changes.run(BUILD / "portcullis", SEED, 200)
    assert len(missed) == 3


def test_diff_of_a_policy_with_itself_is_empty(tmp_path):
    for number in range(10):
        policy = changes.Changer(f"{SEED}.{number}").policy()
        assert changes.diff(BUILD / "portcullis", tmp_path, policy, policy)[1]["changes"] == []
