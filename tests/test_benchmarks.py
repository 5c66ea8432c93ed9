"""The benchmarks' command line and lines, without running a peer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
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
        f"sys.argv = ['case_release.py', '--data', {str(data)!r}, '--size', 'small', '--seed', '3']; "
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
    assert [one["id"] for one in figures] == [
        "3.7",
        "3.1",
        "3.2",
        "3.3",
        "3.3",
        "3.5",
        "3.1",
        "3.2",
        "3.3",
        "3.3",
    ]
    assert {one["target"] for one in figures if one["id"] == "3.7"} == {"≤ 10 s, ≤ 8 GB"}
    assert all(isinstance(one["ours"], float) for one in figures)


@pytest.mark.slow
def test_without_the_peer_nothing_counts_as_reached_and_the_mend_is_named(lines):
    figures, told = lines
    assert "run `make bench-env`" in told
    assert not any(one["reached"] for one in figures)
