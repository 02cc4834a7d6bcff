"""A sample of the crash matrix (tests/crash): the gate dies once at each fault point, and its machine loses power at some."""

import random
import subprocess
import sys

import pytest

from processes import BUILD, FAULTS, PATIENCE, ROOT, SANITIZER, wait_until

sys.path.append(str(ROOT / "tests" / "crash"))

import rounds  # noqa: E402
from world import PAYMENTS  # noqa: E402

BATCHES = 6
pytestmark = pytest.mark.usefixtures("faults")


@pytest.fixture
def make_world(tmp_path, monkeypatch):
    """make_world(**options): a rounds.World of the build that can die."""
    made = []
    monkeypatch.setattr("rounds.BUILD", FAULTS)

    def make(**options):
        made.append(rounds.World(tmp_path / "world", FAULTS / "powercut.so", seed=1, **options))
        return made[-1]

    yield make
    for world in made:
        world.close()


def test_all_points_are_known():
    assert len(rounds.POINTS) == len(set(rounds.POINTS)) >= 30
    used = {name for source in (ROOT / "proxy").rglob("*.c") for name in rounds.USED.findall(source.read_text())}
    assert used == set(rounds.POINTS)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_point_once(make_world, batch):
    world = make_world()
    for point in rounds.POINTS[batch::BATCHES]:
        if SANITIZER is None or not point.startswith("mend-"):  # their syncs fail by the library's hand
            assert world.round(point, seconds=PATIENCE), f"the gate never came to {point}"


def test_what_became_of_what_was_under_way(make_world):
    """With a key to read with, the gate finds out after the crash what the API did of what it had not answered."""
    world = make_world(policy=rounds.claims.policy(reconcile={"upstream_token": {"env": "PORTCULLIS_TEST_READER"}, "settle_seconds": 1, "retry_seconds": 1,
                                                "deadline_seconds": 30}),
                       environment={"PORTCULLIS_TEST_READER": "read-only-key-of-the-gate-0001"})
    assert world.round("exchange-after-forward:20", seconds=PATIENCE)
    assert world.round("exchange-after-intent:20", seconds=PATIENCE)
    world.gate.start()

    def all_found():
        found = world.gate.exchanges("reconciled")
        asked = {record["request_id"] for record in world.gate.exchanges("intent")} - {
            record["request_id"] for record in world.gate.exchanges("outcome")}
        return asked and asked == {record["request_id"] for record in found} and found

    found = wait_until(all_found, seconds=PATIENCE + 30, what="a reading for each mutation that was under way")
    for record in found:
        reached = record["request_id"] in world.seen
        if record["organization"] != PAYMENTS:
            assert record["result"] == "unknown", record  # the API shows nothing of one that the round made up
        elif record["operation"] == "createIntegration":
            assert record["result"] == ("present" if reached else "absent"), record
        elif record["operation"] == "deleteIntegration":
            assert record["result"] == ("absent" if reached else "present"), record
    world.gate.stop()
    world.verify()


# A sanitizer's library must be loaded before any other.
@pytest.mark.skipif(SANITIZER is not None, reason="no other library can be loaded into a build with sanitizers")
@pytest.mark.parametrize("batch", range(2))
def test_power_cuts(make_world, batch):
    world = make_world()
    points = ["segment-after-link", "journal-after-write:9", "journal-after-sync:9", "checkpoint-after-rename", "exchange-after-forward:7",
              "exchange-after-outcome:7"]
    for point in [*points[batch::2], None]:
        world.round(point, power=True)


@pytest.mark.skipif(SANITIZER is not None, reason="no other library can be loaded into a build with sanitizers")
def test_power_cuts_that_tear_a_group(make_world):
    """Pages are missing in the middle of what was written last: no person is needed, and the log tells of the cut."""
    world = make_world()
    for life in range(60):  # most cuts leave no line behind the first page that is missing
        assert world.round(f"journal-after-write:{15 + life % 10}", 64, seconds=PATIENCE, power=True)
        if world.torn > 0:
            break
    assert world.torn > 0, "no group was torn"
    cuts = [record for record in world.gate.journal() if record["stage"] == "recovered"]
    assert cuts and all(record["bytes"] > 0 and record["count"] > 0 for record in cuts), cuts
    side = world.gate.audit_directory / cuts[-1]["detail"].rpartition(" ")[2]
    assert side.stat().st_size == cuts[-1]["bytes"]
    said = subprocess.run([BUILD / "portcullis", "audit", "verify", world.gate.audit_directory], capture_output=True, text=True, check=True).stdout
    assert f"{cuts[-1]['bytes']} bytes (lines: {cuts[-1]['count']})" in said and side.name in said, said


@pytest.mark.skipif(SANITIZER is not None, reason="no other library can be loaded into a build with sanitizers")
def test_what_is_not_synced_is_lost(make_world):
    """The library tells no fairy tales: what was written and not synced is gone after its power cut."""
    world = make_world()
    world.random = random.Random(3)
    world.arm("journal-after-write:1", True, None)
    world.live(1, 5, at_random=False)
    world.gate.wait()
    [*_, segment] = world.gate.segments()
    before = segment.read_bytes()
    world.random.choice = lambda options: options[0]  # nothing unsynced stays
    world.cut_power()
    assert len(segment.read_bytes()) < len(before)
    world.check({}, faulty=False)
