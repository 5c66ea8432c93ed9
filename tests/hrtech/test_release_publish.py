"""What people read: counts of one population, whole and consistent, and the same for the same measurement."""

import itertools
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from release_worlds import (
    SeededNoise,
    exact_counts,
    held_by,
    layouts,
    measured_of,
    random_states,
    schema_of,
)

from hrtech.counts import count_combinations, encode, parse_attributes, render_attributes
from hrtech.release import fit
from hrtech.release.declared import ReleaseColumn, ReleaseSchema, ReleaseSettings
from hrtech.release.holding import encoded_people, holdings
from hrtech.release.layout import Layout
from hrtech.release.measured import Measured
from hrtech.release.mechanism import _draw
from hrtech.release.people import LIST_DTYPE
from hrtech.release.publish import count_people, draft, finish, publish
from hrtech.release.support import dial

#: Few steps, where it does not matter how well a mixture fits.
hasty = mock.patch.object(fit, "_ROUND", 10)


def setting_of(longest, **changes):
    return ReleaseSettings(**{"epsilon": 1.0, "delta": 1e-6, "reporting_length": longest, **changes})


def small_release(layout, seed, people, sd):
    rng = np.random.default_rng(seed)
    held = held_by(random_states(layout, people, rng), layout)
    measured = measured_of(layout, held, rng, sd=sd, people_sd=1.5)
    return measured, publish(measured, setting_of(layout.longest), np.random.default_rng(seed))


def recounted(records, schema, longest):
    """Counts of combinations in records by the library's own counting; what one value implies is left out."""
    table = count_combinations(encode(records, [c.name for c in schema.columns]), longest).to_frame()
    found = {}
    for text, count in zip(table["attributes"], table["count"], strict=True):
        columns = [c for c, _ in parse_attributes(text)]
        if not any(schema.by_name[c].parent in columns for c in columns):
            found[text] = count
    return found


def implied(schema, text):
    """Combinations that whoever holds this one holds too."""
    attributes = parse_attributes(text)
    for k, (name, value) in enumerate(attributes):
        rest = attributes[:k] + attributes[k + 1 :]
        if rest:
            yield render_attributes(rest)
        column = schema.by_name[name]
        if column.parent:
            yield render_attributes((*rest, (column.parent, column.parent_values[value])))


@hasty
@settings(max_examples=25, deadline=None)
@given(
    layout=layouts(),
    seed=st.integers(0, 10**6),
    people=st.integers(0, 80),
    sd=st.sampled_from([0.01, 1.0, 6.0]),
)
def test_aggregates_are_counts_of_the_records(layout, seed, people, sd):
    measured, told = small_release(layout, seed, people, sd)
    schema, longest = layout.schema, layout.longest
    assert len(told.records) == max(round(measured.people), 0)
    assert list(told.records) == [c.name for c in schema.columns]
    table = told.aggregates
    assert list(table) == ["length", "attributes", "count", "low", "high", "sd"]
    assert (
        table[["length", "count", "low", "high"]].dtypes.eq("int64").all() and table["sd"].dtype == "float64"
    )
    counts = dict(zip(table["attributes"], table["count"], strict=True))
    assert len(counts) == len(table) and (table["count"] > 0).all()
    assert [len(parse_attributes(t)) for t in counts] == table["length"].tolist()
    assert table["length"].is_monotonic_increasing
    exact = recounted(told.records, schema, longest)
    short = {t: n for t, n in counts.items() if t.count(";") < 3}
    assert short == {t: n for t, n in exact.items() if t.count(";") < 3}
    for text, count in counts.items():
        assert exact[text] == count
        assert all(counts[other] >= count for other in implied(schema, text))
    assert (table["low"] >= 0).all() and (table["low"] <= table["count"]).all()
    assert (table["count"] <= table["high"]).all() and (table["sd"] > 0).all()
    for pair in schema.impossible:
        assert not any(set(pair) <= set(parse_attributes(text)) for text in exact)


