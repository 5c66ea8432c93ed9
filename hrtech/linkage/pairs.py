"""The pairs that blocking rules reach, each once, made by DuckDB from integer keys."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from hrtech.linkage.spec import LinkageMode

Pairs = tuple[np.ndarray, np.ndarray]

_NONE: Final = np.empty(0, dtype=np.int64)


def codes_of(key: pd.Series) -> np.ndarray:
    """Return one number per distinct key, -1 where it is missing."""
    return np.asarray(pd.factorize(key)[0]).astype(np.int64)


def count_coded(codes: np.ndarray, register: np.ndarray, mode: LinkageMode) -> int:
    """Count the pairs of equal codes (0 and above) that the mode allows.

    Args:
        codes: One number per record; negative reaches nothing.
        register: Number of each record's register.
        mode: What is linked.
    """
    known = codes >= 0
    total = _pairs_of_equal(codes[known])
    if mode != "link":
        return total
    return total - _pairs_of_equal(codes[known] * (int(register.max()) + 1) + register[known])


def _pairs_of_equal(codes: np.ndarray) -> int:
    if not len(codes):
        return 0
    ordered = np.sort(codes)
    edges = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
    sizes = np.diff(edges, append=len(ordered)).astype(np.int64)
    return int((sizes * (sizes - 1) // 2).sum())


def make_pairs(keys: Sequence[np.ndarray], register: np.ndarray, mode: LinkageMode) -> Pairs:
    """Return every pair of records (row numbers, left < right) that agrees on a key, each once, in order.

    Args:
        keys: Per rule one number per record, negative where it reaches nothing.
        register: Number of each record's register.
        mode: What is linked.
    """
    import duckdb

    columns = {f"k{i}": pa.array(key, pa.int64(), mask=key < 0) for i, key in enumerate(keys)}
    table = pa.table({"row": np.arange(len(register)), "register": register} | columns)
    with duckdb.connect(":memory:") as connection:
        connection.register("given", table)
        connection.execute("create table records as select * from given")
        selects = []
        for i in range(len(keys)):
            apart = " and l.register <> r.register" if mode == "link" else ""
            earlier = "".join(f" and (l.k{j} = r.k{j}) is not true" for j in range(i))
            selects.append(
                f"select l.row a, r.row b from records l join records r on l.k{i} = r.k{i} "
                f"where l.row < r.row{apart}{earlier}"
            )
        if not selects:
            return _NONE, _NONE
        found = connection.sql(f"select a, b from ({' union all '.join(selects)}) order by a, b").fetchnumpy()
    return np.asarray(found["a"]).astype(np.int64), np.asarray(found["b"]).astype(np.int64)


def only_new(pairs: Pairs, known: Pairs, size: int) -> Pairs:
    """Return the pairs that are not among the known ones."""
    mine, theirs = pairs[0] * size + pairs[1], known[0] * size + known[1]
    fresh = ~np.isin(mine, theirs)
    return pairs[0][fresh], pairs[1][fresh]


def reached_by(pairs: Pairs, keys: Sequence[np.ndarray]) -> np.ndarray:
    """Count the rules that reach each pair."""
    left, right = pairs
    reached = np.zeros(len(left), dtype=np.int64)
    for key in keys:
        reached += (key[left] == key[right]) & (key[left] >= 0)
    return reached
