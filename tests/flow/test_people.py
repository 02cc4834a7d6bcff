"""People at the listener for approvals, over the real path: who sees what, who may agree, what is recorded, and what then passes."""

import contextlib
import pathlib
import threading
import time

import pytest
import world
from processes import SANITIZER
from test_admin import hung
from test_approvals import approvals, assert_waits, demand
from test_rules import changes, rule, send
from world import DELETE, PAYMENTS, TOKENS

LISTEN = {"approvals": {"listen": "127.0.0.1:0"}}
REASON = {"reason": "Agreed in the change meeting."}


def people_policy(people=1):
    document = world.policy(rules=[demand(people=people)])
    for grant in document["organizations"][PAYMENTS]["grants"]:
        if grant["principal"] in ("viewer", "editor", "setter", "deleter"):
            grant["permissions"] = [*grant.get("permissions", []), "portcullis.approve"]
    document["principals"]["setter"]["owners"] = ["editor"]
    return document


def error(got, status):
    assert got.status == status, got
    return got.json()["errors"][0]["code"].removeprefix("portcullis-")


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "unix"])
def test_two_people_agree_and_it_passes_once(make_gate, sandbox, tmp_path, listen):
    address = f"unix:{tmp_path}/approvals.sock" if listen == "unix" else listen
    gate = make_gate(sandbox, policy=people_policy(2), config={"approvals": {"listen": address}})
    page = "/approvals/" + assert_waits(send(gate, DELETE), people=2)
    assert error(gate.people("POST", page, TOKENS["deleter"], REASON), 403) == "may-not-approve"
    assert error(gate.people("POST", page, TOKENS["creator"], REASON), 404) == "no-such-approval"
    assert error(gate.people("POST", page, None, REASON), 401) == "unauthenticated"
    assert gate.people("POST", page, TOKENS["setter"], REASON).status == 200
    assert error(gate.people("POST", page, TOKENS["editor"], REASON), 409) == "approved-before"
    assert_waits(send(gate, DELETE), people=2, given=1)
    assert changes(sandbox) == []
    assert gate.people("POST", page, TOKENS["viewer"], REASON).status == 200
    assert send(gate, DELETE).status == 204
    assert len(changes(sandbox)) == 1
    assert [(one["principal"], one["detail"]) for one in approvals(gate, "given")] == [("setter", REASON["reason"]), ("viewer", REASON["reason"])]


def test_what_is_seen_taken_back_and_denied(make_gate, sandbox):
    gate = make_gate(sandbox, policy=people_policy(), config=LISTEN)
    page = "/approvals/" + assert_waits(send(gate, DELETE))
    seen = gate.people("GET", page, TOKENS["viewer"]).json()["data"]["attributes"]
    assert seen["before"] and "radius" not in seen and "radius" in seen["hidden"] and seen["principal"] == "deleter"
    blind = gate.people("GET", page, TOKENS["setter"]).json()["data"]["attributes"]
    assert "before" not in blind and "radius" not in blind
    assert len(gate.people("GET", "/approvals", TOKENS["viewer"]).json()["data"]) == 1
    assert gate.people("GET", "/approvals", TOKENS["creator"]).json()["data"] == []
    assert gate.people("POST", page, TOKENS["viewer"], REASON).status == 200
    assert gate.people("DELETE", page, TOKENS["viewer"], REASON).status == 200
    assert_waits(send(gate, DELETE), given=0)
    assert gate.people("DELETE", page, TOKENS["deleter"], REASON).json()["data"]["attributes"]["state"] == "void"
    assert error(gate.people("GET", page, TOKENS["viewer"]), 404) == "no-such-approval"
    assert [one["result"] for one in approvals(gate)] == ["requested", "given", "withdrawn", "void"]
    assert changes(sandbox) == []


