"""The guard: pure ASGI middleware before Dagster's webserver and our restricted pages.

Dagster's webserver trusts whoever reaches it: any web page that an analyst visits could start runs, forge
materialisations and read results through the analyst's browser, on 127.0.0.1 too. The guard lets through what our
own pages and our own scripts ask, and nothing else.

Here: sessions over HTTP, and the headers of each answer. Not here: the rules (`guard_rules`), tokens
(`guard_tokens`), pages (`casework_pages`), the process (`serve`).
"""

import html
import json
import logging
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hrtech_dagster.guard_rules import (
    LOGIN,
    NEW_LINK,
    Caller,
    Refusal,
    cookies_named,
    from_our_page,
    headers_of,
    is_mutation,
    judge_origin,
    judge_route,
    one_of,
    policy_for,
)
from hrtech_dagster.guard_tokens import Tokens, TooManyWrongTokens

#: Where a `Caller` lies in the scope of a request that was let through.
CALLER: Final = "hrtech.caller"
_GRAPHQL_BYTES: Final = 4_000_000

_COMMON: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_OWN_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

_log = logging.getLogger("hrtech.guard")


class Guard:
    """ASGI middleware that lets our own pages and scripts through and refuses the rest.

    Args:
        app: What is guarded.
        port: Port that we listen on; part of the addresses that are ours.
        tokens: Links, sessions and the bearer token.
        read_only: Refuse whatever would change something.
    """

    def __init__(self, app: ASGIApp, *, port: int, tokens: Tokens, read_only: bool = False) -> None:
        self._app = app
        self._port = port
        self._tokens = tokens
        self._read_only = read_only
        #: browsers share cookies among the ports of a host, so the name tells ours apart
        self.cookie = f"hrtech_guard_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge one request or WebSocket and pass it on or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = judge_origin(scope, self._port)
        if refusal is None and scope["type"] == "http" and scope["path"] == LOGIN:
            await self._login(scope, send)
            return
        caller = None if refusal else self._caller(scope)
        if isinstance(caller, Refusal):
            refusal = caller
        elif caller is not None:
            refusal = judge_route(scope, caller, self._read_only)
        if refusal is not None:
            await self._refuse(scope, send, refusal)
            return
        scope[CALLER] = caller
        if scope["type"] == "http":
            await self._pass(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == NEW_LINK:
            await _answer(send, 200, json.dumps({"link": self.link()}), "application/json")
            return
        if self._read_only and scope["method"] == "POST":
            body = await _read_body(receive, _GRAPHQL_BYTES)
            if body is None or is_mutation(body):
                await self._refuse(scope, send, Refusal(403, "This server is read-only."))
                return
            receive = _replay(body, receive)
        await self._app(scope, receive, _with_headers(scope, send))

    def link(self) -> str:
        """Return an address that opens one session."""
        return f"http://127.0.0.1:{self._port}{LOGIN}?token={self._tokens.new_link()}"

    def _caller(self, scope: Scope) -> Caller | Refusal:
        headers = headers_of(scope)
        if authorization := one_of(headers, "authorization"):
            scheme, _, token = authorization.partition(" ")
            try:
                if scheme.lower() == "bearer" and self._tokens.is_bearer(token.strip()):
                    return Caller("bearer")
            except TooManyWrongTokens as wait:
                return _wait(wait)
            return Refusal(401, "The bearer token is wrong.", {"WWW-Authenticate": "Bearer"})
        session = self._tokens.session_among(cookies_named(headers, self.cookie))
        if session is None:
            return Refusal(401, "This browser has no open session here.", {"WWW-Authenticate": "Bearer"})
        if scope["type"] == "websocket" and not from_our_page(headers):
            return Refusal(403, "A browser must say which page asks; this one did not.")
        return Caller("session", self._tokens.csrf(session))

    async def _login(self, scope: Scope, send: Send) -> None:
        """Answer a one-time link with a cookie and a page that goes on.

        A page and not a redirect: a strict cookie is not sent along a redirect that began on another site.
        """
        if scope["method"] != "GET":
            await self._refuse(scope, send, Refusal(405, "Open the link.", {"Allow": "GET"}))
            return
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        try:
            session = self._tokens.open_session(given)
        except TooManyWrongTokens as wait:
            await self._refuse(scope, send, _wait(wait))
            return
        if session is None:
            await self._refuse(scope, send, Refusal(401, "This link was used before, or is too old."))
            return
        page = _page("Signed in", '<p><a href="/">Go on to the asset graph</a></p>', refresh=True)
        cookie = f"{self.cookie}={session}; Path=/; HttpOnly; SameSite=Strict"
        await _answer(send, 200, page, "text/html; charset=utf-8", {"Set-Cookie": cookie})

    async def _refuse(self, scope: Scope, send: Send, refusal: Refusal) -> None:
        if refusal.status != 401:
            _log.warning("refused %s %r: %s", scope.get("method", "WebSocket"), scope["path"], refusal.reason)
        if scope["type"] == "websocket":
            # closed before it is accepted, which the server turns into HTTP 403
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.reason})
            return
        if "text/html" in one_of(headers_of(scope), "accept"):
            hint = (
                "<p>Use the link that the server printed when it started. For another one, run "
                f"<code>python -m hrtech_dagster.serve --link --port {self._port}</code>.</p>"
            )
            page = _page(refusal.reason, hint if refusal.status == 401 else "")
            await _answer(send, refusal.status, page, "text/html; charset=utf-8", refusal.headers)
        else:
            text = json.dumps({"error": refusal.reason})
            await _answer(send, refusal.status, text, "application/json", refusal.headers)


def _wait(wait: TooManyWrongTokens) -> Refusal:
    return Refusal(429, str(wait), {"Retry-After": str(wait.retry_after)})


def _with_headers(scope: Scope, send: Send) -> Send:
    path, host = scope["path"], one_of(headers_of(scope), "host")

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            # Dagster sends the older name of the Permissions-Policy; browsers complain of both
            del headers["Feature-Policy"]
            for name, value in _COMMON.items():
                headers[name] = value
            headers["Content-Security-Policy"] = policy_for(
                path, host, headers.get("Content-Security-Policy")
            )
            if path == "/casework" or path.startswith("/casework/"):
                headers["Cache-Control"] = "no-store"
        await send(message)

    return guarded


async def _read_body(receive: Receive, limit: int) -> bytes | None:
    """Read a request's body; None when it is longer than the limit or the caller left."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        if not message.get("more_body", False):
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def _page(title: str, body: str, refresh: bool = False) -> str:
    onward = '<meta http-equiv="refresh" content="0; url=/">' if refresh else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{onward}<link rel="icon" href="data:,">'
        f"<title>{html.escape(title)}</title><style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:38rem;"
        f"margin:15vh auto;padding:0 1rem;color:#1b1b1b}}</style></head><body><h1>{html.escape(title)}</h1>"
        f"{body}</body></html>"
    )


async def _answer(
    send: Send, status: int, text: str, media_type: str, headers: Mapping[str, Any] | None = None
) -> None:
    body = text.encode()
    sent = {
        **_COMMON,
        "Content-Security-Policy": _OWN_POLICY,
        "Cache-Control": "no-store",
        "Content-Type": media_type,
        "Content-Length": str(len(body)),
        **(headers or {}),
    }
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
