"""Plain Splink 5 with the models of its own tutorials, told apart from ours by nothing but the model.

Usage: splink_plain.py febrl4|fake_1000|50k < records.csv (columns of the set, `unique_id`, `cluster`, `ds`). Prints one
JSON line: pair F1 at the best of eight thresholds by the labels, at one half, and the calibration error.
"""

import json
import sys
import time
import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa

warnings.filterwarnings("ignore")
THRESHOLDS = (0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999, 0.9999)
BINS = 15


def models():
    """Return per set the settings, the deterministic rules with their recall, and the training rules."""
    import splink.comparison_library as cl
    from splink import SettingsCreator, block_on

    febrl = SettingsCreator(
        link_type="link_only",
        unique_id_column_name="unique_id",
        blocking_rules_to_generate_predictions=[
            block_on("given_name", "surname"),
            "l.given_name = r.surname and l.surname = r.given_name",
            block_on("date_of_birth"),
            block_on("soc_sec_id"),
            block_on("state", "address_1"),
            block_on("street_number", "address_1"),
            block_on("postcode"),
        ],
        comparisons=[
            cl.NameComparison("given_name").configure(term_frequency_adjustments=True),
            cl.NameComparison("surname").configure(term_frequency_adjustments=True),
            cl.DateOfBirthComparison(
                "date_of_birth",
                input_is_string=True,
                datetime_format="%Y%m%d",
                invalid_dates_as_null=True,
            ),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(term_frequency_adjustments=True),
        ],
    )
    fake = SettingsCreator(
        link_type="dedupe_only",
        blocking_rules_to_generate_predictions=[
            block_on(name) for name in ("first_name", "surname", "dob", "email")
        ],
        comparisons=[
            cl.NameComparison("first_name"),
            cl.NameComparison("surname"),
            cl.DateOfBirthComparison("dob", input_is_string=True),
            cl.ExactMatch("city").configure(term_frequency_adjustments=True),
            cl.EmailComparison("email"),
        ],
    )
    historical = SettingsCreator(
        link_type="dedupe_only",
        blocking_rules_to_generate_predictions=[
            block_on("substr(first_name,1,3)", "substr(surname,1,4)"),
            block_on("surname", "dob"),
            block_on("first_name", "dob"),
            block_on("postcode_fake", "first_name"),
            block_on("postcode_fake", "surname"),
            block_on("dob", "birth_place"),
            block_on("substr(postcode_fake,1,3)", "dob"),
            block_on("substr(postcode_fake,1,3)", "first_name"),
            block_on("substr(postcode_fake,1,3)", "surname"),
            block_on("substr(first_name,1,2)", "substr(surname,1,2)", "substr(dob,1,4)"),
        ],
        comparisons=[
            cl.ForenameSurnameComparison("first_name", "surname", forename_surname_concat_col_name="fsc"),
            cl.DateOfBirthComparison("dob", input_is_string=True),
            cl.PostcodeComparison("postcode_fake"),
            cl.ExactMatch("birth_place").configure(term_frequency_adjustments=True),
            cl.ExactMatch("occupation").configure(term_frequency_adjustments=True),
        ],
    )
    named = block_on("first_name", "surname")
    return {
        "febrl4": (
            febrl,
            ([block_on("soc_sec_id"), block_on("given_name", "surname", "date_of_birth")], 0.8),
            [block_on("date_of_birth"), block_on("postcode")],
        ),
        "fake_1000": (
            fake,
            ([block_on("first_name", "surname", "dob"), block_on("email")], 0.7),
            [named, block_on("dob")],
        ),
        "50k": (
            historical,
            (
                [
                    block_on("first_name", "surname", "dob"),
                    block_on("substr(first_name,1,2)", "surname", "substr(postcode_fake,1,2)"),
                    block_on("dob", "postcode_fake"),
                ],
                0.6,
            ),
            [named, block_on("dob")],
        ),
    }


def scored(kind, table):
    """Train and score; returns the linker and its predictions."""
    import duckdb
    from splink import DuckDBAPI, Linker

    settings, (rules, recall), training = models()[kind]
    connection = duckdb.connect()
    connection.execute("set threads=2")
    api = DuckDBAPI(connection)
    if kind == "50k":
        table = table.assign(fsc=table["first_name"] + " " + table["surname"])
    parts = [part for _, part in table.groupby("ds")] if kind == "febrl4" else [table]
    inputs = [
        api.register(
            pa.Table.from_pandas(part.drop(columns="ds"), preserve_index=False), dataset_display_name=name
        )
        for part, name in zip(parts, "AB", strict=False)
    ]
    linker = Linker(inputs if kind == "febrl4" else inputs[0], settings, log_level="ERROR")
    linker.training.estimate_probability_two_random_records_match(rules, recall=recall)
    linker.training.estimate_u_using_random_sampling(max_pairs=5e6, seed=1)
    for rule in training:
        linker.training.estimate_parameters_using_expectation_maximisation(
            rule, estimate_without_term_frequencies=True
        )
    return linker, linker.inference.predict(threshold_match_probability=0.01)


def pairs_of(*keys):
    """Count pairs of records that are alike in all keys."""
    return sum(count * (count - 1) // 2 for count in Counter(zip(*keys, strict=True)).values())


def main():
    """Score the records of standard input and judge the pairs."""
    kind = sys.argv[1]
    table = pd.read_csv(sys.stdin, dtype=str)
    table = table.astype(object).where(table.notna(), None)
    start = time.perf_counter()
    linker, predictions = scored(kind, table)
    seconds = time.perf_counter() - start
    frame = predictions.as_pyarrow_table()
    truth = dict(zip(table["unique_id"], table["cluster"], strict=True))
    chance = np.array(frame["match_probability"].to_pylist())
    match = np.array(
        [
            truth[a] == truth[b]
            for a, b in zip(frame["unique_id_l"].to_pylist(), frame["unique_id_r"].to_pylist(), strict=True)
        ]
    )
    f1 = {}
    for threshold in THRESHOLDS:
        if kind == "febrl4":
            sides = [Counter(part["cluster"]) for _, part in table.groupby("ds")]
            true = sum(count * sides[1][name] for name, count in sides[0].items())
            kept = chance >= threshold
            right, found = int(match[kept].sum()), int(kept.sum())
        else:
            clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
                predictions, threshold_match_probability=threshold
            ).as_pyarrow_table()
            own = dict(
                zip(clusters["unique_id"].to_pylist(), clusters["cluster_id"].to_pylist(), strict=True)
            )
            ours, theirs = [own[key] for key in truth], list(truth.values())
            right, found, true = pairs_of(ours, theirs), pairs_of(ours), pairs_of(theirs)
        f1[threshold] = 2 * right / (found + true)
    kept = chance > 0.01
    chance, match = chance[kept], match[kept]
    bins = [part for part in np.array_split(np.argsort(chance, kind="stable"), BINS) if len(part)]
    error = sum(len(part) * abs(chance[part].mean() - match[part].mean()) for part in bins) / len(chance)
    told = {"best_f1": max(f1.values()), "f1_at_half": f1[0.5], "ece": float(error), "seconds": seconds}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
