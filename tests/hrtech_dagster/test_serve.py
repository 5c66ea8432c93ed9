"""The guard around a real server: one process with a tiny code location, asked by scripts, web pages and a browser."""

import contextlib
import inspect
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import pandas as pd
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from hrtech.facts import FormField, JudgementForm, Report, facts_to_frame
from hrtech.pages import CSRF_PLACEHOLDER, LINEAGE_COLUMNS, render_casework
from hrtech_dagster.casework_pages import CSRF_FIELD
from hrtech_dagster.dagster_processes import Target
from hrtech_dagster.serve import ServeError, find_target, listen, loopback_address, main
from resources.home import prepare_home
from resources.lake import list_tables, read_table, write_table

DEFINITIONS = '''
import dagster as dg

@dg.asset(group_name="tiny")
def numbers():
    """Three numbers."""
    print("printed-by-a-step")
    return dg.MaterializeResult(metadata={"count": 3})

@dg.asset_check(asset=numbers)
def three_numbers():
    return dg.AssetCheckResult(passed=True)

defs = dg.Definitions(assets=[numbers], asset_checks=[three_numbers])
'''

PAGE = f"""<!doctype html><html lang="en"><head><title>Tiny cases</title><script src="assets/site.js"></script></head>
<body><h1>Tiny cases</h1><p id="script">not run</p><script>document.body.id = "injected"</script>
<form method="post" action="/casework/tiny/judgements">
<input type="hidden" name="csrf_token" value="{CSRF_PLACEHOLDER}"><input type="hidden" name="pair" value="a-b">
<label>Verdict <input name="verdict"></label><button>Record</button></form>
</body></html>"""
SCRIPT = 'addEventListener("load", () => { document.getElementById("script").textContent = "script ran"; });'

