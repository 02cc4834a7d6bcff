"""The metrics page: that it is well-formed, that each figure moves when it should and not otherwise, and that all agree with the books.

The admin listener itself, and what it says of health, stand in test_admin.py."""

import collections
import concurrent.futures
import datetime
import hashlib
import pathlib
import re
import time

import pytest
from cryptography import x509
from prometheus_client.parser import text_string_to_metric_families

from processes import wait_until
from upstreams import answer
from world import DELETE, OPERATIONS, READ, TOKENS, UPDATE

ADMIN = {"admin": {"listen": "127.0.0.1:0"}}


def sum_of(metrics, family, **labels):
    """All samples of a family that have these labels."""
    return sum(value for name, value in metrics.items() if name.partition("{")[0] == f"portcullis_{family}"
               and all(f'{label}="{wanted}"' in name for label, wanted in labels.items()))


def update(gate):
    return gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body)


def settled(gate, count):
    """The metrics once the access log has so many lines: a request is counted when it is logged."""
    gate.access_log(count)
    return gate.metrics()


# ---- the page ----

def assert_exposition(page):
    """The text format to the letter: every family has one head, in front of its samples; no sample stands twice; histograms add up."""
    assert page.endswith("\n")
    heads, samples, family = [], set(), None
    for line in page.splitlines():
        if help := re.fullmatch(r"# HELP (portcullis_[a-z_]+) (\S.*\.)", line):
            family, kind = help[1], None
            heads.append(family)
        elif line.startswith("# TYPE "):
            kind = line.removeprefix(f"# TYPE {family} ")
            assert kind in ("counter", "gauge", "histogram"), line
            assert (kind == "counter") == family.endswith("_total"), line
        else:
            sample = re.fullmatch(r'(\w+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*"(?:,(?!\})|(?=\})))+\})? (\d+(?:\.\d+)?)', line)
            assert sample and kind, line
            assert sample[1] in ([f"{family}_bucket", f"{family}_sum", f"{family}_count"] if kind == "histogram" else [family]), line
            assert (sample[1], sample[2]) not in samples, line
            samples.add((sample[1], sample[2]))
    assert len(set(heads)) == len(heads)


def families_of(page):
    """The same as a parser that is not ours reads it."""
    assert_exposition(page)
    families = {family.name: family for family in text_string_to_metric_families(page)}
    for family in families.values():
        buckets = {}
        for sample in family.samples:
            assert re.fullmatch(r"[a-z_]+", sample.name) and sample.value >= 0, sample
            if family.type == "histogram":
                key = tuple(item for item in sample.labels.items() if item[0] != "le")
                buckets.setdefault(key, []).append(sample)
        for series in buckets.values():
            *bounds, last, total, count = series
            assert total.name.endswith("_sum") and count.name.endswith("_count") and last.labels["le"] == "+Inf"
            values = [sample.value for sample in bounds]
            limits = [float(sample.labels["le"]) for sample in bounds]
            assert values == sorted(values) and limits == sorted(set(limits)) and last.value == count.value >= values[-1]
    return families


