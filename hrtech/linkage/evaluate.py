"""How good a linkage is: measured against a truth, and estimated without one.

Pairwise measures count pairs of records in the same entity; B-cubed (Bagga and Baldwin 1998) averages per record, so
that large entities weigh less. The estimate without labels is only as good as the calibration of the model.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hrtech.linkage.spec import LinkageError


def evaluate_linkage(entities: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Compare found entities with true ones.

    Args:
        entities: `register`, `record_id`, `entity_id`.
        truth: `record_id`, `truth_id`, and `register` where record ids are not unique over registers. Records without
            a truth are left out.

    Returns:
        Rows `pairwise` and `b_cubed`: `measure, precision, recall, f1, correct, found, true, records`. The counts
        are of pairs for `pairwise` and missing for `b_cubed`.

    Raises:
        LinkageError: A column is missing, a record has two truths, or a record of the truth was not linked.
    """
    keys = ["register", "record_id"] if "register" in truth.columns else ["record_id"]
    for frame, name, columns in (
        (entities, "entities", [*keys, "entity_id"]),
        (truth, "truth", [*keys, "truth_id"]),
    ):
        if missing := [column for column in columns if column not in frame.columns]:
            raise LinkageError(f"The table of {name} lacks the column {', '.join(missing)}")
        if frame.duplicated(keys).any():
            raise LinkageError(
                f"The table of {name} holds {int(frame.duplicated(keys).sum())} records twice. "
                "Give the register too where ids repeat over registers"
            )
    known = truth.dropna(subset=["truth_id"])
    sides = [frame.assign(**{key: frame[key].astype("str") for key in keys}) for frame in (known, entities)]
    both = sides[0][[*keys, "truth_id"]].merge(sides[1][[*keys, "entity_id"]], on=keys, how="left")
    if lost := int(both["entity_id"].isna().sum()):
        raise LinkageError(
            f"{lost} records of the truth are not among the linked records. Check registers and ids"
        )
    cell = both.groupby(["entity_id", "truth_id"])["entity_id"].transform("size").to_numpy(float)
    found = both.groupby("entity_id")["entity_id"].transform("size").to_numpy(float)
    true = both.groupby("truth_id")["truth_id"].transform("size").to_numpy(float)
    correct, all_found, all_true = (float((count - 1).sum() / 2) for count in (cell, found, true))
    rows = [
        ("pairwise", _ratio(correct, all_found), _ratio(correct, all_true), correct, all_found, all_true),
        ("b_cubed", float((cell / found).mean()), float((cell / true).mean()), None, None, None),
    ]
    frame = pd.DataFrame(rows, columns=["measure", "precision", "recall", "correct", "found", "true"])
    total = frame["precision"] + frame["recall"]
    frame.insert(3, "f1", (2 * frame["precision"] * frame["recall"] / total.where(total > 0)).fillna(0.0))
    counts = ["correct", "found", "true"]
    frame[counts] = frame[counts].astype("Int64")
    return frame.assign(records=len(both))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 1.0


def estimated_quality(
    readings: Sequence[np.ndarray],
    joined: np.ndarray,
    component: np.ndarray,
    reached_by: np.ndarray,
    rng: np.random.Generator,
    draws: int = 100,
) -> pd.DataFrame:
    """Estimate precision and recall of a linkage without labels, from the match probabilities.

    Precision is the mean probability of joined pairs; recall among scored pairs the share of the expected matches that
    is joined. The reach of blocking is what the pairs found by few rules imply about those found by none, by two
    estimates: from those found by exactly one and exactly two (Chao 1987, a lower bound of the missed) and from those
    found by one (first-order jackknife; Burnham and Overton 1978). Recall is the product. Intervals (95 %) resample
    groups of connected records and draw each pair's state from its probability, and span all readings of the
    probabilities and both estimates of the reach: what is estimated is no better than the calibration.

    Args:
        readings: Match probability per scored pair; the first is the best, others may be less or more trusting.
        joined: Whether the pair ended in one entity.
        component: Group of connected records of the pair, 0-based.
        reached_by: Number of blocking rules that reach the pair; -1 where all pairs are compared.
        rng: Source of the resampling.
        draws: Number of resamples per reading.

    Returns:
        Columns `measure, estimate, low, high` for precision, recall_among_scored, blocking_reach, recall.
    """
    names = ["precision", "recall_among_scored", "blocking_reach", "recall"]
    if not len(joined):
        missing = [float("nan")] * 4
        return pd.DataFrame({"measure": names, "estimate": missing, "low": missing, "high": missing})
    estimate = _quality(readings[0], np.ones(len(joined)), joined, reached_by, jackknife=False)
    groups = int(component.max()) + 1
    spans = []
    for probability in readings:
        for jackknife in (False, True):
            simulated = np.empty((draws, 4))
            for draw in range(draws):
                copies = rng.multinomial(groups, np.full(groups, 1 / groups))[component]
                state = rng.random(len(joined)) < probability
                simulated[draw] = _quality(copies * state, copies, joined, reached_by, jackknife=jackknife)
            spans.append(np.nanquantile(simulated, [0.025, 0.975], axis=0))
    low, high = np.min([span[0] for span in spans], axis=0), np.max([span[1] for span in spans], axis=0)
    return pd.DataFrame({"measure": names, "estimate": estimate, "low": low, "high": high})


def _quality(
    matches: np.ndarray, pairs: np.ndarray, joined: np.ndarray, reached_by: np.ndarray, *, jackknife: bool
) -> np.ndarray:
    held, right, all_right = pairs[joined].sum(), matches[joined].sum(), matches.sum()
    once, twice = matches[reached_by == 1].sum(), matches[reached_by == 2].sum()
    missed = once if jackknife else once * max(once - 1, 0.0) / (2 * (twice + 1))
    precision = right / held if held else 1.0
    recall = right / all_right if all_right else 1.0
    reach = all_right / (all_right + missed) if all_right else 1.0
    return np.array([precision, recall, reach, recall * reach])
