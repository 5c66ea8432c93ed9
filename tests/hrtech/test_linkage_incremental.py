import numpy as np
import pandas as pd
import pytest

from hrtech.linkage import FieldSpec, LinkageSpec, evaluate_linkage, link_registers
from hrtech.linkage.incremental import link_again, state_of, state_table

SPEC = LinkageSpec(
    (
        FieldSpec("given_name", "given_name"),
        FieldSpec("family_name", "family_name"),
        FieldSpec("born", "date"),
        FieldSpec("city", "category"),
        FieldSpec("phone", "phone"),
    ),
    mode="deduplicate",
)
KEYS = ["register_l", "record_l", "register_r", "record_r"]


def people(count=500, seed=4):
    """Records of people of whom most have two, the second with slips and blanks."""
    rng = np.random.default_rng(seed)
    syllables = ["ba", "ke", "lo", "mi", "nu", "ra", "se", "to", "vi", "za"]
    pool = ["".join(rng.choice(syllables, 3)) for _ in range(90)]
    first = pd.DataFrame(
        {
            "given_name": rng.choice(pool, count),
            "family_name": rng.choice(pool, count),
            "born": pd.to_datetime("1970-01-01") + pd.to_timedelta(rng.integers(0, 15000, count), "D"),
            "city": rng.choice(["North", "South", "East"], count),
            "phone": rng.integers(10**8, 10**9, count).astype(str),
        }
    )
    second = first.iloc[: count * 2 // 3].copy()
    slip = rng.random(len(second)) < 0.3
    second.loc[slip, "family_name"] = second.loc[slip, "family_name"].str[1:]
    second.loc[rng.random(len(second)) < 0.3, "phone"] = None
    both = pd.concat([first, second], ignore_index=True)
    both["person"] = np.r_[np.arange(count), np.arange(len(second))].astype(str)
    both = both.sample(frac=1, random_state=seed).reset_index(drop=True)
    both.insert(0, "record_id", both.index.astype(str))
    return both.astype({"phone": "str"})


@pytest.fixture(scope="module")
def world():
    records = people()
    earlier = records.iloc[:740].drop(columns="person")
    first = link_registers({"r": earlier}, SPEC)
    return records, earlier, first, link_registers({"r": records.drop(columns="person")}, SPEC)


def state(result, before=None):
    return state_of(state_table(result, SPEC, before), result.parameters, result.pairs, result.records)


def agreement(one, other):
    truth = other.entities.rename(columns={"entity_id": "truth_id"})
    return evaluate_linkage(one.entities, truth).set_index("measure").loc["pairwise", "f1"]


def test_new_records_find_the_same_entities_as_a_full_run(world):
    records, _, first, full = world
    result, anew = link_again({"r": records.drop(columns="person")}, SPEC, None, state(first))
    assert not anew and result.notes[-1] == "93 new or changed records were linked to what was there"
    assert agreement(result, full) >= 0.98
    truth = records[["record_id", "person"]].rename(columns={"person": "truth_id"})
    quality = [
        evaluate_linkage(one.entities, truth).set_index("measure").loc["pairwise", "f1"]
        for one in (result, full)
    ]
    assert quality[0] > 0.9 and abs(quality[0] - quality[1]) < 0.02
    parts = [name for name in result.pairs.columns if name.startswith("weight_")]
    assert np.allclose(result.pairs[parts].sum(axis=1), result.pairs["match_weight"])
    assert not result.pairs.duplicated(KEYS).any()


def test_old_pairs_keep_their_score_up_to_present_frequencies_and_no_other_old_pair_is_scored(world):
    records, earlier, first, _ = world
    result, _ = link_again({"r": records.drop(columns="person")}, SPEC, None, state(first))
    old = set(earlier["record_id"])
    inside = result.pairs[result.pairs["record_l"].isin(old) & result.pairs["record_r"].isin(old)]
    both = inside.merge(first.pairs, on=KEYS)
    assert len(both) == len(inside)
    assert len(both) >= 0.98 * len(first.pairs)  # a few fall below .01 as values become commoner
    assert np.allclose(both["match_weight_x"], both["match_weight_y"], atol=1.5)


def test_what_changed_or_left_is_linked_by_its_present_values(world):
    _, earlier, first, _ = world
    joined = first.pairs[first.pairs["joined"]].iloc[0]
    changed = earlier.set_index("record_id")
    changed.loc[joined["record_l"], ["given_name", "family_name", "phone"]] = ["Zo", "Quux", "111111111"]
    now = changed.drop(index=first.pairs[first.pairs["joined"]].iloc[1]["record_l"]).reset_index()
    result, anew = link_again({"r": now}, SPEC, None, state(first))
    entity = result.entities.set_index("record_id")["entity_id"]
    assert not anew and len(entity) == len(earlier) - 1
    assert entity[joined["record_l"]] != entity[joined["record_r"]]


def test_a_run_without_news_changes_nothing_and_judgements_still_hold(world):
    _, earlier, first, _ = world
    pair = first.pairs[first.pairs["joined"]].iloc[0]
    judged = pair[KEYS].to_frame().T.assign(decision="different")
    result, _ = link_again({"r": earlier}, SPEC, None, state(first))
    assert result.entities["entity_id"].tolist() == first.entities["entity_id"].tolist()
    apart, _ = link_again({"r": earlier}, SPEC, judged, state(first))
    entity = apart.entities.set_index("record_id")["entity_id"]
    assert entity[pair["record_l"]] != entity[pair["record_r"]]


def test_tables_of_two_runs_are_no_state(world):
    _, _, first, full = world
    kept = state_table(first, SPEC)
    assert state_of(kept, first.parameters, first.pairs, first.records) is not None
    assert state_of(kept, first.parameters, full.pairs, first.records) is None


def test_the_model_is_trained_anew_when_that_is_due(world):
    import dataclasses

    records, earlier, first, _ = world
    again = state(first)
    blank = records.drop(columns="person").assign(phone=records["phone"].where(records.index < 740))
    for registers, spec, more, why in (
        ({"r": earlier}, SPEC, None, "there is no earlier run"),
        ({"r": earlier}, dataclasses.replace(SPEC, seed=9), again, "the declaration changed"),
        ({"r": earlier.head(500)}, SPEC, again, "more than 20% of the records"),
        ({"r": blank}, SPEC, again, "phone is blank in 100% of the new records"),
    ):
        result, anew = link_again(registers, spec, None, more)
        assert anew and why in result.notes[-1]
