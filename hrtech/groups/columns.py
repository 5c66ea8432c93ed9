"""Columns of the tables of a comparison: type and meaning, as readers of them see it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

Columns = Mapping[str, tuple[str, str]]

_KEY: Final = {
    "measure": ("str", "name of the measure"),
    "standardised": ("bool", "whether the group was given the mix of the standard"),
    "window": ("str", "window of time; all: all of them together"),
    "group": ("str", "the group; values of several columns stand side by side"),
}

ESTIMATES: Final[Columns] = MappingProxyType(
    {
        "measure": _KEY["measure"],
        "kind": ("str", "count, share, rate, mean or median"),
        **{name: _KEY[name] for name in ("standardised", "window", "group")},
        "estimate": ("float64", "the figure; a rate per its scale; blank where there is none"),
        "low": ("float64", "lower end of its interval; blank where there is no limit"),
        "high": ("float64", "upper end of its interval; blank where there is no limit"),
        "records": ("int64", "records in which the measure is known"),
        "held": ("float64", "records with the condition, events, or the sum of the values, without weights"),
        "divided_by": ("float64", "what it is divided by: records, exposure, or 1"),
        "people": ("int64", "people behind the records, where a column names them; otherwise records"),
        "unknown": ("int64", "records in which it is not known"),
        "design_effect": ("float64", "how much people with several records, and weights, widen the variance"),
        "reason": ("str", "why there is no figure"),
        "shrunken": (
            "float64",
            "the figure drawn towards the mean of its window by how little is known of it",
        ),
    }
)

CONTRASTS: Final[Columns] = MappingProxyType(
    {
        **_KEY,
        "compared_with": ("str", "all others, another group, or the window before"),
        "estimate": ("float64", "figure of the group in the window"),
        "other": ("float64", "figure of what it is compared with"),
        "difference": ("float64", "estimate minus other"),
        "difference_low": ("float64", "lower end of its interval"),
        "difference_high": ("float64", "upper end of its interval"),
        "difference_low_all": ("float64", "lower end of an interval that holds for the whole table at once"),
        "difference_high_all": ("float64", "upper end of an interval that holds for the whole table at once"),
        "ratio": ("float64", "estimate by other; blank where it has no meaning"),
        "ratio_low": ("float64", "lower end of its interval"),
        "ratio_high": ("float64", "upper end of its interval; blank where it has no limit"),
        "p": ("float64", "p value of no difference, two-sided"),
        "shared": ("bool", "whether both are partly of the same people, which the interval allows for"),
        "p_holm": ("float64", "Holm's, over everything that the study tests: the strict tier"),
        "p_bh": ("float64", "Benjamini and Hochberg's, over everything that the study tests: the exploratory tier"),
    }
)  # fmt: skip

RANKS: Final[Columns] = MappingProxyType(
    {
        **_KEY,
        "estimate": ("float64", "the figure by which groups are ranked"),
        "rank": ("int64", "place, the highest figure first; equal ones share the better place"),
        "rank_low": ("int64", "best place that cannot be excluded; all intervals of a measure hold together"),
        "rank_high": ("int64", "worst place that cannot be excluded"),
        "ranked": ("int64", "groups that are ranked"),
    }
)

LEFT_OUT: Final[Columns] = MappingProxyType(
    {
        "what": ("str", "the column, filter or measure"),
        "records": ("int64", "records that were looked at"),
        "unknown": ("int64", "those that are blank or undecided in it"),
        "share": ("float64", "unknown by records"),
    }
)

STANDARD: Final[Columns] = MappingProxyType(
    {
        "measure": _KEY["measure"],
        "stratum": ("str", "values of the columns that are standardised for"),
        "share": ("float64", "weight of the stratum in the standard"),
        "share_of_records": ("float64", "its share of the records"),
        "standard": ("str", "where the weights come from"),
    }
)

PROTECTION: Final[Columns] = MappingProxyType(
    {
        **_KEY,
        "told": ("bool", "whether the figure may be told"),
        "low": ("float64", "value of the first withheld count behind it that no reader can exclude"),
        "high": ("float64", "a higher value of that count that no reader can exclude"),
    }
)

AGAINST_TRUTH: Final[Columns] = MappingProxyType(
    {
        "measure": _KEY["measure"],
        "group": _KEY["group"],
        "truth": ("float64", "true share of the simulated world"),
        "estimate": ("float64", "the figure"),
        "low": ("float64", "lower end of its interval"),
        "high": ("float64", "upper end of its interval"),
        "covered": ("bool", "whether the interval holds the truth"),
    }
)

COLUMNS: Final[Mapping[str, Columns]] = MappingProxyType(
    {
        "estimates": ESTIMATES,
        **dict.fromkeys(("against_others", "pairs", "changes"), CONTRASTS),
        "ranks": RANKS,
        "left_out": LEFT_OUT,
        "standard": STANDARD,
        "protection": PROTECTION,
        "against_truth": AGAINST_TRUTH,
    }
)
"""Table → its columns; those of tables that are told are among them."""
