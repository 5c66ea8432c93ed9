"""Each planted truth of the mock world can be found by an oracle, and is gone when it is switched off."""

import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from hrtech.counts import count_combinations, encode
from hrtech.mock import ALL_TRUTHS, generate_world
from hrtech.mock.ownership import Interests, integrated_shares

SEED = 7
COUNTED = (
    "gender", "age_band", "majority_status", "citizenship", "country_of_exploitation", "labour_sector",
    "type_of_exploitation", "means_of_control",
)  # fmt: skip


@pytest.fixture(scope="module")
def demo():
    return generate_world("demo", SEED)


@pytest.fixture(scope="module")
def null_demo():
    return generate_world("demo", SEED, frozenset())


# people


def test_case_counts_are_those_of_the_people():
    world = generate_world("tiny", SEED, ALL_TRUTHS - {"overlap", "errors"})
    records, truth = world.tables["case_records"], world.truth["truth_case_counts"]
    expected = Counter()
    for row in records[list(COUNTED)].to_dict("records"):
        held = []
        for column, value in row.items():
            if column in ("type_of_exploitation", "means_of_control"):
                held += [f"{column}:{v}" for v in value]
            elif isinstance(value, str):
                held.append(f"{column}:{value}")
        for length in (0, 1, 2):
            expected.update(
                (length, ";".join(combo)) for combo in itertools.combinations(sorted(held), length)
            )
    keys = zip(truth["length"], truth["attributes"], strict=True)
    found = dict(zip(keys, truth["count"], strict=True))
    assert found == dict(expected)
    assert found[0, ""] == 300


def test_case_counts_agree_with_the_counting_engine():
    world = generate_world("demo", SEED, ALL_TRUTHS - {"overlap", "errors"})
    counted = count_combinations(encode(world.tables["case_records"], COUNTED), 2).to_frame()
    both = world.truth["truth_case_counts"].merge(
        counted, on="attributes", how="outer", suffixes=("", "_engine")
    )
    both = both[both["attributes"] != ""]
    pd.testing.assert_series_equal(both["count"], both["count_engine"], check_names=False, check_dtype=False)


def test_truth_of_people_does_not_depend_on_records(demo):
    plain = generate_world("demo", SEED, frozenset())
    pd.testing.assert_frame_equal(demo.truth["truth_case_counts"], plain.truth["truth_case_counts"])


def test_overlap_and_errors(demo, null_demo):
    truth = demo.truth["truth_persons"].merge(demo.tables["case_records"], on="record_id")
    offices = truth.groupby("person_id")["organisation"].nunique()
    assert 0.2 < (offices > 1).mean() < 0.35
    seen_twice = truth[truth["person_id"].duplicated(keep=False)]
    agree = seen_twice.groupby("person_id")["family_name"].nunique() == 1
    assert 0.3 < agree.mean() < 0.8
    assert 0.15 < truth["date_of_birth"].isna().mean() < 0.3
    # an identity document names one person only
    with_id = truth.dropna(subset=["national_id"])
    assert (with_id.groupby("national_id")["person_id"].nunique() == 1).all()
    clean = null_demo.tables["case_records"]
    assert clean.drop(columns=["national_id", "labour_sector", "employer_name"]).notna().all().all()


def test_age_bands_hold_the_age_at_the_report(null_demo):
    records = null_demo.tables["case_records"]
    age = (records["reported_on"] - records["date_of_birth"]).dt.days / 365.25
    low = records["age_band"].str.extract(r"^(\d+)")[0].astype(float)
    high = records["age_band"].str.extract(r"–(\d+)$")[0].astype(float).fillna(120)
    assert (age >= low - 0.01).all()
    assert (age < high + 1.01).all()
    assert ((age < 18) == (records["majority_status"] == "Minor")).mean() > 0.999


def test_regions_lie_in_their_country(null_demo):
    records = null_demo.tables["case_records"]
    assert (records.groupby("region")["country_of_exploitation"].nunique() == 1).all()


def test_names_have_several_spellings(demo):
    truth = demo.truth["truth_persons"].merge(demo.tables["case_records"], on="record_id")
    ukrainian = truth[truth["citizenship"] == "UKR"]["given_name"].dropna()
    assert {"Olena", "Oleksandr", "Олександр"} <= set(ukrainian)
    assert ukrainian.str.contains("[а-я]").mean() < 0.05


def test_perpetrators_harm_several_people(demo):
    truth = demo.truth["truth_perpetrators"].merge(demo.tables["perpetrator_records"], on="record_id")
    victims = truth.merge(
        demo.truth["truth_persons"], left_on="case_record_id", right_on="record_id", suffixes=("", "_case")
    )
    assert victims.groupby("perpetrator_id")["person_id"].nunique().max() > 10


