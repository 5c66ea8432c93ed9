"""The casework pages, the judgements made on them, and the published site: a small Starlette application.

Pages come from the restricted lake through a callable and are never written to disk in the clear. A judgement is
added to the lake as a table of its own; nothing here changes or removes one. Whoever arrives here was let through by
the guard (`hrtech_dagster.guard`), which also sets the headers of each answer.
"""

import getpass
import hmac
import html
import re
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

import pandas as pd
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from hrtech.pages import CSRF_PLACEHOLDER
from hrtech.pages.evidence import static_file
from hrtech_dagster.guard import CALLER
from hrtech_dagster.guard_rules import Caller
from resources.judged import JUDGEMENTS
from resources.lake import list_tables, read_table, table_exists, write_table

CSRF_FIELD: Final = "csrf_token"
STYLE: Final = "/casework/_style/site.css"
_BODY_BYTES: Final = 64_000
_FIELDS: Final = 50
_FIELD_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class CaseworkStore:
    """Where pages come from and judgements go to.

    Attributes:
        list_studies: Names of the studies that have pages.
        read_pages: Study → its files (`path`, `media_type`, `content`), or None where it has none.
        list_candidates: Names of the studies with pages that wait for an approval.
        read_candidate: Study → the files of its candidate, or None where it has none.
        list_advice: Names of the studies with advice on a release that is not drawn yet.
        read_advice: Study → the files of its advice, or None where it has none.
        add_judgement: Adds one table under `(study, judgement id)`.
        has_judgement: Whether `(study, judgement id)` is there.
    """

    list_studies: Callable[[], Sequence[str]]
    read_pages: Callable[[str], pd.DataFrame | None]
    add_judgement: Callable[[str, str, pd.DataFrame], None]
    has_judgement: Callable[[str, str], bool]
    list_candidates: Callable[[], Sequence[str]] = tuple
    read_candidate: Callable[[str], pd.DataFrame | None] = lambda _: None
    list_advice: Callable[[], Sequence[str]] = tuple
    read_advice: Callable[[str], pd.DataFrame | None] = lambda _: None


def lake_store(home: Path) -> CaseworkStore:
    """Return the store that reads pages from, and adds judgements to, the restricted lake of a home."""

    def studies(zone: str, noun: str) -> list[str]:
        return [key[0] for key in list_tables(home, zone) if key[1:] == (noun,)]

    def pages(zone: str, study: str, noun: str) -> pd.DataFrame | None:
        try:
            return read_table(home, zone, [study, noun])
        except FileNotFoundError:
            return None

    return CaseworkStore(
        list_studies=lambda: studies("restricted", "casework"),
        read_pages=lambda study: pages("restricted", study, "casework"),
        list_candidates=lambda: studies("released", "candidate"),
        read_candidate=lambda study: pages("released", study, "candidate"),
        list_advice=lambda: studies("released", "advice_pages"),
        read_advice=lambda study: pages("released", study, "advice_pages"),
        add_judgement=lambda study, name, frame: write_table(
            home, "restricted", [JUDGEMENTS, study], frame, name
        ),
        has_judgement=lambda study, name: table_exists(home, "restricted", [JUDGEMENTS, study], name),
    )


def routes(store: CaseworkStore, site: Path, *, read_only: bool = False) -> list[BaseRoute]:
    """Return the routes under `/casework/` and `/site/`.

    Args:
        store: Where pages come from and judgements go to.
        site: Folder of the published site; it need not exist yet.
        read_only: Pages carry no form token, so their forms are refused.
    """

    async def contents(request: Request) -> Response:
        finders = (store.list_studies, store.list_candidates, store.list_advice)
        listed = [await run_in_threadpool(find) for find in finders]
        return HTMLResponse(_contents(*listed))

    async def page(request: Request) -> Response:
        study, path = request.path_params["study"], request.path_params["path"] or "index.html"
        frame = await run_in_threadpool(store.read_pages, study)
        found = None if frame is None else frame[frame["path"] == path]
        if found is None or found.empty:
            raise HTTPException(404, "There is no such page. Materialise the study's asset `casework` first.")
        media_type, content = str(found["media_type"].iloc[0]), bytes(found["content"].iloc[0])
        if media_type.startswith("text/html"):
            caller: Caller = request.scope[CALLER]
            token = "" if read_only else caller.csrf
            content = content.replace(CSRF_PLACEHOLDER.encode(), token.encode())
        return Response(content, headers={"Content-Type": media_type})

    def released(read: Callable[[str], pd.DataFrame | None], noun: str) -> Callable[..., Awaitable[Response]]:
        async def file(request: Request) -> Response:
            frame = await run_in_threadpool(read, request.path_params["study"])
            path = request.path_params["path"] or "index.html"
            found = None if frame is None else frame[frame["path"] == path]
            if found is None or found.empty:
                told = f"There is no such page. Materialise the study's asset `{noun}` first."
                raise HTTPException(404, told)
            headers = {"Content-Type": str(found["media_type"].iloc[0])}
            return Response(bytes(found["content"].iloc[0]), headers=headers)

        return file

    async def judge(request: Request) -> Response:
        study = request.path_params["study"]
        fields = _form(await _body(request))
        _check_form_token(request.scope[CALLER], fields)
        frame = judgement_frame(study, [field for field in fields if field[0] != CSRF_FIELD])
        if await run_in_threadpool(store.read_pages, study) is None:
            raise HTTPException(404, "There is no such study with casework pages.")
        name = str(frame["judgement_id"].iloc[0])
        await run_in_threadpool(store.add_judgement, study, name, frame)
        return RedirectResponse(f"/casework/{study}/{JUDGEMENTS}/{name}", status_code=303)

    async def receipt(request: Request) -> Response:
        study, name = request.path_params["study"], str(request.path_params["name"])
        if not await run_in_threadpool(store.has_judgement, study, name):
            raise HTTPException(404, "There is no such judgement.")
        return HTMLResponse(_receipt(study, name))

    return [
        Route("/casework", lambda _: RedirectResponse("/casework/")),
        Route("/casework/", contents),
        Route(STYLE, lambda _: Response(static_file("site.css"), media_type="text/css")),
        Route("/casework/{study}", lambda request: RedirectResponse(f"{request.url.path}/")),
        Route("/casework/{study}/judgements", judge, methods=["POST"]),
        Route("/casework/{study}/judgements/{name:uuid}", receipt),
        Route("/casework/{study}/candidate/{path:path}", released(store.read_candidate, "candidate")),
        Route("/casework/{study}/advice/{path:path}", released(store.read_advice, "advice_pages")),
        Route("/casework/{study}/{path:path}", page),
        Route("/site", lambda _: RedirectResponse("/site/")),
        Mount("/site", StaticFiles(directory=site, html=True, check_dir=False)),
    ]


