"""The expectations that a study may declare, and the arguments of each.

Names are those of Great Expectations 1.x (https://greatexpectations.io/expectations). The list is closed: an
expectation is here when its result can be told in counts alone. Those that run queries or scripts, compare with other
sources, or only say what they observed, are not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_SHARE: Final = ("mostly",)
_RANGE: Final = ("min_value", "max_value", "strict_min", "strict_max")


@dataclass(frozen=True)
class ExpectationType:
    """What is known of one expectation.

    Attributes:
        label: What it says, in a few words; part of the names of outcomes.
        required: Arguments that must be given.
        optional: Arguments that may be given.
        column: It speaks of one column.
        columns_in: Arguments that name columns.
        items: On a multi-valued column it speaks of each item.
        counts_observed: What it observed is a count, and may be told.
    """

    label: str
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    column: bool = True
    columns_in: tuple[str, ...] = ()
    items: bool = False
    counts_observed: bool = False

    @property
    def is_range(self) -> bool:
        """It needs a lower or an upper bound."""
        return "min_value" in self.optional


def _range(label: str, *, counts_observed: bool = False) -> ExpectationType:
    return ExpectationType(label, optional=_RANGE, counts_observed=counts_observed)


CATALOGUE: Final[Mapping[str, ExpectationType]] = {
    "expect_column_to_exist": ExpectationType("exists"),
    "expect_column_values_to_not_be_null": ExpectationType("not_null", optional=_SHARE),
    "expect_column_values_to_be_null": ExpectationType("null", optional=_SHARE),
    "expect_column_values_to_be_unique": ExpectationType("unique", optional=_SHARE),
    "expect_column_values_to_be_in_set": ExpectationType("in_set", ("value_set",), _SHARE, items=True),
    "expect_column_values_to_not_be_in_set": ExpectationType(
        "not_in_set", ("value_set",), _SHARE, items=True
    ),
    "expect_column_values_to_match_regex": ExpectationType("matches", ("regex",), _SHARE, items=True),
    "expect_column_values_to_not_match_regex": ExpectationType(
        "does_not_match", ("regex",), _SHARE, items=True
    ),
    "expect_column_values_to_be_between": ExpectationType("between", optional=(*_RANGE, *_SHARE)),
    "expect_column_value_lengths_to_be_between": ExpectationType(
        "lengths_between", optional=(*_RANGE, *_SHARE), items=True
    ),
    "expect_column_min_to_be_between": _range("min_between"),
    "expect_column_max_to_be_between": _range("max_between"),
    "expect_column_mean_to_be_between": _range("mean_between"),
    "expect_column_median_to_be_between": _range("median_between"),
    "expect_column_stdev_to_be_between": _range("stdev_between"),
    "expect_column_sum_to_be_between": _range("sum_between"),
    "expect_column_unique_value_count_to_be_between": _range("unique_count_between", counts_observed=True),
    "expect_column_proportion_of_unique_values_to_be_between": _range(
        "unique_share_between", counts_observed=True
    ),
    "expect_column_proportion_of_non_null_values_to_be_between": _range(
        "known_share_between", counts_observed=True
    ),
    "expect_column_distinct_values_to_contain_set": ExpectationType("contains_set", ("value_set",)),
    "expect_column_pair_values_a_to_be_greater_than_b": ExpectationType(
        "a_greater_than_b",
        ("column_A", "column_B"),
        ("or_equal", "ignore_row_if", "mostly"),
        column=False,
        columns_in=("column_A", "column_B"),
    ),
    "expect_compound_columns_to_be_unique": ExpectationType(
        "unique_together",
        ("column_list",),
        ("ignore_row_if", "mostly"),
        column=False,
        columns_in=("column_list",),
    ),
    "expect_table_row_count_to_be_between": ExpectationType(
        "row_count", optional=_RANGE, column=False, counts_observed=True
    ),
    "expect_table_column_count_to_be_between": ExpectationType(
        "column_count", optional=("min_value", "max_value"), column=False, counts_observed=True
    ),
}
