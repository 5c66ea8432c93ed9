"""The Intelligence Toolkit's comparison of case groups: how many small counts its table prints.

Run in its own environment: `python intelligence_toolkit_groups.py RECORDS.csv MINIMUM`. Prints one JSON line.
"""

import json
import sys
import types

# imported for embeddings, which are not used here
sys.modules["sentence_transformers"] = types.SimpleNamespace(SentenceTransformer=None)


def main() -> None:
    """Compare the groups of the file by its years and count what is small."""
    import polars as pl
    from intelligence_toolkit.compare_case_groups.api import CompareCaseGroups

    path, minimum = sys.argv[1], int(sys.argv[2])
    records = pl.read_csv(path, infer_schema_length=0)
    workflow = CompareCaseGroups()
    workflow.create_data_summary(records, [], ["group"], ["held"], "year")
    table = workflow.model_df.to_pandas()
    counts = [name for name in table.columns if name.endswith("_count")]
    cells = table[counts].to_numpy().ravel()
    small = int(((cells > 0) & (cells < minimum)).sum())
    print(json.dumps({"counts": len(cells), "small": small, "intervals": 0}))


if __name__ == "__main__":
    main()
