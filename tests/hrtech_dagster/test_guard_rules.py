"""The guard's rules, one request at a time, without a server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrtech_dagster.guard_rules import (
    Caller,
    cookies_named,
    is_mutation,
    judge_origin,
    judge_route,
    policy_for,
)

PORT = 3000
OURS = "127.0.0.1:3000"
SESSION, BEARER = Caller("session", "form-token"), Caller("bearer")


def scope(method="GET", path="/", websocket=False, **headers):
    pairs = {"host": OURS, **{name.replace("_", "-"): value for name, value in headers.items()}}
    raw = [
        (name.encode(), value.encode())
        for name, values in pairs.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    common = {"path": path, "headers": raw, "query_string": b""}
    return {"type": "websocket", **common} if websocket else {"type": "http", "method": method, **common}


def status(refusal):
    return None if refusal is None else refusal.status


@pytest.mark.parametrize("host", [OURS, "localhost:3000", "LocalHost:3000", "[::1]:3000"])
def test_our_own_addresses_pass(host):
    assert judge_origin(scope(host=host), PORT) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:3000",
        "127.0.0.1",
        "127.0.0.1:3001",
        "localhost.evil.example:3000",
        "",
        "0.0.0.0:3000",
    ],
)
def test_other_addresses_are_refused(host):
    assert status(judge_origin(scope(host=host), PORT)) == 421


@given(st.text(alphabet=st.characters(codec="ascii", min_codepoint=32), max_size=30))
def test_no_other_host_passes(host):
    allowed = {"127.0.0.1:3000", "localhost:3000", "[::1]:3000"}
    assert (judge_origin(scope(host=host), PORT) is None) == (host.strip().lower() in allowed)


@pytest.mark.parametrize("name", ["host", "origin", "content_type", "authorization", "sec_fetch_site"])
def test_a_header_sent_twice_is_refused(name):
    assert status(judge_origin(scope(**{name: [OURS, "evil"]}), PORT)) == 400


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_unused_methods_are_refused(method):
    assert status(judge_origin(scope(method), PORT)) == 405


@pytest.mark.parametrize("websocket", [False, True])
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://127.0.0.1:3001",
        "https://127.0.0.1:3000",
        "http://localhost:3000",
        "null",
    ],
)
def test_a_foreign_origin_is_refused(origin, websocket):
    assert status(judge_origin(scope("POST", origin=origin, websocket=websocket), PORT)) == 403


def test_our_origin_passes():
    assert judge_origin(scope("POST", origin=f"http://{OURS}", sec_fetch_site="same-origin"), PORT) is None
    assert judge_origin(scope("POST", origin="null", sec_fetch_site="same-origin"), PORT) is None
    assert judge_origin(scope(origin=f"http://{OURS}", websocket=True), PORT) is None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_sites_may_only_link_to_a_page(site):
    link = {"sec_fetch_site": site, "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert judge_origin(scope(**link), PORT) is None
    assert status(judge_origin(scope("POST", **link), PORT)) == 403
    assert status(judge_origin(scope(path="/guard/login", **link), PORT)) == 403
    assert status(judge_origin(scope(**{**link, "sec_fetch_dest": "iframe"}), PORT)) == 403
    assert status(judge_origin(scope(**{**link, "sec_fetch_mode": "no-cors"}), PORT)) == 403
    assert status(judge_origin(scope(websocket=True, sec_fetch_site=site), PORT)) == 403


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("caller", [SESSION, BEARER])
def test_graphql_over_get_is_refused(method, caller):
    assert status(judge_route(scope(method, "/graphql"), caller, False)) == 405
    assert judge_route(scope(method, "/runs"), caller, False) is None


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/graphql", "text/plain; application/json", "application/jsonx"],
)
def test_graphql_takes_json_only(content_type):
    asked = scope("POST", "/graphql", content_type=content_type, origin=f"http://{OURS}")
    assert status(judge_route(asked, SESSION, False)) == 415


def test_a_browser_must_name_its_page_and_a_script_need_not():
    plain = scope("POST", "/graphql", content_type="application/json")
    assert status(judge_route(plain, SESSION, False)) == 403
    assert judge_route(plain, BEARER, False) is None
    named = scope("POST", "/graphql", content_type="Application/JSON; charset=utf-8", origin=f"http://{OURS}")
    assert judge_route(named, SESSION, False) is None


@pytest.mark.parametrize("event", ["materialization", "check", "observation"])
def test_events_are_reported_by_scripts_only(event):
    path, json = f"/report_asset_{event}/numbers", "application/json"
    ours = {"content_type": json, "origin": f"http://{OURS}", "sec_fetch_site": "same-origin"}
    assert status(judge_route(scope("POST", path, **ours), SESSION, False)) == 403
    assert status(judge_route(scope("POST", path, **ours), BEARER, False)) == 403
    assert status(judge_route(scope("POST", path, content_type=json, cookie="a=b"), BEARER, False)) == 403
    assert judge_route(scope("POST", path, content_type=json), BEARER, False) is None
    assert status(judge_route(scope("POST", path, content_type=json), BEARER, True)) == 403


@pytest.mark.parametrize(
    "path", ["/", "/graphql/", "//graphql", "/Graphql", "/logs/x", "/site/index.html", "/casework/a"]
)
def test_nothing_else_takes_a_post(path):
    assert status(judge_route(scope("POST", path, content_type="application/json"), BEARER, False)) == 405


def test_read_only_takes_no_judgement():
    form = scope("POST", "/casework/a/judgements", content_type="application/x-www-form-urlencoded")
    assert judge_route(form, BEARER, False) is None
    assert status(judge_route(form, BEARER, True)) == 403


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        (b'{"query": "{version}"}', False),
        (b'{"query": "query A {version} query B {version}", "operationName": "A"}', False),
        (b'{"query": "subscription { x }"}', False),
        (b'{"query": "mutation { x }"}', True),
        (b'{"query": "query A {version} mutation B {x}", "operationName": "A"}', True),
        (b'{"query": "# {version}\\n mutation\\n{ x }"}', True),
        (b'{"query": "fragment f on Mutation { x } query {version}"}', False),
        (b"not json", True),
        (b'{"query": "{"}', True),
        (b"{}", True),
        (b'[{"query": "{version}"}]', True),
        (b'{"query": 3}', True),
    ],
)
def test_mutations_are_recognised(body, changes):
    assert is_mutation(body) is changes


def test_cookies_of_other_programs_do_no_harm():
    headers = {"cookie": ['odd="; hrtech=1', "=; x; hrtech=2;hrtechx=3"]}
    assert cookies_named(headers, "hrtech") == ["1", "2"]


def test_policies():
    strict = policy_for("/casework/a/index.html", OURS, None)
    assert "default-src 'none'" in strict and "unsafe" not in strict and "connect-src" not in strict
    assert policy_for("/site/", OURS, "ignored") == strict
    ui = policy_for("/runs", OURS, "script-src 'nonce-1' 'strict-dynamic';")
    assert ui.startswith("script-src 'nonce-1' 'strict-dynamic'; default-src 'self'")
    assert f"connect-src 'self' ws://{OURS};" in ui and "frame-ancestors 'none'" in ui
