"""The counting engine against a slow, obviously right count per record."""

import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech.counts import (
    EncodingError,
    TooManyCells,
    codes,
    combinations,
    count_combinations,
    encode,
    limit_attributes,
    parse_attributes,
    possible_cells,
    render_attributes,
    restrict_values,
)

LISTS = pd.ArrowDtype(pa.list_(pa.string()))


def table(rows, single=("a", "b"), multi=("m",)):
    columns = {c: pd.array([r[c] for r in rows], dtype="str") for c in single}
    columns |= {c: pd.array([r[c] for r in rows], dtype=LISTS) for c in multi}
    return pd.DataFrame(columns)


def oracle(rows, columns, max_length, absence=()):
    """Combinations of each record's attributes, one record at a time."""
    counted = Counter()
    for row in rows:
        held = set()
        for column in columns:
            cell = row[column]
            values = cell if isinstance(cell, list) else [cell] if cell else []
            held |= {(column, v) for v in values} or ({(column, "none")} if column in absence else set())
        for length in range(1, max_length + 1):
            counted.update(itertools.combinations(sorted(held), length))
    return {render_attributes(k): n for k, n in counted.items()}


def counted(combos):
    frame = combos.to_frame()
    assert frame["attributes"].is_unique
    return dict(zip(frame["attributes"], frame["count"], strict=True))


def forced(monkeypatch, n_wide):
    """Make the planner treat the first single-valued columns as wide."""

    def plan(encoded, max_length):
        singles = [k for k, c in enumerate(encoded.columns) if not c.multi_valued][:n_wide]
        return singles, [k for k in range(len(encoded.columns)) if k not in singles]

    monkeypatch.setattr(combinations, "_plan", plan)


SINGLE = ("a", "b", "c")
MULTI = ("m", "n")
record = st.fixed_dictionaries(
    {c: st.one_of(st.none(), st.sampled_from(["x", "y", "z;:\\", "w"])) for c in SINGLE}
    | {
        c: st.one_of(st.none(), st.lists(st.sampled_from(["p", "q", "r"]), unique=True).map(sorted))
        for c in MULTI
    }
)
records = st.lists(record, max_size=150)


@pytest.mark.parametrize(("n_wide", "sort"), [(0, False), (1, False), (3, False), (3, True)])
@pytest.mark.parametrize("absence", [(), ("a", "m")])
def test_equals_the_oracle(n_wide, sort, absence, monkeypatch):
    """By bits alone, by codes alone, by both; with tables of tallies and by sorting."""
    forced(monkeypatch, n_wide)
    if sort:
        monkeypatch.setattr(codes, "_SMALL_TABLE", 0)
        monkeypatch.setattr(codes, "_TABLE_PER_RECORD", 0)

    @settings(max_examples=25, deadline=None)
    @given(rows=records, max_length=st.integers(1, 4), threads=st.integers(1, 2))
    def check(rows, max_length, threads):
        encoded = encode(table(rows, SINGLE, MULTI), [*SINGLE, *MULTI], absence=absence)
        combos = count_combinations(encoded, max_length, threads=threads)
        assert counted(combos) == oracle(rows, [*SINGLE, *MULTI], max_length, absence)

    check()


@pytest.mark.parametrize("n_wide", [0, 2])
def test_many_blocks_of_records_equal_the_oracle(n_wide, monkeypatch):
    """More records than one block of bits holds, a last word that is not full, values above one byte."""
    forced(monkeypatch, n_wide)
    rng = np.random.default_rng(3)
    n = 2048 * 64 + 77
    values = np.array([None, *(f"v{k}" for k in range(300))], dtype=object)
    rows_a, rows_b = rng.integers(0, 301, n), rng.integers(0, 3, n)
    bits = rng.random((n, 2)) < 0.3
    frame = pd.DataFrame(
        {
            "a": pd.array(values[rows_a], dtype="str"),
            "b": pd.array(values[rows_b], dtype="str"),
            "m": pd.array([[v for v, h in zip("pq", row, strict=True) if h] for row in bits], dtype=LISTS),
        }
    )
    got = counted(count_combinations(encode(frame, ["a", "b", "m"]), 3, threads=2))
    want = Counter()
    for a, b, p, q in zip(rows_a, rows_b, *bits.T.astype(int), strict=True):
        held = (
            [("a", values[a])] * bool(a) + [("b", values[b])] * bool(b) + [("m", "p")] * p + [("m", "q")] * q
        )
        for length in (1, 2, 3):
            want.update(itertools.combinations(held, length))
    assert got == {render_attributes(k): v for k, v in want.items()}