def test_the_page_is_what_prometheus_reads(make_gate, make_upstream):
    """Whatever the upstream says of itself: a tab, a quote, a backslash, a byte that is no UTF-8."""
    said = [("snyk-version-served", 'a"b\\c\td'), ("snyk-version-lifecycle-stage", "\xe9 }"), ("sunset", "x" * 500)]
    upstream = make_upstream(lambda connection, received: connection.sendall(answer(body=b"{}", fields=said)) or True)
    gate = make_gate(upstream, config=ADMIN)
    assert gate.request("GET", READ.target, READ.token).status == 200
    gate.raw(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n")
    gate.access_log(2)
    families = families_of(gate.admin("GET", "/metrics").body.decode())
    [version] = families["portcullis_upstream_version_info"].samples
    assert version.labels["served"] == 'a"b\\c\ufffdd' and version.labels["stage"] == "\ufffd }" and len(version.labels["sunset"]) < 50
    [wire] = families["portcullis_wire_refusals"].samples
    assert (wire.labels, wire.value) == ({"reason": "space-before-colon"}, 1)


# ---- the figures ----

def ask_for_everything(gate, sandbox):
    """Requests with every kind of end; how many."""
    for _ in range(3):
        assert gate.request("GET", READ.target, READ.token).status == 200
    for operation in OPERATIONS:
        assert gate.request(operation.method, operation.target, TOKENS["nobody"], body=operation.body).status == 403
    assert update(gate).status == 200
    assert gate.request("DELETE", DELETE.target, "stranger").status == 401
    assert gate.request("GET", "/rest/nowhere", TOKENS["viewer"]).status == 404
    assert gate.request("GET", READ.target + "&x=1", TOKENS["viewer"]).status == 400
    sandbox.fault({"close": "before"}, {"method": "GET"}, count=2)
    assert gate.request("GET", READ.target, READ.token).status == 502
    sandbox.fault({"status": 500}, {"method": "PATCH"})
    assert update(gate).status == 500
    for hostile in (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        assert gate.raw(hostile).startswith(b"HTTP/1.1 400 ")
    return 3 + 7 + 1 + 3 + 1 + 1 + 4


def test_figures_agree_with_the_books(make_gate, sandbox):
    """What is counted is what the access log, the journal and the ledger say, line by line and microsecond by microsecond."""
    gate = make_gate(sandbox, config=ADMIN)
    count = ask_for_everything(gate, sandbox)
    lines = gate.access_log(count)
    assert len(lines) == count
    wait_until(lambda: len(gate.exchanges("outcome")) == 2, what="the outcomes")
    metrics = gate.metrics()

    requests = collections.Counter((line.get("operation", "none"), line["verdict"], line["gate"], f"{line['status'] // 100}xx") for line in lines)
    assert sum_of(metrics, "requests_total") == count
    for (operation, verdict, decided, status), number in requests.items():
        assert metrics[f'portcullis_requests_total{{operation="{operation}",verdict="{verdict}",gate="{decided}",status="{status}"}}'] == number
    refusals = collections.Counter(line["code"] for line in lines if "code" in line)
    assert sum_of(metrics, "refusals_total") == refusals.total()
    for code, number in refusals.items():
        assert metrics[f'portcullis_refusals_total{{code="{code}"}}'] == number
    wire = collections.Counter(line["rule"] for line in lines if line["gate"] == "wire")
    assert sum_of(metrics, "wire_refusals_total") == wire.total() == 4
    for reason, number in wire.items():
        assert metrics[f'portcullis_wire_refusals_total{{reason="{reason}"}}'] == number

    changes = {"updateIntegration"}
    kinds = {"refused": [line for line in lines if line["verdict"] == "refuse"],
             "change": [line for line in lines if line["verdict"] == "pass" and line["operation"] in changes],
             "read": [line for line in lines if line["verdict"] == "pass" and line["operation"] not in changes]}
    assert {kind: len(of_kind) for kind, of_kind in kinds.items()} == {"refused": 14, "change": 2, "read": 4}
    for kind, of_kind in kinds.items():
        assert metrics[f'portcullis_request_duration_seconds_count{{kind="{kind}"}}'] == len(of_kind)
        assert metrics[f'portcullis_request_duration_seconds_sum{{kind="{kind}"}}'] == pytest.approx(sum(line["total_us"] for line in of_kind) / 1e6)
        below = sum(line["total_us"] <= 5000 for line in of_kind)
        assert metrics[f'portcullis_request_duration_seconds_bucket{{kind="{kind}",le="0.005"}}'] == below
    forwarded = [line for line in lines if "upstream_us" in line]
    assert metrics["portcullis_upstream_duration_seconds_count"] == len(forwarded) == 6
    assert metrics["portcullis_upstream_duration_seconds_sum"] == pytest.approx(sum(line["upstream_us"] for line in forwarded) / 1e6)
    assert len(sandbox.ledger()) in (6, 7), "each once, but for the read that may be tried again"

    waited = [record for record in gate.journal() if record["stage"] in ("intent", "outcome", "refused")]
    assert metrics["portcullis_journal_wait_seconds_count"] == len(waited) == 2 * 2 + 4
    assert metrics["portcullis_journal_records"] == len(gate.journal())
    assert metrics["portcullis_journal_group_records_sum"] == len(gate.journal()) - 2, "all but the segment's header and the start"
    assert metrics["portcullis_journal_sync_seconds_count"] >= metrics["portcullis_journal_group_records_count"] > 0
    assert 0 < metrics["portcullis_journal_sync_max_seconds"] <= metrics["portcullis_journal_sync_seconds_sum"]
    assert metrics["portcullis_unauthenticated_total"] == 1
    assert metrics["portcullis_upstream_failures_total"] == 1
    assert metrics["portcullis_connections_total"] == count


def test_figures_move_when_they_should_and_not_otherwise(make_gate, sandbox):
    gate = make_gate(sandbox, config={**ADMIN, "workers": 1})
    assert gate.request("GET", READ.target, READ.token).status == 200
    assert update(gate).status == 200

    def figures():
        """All but what goes by the clock, and the checkpoints that are signed in their own time."""
        return {name: value for name, value in gate.metrics().items()
                if "_silence_" not in name and "_checkpoint" not in name and "_bucket" not in name and "_upstream_connections" not in name}

    def moved(act):
        before, lines = figures(), len(gate.access_log())
        act()
        gate.access_log(lines + 1)
        after = figures()
        return {name.removeprefix("portcullis_"): after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}

    def asked(operation, verdict="pass", decided="rules", status="2xx"):
        return f'requests_total{{operation="{operation}",verdict="{verdict}",gate="{decided}",status="{status}"}}'

    wait_until(lambda: figures() == figures(), what="figures at rest")
    settled(gate, 2)
    for _ in range(3):
        before = figures()
        assert figures() == before, "asking moves nothing"

    one = moved(lambda: gate.request("GET", READ.target, READ.token))
    assert one.pop('request_duration_seconds_sum{kind="read"}') > 0 and one.pop("upstream_duration_seconds_sum") > 0
    assert one == {asked("getIntegration"): 1, 'request_duration_seconds_count{kind="read"}': 1, "upstream_duration_seconds_count": 1,
                   "connections_total": 1}

    one = moved(lambda: gate.request("GET", READ.target, TOKENS["nobody"]))
    assert one.pop('request_duration_seconds_sum{kind="refused"}') > 0
    assert one == {asked("getIntegration", "refuse", "permission", "4xx"): 1, 'refusals_total{code="portcullis-forbidden"}': 1,
                   'request_duration_seconds_count{kind="refused"}': 1, "connections_total": 1}

    one = moved(lambda: update(gate))
    for name in ('request_duration_seconds_sum{kind="change"}', "upstream_duration_seconds_sum", "journal_wait_seconds_sum", "journal_sync_seconds_sum"):
        assert one.pop(name) > 0, name
    one.pop("journal_sync_max_seconds", None)
    assert one == {asked("updateIntegration"): 1, 'request_duration_seconds_count{kind="change"}': 1, "upstream_duration_seconds_count": 1,
                   "connections_total": 1, "journal_wait_seconds_count": 2, "journal_sync_seconds_count": 2, "journal_group_records_count": 2,
                   "journal_group_records_sum": 2, "journal_records": 2}

    one = moved(lambda: gate.raw(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"))
    assert one.pop('request_duration_seconds_sum{kind="refused"}') > 0
    assert one == {asked("none", "refuse", "wire", "4xx"): 1, 'refusals_total{code="portcullis-malformed-request"}': 1,
                   'wire_refusals_total{reason="malformed-host"}': 1, 'request_duration_seconds_count{kind="refused"}': 1, "connections_total": 1}


def test_connections_and_pools(make_gate, sandbox):
    gate = make_gate(sandbox, config={**ADMIN, "workers": 1, "upstream": {"connections": 1}})
    idle = [gate.connect() for _ in range(5)]
    wait_until(lambda: gate.metrics()['portcullis_connections{listener="plain"}'] == 5, what="five connections")
    for connection in idle:
        connection.close()
    wait_until(lambda: gate.metrics()['portcullis_connections{listener="plain"}'] == 0, what="none")

    def shown():
        metrics = gate.metrics()
        return [metrics[f"portcullis_{name}"] for name in
                ("exchanges", 'upstream_connections{state="busy"}', 'upstream_connections{state="idle"}', "upstream_waiting")]

    assert shown() == [0, 0, 0, 0]
    sandbox.fault({"delay_ms": 1500}, count=1)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(gate.request, "GET", READ.target, READ.token) for _ in range(3)]
        wait_until(lambda: shown() == [3, 1, 0, 2], what="one request at the upstream and two that wait")
        assert [answer.result().status for answer in answers] == [200] * 3
    wait_until(lambda: shown() == [0, 0, 1, 0], what="an idle connection")


def test_listeners_are_told_apart(make_gate, sandbox, certificates):
    gate = make_gate(sandbox, config=ADMIN, certificate=certificates.good)
    with gate.connect():
        wait_until(lambda: gate.metrics()['portcullis_connections{listener="tls"}'] == 1, what="a connection with TLS")
        assert gate.metrics()['portcullis_connections{listener="plain"}'] == 0
    expires = x509.load_pem_x509_certificate(pathlib.Path(certificates.good.file).read_bytes()).not_valid_after
    shown = gate.metrics()["portcullis_tls_certificate_expiry_time_seconds"]
    assert shown == expires.replace(tzinfo=datetime.timezone.utc).timestamp()


def test_reloads_and_the_policy_in_force(make_gate, sandbox):
    gate = make_gate(sandbox, config=ADMIN)

    def state():
        metrics = gate.metrics()
        [digest] = [name for name in metrics if name.startswith("portcullis_policy_info")]
        assert metrics[digest] == 1
        return (digest, metrics["portcullis_policy_time_seconds"], metrics["portcullis_reload_successful"],
                metrics['portcullis_reloads_total{result="done"}'], metrics['portcullis_reloads_total{result="failed"}'])

    digest, since, *rest = state()
    assert rest == [1, 0, 0] and hashlib.sha256(gate.policy_file.read_bytes()).hexdigest() in digest
    assert time.time() - 60 < since <= time.time()
    assert gate.metrics()["portcullis_reload_time_seconds"] == 0
    good = gate.policy_file.read_text()
    gate.write_policy("{")
    gate.reload()
    wait_until(lambda: state() == (digest, since, 0, 0, 1), what="the failed reload in the metrics")
    policy = gate.health()[1]["policy"]
    assert policy["ok"] and policy["last_reload"] == "failed" and "stay as they were" in policy["last_reload_why"]
    gate.write_policy(good + "\n")
    gate.reload()
    wait_until(lambda: state()[3:] == (1, 1), what="the reload in the metrics")
    assert state()[0] != digest and state()[1] > since and state()[2] == 1
    assert time.time() - 60 < gate.metrics()["portcullis_reload_time_seconds"] <= time.time()
    policy = gate.health()[1]["policy"]
    assert policy["last_reload"] == "done" and "last_reload_why" not in policy and policy["digest"] in state()[0]


def test_reconciliation(make_gate, sandbox):
    gate = make_gate(sandbox, config=ADMIN)
    sandbox.fault({"close": "after-read"}, {"method": "PATCH"})
    assert update(gate).status == 502
    wait_until(lambda: gate.metrics()['portcullis_reconciled_total{result="unknown"}'] == 1, what="the finding that nobody knows")
    metrics = gate.metrics()
    assert sum_of(metrics, "reconciled_total") == 1 and metrics["portcullis_reconcile_open"] == 0


def test_lines_that_the_access_log_lost(make_gate, sandbox):
    gate = make_gate(sandbox, config={**ADMIN, "access_log": "/dev/full"})
    assert gate.metrics()["portcullis_access_log_lost_total"] == 0
    assert gate.request("GET", READ.target, READ.token).status == 200
    wait_until(lambda: gate.metrics()["portcullis_access_log_lost_total"] == 1, what="the lost line")


# ---- what the upstream says of its versions ----

def versions(gate):
    return [line for line in gate.log() if line["event"].startswith("upstream-version")]


def test_a_change_of_the_version_served_is_noticed_once(make_gate, make_upstream):
    """Once when it is first seen, once when it changes; not for each answer, and not for each worker."""
    served = {"snyk-version-served": "2024-10-15", "snyk-version-lifecycle-stage": "beta"}
    upstream = make_upstream(lambda connection, received: connection.sendall(answer(body=b"{}", fields=served.items())) or True)
    gate = make_gate(upstream, config={**ADMIN, "workers": 2})

    def ask(count):
        for _ in range(count):
            assert gate.request("GET", READ.target, READ.token).status == 200

    ask(20)
    assert [line["event"] for line in versions(gate)] == ["upstream-version"]
    assert "2024-10-15" in versions(gate)[0]["detail"] and READ.id in versions(gate)[0]["detail"]
    served["sunset"] = "2027-01-31"
    ask(20)
    assert [line["event"] for line in versions(gate)] == ["upstream-version", "upstream-version-change"]
    assert "2027-01-31" in versions(gate)[1]["detail"]
    assert gate.metrics()["portcullis_upstream_version_changes_total"] == 1
    # Another operation is seen for the first time: no change.
    assert gate.request("PATCH", UPDATE.target, UPDATE.token, body=UPDATE.body).status == 200
    assert [line["event"] for line in versions(gate)][2:] == ["upstream-version"]
    assert gate.metrics()["portcullis_upstream_version_changes_total"] == 1


def test_what_the_upstream_claims_cannot_forge_the_log(make_gate, make_upstream):
    upstream = make_upstream(lambda connection, received: connection.sendall(answer(
        body=b"{}", fields=[("snyk-version-served", '2024"},{"event":"forged' + "x" * 5000)])))
    gate = make_gate(upstream)
    assert gate.request("GET", READ.target, READ.token).status == 200
    assert not [line for line in gate.log() if line["event"] == "forged"]
    assert all(len(line) < 1000 for line in gate.stderr().splitlines())