def test_wrong_requests_change_nothing(make_gate, sandbox):
    gate = make_gate(sandbox, policy=people_policy(), config=LISTEN)
    page = "/approvals/" + assert_waits(send(gate, DELETE))
    token = TOKENS["viewer"]
    for body in (b"{", b'{"reason":"a","reason":"b"}'):
        assert error(gate.people("POST", page, token, body), 400) == "malformed-body"
    for body in ({}, {"reason": ""}, {"reason": 1}, {"reason": "x" * 501}, {"reason": "a\nb"}, {"reason": "a", "more": 1}, []):
        assert error(gate.people("POST", page, token, body), 400) == "invalid-body"
    assert error(gate.people("POST", page, token, REASON, {"Content-Type": "text/plain"}), 415) == "media-type"
    assert error(gate.people("POST", page, token, b"x" * 5000), 413) == "body-too-large"
    put = gate.people("PUT", page, token, REASON)
    assert error(put, 405) == "method-not-allowed" and put.field("Allow") == "DELETE, GET, HEAD, POST"
    assert error(gate.people("GET", "/approval", token), 404) == "no-such-operation"
    assert len(approvals(gate)) == 1


def test_two_tokens_name_nobody(make_gate, sandbox):
    """Which of them counts is not for the gate to choose."""
    gate = make_gate(sandbox, policy=people_policy(), config=LISTEN)
    assert_waits(send(gate, DELETE))
    with gate.people_connection() as connection:
        fields = "".join(f"Authorization: token {TOKENS[name]}\r\n" for name in ("viewer", "creator"))
        connection.sendall(f"GET /approvals HTTP/1.1\r\nHost: x\r\n{fields}Connection: close\r\n\r\n".encode())
        assert connection.makefile("rb").readline().split()[1] == b"400"


NOT_A_FILTER = ("x=1", "", "organization=", "organization=all", f"organization={PAYMENTS}&x=1", f"Organization={PAYMENTS}",
                f"organization={PAYMENTS}&organization={PAYMENTS}", f"organization=%{ord(PAYMENTS[0]):02x}{PAYMENTS[1:]}")


def test_a_list_of_one_organization(make_gate, sandbox):
    """A filter that is not understood must not look like one that found nothing."""
    gate = make_gate(sandbox, policy=people_policy(), config=LISTEN)
    approval = assert_waits(send(gate, DELETE))
    for principal in ("viewer", "deleter"):
        ids = {place: [one["id"] for one in gate.people("GET", f"/approvals?organization={place}", TOKENS[principal]).json()["data"]]
               for place in (PAYMENTS, world.SEARCH)}
        assert ids == {PAYMENTS: [approval], world.SEARCH: []}
    assert gate.people("GET", f"/approvals?organization={PAYMENTS}", TOKENS["creator"]).json()["data"] == []
    for query in NOT_A_FILTER:
        for page in ("/approvals", "/breakers"):
            got = gate.people("GET", f"{page}?{query}", TOKENS["viewer"])
            assert error(got, 400) == "parameter", query
            named = query.startswith("organization=")
            assert got.json()["errors"][0].get("source") == ({"parameter": "organization"} if named else None), query
    for method in ("GET", "POST", "DELETE"):
        for page in (f"/approvals/{approval}", "/breakers/the-rule"):
            assert error(gate.people(method, f"{page}?organization={PAYMENTS}", TOKENS["viewer"], None if method == "GET" else REASON), 400) == "parameter"
    assert [one["result"] for one in approvals(gate)] == ["requested"]


@pytest.mark.skipif(SANITIZER is not None, reason="a sanitizer's threads cannot be traced one by one")
def test_who_waits_for_the_journal_is_answered(make_gate, sandbox, tmp_path):
    """However many others come meanwhile, and however long it takes: what is recorded is said to who asked for it, and in the log."""
    gate = make_gate(sandbox, policy=people_policy(), config=LISTEN)
    page = "/approvals/" + assert_waits(send(gate, DELETE))
    tasks = {(task / "comm").read_text().strip(): task for task in pathlib.Path(f"/proc/{gate.process.pid}/task").iterdir()}
    assert "journal" in tasks, "the journal's thread names itself"
    said, begin = [], time.monotonic()
    asking = threading.Thread(target=lambda: said.append(gate.people("POST", page, TOKENS["viewer"], REASON)))
    with contextlib.ExitStack() as stack:
        stack.enter_context(hung(tasks["journal"], tmp_path, "fdatasync,fsync"))
        asking.start()
        held = []
        while time.monotonic() - begin < 6:  # longer than a connection has
            held.append(stack.enter_context(gate.people_connection()))
            if len(held) > 100:
                assert gate.people("GET", "/approvals", TOKENS["viewer"]).status == 200
        assert said == [], "the journal was to be held"
    asking.join()
    assert [answer.status for answer in said] == [200]
    assert [one["principal"] for one in approvals(gate, "given")] == ["viewer"]
    assert len([line for line in gate.log() if line["event"] == "approval-changed"]) == 1


