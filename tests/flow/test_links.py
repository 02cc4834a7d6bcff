"""Links and locations that would lead a client round the gate are turned to it; others stay as they are."""

import gzip
import json

import pytest

from checks import assert_error
from upstreams import answer
from world import CREATE, INTEGRATIONS, TOKENS, VERSION

TARGET = f"{INTEGRATIONS}?version={VERSION}"
PAGE = f"/rest{INTEGRATIONS.removeprefix('/rest')}?version={VERSION}&starting_after=v1.eyJhIjoxfQ%3D%3D"


def through(make_gate, make_upstream, document, config=None, host=None, **more):
    """What a client gets when the upstream answers with the document; a callable makes it from the upstream's URL."""
    upstream = make_upstream(lambda connection, received: connection.sendall(answer(
        body=json.dumps(document(upstream.url) if callable(document) else document).encode(), **more)))
    gate = make_gate(upstream, config=config)
    got = gate.request("GET", TARGET, TOKENS["viewer"], headers={"Host": host} if host else None)
    assert got.status == 200, got
    return gate, upstream, got.json()


@pytest.mark.parametrize("name", ["next", "prev", "first", "last", "self", "related"])
def test_absolute_links(make_gate, make_upstream, name):
    gate, _, got = through(make_gate, make_upstream, lambda url: {"data": [], "links": {name: url + PAGE}})
    assert got == {"data": [], "links": {name: gate.url + PAGE}}


def test_link_objects(make_gate, make_upstream):
    gate, _, got = through(make_gate, make_upstream, lambda url: {"data": [], "links": {"next": {"href": url + PAGE, "meta": {"n": 1}}}})
    assert got["links"]["next"] == {"href": gate.url + PAGE, "meta": {"n": 1}}


def test_links_deeper_down(make_gate, make_upstream):
    """In the objects of a list and in their relationships too."""
    gate, _, got = through(make_gate, make_upstream, lambda url: {"data": [
        {"id": "1", "links": {"self": url + "/rest/x"}, "relationships": {"org": {"links": {"related": url + "/rest/orgs/1"}}}}]})
    assert got["data"][0]["links"]["self"] == gate.url + "/rest/x"
    assert got["data"][0]["relationships"]["org"]["links"]["related"] == gate.url + "/rest/orgs/1"


@pytest.mark.parametrize("link", [PAGE, PAGE.removeprefix("/rest"), "?starting_after=v1.x", "", None, "https://docs.example/help",
                                  "http://127.0.0.1.example/rest"])
def test_other_links_stay(make_gate, make_upstream, link):
    document = {"data": [], "links": {"next": link, "about": {"href": link} if link else None}}
    _, _, got = through(make_gate, make_upstream, document)
    assert got == document


def test_text_that_only_looks_like_a_link_stays(make_gate, make_upstream):
    """Only members of `links` are links."""
    _, upstream, got = through(make_gate, make_upstream, lambda url: {"data": [{"attributes": {"url": url + "/rest/x", "note": url}}]})
    assert got["data"][0]["attributes"] == {"url": upstream.url + "/rest/x", "note": upstream.url}


def test_a_url_that_only_begins_like_the_upstream_stays(make_gate, make_upstream):
    _, upstream, got = through(make_gate, make_upstream, lambda url: {"links": {"a": url + "0/rest", "b": url + ".example/rest", "c": url + "@x/"}})
    assert got["links"] == {"a": upstream.url + "0/rest", "b": upstream.url + ".example/rest", "c": upstream.url + "@x/"}


def test_numbers_and_text_survive_the_rewriting(make_gate, make_upstream):
    document = {"data": [{"n": 1.5, "big": 9007199254740993, "text": "ü\u2028\"\\/", "t": True, "z": None}], "links": {}}
    _, _, got = through(make_gate, make_upstream, document)
    assert got == document


def test_public_url(make_gate, make_upstream):
    _, _, got = through(make_gate, make_upstream, lambda url: {"links": {"next": url + PAGE}}, config={"public_url": "https://gate.example"})
    assert got["links"]["next"] == "https://gate.example" + PAGE


def test_host_of_the_request(make_gate, make_upstream):
    _, _, got = through(make_gate, make_upstream, lambda url: {"links": {"next": url + PAGE}}, host="gate.internal:8080")
    assert got["links"]["next"] == "http://gate.internal:8080" + PAGE


