"""Least power: what the running gate has given up, and that it still does its work."""

import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess

import pytest

import world
from processes import ROOT, SANITIZER, wait_until

pytestmark = pytest.mark.skipif(SANITIZER is not None, reason="a sanitizer makes system calls of its own")


def status_of(gate):
    """What the kernel says of the process and of each of its threads."""
    threads = []
    for path in pathlib.Path(f"/proc/{gate.process.pid}/task").glob("*/status"):
        threads.append(dict(line.split(":\t", 1) for line in path.read_text().splitlines() if ":\t" in line))
    return threads


def test_every_thread_is_confined(gate):
    threads = status_of(gate)
    assert len(threads) > 3
    for thread in threads:
        assert (thread["NoNewPrivs"].strip(), thread["Seccomp"].strip()) == ("1", "2"), thread


def test_confine_off_restricts_no_calls(make_gate, sandbox):
    gate = make_gate(sandbox, config={"process": {"confine": "off"}})
    assert {(thread["NoNewPrivs"].strip(), thread["Seccomp"].strip()) for thread in status_of(gate)} == {("1", "0")}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_gate_becomes_the_given_user(make_gate, sandbox, tmp_path):
    for path in [tmp_path, *tmp_path.parents]:
        if path.stat().st_uid == 0 and not path.stat().st_mode & 0o005:
            os.chmod(path, path.stat().st_mode | 0o005)
    gate = make_gate(sandbox, config={"process": {"user": "nobody", "confine": "required"}}, start=False)
    account = pwd.getpwnam("nobody")
    shutil.chown(tmp_path, "nobody")
    gate.start()
    for thread in status_of(gate):
        assert set(thread["Uid"].split()) == {str(account.pw_uid)}
        assert set(thread["Gid"].split()) == {str(account.pw_gid)}
        assert {thread[name].strip("\t 0") for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {""}, thread
    answer = gate.request(world.DELETE.method, world.DELETE.target, world.DELETE.token)
    assert answer.status == 204
    assert [record["stage"] for record in gate.exchanges()] == ["intent", "outcome"]


def test_an_unknown_user_stops_the_start(make_gate, sandbox):
    gate = make_gate(sandbox, config={"process": {"user": "no-such-account"}}, start=False)
    gate.launch()
    assert gate.wait() == 2
    gate.checked = True
    assert 'there is no user \\"no-such-account\\"' in gate.stderr()


def test_a_wrong_choice_names_the_right_ones(make_gate, sandbox):
    gate = make_gate(sandbox, config={"process": {"confine": "yes"}}, start=False)
    gate.launch()
    assert gate.wait() == 2
    gate.checked = True
    assert 'process.confine must be one of "auto", "required", "off"' in gate.stderr()


@pytest.mark.parametrize("call", ["landlock_create_ruleset", "seccomp"])
@pytest.mark.parametrize("confine", ["auto", "required"])
def test_a_kernel_that_lacks_one(make_gate, sandbox, call, confine):
    """Said once, and gone on without; or not started, when the settings demand it."""
    gate = make_gate(sandbox, config={"process": {"confine": confine}}, start=False)
    command = gate.command
    gate.command = lambda: ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error=ENOSYS", *command()]
    if confine == "auto":
        gate.start()
        said = [line["detail"] for line in gate.log() if line["event"] == "confine" and "going on without" in line["detail"]]
        assert len(said) == 1, said
        assert gate.request("GET", world.READ.target, world.READ.token).status == 200
    else:
        gate.launch()
        assert gate.wait() == 2
        gate.checked = True
        assert 'process.confine is \\"required\\"' in gate.stderr()


def test_files_that_the_settings_do_not_name_are_out_of_reach(make_gate, sandbox, tmp_path, tmp_path_factory):
    """A later policy names a credential that lies elsewhere: the old policy stays, and the message says why."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "secret"
    elsewhere.write_text("held-token-0123456789abcdef")
    elsewhere.chmod(0o600)
    policy = world.policy()
    policy["principals"]["held"]["upstream_token"] = {"file": str(elsewhere)}
    gate = make_gate(sandbox)
    gate.write_policy(policy)
    gate.signal(signal.SIGHUP)
    line = wait_until(lambda: next((line for line in gate.log() if str(elsewhere) in line["detail"]), None), what="the refusal of the policy")
    assert "Permission denied" in line["detail"]
    assert gate.request("GET", world.READ.target, world.READ.token).status == 200
    gate.stop()
    again = make_gate(sandbox, policy=policy)
    assert again.request("GET", world.READ.target, world.TOKENS["held"]).status == 200


def test_logs_and_policies_may_be_replaced_by_renaming(make_gate, sandbox, tmp_path):
    gate = make_gate(sandbox)
    gate.access_file.rename(tmp_path / "access.1")
    gate.signal(signal.SIGUSR1)
    wait_until(gate.access_file.exists, what="the new access log")
    policy = world.policy()
    policy["principals"]["nobody"]["tokens"] = []
    new = tmp_path / "new.json"
    new.write_text(json.dumps(policy))
    new.rename(gate.policy_file)
    gate.signal(signal.SIGHUP)
    wait_until(lambda: any(line["event"] == "reload" for line in gate.log()), what="the reload")
    assert gate.request("GET", world.READ.target, world.TOKENS["nobody"]).status == 401


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_unit_is_sound():
    """Everything in it is known to systemd, and little is left open."""
    unit = ROOT / "conf" / "portcullis.service"
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False).stderr
    assert [line for line in said.splitlines() if "is not executable" not in line] == []
    security = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=20", unit], capture_output=True, text=True, check=False)
    assert security.returncode == 0, security.stdout.splitlines()[-1]
