"""Run AIM of OpenDP, which fits by private-PGM, on a CSV and judge its records with metrics.py.

One JSON line a run. It needs a product domain: values are declared from the file, and a column of several values
becomes one yes or no for each. The budget is zCDP, for adding or removing a row; nothing takes a seed, so repeats are
independent. After `--limit` seconds of work the last model that was fitted is judged, and the line says how far it got.
"""

import argparse
import json
import os
import resource
import sys
import threading
import time
from importlib.metadata import version

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
os.environ.setdefault("POLARS_MAX_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import metrics
import opendp.prelude as dp
import pandas as pd
from opendp.extras.mbi import AIM, ContingencyTable, mirror_descent

dp.enable_features("contrib")


def product_domain(df, multi, sep):
    """Columns of single values, with null for one of them, and what each column holds and its cells stand for."""
    made, says = {}, {}
    for place, (name, cells) in enumerate(df.items()):
        if name in multi:
            held = cells.map(lambda cell: {v.strip() for v in cell.split(sep)} - {""})
            for k, value in enumerate(sorted(set().union(*held))):
                column = f"c{place}_{k}"
                made[column] = ["yes" if value in one else None for one in held]
                says[column] = (name, {"yes": value, None: ""})
        else:
            values = sorted(set(cells))
            column, null = f"c{place}", values[0]  # a blank comes first where there is one
            made[column] = [None if cell == null else cell for cell in cells]
            says[column] = (name, {v: v for v in values[1:]} | {None: null})
    return made, says


def as_cells(records, says, columns, sep):
    """Records of the product domain as the file writes them."""
    parts = {name: [] for name in columns}
    for column, (name, meaning) in says.items():
        parts[name].append([meaning[cell] for cell in records[column]])
    cells = {
        name: [sep.join(filter(None, row)) for row in zip(*lists, strict=True)]
        for name, lists in parts.items()
    }
    return pd.DataFrame(cells)


class Run:
    """One run in a thread of its own; `model` and `measured` are the last that were fitted."""

    def __init__(self, table, says, asked):
        import polars as pl

        self.table = pl.DataFrame(table, schema=dict.fromkeys(table, pl.String))
        self.says, self.rho = says, asked.rho
        self.done, self.error = None, None
        self.model, self.measured = None, []
        algorithm = AIM(
            estimator=self.fit, oneway_split=asked.oneway, queries=asked.workload, rounds=asked.rounds
        )
        self.thread = threading.Thread(target=self.release, args=(algorithm,), daemon=True)

    def fit(self, domain, measured, *, potentials=None):
        """The default estimator, watched."""
        model = mirror_descent(domain, measured, potentials=potentials)
        self.model, self.measured = model, list(measured)
        return model

    @property
    def keys(self):
        """Declared values of every column, without null."""
        return {column: [v for v in meaning if v is not None] for column, (_, meaning) in self.says.items()}

    def release(self, algorithm):
        """Spend the budget."""
        try:
            context = dp.Context.compositor(
                data=self.table.lazy(),
                privacy_unit=dp.unit_of(contributions=1),
                privacy_loss=dp.loss_of(rho=self.rho),
            )
            query = context.query(rho=self.rho)
            self.done = query.contingency_table(keys=self.keys, algorithm=algorithm).release()
        except Exception as error:
            self.error = error

    def within(self, seconds):
        """Let it work for so long, and return the records of what there is by then, None of nothing."""
        busy = time.process_time()
        self.thread.start()
        while self.thread.is_alive() and time.process_time() - busy < seconds:
            self.thread.join(1)
        if self.error is not None:
            raise self.error
        if self.done is not None:
            return self.done.synthesize()
        if self.model is None:
            return None
        import polars as pl

        model = self.model
        levels = {column: [*values, None] for column, values in self.keys.items()}
        series = {column: pl.Series(column, v, dtype=pl.String) for column, v in levels.items()}
        return ContingencyTable(keys=series, cuts={}, marginals={}, model=model).synthesize()


def main():
    """Run as often as asked."""
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("csv")
    ap.add_argument("--rho", type=float, required=True)
    ap.add_argument("--length", type=int, default=3, help="of the combinations that are judged")
    ap.add_argument("--workload", type=int, default=3, help="columns together that it is asked to keep")
    ap.add_argument(
        "--oneway", type=float, default=None, help="share of rho for one-way counts; OpenDP's default"
    )
    ap.add_argument("--rounds", type=int, default=None, help="rounds planned; by default 16 for each column")
    ap.add_argument("--limit", type=float, default=1200, help="seconds of the process itself")
    ap.add_argument("--repeats", type=int, default=1)
    ap.add_argument("--sep", default=";")
    a = ap.parse_args()
    df = pd.read_csv(a.csv, dtype=str, keep_default_na=False).apply(lambda column: column.str.strip())
    multi = [c for c in df if df[c].str.contains(a.sep, regex=False).any()]
    table, says = product_domain(df, multi, a.sep)
    for repeat in range(a.repeats):
        started, busy = time.perf_counter(), time.process_time()
        run = Run(table, says, a)
        records = run.within(a.limit)
        measured = list(run.measured)
        out = {
            "tool": f"AIM of opendp {version('opendp')}, mbi {version('mbi')}",
            "rho": a.rho,
            "repeat": repeat,
            "n": len(df),
            "columns": len(says),
            "finished": run.done is not None,
            "marginals": len(measured),
            "longer": sum(len(m.clique) > 1 for m in measured),
            "measured_share": sum(0.5 / m.stddev**2 for m in measured) / a.rho,
            "seconds": time.perf_counter() - started,
            "cpu": time.process_time() - busy,
            "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        if records is not None:
            cells = as_cells(records, says, list(df), a.sep)
            out["synthetic"] = metrics.evaluate_synthetic(df, cells, list(df), a.sep, min(a.length, 3))
        print(json.dumps(out), flush=True)
    os._exit(0)  # a run that is out of time cannot be stopped otherwise


if __name__ == "__main__":
    main()