# firms


def test_one_firm_in_two_registers(demo):
    pairs = demo.truth["truth_companies"].dropna()
    assert 0.5 < len(pairs) / len(demo.tables["employers"]) < 0.7
    both = pairs.merge(demo.tables["employers"], on="employer_id").merge(
        demo.tables["companies"], on="company_id"
    )
    first = both["name_x"].str.lower().str[:3] == both["name_y"].str.lower().str[:3]
    assert first.mean() > 0.75
    assert (both["name_x"] == both["name_y"]).mean() < 0.6
    assert (both["city_x"] == both["city_y"]).all()


def _share_of_pairs(world, column, pairs):
    values = world.tables["companies"].set_index("company_id")[column]
    return np.mean([values[a] == values[b] for a, b in pairs])


def _ring_pairs(truth, link):
    rings = truth[truth["link"] == link].groupby("ring_id")["company_id"]
    return [pair for _, members in rings for pair in itertools.combinations(members, 2)]


def test_ring_members_share_contacts_only_where_planted(demo, null_demo):
    contacts, hidden = (_ring_pairs(demo.truth["truth_rings"], link) for link in ("contacts", "ownership"))
    assert _share_of_pairs(demo, "email", contacts) > 0.2
    assert _share_of_pairs(null_demo, "email", contacts) == 0
    assert _share_of_pairs(demo, "phone", contacts) > 0.05
    # a third of the rings is joined by one person behind shells, and hides it
    assert _share_of_pairs(demo, "email", hidden) == 0
    owners = demo.truth["truth_owners"].groupby("company_id")["owner_id"].agg(set)
    assert all(owners[a] & owners[b] for a, b in hidden)
    bids_only = generate_world("tiny", SEED, ALL_TRUTHS - {"owners"})
    assert set(bids_only.truth["truth_rings"]["link"]) == {"contacts", "bids"}


def test_rings_bid_together_and_close(demo, null_demo):
    pairs = {
        frozenset(p)
        for link in ("contacts", "ownership")
        for p in _ring_pairs(demo.truth["truth_rings"], link)
    }

    def meetings(world):
        seen = Counter()
        for bidders in world.tables["bids"].groupby("tender_id")["company_id"].agg(list):
            seen.update(frozenset(p) for p in itertools.combinations(bidders, 2))
        return np.mean([seen[p] for p in pairs])

    assert meetings(demo) > 3
    assert meetings(null_demo) < 0.5
    rings = demo.truth["truth_rings"]
    bids = demo.tables["bids"].merge(rings, on="company_id")
    together = bids[bids.duplicated(["tender_id", "ring_id"], keep=False)]
    most_wins = (
        together[together["winner"]].groupby(["kind", "ring_id", "company_id"]).size().groupby(level=[0, 1])
    )
    share = (most_wins.max() / most_wins.sum()).groupby(level=0).mean()
    assert share["cover"] > 0.8
    assert share["rotation"] < 0.6


def test_flags_point_at_rings_only_where_planted(demo):
    members = set(demo.truth["truth_rings"]["company_id"])

    def rate(world):
        return (
            world.tables["companies"]["company_id"]
            .isin(world.tables["red_flags"]["company_id"])[
                world.tables["companies"]["company_id"].isin(members)
            ]
            .mean()
        )

    assert 0.2 < rate(demo) < 0.55
    assert rate(generate_world("demo", SEED, ALL_TRUTHS - {"flags"})) < 0.12


def test_exploiting_employers_have_more_victims(demo):
    guilty = demo.truth["truth_flags"].query("reason == 'labour exploitation'")["company_id"]
    links = demo.truth["truth_companies"].dropna()
    names = demo.tables["employers"].set_index("employer_id")["name"]
    victims = demo.tables["case_records"]["employer_name"].value_counts()
    of_guilty = (
        names[links.loc[links["company_id"].isin(guilty), "employer_id"]].map(victims).fillna(0).mean()
    )
    assert of_guilty > 3 * names.map(victims).fillna(0).mean()


def test_activity_pairs_share_events_at_once_or_in_turn(demo, null_demo):
    def shared(world, keys, kind):
        links = demo.truth["truth_activity_links"].query("kind == @kind")
        table = world.tables["activity"]
        table = table[table["company_id"].isin([*links["company_a"], *links["company_b"]])]
        by_company = {c: set(map(tuple, rows[keys].to_numpy())) for c, rows in table.groupby("company_id")}
        pairs = zip(links["company_a"], links["company_b"], strict=True)
        return np.mean([len(by_company.get(a, set()) & by_company.get(b, set())) for a, b in pairs])

    at_once, ever = ["activity", "value", "period"], ["activity", "value"]
    assert shared(demo, at_once, "synchronised") > 7
    assert shared(demo, at_once, "asynchronous") < 1
    assert shared(demo, ever, "asynchronous") > 7
    assert shared(null_demo, ever, "synchronised") < 1
    assert shared(null_demo, ever, "asynchronous") < 1