# ---- breakers ----

def breaker_policy(each):
    document = people_policy()
    document["rules"] = [rule(budget={"requests": 1, "seconds": 3600, "each": each, "until": "reset"})]
    return document


@pytest.mark.parametrize("each, key", [("organization", "/" + PAYMENTS), ("principal", "/updater"), ("gate", "")])
def test_a_person_opens_a_breaker(make_gate, sandbox, each, key):
    document = breaker_policy(each)
    if each != "organization":
        document["organizations"]["*"] = {"grants": [{"principal": "viewer", "permissions": ["portcullis.approve"]}]}
    gate = make_gate(sandbox, policy=document, config=LISTEN)
    assert gate.people("GET", "/breakers", TOKENS["viewer"]).json()["data"] == []
    page = "/breakers/the-rule" + key
    assert error(gate.people("POST", page, TOKENS["viewer"], REASON), 404) == "no-such-breaker", "nothing was spent"
    assert [send(gate, world.another()).status for _ in range(3)] == [200, 429, 429]
    [shown] = gate.people("GET", "/breakers", TOKENS["viewer"]).json()["data"]
    assert shown["id"] == "the-rule" + key and shown["attributes"]["tripped"] and shown["attributes"]["requests"] == 1
    assert gate.people("GET", "/breakers", TOKENS["creator"]).json()["data"] == []
    of_one = {place: len(gate.people("GET", f"/breakers?organization={place}", TOKENS["viewer"]).json()["data"]) for place in (PAYMENTS, world.SEARCH)}
    assert of_one == {PAYMENTS: int(each == "organization"), world.SEARCH: 0}
    assert error(gate.people("POST", page, TOKENS["creator"], REASON), 404) == "no-such-breaker"
    assert error(gate.people("POST", page, TOKENS["viewer"], {}), 400) == "invalid-body"
    assert send(gate, world.another()).status == 429
    assert gate.people("POST", page, TOKENS["viewer"], REASON).json()["data"]["attributes"] == {"state": "reset"}
    assert [send(gate, world.another()).status for _ in range(2)] == [200, 429]
    told = [(record["result"], record.get("principal"), record.get("detail")) for record in gate.journal() if record["stage"] == "breaker"]
    assert told == [("tripped", None, None), ("reset", "viewer", REASON["reason"]), ("tripped", None, None)]
    assert len(changes(sandbox)) == 2


def test_nobody_opens_their_own(make_gate, sandbox):
    document = breaker_policy("principal")
    document["organizations"]["*"] = {"grants": [{"principal": name, "permissions": ["portcullis.approve"]} for name in ("updater", "editor")]}
    document["principals"]["updater"]["owners"] = ["editor"]
    gate = make_gate(sandbox, policy=document, config=LISTEN)
    assert [send(gate, world.another()).status for _ in range(2)] == [200, 429]
    for name in ("updater", "editor"):
        assert error(gate.people("POST", "/breakers/the-rule/updater", TOKENS[name], REASON), 403) == "may-not-approve"
    assert send(gate, world.another()).status == 429


