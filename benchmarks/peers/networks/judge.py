"""Ranking metrics for planted rings (no graph library used). score: {company: float}"""

import numpy as np


def rank_eval(score, truth, flags, ks=(50, 100)):
    comp = truth.company.to_numpy()
    y = (truth.role == "member").to_numpy()
    kind = truth.kind.to_numpy()
    fl = set(flags.company)
    u = np.array([c not in fl for c in comp])
    s = np.array([score.get(c, -1e9) for c in comp], float)
    g = np.random.default_rng(0)
    o = {}

    def auc(s, y):
        from scipy.stats import rankdata

        r = rankdata(s)
        n1 = y.sum()
        n0 = len(y) - n1
        return round(float((r[y].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)), 4) if n1 and n0 else None

    def pk(s, y, k):
        return round(float(np.mean([y[np.lexsort((g.random(len(s)), -s))[:k]].mean() for _ in range(10)])), 4)

    shell_m = (truth.role == "shell").to_numpy()
    for nm, m in (("all", ~shell_m), ("unflagged", u & ~shell_m)):
        yy, ss, kk = y[m], s[m], kind[m]
        o[nm] = {
            "n_pos": int(yy.sum()),
            "auc": auc(ss, yy),
            "p@npos": pk(ss, yy, int(yy.sum())),
            "p@half": pk(ss, yy, max(1, int(yy.sum()) // 2)),
        }
        for kd in ("ring", "shell"):
            q = ~yy | (kk == kd)
            o[nm][f"auc_{kd}"] = auc(ss[q], yy[q])
    return o


def group_eval(group, truth):
    """Pairwise precision (over all companies) and recall (over ring members) of groups against planted rings."""
    from collections import Counter

    def c2(n):
        return n * (n - 1) / 2

    t = {c: r for c, r, ro in zip(truth.company, truth.ring, truth.role, strict=True) if ro == "member"}
    cell = Counter((group[c], t[c]) for c in t if c in group)
    P = Counter(group[c] for c in group)
    T = Counter(t.values())
    tp = sum(c2(v) for v in cell.values())
    touched = {g for g, _ in cell}
    fp_base = sum(c2(P[g]) for g in touched)
    return {
        "ring_pair_recall": round(tp / max(1, sum(map(c2, T.values()))), 4),
        "pair_precision_in_touched_groups": round(tp / fp_base, 4) if fp_base else None,
        "rings_recovered_80": round(
            np.mean(
                [
                    max([v for (g, r2), v in cell.items() if r2 == r], default=0) >= 0.8 * n
                    for r, n in T.items()
                ]
            ),
            4,
        ),
    }
