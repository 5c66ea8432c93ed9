"""The guard's rules: which request is let through, judged from what it says of itself.

Pure functions of an ASGI scope. A request is judged in this order:

1. *Address*: the `Host` is ours, which ends DNS rebinding.
2. *Origin*: what a browser says of the asking page (`Origin`, `Sec-Fetch-Site`) is ours, on HTTP and on the
   WebSocket handshake; from elsewhere only a plain navigation to a page passes, and that changes nothing.
3. *Caller*: a session cookie (from a one-time link) or the bearer token; `hrtech_dagster.guard` finds out which.
4. *Route*: GET changes nothing; only the addresses in `_WRITES` take a POST, each in its form.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from starlette.types import Scope

LOGIN: Final = "/guard/login"
NEW_LINK: Final = "/guard/link"

_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_SINGLE: Final = ("host", "origin", "content-type", "content-length", "authorization", "sec-fetch-site")
_REPORT: Final = re.compile(r"/report_asset_(materialization|check|observation)/.+")
_JUDGEMENT: Final = re.compile(r"/casework/[^/]+/judgements")
_WRITES: Final[Mapping[re.Pattern[str], str]] = {
    re.compile(r"/graphql"): "application/json",
    _JUDGEMENT: "application/x-www-form-urlencoded",
    _REPORT: "application/json",
    re.compile(NEW_LINK): "",
}
_PAGES_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: Added to Dagster's own policy (its scripts carry a nonce), so that its pages speak to this server alone.
_DAGSTER_POLICY: Final = (
    "default-src 'self'; connect-src 'self' ws://{host}; img-src 'self' data: blob:; font-src 'self' data:; "
    "worker-src 'self' blob:; frame-src 'none'; form-action 'self'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Refusal:
    """Why a request is not let through, and the HTTP status that says so."""

    status: int
    reason: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        kind: `session` (a browser with our cookie) or `bearer` (a script).
        csrf: Token that forms served to this caller carry; empty for scripts.
    """

    kind: Literal["session", "bearer"]
    csrf: str = ""


def headers_of(scope: Scope) -> dict[str, list[str]]:
    """Return the headers by lower-case name, each with all its values."""
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def judge_origin(scope: Scope, port: int) -> Refusal | None:
    """Judge address, method and asking page of a request or a WebSocket handshake; None lets it on."""
    headers = headers_of(scope)
    for name in _SINGLE:
        if len(headers.get(name, ())) > 1:
            return Refusal(400, f"The header {name} was sent twice.")
    host = one_of(headers, "host").lower()
    if host not in {f"{name}:{port}" for name in _NAMES} | (set(_NAMES) if port == 80 else set()):
        return Refusal(421, f"This server answers to http://127.0.0.1:{port} only.")
    websocket = scope["type"] == "websocket"
    method = "GET" if websocket else scope["method"]
    if method not in {"GET", "HEAD", "POST"}:
        return Refusal(405, "This method is not used here.", {"Allow": "GET, HEAD, POST"})
    origin, site = headers.get("origin"), one_of(headers, "sec-fetch-site")
    if site in {"cross-site", "same-site"}:
        visit = (
            one_of(headers, "sec-fetch-mode") == "navigate"
            and one_of(headers, "sec-fetch-dest") == "document"
        )
        if websocket or method == "POST" or not visit or scope["path"] == LOGIN:
            return Refusal(403, "Another site asked for this. Open the address yourself.")
    # a page whose policy is no-referrer sends its form with `Origin: null`; only the browser sets sec-fetch-site
    if origin and origin[0] != f"http://{host}" and not (origin[0] == "null" and site == "same-origin"):
        return Refusal(403, "The Origin of this request is not this server.")
    return None


def judge_route(scope: Scope, caller: Caller, read_only: bool) -> Refusal | None:
    """Judge what a known caller asks for; None lets it on."""
    headers, path = headers_of(scope), scope["path"]
    if scope["type"] == "websocket":
        return None if path == "/graphql" else Refusal(403, "There is no WebSocket here.")
    if scope["method"] != "POST":
        if path == "/graphql":
            return Refusal(405, "GraphQL is answered to POST with application/json only.", {"Allow": "POST"})
        return None
    media_type = next((kind for pattern, kind in _WRITES.items() if pattern.fullmatch(path)), None)
    if media_type is None:
        return Refusal(405, "Nothing is written here.", {"Allow": "GET, HEAD"})
    sent = one_of(headers, "content-type").split(";")[0].strip().lower()
    if media_type and sent != media_type:
        return Refusal(415, f"Send this as {media_type}.")
    if caller.kind == "session" and not from_our_page(headers):
        return Refusal(403, "A browser must say which page asks; this one did not.")
    if _REPORT.fullmatch(path) and (caller.kind != "bearer" or _from_browser(headers)):
        return Refusal(403, "Events are reported by scripts with the bearer token, never from a browser.")
    if path == NEW_LINK and (caller.kind != "bearer" or _from_browser(headers)):
        return Refusal(403, "Links are made with the bearer token.")
    if read_only and path not in {"/graphql", NEW_LINK}:
        return Refusal(403, "This server is read-only.")
    return None


def is_mutation(body: bytes) -> bool:
    """Whether a GraphQL request could change something: a mutation in it, or not understood."""
    from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse

    try:
        document = parse(json.loads(body)["query"])
    except (GraphQLError, ValueError, TypeError, LookupError, RecursionError):
        return True
    return any(
        isinstance(node, OperationDefinitionNode) and node.operation == OperationType.MUTATION
        for node in document.definitions
    )


def policy_for(path: str, host: str, theirs: str | None) -> str:
    """Return the content security policy of an answer.

    Args:
        path: Path of the request.
        host: `Host` of the request.
        theirs: The policy that the application sent, if any.
    """
    if path == "/casework" or path.startswith(("/casework/", "/site/")):
        return _PAGES_POLICY
    added = _DAGSTER_POLICY.format(host=host)
    return f"{theirs.rstrip('; ')}; {added}" if theirs else f"base-uri 'none'; object-src 'none'; {added}"


def one_of(headers: Mapping[str, list[str]], name: str) -> str:
    """Return the first value of a header, or an empty text."""
    return headers.get(name, [""])[0].strip()


def from_our_page(headers: Mapping[str, list[str]]) -> bool:
    """Whether the browser names a page of ours; `judge_origin` has refused every other origin."""
    return one_of(headers, "origin") not in {"", "null"} or one_of(headers, "sec-fetch-site") == "same-origin"


def _from_browser(headers: Mapping[str, list[str]]) -> bool:
    return any(name in {"origin", "cookie"} or name.startswith("sec-fetch-") for name in headers)


def cookies_named(headers: Mapping[str, list[str]], wanted: str) -> list[str]:
    """Return the values of all cookies of a name; other programs' cookies need not be well formed."""
    pairs = (pair.strip().partition("=") for line in headers.get("cookie", ()) for pair in line.split(";"))
    return [value for name, _, value in pairs if name == wanted]
