"""Synthetic people from a fitted mixture, then made to agree with the estimated counts.

People are spread over the mixture's components and, in every group, over its states systematically, so that counts
of a component come out to within one person. `repair` then changes states until counts agree with the estimates.
Post-processing: pure functions of what was released and of a generator that decides nothing about privacy.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.release.fit import Mixture
from hrtech.release.layout import Layout
from hrtech.release.people import LIST_DTYPE

States = NDArray[np.int16]


def sample_people(mixture: Mixture, layout: Layout, people: int, rng: np.random.Generator) -> States:
    """Draw people; shape (people, groups), the state of each in each group.

    Args:
        mixture: Components of equal weight.
        layout: Groups.
        people: How many.
        rng: Starting points and order.
    """
    n = mixture.states.shape[1]
    extra = rng.permutation(n)[: people % n]
    size = np.full(n, people // n)
    size[extra] += 1
    component = np.repeat(np.arange(n), size)
    first = np.repeat(np.cumsum(size) - size, size)
    out = np.empty((people, len(layout.groups)), dtype=np.int16)
    start = 0
    for g, group in enumerate(layout.groups):
        upper = np.cumsum(mixture.states[start : start + len(group.states)], axis=0)
        start += len(group.states)
        # a random order within each component, then evenly spaced points with one random start
        order = np.lexsort((rng.random(people), component))
        place = np.empty(people)
        place[order] = np.arange(people)
        point = (place - first + np.asarray(rng.random(n))[component]) / size[component]
        state = (point[:, None] >= upper[:-1].T[component]).sum(axis=1)
        out[:, g] = state
    return out


def holders(states: States, layout: Layout) -> NDArray[np.uint8]:
    """Zeros and ones of people in given states; shape (people, attributes)."""
    held = np.zeros((len(states), layout.n_attributes), dtype=np.uint8)
    for g, group in enumerate(layout.groups):
        held[:, group.first : group.stop] = group.states[states[:, g]]
    return held


def as_table(states: States, layout: Layout) -> pd.DataFrame:
    """People as a table typed like the input: missing where unknown, lists where several values are possible."""
    held = holders(states, layout)
    number = {a: k for k, a in enumerate(layout.attributes)}
    columns = {}
    for column in layout.schema.columns:
        own = [number[column.name, v] for v in column.attributes]
        if column.multi_valued:
            columns[column.name] = _lists(held[:, own], column.attributes)
        else:
            labels = np.array([None, *column.attributes], dtype=object)
            codes = held[:, own] @ np.arange(1, len(own) + 1, dtype=np.int64)
            columns[column.name] = pd.Series(labels[codes], dtype="str")
    return pd.DataFrame(columns, index=pd.RangeIndex(len(held)))


def _lists(held: NDArray[np.uint8], values: tuple[str, ...]) -> pd.Series:
    """List cells, sorted; null where nothing is held. One list per distinct set of values."""
    if not values or not len(held):
        return pd.Series([None] * len(held), dtype=LIST_DTYPE)
    order = sorted(range(len(values)), key=lambda k: values[k])
    sets, which = np.unique(held[:, order].astype(bool), axis=0, return_inverse=True)
    ordered = [values[k] for k in order]
    cells = pd.Series(
        [[v for v, has in zip(ordered, row, strict=True) if has] or None for row in sets], dtype=LIST_DTYPE
    )
    return cells.take(which.reshape(-1)).reset_index(drop=True)