@hasty
@settings(max_examples=8, deadline=None)
@given(layout=layouts(), seed=st.integers(0, 10**6))
def test_the_same_measurement_and_seed_give_the_same_bytes(layout, seed):
    measured, told = small_release(layout, seed, 50, 2.0)
    read_back = Measured.from_artefacts(measured.to_artefacts())
    again = publish(read_back, setting_of(layout.longest), np.random.default_rng(seed))
    assert again.aggregates.to_parquet() == told.aggregates.to_parquet()
    assert again.records.to_parquet() == told.records.to_parquet()
    assert (again.threshold, again.misfit) == (told.threshold, told.misfit)
    bare = publish(measured, setting_of(layout.longest), np.random.default_rng(seed), records=False)
    assert bare.records is None
    pd.testing.assert_frame_equal(bare.aggregates, told.aggregates)


@hasty
@settings(max_examples=20, deadline=None)
@given(layout=layouts(), seed=st.integers(0, 10**6), people=st.integers(0, 200))
def test_people_are_counted_exactly(layout, seed, people):
    states = random_states(layout, people, np.random.default_rng(seed))
    exact = exact_counts(held_by(states, layout), layout)
    got = count_people(states, layout)
    for k in exact:
        assert got[k].dtype == np.int64 and np.array_equal(got[k], exact[k])


def test_very_many_different_people_are_counted_exactly():
    """Everybody there can be with 13 values, several times: more rows than are counted at once."""
    layout = Layout(schema_of([("many", 13)]), 3)
    everybody = np.array(list(itertools.product((0, 1), repeat=13)), dtype=np.int16)
    got = count_people(np.vstack([everybody] * 3), layout)
    for k in (1, 2, 3):
        assert (got[k] == 3 * 2 ** (13 - k)).all()


def test_what_is_told_follows_the_threshold():
    layout = Layout(schema_of([("one", 4), ("fine", 5), ("many", 4)]), 4)
    rng = np.random.default_rng(2)
    held = held_by(random_states(layout, 400, rng, likely=0.3), layout)
    made = draft(measured_of(layout, held, rng, sd=4.0), np.random.default_rng(0))
    number = {
        render_attributes([layout.attributes[v] for v in cell]): score
        for k in made.score
        for cell, score in zip(layout.cells(k).tolist(), made.score[k], strict=True)
    }
    sizes = []
    for threshold in (0.0, 1.0, 3.0, 10.0, np.inf):
        told = finish(made, setting_of(4), np.random.default_rng(0), threshold=threshold)
        assert told.threshold == threshold
        lengths = told.aggregates["length"]
        shown = told.aggregates["attributes"]
        assert all(number[t] >= threshold for t in shown[lengths > 1])
        sizes.append(len(shown))
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 2 * sizes[-1]
    assert set(lengths) == {1}
    # nearly all that the dial counts is shown, with what lies at the threshold itself
    known = dial(made.estimates, made.score)
    at = len(known.threshold) // 2
    told = finish(made, setting_of(4), np.random.default_rng(0), threshold=known.threshold[at])
    assert 0.9 * known.told[at] < (told.aggregates["length"] > 1).sum() <= known.told[at]
    short = told.aggregates.loc[told.aggregates["length"].isin([2, 3]), "attributes"]
    edge = min(number[t] for t in short)
    told = finish(made, setting_of(4), np.random.default_rng(0), threshold=edge)
    assert min(number[t] for t in told.aggregates["attributes"]) == edge
    chosen = finish(made, setting_of(4, false_share=0.3), np.random.default_rng(0))
    assert chosen.threshold == chosen.dial.threshold_for(0.3)


def test_where_no_value_was_found_the_number_of_people_is_all():
    columns = (ReleaseColumn("a", None), ReleaseColumn("b", None, multi_valued=True))
    frame = pd.DataFrame(
        {"a": pd.array(["x"] * 40, dtype="str"), "b": pd.Series([["u", "v"]] * 40, dtype=LIST_DTYPE)}
    )

    class Blind(SeededNoise):
        def above_threshold(self, counts, scale, threshold):
            return {}

    measured = _draw(frame, setting_of(3), ReleaseSchema(columns), Blind(0), np.random.default_rng(0))
    told = publish(measured, setting_of(3), np.random.default_rng(0))
    assert told.aggregates.empty and told.misfit == {}
    assert len(told.records) == round(measured.people) and told.records.isna().all(axis=None)
    assert told.records["b"].dtype == LIST_DTYPE
    plain = finish(draft(measured, np.random.default_rng(0)), setting_of(3), np.random.default_rng(0))
    assert list(plain.aggregates.dtypes) == list(told.aggregates.dtypes)


