"""Links from dated activity as Transparency Engine finds them, reimplemented small: unfolded spectral embedding.

The matrices of who uses what, one a period, stand side by side, each scaled to the same norm; a regularised Laplacian
is factored by a truncated singular value decomposition; rows are scaled to length one. Synchronised links are nearest
neighbours of the left vectors (128 dimensions, 20 neighbours), asynchronous ones of the right vectors in different
periods (32 dimensions, 10 neighbours), cosine at least .5. Links are then scored by what entities share: Jaccard, and
the share of the common values that fall in the same periods, or do not, each times the share of periods in which
either uses a common value. Sources: Gallagher, Jones and Rubin-Delanchy 2021; Modell et al. 2022; the defaults of
`USEDynamicLinkConfig`. Neighbours are exact where the original's are approximate, and graphs are embedded whole.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.linalg import svds

SCORES = ("cosine", "jaccard", "timing")


@dataclass(frozen=True)
class _Graph:
    unfolded: sp.csr_matrix
    entities: int
    nodes: int
    periods: int


def links(activity: pd.DataFrame, entities: int) -> dict[str, pd.DataFrame]:
    """Predict links of both relations.

    Args:
        activity: `entity_id` (0 to `entities` − 1), `attribute, value, period` (from 0).
        entities: Number of entities.

    Returns:
        Per relation `source, target` (source < target) and the columns `SCORES`.
    """
    graph = _graph(activity, entities)
    left, right = (_embedded(graph.unfolded, dimensions)[side] for side, dimensions in enumerate((128, 32)))
    together = _neighbours(left[:entities], np.arange(entities), None, 20)
    rows = (np.arange(graph.periods)[:, None] * graph.nodes + np.arange(entities)).ravel()
    owner, period = np.tile(np.arange(entities), graph.periods), np.repeat(np.arange(graph.periods), entities)
    later = _neighbours(right[rows], owner, period, 10)
    known = pd.MultiIndex.from_frame(together[["source", "target"]])
    later = later.loc[~pd.MultiIndex.from_frame(later[["source", "target"]]).isin(known)]
    return {
        "synchronised": _scored(together, activity, same=True),
        "asynchronous": _scored(later, activity, same=False),
    }


def _graph(activity: pd.DataFrame, entities: int) -> _Graph:
    value = activity.groupby(["attribute", "value"]).ngroup().to_numpy() + entities
    who, period = activity["entity_id"].to_numpy(), activity["period"].to_numpy()
    nodes, periods = int(value.max()) + 1, int(period.max()) + 1
    layers = []
    for t in range(periods):
        at = period == t
        one = sp.coo_matrix((np.ones(at.sum()), (who[at], value[at])), shape=(nodes, nodes)).tocsr()
        layers.append(one + one.T)
    norms = np.array([np.sqrt(layer.power(2).sum()) for layer in layers])
    scale = norms.sum() / (len(norms) * np.maximum(norms, 1e-12))
    unfolded = sp.hstack([layer * by for layer, by in zip(layers, scale, strict=True)]).tocsr()
    return _Graph(unfolded, entities, nodes, periods)


def _embedded(matrix: sp.csr_matrix, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.asarray(matrix.sum(axis=1)).ravel(), np.asarray(matrix.sum(axis=0)).ravel()
    regular = np.mean(np.r_[rows, columns])
    laplacian = sp.diags(1 / np.sqrt(rows + regular)) @ matrix @ sp.diags(1 / np.sqrt(columns + regular))
    u, s, v = svds(laplacian, dimensions - 1, random_state=0)
    order = np.argsort(-s)
    sides = (u[:, order] * np.sqrt(s[order]), v.T[:, order] * np.sqrt(s[order]))
    return tuple(side / np.maximum(np.linalg.norm(side, axis=1), 1e-12)[:, None] for side in sides)


def _neighbours(
    vectors: np.ndarray, owner: np.ndarray, period: np.ndarray | None, number: int
) -> pd.DataFrame:
    active = np.linalg.norm(vectors, axis=1) > 0.5
    vectors, owner = vectors[active].astype(np.float32), owner[active]
    found = []
    for start in range(0, len(vectors), 1000):
        part = np.arange(start, min(start + 1000, len(vectors)))
        cosine = vectors[part] @ vectors.T
        cosine[np.arange(len(part)), part] = -1
        near = np.argpartition(-cosine, number, axis=1)[:, :number]
        similarity = np.take_along_axis(cosine, near, axis=1)
        row, column = np.nonzero(similarity >= 0.5)
        found.append((part[row], near[row, column], similarity[row, column]))
    one, other, similarity = (np.concatenate(part) for part in zip(*found, strict=True))
    if period is not None:
        when = period[active]
        apart = when[one] != when[other]
        one, other, similarity = one[apart], other[apart], similarity[apart]
    a, b = owner[one], owner[other]
    frame = pd.DataFrame({"source": np.minimum(a, b), "target": np.maximum(a, b), "cosine": similarity})
    return frame.loc[frame["source"] != frame["target"]].groupby(["source", "target"], as_index=False).max()


def _scored(found: pd.DataFrame, activity: pd.DataFrame, same: bool) -> pd.DataFrame:
    value = activity.groupby(["attribute", "value"]).ngroup()
    uses = pd.DataFrame({"who": activity["entity_id"], "value": value, "period": activity["period"]})
    by_period: dict[int, dict[int, set[int]]] = {}
    for (who, period), values in uses.groupby(["who", "period"])["value"]:
        by_period.setdefault(who, {})[period] = set(values)
    ever = {who: set().union(*periods.values()) for who, periods in by_period.items()}
    periods = uses["period"].nunique()
    rows = []
    for a, b in zip(found["source"], found["target"], strict=True):
        common = ever[a] & ever[b]
        if not common:
            rows.append((0.0, 0.0))
            continue
        shared = [of & by_period[b][t] for t, of in by_period[a].items() if t in by_period[b]]
        together = set().union(*shared)
        always = set.intersection(*shared) if len(shared) == periods else set()
        changing = 1 - len(always) / len(together) if together else 0.0
        timing = len(together) / len(common)
        active = sum(
            bool((by_period[a].get(t, set()) | by_period[b].get(t, set())) & common) for t in range(periods)
        )
        weight = active / periods
        part = timing if same else 1 - timing
        rows.append((weight * len(common) / len(ever[a] | ever[b]), weight * changing * part))
    return found.assign(**dict(zip(("jaccard", "timing"), map(list, zip(*rows, strict=True)), strict=True)))
