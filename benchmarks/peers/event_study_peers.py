"""Event studies by public packages, one JSON line a figure.

event_study_peers.py data                       where synthdid-py keeps the data of Proposition 99
event_study_peers.py placebos CSV all|fast      seconds of the placebos of all donors; fast leaves the slow package out
event_study_peers.py staggered CSV              Callaway–Sant'Anna and Sun–Abraham by diff-diff (unit, t, y, g; 0 never)
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")


def data() -> None:
    """Print the path of the data."""
    import synthdid

    print(json.dumps({"path": str(Path(synthdid.__file__).parent / "data" / "california_prop99.csv")}))


def panel(path: str) -> pd.DataFrame:
    """Units by years, the treated one last."""
    frame = pd.read_csv(path, sep=None, engine="python")
    wide = frame.pivot(index="State", columns="Year", values="PacksPerCapita")
    return wide.loc[[*wide.index.drop("California"), "California"]]


def placebos(path: str, size: str) -> None:
    """Time the placebo of every donor."""
    wide = panel(path)
    outcomes, before = wide.to_numpy(float), int((wide.columns < 1989).sum())
    count = len(outcomes)
    from pysyncon import Synth

    z = pd.DataFrame(outcomes.T, index=wide.columns, columns=wide.index)
    start = time.perf_counter()
    synth = Synth()
    for unit in range(count - 1):
        others = [other for other in range(count - 1) if other != unit]
        synth.fit(
            X0=z.iloc[:before, others],
            X1=z.iloc[:before, unit],
            Z0=z.iloc[:before, others],
            Z1=z.iloc[:before, unit],
            custom_V=np.full(before, 1 / before),
        )
    told("pysyncon", "synthetic_control", time.perf_counter() - start)
    import synthdid

    named = {"synthetic_did": synthdid.synthdid_estimate, "synthetic_control": synthdid.sc_estimate}
    for name, estimate in named.items() if size == "all" else ():
        start = time.perf_counter()
        for unit in range(count - 1):
            moved = np.vstack([np.delete(outcomes[:-1], unit, axis=0), outcomes[unit]])
            float(estimate(moved, count - 2, before))
        told("synthdid-py", name, time.perf_counter() - start)
    for name, estimate in named.items():
        value = float(estimate(outcomes, count - 1, before))
        print(json.dumps({"package": "synthdid-py", "estimator": name, "estimate": value}), flush=True)


def told(package: str, estimator: str, seconds: float) -> None:
    """Print a time."""
    print(json.dumps({"package": package, "estimator": estimator, "seconds": seconds}), flush=True)


def staggered(path: str) -> None:
    """Print overall and event-time effects with standard errors."""
    import diff_diff

    frame = pd.read_csv(path)
    columns = {"outcome": "y", "unit": "unit", "time": "t", "first_treat": "g"}
    for controls in ("never_treated", "not_yet_treated"):
        model = diff_diff.CallawaySantAnna(
            control_group=controls, base_period="universal", estimation_method="reg", n_bootstrap=0
        )
        found = model.fit(frame, aggregate="all", **columns)
        _print(
            f"callaway_santanna, {controls}", found.event_study_effects, (found.overall_att, found.overall_se)
        )
        _print(f"callaway_santanna, {controls}, cohorts", found.group_effects, None)
    found = diff_diff.SunAbraham(control_group="never_treated").fit(frame, **columns)
    _print("sun_abraham", found.event_study_effects, None)


def _print(name: str, effects: dict, overall: tuple | None) -> None:
    rows = {
        str(int(key)): [float(value["effect"]), float(value["se"])]
        for key, value in effects.items()
        if np.isfinite(value["se"])
    }
    if overall:
        rows["overall"] = [float(overall[0]), float(overall[1])]
    print(json.dumps({"name": name, "effects": rows}), flush=True)


if __name__ == "__main__":
    {"data": data, "placebos": placebos, "staggered": staggered}[sys.argv[1]](*sys.argv[2:])
