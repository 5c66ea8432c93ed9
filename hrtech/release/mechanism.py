"""The private release: noisy centred moments of attribute combinations.

The promise: (epsilon, delta)-differential privacy for one person, added or removed with all their records
(`one_row_per_person` joins records first). What is protected: every cell, the number of people, and which values of
an undeclared column exist. What is public: the settings, and of the columns their names, kinds, declared values,
hierarchies and impossible pairs. Nothing else about the records touches a decision without noise.

The steps, all noise discrete and from OpenDP, accounted in zCDP; each may use what earlier ones released (Bun and
Steinke 2016, adaptive composition):

1. *Vocabulary* (`vocabulary`): values of undeclared columns, two rounds of thresholded Gaussian noise.
2. *Centres*: one vector, the number of people (times 5) and of holders of each attribute. A person moves it by at
   most sqrt(25 + K), K the most attributes that one person can hold.
3. *Bound*: a private quantile of how long a person's vector of weighted centred products is (`moments`), at the tail
   that balances noise against the bias of bounding, as known from the centres.
4. *Moments*: one integer vector with the number of people, what bounding took away, and the centred moments of
   every combination up to the reporting length, zeros included. People and length 1 count in full; the longer
   products of a person over the bound are scaled down. A person's exact vector has at most the length of the bound;
   rounding down to the lattice adds less than 1 in each of the n entries, so sqrt(n) in all.

The charge is the sum of the planned rhos and of the vocabulary's delta; OpenDP's maps of the steps that ran are
recorded beside it and never exceed it. `price` and `draw` go through the same plan.
"""

import math
import secrets
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtech.counts import Encoded, restrict_values
from hrtech.privacy import discrete_noise
from hrtech.release.declared import ReleaseColumn, ReleaseSchema, ReleaseSettings
from hrtech.release.estimate import uncentred
from hrtech.release.holding import Holdings, encoded_people, holdings
from hrtech.release.layout import Layout, count_cells
from hrtech.release.measured import Measured
from hrtech.release.moments import (
    CENTRE_BITS,
    Scaling,
    bounded_weights,
    elementary_symmetric,
    exact_moments,
    lattice_vector,
    norms,
    worst_norms,
)
from hrtech.release.plan import Plan, group_sizes, plan_release
from hrtech.release.vocabulary import find_values

MECHANISM = "centred-moments/1"
"""Raised only when the distribution of what is released changes."""

_PEOPLE_TIMES = 5
_CANDIDATES = 40
_SMALLEST_BOUND = 0.6
_LARGEST_TAIL = 0.2
_LEAST_SHARE = 0.03
#: How much of a moment's noise variance is left in an estimate, by length: the longer, the more is shared knowledge.
_LEFT = (1.0, 1.0, 0.35, 0.1, 0.05, 0.02)
#: Smallest count whose error matters for the choice of the bound.
_COUNTS_FROM = 10
#: How much more a rare attribute counts in the norm: spread to this negative power.
_EMPHASIS = 0.2
_FEWEST = 10.0
#: Double precision may be off by this share of a norm.
_SLACK = 1 + 1e-9


def draw(frame: pd.DataFrame, settings: ReleaseSettings, schema: ReleaseSchema) -> Measured:
    """Draw the noise. Costs `price(settings, schema)` each time it is called.

    Args:
        frame: One row per person.
        settings: Budget and reporting length.
        schema: Columns.

    Raises:
        ReleaseError: No release is possible, or a column is missing or of another kind than declared.
        hrtech.counts.EncodingError: A value is outside its declared values. Both are raised before any noise is
            drawn, and name columns and record numbers only.
    """
    chooser = np.random.Generator(np.random.PCG64(secrets.randbits(128)))
    return _draw(frame, settings, schema, discrete_noise.OpenDPNoise(), chooser)


def _draw(
    frame: pd.DataFrame,
    settings: ReleaseSettings,
    schema: ReleaseSchema,
    noise: discrete_noise.Noise,
    chooser: np.random.Generator,
) -> Measured:
    """The mechanism with its two sources of randomness as arguments: the seam for tests.

    No setting, component or resource reaches this function. Besides `draw` only the audit and the advice call it, on
    people who are invented.
    """
    plan = plan_release(settings, schema)
    encoded = encoded_people(frame, schema)
    spent = [r.charge.rho for r in plan.rounds]
    if plan.rounds:
        encoded, schema = _with_vocabulary(encoded, settings, schema, plan, noise, chooser)
    layout = Layout(schema, settings.reporting_length)
    held = holdings(encoded, layout)
    frequencies, people, people_sd, rho = _centres(held, layout, settings, plan, noise)
    spent.append(rho)
    scaling = scale_vector(frequencies, people, layout, settings)
    bound, rho = _bound(held, layout, scaling, people, plan, noise)
    spent.append(rho)
    vector = bounded_vector(held, layout, scaling, bound)
    sensitivity = sensitivity_of(bound, scaling, len(vector))
    scale = discrete_noise.scale_for(sensitivity, plan.moments)
    noisy = noise.vector(vector, scale)
    spent.append(discrete_noise.vector_rho(scale, sensitivity))
    unit, sd = scaling.people_units, scale / scaling.people_units
    if settings.people is None:
        # two independent measurements of one number, weighted by their precision
        weight = people_sd**-2 / (people_sd**-2 + sd**-2)
        people = weight * people + (1 - weight) * float(noisy[0] / unit)
        people_sd = (people_sd**-2 + sd**-2) ** -0.5
    return Measured(
        schema=schema,
        scaling=scaling,
        bound=bound,
        scale=scale,
        people=float(people),
        people_sd=float(people_sd),
        lost=float(noisy[1] / unit),
        noisy=noisy[2:],
        spent=math.fsum(spent),
    )