def test_location(make_gate, make_upstream):
    """Both headers that name a place."""
    upstream = make_upstream(lambda connection, received: connection.sendall(answer(
        "201 Created", fields=[("Location", upstream.url + "/rest/new"), ("Content-Location", upstream.url + "/rest/new")])))
    gate = make_gate(upstream)
    got = gate.request("POST", CREATE.target, CREATE.token, body=CREATE.body)
    assert got.status == 201
    assert got.field("Location") == gate.url + "/rest/new"
    assert got.field("Content-Location") in (gate.url + "/rest/new", None)


@pytest.mark.parametrize("location", ["/rest/new", "https://docs.example/", "new"])
def test_other_locations_stay(make_gate, make_upstream, location):
    upstream = make_upstream(lambda connection, received: connection.sendall(answer("201 Created", fields=[("Location", location)])))
    gate = make_gate(upstream)
    assert gate.request("POST", CREATE.target, CREATE.token, body=CREATE.body).field("Location") == location


def test_redirects_are_passed_on_not_followed(make_gate, make_upstream):
    upstream = make_upstream(lambda connection, received: connection.sendall(answer(
        "302 Found", fields=[("Location", upstream.url + "/rest/elsewhere")], body=b"", media_type=None)))
    gate = make_gate(upstream)
    got = gate.request("GET", TARGET, TOKENS["viewer"])
    assert (got.status, got.field("Location")) == (302, gate.url + "/rest/elsewhere")
    assert len(upstream.received) == 1


def test_identity_is_asked_for(make_gate, make_upstream):
    _, upstream, _ = through(make_gate, make_upstream, {"data": []})
    assert upstream.received[0].field("accept-encoding") in (None, "identity")


@pytest.mark.parametrize("media_type", ["application/json", "application/vnd.api+json"])
def test_compressed_json_is_refused(make_gate, make_upstream, media_type):
    """The upstream was asked not to; what the gate cannot read, it cannot answer for."""
    body = gzip.compress(b'{"links":{"next":"http://127.0.0.1/"}}')
    upstream = make_upstream(lambda connection, received: connection.sendall(answer(
        body=body, media_type=media_type, fields=[("Content-Encoding", "gzip")])))
    gate = make_gate(upstream)
    assert_error(gate.request("GET", TARGET, TOKENS["viewer"]), 502, "upstream-answer")


def test_length_follows_the_rewriting(make_gate, make_upstream):
    """Content-Length is of what is sent, whatever the upstream's was."""
    upstream = make_upstream(lambda connection, received: connection.sendall(answer(
        body=json.dumps({"links": {"next": upstream.url + PAGE}}).encode())))
    gate = make_gate(upstream, config={"public_url": "https://a-much-longer-name-of-a-gate.internal.example"})
    for _ in range(3):
        got = gate.request("GET", TARGET, TOKENS["viewer"])
        assert got.field("Content-Length") == str(len(got.body))


@pytest.mark.parametrize("size, status", [(16000, 200), (16384, 200), (16385, 502)])
def test_bound_of_json_answers(make_gate, make_upstream, size, status):
    body = b'{"data":"' + b"x" * (size - 11) + b'"}'
    assert len(body) == size
    upstream = make_upstream(lambda connection, received: connection.sendall(answer(body=body)))
    gate = make_gate(upstream, config={"upstream": {"json_bytes": 16384}})
    got = gate.request("GET", TARGET, TOKENS["viewer"])
    assert got.status == status
    if status == 502:
        assert_error(got, 502, "upstream-too-large")
    else:
        assert got.json() == json.loads(body)


def test_json_that_is_none(make_gate, make_upstream):
    """A body called JSON that is none, with what may be a link round the gate in it, is not passed on."""
    upstream = make_upstream(lambda connection, received: connection.sendall(answer(body=b'{"links":{"next":"%s/rest"' % upstream.url.encode())))
    gate = make_gate(upstream)
    assert_error(gate.request("GET", TARGET, TOKENS["viewer"]), 502, "upstream-answer")


def test_the_sandboxs_absolute_links(gate, sandbox):
    sandbox.fault({"absolute_links": True}, count=10)
    got = gate.request("GET", f"{TARGET}&limit=10", TOKENS["viewer"])
    assert got.status == 200
    assert str(sandbox.port) not in got.body.decode().replace(str(gate.port), "")
    link = got.json()["links"]["next"]
    link = link["href"] if isinstance(link, dict) else link
    assert link.startswith(gate.url + "/rest/"), link
    assert gate.request("GET", link.removeprefix(gate.url), TOKENS["viewer"]).status == 200