@pytest.mark.parametrize("people", [-4.0, 0.0, 0.4])
def test_a_number_of_people_that_is_noise_alone_publishes_nobody(people):
    layout = Layout(schema_of([("one", 2), ("many", 2), ("fine", 2)]), 3)
    rng = np.random.default_rng(0)
    measured = measured_of(layout, np.zeros((0, layout.n_attributes), dtype=int), rng, sd=3.0)
    fields = {**vars(measured), "people": people}
    measured = Measured(**{k: v for k, v in fields.items() if k in Measured.__dataclass_fields__})
    told = publish(measured, setting_of(3), rng)
    assert told.aggregates.empty and told.records.empty
    assert list(told.records) == ["c0", "c1", "c2", "p2"]


def case_files(people, rng):
    """People of a hierarchy, a list and an open column, who depend on one another."""
    home = rng.integers(0, 6, people)
    sex = np.where(rng.random(people) < 0.3 + 0.08 * home, "F", "M")
    debt = rng.random(people) < np.where(sex == "F", 0.6, 0.2)
    threats = rng.random(people) < np.where(debt, 0.7, 0.3)
    town = np.array(list("uvwxyz"))[home].astype(object)
    town[rng.random(people) < 0.1] = None
    region = np.where(home < 3, "north", "south")
    work = np.where(rng.random(people) < 0.5, "farm", np.where(debt, "mine", "home"))
    return pd.DataFrame(
        {
            "sex": pd.array(sex, dtype="str"),
            "town": pd.array(town, dtype="str"),
            "region": pd.array(region, dtype="str"),
            "means": pd.Series(
                [
                    ["debt"] * d + ["threats"] * t or None
                    for d, t in zip(debt.tolist(), threats.tolist(), strict=True)
                ],
                dtype=LIST_DTYPE,
            ),
            "work": pd.array(work, dtype="str"),
        }
    )


CASES = ReleaseSchema(
    (
        ReleaseColumn("sex", ("F", "M")),
        ReleaseColumn(
            "town",
            tuple("uvwxyz"),
            parent="region",
            parent_values={**dict.fromkeys("uvw", "north"), **dict.fromkeys("xyz", "south")},
        ),
        ReleaseColumn("region", ("north", "south")),
        ReleaseColumn("means", ("debt", "threats"), multi_valued=True),
        ReleaseColumn("work"),
    ),
    impossible=((("town", "u"), ("work", "mine")),),
)


def test_a_whole_release_is_close_to_the_records_and_its_intervals_cover():
    rng = np.random.default_rng(1)
    frame = case_files(5000, rng)
    frame.loc[(frame["town"] == "u") & (frame["work"] == "mine"), "work"] = "home"
    covered, errors = [], []
    for seed in range(6):
        measured = _draw(frame, setting_of(3), CASES, SeededNoise(seed), np.random.default_rng(seed))
        told = publish(measured, setting_of(3), np.random.default_rng(seed))
        assert set(told.records["work"].dropna()) <= {"farm", "mine", "home"}
        layout = measured.layout
        held = holdings(encoded_people(frame, measured.schema), layout)
        exact = exact_counts(np.repeat(held.rows.astype(int), held.people, axis=0), layout)
        true = {
            render_attributes([layout.attributes[v] for v in cell]): n
            for k in exact
            for cell, n in zip(layout.cells(k).tolist(), exact[k], strict=True)
        }
        table = told.aggregates
        truth = np.array([true[t] for t in table["attributes"]])
        covered.append(((table["low"] <= truth) & (truth <= table["high"])).mean())
        errors.append(np.mean(np.abs(table["count"] - truth) / table["sd"]))
        # nearly everything that many people hold is told
        large = {t for t, n in true.items() if n >= 100}
        assert len(large - set(table["attributes"])) < 0.02 * len(large)
        both = told.records[["town", "region"]].dropna()
        assert both["town"].map(CASES.by_name["town"].parent_values).eq(both["region"]).all()
        assert told.records["region"].notna()[told.records["town"].notna()].all()
    assert np.mean(covered) > 0.93
    # less than the noise itself would leave: 0.8 standard deviations
    assert np.mean(errors) < 0.7
