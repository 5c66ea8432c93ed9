"""The demo's code location: the studies under `defs/`, with the policy files beside them."""

import dagster as dg

from hrtech_dagster.location import code_location


@dg.definitions
def defs() -> dg.Definitions:
    """Load the demo's studies; a graph that could leak does not load."""
    return code_location(__file__)
