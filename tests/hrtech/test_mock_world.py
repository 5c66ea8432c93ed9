"""The mock world as a whole: same seed same bytes, null worlds, schema, references, size and speed."""

import json
import subprocess
import sys
import time

import pandas as pd
import pyarrow as pa
import pytest

from hrtech.mock import (
    ALL_TRUTHS,
    SIZES,
    TABLE_COLUMNS,
    TRUTH_TABLES,
    TRUTHS,
    VOCABULARY,
    generate_world,
)
from hrtech.mock.common import misspell

SEED = 11


@pytest.fixture(scope="module")
def world():
    return generate_world("tiny", SEED)


def _all(world):
    return {**world.tables, **world.truth}


def test_same_seed_same_bytes_in_another_process(world):
    script = (
        "import json; from hrtech.mock import generate_world; "
        f"print(json.dumps(generate_world('tiny', {SEED}).digests()))"
    )
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(other.stdout) == world.digests()
    assert generate_world("tiny", SEED).digests() == world.digests()


def test_another_seed_is_another_world(world):
    other = generate_world("tiny", SEED + 1).digests()
    assert not [name for name, digest in world.digests().items() if other[name] == digest]


@pytest.mark.parametrize("truth", sorted(TRUTHS))
def test_switching_a_truth_off_changes_its_tables_and_no_other(world, truth):
    before, after = world.digests(), generate_world("tiny", SEED, ALL_TRUTHS - {truth}).digests()
    changed = {name for name in TABLE_COLUMNS if before[name] != after[name]}
    # whether any ring member is in the inspectorate's register too is chance in a small world
    assert changed | {"employers"} == set(TRUTHS[truth]) | {"employers"}
    assert changed <= set(TRUTHS[truth])


def test_nothing_planted_leaves_no_truth_to_find():
    null = generate_world("tiny", SEED, frozenset())
    for name in ("rings", "structures", "activity_links", "patterns", "documents"):
        assert len(null.truth[f"truth_{name}"]) == 0, name
    assert set(null.truth["truth_flags"]["reason"]) == {"false alarm"}
    assert (null.truth["truth_exposure"]["effect"] == 0).all()
    assert (null.truth["truth_intervention"]["effect"] == 0).all()
    assert null.truth["truth_persons"]["person_id"].is_unique
    assert not null.truth["truth_companies"].notna().all(axis=1).any()
    assert set(null.tables) == set(TABLE_COLUMNS)


def test_schema_names_every_column_in_order(world):
    assert set(world.tables) == set(TABLE_COLUMNS)
    assert set(world.truth) == set(TRUTH_TABLES)
    for name, columns in {**TABLE_COLUMNS, **TRUTH_TABLES}.items():
        assert list(_all(world)[name].columns) == list(columns), name
        assert all(len(column.description) > 3 for column in columns.values()), name


def test_types_follow_roles(world):
    for name, columns in {**TABLE_COLUMNS, **TRUTH_TABLES}.items():
        for column, meaning in columns.items():
            kind = _all(world)[name][column].dtype
            where = f"{name}.{column} {kind}"
            if meaning.role == "multi_valued":
                assert kind == pd.ArrowDtype(pa.list_(pa.string())), where
            elif meaning.role == "date":
                assert pd.api.types.is_datetime64_any_dtype(kind), where
            elif meaning.role == "number":
                assert pd.api.types.is_numeric_dtype(kind) and kind != "boolean", where
            else:
                assert kind in ("str", "boolean"), where


def test_types_are_the_same_in_a_null_world(world):
    null = _all(generate_world("tiny", SEED, frozenset()))
    for name, frame in _all(world).items():
        assert frame.dtypes.to_dict() == null[name].dtypes.to_dict(), name


def test_vocabulary_holds_every_value(world):
    for table, columns in VOCABULARY.items():
        for column, values in columns.items():
            cells = world.tables[table][column].dropna()
            found = (
                set(cells.explode()) if TABLE_COLUMNS[table][column].role == "multi_valued" else set(cells)
            )
            assert {value for value in found if isinstance(value, str)} <= set(values), (table, column)
            assert not [v for v in values if ";" in v or ":" in v]


def test_multi_valued_cells_are_sorted_and_unique(world):
    for table, columns in TABLE_COLUMNS.items():
        for column in (c for c, meaning in columns.items() if meaning.role == "multi_valued"):
            for cell in world.tables[table][column].dropna():
                assert list(cell) == sorted(set(cell))


@pytest.mark.parametrize(
    ("table", "column", "to", "key"),
    [
        ("perpetrator_records", "case_record_id", "case_records", "record_id"),
        ("owners", "company_id", "companies", "company_id"),
        ("owners", "owner_company_id", "companies", "company_id"),
        ("activity", "company_id", "companies", "company_id"),
        ("red_flags", "company_id", "companies", "company_id"),
        ("bids", "company_id", "companies", "company_id"),
        ("bids", "tender_id", "tenders", "tender_id"),
        ("truth_persons", "record_id", "case_records", "record_id"),
        ("truth_perpetrators", "record_id", "perpetrator_records", "record_id"),
        ("truth_companies", "company_id", "companies", "company_id"),
        ("truth_companies", "employer_id", "employers", "employer_id"),
        ("truth_rings", "company_id", "companies", "company_id"),
        ("truth_structures", "company_id", "companies", "company_id"),
        ("truth_owners", "owner_id", "owners", "owner_id"),
        ("truth_flags", "flag_id", "red_flags", "flag_id"),
        ("truth_activity_links", "company_b", "companies", "company_id"),
        ("truth_documents", "document_id", "documents", "document_id"),
        ("truth_documents", "entity", "companies", "company_id"),
        ("truth_intervention", "region", "panel", "region"),
    ],
)
def test_references_lead_somewhere(world, table, column, to, key):
    frames = _all(world)
    asked = frames[table][column].dropna()
    assert len(asked)
    assert asked.isin(frames[to][key]).all()


