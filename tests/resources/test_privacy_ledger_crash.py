"""Killed (SIGKILL) at every boundary of every step, a release that is asked for again is charged once.

The boundaries are found by running a release once with every step counted; then one process after the other is
killed at the first, the second, ... of them, each on a ledger of its own.
"""

import contextlib
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from resources import ledger_session, ledger_witness
from resources.ledger_database import LedgerDatabase

FORK = multiprocessing.get_context("fork")


def instrument(reached):
    """Call `reached(name)` before and after each step; only ever in a process that is thrown away."""

    def around(owner, name, *, before=False):
        step = getattr(owner, name)

        def wrapped(*arguments, **named):
            if before:
                reached(f"before {name}")
            result = step(*arguments, **named)
            reached(f"after {name}")
            return result

        setattr(owner, name, wrapped)

    # a boundary that nothing separates from the one before it is not counted twice
    for name in ("prepare", "append", "keep"):
        around(LedgerDatabase, name)
    around(ledger_session, "read_or_create_key")
    around(ledger_session, "write_witness")
    around(ledger_witness.Path, "replace", before=True)
    writing = LedgerDatabase.writing

    @contextlib.contextmanager
    def counted(self):
        with writing(self) as connection:
            reached("begin of transaction")
            yield connection
        reached("after commit of transaction")

    LedgerDatabase.writing = counted


def run(place, request, drawn: Path, stop, answer):
    """In a child: release, killed at boundary number `stop`; without one, answer with the boundaries passed."""
    passed = []

    def reached(name):
        passed.append(name)
        if len(passed) - 1 == stop:
            os.kill(os.getpid(), signal.SIGKILL)

    def draw():
        content = os.urandom(16)
        drawn.write_bytes(content)
        reached("after draw")
        return {"counts": content}

    instrument(reached)
    place.ledger().release(request, draw)
    reached("after release")
    answer.send(passed)


def child(place, request, drawn, stop=None):
    receiver, sender = FORK.Pipe(duplex=False)
    process = FORK.Process(target=run, args=(place, request, drawn, stop, sender))
    process.start()
    sender.close()
    process.join(60)
    with contextlib.suppress(EOFError):
        return process.exitcode, receiver.recv()
    return process.exitcode, None


def test_killed_at_every_step_boundary(ledger_place, ask, tmp_path):
    drawn = tmp_path / "drawn"
    # convert once before forking, so that no child has to
    request = ask(3.0)
    code, boundaries = child(ledger_place(), request, drawn)
    assert code == 0
    assert boundaries[0] == "after prepare" and boundaries[-1] == "after release"
    assert boundaries.count("after commit of transaction") == 3  # first entry, reserve, commit
    assert boundaries.count("after append") == 4
    assert "after draw" in boundaries and "after write_witness" in boundaries and "after keep" in boundaries

    for stop, boundary in enumerate(boundaries):
        place = ledger_place()
        code, _ = child(place, request, drawn, stop)
        assert code == -signal.SIGKILL, boundary
        survived = place.ledger().entries()
        committed = any(entry.kind == "committed" for entry in survived)
        charged = any(entry.kind == "reserved" for entry in survived)

        again = place.ledger().release(request, lambda: {"counts": os.urandom(16)})
        assert again.reused is committed, boundary
        if committed:
            assert again.artefacts == {"counts": drawn.read_bytes()}, boundary
        third = place.ledger().release(request, lambda: {"counts": b"other"})
        assert third.artefacts == again.artefacts and third.head == again.head, boundary

        kinds = [entry.kind for entry in place.ledger().entries()]
        assert kinds == ["created", "budget", "reserved", "committed"], boundary
        assert third.spent == request.charge, boundary
        assert place.ledger().verify() == 4
        # what was written before the kill is still there, as it was
        assert place.ledger().entries()[: len(survived)] == survived
        if boundary == "after draw":
            assert charged and not committed
        # whatever was interrupted, the newest head is known outside the ledger in the end
        witness = list((place.home / "lake" / "released" / ".manifests").glob("[0-9]*.json"))
        assert [path.name for path in witness] == ["000000000004.json"], boundary


def test_a_killed_draw_gives_nothing_back(ledger_place, ask, tmp_path):
    from hrtech.privacy.ledger import BudgetExhausted

    request, drawn = ask(3.0), tmp_path / "drawn"
    _, boundaries = child(ledger_place(), request, drawn)
    place = ledger_place()
    child(place, request, drawn, boundaries.index("after draw"))
    with pytest.raises(BudgetExhausted):
        place.ledger().release(ask(3.0, reissue=1), lambda: {"counts": b""})
