"""Independent metrics for attribute-combination data (no SDS / PAC-Synth code).

An item is one (column, value) pair; a cell holding "a;b" in a multi-value column gives two items.
A combination of length L is a set of L items with a positive count in one table.  Blank cells and,
unless the column is listed in `sensitive_zeros`, "0" are not items (as in SDS).
Counting is exact and vectorised: for every item i, the co-occurrence matrix of the rows that hold i.

    m = evaluate_synthetic(true_df, synth_df, columns, sep=";")
    m = evaluate_aggregates(true_df, {"colA:v1;colB:v2": 12.3, ...}, columns, sep=";")
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

BANDS = [(10, 20), (20, 50), (50, 100), (100, 1000), (1000, np.inf)]


def _cells(df, columns):
    out = {}
    for c in columns:
        s = df[c]
        s = s.astype(object).where(~pd.isna(s), "")
        out[c] = s.map(lambda x: str(x).strip()).to_numpy()
    return out


def item_matrix(df, columns, sep=";", sensitive_zeros=(), vocab=None):
    """0/1 float32 matrix (rows x items) and the list of items. `vocab` fixes the item list (others dropped)."""
    cells = _cells(df, columns)
    n = len(df)
    parts = {}
    for c in columns:
        codes, uniq = pd.factorize(cells[c])
        for k, u in enumerate(uniq):
            for v in u.split(sep) if sep else [u]:
                v = v.strip()
                if v == "" or (v == "0" and c not in sensitive_zeros):
                    continue
                key = (c, v)
                hit = codes == k
                parts[key] = hit if key not in parts else (parts[key] | hit)
    items = vocab if vocab is not None else sorted(parts)
    X = np.zeros((n, len(items)), dtype=np.float32)
    for j, it in enumerate(items):
        if it in parts:
            X[:, j] = parts[it]
    return X, list(items)


def count_tensors(X, max_len=3):
    """Dense symmetric counts: C1[d], C2[d,d], C3[d,d,d] (only i<j<k cells are read)."""
    d = X.shape[1]
    res = [X.sum(0).astype(np.int64)]
    if max_len >= 2:
        res.append(np.rint(X.T @ X).astype(np.int64))
    if max_len >= 3:
        C3 = np.zeros((d, d, d), dtype=np.int32)
        for i in range(d):
            S = X[X[:, i] > 0][:, i:]
            C3[i, i:, i:] = np.rint(S.T @ S)
        res.append(C3)
    return res


def flat_counts(tensors, d):
    out = []
    for L, T in enumerate(tensors, 1):
        idx = np.array(list(itertools.combinations(range(d), L)), dtype=np.int32)
        out.append((idx, T[tuple(idx.T)].astype(np.float64)))
    return out


def _score(t, e, extra_fabricated=0, min_count=10):
    """t: true counts, e: estimates, over the same cells (0 = absent)."""
    m = t >= min_count
    err = np.abs(e - t)
    bands = {}
    for lo, hi in BANDS:
        b = (t >= lo) & (t < hi)
        name = f"{lo}-{int(hi)}" if np.isfinite(hi) else f"{lo}+"
        bands[name] = {
            "n": int(b.sum()),
            "mean_prop_error": float(np.mean(err[b] / t[b])) if b.any() else None,
        }
    present = e > 0
    n_est = int(present.sum()) + extra_fabricated
    fab = int((present & (t == 0)).sum()) + extra_fabricated
    return {
        "n_true": int((t > 0).sum()),
        "n_true_ge_min": int(m.sum()),
        "n_estimated": n_est,
        "mae_ge_min": float(err[m].mean()) if m.any() else None,
        "mae_all_true": float(err[t > 0].mean()) if (t > 0).any() else None,
        "mean_prop_error_ge_min": float((err[m] / t[m]).mean()) if m.any() else None,
        "bands": bands,
        "fabricated_pct": 100.0 * fab / n_est if n_est else 0.0,
        "fabricated_mass_pct": 100.0
        * float(e[present & (t == 0)].sum())
        / max(float(e[present].sum()), 1e-9),
        "missing_pct_ge_min": 100.0 * float((~present & m).sum()) / max(int(m.sum()), 1),
        "missing_pct_all": 100.0 * float((~present & (t > 0)).sum()) / max(int((t > 0).sum()), 1),
    }


def _report(true_flat, est_flat, extra=None, min_count=10):
    rep = {}
    allt, alle, x = [], [], 0
    for L, ((_, t), e) in enumerate(zip(true_flat, est_flat, strict=False), 1):
        ex = (extra or {}).get(L, 0)
        rep[f"len{L}"] = _score(t, e, ex, min_count)
        allt.append(t)
        alle.append(e)
        x += ex
    rep["all"] = _score(np.concatenate(allt), np.concatenate(alle), x, min_count)
    return rep


def evaluate_synthetic(true_df, synth_df, columns, sep=";", max_len=3, sensitive_zeros=(), min_count=10):
    Xt, it = item_matrix(true_df, columns, sep, sensitive_zeros)
    Xs, is_ = item_matrix(synth_df, columns, sep, sensitive_zeros)
    vocab = sorted(set(it) | set(is_))
    Xt, _ = item_matrix(true_df, columns, sep, sensitive_zeros, vocab)
    Xs, _ = item_matrix(synth_df, columns, sep, sensitive_zeros, vocab)
    d = len(vocab)
    tf = flat_counts(count_tensors(Xt, max_len), d)
    sf = flat_counts(count_tensors(Xs, max_len), d)
    r = _report(tf, [e for _, e in sf], min_count=min_count)
    # scale-free variant: synthetic counts rescaled to the true number of rows
    k = len(true_df) / max(len(synth_df), 1)
    r["n_synth"] = len(synth_df)
    r["all_rescaled_mae_ge_min"] = _report(tf, [e * k for _, e in sf], min_count=min_count)["all"][
        "mae_ge_min"
    ]

    # memorised whole rows: synthetic rows equal to a true row held by fewer than min_count people
    def key(X):
        return np.packbits(X.astype(bool), axis=1)

    kt, ct = np.unique(key(Xt), axis=0, return_counts=True)
    cnt = {bytes(a): int(b) for a, b in zip(kt, ct, strict=True)}
    rows = [cnt.get(bytes(a), 0) for a in key(Xs)]
    rows = np.array(rows) if rows else np.zeros(0)
    r["rows_equal_to_unique_true_row_pct"] = 100.0 * float((rows == 1).mean()) if len(rows) else 0.0
    r["rows_equal_to_rare_true_row_pct"] = (
        100.0 * float(((rows > 0) & (rows < min_count)).mean()) if len(rows) else 0.0
    )
    return r


def parse_label(label, delim=";", columns=None, sep_columns=()):
    """'colA:v;colB_x:1' -> frozenset of items.  A spread multi-value item 'IP_Gender_Male:1' is (IP_Gender, Male)."""
    items = []
    for p in label.split(delim):
        c, v = p.split(":", 1)
        if columns is not None and c not in columns:
            for b in sep_columns:
                if c.startswith(b + "_"):
                    c, v = b, c[len(b) + 1 :]
                    break
        items.append((c, v))
    return frozenset(items)


def evaluate_aggregates(
    true_df, table, columns, sep=";", max_len=3, sensitive_zeros=(), min_count=10, delim=";", sep_columns=()
):
    Xt, it = item_matrix(true_df, columns, sep, sensitive_zeros)
    d = len(it)
    pos = {x: j for j, x in enumerate(it)}
    tf = flat_counts(count_tensors(Xt, max_len), d)
    dense = [np.zeros((d,) * L) for L in range(1, max_len + 1)]
    extra = {}
    for lab, cnt in table.items():
        s = lab if isinstance(lab, frozenset) else parse_label(lab, delim, columns, sep_columns)
        L = len(s)
        if max_len < L or cnt <= 0:
            continue
        try:
            dense[L - 1][tuple(sorted(pos[x] for x in s))] = cnt
        except KeyError:
            extra[L] = extra.get(L, 0) + 1
    return _report(tf, [dense[L][tuple(idx.T)] for L, (idx, _) in enumerate(tf)], extra, min_count)
