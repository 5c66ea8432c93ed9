from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from hrtech.linkage.cluster import entity_ids
from hrtech.linkage.identity import CHANGE_COLUMNS, changes_since, keep_ids, used_ids

AT = datetime(2026, 3, 1, tzinfo=UTC)


def linked(*groups):
    """Entities as a linkage names them anew: after their smallest record."""
    records = pd.DataFrame(
        [("r", record, number) for number, group in enumerate(groups) for record in group],
        columns=["register", "record_id", "group"],
    )
    ids = entity_ids(records, records["group"].to_numpy())
    return records[["register", "record_id"]].assign(entity_id=ids)


def members(entities):
    return {
        "".join(sorted(part["record_id"])): name for name, part in entities.groupby("entity_id", sort=True)
    }


def kinds(log):
    return {(row.entity_id, row.kind): row.others for row in log.itertuples()}


def test_an_entity_keeps_its_id_when_records_join_or_leave_it():
    before = linked("bcd", "ef")
    now = keep_ids(linked("abc", "efg"), before)
    assert members(now) == {"abc": members(before)["bcd"], "efg": members(before)["ef"]}
    # without memory the first would be called after its new smallest record
    assert members(linked("abc"))["abc"] != members(now)["abc"]
    log = changes_since(now, before, None, AT)
    assert list(log.columns) == list(CHANGE_COLUMNS)
    first, second = members(now)["abc"], members(now)["efg"]
    assert kinds(log) == {(first, "grown"): "", (first, "shrunk"): "", (second, "grown"): ""}


def test_the_larger_part_keeps_the_id_of_a_split_and_the_other_gets_one_that_nobody_had():
    before = linked("abcde")
    fresh = linked("ab", "cde")
    now = keep_ids(fresh, before)
    old, names = members(before)["abcde"], members(now)
    assert names["cde"] == old
    assert (
        members(fresh)["ab"] == old != names["ab"]
    )  # named after its smallest record, it would take the id over
    log = changes_since(now, before, None, AT)
    assert kinds(log) == {(old, "split"): names["ab"], (names["ab"], "new"): old}


def test_a_merger_keeps_the_larger_id_and_says_who_is_gone():
    before = linked("ab", "cde", "f")
    now = keep_ids(linked("abcde", "f"), before)
    small, large, alone = (members(before)[name] for name in ("ab", "cde", "f"))
    assert members(now) == {"abcde": large, "f": alone}
    log = changes_since(now, before, None, AT)
    assert kinds(log) == {(large, "merged"): small, (small, "gone"): large}
    # an id that is gone is not given to somebody else
    later = keep_ids(linked("ab", "cde", "f"), now, used_ids(log))
    assert small not in set(later["entity_id"])


def test_nothing_changes_when_nothing_changed_and_a_repeated_run_is_told_once():
    first = linked("ab", "c")
    assert changes_since(first, None, None, AT).empty
    assert changes_since(first, first, None, AT).empty
    second = keep_ids(linked("abc"), first)
    log = changes_since(second, first, None, AT)
    # the changes were written and the entities were not: the same state is the one before again
    again = changes_since(second, first, log, AT + timedelta(hours=1))
    assert len(again) == len(log) == 2 and (again["changed_at"] > log["changed_at"]).all()
    third = keep_ids(linked("ab", "c"), second, used_ids(again))
    longer = changes_since(third, second, again, AT + timedelta(hours=2))
    assert len(longer) == 4
    assert longer.head(2).equals(again)


@pytest.mark.parametrize("seed", range(4))
def test_ids_name_one_entity_each_over_many_runs(seed):
    rng = np.random.default_rng(seed)
    before, log, owner = None, None, {}
    for run in range(12):
        group = rng.integers(0, 12, 40)
        records = pd.DataFrame({"register": "r", "record_id": np.arange(40).astype(str)})
        fresh = records.assign(entity_id=entity_ids(records, group)).sample(35, random_state=run)
        now = keep_ids(fresh, before, used_ids(log))
        # the partition is that of the linkage, under other names
        assert now.groupby("entity_id").ngroups == fresh["entity_id"].nunique()
        assert (now.groupby(fresh["entity_id"])["entity_id"].nunique() == 1).all()
        again = keep_ids(fresh.sample(frac=1, random_state=seed), before, used_ids(log))
        assert (
            again.set_index("record_id")["entity_id"].reindex(now["record_id"]).tolist()
            == now["entity_id"].tolist()
        )
        log = changes_since(now, before, log, AT + timedelta(hours=run))
        gone = set() if before is None else set(before["entity_id"]) - set(now["entity_id"])
        for name in gone:
            owner[name] = "gone"
        assert not {name for name in now["entity_id"] if owner.get(name) == "gone"}
        before = now
    told = log.groupby("changed_at").size()
    assert len(told) == 11
