"""Another policy takes the place of the one in force: by a signal, or because a file changed; whole, or not at all."""

import hashlib
import http.client
import json
import os
import shutil
import signal
import threading

import pytest
import world
from checks import fields_of
from processes import PATIENCE, SANITIZER, wait_until
from test_approvals import assert_waits
from test_people import LISTEN, REASON, people_policy
from test_rules import changes, send
from world import DELETE, READ, TOKENS, UPDATE

ADMIN = {"admin": {"listen": "127.0.0.1:0"}}
WATCHED = {"policy_watch": True, **ADMIN}


def closed():
    """A policy that lets nobody read."""
    return world.policy(organizations={world.PAYMENTS: {"name": "payments", "grants": []}})


def get(gate):
    return gate.request("GET", READ.target, READ.token).status


def outcomes(gate, count):
    return wait_until(lambda: len(gate.reloads()) >= count and gate.reloads(), what=f"{count} reloads")


def put(path, text):
    """As careful programs write: another file, renamed over it."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def causes(gate):
    return [record["cause"] for record in gate.journal() if record["stage"] == "policy"]


def test_a_file_that_is_renamed_over_it_comes_into_force(make_gate, sandbox):
    gate = make_gate(sandbox, config=WATCHED)
    assert get(gate) == 200
    put(gate.policy_file, json.dumps(closed()))
    assert outcomes(gate, 1)[0]["detail"].startswith("in force")
    assert get(gate) == 403
    gate.write_policy(world.policy())  # in place
    assert outcomes(gate, 2)[1]["detail"].startswith("in force")
    assert get(gate) == 200
    wait_until(lambda: causes(gate) == ["start", "file", "file"], what="the records of three policies")
    assert gate.metrics()["portcullis_reloads_total{result=\"done\"}"] == 2


def test_the_links_of_a_kubernetes_volume(make_gate, sandbox, tmp_path):
    """policy.json -> ..data/policy.json, ..data -> ..1: what is swapped is the second link."""
    volume = tmp_path / "volume"
    for name, policy in (("..1", world.policy()), ("..2", closed())):
        (volume / name).mkdir(parents=True)
        (volume / name / "policy.json").write_text(json.dumps(policy))
    (volume / "..data").symlink_to("..1")
    (volume / "policy.json").symlink_to("..data/policy.json")
    gate = make_gate(sandbox, config={"policy": str(volume / "policy.json"), **WATCHED})
    assert get(gate) == 200
    (volume / "..data_tmp").symlink_to("..2")
    (volume / "..data_tmp").replace(volume / "..data")
    shutil.rmtree(volume / "..1")
    outcomes(gate, 1)
    assert get(gate) == 403
    # And once more: the watch follows the new way.
    (volume / "..3").mkdir()
    (volume / "..3/policy.json").write_text(json.dumps(world.policy()))
    (volume / "..data_tmp").symlink_to("..3")
    (volume / "..data_tmp").replace(volume / "..data")
    outcomes(gate, 2)
    assert get(gate) == 200


@pytest.mark.skipif(SANITIZER is not None, reason="a sanitizer's gate is not confined")
def test_a_link_out_of_what_the_gate_may_read_fails_the_reload(make_gate, sandbox, tmp_path_factory):
    """Confined, it may read the folders that its files lay in at the start, and no others."""
    first, second, links = (tmp_path_factory.mktemp(name) for name in ("first", "second", "links"))
    (first / "policy.json").write_text(json.dumps(world.policy()))
    (second / "policy.json").write_text(json.dumps(closed()))
    (links / "link").symlink_to(first)
    gate = make_gate(sandbox, config={"policy": str(links / "link/policy.json"), **WATCHED})
    (links / "other").symlink_to(second)
    (links / "other").replace(links / "link")
    said = outcomes(gate, 1)[0]
    assert said["level"] == "error" and "Permission denied" in said["detail"] and get(gate) == 200


def test_a_wrong_policy_leaves_the_old_one_and_says_why(make_gate, sandbox):
    gate = make_gate(sandbox, config=WATCHED)
    put(gate.policy_file, json.dumps(world.policy(principles={})))
    said = outcomes(gate, 1)[0]
    assert said["level"] == "error" and "stay as they were" in said["detail"]
    assert get(gate) == 200
    status, checks = gate.health()
    assert status == 200 and checks["policy"]["last_reload"] == "failed"
    assert "principles" in checks["policy"]["last_reload_why"]
    metrics = gate.metrics()
    assert metrics["portcullis_reload_successful"] == 0 and metrics["portcullis_reloads_total{result=\"failed\"}"] == 1
    # Whatever else happens beside it is no reason to try again; the right policy is.
    (gate.directory / "unrelated").write_text("")
    put(gate.policy_file, json.dumps(closed()))
    assert outcomes(gate, 2)[1]["detail"].startswith("in force")
    assert get(gate) == 403 and gate.metrics()["portcullis_reload_successful"] == 1
    assert len(gate.reloads()) == 2


def test_a_held_key_that_changes_is_taken_up(make_gate, sandbox, tmp_path):
    """And one that is missing at first, which the policy that names it waits for."""
    policy = world.policy()
    policy["principals"]["viewer"]["upstream_token"] = {"file": "held.key"}
    (tmp_path / "held.key").write_text("first-held-key")
    gate = make_gate(sandbox, policy=policy, config=WATCHED)
    assert get(gate) == 200
    put(tmp_path / "held.key", "second-held-key")
    outcomes(gate, 1)
    assert get(gate) == 200
    assert [fields_of(line, "authorization") for line in sandbox.ledger()] == [["Token first-held-key"], ["Token second-held-key"]]
    policy["principals"]["viewer"]["upstream_token"] = {"file": "later.key"}
    put(gate.policy_file, json.dumps(policy))
    assert "later.key" in outcomes(gate, 2)[1]["detail"] + gate.stderr()
    (tmp_path / "later.key").write_text("third-held-key")
    assert outcomes(gate, 3)[2]["detail"].startswith("in force")
    assert get(gate) == 200 and fields_of(sandbox.ledger()[-1], "authorization") == ["Token third-held-key"]


def test_nobody_looks_where_that_is_not_wanted(make_gate, sandbox):
    gate = make_gate(sandbox, config={"policy_watch": False, **ADMIN})
    put(gate.policy_file, json.dumps(closed()))
    assert get(gate) == 200
    assert not [name for name in os.listdir(f"/proc/{gate.process.pid}/fd") if "inotify" in descriptor(gate, name)]
    gate.reload()
    assert get(gate) == 403


def descriptor(gate, name):
    try:
        return os.readlink(f"/proc/{gate.process.pid}/fd/{name}")
    except OSError:
        return ""


def mixable(letter):
    """Two policies, each of whose answers is one of its own: who is let in, and with which key."""
    policy = world.policy(organizations={world.PAYMENTS: {"name": "payments", "grants": [{"principal": f"viewer-{letter}", "roles": ["editor"]}]}})
    policy["principals"] = {f"viewer-{letter}": {"tokens": [world.digest(TOKENS["viewer"])], "upstream_token": {"file": f"{letter}.key"}}}
    return policy


def test_no_request_is_judged_by_a_mixture(make_gate, sandbox, tmp_path):
    """Under load, principal (by token), grant (by principal) and held key (by index) are all of one policy, and the record of the policy that
    the access log names is the one that it was judged by."""
    for letter in "ab":
        (tmp_path / f"{letter}.key").write_text(f"key-of-{letter}")
    gate = make_gate(sandbox, policy=mixable("a"), config=ADMIN)
    done, wrong, count = threading.Event(), [], [0, 0, 0, 0]

    def load(index):
        # Changes as well: between judgement and sending they wait for the disk.
        operation = (READ, UPDATE)[index % 2]
        while not done.is_set():
            status = gate.request(operation.method, operation.target, TOKENS["viewer"], body=world.body_bytes(world.another(operation))).status
            count[index] += 1
            if status != 200:
                wrong.append(status)

    clients = [threading.Thread(target=load, args=(index,)) for index in range(len(count))]
    for client in clients:
        client.start()
    for turn in range(12):
        put(gate.policy_file, json.dumps(mixable("ba"[turn % 2]), indent=2))
        assert gate.reload()["detail"].startswith("in force")
    done.set()
    for client in clients:
        client.join()
    assert wrong == [] and sum(count) >= 12
    lines = gate.access_log(sum(count))
    ledger = sandbox.ledger()
    assert len(lines) == len(ledger) == sum(count)
    keys = {fields_of(line, "x-request-id")[0]: fields_of(line, "authorization")[0] for line in ledger}
    pairs = {(line["principal"], keys[line["request_id"]]) for line in lines}
    assert pairs == {("viewer-a", "Token key-of-a"), ("viewer-b", "Token key-of-b")}
    digests = {record["policy"]: {other["principal"] for other in gate.exchanges() if other["policy"] == record["policy"]}
               for record in gate.journal() if record["stage"] == "policy"}
    assert set(map(frozenset, digests.values())) <= {frozenset(), frozenset({"viewer-a"}), frozenset({"viewer-b"})} and len(digests) == 2
    # All that was replaced is given back, by the control thread.
    wait_until(lambda: gate.metrics()["portcullis_policies_replaced"] == 0, what="the replaced policies to be freed")


def test_what_was_replaced_is_freed_by_the_control_thread(make_gate, sandbox):
    """Its reference outlives that of every exchange: the last exchange frees nothing, and a large policy stops no event loop."""
    gate = make_gate(sandbox, config=ADMIN)
    sandbox.fault({"delay_ms": 2000}, match={"method": "GET"})
    answers = []
    client = threading.Thread(target=lambda: answers.append(get(gate)))
    client.start()
    wait_until(lambda: sandbox.ledger(), what="the request at the upstream")
    gate.write_policy(closed())
    gate.reload()
    assert gate.metrics()["portcullis_policies_replaced"] == 1
    assert get(gate) == 403 and answers == []
    client.join()
    assert answers == [200]
    wait_until(lambda: gate.metrics()["portcullis_policies_replaced"] == 0, what="the replaced policy to be freed")


# ---- what goes on while the policy changes ----


def swap(gate, policy):
    """The policy is in force when this returns."""
    count = len(gate.reloads())
    gate.write_policy(policy)
    gate.signal(signal.SIGHUP)
    assert outcomes(gate, count + 1)[count]["detail"].startswith("in force")


def ruled(*rules):
    return world.policy(rules=list(rules))


def test_an_open_connection_of_somebody_who_is_removed(make_gate, sandbox):
    """Who asks is found out for each request, not for each connection."""
    gate = make_gate(sandbox)
    connection = http.client.HTTPConnection(gate.host, gate.port, timeout=PATIENCE)

    def ask():
        connection.request("GET", READ.target, headers={"Authorization": f"Token {TOKENS['viewer']}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    assert ask() == 200
    before = connection.sock
    policy = world.policy()
    del policy["principals"]["viewer"]
    for organization in policy["organizations"].values():
        organization["grants"] = [grant for grant in organization["grants"] if grant["principal"] != "viewer"]
    swap(gate, policy)
    assert ask() == 401
    assert connection.sock in (before, None), "it was the same connection"
    connection.close()
    assert len(sandbox.ledger()) == 1


def test_two_tokens_while_one_takes_the_place_of_the_other(make_gate, sandbox):
    fresh = "viewer-token-of-next-month-0123456789"
    gate, policy = make_gate(sandbox), world.policy()
    tokens = policy["principals"]["viewer"]["tokens"]

    def statuses():
        return [gate.request("GET", READ.target, token).status for token in (TOKENS["viewer"], fresh)]

    assert statuses() == [200, 401]
    new = "sha256:" + hashlib.sha256(fresh.encode()).hexdigest()
    policy["principals"]["viewer"]["tokens"] = [*tokens, new]
    swap(gate, policy)
    assert statuses() == [200, 200]
    policy["principals"]["viewer"]["tokens"] = [new]
    swap(gate, policy)
    assert statuses() == [401, 200]


@pytest.mark.parametrize("people, passes", [(1, True), (2, False), (None, True)], ids=["the same rule", "one person more", "no rule"])
def test_an_approval_that_waits(make_gate, sandbox, people, passes):
    """It survives; how many people it takes is what the policy says when it is used."""
    gate = make_gate(sandbox, policy=people_policy(), config=LISTEN)
    page = "/approvals/" + assert_waits(send(gate, DELETE))
    assert gate.people("POST", page, TOKENS["viewer"], REASON).status == 200
    policy = people_policy(people or 1)
    swap(gate, policy if people else {**policy, "rules": []})
    if passes:
        assert send(gate, DELETE).status == 204 and len(changes(sandbox)) == 1
    else:
        assert_waits(send(gate, DELETE), people=2, given=1)
        assert gate.people("POST", page, TOKENS["setter"], REASON).status == 200
        assert send(gate, DELETE).status == 204 and len(changes(sandbox)) == 1


def test_a_key_is_good_for_who_may_still(make_gate, sandbox):
    gate = make_gate(sandbox)

    def send_it():
        return send(gate, UPDATE, Idempotency_Key="the-key-of-a-job")

    first = send_it()
    assert first.status == 200
    swap(gate, ruled({"id": "other", "reason": "Other.", "operations": ["deleteIntegration"], "deny": True}))
    again = send_it()
    assert again.status == 200 and again.field("portcullis-replay-of") == first.field("portcullis-request-id")
    swap(gate, ruled({"id": "freeze", "reason": "Frozen.", "operations": ["updateIntegration"], "deny": True}))
    denied = send_it()
    assert denied.status == 403 and denied.field("portcullis-replay-of") is None
    swap(gate, closed())
    assert send_it().status == 403
    assert len(changes(sandbox)) == 1


def test_what_is_spent_stays_spent(make_gate, sandbox):
    def policy(requests):
        return ruled({"id": "few", "reason": "Few.", "operations": ["updateIntegration"], "budget": {"requests": requests, "seconds": 3600, "each": "principal"}})

    gate = make_gate(sandbox, policy=policy(2))

    def spend():
        return send(gate, world.another()).status

    assert [spend() for _ in range(3)] == [200, 200, 429]
    swap(gate, policy(3))
    assert [spend() for _ in range(2)] == [200, 429]
    swap(gate, policy(1))
    assert spend() == 429
    swap(gate, ruled())
    assert spend() == 200
    swap(gate, policy(3))
    assert spend() == 429, "what was spent before the rule was away counts"


def test_a_file_that_is_gone_or_half_there(make_gate, sandbox):
    gate = make_gate(sandbox, config=WATCHED)
    whole = json.dumps(closed())
    gate.policy_file.unlink()
    gate.signal(signal.SIGHUP)
    assert not outcomes(gate, 1)[0]["detail"].startswith("in force")
    assert get(gate) == 200
    count = len(gate.reloads())
    gate.policy_file.write_text(whole[:len(whole) // 2])
    outcomes(gate, count + 1)
    assert get(gate) == 200
    assert not [reload for reload in gate.reloads() if reload["detail"].startswith("in force")]
    with gate.policy_file.open("a") as file:
        file.write(whole[len(whole) // 2:])
    wait_until(lambda: gate.reloads()[-1]["detail"].startswith("in force"), what="the whole file to be taken up")
    assert get(gate) == 403
