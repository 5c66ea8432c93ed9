"""Whether published intervals cover: over every cell that a person can hold, zeros included, and over those published.

Truth is the count of all people, so that what bounding took away counts as error. Cells of a value that the search for
undeclared values did not find are not published and have no interval.
"""

import numpy as np
from case_release_data import Table
from case_release_judge import LONGEST, Judge

from hrtech.release.declared import ReleaseSettings
from hrtech.release.estimate import uncentred
from hrtech.release.intervals import intervals
from hrtech.release.layout import Layout
from hrtech.release.measured import Measured
from hrtech.release.mechanism import draw
from hrtech.release.publish import Published


class Coverage:
    """Shares of cells covered, a draw at a time."""

    def __init__(self, table: Table, settings: ReleaseSettings) -> None:
        self.table, self.settings, self.judge = table, settings, Judge(table)
        self.typed, self.schema = table.typed, table.schema
        self._layouts: dict[tuple, tuple[Layout, dict[int, np.ndarray]]] = {}

    def shares(self, draws: int) -> list[float]:
        """Share of all cells covered in each of some draws."""
        return [self.share(draw(self.typed, self.settings, self.schema)) for _ in range(draws)]

    def share(self, measured: Measured) -> float:
        """Share of all cells covered by the intervals of one draw."""
        layout, truth = self._known(measured)
        lengths = range(1, LONGEST + 1)
        centres = measured.scaling.centre_values
        direct = uncentred(layout, {k: measured.moments(k) for k in lengths}, centres, measured.people)
        variance = uncentred(
            layout, {k: measured.sd(k) ** 2 for k in lengths}, centres**2, measured.people_sd**2
        )
        covered = []
        for k in lengths:
            low, high = intervals(direct[k], np.sqrt(variance[k]), self.settings.confidence)
            covered.append((low <= truth[k]) & (truth[k] <= high))
        return float(np.concatenate(covered).mean())

    def published(self, told: Published) -> float:
        """Share of published cells covered."""
        truth = self.judge.true_of(told.aggregates)
        low, high = (told.aggregates[name].to_numpy() for name in ("low", "high"))
        return float(((low <= truth) & (truth <= high)).mean())

    def _known(self, measured: Measured) -> tuple[Layout, dict[int, np.ndarray]]:
        """Layout and truth, worked out once for each set of values found."""
        layout = measured.layout
        if layout.attributes not in self._layouts:
            truth = {k: self.judge.true_counts(layout, k) for k in range(1, LONGEST + 1)}
            self._layouts[layout.attributes] = layout, truth
        return self._layouts[layout.attributes]
