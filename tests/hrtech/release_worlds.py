"""Small random schemas, people and measurements for the tests of what follows a release's noise."""

import numpy as np
from hypothesis import strategies as st

from hrtech.release.declared import ReleaseColumn, ReleaseSchema
from hrtech.release.layout import Layout
from hrtech.release.measured import Measured
from hrtech.release.moments import Scaling

KINDS = st.lists(
    st.tuples(st.sampled_from(["one", "many", "fine"]), st.integers(1, 3)), min_size=1, max_size=4
)


def schema_of(kinds, impossible=()):
    """Columns of these kinds and numbers of values; a fine one refines a column of its own."""
    columns = []
    for k, (kind, size) in enumerate(kinds):
        values = tuple("abcdefghijklmnopqrstuvwxyz"[:size])
        if kind == "fine":
            parents = {v: "xy"[n % 2] for n, v in enumerate(values)}
            columns.append(ReleaseColumn(f"c{k}", values, parent=f"p{k}", parent_values=parents))
            columns.append(ReleaseColumn(f"p{k}", ("x", "y")))
        else:
            columns.append(ReleaseColumn(f"c{k}", values, multi_valued=kind == "many"))
    return ReleaseSchema(tuple(columns), tuple(impossible))


@st.composite
def layouts(draw, longest=None, kinds=KINDS):
    """A layout of columns of all kinds, now and then with pairs that nobody can hold."""
    schema = schema_of(draw(kinds))
    chosen = longest or draw(st.integers(1, 5))
    layout = Layout(schema, chosen)
    names = [schema.by_name[c].parent or c for c, _ in layout.attributes]
    apart = [
        (layout.attributes[i], layout.attributes[j])
        for i, j in layout.pairs.tolist()
        if names[i] != names[j] and layout.attributes[i][0] != layout.attributes[j][0]
    ]
    some = draw(st.lists(st.sampled_from(apart), max_size=3)) if apart else []
    return Layout(ReleaseSchema(schema.columns, tuple(some)), chosen) if some else layout


def random_states(layout, people, rng, likely=None):
    """People whose states depend on one of two hidden kinds of person; nobody holds an impossible pair."""
    kind = rng.integers(0, 2, people)
    states = np.zeros((people, len(layout.groups)), dtype=np.int16)
    for g, group in enumerate(layout.groups):
        shares = rng.dirichlet(np.full(len(group.states), likely or 0.7), size=2)
        for k in range(2):
            own = kind == k
            states[own, g] = rng.choice(len(group.states), size=int(own.sum()), p=shares[k])
    held = held_by(states, layout)
    for i, j in layout.impossible.tolist():
        both = (held[:, i] & held[:, j]).astype(bool)
        states[both, layout.group_of[j]] = 0
        held = held_by(states, layout)
    return states


def held_by(states, layout):
    """Zeros and ones, person by person and group by group."""
    rows = [[group.states[row[g]] for g, group in enumerate(layout.groups)] for row in states]
    return np.array([np.concatenate(r) for r in rows], dtype=np.int64).reshape(-1, layout.n_attributes)


def exact_counts(held, layout, longest=None):
    """How many people hold each combination, by brute force."""
    return {
        k: held[:, layout.cells(k)].all(axis=2).sum(axis=0) for k in range(1, (longest or layout.longest) + 1)
    }


def scaling_of(layout, centres, bits=8):
    """Equal weights for all moments, so that noise is the same everywhere."""
    return Scaling(
        centres=np.rint(np.asarray(centres) * 2**bits).astype(np.int64),
        bits=bits,
        emphasis=np.ones(layout.n_attributes),
        length_weights=(1.0,) * layout.longest,
        people_weight=1.0,
    )


def products_of(layout, apart):
    """Products of the columns of every combination, one by one; shape (rows, combinations) per length."""
    return {k: apart[:, layout.cells(k)].prod(axis=2) for k in range(1, layout.longest + 1)}


def measurement(layout, scaling, moments, people, rng, sd=1e-4, people_sd=0.0):
    """A release of these moments; `sd` is the noise of each, in people."""
    noisy = []
    for k in range(1, layout.longest + 1):
        units = scaling.steps(layout, k) / scaling.unit(k)
        noisy.append(np.rint((moments[k] + rng.normal(0, sd, len(units))) / units))
    return Measured(
        schema=layout.schema,
        scaling=scaling,
        bound=1.0,
        scale=sd * scaling.lattice,
        people=float(people + rng.normal(0, people_sd)),
        people_sd=people_sd,
        lost=0.0,
        noisy=np.concatenate(noisy).astype(np.int64),
        spent=1.0,
    )


def measured_of(layout, held, rng, sd=1e-4, centres=None, people_sd=0.0):
    """What a release of these people measures, nobody bounded; `sd` is the noise of a moment, in people."""
    if centres is None:
        centres = held.mean(axis=0) if len(held) else np.zeros(layout.n_attributes)
    scaling = scaling_of(layout, centres)
    moments = {k: p.sum(axis=0) for k, p in products_of(layout, held - scaling.centre_values).items()}
    return measurement(layout, scaling, moments, len(held), rng, sd, people_sd)


class SeededNoise:
    """Noise of a release with a seed; the private quantile is exact."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def vector(self, values, scale):
        return values + np.rint(self.rng.normal(0, scale, len(values))).astype(np.int64)

    def above_threshold(self, counts, scale, threshold):
        noisy = {k: n + round(self.rng.normal(0, scale)) for k, n in counts.items()}
        return {k: n for k, n in noisy.items() if n > threshold}

    def quantile(self, values, candidates, alpha, scale):
        wanted = np.quantile(values, alpha) if len(values) else candidates[0]
        return min(candidates, key=lambda c: abs(c - wanted))
