"""One network study of a size, timed: edges, seconds, seconds of the process, gigabytes, as a JSON line.

The world is made first, and compiled code is loaded by a small study; neither is timed.
"""

import json
import resource
import sys
import time

from harness import THREADS  # first: it fixes them

# isort: split
from entity_network_worlds import SPEC, World

from hrtech.networks import build_networks


def main(firms: int, seed: int) -> None:
    """Time a study of a world."""
    World.make(200, seed).build(bids=True)
    world = World.make(firms, seed)
    edges = world.edges
    frames, bids = world.inputs(bids=True)
    del world
    start, busy = time.perf_counter(), time.process_time()
    found = build_networks(*frames, SPEC, bids=bids)
    told = {
        "threads": int(THREADS),
        "edges": edges,
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time() - busy,
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "links": len(found.edges),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
