"""Milieux: entities that move among the same values, such as the firms of one trade.

What is rare overall can be common in a milieu, so that chance is worked out within it. Milieux are communities of the
graph of entities and the values they use (Leiden with modularity: Traag, Waltman and van Eck 2019). Modularity does
not resolve groups that are small beside the graph; those below a smallest size are pooled all the same, since a
milieu must not explain away the few who act together.
"""

import numpy as np
from scipy import sparse

from hrtech.networks.communities import leiden
from hrtech.networks.pairs import Ints


def milieux(entity: Ints, value: Ints, entities: int, smallest: int, seed: int) -> Ints:
    """Find the milieu of each entity.

    Args:
        entity: Code of the entity of each use, below `entities`.
        value: Code of the value that is used.
        entities: Number of entities.
        smallest: Smaller communities, and entities without uses, are pooled in milieu 0.
        seed: Seed of the order in which entities are visited.

    Returns:
        Codes from 0, shape (entities,).
    """
    uses = np.unique(np.column_stack([entity, value]), axis=0)
    uses = uses[np.bincount(uses[:, 1])[uses[:, 1]] > 1]
    if not len(uses):
        return np.zeros(entities, dtype=np.int64)
    held = np.unique(uses[:, 1], return_inverse=True)[1]
    size = entities + int(held.max()) + 1
    graph = sparse.coo_array((np.ones(len(uses)), (uses[:, 0], entities + held)), shape=(size, size)).tocsr()
    label = leiden(sparse.csr_array(graph + graph.T), 1.0, seed, modularity=True)
    _, code, members = np.unique(label[:entities], return_inverse=True, return_counts=True)
    large = members >= smallest
    renamed = np.where(large, np.cumsum(large), 0)
    return np.unique(renamed[code], return_inverse=True)[1].astype(np.int64)