def test_integrated_shares_by_hand():
    # 0 is owned 60 % by 1, which person 0 owns 50 %; 2 and 3 own 50 % of each other, person 1 the rest of 2;
    # person 2's share of 0 has ended
    interests = Interests(
        company=np.array([0, 1, 2, 3, 2, 0]),
        parent=np.array([1, -1, 3, 2, -1, -1]),
        person=np.array([-1, 0, -1, -1, 1, 2]),
        share=np.array([60.0, 50.0, 50.0, 50.0, 50.0, 40.0]),
        former=np.array([False] * 5 + [True]),
        people=3,
    )
    owners = pd.DataFrame(
        {"share_minimum": [50.0, 50, 50, 50, 50, 40], "share_maximum": [75.0, 50, 50, 50, 50, 40]}
    )
    found = integrated_shares(owners, interests, 4).set_index(["company_id", "owner_id"])
    assert len(found) == 4
    assert found.loc[("C-000001", "P-000001")].tolist() == pytest.approx([30.0, 25.0, 37.5])
    assert found.loc[("C-000002", "P-000001"), "integrated_share"] == pytest.approx(50.0)
    # x2 = .5 + .5 x3 and x3 = .5 x2
    assert found.loc[("C-000003", "P-000002"), "integrated_share"] == pytest.approx(200 / 3)
    assert found.loc[("C-000004", "P-000002"), "integrated_share"] == pytest.approx(100 / 3)


def test_owners_have_chains_a_cycle_and_ranges_only_where_planted(demo, null_demo):
    structures, owners = demo.truth["truth_structures"], demo.tables["owners"]
    assert set(structures["kind"]) == {"chain", "cycle", "group", "shell"}
    cycle = structures.query("kind == 'cycle'")["company_id"].tolist()
    above = owners.dropna(subset=["owner_company_id"]).set_index("company_id")["owner_company_id"]
    assert [above[c] for c in cycle] == [*cycle[1:], cycle[0]]
    integrated = demo.truth["truth_owners"]
    assert (integrated["integrated_minimum"] <= integrated["integrated_share"] + 1e-9).all()
    assert (integrated["integrated_share"] <= integrated["integrated_maximum"] + 1e-9).all()
    assert integrated.groupby("company_id")["integrated_share"].sum().max() <= 100 + 1e-6
    assert 0.2 < (owners["share_minimum"] < owners["share_maximum"]).mean() < 0.5
    assert null_demo.tables["owners"]["owner_company_id"].isna().all()


# complaints


def _holders(complaints, attributes):
    held = pd.Series(True, index=complaints.index)
    for column, value in (part.split(":") for part in attributes.split(";")):
        cells = complaints[column]
        held &= cells.map(lambda cell, v=value: v in cell) if column == "issue" else cells == value
    return complaints[held]


def test_patterns_rise_in_their_window():
    risen, kept = (generate_world("demo", SEED, planted) for planted in ({"patterns"}, set()))
    truth = risen.truth["truth_patterns"]
    assert len(truth) >= 10
    assert (truth["kind"] == "emerging").all()
    for row in truth.itertuples():
        inside = [
            _holders(table, row.attributes)["date"].between(row.start, row.end + pd.Timedelta(hours=23)).sum()
            for table in (risen.tables["complaints"], kept.tables["complaints"])
        ]
        assert inside[0] >= row.extra
        assert inside[0] - inside[1] >= row.extra
        assert inside[1] <= row.expected + 5 * np.sqrt(row.expected + 1)
        assert row.ratio == pytest.approx((row.expected + row.extra) / row.expected)
    assert len(kept.truth["truth_patterns"]) == 0


def test_decoys_are_what_they_are_called(demo):
    truth, complaints = demo.truth["truth_patterns"], demo.tables["complaints"]
    assert set(truth["kind"]) == {"emerging", "seasonal", "stable_rare", "surge"}
    surge = truth.query("kind == 'surge'").iloc[0]
    months = complaints["date"].dt.to_period("M").value_counts().sort_index()
    assert months.idxmax() == surge["start"].to_period("M")
    for row in truth.query("kind == 'seasonal'").itertuples():
        by_month = _holders(complaints, row.attributes)["date"].dt.month.value_counts()
        assert by_month.nlargest(2).sum() / by_month.sum() > 2.5 / 12
    for row in truth.query("kind == 'stable_rare'").itertuples():
        years = _holders(complaints, row.attributes)["date"].dt.year.value_counts()
        assert years.max() < 2.5 * years.min()


