"""Links from shared attribute values, with a probability that falls with how common a value is.

Of the d − 1 others who share a value of degree d, one is taken to be the tie that the value stands for, so that a
given one is it with probability c / (d − 1), c being the confidence in the attribute. Values with exactly the same
holders (an agent's address and phone) are one piece of evidence: the surest of them. Several pieces combine as
1 − ∏(1 − p). This ranks links; a single shared value is no discovery.
"""

from itertools import combinations
from typing import Final

import pandas as pd

from hrtech.linkage.normalise import normalise
from hrtech.linkage.spec import FieldKind
from hrtech.networks.spec import NetworkSpec, Rejects, numbered

_KINDS_BY_NAME: Final[dict[str, FieldKind]] = {"phone": "phone", "email": "email", "address": "address"}


def attribute_links(
    attributes: pd.DataFrame, entities: set[str], spec: NetworkSpec, rejects: Rejects
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Link entities that share values.

    Args:
        attributes: `entity_id, attribute, value`, one row each.
        entities: Known ids.
        spec: The declaration.
        rejects: Receives rows about unknown entities and values that cannot be used.

    Returns:
        Edges `source, target, kind, values, probability, evidence`, and hubs `attribute, value, entities`: values
        that link nobody because too many share them.
    """
    frame = numbered(attributes, "attributes", ("entity_id", "attribute", "value"))
    frame = frame.assign(
        entity_id=frame["entity_id"].astype("str"), attribute=frame["attribute"].astype("str")
    )
    frame = rejects.split("attributes", frame, frame["value"].isna(), "the value is blank")
    frame = rejects.split("attributes", frame, ~frame["entity_id"].isin(entities), "the entity is unknown")
    parts = []
    for attribute, part in frame.groupby("attribute"):
        kind = spec.attribute_kinds.get(str(attribute)) or _KINDS_BY_NAME.get(str(attribute), "category")
        parts.append(part.assign(value=normalise(part["value"], kind)))
    frame = pd.concat(parts) if parts else frame
    frame = rejects.split(
        "attributes", frame, frame["value"].isna(), "nothing comparable is left of the value"
    )
    frame = frame.drop_duplicates(["entity_id", "attribute", "value"])
    degree = frame.groupby(["attribute", "value"])["entity_id"].transform("size")
    hubs = (
        frame.loc[degree > spec.max_attribute_degree].groupby(["attribute", "value"], as_index=False).size()
    )
    hubs = hubs.rename(columns={"size": "entities"}).sort_values(
        "entities", ascending=False, ignore_index=True
    )
    shared = frame.loc[(degree > 1) & (degree <= spec.max_attribute_degree)]
    return _edges(shared, len(entities), spec), hubs


def _edges(shared: pd.DataFrame, total: int, spec: NetworkSpec) -> pd.DataFrame:
    by_holders: dict[tuple[str, ...], list[str]] = {}
    for (attribute, _), part in shared.groupby(["attribute", "value"]):
        by_holders.setdefault(tuple(sorted(part["entity_id"])), []).append(str(attribute))
    rows = []
    for holders, kinds in by_holders.items():
        names = sorted(set(kinds))
        probability = max(spec.confidence(name) for name in names) / (len(holders) - 1)
        what = " and ".join(names)
        evidence = f"the same {what}, which {len(holders)} of {total} entities have"
        rows += [
            (source, target, "+".join(names), len(kinds), probability, evidence)
            for source, target in combinations(holders, 2)
        ]
    edges = pd.DataFrame(rows, columns=["source", "target", "kind", "values", "probability", "evidence"])
    if edges.empty or spec.min_shared == 1:
        return edges
    return edges[edges.groupby(["source", "target"])["kind"].transform("size") >= spec.min_shared]