def bounded_vector(held: Holdings, layout: Layout, scaling: Scaling, bound: float) -> NDArray[np.int64]:
    """The exact integer vector that noise is added to: nobody's part of it is longer than the bound."""
    weights = bounded_weights(held.rows, layout, scaling, bound)
    return lattice_vector(held, weights, exact_moments(held, weights, layout, scaling), layout, scaling)


def sensitivity_of(bound: float, scaling: Scaling, entries: int) -> float:
    """How far one person moves the integer vector, in L2: the bound, and 1 for rounding in each entry."""
    return bound * scaling.lattice * _SLACK + discrete_noise.root_above(entries)


def _with_vocabulary(
    encoded: Encoded,
    settings: ReleaseSettings,
    schema: ReleaseSchema,
    plan: Plan,
    noise: discrete_noise.Noise,
    chooser: np.random.Generator,
) -> tuple[Encoded, ReleaseSchema]:
    """Restrict undeclared columns to the values found, the most frequent as far as `max_cells` allows."""
    names = [c.name for c in schema.undeclared]
    found = find_values(
        encoded, names, plan.rounds, plan.most_undeclared, settings.max_vocabulary, noise, chooser
    )
    known = _known(schema, found)
    while sum(count_cells(group_sizes(known), settings.reporting_length)[1:]) > settings.max_cells:
        longest = max(found, key=lambda name: len(found[name]))
        found[longest] = found[longest][:-1]
        known = _known(schema, found)
    found = {name: tuple(sorted(values)) for name, values in found.items()}
    return restrict_values(encoded, found), _known(schema, found)


def _known(schema: ReleaseSchema, found: Mapping[str, tuple[str, ...]]) -> ReleaseSchema:
    """The schema with the values found in place of those not declared."""
    return ReleaseSchema.known(
        tuple(
            ReleaseColumn(c.name, found[c.name], c.multi_valued, c.sensitive_zeros) if c.name in found else c
            for c in schema.columns
        ),
        schema.impossible,
    )


def _centres(
    held: Holdings, layout: Layout, settings: ReleaseSettings, plan: Plan, noise: discrete_noise.Noise
) -> tuple[NDArray[np.float64], float, float, float]:
    """Rough frequencies (shares of people), the number of people and its noise, and what they cost."""
    times = _PEOPLE_TIMES if settings.people is None else 0
    holders = held.people @ held.rows.astype(np.int64)
    sensitivity = discrete_noise.root_above(times**2 + layout.most_attributes)
    scale = discrete_noise.scale_for(sensitivity, plan.centres)
    noisy = noise.vector(np.concatenate([holders, [times * held.n_people]]), scale)
    rho = discrete_noise.vector_rho(scale, sensitivity)
    if settings.people is None:
        people, people_sd = max(float(noisy[-1]) / times, _FEWEST), scale / times
    else:
        people, people_sd = float(settings.people), 0.0
    return np.clip(noisy[:-1] / people, 0.0, 1.0), people, people_sd, rho


def scale_vector(
    frequencies: NDArray[np.float64], people: float, layout: Layout, settings: ReleaseSettings
) -> Scaling:
    """Choose centres and weights from what is public by now.

    Each length gets its share of the squared norm of a person of independent attributes; an attribute counts the more
    the less it varies. The shares are those at which the mean variance of the counts is least (`length_shares`).
    """
    longest = settings.reporting_length
    bits = CENTRE_BITS[longest]
    if not layout.attributes:
        return Scaling(np.zeros(0, dtype=np.int64), bits, np.zeros(0), (1.0,) * longest, 1.0)
    centres = np.rint(frequencies * 2**bits).astype(np.int64)
    share = centres / 2.0**bits
    spread = np.sqrt(np.maximum(share * (1 - share), 20 / people))
    emphasis = spread**-_EMPHASIS
    parts = emphasis**2 * share * (1 - share)
    expected = np.array(
        [
            max(float(e[0]), 1e-3)
            for e in elementary_symmetric(
                np.array([[parts[g.first : g.stop].sum() for g in layout.groups]]), longest
            )
        ]
    )
    shares = length_shares(layout, share, emphasis, expected, people)
    weights = np.sqrt(shares / expected)
    return Scaling(centres, bits, emphasis, tuple(weights[1:].tolist()), float(weights[0]))


