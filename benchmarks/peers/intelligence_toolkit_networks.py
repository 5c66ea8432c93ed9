"""Run the Intelligence Toolkit's Detect Entity Networks on a world; one JSON line.

Without a language model and without fuzzy matching, which made it worse on these worlds. Attributes: address, phone,
email, director, owner, and each entity's own id, so that an ownership step can be walked; with `--tenders` also the
tender, which is how it can be told of bids.
"""

import argparse
import json
import resource
import sys
import time
import types
from pathlib import Path

# imported for embeddings, which are not used here
sys.modules["sentence_transformers"] = types.SimpleNamespace(SentenceTransformer=None)

sys.path.insert(0, str(Path(__file__).parent / "networks"))


def main() -> None:
    """Find networks in the world and judge them."""
    import pandas as pd
    import polars as pl
    from intelligence_toolkit.detect_entity_networks.api import DetectEntityNetworks
    from intelligence_toolkit.detect_entity_networks.classes import FlagAggregatorType
    from judge import group_eval, rank_eval

    parser = argparse.ArgumentParser()
    parser.add_argument("world", type=Path)
    parser.add_argument("--tenders", action="store_true")
    options = parser.parse_args()
    names = ("attrs", "ownership", "flags", "truth", "bids", "companies")
    attrs, ownership, flags, truth, bids, companies = (
        pd.read_parquet(options.world / f"{k}.parquet") for k in names
    )
    start = time.perf_counter()
    workflow = DetectEntityNetworks()
    for kind in ("address", "phone", "email", "director"):
        held = attrs.loc[attrs["kind"] == kind, ["entity", "value"]].rename(columns={"value": kind})
        workflow.add_attribute_links(pl.from_pandas(held), "entity", [kind])
    workflow.add_attribute_links(pl.from_pandas(ownership[["owned", "owner"]]), "owned", ["owner"])
    self_links = pd.DataFrame({"entity": companies["company"], "self": companies["company"]})
    workflow.add_attribute_links(pl.from_pandas(self_links), "entity", ["self"])
    if options.tenders:
        workflow.add_attribute_links(pl.from_pandas(bids[["company", "tender"]]), "company", ["tender"])
    counted = (
        flags.groupby("company").size().reindex(companies["company"], fill_value=0).reset_index(name="n")
    )
    workflow.add_flag_links(pl.from_pandas(counted), "company", ["n"], FlagAggregatorType.Count)
    workflow.identify()
    found = workflow.get_entity_df().to_pandas()
    seconds = time.perf_counter() - start
    # of its columns, the one that ranks best
    columns = {
        name: found[name].astype(float) for name in ("flagged/unflagged", "flags/entity", "network_flags")
    }
    ranked = {
        name: rank_eval(dict(zip(found["entity_id"], column, strict=True)), truth, flags)["unflagged"]
        for name, column in columns.items()
    }
    best = max(ranked, key=lambda name: ranked[name]["auc"])
    groups = group_eval(dict(zip(found["entity_id"], found["network_id"], strict=True)), truth)
    print(
        json.dumps(
            {
                "auc": ranked[best]["auc"],
                "precision": max(one["p@npos"] for one in ranked.values()),
                "column": best,
                "recall": groups["ring_pair_recall"],
                "group_precision": groups["pair_precision_in_touched_groups"],
                "seconds": seconds,
                "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
            }
        )
    )


if __name__ == "__main__":
    main()
