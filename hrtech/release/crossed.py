"""The table of a few attributes crossed, from what a release measured, with the covariance of its noise.

Published counts lean on a model of the whole release, and their noise is shared between them: two numbers that overlap
move together. What was measured has independent noise of known size, and every cell of a crossed table is linear in it,
so that the noise of whatever is computed from the table is known. Post-processing: nothing here sees a record.

Bounding took a part of the longer combinations away from people who hold many or rare attributes. Synthetic people say
of which combinations, the measured `lost` says how much: that much is put back, with the noise of `lost`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.release.declared import Attribute, ReleaseError
from hrtech.release.holding import encoded_people, holdings
from hrtech.release.measured import Measured
from hrtech.release.moments import WEIGHT_BITS, bounded_weights

Floats = NDArray[np.float64]

#: Without synthetic people, bounding may have taken this share of people away at most.
_LOST_SHARE = 0.002


@dataclass(frozen=True)
class Level:
    """People who hold one of some attributes of one column, or who hold none of them.

    Attributes:
        name: In words.
        attributes: They exclude each other.
        none: Whether those are meant who hold none.
    """

    name: str
    attributes: tuple[Attribute, ...]
    none: bool = False


@dataclass(frozen=True)
class Crossed:
    """A table of counts.

    Attributes:
        counts: Shape (levels of the first factor, of the second, ...); unbiased, some may be negative.
        covariance: Of the noise, shape (cells, cells), cells in C order.
        put_back: What was put back for bounding, as the counts.
    """

    counts: Floats
    covariance: Floats
    put_back: Floats


def cross(
    measured: Measured, factors: Sequence[Sequence[Level]], synthetic: pd.DataFrame | None = None
) -> Crossed:
    """Count every combination of one level of each factor.

    Args:
        measured: What was measured.
        factors: Levels of each; factors are of different groups of attributes.
        synthetic: Synthetic people of the same release.

    Raises:
        ReleaseError: More factors than the release counts together, two factors of one group, or bounding took too much
            away for a table without synthetic people.
    """
    _check(measured, factors)
    cells = list(product(*factors))
    terms: dict[tuple[int, ...], int] = {}
    entries = [
        (row, terms.setdefault(kept, len(terms)), weight)
        for row, cell in enumerate(cells)
        for kept, weight in _linear(measured, cell)
    ]
    into = np.zeros((len(cells), len(terms)))
    for row, column, weight in entries:
        into[row, column] += weight
    moments, variances = _read(measured, list(terms))
    lost = _lost(measured, list(terms), synthetic)
    shape = tuple(len(levels) for levels in factors)
    if lost is None:
        back, shared = np.zeros(len(cells)), np.zeros(len(cells))
    else:
        back, shared = into @ lost * measured.lost, into @ lost * measured.lost_sd
    covariance = (into * variances) @ into.T + np.outer(shared, shared)
    return Crossed((into @ moments + back).reshape(shape), covariance, back.reshape(shape))


def _check(measured: Measured, factors: Sequence[Sequence[Level]]) -> None:
    layout = measured.layout
    if len(factors) > layout.longest:
        raise ReleaseError(
            f"{len(factors)} columns together are more than the {layout.longest} that this release counts [setting: "
            "reporting_length]"
        )
    number = {attribute: place for place, attribute in enumerate(layout.attributes)}
    taken: dict[int, str] = {}
    for levels in factors:
        held = [attribute for level in levels for attribute in level.attributes]
        words = f"{held[0][0]}: {' or '.join(value for _, value in held)}" if held else levels[0].name
        for group in {int(layout.group_of[number[attribute]]) for attribute in held}:
            if group in taken:
                raise ReleaseError(
                    f"'{taken[group]}' and '{words}' are of one column, or of columns that refine each other: a person "
                    "holds one of them, so that they cannot be crossed. Ask about another column [setting: confounders]"
                )
            taken[group] = words


def _linear(measured: Measured, cell: Sequence[Level]) -> Iterator[tuple[tuple[int, ...], float]]:
    """A cell as a sum of moments: the numbers of their attributes, and the weight of each."""
    layout, centres = measured.layout, measured.scaling.centre_values
    number = {attribute: place for place, attribute in enumerate(layout.attributes)}
    impossible = {tuple(pair) for pair in layout.impossible.tolist()}
    held: list[tuple[tuple[int, ...], int]] = [((), 1)]
    for level in cell:
        sign = -1 if level.none else 1
        longer = [((*before, number[a]), sign * c) for before, c in held for a in level.attributes]
        held = longer + (held if level.none else [])
    for attributes, sign in held:
        ordered = tuple(sorted(attributes))
        if impossible.intersection(combinations(ordered, 2)):
            continue  # nobody holds it
        for size in range(len(ordered) + 1):
            for kept in combinations(ordered, size):
                rest = [a for a in ordered if a not in kept]
                yield kept, sign * float(np.prod(centres[rest]))


def _read(measured: Measured, terms: Sequence[tuple[int, ...]]) -> tuple[Floats, Floats]:
    """Moments and the variances of their noise."""
    by_length = {k: (measured.moments(k), measured.sd(k)) for k in {len(term) for term in terms} if k}
    moments, variances = np.empty(len(terms)), np.empty(len(terms))
    for place, term in enumerate(terms):
        if not term:
            moments[place], variances[place] = measured.people, measured.people_sd**2
            continue
        values, spread = by_length[len(term)]
        at = int(measured.layout.number(np.array([term], dtype=np.int32))[0])
        moments[place], variances[place] = values[at], spread[at] ** 2
    return moments, variances


def _lost(
    measured: Measured, terms: Sequence[tuple[int, ...]], synthetic: pd.DataFrame | None
) -> Floats | None:
    """What bounding took from each moment, per person that it took in all; None where that cannot be seen."""
    if measured.lost <= 2 * measured.lost_sd:
        return None
    if synthetic is None:
        if measured.lost > _LOST_SHARE * measured.people:
            raise ReleaseError(
                f"bounding took combinations of about {measured.lost:.0f} people away, and only synthetic records say "
                "which. Release them too [setting: synthetic_records]"
            )
        return None
    layout, scaling = measured.layout, measured.scaling
    held = holdings(encoded_people(synthetic, measured.schema), layout)
    away = 1 - bounded_weights(held.rows, layout, scaling, measured.bound) / (1 << WEIGHT_BITS)
    touched = away > 0
    weight = away[touched] * held.people[touched]
    if not weight.sum() > 0:
        return None
    apart = held.rows[touched] - scaling.centre_values
    return np.array(
        [weight @ apart[:, term].prod(axis=1) if len(term) > 1 else 0.0 for term in terms]
    ) / float(weight.sum())
