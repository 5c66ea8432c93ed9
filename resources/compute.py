"""Where the work runs. Nothing in `assets/` changes when it runs elsewhere.

`HRTECH_EXECUTOR` chooses: `in_process` (default: one process, no start-up cost for each step) or `multiprocess`
(a process for each step, two at once).
"""

import os

import dagster as dg


def executor() -> dg.ExecutorDefinition:
    """Return the executor that `HRTECH_EXECUTOR` names.

    Raises:
        ValueError: The name is unknown.
    """
    name = os.environ.get("HRTECH_EXECUTOR", "in_process")
    if name == "in_process":
        return dg.in_process_executor
    if name == "multiprocess":
        return dg.multiprocess_executor.configured({"max_concurrent": 2})
    raise ValueError(f"HRTECH_EXECUTOR={name!r} is unknown. Use in_process or multiprocess.")
