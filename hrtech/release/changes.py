"""What changed between two releases, with the noise of both taken into account. Post-processing: nothing is charged.

Counts of two releases differ even where nothing happened, because each carries noise of its own. A difference is told
as a change only where the noise of both would hardly make it, and among all changes so told at most the stated share
is expected to be false (Benjamini and Hochberg 1995).

A change is one of the records: so many more people in them hold a combination. Who came to be recorded by chance, or
because somebody looked elsewhere, is another question, and no noise of a release answers it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, norm

from hrtech.release.declared import ReleaseError

ROSE: Final = "rose"
FELL: Final = "fell"
UNCHANGED: Final = "no change that could be told from noise"
LATER_ONLY: Final = "told in the later release only: suppressed is not zero"
EARLIER_ONLY: Final = "told in the earlier release only: suppressed is not zero"

_COLUMNS: Final = ("length", "attributes", "count", "low", "high", "sd")
#: Variance of rounding to whole people.
_ROUNDING: Final = 1 / 12


@dataclass(frozen=True)
class ToldRelease:
    """What a release told.

    Attributes:
        aggregates: `length`, `attributes`, `count`, `low`, `high`, `sd`; each combination once.
        people: Number of people.
        people_sd: Its noise; 0 where it was declared.
    """

    aggregates: pd.DataFrame
    people: float
    people_sd: float = 0.0

    def __post_init__(self) -> None:
        missing = [name for name in _COLUMNS if name not in self.aggregates.columns]
        if missing:
            raise ReleaseError(f"aggregates: no column {', '.join(missing)}")
        sd = self.aggregates["sd"].to_numpy("float64", na_value=np.nan)
        if not (np.isfinite(sd).all() and (sd >= 0).all()):
            raise ReleaseError(
                "aggregates: sd is missing: the noise of a release is known only with differential privacy, and "
                "without it nobody can tell a change from noise"
            )
        if self.aggregates["attributes"].duplicated().any():
            raise ReleaseError("aggregates: a combination is listed twice")
        if not (np.isfinite(self.people) and self.people >= 0 and 0 <= self.people_sd < np.inf):
            raise ReleaseError("people: a number from 0, with a noise from 0")


@dataclass(frozen=True)
class Changes:
    """What changed.

    Attributes:
        combinations: One row for each combination told in either release, by length and attributes: `length`,
            `attributes`, `earlier`, `later` (counts; missing where suppressed), `earlier_share`, `later_share` (of the
            release's people), `difference`, `sd` (of the difference), `low`, `high` (its interval, each for
            itself), `p_value`, `adjusted` (Benjamini-Hochberg over the family; missing outside it), `verdict`.
        people: The same for the number of people, as one row without attributes; a test of its own, outside the
            family.
        family: Which tests the false discovery rate is over, in words.
        tests: How many these are.
        confidence: Level of the intervals.
        false_discovery_rate: Expected share of false ones among the changes told, at most.
    """

    combinations: pd.DataFrame
    people: pd.DataFrame
    family: str
    tests: int
    confidence: float
    false_discovery_rate: float


def compare_releases(
    earlier: ToldRelease,
    later: ToldRelease,
    *,
    confidence: float = 0.95,
    false_discovery_rate: float = 0.05,
    lengths: Sequence[int] | None = None,
) -> Changes:
    """Say what changed between two releases.

    The standard error of a difference is the root of the sum of both published variances (the draws are independent),
    plus what rounding to people adds. Published counts lean on a model of the whole release, which makes them vary less
    than `sd` says: p-values err towards no change. A combination that one release suppressed has no count there and is
    not tested: it is not told because it is small *or* noisy, and taking it for zero would find changes everywhere.

    Where the releases are of different people, as parts of a series are, a change is one of how many people hold a
    combination, not of its share: the shares stand beside the counts.

    Args:
        earlier: One release.
        later: The other.
        confidence: Level of the intervals, each for itself: not adjusted for how many there are.
        false_discovery_rate: Expected share of false ones among the changes told. Holds for independent noise and for
            positively dependent noise as in counts that share attributes (Benjamini and Yekutieli 2001).
        lengths: Lengths that the family consists of, chosen before looking; None: all. Others are left out.

    Raises:
        ReleaseError: A level is not between 0 and 1.
    """
    if not (0 < confidence < 1 and 0 < false_discovery_rate < 1):
        raise ReleaseError("confidence and false_discovery_rate are between 0 and 1")
    joined = _joined(earlier.aggregates, later.aggregates, lengths)
    table = _judged(joined, earlier.people, later.people, confidence, false_discovery_rate)
    both = pd.DataFrame(
        {
            "length": [0],
            "attributes": [""],
            "count_earlier": [earlier.people],
            "count_later": [later.people],
            "sd_earlier": [earlier.people_sd],
            "sd_later": [later.people_sd],
        }
    )
    people = _judged(both, earlier.people, later.people, confidence, 1 - confidence)
    tests = int(table["p_value"].notna().sum())
    which = "any length" if lengths is None else f"length {', '.join(str(n) for n in sorted(set(lengths)))}"
    return Changes(
        combinations=table,
        people=people,
        family=f"the {tests:,} combinations of {which} that both releases told",
        tests=tests,
        confidence=confidence,
        false_discovery_rate=false_discovery_rate,
    )


def _joined(earlier: pd.DataFrame, later: pd.DataFrame, lengths: Sequence[int] | None) -> pd.DataFrame:
    """Both tables side by side, by length and attributes."""
    kept = ["length", "attributes", "count", "sd"]
    joined = earlier[kept].merge(
        later[kept], on=["length", "attributes"], how="outer", suffixes=("_earlier", "_later")
    )
    if lengths is not None:
        joined = joined[joined["length"].isin(list(lengths))]
    return joined.sort_values(["length", "attributes"], kind="stable", ignore_index=True)


def _judged(
    joined: pd.DataFrame, people_earlier: float, people_later: float, confidence: float, rate: float
) -> pd.DataFrame:
    """Differences, their noise and what may be said of them."""
    counts = {
        side: joined[f"count_{side}"].to_numpy("float64", na_value=np.nan) for side in ("earlier", "later")
    }
    noise = {side: joined[f"sd_{side}"].to_numpy("float64", na_value=np.nan) for side in ("earlier", "later")}
    difference = counts["later"] - counts["earlier"]
    variance = sum(np.where(own > 0, own**2 + _ROUNDING, own) for own in noise.values())
    sd = np.sqrt(np.asarray(variance, dtype=np.float64))
    tested = np.isfinite(difference)
    # without any noise every difference is one
    z = np.divide(difference, sd, out=np.where(difference == 0, 0.0, np.inf), where=sd > 0)
    p_value = np.where(tested, 2 * norm.sf(np.abs(z)), np.nan)
    adjusted = np.full(len(joined), np.nan)
    if tested.any():
        adjusted[tested] = false_discovery_control(p_value[tested], method="bh")
    half = float(norm.ppf((1 + confidence) / 2)) * sd
    verdict = np.select(
        [
            np.isnan(counts["earlier"]),
            np.isnan(counts["later"]),
            (adjusted <= rate) & (difference > 0),
            (adjusted <= rate) & (difference < 0),
        ],
        [LATER_ONLY, EARLIER_ONLY, ROSE, FELL],
        UNCHANGED,
    )
    return pd.DataFrame(
        {
            "length": joined["length"].astype("int64"),
            "attributes": joined["attributes"],
            "earlier": pd.array(np.round(counts["earlier"]), dtype="Int64"),
            "later": pd.array(np.round(counts["later"]), dtype="Int64"),
            "earlier_share": counts["earlier"] / max(people_earlier, 1.0),
            "later_share": counts["later"] / max(people_later, 1.0),
            "difference": difference,
            "sd": np.where(tested, sd, np.nan),
            "low": difference - half,
            "high": difference + half,
            "p_value": p_value,
            "adjusted": adjusted,
            "verdict": pd.Series(verdict, dtype="str"),
        }
    )
