"""Kill -9 in the middle of a stream of mutations: what the upstream saw, the journal knew before."""

import http.client
import json
import threading

import pytest

from checks import assert_sequence, fields_of
from processes import wait_until
from world import CREATE, READ, TOKENS


def mutate_for_ever(gate, number, done):
    """Creates one integration after the other until the gate is gone."""
    try:
        connection = http.client.HTTPConnection(gate.host, gate.port, timeout=10)
        for count in range(100000):
            body = json.loads(json.dumps(CREATE.body))
            body["data"]["attributes"]["profile_name"] = f"stream {number} {count}"
            connection.request("POST", CREATE.target, json.dumps(body),
                               {"Authorization": f"Token {TOKENS['creator']}", "Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 201, answer.status
            done.append(answer.status)
    except (OSError, http.client.HTTPException):
        pass


@pytest.mark.parametrize("after", [1, 20, 77, 300])
def test_kill_in_the_middle(make_gate, sandbox, after):
    gate = make_gate(sandbox, config={"workers": 3})
    for life in range(2):  # and once more on the journal that the first crash left
        done = []
        clients = [threading.Thread(target=mutate_for_ever, args=(gate, f"{life}-{number}", done)) for number in range(8)]
        for client in clients:
            client.start()
        wait_until(lambda: len(done) >= after, what=f"{after} mutations")
        gate.kill()
        for client in clients:
            client.join(20)
            assert not client.is_alive()

        # The sandbox may still be reading what was sent before the kill.
        size = [-1]

        def settled():
            still, size[0] = size[0] == len(sandbox.ledger()), len(sandbox.ledger())
            return still

        wait_until(settled)
        gate.start()
        intents = [record["request_id"] for record in gate.exchanges("intent")]
        assert len(intents) == len(set(intents))
        seen = [fields_of(line, "x-request-id")[0] for line in sandbox.ledger() if line["method"] == "POST"]
        assert len(seen) == len(set(seen)), "a mutation was sent twice"
        assert set(seen) <= set(intents), "the upstream saw a mutation that the journal does not know"
        outcomes = {record["request_id"] for record in gate.exchanges("outcome")}
        assert outcomes <= set(intents)
        assert len(set(intents) & outcomes) >= len(done), "an answered mutation without an outcome"
        assert_sequence(gate.journal())
        assert gate.request("GET", READ.target, READ.token).status == 200