@settings(max_examples=30, deadline=None)
@given(rows=records, order=st.permutations([*SINGLE, *MULTI]), seed=st.integers(0, 99))
def test_order_of_columns_and_records_does_not_matter(rows, order, seed):
    frame = table(rows, SINGLE, MULTI)
    shuffled = frame.sample(frac=1, random_state=seed).reset_index(drop=True)
    one = counted(count_combinations(encode(frame, [*SINGLE, *MULTI]), 3))
    assert counted(count_combinations(encode(shuffled, order), 3)) == one


def test_a_slice_of_a_larger_table():
    rows = [
        {"a": "x", "b": "u", "m": ["p"]},
        {"a": "y", "b": None, "m": ["q", "p"]},
        {"a": None, "b": "u", "m": []},
    ]
    sliced = table(rows).iloc[1:]
    got = counted(count_combinations(encode(sliced, ["a", "b", "m"]), 3))
    assert got == oracle(rows[1:], ["a", "b", "m"], 3)


@settings(max_examples=30, deadline=None)
@given(rows=records)
def test_child_is_at_most_its_parent_and_minimum_counts_filter(rows):
    encoded = encode(table(rows, SINGLE, MULTI), [*SINGLE, *MULTI])
    every = counted(count_combinations(encoded, 3))
    for text, n in every.items():
        parts = parse_attributes(text)
        for k in range(len(parts)):
            if len(parts) > 1:
                assert n <= every[render_attributes(parts[:k] + parts[k + 1 :])]
    assert counted(count_combinations(encoded, 3, min_count=3)) == {k: n for k, n in every.items() if n >= 3}


@pytest.mark.parametrize("n_wide", [0, 2])
def test_declared_domains_give_zeros_for_exactly_the_valid_cells(n_wide, monkeypatch):
    forced(monkeypatch, n_wide)
    rows = [{"a": "x", "b": None, "m": ["p"]}, {"a": "x", "b": "u", "m": None}]
    domains = {"a": ["x", "y"], "b": ["u", "v", "w"], "m": ["p", "q", "r"]}
    combos = count_combinations(encode(table(rows), ["a", "b", "m"], domains=domains), 3, min_count=0)
    # elementary symmetric sums of (2 | 3 | 1+1+1)
    assert possible_cells([(2, False), (3, False), (3, True)], 3) == [1, 8, 6 + 6 + 9 + 3, 18 + 6 + 9 + 1]
    assert [len(combos.counts[k]) for k in (1, 2, 3)] == [8, 24, 34]
    assert combos.count_of([("a", "x")]) == 2
    assert combos.count_of([("m", "p"), ("a", "x")]) == 1
    assert combos.count_of([("m", "q"), ("a", "y")]) == 0
    assert sum(combos.counts[2]) == 2 and combos.n_records == 2


def test_cells_are_lexicographic_and_lookups_find_them():
    rows = [{"a": "x", "b": "u", "m": ["p", "q"]}, {"a": "y", "b": None, "m": ["q"]}]
    combos = count_combinations(encode(table(rows), ["m", "a", "b"]), 2)
    for cells in combos.cells.values():
        assert cells.tolist() == sorted(cells.tolist())
    assert combos.positions(2, combos.cells[2]).tolist() == list(range(len(combos.cells[2])))
    assert combos.count_of([]) == 2
    with pytest.raises(KeyError):
        combos.count_of([("a", "nobody")])


def test_a_value_outside_its_domain_is_refused_without_the_value():
    rows = [{"a": "x", "b": None, "m": []}, {"a": "SECRET", "b": None, "m": ["HIDDEN"]}]
    with pytest.raises(EncodingError, match=r"column a.*first in record 2") as error:
        encode(table(rows), ["a"], domains={"a": ["x"]})
    assert "SECRET" not in str(error.value)
    with pytest.raises(EncodingError, match=r"column m.*first in record 2") as error:
        encode(table(rows), ["m"], domains={"m": ["p"]})
    assert "HIDDEN" not in str(error.value)


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ([], {}, "no columns"),
        (["a", "a"], {}, "more than once: a"),
        (["a", "nope"], {}, "unknown columns: nope; the table has a, b, m"),
        (["a"], {"domains": {"b": ["u"]}}, "not counted: b"),
        (["a"], {"domains": {"a": ["x", "x"]}}, "repeats a value"),
        (["a"], {"domains": {"a": ["none"]}, "absence": ["a"]}, "declares the value 'none'"),
    ],
)
def test_wrong_declarations_are_refused(columns, options, message):
    rows = [{"a": "x", "b": "u", "m": ["p"]}]
    with pytest.raises(EncodingError, match=message):
        encode(table(rows), columns, **options)


def test_columns_without_countable_values_are_refused():
    frame = pd.DataFrame({"age": [1.5, 2.0], "day": pd.to_datetime(["2020-01-01", None])})
    for column in frame:
        with pytest.raises(EncodingError, match=f"column {column} has type .* band it"):
            encode(frame, [column])