@pytest.mark.parametrize("now", ["removed", "no breaker", "of another kind"])
def test_what_tripped_is_opened_though_its_rule_is_gone(make_gate, sandbox, now):
    """… by somebody who may approve everywhere: it would stay in the journal's state for ever."""
    document = breaker_policy("principal")
    document["organizations"]["*"] = {"grants": [{"principal": name, "permissions": ["portcullis.approve"]} for name in ("viewer", "updater")]}
    gate = make_gate(sandbox, policy=document, config=LISTEN)
    assert [send(gate, world.another()).status for _ in range(2)] == [200, 429]
    rules = document["rules"]
    document["rules"] = {"removed": [], "no breaker": [rule(budget={"requests": 1, "seconds": 3600, "each": "principal"})],
                         "of another kind": [rule(budget={"requests": 1, "seconds": 3600, "each": "gate", "until": "reset"})]}[now]
    gate.write_policy(document)
    assert gate.reload()["detail"].startswith("in force")
    [shown] = gate.people("GET", "/breakers", TOKENS["viewer"]).json()["data"]
    assert shown["id"] == "the-rule/updater" and shown["attributes"]["removed"] is True and shown["attributes"]["tripped"]
    assert gate.people("GET", "/breakers", TOKENS["setter"]).json()["data"] == []
    page = "/breakers/the-rule/updater"
    assert error(gate.people("POST", page, TOKENS["setter"], REASON), 404) == "no-such-breaker"
    assert error(gate.people("POST", page, TOKENS["updater"], REASON), 403) == "may-not-approve"
    assert gate.people("POST", page, TOKENS["viewer"], REASON).status == 200
    assert gate.people("GET", "/breakers", TOKENS["viewer"]).json()["data"] == []
    document["rules"] = rules
    gate.write_policy(document)
    gate.reload()
    assert [send(gate, world.another()).status for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("name, path", [("ci bot", "ci%20bot"), ("\u00e9quipe/50%", "%C3%A9quipe%2f50%25")])
def test_whatever_the_principal_is_called(make_gate, sandbox, name, path):
    document = breaker_policy("principal")
    document["organizations"]["*"] = {"grants": [{"principal": "viewer", "permissions": ["portcullis.approve"]}]}
    document["principals"][name] = document["principals"].pop("updater")
    for grant in document["organizations"][PAYMENTS]["grants"]:
        grant["principal"] = name if grant["principal"] == "updater" else grant["principal"]
    gate = make_gate(sandbox, policy=document, config=LISTEN)
    for _ in range(2):
        assert [send(gate, world.another()).status for _ in range(2)] == [200, 429]
        [shown] = gate.people("GET", "/breakers", TOKENS["viewer"]).json()["data"]
        assert shown["id"] == f"the-rule/{name}"
        for wrong in (path + "%", path + "%0", path + "%0A", path + "%00", path + "%FF", path + "x"):
            assert error(gate.people("POST", f"/breakers/the-rule/{wrong}", TOKENS["viewer"], REASON), 404) == "no-such-breaker"
        assert gate.people("POST", f"/breakers/the-rule/{path}", TOKENS["viewer"], REASON).status == 200


def test_no_other_budget_is_opened(make_gate, sandbox):
    """What was spent of a budget that ends by itself, or of breaking the glass, is nobody's to forgive."""
    document = breaker_policy("principal")
    document["rules"] = [rule(budget={"requests": 1, "seconds": 3600, "each": "principal"}),
                         {"id": "freeze", "reason": "Nothing changes now.", "require": {"break_glass": True}}]
    document["principals"]["updater"]["break_glass"] = {"requests": 1, "seconds": 3600}
    document["organizations"]["*"] = {"grants": [{"principal": "viewer", "permissions": ["portcullis.approve"]}]}
    gate = make_gate(sandbox, policy=document, config=LISTEN)
    assert [send(gate, world.another(), Portcullis_Break_Glass="INC-7").status for _ in range(2)] == [200, 429]
    for page in ("/breakers/the-rule/updater", "/breakers/break-glass/updater", "/breakers/break-glass"):
        assert error(gate.people("POST", page, TOKENS["viewer"], REASON), 404) == "no-such-breaker"
    assert gate.people("GET", "/breakers", TOKENS["viewer"]).json()["data"] == []
    assert send(gate, world.another(), Portcullis_Break_Glass="INC-7").status == 429


@pytest.mark.parametrize("path", ["/breakers/", "/breakers/no-such-rule", "/breakers/the-rule", "/breakers/the-rule/", "/breakers/the-rule/x/y"])
def test_no_such_breaker(make_gate, sandbox, path):
    gate = make_gate(sandbox, policy=breaker_policy("principal"), config=LISTEN)
    assert error(gate.people("POST", path, TOKENS["viewer"], REASON), 404) == "no-such-breaker"
    assert error(gate.people("PUT", path, TOKENS["viewer"], REASON), 405) == "method-not-allowed"
