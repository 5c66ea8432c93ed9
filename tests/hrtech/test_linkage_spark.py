"""Local-mode Spark links as DuckDB does: the same pairs and entities, match weights alike to a millionth bit."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hrtech.linkage import FieldSpec, LinkageSpec, link_registers
from hrtech.linkage.encoding import EncodedField, EncodedPart, EncodingScheme, encode

TOLERANCE_BITS = 1e-6
SMALL = {
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
KINDS = {
    "given_name": "given_name",
    "family_name": "family_name",
    "born": "date",
    "phone": "phone",
}


@pytest.fixture(scope="module")
def registers():
    rng = np.random.default_rng(4)
    count = 160

    def words(length):
        syllables = ["ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu", "han", "dor"]
        return np.array(["".join(rng.choice(syllables, length)) for _ in range(count)])

    born = pd.Series(pd.to_datetime("1960-01-01") + pd.to_timedelta(rng.integers(0, 15_000, count), unit="D"))
    table = pd.DataFrame(
        {
            "record_id": [f"{number:04d}" for number in range(count)],
            "given_name": words(2),
            "family_name": words(3),
            "born": born.dt.strftime("%Y-%m-%d"),
            "phone": rng.integers(10**8, 10**9, count).astype(str),
            "email": words(3) + "@example.org",
            "address": pd.Series(rng.integers(1, 99, count).astype(str)) + " " + words(3) + " street",
            "employer": words(2) + " " + words(2) + " Ltd",
            "card": rng.integers(10**7, 10**8, count).astype(str),
            "sector": rng.choice(["farming", "fishing", "building"], count),
        }
    )
    left, right = table.iloc[:110].copy(), table.iloc[40:].copy()
    for column in ("family_name", "phone", "card", "email", "employer"):
        wrong = rng.random(len(right)) < 0.3
        right.loc[wrong, column] = right.loc[wrong, column].str.slice(0, -1) + "7"
    right.loc[rng.random(len(right)) < 0.2, "born"] = None
    return {"left": left.reset_index(drop=True), "right": right.reset_index(drop=True)}


@pytest.fixture(scope="module")
def spark():
    from pyspark.sql import SparkSession

    from hrtech.linkage.engine import SPARK_SETTINGS

    builder = SparkSession.builder.master("local[1]")
    for setting, value in {**SPARK_SETTINGS, **SMALL}.items():
        builder = builder.config(setting, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.mark.slow
def test_spark_links_as_duckdb_does(registers, spark):
    name = tuple(EncodedPart(part, KINDS[part]) for part in ("given_name", "family_name"))
    scheme = EncodingScheme((EncodedField("code", name),), bits=256)
    coded = {
        register: table.merge(encode(table, scheme, bytes(range(32)), table["record_id"]), on="record_id")
        for register, table in registers.items()
    }
    fields = (
        *(FieldSpec(name, kind) for name, kind in KINDS.items()),
        FieldSpec("code", "encoded"),
        FieldSpec("sector", "category"),
    )
    spec = LinkageSpec(fields, mode="link", blocking=(("born",), ("sector",)))
    on_duckdb, on_spark = (link_registers(coded, replace(spec, engine=name)) for name in ("duckdb", "spark"))
    ends = ["register_l", "record_l", "register_r", "record_r"]
    here, there = (one.pairs.set_index(ends).sort_index() for one in (on_duckdb, on_spark))
    assert len(here) > 50
    assert here.index.equals(there.index)
    weights = [column for column in here.columns if column.startswith(("match_weight", "weight_"))]
    assert {"match_weight", "weight_prior", "weight_given_name_family_name", "weight_born"} < set(weights)
    assert np.allclose(here[weights], there[weights], rtol=0, atol=TOLERANCE_BITS)
    assert here["reason"].equals(there["reason"])
    pd.testing.assert_frame_equal(on_duckdb.entities, on_spark.entities, rtol=1e-6)
    pd.testing.assert_frame_equal(on_duckdb.parameters, on_spark.parameters, rtol=0, atol=TOLERANCE_BITS)
