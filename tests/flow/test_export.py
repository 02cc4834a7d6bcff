"""`portcullis audit export`: what other tools get, held against what their formats ask for."""

import csv
import io
import json
import re

import pytest

import story
from story import audit
from world import CREATE, SECRET_PASSWORD, TOKENS

# ---- OCSF 1.5.0, class API Activity (6003) with the profile Security Control ----
#
# Taken from the published schema: the class and what it inherits, the profile, and the objects that an export uses. A row: the member, whether
# it is required ("!") or not, and its type; "enum" types list the numbers, with the captions of their siblings. Members that an export does not
# use are left out: one that is not in the table fails.

SEVERITY = {0: "Unknown", 1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical", 6: "Fatal", 99: None}
STATUS = {0: "Unknown", 1: "Success", 2: "Failure", 99: None}
ACTIVITY = {0: "Unknown", 1: "Create", 2: "Read", 3: "Update", 4: "Delete", 99: None}
ACTION = {0: "Unknown", 1: "Allowed", 2: "Denied"}
DISPOSITION = {0: "Unknown", 1: "Allowed", 2: "Blocked", 3: "Quarantined", 4: "Isolated", 5: "Deleted", 6: "Dropped", 7: "Custom Action",
               8: "Approved", 9: "Restored", 10: "Exonerated", 11: "Corrected", 12: "Partially Corrected", 13: "Uncorrected", 14: "Delayed",
               15: "Detected", 16: "No Action", 17: "Logged", 18: "Tagged", 19: "Alert", 20: "Count", 21: "Reset", 22: "Captcha",
               23: "Challenge", 24: "Access Revoked", 25: "Rejected", 26: "Unauthorized", 27: "Error", 99: None}
USER_TYPE = {0: "Unknown", 1: "User", 2: "Admin", 3: "System", 99: None}
OBSERVABLE = {2: "IP Address", 4: "User Name", 10: "Resource UID"}  # of many

OBJECTS = {
    "event": {
        "activity_id!": ACTIVITY, "activity_name": str, "category_uid!": {6: "Application Activity"}, "category_name": str,
        "class_uid!": {6003: "API Activity"}, "class_name": str, "count": int, "duration": int, "message": str, "metadata!": "metadata",
        "observables": ["observable"], "severity_id!": SEVERITY, "severity": str, "status_id": STATUS, "status": str, "status_code": str,
        "status_detail": str, "time!": int, "type_uid!": int, "type_name": str, "unmapped": dict, "actor!": "actor", "api!": "api",
        "src_endpoint!": "network_endpoint", "http_request": "http_request", "http_response": "http_response",
        "resources": ["resource_details"],
        # the profile
        "action_id!": ACTION, "action": str, "disposition_id!": DISPOSITION, "disposition": str, "authorizations": ["authorization"],
        "policy": "policy",
    },
    "metadata": {"version!": str, "product!": "product", "profiles": [str], "uid": str, "sequence": int, "original_time": str, "event_code": str,
                 "log_name": str, "log_level": str, "correlation_uid": str},
    "product": {"name": str, "vendor_name": str, "version": str},
    "actor": {"user": "user", "app_name": str},
    "user": {"name": str, "type_id": USER_TYPE, "type": str},
    "api": {"operation!": str, "request": "request", "response": "response", "version": str},
    "request": {"uid!": str, "data": dict},
    "response": {"code": int, "data": dict, "error_message": str},
    "network_endpoint": {"ip": str, "name": str},
    "http_request": {"http_method": str, "url": "url", "uid": str},
    "url": {"path": str, "query_string": str},
    "http_response": {"code!": int, "latency": int},
    "resource_details": {"uid": str, "type": str, "namespace": str},
    "authorization": {"decision": str, "policy": "policy"},
    "policy": {"name": str, "uid": str, "is_applied": bool},
    "observable": {"name": str, "type_id!": OBSERVABLE, "type": str, "value": str},
}
# The schema's constraints: at least one of these must be there.
AT_LEAST_ONE = {"actor": {"user", "app_name", "process", "session", "invoked_by", "app_uid"}, "network_endpoint": {"ip", "name", "uid", "hostname"},
                "user": {"name", "uid", "account"}, "product": {"name", "uid"}, "policy": {"name", "uid"}, "url": {"path", "url_string"},
                "resource_details": {"name", "uid"}}
# An enum's sibling holds the caption of its number.
SIBLINGS = {"activity_id": "activity_name", "category_uid": "category_name", "class_uid": "class_name", "type_id": "type"}


def check(value, kind, where):
    if isinstance(kind, list):
        assert isinstance(value, list) and value, where
        for number, element in enumerate(value):
            check(element, kind[0], f"{where}[{number}]")
    elif isinstance(kind, str):
        check_object(value, kind, where)
    elif isinstance(kind, dict):
        assert type(value) is int and value in kind, (where, value)
    else:
        assert type(value) is kind, (where, value)


def check_object(value, kind, where):
    assert isinstance(value, dict), where
    rows = {name.rstrip("!"): row for name, row in OBJECTS[kind].items()}
    assert set(value) <= set(rows), (where, set(value) - set(rows))
    required = {name[:-1] for name in OBJECTS[kind] if name.endswith("!")}
    assert required <= set(value), (where, required - set(value))
    assert not AT_LEAST_ONE.get(kind) or AT_LEAST_ONE[kind] & set(value), (where, value)
    for name, member in value.items():
        check(member, rows[name], f"{where}.{name}")
        if isinstance(rows[name], dict):
            sibling = SIBLINGS.get(name, name.removesuffix("_id"))
            caption = rows[name][member]
            assert value[sibling] == caption if caption else value[sibling], (where, name, value)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A journal with every stage, for all tests here."""
    import conftest
    directory = tmp_path_factory.mktemp("story")
    sandbox = conftest.Sandbox(directory, fixtures=story.world.FIXTURES).start()

    def make(upstream, policy, config):
        return conftest.Gate(directory, upstream, policy, config).start()

    gate = story.tell(make, sandbox)
    sandbox.stop()
    return gate


def test_the_story_is_a_good_journal(told):
    done = audit(told, "verify", told.audit_directory)
    assert done.returncode == 0, done.stdout + done.stderr


def export(gate, kind, *words):
    done = audit(gate, "export", gate.audit_directory, "--format", kind, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def lines(gate, kind, *words):
    return [json.loads(line) for line in export(gate, kind, *words).splitlines()]


NO_EVENT = {"segment", "state"}  # what the journal says to itself at a segment's head


def test_ocsf_events_are_what_the_class_asks_for(told):
    events = lines(told, "ocsf")
    for event in events:
        check_object(event, "event", event["metadata"]["event_code"])
        assert event["type_uid"] == 600300 + event["activity_id"]
        assert event["type_name"] == f"API Activity: {ACTIVITY[event['activity_id']] or 'Other'}"
        assert event["metadata"]["version"] == "1.5.0" and event["metadata"]["profiles"] == ["security_control"]
        assert re.match(r"^[a-z0-9.]+/story/\d+$", event["metadata"]["uid"])


def test_every_stage_but_the_header_s_has_an_event(told):
    events = lines(told, "ocsf")
    assert {event["metadata"]["event_code"] for event in events} == story.STAGES - NO_EVENT
    records = [record for record in told.journal() if record["stage"] not in NO_EVENT]
    assert [event["metadata"]["sequence"] for event in events] == [record["seq"] for record in records]


def test_nothing_of_a_record_is_lost(told):
    """Whatever a record says stands somewhere in its event."""
    by_seq = {event["metadata"]["sequence"]: json.dumps(event) for event in lines(told, "ocsf")}
    for record in told.journal():
        if record["stage"] in NO_EVENT:
            continue
        for name, value in record.items():
            text = by_seq[record["seq"]]
            parts = value.split("?") if name == "target" else [value]
            assert all(json.dumps(part)[1:-1] in text for part in parts if isinstance(part, str)), (name, record, text)
            assert isinstance(value, str) or json.dumps(value) in text, (name, record, text)


def events_of(told, stage, **members):
    return [event for event in lines(told, "ocsf") if event["metadata"]["event_code"] == stage
            and all(event["api"].get(name) == value for name, value in members.items())]


@pytest.mark.parametrize("stage, operation, activity, status, action, disposition", [
    ("intent", "createIntegration", "Create", "Pending", "Allowed", "Allowed"),
    ("outcome", "createIntegration", "Create", "Success", "Allowed", "Allowed"),
    ("outcome", "deleteIntegration", "Delete", "Success", "Allowed", "Allowed"),
    ("outcome", "updateIntegrationSettings", "Update", "Success", "Allowed", "Allowed"),
    ("read", "listIntegrations", "Read", "Success", "Allowed", "Allowed"),
    ("refused", "deleteIntegration", "Delete", "Failure", "Denied", "Unauthorized"),
    ("refused", "createIntegration", "Create", "Failure", "Denied", "Blocked"),
    ("reconciled", "updateIntegration", "Reconcile", "Unknown", "Allowed", "Logged"),
    ("unauthenticated", "portcullis.unauthenticated", "Unknown", "Failure", "Denied", "Blocked"),
    ("policy", "portcullis.policy", "Policy", "Success", "Allowed", "Logged"),
    ("key", "portcullis.key", "Key", "Success", "Allowed", "Logged"),
    ("missed", "portcullis.missed", "Missed", "Failure", "Allowed", "Logged"),
])
def test_what_events_say(told, stage, operation, activity, status, action, disposition):
    event = events_of(told, stage, operation=operation)[0]
    assert (event["activity_name"], event["status"], event["action"], event["disposition"]) == (activity, status, action, disposition)


def test_an_unknown_end_is_not_called_a_failure(told):
    [event] = [event for event in events_of(told, "outcome") if event.get("unmapped", {}).get("result") == "unknown"]
    assert (event["status"], event["severity"]) == ("Unknown", "High")


def test_a_refused_read_is_denied(told):
    [event] = [event for event in events_of(told, "read") if event["status"] == "Failure"]
    assert (event["action"], event["disposition"], event["http_response"]["code"]) == ("Denied", "Unauthorized", 403)


def test_who_and_what(told):
    [event] = [event for event in events_of(told, "outcome", operation="createIntegration")]
    assert event["actor"]["user"]["name"] == "creator"
    assert event["src_endpoint"] == {"ip": "127.0.0.1"}
    assert event["http_request"]["http_method"] == "POST" and event["http_request"]["url"]["path"].startswith("/rest/orgs/")
    assert event["http_request"]["url"]["query_string"] == "version=2024-10-15"
    assert event["api"]["response"]["code"] == 201 and event["api"]["response"]["data"]["body"]["data"]["type"] == "integration"
    assert event["resources"] == [{"uid": story.world.PAYMENTS, "type": "organization"}]
    assert event["policy"]["uid"].startswith("sha256:")
    [intent] = [event for event in events_of(told, "intent", operation="createIntegration")]
    assert intent["metadata"]["correlation_uid"] == event["metadata"]["correlation_uid"]
    assert intent["api"]["request"]["data"]["body"]["data"]["attributes"]["credentials"]["password"].startswith("hmac-sha256:")


# ---- CloudEvents 1.0 ----

def test_cloudevents(told):
    events = lines(told, "cloudevents")
    records = told.journal()
    assert len({(event["source"], event["id"]) for event in events}) == len(events) == len(records)
    for event, record in zip(events, records):
        assert event["specversion"] == "1.0"
        assert event["type"] == f"portcullis.audit.{record['stage']}"
        assert event["source"] == "gate.example/story" and event["id"] == f"gate.example/story/{record['seq']}"
        assert event["time"] == record["time"] and event["datacontenttype"] == "application/json"
        assert event.get("subject") == record.get("request_id")
        assert event["data"] == record
        # Names of attributes: lower-case letters and digits; no null.
        assert all(re.match(r"^[a-z0-9]{1,20}$", name) and value is not None for name, value in event.items())


# ---- CSV ----

def rows_of(text):
    return list(csv.DictReader(io.StringIO(text.decode(), newline=""), strict=True))


def test_csv(told):
    text = export(told, "csv")
    assert text.count(b"\r\n") == text.count(b"\n") == len(told.journal()) + 1
    rows, records = rows_of(text), told.journal()
    assert len(rows) == len(records)
    for row, record in zip(rows, records):
        assert None not in row and None not in row.values()
        rest = json.loads(row.pop("more") or "{}")
        for name, cell in row.items():
            value = record.get(name, "")
            assert cell == (value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
        assert rest == {name: value for name, value in record.items() if name not in row}


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", '=HYPERLINK("http://evil","x")', "=1,2"]
HARMLESS = ['say "no"', "a,b", "line\nbreak", "1=1", "'quoted", "ünï", " =1"]


def made_up(tmp_path, *records):
    """A journal of lines that no gate wrote."""
    directory = tmp_path / "made-up"
    directory.mkdir()
    header = {"edge": [], "first_seq": 1, "format": 2, "origin": "gate one:1/ü", "prev": "0" * 64, "run": 1, "seq": 1, "stage": "segment",
              "time": "2026-01-01T00:00:00.000000Z", "tree_size": 0}
    with open(directory / "0000000000000001-20260101T000000Z.jsonl", "w", encoding="utf-8") as segment:
        for record in (header, *records):
            segment.write(record if isinstance(record, str) else json.dumps(record) + "\n")
    return directory


def run(gate, *words):
    return audit(gate, "export", *words)


@pytest.mark.parametrize("text", FORMULAS + HARMLESS)
def test_csv_cells_are_no_formulas(told, tmp_path, text):
    record = {"stage": "refused", "seq": 2, "time": "2026-01-01T00:00:01.000000Z", "principal": text}
    done = run(told, made_up(tmp_path, record), "--format", "csv")
    assert done.returncode == 0
    [_, row] = rows_of(done.stdout)
    assert row["principal"] == ("'" + text if text in FORMULAS else text)


def test_origins_are_uri_references(told, tmp_path):
    done = run(told, made_up(tmp_path), "--format", "cloudevents")
    assert json.loads(done.stdout)["source"] == "gate%20one%3A1/%C3%BC"


@pytest.mark.parametrize("kind", ["ocsf", "cloudevents", "csv"])
def test_stages_of_another_time_are_exported_too(told, tmp_path, kind):
    record = {"stage": "approval", "seq": 2, "time": "2026-01-01T00:00:01.000000Z", "approver": "somebody"}
    strange = {"stage": "of-a-later-gate", "seq": 3, "time": "2026-01-01T00:00:02.000000Z"}
    done = run(told, made_up(tmp_path, record, strange, {"nothing": "known"}, {"stage": 7, "seq": "x", "time": 5, "client": 1, "policy": {}}), "--format", kind)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    assert "somebody" in text and "of-a-later-gate" in text
    if kind == "ocsf":
        for line in text.splitlines():
            check_object(json.loads(line), "event", line)


@pytest.mark.parametrize("kind", ["ocsf", "cloudevents", "csv"])
def test_what_is_no_record_is_said(told, tmp_path, kind):
    directory = made_up(tmp_path, "not json\n", "[1]\n", '{"stage":"start","stage":"stop"}\n',
                        {"stage": "start", "seq": 5, "time": "2026-01-01T00:00:01.000000Z", "detail": "the last"})
    done = run(told, directory, "--format", kind)
    assert done.returncode == 1
    assert b"the last" in done.stdout
    for number in (2, 3, 4):
        assert f"jsonl:{number}: this is no record" in done.stderr.decode()


def test_time_spans(told):
    records = told.journal()
    moment = next(record for record in records if record["stage"] == "refused")["time"]
    before = lines(told, "cloudevents", "--until", moment)
    after = lines(told, "cloudevents", "--since", moment)
    assert [event["data"] for event in before] == [record for record in records if record["time"] < moment]
    assert [event["data"] for event in after] == [record for record in records if record["time"] >= moment]
    assert lines(told, "cloudevents", "--since", "1d") == lines(told, "cloudevents")
    assert lines(told, "cloudevents", "--until", "2020-01-01") == []
    # A record of a later time still knows the name of its log.
    assert all(event["source"] == "gate.example/story" for event in after)


@pytest.mark.parametrize("words, says", [
    (["--format", "xml"], "no format"),
    ([], "usage"),
    (["--format", "csv", "--since", "yesterday"], "no time"),
    (["--format", "csv", "another"], "usage"),
])
def test_usage(told, words, says):
    done = run(told, told.audit_directory, *words)
    assert done.returncode == 2 and says in done.stderr.decode() and done.stdout == b""


def test_nothing_there(told, tmp_path):
    done = run(told, tmp_path / "nothing", "--format", "ocsf")
    assert done.returncode == 2 and b"nothing" in done.stderr


def test_no_secret_goes_out(told):
    for kind in ("ocsf", "cloudevents", "csv"):
        text = export(told, kind).decode()
        assert SECRET_PASSWORD not in text and not any(token in text for token in TOKENS.values())
        assert CREATE.id in text