LAUNCH = """mutation Launch($p: ExecutionParams!) { launchPipelineExecution(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUNS = "{ runsOrError { ... on Runs { results { runId status } } } }"
MUTATION = "mutation { setNuxSeen }"


@dataclass
class Server:
    """A running server and its ways in."""

    process: subprocess.Popen
    port: int
    home: Path
    link: str
    log: Path

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def bearer(self):
        return (self.home / "keys" / f"serve-{self.port}.token").read_text()

    def script(self):
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.bearer}"}, timeout=30)

    def new_link(self):
        with self.script() as client:
            return client.post("/guard/link").json()["link"]

    def browser(self):
        """A client that sends what a browser with an open session sends for a page of ours."""
        session = httpx.get(self.new_link()).cookies
        ours = {"Origin": self.url, "Sec-Fetch-Site": "same-origin"}
        return httpx.Client(base_url=self.url, timeout=30, headers=ours, cookies=session)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextlib.contextmanager
def running(folder, home, *arguments):
    port = free_port()
    command = [sys.executable, "-m", "hrtech_dagster.serve", "--port", str(port), "--home", str(home)]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER", "HRTECH"))},
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join([str(folder), str(Path(__file__).parents[2])]),
    }
    log = folder / f"serve-{port}.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [*command, "-m", "tiny_definitions", *arguments],
            cwd=folder,
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 60
        while "Scripts:" not in log.read_text():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield Server(process, port, home, re.search(r"Open (\S+)", log.read_text())[1], log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=40)


def kit_pages():
    """Pages as the studies make them, with a form."""
    fields = (
        FormField("pair", "Pair", kind="hidden", value="a-b"),
        FormField("verdict", "Verdict", kind="choice", options=("same", "different"), required=True),
        FormField("judged_by", "Your name", required=True),
    )
    form = JudgementForm("Are these the same person?", "/casework/kit/judgements", fields)
    report = Report("kit", "Pages of the kit", "One pair to judge.", "restricted", (form,))
    return render_casework(report, facts_to_frame([]), pd.DataFrame(columns=list(LINEAGE_COLUMNS)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serve")
    (folder / "tiny_definitions.py").write_text(DEFINITIONS)
    home = prepare_home(folder / "home")
    (home / "dagster").rmdir()
    files = [
        ("index.html", "text/html; charset=utf-8", PAGE.encode()),
        ("assets/site.js", "text/javascript", SCRIPT.encode()),
    ]
    write_table(
        home,
        "restricted",
        ["tiny", "casework"],
        pd.DataFrame(files, columns=["path", "media_type", "content"]),
    )
    write_table(home, "restricted", ["kit", "casework"], kit_pages())
    proposed = [("index.html", "text/html; charset=utf-8", b"<!doctype html><h1>Proposed</h1>")]
    write_table(
        home,
        "released",
        ["evidence", "candidate"],
        pd.DataFrame(proposed, columns=["path", "media_type", "content"]),
    )
    advised = [("index.html", "text/html; charset=utf-8", b"<!doctype html><h1>Not drawn yet</h1>")]
    columns = ["path", "media_type", "content"]
    write_table(home, "released", ["tiny", "advice_pages"], pd.DataFrame(advised, columns=columns))
    (home / "site" / "index.html").write_text("<!doctype html><title>Evidence</title><h1>Published</h1>")
    return folder


@pytest.fixture(scope="module")
def server(folder):
    with running(folder, folder / "home") as server:
        yield server


def graphql(client, query, **variables):
    answer = client.post("/graphql", json={"query": query, "variables": variables})
    assert answer.status_code == 200, answer.text
    return answer.json()


# -- the command --


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", "127.0.0.2", ""])
def test_a_bind_that_others_reach_is_refused(host, capsys):
    with pytest.raises(ServeError, match="this machine alone"):
        loopback_address(host)
    assert main(["--host", host]) == 2
    assert "ssh -L" in capsys.readouterr().err


def test_the_loopback_is_accepted():
    assert [loopback_address(host) for host in ("127.0.0.1", "localhost", "::1", "[::1]")] == [
        "127.0.0.1",
        "127.0.0.1",
        "::1",
        "::1",
    ]


def test_the_code_location_is_what_was_named_or_lies_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_target(None, None) == Target(module="hrtech_dagster.definitions")
    assert find_target(None, "ours.definitions").arguments() == ["-m", "ours.definitions"]
    (tmp_path / "workspace.yaml").touch()
    assert find_target(None, None) == Target(workspace=tmp_path / "workspace.yaml")
    with pytest.raises(ServeError, match="not both"):
        find_target(Path("workspace.yaml"), "ours")
    with pytest.raises(ServeError, match=r"no workspace file other\.yaml"):
        find_target(Path("other.yaml"), None)


def test_a_port_is_taken_before_anybody_answers_on_it():
    first = listen("127.0.0.1", 0)
    with contextlib.closing(first), pytest.raises(ServeError, match="cannot be used"):
        listen("127.0.0.1", first.getsockname()[1])


def test_a_taken_port_is_named(server, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    for name in (
        "HRTECH_HOME",
        "DAGSTER_HOME",
        "DAGSTER_DISABLE_TELEMETRY",
        "DAGSTER_REDACT_USER_CODE_ERRORS",
    ):
        monkeypatch.setenv(name, "/nowhere")
    assert main(["--port", str(server.port), "--home", str(tmp_path), "-m", "tiny_definitions"]) == 2
    assert f"Port {server.port} on 127.0.0.1 cannot be used" in capsys.readouterr().err
    assert os.environ["DAGSTER_HOME"] == str(tmp_path / "dagster")
    assert os.environ["DAGSTER_DISABLE_TELEMETRY"] == os.environ["DAGSTER_REDACT_USER_CODE_ERRORS"] == "1"


def test_the_private_parts_of_dagster_are_as_we_use_them():
    from dagster._core.workspace.context import WorkspaceProcessContext  # noqa: TID251
    from dagster._core.workspace.load_target import ModuleTarget, WorkspaceFileTarget  # noqa: TID251
    from dagster_webserver.app import create_app_from_workspace_process_context

    wanted = {"instance", "workspace_load_target", "version", "read_only", "code_server_log_level"}
    assert wanted <= set(inspect.signature(WorkspaceProcessContext).parameters)
    assert "live_data_poll_rate" in inspect.signature(create_app_from_workspace_process_context).parameters
    assert ModuleTarget(module_name="m", attribute=None, working_directory=None, location_name=None)
    assert WorkspaceFileTarget(paths=["w"]).paths == ["w"]


def test_the_instance_is_hardened(server):
    import yaml

    settings = yaml.safe_load((server.home / "dagster" / "dagster.yaml").read_text())
    assert settings["telemetry"] == settings["nux"] == {"enabled": False}
    assert settings["compute_logs"]["class"] == "NoOpComputeLogManager"
    root = Path(__file__).parents[2]
    assert (root / "dagster.yaml").read_bytes() == (root / "hrtech_dagster" / "dagster.yaml").read_bytes()
    with server.script() as client:
        assert '"telemetryEnabled": false' in client.get("/").text
        info = graphql(client, "{ instance { info runQueuingSupported } }")["data"]["instance"]
        assert "enabled: false" in info["info"] and info["runQueuingSupported"]


# -- address and origin --


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "localhost:1"])
def test_a_foreign_host_is_refused_even_with_the_token(server, host):
    with server.script() as client:
        assert client.get("/", headers={"Host": host.format(port=server.port)}).status_code == 421


def test_a_page_of_another_site_can_do_nothing(server):
    with server.browser() as client:
        asked = {"query": "{ version }"}
        assert client.post("/graphql", json=asked).status_code == 200
        for headers in (
            {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
            {"Origin": "https://evil.example"},
            {"Origin": f"http://127.0.0.1:{server.port + 1}", "Sec-Fetch-Site": "same-site"},
            {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        ):
            assert client.post("/graphql", json=asked, headers=headers).status_code == 403
            assert client.get("/server_info", headers=headers).status_code == 403
        assert client.options("/graphql").status_code == 405


def test_get_changes_nothing(server):
    with server.browser() as browser, server.script() as script:
        for client in (browser, script):
            for query in (MUTATION, "{ version }"):
                assert client.get("/graphql", params={"query": query}).status_code == 405
            assert client.post("/graphql", params={"query": MUTATION}).status_code == 415
            assert (
                client.post(
                    "/graphql", content=MUTATION, headers={"Content-Type": "application/graphql"}
                ).status_code
                == 415
            )


# -- who asks --


def test_without_a_token_nothing_is_shown(server):
    with httpx.Client(base_url=server.url) as client:
        for path in (
            "/",
            "/server_info",
            "/casework/",
            "/casework/tiny/",
            "/site/",
            "/favicon.png",
            "/logs/x",
        ):
            answer = client.get(path)
            assert (
                answer.status_code == 401
                and "Tiny" not in answer.text
                and "dagster" not in answer.text.lower()
            )
        assert client.post("/graphql", json={"query": "{ version }"}).status_code == 401
        page = client.get("/", headers={"Accept": "text/html"})
        assert "--link" in page.text and page.headers["content-security-policy"].startswith(
            "default-src 'none'"
        )
        client.cookies.set(f"hrtech_guard_{server.port}", server.bearer)
        assert client.get("/").status_code == 401


def test_a_link_opens_a_browser_session_once(server):
    link = server.new_link()
    with httpx.Client(base_url=server.url) as client:
        assert client.get(link, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert client.head(link).status_code == 405
        answer = client.get(link)
        assert answer.status_code == 200
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert client.get("/").status_code == 200
    assert httpx.get(link).status_code == 401


def test_another_link_can_be_asked_for_on_the_command_line(server, capsys, monkeypatch):
    for name in (
        "HRTECH_HOME",
        "DAGSTER_HOME",
        "DAGSTER_DISABLE_TELEMETRY",
        "DAGSTER_REDACT_USER_CODE_ERRORS",
    ):
        monkeypatch.setenv(name, "/nowhere")
    assert main(["--link", "--port", str(server.port), "--home", str(server.home)]) == 0
    assert httpx.get(capsys.readouterr().out.strip()).status_code == 200
    assert main(["--link", "--port", str(free_port()), "--home", str(server.home)]) == 2


def test_the_bearer_token_works_and_lies_in_a_private_file(server):
    with server.script() as client:
        assert graphql(client, "{ version }")["data"]["version"]
    path = server.home / "keys" / f"serve-{server.port}.token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert httpx.get(server.url, headers={"Authorization": "Bearer wrong"}).status_code == 401
    with server.browser() as client:
        assert client.post("/guard/link").status_code == 403


# -- sockets, reports, headers --


def socket_status(server, **headers):
    """HTTP status of a WebSocket handshake."""
    origin = headers.pop("origin", None)
    try:
        with connect(
            f"ws://127.0.0.1:{server.port}/graphql",
            origin=origin,
            subprotocols=["graphql-ws"],
            additional_headers=headers,
            proxy=None,
        ) as opened:
            opened.send('{"type": "connection_init"}')
            assert "connection_ack" in opened.recv(timeout=10)
            opened.send(json.dumps({"type": "start", "id": "1", "payload": {"query": MUTATION}}))
            assert '"error"' in opened.recv(timeout=10)
        return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def test_sockets_open_for_our_page_only_and_carry_no_mutation(server):
    with server.browser() as client:
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}
    assert socket_status(server, origin=server.url, **cookie) == 101
    assert socket_status(server, Authorization=f"Bearer {server.bearer}") == 101
    assert socket_status(server, origin="https://evil.example", **cookie) == 403
    assert socket_status(server, origin=f"http://localhost:{server.port}", **cookie) == 403
    assert socket_status(server, **cookie) == 403
    assert socket_status(server, origin=server.url) == 403
    assert (
        socket_status(server, origin="https://evil.example", Authorization=f"Bearer {server.bearer}") == 403
    )


def test_events_are_reported_by_scripts_only(server):
    forged = "/report_asset_check/numbers"
    body = {"check_name": "three_numbers", "passed": True}
    with server.browser() as client:
        assert client.post(forged, json=body).status_code == 403
        assert client.post("/report_asset_materialization/numbers", json={}).status_code == 403
    assert httpx.post(f"{server.url}{forged}", json=body).status_code == 401
    with server.script() as client:
        assert client.post(forged, json=body, headers={"Origin": server.url}).status_code == 403
        assert (
            client.post("/report_asset_observation/numbers", json={"description": "seen"}).status_code == 200
        )


def test_answers_carry_the_headers(server):
    with server.browser() as client:
        for path in ("/", "/casework/", "/casework/tiny/", "/site/", "/server_info", "/no/such"):
            headers = client.get(path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["x-frame-options"] == "DENY"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "access-control-allow-origin" not in headers
            assert "server" not in headers
        pages = client.get("/casework/tiny/").headers
        assert pages["cache-control"] == "no-store"
        assert pages["content-security-policy"].startswith("default-src 'none'")
        assert "unsafe" not in pages["content-security-policy"]


# -- pages and judgements --


def test_pages_come_from_the_restricted_lake_and_the_site_from_its_folder(server):
    with server.browser() as client:
        assert '<a href="/casework/tiny/">tiny</a>' in client.get("/casework/").text
        page = client.get("/casework/tiny", follow_redirects=True)
        assert "Tiny cases" in page.text and CSRF_PLACEHOLDER not in page.text
        script = client.get("/casework/tiny/assets/site.js")
        assert script.text == SCRIPT and script.headers["content-type"].startswith("text/javascript")
        assert "Published" in client.get("/site/").text
        assert '<a href="/casework/evidence/candidate/">evidence</a>' in client.get("/casework/").text
        assert "Proposed" in client.get("/casework/evidence/candidate/").text
        assert '<a href="/casework/tiny/advice/studies/tiny.html">tiny</a>' in client.get("/casework/").text
        assert "Not drawn yet" in client.get("/casework/tiny/advice/").text
        outside = (
            "/casework/tiny/candidate/",
            "/casework/evidence/advice/",
            "/casework/none/",
            "/casework/tiny/none.html",
            "/casework/tiny/..%2f..%2fkeys/lake.key",
            "/site/..%2fkeys/lake.key",
        )
        assert [client.get(path).status_code for path in outside] == [404] * 6


def judgements(server):
    keys = [key for key in list_tables(server.home, "restricted") if key[:2] == ("judgements", "tiny")]
    return {key[2]: read_table(server.home, "restricted", key[:2], key[2]) for key in keys}


def test_a_judgement_is_added_with_who_when_and_what(server):
    with server.browser() as client:
        token = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', client.get("/casework/tiny/").text)[1]
        before = judgements(server)
        form = {
            "csrf_token": token,
            "pair": "a-b",
            "verdict": "same person",
            "reason": "",
            "judged_by": "R. Evans",
        }
        answer = client.post("/casework/tiny/judgements", data=form)
        assert answer.status_code == 303
        assert "recorded" in client.get(answer.headers["location"]).text
        added = {name: frame for name, frame in judgements(server).items() if name not in before}
        assert list(added) == [answer.headers["location"].rsplit("/", 1)[1]]
        (frame,) = added.values()
        assert dict(zip(frame["field"], frame["value"], strict=True)) == {
            "pair": "a-b",
            "verdict": "same person",
            "judged_by": "R. Evans",
        }
        assert set(frame["judged_by"]) == {"R. Evans"} and frame["account"].notna().all()
        assert abs(pd.Timestamp.now("UTC") - frame["judged_at"].iloc[0]) < pd.Timedelta(minutes=1)

        wrong = [
            ({**form, "csrf_token": "0" * 64}, {}, 403),
            ({"verdict": "same person"}, {}, 403),
            (form, {"Origin": "https://evil.example"}, 403),
            (form, {"Content-Type": "text/plain"}, 415),
            ({"csrf_token": token, "verdict": " "}, {}, 422),
            ({"csrf_token": token, "<b>": "x"}, {}, 422),
            ({"csrf_token": token, "verdict": "x" * 70_000}, {}, 413),
        ]
        for data, headers, status in wrong:
            answer = client.post("/casework/tiny/judgements", data=data, headers=headers)
            assert answer.status_code == status and "same person" not in answer.text
        assert client.post("/casework/none/judgements", data=form).status_code == 404
        assert len(judgements(server)) == len(before) + 1
    with server.browser() as other:
        assert other.post("/casework/tiny/judgements", data=form).status_code == 403


def test_forms_of_the_page_kit_are_accepted(server):
    with server.browser() as client:
        page = client.get("/casework/kit/").text
        action = re.search(r'<form[^>]* action="([^"]+)"', page)[1]
        fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', page))
        answer = client.post(action, data={**fields, "verdict": "same", "judged_by": "R. Evans"})
        assert answer.status_code == 303, answer.text
        frame = read_table(
            server.home, "restricted", ["judgements", "kit"], answer.headers["location"].rsplit("/", 1)[1]
        )
        assert list(frame["field"]) == ["pair", "verdict", "judged_by"]
        assert CSRF_FIELD in fields and fields[CSRF_FIELD] not in set(frame["value"])


# -- read-only --


def test_read_only_shows_and_changes_nothing(server, folder):
    with running(folder, server.home, "--read-only") as viewer, viewer.browser() as client:
        assert graphql(client, "{ version }")["data"]["version"]
        launch = {
            "selector": {
                "repositoryLocationName": "tiny_definitions",
                "repositoryName": "__repository__",
                "jobName": "__ASSET_JOB",
            }
        }
        for query in (LAUNCH, MUTATION, "query A { version } mutation B { setNuxSeen }"):
            answer = client.post("/graphql", json={"query": query, "variables": {"p": launch}})
            assert answer.status_code == 403 and "read-only" in answer.text
        permissions = graphql(client, "{ permissions { permission value } }")["data"]["permissions"]
        assert permissions and not any(permission["value"] for permission in permissions)
        page = client.get("/casework/tiny/").text
        assert 'name="csrf_token" value=""' in page
        assert client.post("/casework/tiny/judgements", data={"verdict": "x"}).status_code == 403
        with viewer.script() as script:
            assert script.post("/report_asset_observation/numbers", json={}).status_code == 403
        token_file = viewer.home / "keys" / f"serve-{viewer.port}.token"
        assert token_file.exists()
    assert viewer.process.returncode == 0 and not token_file.exists()


# -- the main flow, in a browser --

CHROMIUM = shutil.which("chromium")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_main_flow_in_a_browser(server, tmp_path):
    from playwright.sync_api import expect, sync_playwright

    asked, problems = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(20_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda opened: asked.append(opened.url))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)

        page.goto(server.new_link())
        # the link leads to the UI's first page; leaving before that is there would race with it
        expect(page.get_by_role("link", name="Runs").first).to_be_visible()
        page.goto(f"{server.url}/asset-groups?asset-selection=")
        expect(page.get_by_text("numbers").first).to_be_visible()
        page.screenshot(path=tmp_path / "graph.png")
        page.get_by_role("button", name=re.compile("Materialize")).first.click()
        expect(page.get_by_text(re.compile("Launched run|View")).first).to_be_visible()

        with server.script() as client:
            deadline = time.monotonic() + 60
            while True:
                runs = graphql(client, RUNS)["data"]["runsOrError"]["results"]
                if runs and runs[0]["status"] in {"SUCCESS", "FAILURE"}:
                    break
                assert time.monotonic() < deadline, runs
                time.sleep(0.3)
        assert runs[0]["status"] == "SUCCESS"
        page.goto(f"{server.url}/runs/{runs[0]['runId']}")
        expect(page.get_by_text("Success").first).to_be_visible()
        page.screenshot(path=tmp_path / "run.png")
        page.goto(f"{server.url}/assets/numbers?view=checks")
        expect(page.get_by_text("three_numbers").first).to_be_visible()
        expect(page.get_by_text(re.compile("Passed|Succeeded", re.I)).first).to_be_visible()
        page.screenshot(path=tmp_path / "checks.png")
        assert not [text for text in problems if "Content Security Policy" in text], problems

        page.goto(f"{server.url}/casework/tiny/")
        expect(page.locator("#script")).to_have_text("script ran")
        assert page.locator("body#injected").count() == 0
        page.get_by_label("Verdict").fill("same person")
        page.screenshot(path=tmp_path / "page.png")
        before = len(judgements(server))
        page.get_by_role("button", name="Record").click()
        expect(page.get_by_role("heading", name="Your judgement is recorded")).to_be_visible()
        page.screenshot(path=tmp_path / "recorded.png")
        assert len(judgements(server)) == before + 1
        browser.close()
    kept = [path for path in [server.log, *(server.home / "dagster").rglob("*")] if path.is_file()]
    assert [path.name for path in kept if b"numbers" in path.read_bytes()]
    assert [path.name for path in kept if b"printed-by-a-step" in path.read_bytes()] == []
    assert any(url.startswith("ws://") for url in asked)
    ours = re.compile(rf"(http|ws)://127\.0\.0\.1:{server.port}/|data:|blob:")
    assert [url for url in asked if not ours.match(url)] == []
