"""The benchmark of comparisons: its worlds hold what they say, its attack finds what is not hidden."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # the harness sets them; put back afterwards
    spec = importlib.util.spec_from_file_location(
        "group_comparison_benchmark", ROOT / "benchmarks" / "group_comparison.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("clustered", [False, True])
def test_worlds_hold_the_truth_that_is_judged(benchmark, monkeypatch, clustered):
    worlds = sys.modules["group_comparison_worlds"]
    monkeypatch.setattr(worlds, "SIZES", worlds.SIZES * 60)
    made = benchmark.world(np.random.default_rng(5), clustered=clustered)
    truth, groups = made.truth.set_index("group"), made.records.groupby("group")
    largest = truth["size"].idxmax()
    assert groups["held"].mean()[largest] == pytest.approx(truth.loc[largest, "share"], rel=0.05)
    assert groups["skewed"].mean()[largest] == pytest.approx(truth.loc[largest, "skewed"], rel=0.02)
    assert groups["skewed"].median()[largest] == pytest.approx(truth.loc[largest, "median"], rel=0.02)
    rate = groups["events"].sum() / groups["exposure"].sum()
    assert rate[largest] == pytest.approx(truth.loc[largest, "rate"], rel=0.05)


def test_the_attack_finds_what_a_total_gives_back(benchmark):
    rows, cells = benchmark._margins((2, 2)), np.array([30, 4, 25, 40])
    values = rows @ cells
    plain = values >= benchmark.MINIMUM
    assert benchmark._worked_out(rows, values, plain) == (1, 1)
    hidden = plain & (values != 30) & (values != 25) & (values != 40)
    assert benchmark._worked_out(rows, values, hidden) == (0, 0)
