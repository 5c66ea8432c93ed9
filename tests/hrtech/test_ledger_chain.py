"""The chain shows every edit, removal, move and addition."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech.privacy.chain import Entry, Head, ledger_id, sealed, verify_chain
from hrtech.privacy.errors import LedgerRolledBack, LedgerTampered

SECRET = b"k" * 32


def chain(length, secret=SECRET, identity="one"):
    entries = []
    for place in range(length):
        entries.append(
            sealed(
                secret,
                entries,
                kind="reserved" if place else "created",
                at=f"2026-01-{place + 1:02d}",
                body={"ledger_id": identity, "rho": place / 7},
                population="people",
                release_key=str(place),
            )
        )
    return entries


CHAIN = chain(6)
HEAD = Head("one", 6, CHAIN[-1].head)
FIELDS = [field.name for field in dataclasses.fields(Entry)]


def test_a_whole_chain_passes():
    verify_chain(CHAIN, SECRET, [HEAD, Head("one", 3, CHAIN[2].head), Head("", 1, CHAIN[0].head)])
    verify_chain([], SECRET)
    assert ledger_id(CHAIN) == "one" and ledger_id([]) == ""


@given(st.integers(0, 5), st.sampled_from(FIELDS), st.data())
@settings(deadline=None)
def test_any_edit_of_any_field_is_found(place, field, data):
    entry = CHAIN[place]
    value = getattr(entry, field)
    edited = data.draw((st.integers() if field == "sequence" else st.text()).filter(lambda new: new != value))
    entries = [*CHAIN]
    entries[place] = dataclasses.replace(entry, **{field: edited})
    with pytest.raises(LedgerTampered):
        verify_chain(entries, SECRET)


@given(st.integers(0, 5), st.sampled_from(FIELDS[1:]), st.sampled_from([None, 3, b"x"]))
@settings(deadline=None)
def test_a_field_of_another_type_is_found(place, field, value):
    entries = [*CHAIN]
    entries[place] = dataclasses.replace(entries[place], **{field: value})
    with pytest.raises(LedgerTampered):
        verify_chain(entries, SECRET)


@given(st.sets(st.integers(0, 5), min_size=1))
@settings(deadline=None)
def test_any_removal_is_found(places):
    kept = [entry for place, entry in enumerate(CHAIN) if place not in places]
    with pytest.raises((LedgerTampered, LedgerRolledBack)):
        verify_chain(kept, SECRET, [HEAD])
    # renumbering does not hide it
    moved = [dataclasses.replace(entry, sequence=place + 1) for place, entry in enumerate(kept)]
    with pytest.raises((LedgerTampered, LedgerRolledBack)):
        verify_chain(moved, SECRET, [HEAD])


@given(st.permutations(range(6)).filter(lambda order: order != list(range(6))), st.booleans())
@settings(deadline=None)
def test_any_reordering_is_found(order, renumber):
    entries = [CHAIN[place] for place in order]
    if renumber:
        entries = [dataclasses.replace(entry, sequence=place + 1) for place, entry in enumerate(entries)]
    with pytest.raises(LedgerTampered):
        verify_chain(entries, SECRET)


@given(st.integers(0, 6), st.integers(0, 5), st.booleans())
@settings(deadline=None)
def test_any_addition_is_found(at, copied, renumber):
    entries = [*CHAIN[:at], CHAIN[copied], *CHAIN[at:]]
    if renumber:
        entries = [dataclasses.replace(entry, sequence=place + 1) for place, entry in enumerate(entries)]
    with pytest.raises(LedgerTampered):
        verify_chain(entries, SECRET)


def test_an_entry_written_with_another_key_is_found():
    forged = sealed(b"j" * 32, CHAIN, kind="reserved", at="2026-02-01", body={})
    with pytest.raises(LedgerTampered, match="Entry 7"):
        verify_chain([*CHAIN, forged], SECRET)


def test_fields_cannot_flow_into_one_another():
    one = sealed(SECRET, [], kind="reserved", at="x", body={}, population="ab", release_key="c")
    other = sealed(SECRET, [], kind="reserved", at="x", body={}, population="a", release_key="bc")
    assert one.head != other.head


@pytest.mark.parametrize(
    "entries, message",
    [
        (CHAIN[:4], "ends at 4"),
        ([], "names another ledger|ends at 0"),
        (chain(6, identity="two"), "names another ledger"),
        ([*CHAIN[:4], *(sealed(SECRET, CHAIN[:4], kind="k", at="later", body={}) for _ in "x")], "ends at 5"),
    ],
)
def test_an_older_or_other_ledger_is_refused(entries, message):
    verify_chain(entries, SECRET)
    with pytest.raises(LedgerRolledBack, match=message):
        verify_chain(entries, SECRET, [HEAD])


def test_an_older_copy_that_was_written_on_is_refused():
    entries = CHAIN[:4]
    for day in range(3):
        entries = [*entries, sealed(SECRET, entries, kind="reserved", at=f"2027-01-0{day + 1}", body={})]
    verify_chain(entries, SECRET)
    with pytest.raises(LedgerRolledBack, match="another head"):
        verify_chain(entries, SECRET, [HEAD])
