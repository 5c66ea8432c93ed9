import json
from collections.abc import Mapping

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from resources import lake
from resources.lake import LakeError, ZoneStore, lake_resources

SECRET = "Maria-Lopez-planted-0451"
LISTS = pd.ArrowDtype(pa.list_(pa.string()))


def records(rows=3):
    return pd.DataFrame(
        {
            "name": pd.Series([SECRET] * rows, dtype="str"),
            "n": pd.array(range(rows), dtype="Int64"),
            "kinds": pd.Series([["a", "b"]] * rows, dtype=LISTS),
            "seen": pd.to_datetime(["2024-01-01"] * rows),
        }
    )


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home as the lake needs it; its stores must make every folder themselves."""
    folder = tmp_path / "home"
    monkeypatch.setenv("HRTECH_HOME", str(folder))
    monkeypatch.delenv("HRTECH_LAKE", raising=False)
    folder.mkdir()
    return folder


def table(zone, name="records", *, store=None, tagged=None, returns=None, **options):
    """An asset of a zone that returns what `returns` is or makes."""

    @dg.asset(
        key=["cases", name],
        tags={"hrtech/zone": tagged or zone} if tagged != "" else {},
        io_manager_key=store or zone,
        **options,
    )
    def compute(context):
        return returns(context) if callable(returns) else records() if returns is None else returns

    return compute


def materialize(*assets, home, fails=False, **options):
    with (
        dg.instance_for_test()
        if options.pop("instance", False)
        else dg.DagsterInstance.ephemeral() as instance
    ):
        result = dg.materialize(
            list(assets),
            resources=lake_resources(home),
            instance=instance,
            raise_on_error=not fails,
            **options,
        )
        result.everything = [record.event_log_entry.to_json() if hasattr(record.event_log_entry, "to_json")
                             else str(record.event_log_entry)
                             for record in instance.get_records_for_run(result.run_id).records]  # fmt: skip
        return result


def failure(result) -> str:
    """What a user is told, masked errors or not."""
    failed = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return "\n".join(
        (data.user_failure_data and data.user_failure_data.description) or str(data.error) for data in failed
    )


def test_a_run_through_the_three_stores(home):
    @dg.asset(
        key=["cases", "counts"],
        tags={"hrtech/zone": "released"},
        io_manager_key="released",
        ins={"frame": dg.AssetIn(["cases", "records"])},
    )
    def counts(frame):
        assert frame["name"].tolist() == [SECRET] * 3
        assert list(frame.dtypes) == list(records().dtypes)
        return frame[["n"]]

    @dg.asset(
        key=["cases", "site"],
        tags={"hrtech/zone": "public"},
        io_manager_key="public",
        ins={"frame": dg.AssetIn(["cases", "counts"])},
    )
    def site(frame):
        return frame.rename(columns={"n": "people"})

    result = materialize(table("restricted"), counts, site, home=home)
    assert result.success
    pd.testing.assert_frame_equal(lake.read_table(home, "restricted", ["cases", "records"]), records())
    assert lake.read_table(home, "public", ["cases", "site"])["people"].tolist() == [0, 1, 2]
    assert lake.list_tables(home, "released") == [("cases", "counts")]
    assert {path.name for path in (home / "lake").iterdir()} == {"restricted", "released", "public"}


def test_columns_that_an_asset_declares_are_explained_where_they_are_shown(home):
    declared = dg.TableSchema(
        columns=[dg.TableColumn("n", "number", "how many"), dg.TableColumn("gone", "x")]
    )
    one = table("restricted", metadata={lake.COLUMN_SCHEMA: declared})
    result = materialize(one, home=home)
    made = result.asset_materializations_for_node("cases__records")[0].metadata[lake.COLUMN_SCHEMA].schema
    told = {column.name: (column.type, column.description) for column in made.columns}
    assert told["n"] == ("Int64", "how many") and told["name"] == ("str", None) and "gone" not in told


def test_one_function_makes_tables_through_specs(home):
    specs = [
        dg.AssetSpec(["cases", name], tags={"hrtech/zone": "restricted"}).with_io_manager_key("restricted")
        for name in ("one", "two")
    ]

    @dg.multi_asset(specs=specs)
    def both():
        for spec in specs:
            yield dg.MaterializeResult(
                asset_key=spec.key, value=records(), metadata={"more": 1}, data_version=dg.DataVersion("v")
            )

    result = materialize(both, home=home)
    assert lake.list_tables(home, "restricted") == [("cases", "one"), ("cases", "two")]
    metadata = [event.materialization.metadata for event in result.get_asset_materialization_events()]
    assert [{"more", "dagster/row_count"} <= set(entry) for entry in metadata] == [True, True]


def test_metadata_holds_counts_and_column_types_and_no_value(home):
    result = materialize(table("restricted"), home=home)
    (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert set(metadata) == {"lake/path", "dagster/row_count", "dagster/column_schema"}
    assert metadata["dagster/row_count"].value == 3
    assert metadata["lake/path"].value == "restricted/cases/records.parquet"
    columns = {c.name: c.type for c in metadata["dagster/column_schema"].value.columns}
    assert columns == {
        "name": "str",
        "n": "Int64",
        "kinds": "list<item: string>[pyarrow]",
        "seen": "datetime64[us]",
    }
    assert result.everything
    assert not any(SECRET in entry for entry in result.everything)


def test_types_of_categories_show_no_category(home):
    frame = pd.DataFrame({"name": pd.Categorical([SECRET])})
    result = materialize(table("restricted", returns=frame), home=home)
    assert not any(SECRET in entry for entry in result.everything)


def test_an_asset_without_a_store_is_refused_and_nothing_is_pickled(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}

    @dg.asset(key=["cases", "forgotten"])
    def forgotten():
        return records()

    result = materialize(forgotten, home=home, fails=True)
    assert not result.success
    assert "Nothing says where cases/forgotten may be kept" in failure(result)
    assert "hrtech/zone" in failure(result)
    assert SECRET not in failure(result)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_default_store_refuses_to_read(home):
    outside = dg.AssetSpec(["elsewhere", "records"])

    @dg.asset(
        key=["cases", "copy"],
        tags={"hrtech/zone": "public"},
        io_manager_key="public",
        ins={"frame": dg.AssetIn(["elsewhere", "records"])},
    )
    def copy(frame):
        return frame

    result = materialize(copy, outside, home=home, fails=True, selection=[copy])
    assert "Nothing says where elsewhere/records may be kept" in failure(result)


def test_an_asset_that_returns_nothing_needs_no_store(home):
    @dg.asset(key=["cases", "act"])
    def act():
        return None

    assert materialize(act, home=home).success
    assert materialize(table("restricted", returns=lambda _: None), home=home).success
    assert lake.list_tables(home, "restricted") == []


@pytest.mark.parametrize(
    ("tagged", "store", "says"),
    [
        ("restricted", "public", "is restricted and would be written to the public store"),
        ("released", "restricted", "is released and would be written to the restricted store"),
        ("", "public", "is without a zone and would be written to the public store"),
    ],
)
def test_an_asset_in_the_store_of_another_zone_is_refused(home, tagged, store, says):
    result = materialize(table("restricted", tagged=tagged, store=store), home=home, fails=True)
    assert says in failure(result)
    assert lake.list_tables(home, store) == []


def test_the_output_of_a_step_that_is_no_asset_is_refused(home):
    @dg.op(out=dg.Out(io_manager_key="public"))
    def step():
        return records()

    @dg.job(resource_defs=lake_resources(home))
    def job():
        step()

    result = job.execute_in_process(raise_on_error=False)
    assert "The public store keeps assets only, not the output 'result' of a step" in failure(result)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ([SECRET], "builtins.list"),
        ({"who": SECRET}, "builtins.dict"),
        (pa.table({"a": [SECRET]}), "pyarrow.lib.Table"),
    ],
)
def test_anything_but_a_frame_is_refused_by_its_type(home, value, named):
    result = materialize(table("restricted", returns=value), home=home, fails=True)
    assert f"cases/records returned a {named}. The lake stores pandas data frames" in failure(result)
    assert SECRET not in failure(result)


MONTHS = dg.StaticPartitionsDefinition(["2024-01", "2024-02", "2024/03"])


def months(**options):
    return table(
        "restricted",
        partitions_def=MONTHS,
        returns=lambda c: pd.DataFrame({"month": [c.partition_key]}),
        **options,
    )


def fan_in(annotation, *, metadata=None, **options):
    def compute(frames: annotation) -> pd.DataFrame:
        rows = frames.values() if isinstance(frames, Mapping) else [frames]
        return pd.concat(rows, ignore_index=True)

    return dg.asset(
        key=["cases", "year"],
        tags={"hrtech/zone": "restricted"},
        io_manager_key="restricted",
        ins={"frames": dg.AssetIn(["cases", "records"], metadata=metadata, **options)},
    )(compute)


def test_partitions_are_written_one_by_one_and_read_together(home):
    for key in MONTHS.get_partition_keys():
        assert materialize(months(), home=home, partition_key=key).success
    assert (home / "lake/restricted/cases/records/2024%2F03.parquet").is_file()
    assert lake.read_table(home, "restricted", ["cases", "records"], "2024-02")["month"].tolist() == [
        "2024-02"
    ]
    year = fan_in(dict[str, pd.DataFrame])
    assert materialize(months(), year, home=home, selection=[year]).success
    assert sorted(lake.read_table(home, "restricted", ["cases", "year"])["month"]) == [
        "2024-01",
        "2024-02",
        "2024/03",
    ]


def test_one_partition_for_a_dict_is_still_a_dict(home):
    one = dg.StaticPartitionsDefinition(["only"])
    upstream = table("restricted", partitions_def=one, returns=lambda c: pd.DataFrame({"month": ["only"]}))
    assert materialize(upstream, home=home, partition_key="only").success
    kinds = []
    for annotation in (dict[str, pd.DataFrame], Mapping[str, pd.DataFrame], pd.DataFrame):
        down = fan_in(annotation)
        assert materialize(upstream, down, home=home, selection=[down]).success
        kinds.append(lake.read_table(home, "restricted", ["cases", "year"])["month"].tolist())
    assert kinds == [["only"]] * 3


def test_a_missing_partition_fails_unless_it_may_be_missing(home):
    assert materialize(months(), home=home, partition_key="2024-01").success
    strict, lenient = fan_in(dict), fan_in(dict, metadata={"allow_missing_partitions": True})
    result = materialize(months(), strict, home=home, selection=[strict], fails=True)
    assert "The lake holds no restricted/cases/records/2024-02.parquet" in failure(result)
    assert materialize(months(), lenient, home=home, selection=[lenient]).success
    assert lake.read_table(home, "restricted", ["cases", "year"])["month"].tolist() == ["2024-01"]


def test_partitions_of_two_dimensions(home):
    grid = dg.MultiPartitionsDefinition(
        {
            "year": dg.StaticPartitionsDefinition(["2023", "2024"]),
            "area": dg.StaticPartitionsDefinition(["b", "c"]),
        }
    )

    def make(context):
        return pd.DataFrame({"cell": [json.dumps(context.partition_key.keys_by_dimension, sort_keys=True)]})

    upstream = table("restricted", partitions_def=grid, returns=make)

    @dg.asset(
        key=["cases", "same"],
        tags={"hrtech/zone": "restricted"},
        io_manager_key="restricted",
        partitions_def=grid,
        ins={"frame": dg.AssetIn(["cases", "records"])},
    )
    def same(frame: pd.DataFrame) -> pd.DataFrame:
        return frame

    key = dg.MultiPartitionKey({"year": "2024", "area": "c"})
    assert materialize(upstream, same, home=home, partition_key=key).success
    # dimensions in the order of their names: area, then year
    assert (home / "lake/restricted/cases/records/c/2024.parquet").is_file()
    expected = ['{"area": "c", "year": "2024"}']
    assert lake.read_table(home, "restricted", ["cases", "same"], ["c", "2024"])["cell"].tolist() == expected


def test_several_partitions_in_one_run_are_refused(home):
    single = dg.BackfillPolicy.single_run()

    @dg.asset(
        key=["cases", "records"],
        tags={"hrtech/zone": "restricted"},
        io_manager_key="restricted",
        partitions_def=MONTHS,
        backfill_policy=single,
    )
    def upstream():
        return records()

    result = materialize(
        upstream,
        home=home,
        fails=True,
        tags={
            "dagster/asset_partition_range_start": "2024-01",
            "dagster/asset_partition_range_end": "2024-02",
        },
    )
    assert "cases/records made 2 partitions in one run" in failure(result)


def test_stores_take_their_places_when_a_run_needs_them(home, tmp_path, monkeypatch):
    stores = lake_resources()
    monkeypatch.setenv("HRTECH_HOME", str(tmp_path / "later"))
    assert stores["restricted"].files().base == str(tmp_path / "later" / "lake")
    monkeypatch.setenv("HRTECH_LAKE", "memory://elsewhere/")
    assert stores["public"].files().base == "memory://elsewhere"
    assert stores["public"].files().key_file == tmp_path / "later" / "keys" / "lake.key"
    assert lake_resources(base="/somewhere")["public"].files().base == "/somewhere"
    monkeypatch.delenv("HRTECH_HOME")
    lake_resources()  # loading definitions needs no home


def test_no_key_in_settings_or_representations(home):
    lake.write_table(home, "restricted", ["cases", "records"], records())
    key = (home / "keys" / "lake.key").read_bytes()
    for store in lake_resources(home).values():
        shown = (
            repr(store) + str(store) + repr(getattr(store, "files", lambda: "")()) + store.model_dump_json()
        )
        assert key.hex() not in shown
        assert repr(key) not in shown


def test_a_store_of_no_zone_is_refused(home):
    with pytest.raises(LakeError, match="'secret' is no zone"):
        ZoneStore(zone="secret").files()


CASES = {"cases": ("restricted", ["cases", "records"]), "sites": ("public", ["cases", "sites"])}


@pytest.fixture
def two_tables(home):
    lake.write_table(home, "restricted", ["cases", "records"], records(4))
    lake.write_table(home, "public", ["cases", "sites"], pd.DataFrame({"n": [1, 3], "site": ["x", None]}))
    return home


def test_questions_join_tables_of_several_zones(two_tables):
    answer = lake.query(
        two_tables,
        """
        select site, sum(n) as total, avg(n) as middle, count(*) > 0 as some, max(seen)::date as last,
               list_sort(list(distinct k)) as kinds
        from cases join sites using (n), unnest(kinds) as u(k) group by site order by total
        """,
        CASES,
    )
    assert [str(dtype) for dtype in answer.dtypes[:5]] == [
        "str",
        "Int64",
        "Float64",
        "boolean",
        "datetime64[s]",
    ]
    assert answer["site"].isna().tolist() == [False, True]
    assert answer["total"].tolist() == [2, 6]
    assert [list(cell) for cell in answer["kinds"]] == [["a", "b"], ["a", "b"]]
    assert answer["last"].tolist() == [pd.Timestamp("2024-01-01")] * 2


def test_numbers_beyond_64_bits_come_as_floats(two_tables):
    answer = lake.query(two_tables, "select sum(9223372036854775807) as s from cases", CASES)
    assert answer["s"].tolist() == [pytest.approx(4 * 2.0**63)]


@pytest.mark.parametrize(
    "sql",
    [
        "copy cases to 'stolen.csv'",
        "select * from read_csv('/etc/passwd')",
        "attach 'stolen.duckdb' as s",
        "install httpfs",
        "set enable_external_access = true",
        "set temp_directory = 'spill'",
        "select * from planted",
        "",
    ],
)
def test_the_engine_reaches_nothing_but_its_tables(two_tables, tmp_path, monkeypatch, sql):
    monkeypatch.chdir(tmp_path)
    planted = records()  # DuckDB would find it by the name of the variable
    assert not planted.empty
    with pytest.raises(LakeError, match=r"DuckDB cannot answer|answers nothing") as problem:
        lake.query(two_tables, sql, CASES)
    assert SECRET not in str(problem.value)
    assert not list(tmp_path.glob("stolen*"))


def test_errors_of_the_engine_quote_the_statement_but_no_cell(two_tables):
    with pytest.raises(LakeError, match="surname"):
        lake.query(two_tables, "select surname from cases", CASES)
    with pytest.raises(LakeError, match="ConversionException on some row of cases") as problem:
        lake.query(two_tables, "select name::int from cases", CASES)
    assert SECRET not in str(problem.value)
    assert problem.value.__suppress_context__


def test_a_table_that_is_not_there_is_named(home):
    with pytest.raises(FileNotFoundError, match=r"no restricted/cases/records.parquet .* Materialise"):
        lake.query(home, "select 1", CASES)
