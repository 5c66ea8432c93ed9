"""Invented people, so that a release can be tried before there is a record: nobody is in them, and they cost nothing.

They are made from a layout and a generator alone. What makes counts of real people hard or easy to release is how
unevenly values are spread, what is left blank, and how much people resemble each other. None of it is known in public,
so each world is drawn at random, in one of two manners. In both, people come from a dozen sources, each with its own
frequencies, and given the source the cells of a person are independent.

- `APART`: most cells are filled, values are even to long-tailed, everybody is a person of their own.
- `ALIKE`: each source leaves some columns blank altogether and knows few values of the others, values are more
  long-tailed, and people come in groups of like persons, as those do who were met in one case: they share all cells but
  a few. Many combinations are then held by one or a few groups, and most by nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtech.release.layout import Group, Layout
from hrtech.release.records import States

#: Where people come from; each source fills its columns in its own way.
_SOURCES = 12
#: Share of the cells in which a person differs from the group.
_APART = 0.05
#: Spread of the sizes of groups, as a standard deviation of their logarithm.
_SIZES = 1.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Manner:
    """How people are invented.

    Attributes:
        name: One word.
        alike: How many people resemble each other, on average; 1: everybody is a group of their own.
        steepest: Largest exponent of the frequencies of values by their rank; 0 is even.
        most_blank: Most cells that are blank in a column that a source knows, on average a third of it.
        unknown: Share of the columns that a source does not know.
        even: How near the frequencies of a source are to those of all; small: it knows few values.
    """

    name: str
    alike: float
    steepest: float
    most_blank: float
    unknown: float
    even: float


APART = Manner("apart", alike=1.0, steepest=1.5, most_blank=0.3, unknown=0.0, even=1.0)
ALIKE = Manner("alike", alike=10.0, steepest=2.5, most_blank=0.5, unknown=0.4, even=0.3)


def invent_people(layout: Layout, people: int, manner: Manner, rng: np.random.Generator) -> States:
    """Invent people; shape (people, groups), the state of each in each group of attributes.

    Args:
        layout: Attributes; of pairs that are impossible nobody holds both.
        people: How many.
        manner: How they are invented.
        rng: Decides everything.
    """
    alike = manner.alike
    number = max(1, round(people / alike))
    source = rng.choice(_SOURCES, number, p=rng.dirichlet(np.ones(_SOURCES)))
    if alike > 1:
        size = rng.lognormal(0, _SIZES, number)
        member = rng.choice(number, people, p=size / size.sum())
    else:
        member = np.arange(people) % number
    states = np.empty((people, len(layout.groups)), dtype=np.int16)
    for g, chances in enumerate(_chances(layout, manner, rng)):
        states[:, g] = _choose(chances, source, rng)[member]
        if alike > 1:
            apart = np.flatnonzero(rng.random(people) < _APART)
            states[apart, g] = _choose(chances, source[member[apart]], rng)
    _forbid(states, layout)
    return states


def _choose(chances: Floats, source: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """A state for each, by the chances (shape (sources, states)) of its source."""
    point = rng.random(len(source))
    upper = chances.cumsum(axis=1)[source]
    return np.asarray((point[:, None] >= upper[:, :-1]).sum(axis=1), dtype=np.int64)


def _chances(layout: Layout, manner: Manner, rng: np.random.Generator) -> Iterator[Floats]:
    """Per group of attributes the chance of each state in each source; shape (sources, states)."""
    column: tuple[str, ...] = ()
    for group in layout.groups:
        if group.columns != column:
            column = group.columns
            held = iter(_of_column(layout, group, manner, rng))
        yield next(held)


def _of_column(layout: Layout, group: Group, manner: Manner, rng: np.random.Generator) -> list[Floats]:
    """The chances of all groups of a column; `group` is its first."""
    several = layout.schema.by_name[group.columns[0]].multi_valued
    number = sum(g.columns == group.columns for g in layout.groups) if several else group.size
    frequencies = rng.permutation(np.arange(1.0, number + 1) ** -rng.uniform(0, manner.steepest))
    if group.most_held == 2:
        # the coarser value alone is what few records say
        frequencies[group.states[1:].sum(axis=1) == 1] *= 0.1
    frequencies /= frequencies.sum()
    blank = manner.most_blank * rng.beta(1, 2)
    unknown = rng.random(_SOURCES) < manner.unknown
    if not several:
        mean = np.r_[blank, (1 - blank) * frequencies]
        chances = rng.dirichlet(np.maximum(manner.even * np.sqrt(len(mean)) * mean, 1e-3), _SOURCES)
        chances[unknown] = np.eye(len(mean))[0]
        return [chances]
    # how many values a person holds: one or more, and more where there are many
    rates = np.minimum(frequencies * rng.uniform(1, 1 + number / 4), 0.9) * (1 - blank)
    drawn = rng.beta(
        np.maximum(2 * manner.even * rates, 0.01),
        np.maximum(2 * manner.even * (1 - rates), 0.01),
        (_SOURCES, number),
    )
    drawn[unknown] = 0.0
    return [np.column_stack([1 - drawn[:, k], drawn[:, k]]) for k in range(number)]


def _forbid(states: States, layout: Layout) -> None:
    """Let go, in place, of the later attribute of each impossible pair where both are held."""
    for pair in layout.impossible:
        both = np.ones(len(states), dtype=bool)
        for attribute in pair:
            own = int(layout.group_of[attribute])
            group = layout.groups[own]
            both &= group.states[states[:, own], attribute - group.first]
        states[both, layout.group_of[pair[1]]] = 0