def test_identifiers_of_rows_are_unique(world):
    for table, column in (
        ("case_records", "record_id"),
        ("perpetrator_records", "record_id"),
        ("employers", "employer_id"),
        ("companies", "company_id"),
        ("companies", "registration_number"),
        ("owners", "interest_id"),
        ("red_flags", "flag_id"),
        ("tenders", "tender_id"),
        ("bids", "bid_id"),
        ("complaints", "complaint_id"),
        ("questionnaire", "respondent_id"),
        ("documents", "document_id"),
    ):
        assert world.tables[table][column].is_unique, (table, column)
    assert not world.tables["panel"].duplicated(["region", "month"]).any()
    assert not world.tables["bids"].duplicated(["tender_id", "company_id"]).any()
    assert not world.tables["red_flags"].duplicated(["company_id", "flag"]).any()


def test_dates_run_forwards(world):
    cases, tenders, owners = (world.tables[name] for name in ("case_records", "tenders", "owners"))
    assert (cases["registered_on"] >= cases["reported_on"].fillna(cases["registered_on"])).all()
    assert (tenders["closes_on"] > tenders["published_on"]).all()
    assert (owners["to_date"].dropna() > owners.loc[owners["to_date"].notna(), "from_date"]).all()
    bids = world.tables["bids"].merge(tenders, on="tender_id")
    assert bids["submitted_on"].between(bids["published_on"], bids["closes_on"]).all()


def test_every_tender_has_one_winner_with_the_lowest_bid(world):
    bids = world.tables["bids"]
    assert (bids.groupby("tender_id")["winner"].sum() == 1).all()
    assert set(bids["tender_id"]) == set(world.tables["tenders"]["tender_id"])
    won = bids[bids["winner"]].set_index("tender_id")
    assert (won["amount"] == bids.groupby("tender_id")["amount"].min().reindex(won.index)).all()
    assert (won["status"] == "valid").all()


def test_shares_are_shares(world):
    owners = world.tables["owners"]
    assert (owners["share_minimum"] <= owners["share_maximum"]).all()
    assert owners[["share_minimum", "share_maximum"]].min().min() >= 0
    current = owners[owners["to_date"].isna()]
    assert current.groupby("company_id")["share_minimum"].sum().max() <= 100
    assert owners["share_maximum"].max() <= 100


def test_documents_name_no_person(world):
    texts = " ".join(world.tables["documents"]["text"])
    people = set(world.tables["case_records"]["family_name"].dropna()) | set(
        world.tables["owners"]["owner_name"]
    )
    persons = {name for name in people if name not in set(world.tables["companies"]["name"])}
    words = set(texts.replace(",", " ").replace(".", " ").split())
    assert not persons & words
    assert not [name for name in persons if " " in name and name in texts]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("huge", 1), "size 'huge' is not known; use one of tiny, demo, large"),
        (("tiny", -1), "seed must be an integer of 0 or more"),
        (("tiny", 1.5), "seed must be an integer"),
        (("tiny", True), "seed must be an integer"),
        (("tiny", 1, {"rings", "ringz"}), "'ringz' not known; use any of overlap"),
        (("tiny", 1, "rings"), "must be a set of names"),
    ],
)
def test_wrong_settings_are_named(arguments, says):
    with pytest.raises(ValueError, match=says):
        generate_world(*arguments)


def test_repr_shows_no_record(world):
    assert repr(world).startswith("World(size='tiny', seed=11, planted=['activity'")
    assert len(repr(world)) < 300


def test_tiny_is_quick():
    start = time.process_time()
    generate_world("tiny", 5)
    assert time.process_time() - start < 2


def test_demo_has_its_size_and_a_long_tail():
    start = time.process_time()
    world = generate_world("demo", SEED)
    assert time.process_time() - start < 12
    assert world.truth["truth_persons"]["person_id"].nunique() == SIZES["demo"].persons
    counts = world.truth["truth_case_counts"]
    pairs = counts.loc[counts["length"] == 2, "count"]
    # many rare pairs, few common ones
    assert (pairs < 10).mean() > 0.08
    assert pairs.max() > 50 * pairs.median()
    records = world.tables["case_records"]
    columns = ["gender", "age_band", "citizenship", "region", "labour_sector"]
    sizes = records.groupby(columns, dropna=False).size()
    alone = sizes[sizes == 1].sum() / len(records)
    assert 0.25 < alone < 0.6
    assert sizes.max() > 20


@pytest.mark.slow
def test_large_is_feasible():
    start = time.process_time()
    world = generate_world("large", SEED)
    assert time.process_time() - start < 240
    assert world.truth["truth_persons"]["person_id"].nunique() == SIZES["large"].persons


@pytest.mark.parametrize("kind", range(4))
@pytest.mark.parametrize("word", ["Abe", "Olena", "Nguyễn"])
def test_a_keying_error_changes_one_letter_or_two_neighbours(word, kind):
    for place in (0.0, 0.5, 0.999):
        wrong = misspell(word, kind, place, 23)
        assert abs(len(wrong) - len(word)) <= 1
        assert wrong[0] == word[0]
        assert kind == 1 or wrong != word


def test_short_words_stay():
    assert misspell("Oo", 0, 0.5, 1) == "Oo"