def judgement_frame(study: str, fields: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Return one judgement as a table: one row a field that was filled in.

    Columns: `judgement_id` (UUID), `study`, `judged_at` (UTC), `judged_by` (the field of that name, or else the
    account), `account` (of the server's process), `field`, `value`.

    Raises:
        HTTPException: 422 where a field's name is not one, or nothing was filled in. Values are not repeated.
    """
    if len(fields) > _FIELDS or not all(_FIELD_NAME.fullmatch(name) for name, _ in fields):
        raise HTTPException(422, f"A judgement has up to {_FIELDS} fields, named in [a-z0-9_].")
    filled = [(name, value.strip()) for name, value in fields if value.strip()]
    if not filled:
        raise HTTPException(422, "Nothing was filled in, so there is nothing to record.")
    account = getpass.getuser()
    return pd.DataFrame(
        {
            "judgement_id": str(uuid.uuid4()),
            "study": study,
            "judged_at": pd.Timestamp(datetime.now(UTC)),
            "judged_by": dict(filled).get("judged_by", account),
            "account": account,
            "field": [name for name, _ in filled],
            "value": [value for _, value in filled],
        }
    )


def _check_form_token(caller: Caller, fields: Sequence[tuple[str, str]]) -> None:
    """Refuse a browser's form without its session's token; a script's bearer token is not sent by browsers."""
    given = dict(fields).get(CSRF_FIELD, "")
    if caller.kind == "session" and not hmac.compare_digest(caller.csrf.encode(), given.encode()):
        raise HTTPException(403, "This form is out of date. Open the page again and fill it in anew.")


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_BYTES:
            raise HTTPException(413, f"A judgement has at most {_BODY_BYTES} bytes.")
    return body


def _form(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict"
        )
    except ValueError:
        raise HTTPException(400, "This is not a form in UTF-8.") from None


def _contents(studies: Sequence[str], candidates: Sequence[str], advised: Sequence[str]) -> str:
    def links(names: Sequence[str], below: str) -> str:
        shown = map(html.escape, names)
        return "".join(
            f'<li><a href="/casework/{name}/{below.format(study=name)}">{name}</a></li>' for name in shown
        )

    body = f"<ul>{links(studies, '')}</ul>" if studies else "<p>No study has casework pages yet.</p>"
    if candidates:
        body += f"<h2>Candidates for publication</h2><ul>{links(candidates, 'candidate/')}</ul>"
    if advised:
        body += f"<h2>Before a release is drawn</h2><ul>{links(advised, 'advice/studies/{study}.html')}</ul>"
    return _plain("Casework", body)


def _receipt(study: str, name: str) -> str:
    body = (
        f"<p>Recorded as {html.escape(name)}. A judgement is never changed: to correct one, make another; both are "
        f'kept.</p><p><a href="/casework/{html.escape(study)}/">Back to the pages of {html.escape(study)}</a></p>'
    )
    return _plain("Your judgement is recorded", body)


def _plain(title: str, body: str) -> str:
    title = html.escape(title)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>Restricted: {title}</title><link rel="stylesheet" href="{STYLE}"></head>
<body><p class="banner restricted" role="note"><strong>Restricted.</strong> For case work only.</p>
<header class="masthead"><div class="wide bar"><a class="brand" href="/casework/">Casework</a>
<nav aria-label="Site"><ul><li><a href="/">Asset graph</a></li><li><a href="/site/">Published site</a></li></ul></nav>
</div></header>
<main id="main"><div class="hero"><div class="wide"><h1>{title}</h1></div></div>
<div class="wide report"><div class="prose">{body}</div></div></main></body></html>
"""