# causal questions


def _regression(questionnaire, outcome, adjust):
    parts = [np.ones(len(questionnaire)), questionnaire["helpline_awareness"].to_numpy(float)]
    if adjust:
        parts += list(
            pd.get_dummies(questionnaire[["gender", "education", "region"]], drop_first=True)
            .to_numpy(float)
            .T
        )
        parts += list(questionnaire[["age", "debt_before", "distance_km", "trust"]].to_numpy(float).T)
    design, y = np.column_stack(parts), questionnaire[outcome].to_numpy(float)
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    residual = y - design @ coefficients
    inverse = np.linalg.inv(design.T @ design)
    error = np.sqrt(np.diag(inverse @ (design.T * residual**2) @ design @ inverse))
    return coefficients[1], error[1]


@pytest.mark.parametrize("outcome", ["sought_help", "months_in_exploitation"])
def test_adjusted_regression_recovers_the_effect_and_unadjusted_does_not(demo, null_demo, outcome):
    truth = demo.truth["truth_exposure"].set_index(["outcome", "estimand"])["effect"]
    estimate, error = _regression(demo.tables["questionnaire"], outcome, adjust=True)
    assert abs(estimate - truth[outcome, "ATE"]) < 3.5 * error
    assert abs(estimate) > 8 * error
    naive, error = _regression(demo.tables["questionnaire"], outcome, adjust=False)
    assert abs(naive - truth[outcome, "ATE"]) > 5 * error
    # nothing planted: no effect, and no confounding either
    naive, error = _regression(null_demo.tables["questionnaire"], outcome, adjust=False)
    assert abs(naive) < 3.5 * error
    confounded = generate_world("demo", SEED, ALL_TRUTHS - {"exposure_effect"}).tables["questionnaire"]
    naive, error = _regression(confounded, outcome, adjust=False)
    assert abs(naive) > 5 * error
    estimate, error = _regression(confounded, outcome, adjust=True)
    assert abs(estimate) < 3.5 * error


def test_effects_of_exposed_and_all_differ_where_people_do(demo):
    truth = demo.truth["truth_exposure"].set_index(["outcome", "estimand"])["effect"]
    women = (demo.tables["questionnaire"]["gender"] == "Female").mean()
    assert truth["months_in_exploitation", "ATE"] == pytest.approx(-2.2 - 1.2 * women)
    assert truth["months_in_exploitation", "ATT"] < truth["months_in_exploitation", "ATE"]


def _difference_in_differences(world):
    panel = world.tables["panel"]
    rate = 1e5 * panel["reports"].astype(float) / panel["population"].astype(float)
    ever = panel["intervention_month"].notna()
    after = panel["month"] >= panel["intervention_month"].max()
    mean = rate.groupby([ever, after]).mean()
    variance = (1e10 * panel["reports"] / panel["population"] ** 2).astype(float).groupby([ever, after])
    error = np.sqrt((variance.sum() / variance.size() ** 2).sum())
    return mean[True, True] - mean[True, False] - mean[False, True] + mean[False, False], error, mean


def test_difference_in_differences_recovers_the_intervention(demo, null_demo):
    estimate, error, mean = _difference_in_differences(demo)
    effect = demo.truth["truth_intervention"]["effect"].mean()
    assert effect > 1.5
    assert abs(estimate - effect) < 3.5 * error
    # comparing levels after the event misleads
    assert abs(mean[True, True] - mean[False, True] - effect) > 5 * error
    estimate, error, _ = _difference_in_differences(null_demo)
    assert abs(estimate) < 3.5 * error


# documents


def test_documents_state_their_claims(demo, null_demo):
    truth = demo.truth["truth_documents"].merge(demo.tables["documents"], on="document_id")
    names = demo.tables["companies"].set_index("company_id")["name"]
    assert all(row.claim in row.text and names[row.entity] in row.text for row in truth.itertuples())
    assert set(truth["stance"]) == {"supports", "contradicts"}
    assert (truth.groupby("claim_id")["entity"].nunique() == 1).all()
    orders = demo.tables["documents"]["text"].str.contains("Ignore all previous|SYSTEM:")
    assert 0.01 < orders.mean() < 0.12
    texts = null_demo.tables["documents"]["text"]
    assert not texts.str.contains("Ignore all previous|SYSTEM:").any()
    assert not any(name in text for name in names[:200] for text in texts)