def test_other_types_of_columns():
    frame = pd.DataFrame(
        {
            "flag": pd.array([True, None, False], dtype="boolean"),
            "size": pd.array([3, 3, None], dtype="Int64"),
            "kind": pd.Categorical(["k", None, "k"], categories=["k", "unused"]),
            "text": pd.array(["", "t", None], dtype="str"),
            "list": [["p"], None, ["p", "q"]],
            "blank": [None, None, None],
        }
    )
    assert counted(count_combinations(encode(frame, list(frame)), 1)) == {
        "flag:true": 1, "flag:false": 1, "size:3": 2, "kind:k": 2, "text:t": 1, "list:p": 2, "list:q": 1,
    }  # fmt: skip


def test_no_records_and_no_values():
    rows = [{"a": None, "b": None, "m": None}]
    for given_rows in ([], rows):
        combos = count_combinations(encode(table(given_rows), ["a", "b", "m"]), 3)
        assert len(combos) == 0 and combos.to_frame().empty
        assert list(combos.to_frame().columns) == ["length", "attributes", "count"]


def test_too_many_cells_are_refused_before_counting(monkeypatch):
    monkeypatch.setattr(combinations, "count_by_bits", lambda *a: pytest.fail("counted"))
    monkeypatch.setattr(combinations, "count_by_codes", lambda *a: pytest.fail("counted"))
    frame = pd.DataFrame({f"c{k}": pd.array([f"v{k % 3}"] * 9, dtype="str") for k in range(5)})
    frame["employer"] = pd.array([f"e{k}" for k in range(9)], dtype="str")
    domains = {"employer": [f"e{k}" for k in range(10_000)]}
    encoded = encode(frame, list(frame), domains=domains)
    with pytest.raises(TooManyCells, match=r"100,?0?0? .*|cells") as error:
        count_combinations(encoded, 3, min_count=0, max_cells=1000)
    text = str(error.value)
    # 5 one-valued columns and 10,000 employers: 1 + 10 + 10 without, 10,000 * (1 + 5 + 10) with employers
    assert f"{5 + 10 + 10 + 160_000:,} cells" in text
    assert "Leave out or band: employer (10,000 values)." in text
    with pytest.raises(ValueError, match="at least"):
        count_combinations(encoded, 0)


@settings(max_examples=30, deadline=None)
@given(rows=records, cap=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
def test_a_cap_keeps_that_many_attributes_of_each_record(rows, cap, seed):
    encoded = encode(table(rows, SINGLE, MULTI), [*SINGLE, *MULTI])
    limited = limit_attributes(encoded, cap, np.random.default_rng(seed))
    before, after = encoded.attributes_per_record(), limited.attributes_per_record()
    assert after.tolist() == np.minimum(before, cap).tolist()
    was, now = counted(count_combinations(encoded, 2)), counted(count_combinations(limited, 2))
    assert all(n <= was[k] for k, n in now.items())


def test_a_cap_chooses_uniformly():
    n = 12_000
    frame = pd.DataFrame({"a": pd.array(["x"] * n, dtype="str"), "b": pd.array(["u"] * n, dtype="str")})
    frame["m"] = pd.array([["p", "q"]] * n, dtype=LISTS)
    limited = limit_attributes(encode(frame, ["a", "b", "m"]), 2, np.random.default_rng(5))
    counts = count_combinations(limited, 2).counts
    assert counts[2].sum() == n
    # each of 4 attributes with probability 1/2, each of 6 pairs 1/6: five standard errors
    assert np.abs(counts[1] - n / 2).max() < 5 * np.sqrt(n / 4)
    assert np.abs(counts[2] - n / 6).max() < 5 * np.sqrt(n * 5 / 36)
    with pytest.raises(ValueError, match="at least 1"):
        limit_attributes(limited, 0, np.random.default_rng(5))


def test_restricting_values_makes_the_others_unknown():
    rows = [{"a": "x", "b": "u", "m": ["p", "q"]}, {"a": "y", "b": "u", "m": ["q"]}]
    encoded = restrict_values(encode(table(rows), ["a", "b", "m"]), {"a": ["y"], "m": ["q"], "b": []})
    assert counted(count_combinations(encoded, 3)) == {"a:y": 1, "m:q": 2, "a:y;m:q": 1}
    with pytest.raises(KeyError):
        restrict_values(encoded, {"a": ["nobody"]})


@given(
    attributes=st.sets(
        st.tuples(st.text(alphabet="ab;:\\ é", min_size=1), st.text(alphabet="ab;:\\ é", min_size=1)),
        min_size=1,
    )
)
def test_canonical_text_reads_back(attributes):
    text = render_attributes(attributes)
    assert parse_attributes(text) == tuple(sorted(attributes))


def test_canonical_text_needs_a_colon():
    with pytest.raises(ValueError, match="column:value"):
        parse_attributes("nothing")
