"""Both evaluations of a release, on counts small enough to check by hand."""

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from hrtech.privacy.marginals import (
    MarginalColumn,
    MarginalsRelease,
    MarginalsSchema,
    MarginalsSettings,
    draw,
)
from hrtech.privacy.release_evaluation import band_names, evaluate_against_records, evaluate_publicly

LISTS = pd.ArrowDtype(pa.list_(pa.string()))
COLUMNS = (MarginalColumn("sex", ("F", "M")), MarginalColumn("means", ("debt", "drugs"), multi_valued=True))


def table(rows):
    return pd.DataFrame(
        {
            "sex": pd.array([r[0] for r in rows], dtype="str"),
            "means": pd.array([r[1] for r in rows], dtype=LISTS),
        }
    )


RECORDS = table([("F", ["debt"])] * 60 + [("M", None)] * 12 + [("M", ["drugs"])] * 3)
# true: F 60, M 15, debt 60, drugs 3; F+debt 60, M+drugs 3


def release():
    rows = [
        (1, "sex:F", 64, 4.0),
        (1, "sex:M", 12, 4.0),
        (1, "means:debt", 60, 4.0),
        (2, "means:debt;sex:F", 50, 10.0),
        (2, "means:debt;sex:M", 8, 10.0),
    ]
    aggregates = pd.DataFrame(rows, columns=["length", "attributes", "count", "sd"])
    aggregates = aggregates.assign(low=0, high=99)
    parameters = {
        "settings": {"reporting_length": 2},
        "cells": {"1": 4, "2": 5},
        "false_share_of_empty_cells": 0.5,
    }
    return MarginalsRelease(aggregates, 76, 70, 80, 3.0, COLUMNS, parameters, ())


def row(frame, **where):
    for column, value in where.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_against_the_records_by_hand():
    synthetic = table([("F", ["debt"])] * 70 + [("F", ["debt", "drugs"])] * 2)
    result = evaluate_against_records(RECORDS, release(), synthetic)
    one = row(result.errors, subject="aggregates", length=1, band="all")
    assert (one["combinations"], one["suppressed"]) == (4, 1)
    assert one["mean_absolute_error"] == (4 + 3 + 0 + 3) / 4
    assert one["mean_relative_error"] == pytest.approx((4 / 60 + 3 / 15 + 0 + 1) / 4)
    band = row(result.errors, subject="aggregates", length=1, band="10–19")
    assert (band["combinations"], band["mean_absolute_error"], band["suppressed_share"]) == (1, 3, 0)
    two = row(result.errors, subject="aggregates", length=2, band="all")
    assert (two["combinations"], two["mean_absolute_error"], two["suppressed"]) == (2, (10 + 3) / 2, 1)
    false = row(result.fabricated, subject="aggregates", length=2)
    assert (false["published"], false["fabricated"], false["fabricated_share"]) == (2, 1, 0.5)
    # synthetic: F 72, debt 72, drugs 2; F+debt 72, F+drugs 2, debt+drugs 2; F+debt+drugs 2
    made = row(result.errors, subject="synthetic records", length=1, band="all")
    assert made["mean_absolute_error"] == (12 + 15 + 12 + 1) / 4 and made["suppressed"] == 1
    assert row(result.fabricated, subject="synthetic records", length=2)["fabricated"] == 2
    assert row(result.fabricated, subject="synthetic records", length=3)["fabricated_share"] == 1


def test_exact_release_has_no_error():
    rows = [("F", ["debt", "drugs"])] * 40 + [("M", ["debt"])] * 40
    frame = table(rows)
    result = evaluate_against_records(
        frame, draw(frame, MarginalsSettings(1.0, 1e-6), MarginalsSchema(COLUMNS)), frame
    )
    records = result.errors[result.errors["subject"] == "synthetic records"]
    assert (records["mean_absolute_error"] == 0).all() and set(records["length"]) == {1, 2, 3}
    assert (result.fabricated[result.fabricated["subject"] == "synthetic records"]["fabricated"] == 0).all()


def test_publicly_by_hand():
    result = evaluate_publicly(release())
    one = row(result, length=1, band="all")
    expected = 4 * math.sqrt(2 / math.pi)
    assert one["expected_absolute_error"] == pytest.approx(expected)
    assert one["expected_relative_error"] == pytest.approx(expected * (1 / 64 + 1 / 12 + 1 / 60) / 3)
    assert (one["combinations"], one["measured"], one["not_published"], one["false_at_most"]) == (
        3,
        4,
        1,
        2.0,
    )
    two = row(result, length=2, band="all")
    assert (two["measured"], two["not_published"], two["false_at_most"]) == (5, 3, 2.0)
    assert row(result, length=2, band="50–99")["combinations"] == 1
    assert [b for b in result["band"] if b != "all"] == ["10–19", "50–99", "1–9", "50–99"]
    assert band_names()[-1] == "1000+"


def test_publicly_with_nothing_published():
    frame = table([(None, None)] * 3)
    released = draw(frame, MarginalsSettings(0.1, 1e-6, publish_above=8), MarginalsSchema(COLUMNS))
    result = evaluate_publicly(released)
    assert result["band"].tolist() == ["all", "all"] and result["combinations"].tolist() == [0, 0]
    assert result["measured"].tolist() == [4, 5] and result["not_published"].tolist() == [4, 5]


def test_the_expected_error_is_what_happens():
    """Known truth, many draws: the public expectation agrees with the restricted measurement."""
    rng = np.random.default_rng(1)
    frame = table(
        [(("F", "M", None)[k], [["debt"], ["drugs"], None][j]) for k, j in rng.integers(0, 3, (9000, 2))]
    )
    expected, actual = [], []
    for _ in range(60):
        released = draw(frame, MarginalsSettings(1.0, 1e-6), MarginalsSchema(COLUMNS))
        public = row(evaluate_publicly(released), length=1, band="all")
        restricted = row(evaluate_against_records(frame, released).errors, length=1, band="all")
        expected.append(public["expected_absolute_error"])
        actual.append(restricted["mean_absolute_error"])
    assert np.mean(actual) / np.mean(expected) == pytest.approx(1, abs=0.25)
