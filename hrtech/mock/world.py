"""The mock world as a whole: sizes, planted truths, and the one function that generates it.

Belongs here: what is generated for which size and which truths. Does not belong here: the content of a table.

Same seed, same bytes: a world depends on its size, seed and planted truths, and on nothing else. A truth
that is switched off changes only the tables that `TRUTHS` names for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from hrtech.mock import (
    cases,
    complaints,
    conduct,
    documents,
    ownership,
    persons,
    procurement,
    registers,
    studies,
)
from hrtech.mock.common import Streams
from hrtech.mock.roles import Roles, cast_roles, ring_links

_REGISTERS = ("case_records", "perpetrator_records", "employers")

TRUTHS: Mapping[str, tuple[str, ...]] = {
    "overlap": _REGISTERS,
    "errors": (*_REGISTERS, "companies"),
    "rings": ("companies", "employers", "owners", "red_flags", "tenders", "bids"),
    "owners": ("owners",),
    "flags": ("red_flags",),
    "activity": ("activity",),
    "patterns": ("complaints",),
    "intervention": ("panel",),
    "exposure_effect": ("questionnaire",),
    "confounding": ("questionnaire",),
    "documents": ("documents",),
    "decoys": ("tenders", "bids", "complaints", "documents"),
}
"""The truths that can be planted, each with the tables that change when it is switched off."""

ALL_TRUTHS = frozenset(TRUTHS)


@dataclass(frozen=True)
class Size:
    """How many people, firms and rows a world has."""

    persons: int
    companies: int
    employers: int
    complaints: int
    patterns: int
    respondents: int
    documents: int


SIZES: Mapping[str, Size] = {
    "tiny": Size(300, 240, 80, 2_000, 4, 1_000, 40),
    "demo": Size(12_000, 3_000, 1_500, 20_000, 12, 6_000, 300),
    "large": Size(200_000, 40_000, 15_000, 300_000, 24, 60_000, 3_000),
}


@dataclass(frozen=True)
class World:
    """A generated world.

    Attributes:
        tables: The tables that the organisations, registers and offices of the world would hand over.
        truth: What is really so, one table for each kind of truth (empty where none is planted).
        size: Its size.
        seed: Its seed.
        planted: The truths that are planted in it.
    """

    tables: dict[str, pd.DataFrame]
    truth: dict[str, pd.DataFrame]
    size: str
    seed: int
    planted: frozenset[str]

    def __repr__(self) -> str:
        return f"World(size={self.size!r}, seed={self.seed}, planted={sorted(self.planted)})"

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of each table (tables and truths by name), of its Arrow bytes."""
        return {name: _digest(frame) for name, frame in sorted({**self.tables, **self.truth}.items())}


def _digest(frame: pd.DataFrame) -> str:
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return hashlib.sha256(sink.getvalue()).hexdigest()


def _check(size: str, seed: int, planted: Iterable[str]) -> frozenset[str]:
    if size not in SIZES:
        raise ValueError(f"size {size!r} is not known; use one of {', '.join(SIZES)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed must be an integer of 0 or more, not {seed!r}")
    if isinstance(planted, str):
        raise ValueError(f"planted must be a set of names, not the single text {planted!r}")
    chosen = frozenset(planted)
    if unknown := chosen - ALL_TRUTHS:
        raise ValueError(
            f"planted names {', '.join(map(repr, sorted(unknown)))} not known; use any of {', '.join(TRUTHS)}"
        )
    return chosen


