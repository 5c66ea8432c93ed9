"""Large tables, each measured in a process of its own, so that its peak memory is its own.

`measure` starts that process; it runs one of the functions here and prints one JSON line.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
#: Columns are banded until there are so many combinations; the file that the engine was tuned on has fewer.
MOST_CELLS = 200_000


def measure(function: str, **settings) -> dict:
    """Run a function of this file in a process of its own; its figures, with `gigabytes` of peak memory."""
    script = "import sys, json, harness, case_release_scale as scale; " + (
        "scale.tell(getattr(scale, sys.argv[1])(**json.loads(sys.argv[2])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, function, json.dumps(settings)],
        env=os.environ | {"PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def tell(figures: dict) -> None:
    """Print figures of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps(figures | {"gigabytes": peak}), flush=True)


def count(rows: int, seed: int) -> dict:
    """Count a random table of 16 columns exactly, at length 3."""
    import numpy as np
    import pandas as pd

    from hrtech.counts import count_combinations, encode

    rng = np.random.default_rng(seed)
    sizes = [2, 2, 3, 3, 2, 3, 2, 4, 2, 3, 2, 3, 2, 4, 2, 4]
    frame = pd.DataFrame(
        {
            f"column_{place}": pd.Categorical.from_codes(
                rng.integers(0, size, rows), [f"v{k}" for k in range(size)]
            )
            for place, size in enumerate(sizes)
        }
    )
    # loads compiled code
    count_combinations(encode(frame.head(10), list(frame.columns)), 3)
    started = time.perf_counter()
    count_combinations(encode(frame, list(frame.columns)), 3)
    return {"seconds": time.perf_counter() - started}


def release(path: str, rows: int, columns: int, length: int, epsilon: float, seed: int) -> dict:
    """Release a table grown to this size and banded, from typed records to aggregates and synthetic records."""
    import numpy as np
    from case_release_data import Table, banded

    from hrtech.release.declared import ReleaseSettings
    from hrtech.release.mechanism import draw
    from hrtech.release.publish import publish

    rng = np.random.default_rng(seed)
    grown = Table.read(Path(path)).grown(rows, columns, rng)
    table = banded(grown, length, MOST_CELLS)

    def once(of: Table):
        settings = ReleaseSettings(epsilon=epsilon, delta=of.delta, reporting_length=length)
        return (made := draw(of.typed, settings, of.schema)), publish(made, settings, rng)

    # loads compiled code
    once(table.part(2_000, 5, rng))
    frame = table.typed
    started, busy = time.perf_counter(), time.process_time()
    made, published = once(table)
    spent = time.perf_counter() - started, time.process_time() - busy
    return {
        "seconds": spent[0],
        "cpu": spent[1],
        "rows": len(frame),
        "attributes": made.layout.n_attributes,
        "cells": sum(made.layout.size(k) for k in range(1, length + 1)),
        "aggregates": len(published.aggregates),
        "banded": not table.text.equals(grown.text),
        "misfit": max(published.misfit.values()),
    }