def length_shares(
    layout: Layout,
    share: NDArray[np.float64],
    emphasis: NDArray[np.float64],
    expected: NDArray[np.float64],
    people: float,
) -> NDArray[np.float64]:
    """How the squared norm is divided among the number of people and lengths 1, 2, ...; sums to 1.

    The variance of a count is a sum over the lengths it is put together from, each inversely proportional to that
    length's share; the mean over the counts that matter is least where shares are proportional to the roots of the
    coefficients (Cauchy-Schwarz).

    Args:
        layout: Combinations.
        share: Centres, shape (attributes,).
        emphasis: Shape (attributes,).
        expected: Expected squared norm of each length from 0, before weights.
        people: Number of people.
    """
    longest = layout.longest
    matter = counts_that_matter(layout, share, people)
    total = np.zeros(longest + 1)
    for k in range(longest + 1):
        alone = {n: np.zeros(layout.size(n)) for n in range(1, longest + 1)}
        if k:
            alone[k] = _LEFT[k] * expected[k] / emphasis[layout.cells(k)].prod(axis=1) ** 2
        variance = uncentred(layout, alone, share**2, 1.0 if k == 0 else 0.0)
        total[k] = sum(float(variance[n][matter[n]].sum()) for n in variance)
    roots = np.sqrt(total)
    shares = np.maximum(roots / roots.sum(), _LEAST_SHARE)
    return shares / shares.sum()


def counts_that_matter(
    layout: Layout, share: NDArray[np.float64], people: float
) -> dict[int, NDArray[np.bool_]]:
    """Combinations that enough people would hold if attributes were independent; all attributes where none do."""
    found = {
        k: people * share[layout.cells(k)].prod(axis=1) >= _COUNTS_FROM for k in range(1, layout.longest + 1)
    }
    if not any(f.any() for f in found.values()):
        found[1][:] = True
    return found


def _bound(
    held: Holdings,
    layout: Layout,
    scaling: Scaling,
    people: float,
    plan: Plan,
    noise: discrete_noise.Noise,
) -> tuple[float, float]:
    """Choose the bound on a person's norm privately; returns it and what it cost."""
    full, everything = worst_norms(layout, scaling)
    if not layout.attributes:
        # everybody has the same norm, known in public
        return full * _SLACK, 0.0
    smallest = max(_SMALLEST_BOUND, full * _SLACK)
    ladder = np.geomspace(smallest, max(everything, 2 * smallest), _CANDIDATES)
    candidates = np.ceil(ladder * scaling.lattice).astype(np.int64)
    tail = tail_of(layout, scaling, people, plan)
    needed = np.ceil(norms(held.rows, layout, scaling) * scaling.lattice).astype(np.int64)
    scale = discrete_noise.quantile_scale(1 - tail, plan.bound)
    chosen = noise.quantile(np.repeat(needed, held.people), np.unique(candidates).tolist(), 1 - tail, scale)
    return chosen / scaling.lattice, discrete_noise.quantile_rho(1 - tail, scale)


def tail_of(layout: Layout, scaling: Scaling, people: float, plan: Plan) -> float:
    """Share of people whom the bound should touch, from what is public by then.

    A higher bound adds noise to every count; a lower one takes more people's weight away, and with it the
    combinations that they hold. Where the mean error is least the people over the bound are as many as
    ``0.8 sd / (share of the counted combinations that a person holds)``: the derivatives of both in the bound.
    Fewer people than the choice itself is uncertain by would let it end anywhere above, so they are not fewer.
    """
    share = scaling.centre_values
    held = np.array([[share[g.first : g.stop].sum() for g in layout.groups]])
    combinations = sum(float(e[0]) for e in elementary_symmetric(held, scaling.longest)[1:])
    matter = counts_that_matter(layout, share, people)
    unit = {
        k: (scaling.length_weights[k - 1] * scaling.emphasis[layout.cells(k)].prod(axis=1)) ** -2.0
        for k in matter
    }
    variance = uncentred(layout, unit, share**2, scaling.people_weight**-2)
    noise = np.mean(np.concatenate([np.sqrt(variance[k][matter[k]]) for k in matter]))
    counted = sum(int(m.sum()) for m in matter.values())
    touched = 0.8 * noise / math.sqrt(2 * plan.moments) * counted / max(combinations, 1e-9)
    uncertain = 2 * math.log(_CANDIDATES) * discrete_noise.quantile_scale(1.0, plan.bound)
    return min(_LARGEST_TAIL, max(touched, uncertain) / people)
