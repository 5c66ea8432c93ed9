"""Links are good once, sessions end, guessing is slowed, and the bearer token lies in a private file."""

import stat

import pytest

from hrtech_dagster.guard_tokens import (
    LINK_SECONDS,
    SESSION_SECONDS,
    WRONG_LIMIT,
    WRONG_SECONDS,
    Tokens,
    TooManyWrongTokens,
    bearer_file,
    written_bearer,
)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tokens(clock):
    return Tokens(clock)


def test_a_link_opens_one_session_only(tokens):
    link = tokens.new_link()
    session = tokens.open_session(link)
    assert session and tokens.session_among(["other", session]) == session
    assert tokens.open_session(link) is None


def test_a_link_and_a_session_end(tokens, clock):
    late, link = tokens.new_link(), tokens.new_link()
    session = tokens.open_session(link)
    clock.now += LINK_SECONDS
    assert tokens.open_session(late) is None
    assert tokens.session_among([session]) == session
    clock.now += SESSION_SECONDS - LINK_SECONDS
    assert tokens.session_among([session]) is None


def test_tokens_are_not_interchangeable(tokens):
    link = tokens.new_link()
    session = tokens.open_session(link)
    assert tokens.session_among([link, tokens.bearer, ""]) is None
    assert not tokens.is_bearer(session)
    assert tokens.is_bearer(tokens.bearer)
    assert not tokens.is_bearer("")
    assert not tokens.is_bearer("ü\udcff")


def test_form_tokens_belong_to_their_session(tokens):
    one, two = (tokens.open_session(tokens.new_link()) for _ in range(2))
    assert tokens.csrf(one) == tokens.csrf(one) != tokens.csrf(two)
    assert Tokens().csrf(one) != tokens.csrf(one)


def test_guessing_is_stopped_for_a_while_and_sessions_go_on(tokens, clock):
    session, link = tokens.open_session(tokens.new_link()), tokens.new_link()
    for _ in range(WRONG_LIMIT // 2):
        assert tokens.open_session("guess") is None
        assert not tokens.is_bearer("guess")
    with pytest.raises(TooManyWrongTokens) as wait:
        tokens.is_bearer(tokens.bearer)
    assert wait.value.retry_after == WRONG_SECONDS
    with pytest.raises(TooManyWrongTokens):
        tokens.open_session(link)
    assert tokens.session_among(["stale"] * 50) is None
    assert tokens.session_among([session]) == session
    clock.now += WRONG_SECONDS
    assert tokens.is_bearer(tokens.bearer)
    assert tokens.open_session(link)


def test_the_bearer_file_is_private_and_goes_away(tmp_path):
    path = bearer_file(tmp_path, 3000)
    with written_bearer(path, "secret"):
        assert path.read_text() == "secret"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert not path.exists()
