"""The npm packages of tests/client: published programs that the gate is held against."""

import fcntl
import os
import shutil
import subprocess

import pytest

from processes import BUILD, ROOT

PLACE = BUILD / "client"
SOURCE = ROOT / "tests" / "client"


@pytest.fixture(scope="session")
def packages():
    """Where they are installed: once for each build; tests that run at the same time wait for one another."""
    PLACE.mkdir(parents=True, exist_ok=True)
    with open(PLACE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp, wanted = PLACE / "installed", (SOURCE / "package-lock.json").read_text()
        if not stamp.exists() or stamp.read_text() != wanted:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SOURCE / name, PLACE / name)
            done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=PLACE, capture_output=True, text=True,
                                  timeout=300, check=False)
            if done.returncode != 0:
                assert not os.environ.get("CI"), done.stdout + done.stderr
                pytest.skip(f"npm could not install the packages: {done.stderr[-500:]}")
            stamp.write_text(wanted)
    return PLACE
