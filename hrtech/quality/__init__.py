"""Data quality: expectations as data, judged by Great Expectations, told as counts.

What belongs here: the suite that follows from a declaration (`default_suite`), expectations from a study's settings
(`expectation_from_settings`, `suite_from_settings`), and judging them (`run_suite`). What does not: anything that
repeats a value. An outcome holds counts, percentages and column names, and Great Expectations' own reports, samples
and log lines, which quote cells, never leave this package.

Reading the suite imports nothing heavy; Great Expectations is loaded when a suite is run.
"""

from hrtech.quality.expectations import (
    Expectation,
    QualityError,
    Severity,
    default_suite,
    expectation_from_settings,
    suite_from_settings,
)
from hrtech.quality.run import Outcome, run_suite

__all__ = [
    "Expectation",
    "Outcome",
    "QualityError",
    "Severity",
    "default_suite",
    "expectation_from_settings",
    "run_suite",
    "suite_from_settings",
]
