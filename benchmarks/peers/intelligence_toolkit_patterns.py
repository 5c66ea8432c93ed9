"""Run the Intelligence Toolkit's Detect Case Patterns on a CSV with a column `period`; one JSON line.

With `--renamed`, again after renaming the columns so that their order is reversed, and how far the answers agree.
"""

import argparse
import contextlib
import io
import json
import os
import resource
import sys
import tempfile
import time
import types
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
parser = argparse.ArgumentParser()
parser.add_argument("csv", type=Path)
parser.add_argument("--min-count", type=int, default=10)
parser.add_argument("--renamed", action="store_true")
options = parser.parse_args()
path = options.csv.resolve()
os.chdir(tempfile.mkdtemp())  # the package makes a cache folder where it is imported

# imported for embeddings, which are not used here
sys.modules["sentence_transformers"] = types.SimpleNamespace(SentenceTransformer=None)


def run(workflow, frame):
    with contextlib.redirect_stdout(io.StringIO()):
        workflow.generate_graph_model(frame, "period", "=")
        workflow.generate_embedding_model()
        workflow.detect_patterns(options.min_count, 4)
    return workflow.patterns_df


def content(patterns, back):
    return {
        (
            str(row.period),
            frozenset("=".join((back[x.split("=")[0]], x.split("=")[1])) for x in row.pattern.split(" & ")),
        )
        for row in patterns.itertuples()
    }


def main():
    import pandas as pd
    from intelligence_toolkit.detect_case_patterns.api import DetectCasePatterns

    frame = pd.read_csv(path, dtype=str)
    start = time.perf_counter()
    first = run(DetectCasePatterns(), frame)
    seconds = time.perf_counter() - start
    columns = sorted(c for c in frame if c != "period")
    out = {
        "seconds": seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "patterns": [
            {"period": str(r.period), "items": [x.split("=", 1) for x in r.pattern.split(" & ")]}
            for r in first.sort_values("overall_score", ascending=False).head(10).itertuples()
        ],
        "number": len(first),
        "exact": sorted([period, sorted(items)] for period, items in content(first, {c: c for c in columns})),
    }
    if options.renamed:
        names = {c: f"{chr(122 - k)}_{c}" for k, c in enumerate(columns)}
        second = run(
            DetectCasePatterns(),
            frame.rename(columns=names)[[*reversed([names[c] for c in columns]), "period"]],
        )
        a, b = content(first, {c: c for c in columns}), content(second, {v: k for k, v in names.items()})
        out["jaccard"] = len(a & b) / max(len(a | b), 1)
    print(json.dumps(out))


if __name__ == "__main__":
    main()
