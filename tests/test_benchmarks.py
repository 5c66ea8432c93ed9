"""The benchmarks' command line and lines, without running a peer."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hrtech.counts import parse_attributes

ROOT = Path(__file__).parents[1]
#: All but the large tables, which take a minute.
IDS = ["3.1", "3.2", "3.3", "3.4", "3.5"]
FIELDS = ["id", "name", "ours", "peer", "ratio", "target", "n", "interval", "reached"]


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    data = tmp_path_factory.mktemp("data") / "cases.csv"
    rows = ["kind,means", *(f"{'ab'[k % 2]},{'x;y' if k % 3 else 'x'}" for k in range(400))]
    data.write_text("\n".join(rows) + "\n", encoding="utf-8")
    # a checkout without the peers' environments: only the files, elsewhere
    root = tmp_path_factory.mktemp("checkout")
    for name in ("benchmarks", "hrtech", "resources", "assets"):
        (root / name).symlink_to(ROOT / name)
    script = (
        "import sys, runpy, pathlib; sys.path.insert(0, 'benchmarks'); import harness; "
        f"harness.ROOT = pathlib.Path({str(root)!r}); "
        f"sys.argv = ['case_release.py', '--data', {str(data)!r}, '--seed', '3', '--only', {','.join(IDS)!r}]; "
        "runpy.run_path('benchmarks/case_release.py', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.mark.slow
def test_each_line_is_a_figure_with_its_id_and_target(lines):
    figures, _ = lines
    assert all(list(one) == FIELDS for one in figures)
    # at two epsilons: records and aggregates of 3.3, all and published cells of 3.4
    times = {"3.1": 2, "3.2": 2, "3.3": 4, "3.4": 4, "3.5": 1}
    judged = [one["id"] for one in figures if one["id"] != "3.3 curve"]
    assert judged == [id for id in IDS for _ in range(times[id])]
    assert {one["reached"] for one in figures if one["id"] == "3.3 curve"} == {None}
    assert {one["target"] for one in figures if one["id"] == "3.2"} == {"≤ .45 × / ≤ .40 ×"}
    assert all(isinstance(one["ours"], float) for one in figures)


@pytest.mark.slow
def test_without_the_peer_no_ratio_counts_as_reached_and_the_mend_is_named(lines):
    figures, told = lines
    assert "run `make bench-env`" in told
    assert not any(one["reached"] for one in figures if one["id"] != "3.4")


@pytest.fixture
def modules(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import case_release_data
    import case_release_judge
    import case_release_scale

    return case_release_data, case_release_judge, case_release_scale


def test_the_judge_says_what_the_metrics_say(modules, tmp_path):
    data, judge, _ = modules
    from peers import metrics

    rng = np.random.default_rng(1)
    path = tmp_path / "cases.csv"
    cells = {"kind": ["a", "b", "0", ""], "means": ["x;y", "y", "", "x"], "place": ["p", "q", "q", ""]}
    pd.DataFrame({name: rng.choice(own, 200) for name, own in cells.items()}).to_csv(path, index=False)
    table = data.Table.read(path)
    records = table.typed.sample(150, random_state=1).reset_index(drop=True)
    counts = {"kind:a": 40, "kind:a;place:q": 9, "kind:b;means:x;means:y": 7}
    told = pd.DataFrame({"attributes": counts.keys(), "count": counts.values()})
    parsed = {frozenset(parse_attributes(a)): c for a, c in counts.items()}
    names = list(table.text.columns)
    ours = judge.Judge(table)
    assert (
        ours.records(records) == metrics.evaluate_synthetic(table.text, data.as_text(records), names)["all"]
    )
    assert ours.aggregates(told) == metrics.evaluate_aggregates(table.text, parsed, names)["all"]


@pytest.mark.parametrize(
    ("values", "most", "reached"),
    [
        ([1.0], 1.0, True),
        ([1.1], 1.0, False),
        ([1.0, 1.3], 1.1, False),
        ([1.0, 1.1, 1.2], 1.05, True),
        ([1.1] * 5, 1.0, False),
    ],
)
def test_a_figure_is_reached_unless_its_target_is_rejected(modules, values, most, reached):
    assert modules[1].not_above(values, most) is reached


@pytest.mark.slow
def test_a_large_table_is_measured_in_a_process_of_its_own(modules):
    figures = modules[2].measure("count", rows=1000, seed=1)
    assert set(figures) == {"seconds", "gigabytes"}
    assert 0.01 < figures["gigabytes"] < 2


@pytest.fixture
def private_pgm(modules):
    import case_release
    import case_release_aim

    return case_release, case_release_aim


def test_aim_is_printed_only_on_request(private_pgm, monkeypatch, tmp_path, capsys):
    release, aim = private_pgm
    path = tmp_path / "cases.csv"
    path.write_text("kind\n" + "a\nb\n" * 20, encoding="utf-8")
    asked = aim.Figure("aim", "records", 1.0, 2.0, 0.5, None, 1, None, None)
    monkeypatch.setattr(release, "FIGURES", {})
    monkeypatch.setattr(release, "ALONE", {})
    monkeypatch.setattr(release, "beside_private_pgm", lambda one, epsilons: iter([asked]))
    for only, told in (((), 0), (("--only", "aim"), 1)):
        monkeypatch.setattr(sys, "argv", ["case_release.py", "--data", str(path), *only])
        release.main()
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert len(lines) == told
        assert all(line["target"] is None and line["reached"] is None for line in lines)


def test_aim_is_judged_as_we_are_and_says_how_far_it_got(private_pgm, modules, monkeypatch, tmp_path):
    from case_release_runs import SIZES, Comparison

    _, aim = private_pgm
    path = tmp_path / "cases.csv"
    rows = [f"{'ab'[k % 2]},{'x;y' if k % 3 else 'x'}" for k in range(400)]
    path.write_text("\n".join(["kind,means", *rows]) + "\n", encoding="utf-8")
    one = Comparison(modules[0].Table.read(path), SIZES["small"], 3)
    assert aim.product_columns(one) == 3
    asked = []
    theirs = {"mae_ge_min": 8.0, "fabricated_pct": 0.0, "missing_pct_ge_min": 2.0}
    run = {"finished": False, "cpu": 330.0, "measured_share": 0.31, "marginals": 15, "peak_rss_mb": 2048.0}

    def peer(name, script, *words):
        asked.append(dict(zip(words[1::2], words[2::2], strict=True)))
        return [run | {"synthetic": {"all": theirs}}] if len(asked) == 1 else []

    monkeypatch.setattr(aim, "run_peer", peer)
    figures = list(aim.beside_private_pgm(one, (4.0, 1.0)))
    assert [one["--workload"] for one in asked] == ["3", "3"] and float(asked[0]["--rho"]) > 0.1
    error, fabricated = figures[:2]
    assert error.peer == 8.0 and error.ratio == pytest.approx(error.ours / 8, rel=1e-3)
    assert "out of time after 330 s of its process, 31% of ρ in 15 marginals" in error.name
    assert fabricated.peer == 0 and fabricated.ratio is None
    assert [figure.peer for figure in figures[3:]] == [None] * 3 and "it did not run" in figures[3].name


def test_records_of_the_product_domain_are_those_of_the_file(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks" / "peers"))
    import aim

    table = pd.DataFrame(
        {"kind": ["a", "", "0", "a"], "sure": ["p", "q", "p", "r"], "means": ["x;y", "", "y", "z"]}
    )
    columns, says = aim.product_domain(table, ["means"], ";")
    assert [len(set(cells)) for cells in columns.values()] == [3, 3, 2, 2, 2]
    assert all(None in cells for cells in columns.values()), (
        "null is a level of every column, so it stands for one"
    )
    assert aim.as_cells(columns, says, list(table), ";").equals(table)
