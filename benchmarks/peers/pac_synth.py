"""Run PAC-Synth on a CSV and judge it with metrics.py; one JSON line a run.

PAC-Synth takes no seed, so repeats are independent.
"""

import argparse
import json
import math
import os
import resource
import sys
import time

import pandas as pd

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import metrics
from pacsynth import (
    AccuracyMode,
    Dataset,
    DpAggregateSeededParametersBuilder,
    DpAggregateSeededSynthesizer,
    FabricationMode,
    set_number_of_threads,
)

ap = argparse.ArgumentParser()
ap.add_argument("csv")
ap.add_argument("--epsilon", type=float, default=4.0)
ap.add_argument("--delta", type=float, default=None)
ap.add_argument("--length", type=int, default=3)
ap.add_argument("--repeats", type=int, default=1)
ap.add_argument("--sep", default=";")
ap.add_argument("--columns", default="")
ap.add_argument("--fabrication", default="uncontrolled")
ap.add_argument("--accuracy", default="prioritize_long_combinations")
ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--synthetic-counts", action="store_true")
ap.add_argument("--skip-sample", action="store_true")
a = ap.parse_args()
set_number_of_threads(a.threads)
df = pd.read_csv(a.csv, dtype=str, keep_default_na=False)
cols = a.columns.split(",") if a.columns else list(df.columns)
df = df[cols]
multi = [c for c in cols if df[c].str.contains(a.sep, regex=False).any()]
n = len(df)
delta = a.delta if a.delta else 1 / (n * math.log(n))
for rep in range(a.repeats):
    t0 = time.perf_counter()
    ds = Dataset.from_data_frame(df, multi_value_columns={c: a.sep for c in multi})
    t1 = time.perf_counter()
    b = (
        DpAggregateSeededParametersBuilder()
        .reporting_length(a.length)
        .epsilon(a.epsilon)
        .delta(delta)
        .accuracy_mode(getattr(AccuracyMode, a.accuracy)())
        .fabrication_mode(getattr(FabricationMode, a.fabrication)())
        .use_synthetic_counts(a.synthetic_counts)
    )
    s = DpAggregateSeededSynthesizer(b.build())
    c1 = time.process_time()
    s.fit(ds)
    t2, c2 = time.perf_counter(), time.process_time()
    agg = s.get_dp_aggregates(";")
    t3 = time.perf_counter()
    out = dict(
        tool="pac-synth 0.0.8",
        epsilon=a.epsilon,
        delta=delta,
        length=a.length,
        repeat=rep,
        n=n,
        fabrication=a.fabrication,
        accuracy=a.accuracy,
        use_synthetic_counts=a.synthetic_counts,
        load_s=t1 - t0,
        fit_s=t2 - t1,
        fit_cpu_s=c2 - c1,
        dp_n=s.get_dp_number_of_records(),
        n_aggregates=len(agg),
    )
    if not a.skip_sample:
        t3, c3 = time.perf_counter(), time.process_time()
        raw = s.sample(None, True)
        out["sample_s"] = time.perf_counter() - t3
        out["sample_cpu_s"] = time.process_time() - c3
        syn = Dataset.raw_data_to_data_frame(raw)
        out["synthetic"] = metrics.evaluate_synthetic(df, syn, cols, a.sep, min(a.length, 3))
    out["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    out["aggregates"] = metrics.evaluate_aggregates(df, agg, cols, a.sep, min(a.length, 3), sep_columns=multi)
    print(json.dumps(out), flush=True)
