"""How a release is judged: `peers/metrics.py` with the truth counted once, and random figures as tests.

A figure that was repeated three times or more is *reached* unless its target is rejected at 1 %: its interval is
two-sided 98 %, so that the target is rejected where the interval lies wholly on the wrong side. With fewer repetitions
the mean itself has to be on the right side.
"""

import itertools

import numpy as np
import pandas as pd
from case_release_data import SEPARATOR, Table, as_text
from peers import metrics
from scipy.stats import t as student

from hrtech.counts import parse_attributes
from hrtech.release.layout import Layout
from hrtech.release.publish import Published

LONGEST = 3
_SIGNIFICANCE = 0.01
_FEWEST = 3


class Judge:
    """The truth of a table, and what a release gets wrong: the same figures as `metrics.evaluate_*`."""

    def __init__(self, table: Table) -> None:
        self.columns = list(table.text.columns)
        held, self.items = metrics.item_matrix(table.text, self.columns, SEPARATOR)
        self.number = {item: k for k, item in enumerate(self.items)}
        self.tensors = metrics.count_tensors(held, LONGEST)
        size = range(len(self.items))
        self.cells = [np.array(list(itertools.combinations(size, k))) for k in range(1, LONGEST + 1)]
        self.truth = self._flat(self.tensors)

    def _flat(self, tensors: list) -> list:
        return [(c, t[tuple(c.T)].astype(np.float64)) for c, t in zip(self.cells, tensors, strict=True)]

    def records(self, records: pd.DataFrame) -> dict:
        """Judge synthetic records."""
        held, items = metrics.item_matrix(as_text(records), self.columns, SEPARATOR)
        if unknown := set(items) - set(self.items):
            raise ValueError(f"{len(unknown)} values in the records occur nowhere in the table")
        places = [self.number[i] for i in items]
        spread = np.zeros((len(held), len(self.items)), dtype=np.float32)
        spread[:, places] = held
        estimated = self._flat(metrics.count_tensors(spread, LONGEST))
        return metrics._report(self.truth, [counts for _, counts in estimated])["all"]

    def aggregates(self, aggregates: pd.DataFrame) -> dict:
        """Judge published counts."""
        dense = [np.zeros((len(self.items),) * k) for k in range(1, LONGEST + 1)]
        for text, count in zip(aggregates["attributes"], aggregates["count"], strict=True):
            cell = tuple(sorted(self.number[a] for a in parse_attributes(text)))
            if len(cell) <= LONGEST:
                dense[len(cell) - 1][cell] = count
        return metrics._report(self.truth, [counts for _, counts in self._flat(dense)])["all"]

    def both(self, published: Published) -> dict[str, dict]:
        """Judge what was published."""
        return {
            "records": self.records(published.records),
            "aggregates": self.aggregates(published.aggregates),
        }

    def true_counts(self, layout: Layout, length: int) -> np.ndarray:
        """True counts of a layout's combinations, in its order."""
        number = np.array([self.number[a] for a in layout.attributes])
        cells = np.sort(number[layout.cells(length)], axis=1)
        return self.tensors[length - 1][tuple(cells.T)]

    def true_of(self, aggregates: pd.DataFrame) -> np.ndarray:
        """True counts of published combinations, in their order."""
        found = []
        for text in aggregates["attributes"]:
            cell = tuple(sorted(self.number[a] for a in parse_attributes(text)))
            found.append(self.tensors[len(cell) - 1][cell])
        return np.array(found)


def interval(values: list[float]) -> tuple[float, float] | None:
    """Where the mean of repetitions lies, two-sided at twice the significance; None of too few."""
    if len(values) < _FEWEST:
        return None
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / len(values) ** 0.5
    half = float(student.ppf(1 - _SIGNIFICANCE, len(values) - 1)) * error
    return float(f"{mean - half:.4g}"), float(f"{mean + half:.4g}")


def within(values: list[float], least: float, most: float) -> bool:
    """Whether a mean within these is not rejected."""
    mean = float(np.mean(values))
    low, high = interval(values) or (mean, mean)
    return low <= most and high >= least


def not_above(values: list[float], most: float) -> bool:
    """Whether a mean of at most this is not rejected."""
    return within(values, -np.inf, most)
