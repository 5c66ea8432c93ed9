"""The benchmark of event studies: its worlds hold what they say, and it judges what it prints."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def benchmark(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # the harness sets them; put back afterwards
    spec = importlib.util.spec_from_file_location(
        "event_study_benchmark", ROOT / "benchmarks" / "event_study.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(
        sys.modules["harness"], "ROOT", tmp_path
    )  # a checkout without the peers' environments
    return module


def told(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


def test_worlds_hold_the_truth_that_is_judged(benchmark):
    panel, truth, y = benchmark.world(np.random.default_rng(0), 60_000)
    first, by_time = panel.adopted[panel.ever], benchmark.truth_by_time(np.arange(6))
    never = y[~panel.ever]
    found = []
    for cohort in benchmark.COHORTS:
        mine = y[panel.adopted == cohort]
        change = mine[:, cohort:].mean(axis=1) - mine[:, cohort - 1]
        found.append(
            (change.mean() - (never[:, cohort:].mean(axis=1) - never[:, cohort - 1]).mean(), len(mine))
        )
    effects, sizes = np.array(found).T
    assert effects @ sizes / len(first) == pytest.approx(truth, abs=0.05)
    assert by_time[0] == pytest.approx((2 * 0.2 + 1 * 0.25 + 0.2 * 0.2) / 0.65)


def test_it_runs_on_a_panel_of_the_same_shape_and_says_what_is_not_reached(benchmark, capsys, tmp_path):
    rng = np.random.default_rng(1)
    states = [f"State {at:02}" for at in range(38)] + ["California"]
    y = 100 + np.cumsum(rng.normal(size=31)) + 5 * rng.normal(size=(39, 1)) + rng.normal(size=(39, 31))
    table = {
        "State": np.repeat(states, 31),
        "Year": np.tile(np.arange(1970, 2001), 39),
        "PacksPerCapita": y.ravel(),
    }
    path = tmp_path / "made_up.csv"
    pd.DataFrame(table).to_csv(path, index=False)
    benchmark.errors(benchmark.proposition(path), 1)
    benchmark.speed(path, "small")
    figures = told(capsys)
    assert [one["id"] for one in figures] == ["5.6"] * 9 + ["5.7"]
    assert not any(one["reached"] for one in figures if one["name"].startswith("Proposition"))
    assert figures[-1]["ours"] > 0


def test_coverage_is_judged_as_a_test(benchmark, capsys):
    benchmark.staggered(12, 3, units=80)
    figures = {one["name"]: one for one in told(capsys)}
    assert len(figures) == 7
    assert figures["bias of callaway_santanna, not_yet_treated"]["peer"] != 0
    benchmark._coverage("narrow", 500, 1000)
    benchmark._coverage("right", 950, 1000)
    assert [one["reached"] for one in told(capsys)] == [False, True]
