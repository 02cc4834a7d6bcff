"""`portcullis approve` and `portcullis breaker`: people at their listener by command, against the real gate."""

import json
import socket
import subprocess
import threading

import pytest
import world
from processes import BUILD, PATIENCE, wait_until
from test_approvals import approvals, assert_waits
from test_people import LISTEN, breaker_policy, people_policy
from test_rules import changes, send
from world import DELETE, PAYMENTS, TOKENS

WHY = "Agreed in the change meeting."


class Said:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def __repr__(self):
        return f"<{self.status} {self.out!r} {self.err!r}>"


def command(*words, token=None, stdin="", environment=None):
    environment = {"PATH": "/usr/bin", **({"PORTCULLIS_TOKEN": token} if token else {}), **(environment or {})}
    said = Said(subprocess.run([BUILD / "portcullis", *words], input=stdin, capture_output=True, text=True, timeout=PATIENCE + 20, env=environment,
                               check=False))
    assert not [secret for secret in world.SECRETS if secret in said.out + said.err], said
    return said


def address(gate):
    return json.loads(gate.port_file.read_text())["approvals"]


def approve(gate, *words, by="viewer", **options):
    return command("approve", *words, "--at", address(gate), token=TOKENS[by], **options)


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "unix"])
def test_a_person_sees_and_agrees(make_gate, sandbox, tmp_path, listen):
    where = f"unix:{tmp_path}/approvals.sock" if listen == "unix" else listen
    gate = make_gate(sandbox, policy=people_policy(2), config={"approvals": {"listen": where}})
    approval = assert_waits(send(gate, DELETE), people=2)
    listed = approve(gate, "--list")
    assert listed.status == 0 and listed.out.count("\n") == 1
    assert listed.out.startswith(f"{approval}  0 of 2, until ") and '"deleter" wants deleteIntegration of ' in listed.out
    assert approve(gate, "--list", "--organization", world.PAYMENTS).out == listed.out
    assert approve(gate, "--list", "--organization", world.SEARCH).out == "nothing waits\n"
    assert "400 portcullis-parameter" in approve(gate, "--list", "--organization", "payments").err
    shown = approve(gate, approval, "--show")
    assert shown.status == 0 and '"profile_name": "images"' in shown.out and "deleteIntegration" in shown.out and "agreed       0 of 2" in shown.out
    assert "not shown    radius: it needs org.project.read" in shown.out
    given = approve(gate, approval, "--reason", WHY)
    assert (given.status, given.out.partition(", until ")[0]) == (0, f"approval {approval}: 1 of 2 agreed")
    assert "viewer, 20" in approve(gate, approval, "--show").out
    assert approve(gate, approval, "--reason", WHY, by="setter").status == 0
    assert send(gate, DELETE).status == 204 and len(changes(sandbox)) == 1
    assert [(one["principal"], one["detail"]) for one in approvals(gate, "given")] == [("viewer", WHY), ("setter", WHY)]
    assert approve(gate, "--list").out == "nothing waits\n"


def test_what_is_taken_back_and_made_void(make_gate, sandbox):
    gate = make_gate(sandbox, policy=people_policy(2), config=LISTEN)
    approval = assert_waits(send(gate, DELETE), people=2)
    assert approve(gate, approval, "--reason", WHY).status == 0
    assert approve(gate, approval, "--withdraw", "--reason", "No.").out.startswith(f"approval {approval}: 0 of 2 agreed")
    assert approve(gate, approval, "--withdraw", "--reason", "No!", by="setter").out == f"approval {approval}: void\n"
    assert [one["result"] for one in approvals(gate)] == ["requested", "given", "withdrawn", "void"] and changes(sandbox) == []


@pytest.mark.parametrize("by, code", [("deleter", "403 portcullis-may-not-approve"), ("creator", "404 portcullis-no-such-approval")])
def test_who_may_not_is_told_why(make_gate, sandbox, by, code):
    gate = make_gate(sandbox, policy=people_policy(), config=LISTEN)
    approval = assert_waits(send(gate, DELETE))
    said = approve(gate, approval, "--reason", WHY, by=by)
    assert said.status == 1 and said.out == "" and said.err.startswith(f"portcullis: refused: {code}: ") and len(said.err) > len(code) + 40
    told = approve(gate, approval, "--reason", WHY, "--json", by=by)
    assert told.status == 1 and json.loads(told.out)["errors"][0]["status"] == code[:3]
    assert len(approvals(gate)) == 1


def test_whose_token(make_gate, sandbox, tmp_path):
    gate = make_gate(sandbox, policy=people_policy(), config=LISTEN)
    assert_waits(send(gate, DELETE))
    words = ("approve", "--list", "--at", address(gate))
    file = tmp_path / "token"
    file.write_text(TOKENS["viewer"] + "\n")
    assert command(*words, "--token-file", file).out.count("wants") == 1
    assert command(*words, "--token-file", "-", stdin=TOKENS["viewer"]).out.count("wants") == 1
    assert command(*words, "--token-file", file, token=TOKENS["creator"]).out.count("wants") == 1, "the file goes before the variable"
    assert command(*words, token="somebody-elses-token").status == 1
    for said, why in ((command(*words), "PORTCULLIS_TOKEN"), (command(*words, token="two words"), "token"), (command(*words, token=" "), "token"),
                      (command(*words, "--token-file", tmp_path / "none"), "No such file"), (command(*words, token="x" * 9000), "token")):
        assert said.status == 2 and said.err.startswith("portcullis: ") and why in said.err and said.out == "", said


