"""Attribute values made comparable: who holds which value, how common it is, and which values travel together."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from hrtech.linkage.normalise import normalise
from hrtech.linkage.spec import FieldKind
from hrtech.networks.near import near_values
from hrtech.networks.pairs import Ints, hypergeometric, pairs_within
from hrtech.networks.spec import NetworkSpec, Rejects, numbered

_KINDS_BY_NAME: Final[dict[str, FieldKind]] = {"phone": "phone", "email": "email", "address": "address"}
_EXACT: Final = frozenset({"phone", "identifier", "date"})
#: Digits at the end of a number that do not change with the way its country and trunk prefix are written.
_PHONE_DIGITS: Final = 9
#: Entities that must hold two values both, and share of the rarer one's holders, for the values to travel together.
_PACKAGE_HOLDERS: Final = 3
_PACKAGE_SHARE: Final = 0.3
_PACKAGE_CHANCE: Final = 0.001


@dataclass(frozen=True)
class SharedValues:
    """Values and their holders.

    Attributes:
        holders: `entity` (position), `value` (position in `values`), `certainty` (greatest match probability of the
            records that hold it), each pair once.
        values: `attribute, text, holders, spellings, package`: values of one package travel together, such as the
            address and phone of an agent.
    """

    holders: pd.DataFrame
    values: pd.DataFrame


def shared_values(
    attributes: pd.DataFrame,
    ids: pd.Index,
    spec: NetworkSpec,
    rejects: Rejects,
    facts: pd.DataFrame | None = None,
) -> SharedValues:
    """Make values comparable and count their holders.

    Args:
        attributes: `entity_id, attribute, value`, one row each, and where known `match_probability` that the record is
            the entity's, and `from_date`, `to_date`.
        ids: Known ids; an entity's position is its place there.
        spec: The declaration.
        rejects: Receives rows about unknown entities and values that cannot be used.
        facts: Values that need no comparison, such as ultimate owners: `entity` (position), `attribute, text`.
    """
    frame = numbered(attributes, "attributes", ("entity_id", "attribute", "value"))
    frame = frame.assign(attribute=frame["attribute"].astype("str"), certainty=match_probability(frame))
    frame = rejects.split("attributes", frame, frame["value"].isna(), "the value is blank")
    frame = frame.assign(entity=ids.get_indexer(pd.Index(frame["entity_id"].astype("str"))))
    frame = rejects.split("attributes", frame, frame["entity"] < 0, "the entity is unknown")
    outside = ~frame["certainty"].between(0, 1)
    frame = rejects.split("attributes", frame, outside, "the match probability is not between 0 and 1")
    frame = rejects.split("attributes", frame, backwards(frame), "it ends before it begins")
    parts = [_comparable(str(name), part, spec) for name, part in frame.groupby("attribute", sort=True)]
    frame = pd.concat(parts) if parts else frame.assign(text=pd.Series(dtype="str"), exact=False)
    frame = rejects.split(
        "attributes", frame, frame["text"].isna(), "nothing comparable is left of the value"
    )
    columns = ["entity", "attribute", "text", "certainty", "exact"]
    more = facts.assign(certainty=1.0, exact=True) if facts is not None else frame.iloc[:0]
    return _counted(pd.concat([frame[columns], more[columns]], ignore_index=True), len(ids))


def match_probability(frame: pd.DataFrame) -> pd.Series:
    """Return the column `match_probability`, 1 where it is absent or blank."""
    if "match_probability" not in frame.columns:
        return pd.Series(1.0, index=frame.index)
    return frame["match_probability"].astype("Float64").fillna(1.0).astype("float64")


def backwards(frame: pd.DataFrame) -> pd.Series:
    """Say which rows end (`to_date`) before they begin (`from_date`)."""
    if not {"from_date", "to_date"} <= set(frame.columns):
        return pd.Series(False, index=frame.index)
    begin, end = (pd.to_datetime(frame[name], errors="coerce") for name in ("from_date", "to_date"))
    return end < begin


def _comparable(attribute: str, part: pd.DataFrame, spec: NetworkSpec) -> pd.DataFrame:
    kind = spec.attribute_kinds.get(attribute) or _KINDS_BY_NAME.get(attribute, "category")
    if kind == "phone":
        # an extension is no part of the number; ways to write its country differ in front
        digits = part["value"].astype("str").str.replace(r"(?i)\s*(?:x|ext)\.?\s*\d+$|\D", "", regex=True)
        digits = digits.str.lstrip("0").str[-_PHONE_DIGITS:]
        text = digits.where(digits != "").astype("str")
    else:
        text = normalise(part["value"], kind)
    return part.assign(text=text, exact=kind in _EXACT)


def _counted(frame: pd.DataFrame, entities: int) -> SharedValues:
    values = frame.groupby(["attribute", "text"]).agg(exact=("exact", "first"), rows=("exact", "size"))
    values = values.reset_index()
    # the spelling that most use comes first and names its group
    values = values.sort_values(["rows", "text"], ascending=[False, True], ignore_index=True)
    group = np.arange(len(values))
    for _, part in values.loc[~values["exact"].astype(bool)].groupby("attribute"):
        place = part.index.to_numpy()
        group[place] = place[near_values(part["text"])]
    code, spelling = np.unique(group, return_inverse=True)
    values = values.assign(value=spelling)
    keys = ["attribute", "text"]
    holders = frame[["entity", "certainty", *keys]].merge(values[[*keys, "value"]], on=keys)
    holders = holders.sort_values("certainty", ascending=False, kind="stable")
    holders = holders[["entity", "value", "certainty"]].drop_duplicates(
        ["entity", "value"], ignore_index=True
    )
    holders = holders.astype({"entity": "int64", "value": "int64"})
    table = pd.DataFrame(
        {
            "attribute": values["attribute"].to_numpy()[code],
            "text": values["text"].to_numpy()[code],
            "holders": np.bincount(holders["value"], minlength=len(code)),
            "spellings": np.bincount(spelling, minlength=len(code)),
        }
    ).astype({"attribute": "str", "text": "str"})
    return SharedValues(holders, table.assign(package=_packages(holders, table, entities)))


def _packages(holders: pd.DataFrame, values: pd.DataFrame, entities: int) -> Ints:
    """Join values that travel together: three or more hold both, or all holders of one are among those of the other.

    The latter where at least three hold the other, and both only where chance would hardly do it, or where the holders
    are the same. Whoever sells an address sells a phone with it, so that sharing both tells no more than sharing one.
    Two values that the same two alone hold stay two.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    size = values["holders"].to_numpy()
    common = holders.loc[size[holders["value"].to_numpy()] > 1]
    most = int(common.groupby("entity").size().max()) if len(common) else 0
    first, second, _ = pairs_within(
        common["entity"].to_numpy(np.int64), common["value"].to_numpy(np.int64), most
    )
    counted = pd.DataFrame({"first": first, "second": second}).value_counts(sort=False)
    both = counted.rename("both").reset_index()
    one, other = size[both["first"].to_numpy(np.int64)], size[both["second"].to_numpy(np.int64)]
    together = both["both"].to_numpy()
    fewer, more = np.minimum(one, other), np.maximum(one, other)
    within = (together == fewer) & (more >= _PACKAGE_HOLDERS)
    many = (together >= _PACKAGE_HOLDERS) & (together >= _PACKAGE_SHARE * fewer)
    kind = values["attribute"].to_numpy()
    different = kind[both["first"].to_numpy(np.int64)] != kind[both["second"].to_numpy(np.int64)]
    at = np.flatnonzero((within | many) & different)
    urn, count, _, tail = hypergeometric(one[at], other[at], np.full(len(at), entities))
    rare = np.zeros(len(at), dtype=bool)
    rare[urn[(count == together[at][urn]) & (tail < _PACKAGE_CHANCE)]] = True
    same = (together[at] == one[at]) & (together[at] == other[at])
    chosen = both.iloc[at[rare | same]]
    graph = sparse.coo_array(
        (np.ones(len(chosen)), (chosen["first"], chosen["second"])), shape=(len(values), len(values))
    )
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
