"""Who may come in: one-time links, sessions, the bearer token of scripts, and the brake on guessing.

All secrets are made anew at each start of the server, held in memory, compared in constant time, and never logged.
Only the bearer token is written, to a file that its owner alone can read, because scripts need it.

Here: making and checking tokens. Not here: HTTP (`hrtech_dagster.guard`).
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

LINK_SECONDS: Final = 3600
SESSION_SECONDS: Final = 12 * 3600
#: Wrong tokens within `WRONG_SECONDS` after which tokens are no longer looked at.
WRONG_LIMIT: Final = 10
WRONG_SECONDS: Final = 60
_HELD_AT_MOST: Final = 100


class TooManyWrongTokens(Exception):
    """Tokens are not looked at for a while.

    Attributes:
        retry_after: Seconds to wait.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many wrong tokens. Try again in {retry_after} s.")
        self.retry_after = retry_after


class Tokens:
    """The secrets of one running server.

    Attributes:
        bearer: Token for scripts, good until the server stops.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.bearer = secrets.token_urlsafe(32)
        self._clock = clock
        self._csrf_key = secrets.token_bytes(32)
        self._links: dict[bytes, float] = {}
        self._sessions: dict[bytes, float] = {}
        self._wrong: deque[float] = deque()

    def new_link(self) -> str:
        """Make a token that opens one session within an hour."""
        return self._issue(self._links, LINK_SECONDS)

    def open_session(self, link: str) -> str | None:
        """Exchange a link's token for a session; None when it is wrong, used or too old.

        Raises:
            TooManyWrongTokens: Tokens are not looked at for now.
        """
        self._brake()
        found = self._find(self._links, link)
        if found is None:
            self._wrong.append(self._clock())
            return None
        del self._links[found]
        return self._issue(self._sessions, SESSION_SECONDS)

    def is_bearer(self, token: str) -> bool:
        """Whether a script's token is right.

        Raises:
            TooManyWrongTokens: Tokens are not looked at for now.
        """
        self._brake()
        right = hmac.compare_digest(_digest(token), _digest(self.bearer))
        if not right:
            self._wrong.append(self._clock())
        return right

    def session_among(self, cookies: Iterable[str]) -> str | None:
        """Return the first of the cookies that is an open session.

        A wrong cookie is not counted as a guess: after a restart every open page sends one.
        """
        return next((cookie for cookie in cookies if self._find(self._sessions, cookie) is not None), None)

    def csrf(self, session: str) -> str:
        """Return the token that forms of a session carry."""
        return hmac.new(self._csrf_key, session.encode(), hashlib.sha256).hexdigest()

    def _brake(self) -> None:
        now = self._clock()
        while self._wrong and self._wrong[0] <= now - WRONG_SECONDS:
            self._wrong.popleft()
        if len(self._wrong) >= WRONG_LIMIT:
            raise TooManyWrongTokens(max(1, round(self._wrong[0] + WRONG_SECONDS - now)))

    def _issue(self, held: dict[bytes, float], seconds: int) -> str:
        now = self._clock()
        for old in [key for key, until in held.items() if until <= now]:
            del held[old]
        while len(held) >= _HELD_AT_MOST:
            del held[next(iter(held))]
        token = secrets.token_urlsafe(32)
        held[_digest(token)] = now + seconds
        return token

    def _find(self, held: dict[bytes, float], token: str) -> bytes | None:
        digest, now = _digest(token), self._clock()
        found = None
        for key, until in held.items():
            if hmac.compare_digest(key, digest) and until > now:
                found = key
        return found


def bearer_file(home: Path, port: int) -> Path:
    """Where the bearer token of the server on a port lies while it runs."""
    return home / "keys" / f"serve-{port}.token"


@contextlib.contextmanager
def written_bearer(path: Path, token: str) -> Iterator[None]:
    """Hold the bearer token in a file with mode 0600 for as long as the block runs."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(token)
    draft.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
