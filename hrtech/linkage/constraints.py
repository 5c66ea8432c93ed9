"""Human judgements as constraints on entities: which records must be together and which apart.

A "different" holds against any chain of "same" that contradicts it: the chain then counts as strong evidence and no
longer as a rule, and every judgement that took part is listed, so that somebody can settle it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from hrtech.linkage.spec import LinkageError

KEYS: Final = ("register_l", "record_l", "register_r", "record_r")
DECISIONS: Final = ("same", "different", "unsure")
_COLUMNS: Final = [*KEYS, "decision", "contradiction"]
_CHAIN: Final = "called the same, directly or by a chain, and called different"
_REPEATED: Final = "called the same, though their register is declared free of duplicates"


def _no_pairs() -> np.ndarray:
    return np.empty((0, 2), dtype=np.int64)


@dataclass(frozen=True)
class Constraints:
    """What judgements demand.

    Attributes:
        together: Row numbers of pairs judged the same, shape (n, 2).
        apart: Row numbers of pairs judged different, shape (n, 2).
        contradictions: `register_l, record_l, register_r, record_r, decision, contradiction`: judgements that
            contradict one another or the declaration.
        notes: Judgements about records that are not there, in words.
    """

    together: np.ndarray = field(default_factory=_no_pairs)
    apart: np.ndarray = field(default_factory=_no_pairs)
    contradictions: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=_COLUMNS, dtype="str"))
    notes: tuple[str, ...] = ()


def chains(pairs: np.ndarray, size: int) -> np.ndarray:
    """Return for each of `size` records the number of the group that the pairs, shape (n, 2), chain it to."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), dtype=bool)
    graph = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1])


def contradicted(together: np.ndarray, apart: np.ndarray, size: int) -> np.ndarray:
    """Mark the pairs of `together` that are in a chain between two records of one pair of `apart`."""
    if not len(together) or not len(apart):
        return np.zeros(len(together), dtype=bool)
    chain = chains(together, size)
    broken = chain[apart[:, 0]][chain[apart[:, 0]] == chain[apart[:, 1]]]
    return np.isin(chain[together[:, 0]], broken)


def constraints_of(
    records: pd.DataFrame, judgements: pd.DataFrame | None, alone: Sequence[str] = ()
) -> Constraints:
    """Turn judgements into constraints on rows.

    Args:
        records: `register` and `record_id`, in the order of the rows.
        judgements: `register_l, record_l, register_r, record_r, decision`, the latest decision of each pair.
        alone: Registers declared free of duplicates.

    Raises:
        LinkageError: A column is missing, a decision is unknown, or a pair has two decisions.
    """
    if judgements is None or judgements.empty:
        return Constraints()
    _check(judgements)
    rows = pd.Series(np.arange(len(records)), index=_keys(records["register"], records["record_id"]))
    sides = [
        rows.reindex(_keys(judgements[f"register_{side}"], judgements[f"record_{side}"])).to_numpy()
        for side in "lr"
    ]
    known = ~np.isnan(sides[0]) & ~np.isnan(sides[1])
    pairs = np.stack([np.where(known, side, 0).astype(np.int64) for side in sides], axis=1)
    decision = judgements["decision"].to_numpy()
    if itself := int((known & (pairs[:, 0] == pairs[:, 1])).sum()):
        raise LinkageError(f"{itself} judgements compare a record with itself. Take them back")
    _once(pairs[known])
    same, different = known & (decision == "same"), known & (decision == "different")
    together, apart = pairs[same], pairs[different]
    notes: tuple[str, ...] = ()
    if lost := int((~known).sum()):
        notes = (f"{lost} judgements are about records that are no longer in the registers",)
    found = _contradictions(records, together, apart, alone)
    return Constraints(together, apart, found, notes)


def _keys(register: pd.Series, record: pd.Series) -> pd.Index:
    return pd.Index(register.astype("str") + "\x1f" + record.astype("str"))


def _check(judgements: pd.DataFrame) -> None:
    wanted = [*KEYS, "decision"]
    if missing := [column for column in wanted if column not in judgements.columns]:
        raise LinkageError(f"The table of judgements lacks the column {', '.join(missing)}")
    if blank := int(judgements[wanted].isna().any(axis=1).sum()):
        raise LinkageError(f"{blank} judgements lack a record, a register or a decision. Complete them")
    if not judgements["decision"].isin(DECISIONS).all():
        raise LinkageError(f"A judgement is one of {', '.join(DECISIONS)} [column: decision]")


def _once(pairs: np.ndarray) -> None:
    if twice := int(pd.DataFrame(np.sort(pairs, axis=1)).duplicated().sum()):
        raise LinkageError(f"{twice} pairs of records have two judgements. Pass the latest of each only")


def _contradictions(
    records: pd.DataFrame, together: np.ndarray, apart: np.ndarray, alone: Sequence[str]
) -> pd.DataFrame:
    size = len(records)
    chain = chains(together, size)
    inside = chain[apart[:, 0]] == chain[apart[:, 1]] if len(apart) else np.zeros(0, dtype=bool)
    register = records["register"].astype("str")
    single = pd.DataFrame({"chain": chain, "register": register})[register.isin(list(alone)).to_numpy()]
    repeated = single.loc[single.duplicated().to_numpy(), "chain"].to_numpy()
    twice = np.isin(chain[together[:, 0]], repeated)
    parts = (
        (apart[inside], "different", _CHAIN),
        (together[contradicted(together, apart, size)], "same", _CHAIN),
        (together[twice], "same", _REPEATED),
    )
    tables = []
    for pairs, decision, reason in parts:
        named = {
            f"{column}_{side}": records[name].astype("str").take(pairs[:, i]).to_numpy()
            for i, side in enumerate("lr")
            for column, name in (("register", "register"), ("record", "record_id"))
        }
        tables.append(pd.DataFrame(named).assign(decision=decision, contradiction=reason))
    return pd.concat(tables, ignore_index=True)[_COLUMNS].astype("str")