def generate_world(size: str, seed: int, planted: Iterable[str] = ALL_TRUTHS) -> World:
    """Generate a world.

    Args:
        size: `tiny`, `demo` or `large`, see `SIZES`.
        seed: An integer of 0 or more.
        planted: Names of `TRUTHS`; what is left out is absent from the world (a null world for it).

    Returns:
        The world: tables and truth.

    Raises:
        ValueError: The size, the seed or a name in `planted` is not one.
    """
    on = _check(size, seed, planted)
    spec, streams = SIZES[size], Streams(seed)
    tables: dict[str, pd.DataFrame] = {}
    truth: dict[str, pd.DataFrame] = {}
    roles = cast_roles(streams, spec.companies)
    _make_firms(streams, spec, on, roles, tables, truth)
    _make_cases(streams, spec, on, roles, tables, truth)
    tables["complaints"], truth["truth_patterns"] = complaints.make_complaints(
        streams, spec.complaints, spec.patterns, planted="patterns" in on, decoys="decoys" in on
    )
    tables["panel"], truth["truth_intervention"] = studies.make_panel(streams, planted="intervention" in on)
    tables["questionnaire"], truth["truth_exposure"] = studies.make_questionnaire(
        streams, spec.respondents, planted="exposure_effect" in on, confounding="confounding" in on
    )
    tables["documents"], truth["truth_documents"] = documents.make_documents(
        streams, tables["companies"], spec.documents, planted="documents" in on, decoys="decoys" in on
    )
    return World(tables, truth, size, seed, on)


def _make_firms(
    streams: Streams,
    spec: Size,
    on: frozenset[str],
    roles: Roles,
    tables: dict[str, pd.DataFrame],
    truth: dict[str, pd.DataFrame],
) -> None:
    rings, n = "rings" in on, spec.companies
    firms = registers.share_contacts(
        streams,
        registers.draw_firms(streams("companies/firms"), n, [*roles.rings, *roles.groups, *roles.chains]),
        roles,
        rings=rings,
        errors="errors" in on,
    )
    tables["companies"] = registers.make_companies(streams, firms)
    tables["employers"], truth["truth_companies"] = registers.make_employers(
        streams, firms, spec.employers, overlap="overlap" in on, errors="errors" in on
    )
    interests, truth["truth_structures"] = ownership.draw_interests(
        streams, roles, n, owners="owners" in on, rings=rings
    )
    tables["owners"] = ownership.make_owners(streams, interests, firms, tables["companies"]["name"])
    truth["truth_owners"] = ownership.integrated_shares(tables["owners"], interests, n)
    tables["activity"], truth["truth_activity_links"] = conduct.make_activity(
        streams, roles, n, planted="activity" in on
    )
    tables["red_flags"], truth["truth_flags"] = conduct.make_red_flags(
        streams, firms, roles, planted="flags" in on, rings=rings
    )
    links = ring_links(roles, owners="owners" in on)
    held, truth["truth_rings"] = procurement.make_tenders(
        streams, roles, links, n, rings=rings, decoys="decoys" in on
    )
    tables.update(held)


def _make_cases(
    streams: Streams,
    spec: Size,
    on: frozenset[str],
    roles: Roles,
    tables: dict[str, pd.DataFrame],
    truth: dict[str, pd.DataFrame],
) -> None:
    errors = "errors" in on
    people = persons.draw_persons(streams, spec.persons)
    seen = cases.draw_sightings(streams, people, overlap="overlap" in on)
    employers = tables["employers"]
    firms = truth["truth_companies"].dropna(subset=["company_id", "employer_id"])
    exploiting = tables["companies"]["company_id"].to_numpy()[roles.exploiters]
    exploits = employers["employer_id"].isin(firms.loc[firms["company_id"].isin(exploiting), "employer_id"])
    work = cases.place_of_work(streams, people, employers["region"], exploits.to_numpy())
    tables["case_records"] = cases.make_case_records(
        streams, people, seen, work, employers["name"].to_numpy(dtype=object), errors=errors
    )
    tables["perpetrator_records"], truth["truth_perpetrators"] = cases.make_perpetrator_records(
        streams, people, seen, errors=errors
    )
    truth["truth_persons"] = cases.true_persons(seen)
    truth["truth_case_counts"] = persons.count_persons(people)