def test_where_the_gate_is(make_gate, sandbox, tmp_path):
    path = tmp_path / "approvals.sock"
    gate = make_gate(sandbox, policy=people_policy(), config={"approvals": {"listen": f"unix:{path}"}})
    assert command("approve", "--list", "-c", gate.config_file, token=TOKENS["viewer"]).out == "nothing waits\n"
    gate.configure({"approvals": None})
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for words, why in (((), "--at ADDRESS or -c FILE"), (("-c", gate.config_file), "has no approvals.listen"), (("-c", tmp_path / "none"), "none"),
                       (("--at", "unix:/no/such"), "No such file"), (("--at", "http://gate.example:80"), "in clear"), (("--at", "10.0.0.1:80"), "127.0.0.1"),
                       (("--at", "nonsense"), "nonsense"), (("--at", f"127.0.0.1:{port}"), "refused")):
        said = command("approve", "--list", *words, token=TOKENS["viewer"])
        assert said.status == 2 and why in said.err and said.out == "", (words, said)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}", b"HTTP/1.1 200 OK\r\n\r\n[]",
                                    b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"a\":1,\"a\":2}"])
def test_what_is_no_gate(answer):
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        said = command("approve", "--list", "--at", f"127.0.0.1:{server.getsockname()[1]}", token=TOKENS["viewer"])
        thread.join()
    assert said.status == 2 and "no gate's listener for people" in said.err and said.out == "", said


def test_nothing_in_an_answer_reaches_the_terminal_as_it_is():
    wicked = {"data": [{"id": "\x1b]0;owned\x07\n1 of 1", "attributes": {"principal": "a\x1b[2J\nb", "people": 1, "given": []}}]}
    body = json.dumps(wicked).encode()
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

        thread = threading.Thread(target=serve)
        thread.start()
        said = command("approve", "--list", "--at", f"127.0.0.1:{server.getsockname()[1]}", token=TOKENS["viewer"])
        thread.join()
    assert said.status == 0 and said.out.count("\n") == 1 and all(" " <= character for character in said.out.strip())


@pytest.mark.parametrize("words", [("--list", "id"), (), ("id",), ("id", "--show", "--reason", "x"), ("id", "--show", "--list"), ("--withdraw",),
                                   ("id", "id", "--reason", "x"), ("id", "--reason"), ("id", "--show", "--organization", "x")])
def test_usage(words):
    said = command("approve", *words, "--at", "127.0.0.1:1", token="x")
    assert said.status == 2 and "usage: portcullis approve" in said.err


@pytest.mark.parametrize("word", ["a b", "x?y", "a%20", "caf\u00e9", "", "a\r\nX: y"])
def test_no_word_breaks_the_request(word):
    said = command("approve", word, "--show", "--at", "127.0.0.1:1", token="x")
    assert said.status == 2 and "id of an approval" in said.err


def test_a_person_opens_a_breaker(make_gate, sandbox):
    gate = make_gate(sandbox, policy=breaker_policy("organization"), config=LISTEN)
    where = ("--at", address(gate))
    assert command("breaker", "list", *where, token=TOKENS["viewer"]).out == "none has tripped\n"
    assert [send(gate, world.another()).status for _ in range(2)] == [200, 429]
    listed = command("breaker", "list", *where, token=TOKENS["viewer"])
    assert listed.status == 0 and listed.out.startswith(f"the-rule/{PAYMENTS}  tripped 20") and "1 requests in 3600 s" in listed.out
    refused = command("breaker", "reset", f"the-rule/{PAYMENTS}", "--reason", WHY, *where, token=TOKENS["creator"])
    assert refused.status == 1 and "404 portcullis-no-such-breaker" in refused.err
    assert command("breaker", "reset", f"the-rule/{PAYMENTS}", *where, token=TOKENS["viewer"]).status == 2
    opened = command("breaker", "reset", f"the-rule/{PAYMENTS}", "--reason", WHY, *where, token=TOKENS["viewer"])
    assert (opened.status, opened.out) == (0, f"breaker the-rule/{PAYMENTS}: open again\n")
    assert send(gate, world.another()).status == 200
    [reset] = wait_until(lambda: [record for record in gate.journal() if record["stage"] == "breaker" and record["result"] == "reset"], what="the record")
    assert (reset["principal"], reset["detail"]) == ("viewer", WHY)


def test_a_breaker_of_somebody_with_a_difficult_name(make_gate, sandbox):
    """`reset` takes what `list` shows."""
    name, document = "ci bot \u00e9/50%?", breaker_policy("principal")
    document["organizations"]["*"] = {"grants": [{"principal": "viewer", "permissions": ["portcullis.approve"]}]}
    document["principals"][name] = document["principals"].pop("updater")
    for grant in document["organizations"][PAYMENTS]["grants"]:
        grant["principal"] = name if grant["principal"] == "updater" else grant["principal"]
    gate = make_gate(sandbox, policy=document, config=LISTEN)
    where = ("--at", address(gate))
    assert [send(gate, world.another()).status for _ in range(2)] == [200, 429]
    shown = command("breaker", "list", *where, token=TOKENS["viewer"]).out.partition("  tripped")[0]
    assert shown == f"the-rule/{name}"
    opened = command("breaker", "reset", shown, "--reason", WHY, *where, token=TOKENS["viewer"])
    assert (opened.status, opened.out) == (0, f"breaker {shown}: open again\n")
    assert command("breaker", "reset", "the-rule/a\r\nX: y", "--reason", WHY, *where, token=TOKENS["viewer"]).status == 1
    assert send(gate, world.another()).status == 200
