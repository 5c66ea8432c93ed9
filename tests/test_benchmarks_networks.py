"""The networks benchmark's command line and its judge, on a small world and without running the peer."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
FIELDS = ["id", "name", "ours", "peer", "ratio", "target", "n", "interval", "reached"]
SCRIPT = """
import sys, runpy, pathlib
sys.path.insert(0, "benchmarks")
from entity_network_worlds import World
folder = pathlib.Path(sys.argv[1])
World.make(400, 9).write(folder)
sys.argv = ["entity_network.py", "--data", str(folder), "--only", "4.7,4.8"]
runpy.run_path("benchmarks/entity_network.py", run_name="__main__")
"""


@pytest.mark.slow
def test_a_world_in_a_folder_is_measured_as_one_line_a_figure(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["id"] for one in lines] == ["4.7", "4.7", "4.8", "4.8", "4.8"]
    assert all(list(one) == FIELDS for one in lines)
    assert all(0.5 < one["ours"] <= 1 for one in lines)
    assert "400 firms" in lines[0]["name"]
    truth = pd.read_parquet(tmp_path / "truth.parquet")
    assert (truth["role"] == "member").sum() > 0
