"""Publishing single entities: nobody else is on a page, and nothing is told that is not approved as it is."""

import datetime as dt
import json
from dataclasses import replace

import pandas as pd
import pytest

from hrtech.facts import report_from_frame
from hrtech.facts.parts import PAGE, DataTable, JudgementForm
from hrtech.networks import build_networks
from hrtech.networks.publication import Publication, Rules, Told, disputed
from hrtech.networks.publication_case import publication_pages, publication_section
from hrtech.networks.publication_drafts import publication_drafts, released_pages, written_report
from hrtech.networks.publication_names import Named
from hrtech.networks.publication_page import Known
from hrtech.networks.remarks import remark_log

NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
RULES = Rules("corrections@example.org")
NAMES = {
    "C-0001": "Alpine Harvest Ltd",
    "C-0002": "Borealis Catering GmbH",
    "C-0003": "Cormorant Shipping",
    "C-0004": "Dunlin Estates",
    "C-0005": "Egret & Sons Ltd",
}
ONE, TWO = "C-0001", "C-0002"


def world(**changes):
    firms = pd.DataFrame({"entity_id": list(NAMES), "name": list(NAMES.values())})
    shared = pd.DataFrame(
        [
            ("C-0001", "phone", "+44 20 7946 0958"), ("C-0002", "phone", "+44 20 7946 0958"),
            ("C-0001", "address", "1 Low Road"), ("C-0003", "address", "1 Low Road"),
        ],
        columns=["entity_id", "attribute", "value"],
    )  # fmt: skip
    owners = pd.DataFrame({
        "company_id": ["C-0001", "C-0001"], "owner_id": ["C-0004", "P-0077"],
        "owner_name": ["Dunlin Estates", "Ingrid Falk"],
        "share_minimum": [60.0, 25.0], "share_maximum": [75.0, 30.0],
    })  # fmt: skip
    flags = pd.DataFrame({
        "entity_id": ["C-0001", "C-0001", "C-0002", "C-0004"],
        "flag": ["unpaid wages", "late filing", "passports kept", "screen: variance"],
        "category": "labour", "weight": [0.6, 0.1, 0.8, 0.2], "source": "labour inspectorate",
        "evidence": ["judgment of 3 May 2025", "two months late", "a complaint", "coefficient 0.01"],
    })  # fmt: skip
    flags = changes.pop("flags", lambda frame: frame)(flags)
    result = build_networks(firms, shared, owners, flags)
    names = ("nodes", "edges", "paths", "beneficial_owners", "control")
    return Known(**{name: getattr(result, name) for name in names}, red_flags_used=flags, **changes)


@pytest.fixture(scope="module")
def known():
    return world(matched={"C-0001": 0.97})


def entry(one=ONE, **changes):
    given = {
        "tell": Told(flags=("unpaid wages",), links=("phone", "ownership"), owners=True, score=True),
        "ground": "Article 5: workers should know whom they work for",
        "explanations": {"unpaid wages": "A payroll error, or a dispute about hours."},
        "approved_by": ("R. Evans",),
        "approved_on": dt.date(2026, 4, 1),
        "asked_on": dt.date(2026, 2, 1),
        "reply": "We have paid everybody since.",
        "replied_on": dt.date(2026, 2, 9),
    }
    return Publication(one, **(given | changes))


def said(*rows):
    columns = ["remark_id", "made_at", "made_by", "entity_id", "remark", "words"]
    if not rows:
        return remark_log(pd.DataFrame(columns=["judgement_id", "judged_at", "judged_by", "field", "value"]))
    frame = pd.DataFrame(
        [
            (str(number), pd.Timestamp(day, tz="UTC"), "B. Ode", one, remark, "x")
            for number, (one, remark, day) in enumerate(rows)
        ],
        columns=columns,
    )
    return frame


def drafted(known, *entries, remarks=None, rules=RULES, now=NOW, log=None):
    return publication_drafts(
        "firms", entries, known, said() if remarks is None else remarks, rules, now, log
    )


def approved(known, one, **more):
    """The entry with the hash of its own draft."""
    frame, _ = drafted(known, one, **more)
    return replace(one, evidence=frame["evidence"].iloc[0])


def state(known, one, **more):
    row = drafted(known, one, **more)[0].iloc[0]
    return row["state"], row["missing"]


def text_of(released):
    return "\n".join(json.dumps(json.loads(payload), ensure_ascii=False) for payload in released["payload"])


def table(report, title):
    return next(part for part in report.parts if isinstance(part, DataTable) and part.title == title)


def test_an_approved_page_tells_claim_evidence_score_doubt_and_reply_of_one_and_names_no_other(known):
    frame, _ = drafted(known, approved(known, entry()))
    assert frame["state"].tolist() == ["published"] and frame["missing"].tolist() == [""]
    released = released_pages(frame)
    page = report_from_frame(released[["study", "position", "kind", "payload"]])
    text = text_of(released)
    for word in (
        "Alpine Harvest Ltd", "unpaid wages", "judgment of 3 May 2025", "labour inspectorate", "A payroll error",
        "We have paid everybody since.", "corrections@example.org", "R. Evans", "2026-04-01", "Article 5",
    ):  # fmt: skip
        assert word in text, word
    for one, name in (NAMES | {"P-0077": "Ingrid Falk"}).items():
        if one != ONE:
            assert name not in text and name.split()[0] not in text, name
        assert one not in text
    # flags of others, other flags and kinds that may not be told
    for word in ("passports kept", "late filing", "variance", "same address", "Low Road", "7946"):
        assert word not in text, word
    assert page.promise == "approved-entity" and not any(
        isinstance(part, JudgementForm) for part in page.parts
    )
    links = table(page, "Each link with its evidence")
    assert [row[0] for row in links.rows] == ["entity A", "entity B", "owner C"]
    owners = table(page, "Beneficial owners")
    assert {(row[0], row[2], row[3]) for row in owners.rows} == {
        ("entity B", 60.0, 75.0),
        ("owner C", 25.0, 30.0),
    }


def test_the_parts_of_the_score_add_up_though_some_are_not_told(known):
    frame, _ = drafted(known, entry())
    made = table(written_report(frame["page"].iloc[0]), "What the score is made of")
    told = {row[0]: row[1] for row in made.rows}
    risk = known.nodes.set_index("entity_id")["risk"][ONE]
    assert told.pop("The score") == pytest.approx(risk, abs=1e-3)
    assert sum(told.values()) == pytest.approx(risk, abs=2e-3)
    assert told["Alpine Harvest Ltd is flagged: unpaid wages (labour inspectorate)."] > 0.3
    assert "Entity A is flagged. Alpine Harvest Ltd shares a phone, seen nowhere else, with entity A." in told
    assert "Entity B is flagged. Entity B owns 60–75 % of Alpine Harvest Ltd." in told
    less, _ = drafted(known, entry(tell=Told(flags=("unpaid wages",), links=("phone",), score=True)))
    rows = table(written_report(less["page"].iloc[0]), "What the score is made of").rows
    untold = dict(row[:2] for row in rows)["What may not be told here"]
    assert untold == pytest.approx(
        told["Entity B is flagged. Entity B owns 60–75 % of Alpine Harvest Ltd."], abs=1e-3
    )


def test_only_what_is_declared_is_told(known):
    frame, _ = drafted(known, entry(tell=Told(flags=("unpaid wages",), evidence=False)))
    text = text_of(released_pages(frame.assign(state="published")))
    for word in ("judgment", "phone", "owner A", "entity A", "The score", "60", "Beneficial"):
        assert word not in text, word
    assert "unpaid wages" in text and "labour inspectorate" in text


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"evidence": ""}, "Nobody has approved this evidence. Read the draft, then declare evidence: "),
        ({"evidence": "0" * 64}, "The evidence is not the one that was approved"),
        ({"approved_by": ()}, "Nobody is named who approved it"),
        ({"approved_on": None}, "Nobody is named who approved it, or no day"),
        ({"approved_on": dt.date(2026, 6, 1)}, "2026-06-01 has not come yet [setting: approved_on]"),
        ({"approved_on": dt.date(2025, 4, 1)}, "It was last checked on 2025-04-01"),
        ({"withdrawn": "We were wrong."}, "It is withdrawn: We were wrong."),
    ],
)
def test_without_an_approval_of_exactly_this_nothing_is_told(known, changes, missing):
    frame, _ = drafted(known, replace(approved(known, entry()), **changes))
    assert frame["state"].tolist() == ["not approved"] and missing in frame["missing"].iloc[0]
    assert released_pages(frame).empty


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"reply": "", "asked_on": None}, "It was not given the chance to reply"),
        ({"reply": "", "asked_on": dt.date(2026, 4, 20)}, "It may still reply until 2026-05-04"),
        ({"reply": ""}, ""),
        ({"explanations": {}}, "Say what else may explain 'unpaid wages'"),
        ({"tell": Told(flags=("unpaid wages", "arson"))}, "hold no 'arson' of it (any more)"),
        ({"tell": Told(flags=("unpaid wages",), links=("email",))}, "hold no 'email' of it (any more)"),
        (
            {"ground": "As Borealis Catering has told us all"},
            "In ground, the words name Borealis Catering GmbH",
        ),
        ({"reply": "It was INGRID FALK."}, "In reply, the words name Ingrid Falk"),
        ({"reply": "Ask c-0003 about it"}, "In reply, the words name Cormorant Shipping"),
        ({"names": (TWO,)}, "It names Borealis Catering GmbH, of whom nothing may be published"),
        ({"names": ("C-9999",)}, "The study has no entity of the id C-9999"),
    ],
)
def test_what_a_draft_lacks_is_said_with_its_setting(known, changes, missing):
    wanted = approved(known, entry(**changes))
    got, lacks = state(known, wanted)
    assert missing in lacks
    assert got == ("not approved" if missing else "published")
    if missing:
        assert lacks.count("\n") == 0 and "[setting:" in lacks


def test_an_unknown_entity_is_told_by_its_place_and_does_not_stop_the_others(known):
    frame, _ = drafted(known, approved(known, entry()), entry("C-4711"))
    assert frame["state"].tolist() == ["published", "not approved"]
    lacks = frame["missing"].iloc[1]
    assert (
        lacks.startswith("Entry 2 of publish_entities: the study has no entity of this id")
        and "4711" not in lacks
    )
    assert set(released_pages(frame)["page"]) == {"x-" + frame["address"].iloc[0].removeprefix("x-")}


def test_whatever_changes_the_page_makes_the_approval_void(known):
    wanted = approved(known, entry())
    assert state(known, wanted)[0] == "published"
    for flags in (
        lambda frame: frame.assign(evidence=frame["evidence"].str.replace("3 May", "4 May")),
        lambda frame: frame.loc[frame["flag"] != "passports kept"],  # a neighbour's, which its score rests on
        lambda frame: frame.assign(weight=frame["weight"].where(frame["flag"] != "unpaid wages", 0.5)),
    ):  # fmt: skip
        got, lacks = state(world(matched={ONE: 0.97}, flags=flags), wanted)
        assert got == "not approved" and "The evidence is not the one that was approved" in lacks
    gone = world(matched={ONE: 0.97}, flags=lambda frame: frame.loc[frame["flag"] != "unpaid wages"])
    assert "hold no 'unpaid wages' of it (any more)" in state(gone, wanted)[1]
    for changes in ({"reply": "Other words."}, {"ground": "Article 6 of the same law"}):
        assert "not the one that was approved" in state(known, replace(wanted, **changes))[1]
    assert "not the one" in state(known, wanted, rules=Rules("other@example.org"))[1]
    # who approved it and when is no evidence; nor is what the page does not tell
    assert state(known, replace(wanted, checked_on=dt.date(2026, 4, 30)))[0] == "published"
    other = world(matched={ONE: 0.97}, flags=lambda frame: frame.assign(
        evidence=frame["evidence"].replace("two months late", "three months late")))  # fmt: skip
    assert state(other, wanted)[0] == "published"


def test_a_correction_that_is_pending_stops_publication_until_somebody_decided(known):
    wanted = approved(known, entry())
    for rows, missing in (
        ([(ONE, "correction", "2026-04-02")], "A correction was recorded and nobody has decided about it"),
        ([(ONE, "set flags aside", "2026-04-02")], "Its flags are set aside"),
        (
            [(ONE, "set flags aside", "2026-04-02"), (ONE, "correction", "2026-04-03")],
            "Its flags are set aside",
        ),
        ([(TWO, "correction", "2026-04-02")], "Its score rests on flags of Borealis Catering GmbH"),
        ([(ONE, "reply", "2026-04-02")], "A reply was recorded in casework on 2026-04-02"),
    ):
        got, lacks = state(known, wanted, remarks=said(*rows))
        assert got == "not approved" and lacks.startswith(missing), missing
    for rows in (
        [(ONE, "correction", "2026-04-02"), (ONE, "looked at and stands", "2026-04-03")],
        [(ONE, "set flags aside", "2026-04-02"), (ONE, "take back", "2026-04-03")],
        [("C-0003", "correction", "2026-04-02")],
        [(ONE, "reply", "2026-02-08")],
    ):
        assert state(known, wanted, remarks=said(*rows)) == ("published", "")
    assert disputed(said((ONE, "correction", "2026-04-02"), (TWO, "reply", "2026-04-02"))) == {
        ONE: "correction"
    }


def test_pages_that_name_each_other_stand_or_fall_together(known):
    wages = Told(flags=("passports kept",))
    two = entry(TWO, tell=wages, explanations={"passports kept": "Kept for a visa."}, names=(ONE,))
    one = entry(names=(TWO,))
    hashes = drafted(known, one, two)[0]["evidence"]
    both = [replace(each, evidence=hashed) for each, hashed in zip((one, two), hashes, strict=True)]
    frame, _ = drafted(known, *both)
    assert frame["state"].tolist() == ["published", "published"]
    text = text_of(released_pages(frame.iloc[:1]))
    assert (
        "Borealis Catering GmbH is flagged: passports kept (labour inspectorate)." in text and TWO not in text
    )
    assert "Dunlin" not in text and "Falk" not in text
    for bad in (replace(both[1], approved_by=()), replace(both[1], evidence="")):
        frame, _ = drafted(known, both[0], bad)
        assert frame["state"].tolist() == ["not approved", "not approved"]
        assert released_pages(frame).empty
    public = Rules(RULES.contact, {TWO: "The court's list of judgments"})
    assert state(known, approved(known, one, rules=public), rules=public) == ("published", "")
    text = text_of(released_pages(drafted(known, approved(known, one, rules=public), rules=public)[0]))
    assert "Borealis Catering GmbH is flagged." in text and "The court's list of judgments" in text


def test_a_page_that_held_before_is_withdrawn_with_a_notice_only_where_declared(known):
    wanted = approved(known, entry())
    frame, log = drafted(known, wanted)
    again, same = drafted(known, wanted, log=log, now=NOW + dt.timedelta(days=3))
    pd.testing.assert_frame_equal(same, log)
    pd.testing.assert_frame_equal(again, frame)
    later, remarks = NOW + dt.timedelta(days=5), said((ONE, "correction", "2026-05-02"))
    for notice in (False, True):
        quiet, after = drafted(known, replace(wanted, notice=notice), remarks=remarks, log=log, now=later)
        assert quiet["state"].tolist() == ["withdrawn"] and after["state"].tolist() == [
            "published",
            "withdrawn",
        ]
        text = text_of(released_pages(quiet))
        assert ("A correction was asked for, or made, and is being looked at." in text) == notice
        assert "unpaid wages" not in text and ("2026-05-06" in text) == notice
    # never published: its name is not told by a notice either
    first, _ = drafted(known, replace(wanted, notice=True), remarks=remarks)
    assert first["state"].tolist() == ["not approved"] and released_pages(first).empty
    said_so, _ = drafted(known, replace(wanted, notice=True, withdrawn="We mistook it for another."), log=log)
    assert "We mistook it for another." in text_of(released_pages(said_so))
    leaky, _ = drafted(known, replace(wanted, notice=True, withdrawn="It was Ingrid Falk."), log=log)
    assert "Falk" not in text_of(released_pages(leaky))
    _, dropped = drafted(known, entry(TWO, tell=Told(links=("phone",)), explanations={}), log=log)
    assert dropped["state"].tolist() == ["published", "not approved", "not declared any more"]


def test_casework_shows_the_draft_as_it_would_be_published_and_what_is_missing(known):
    frame, _ = drafted(known, entry(), entry("C-4711"))
    pages = publication_pages("firms", frame)
    links = next(part for part in publication_section("firms", frame) if isinstance(part, DataTable)).links
    assert [link.removesuffix(".html") for link in links] == list(pages)
    assert all(PAGE.fullmatch(link) for link in links)
    first, unknown = pages.values()
    draft = written_report(frame["page"].iloc[0])
    assert first.parts[-len(draft.parts) :] == draft.parts and first.promise == "restricted"
    form = next(part for part in first.parts if isinstance(part, JudgementForm))
    assert form.action == "/casework/firms/judgements" and form.fields[0].value == ONE
    assert not any(isinstance(part, JudgementForm) for part in unknown.parts)
    assert table(first, "The hash that an approval names").rows == ((frame["evidence"].iloc[0],),)
    assert "Nobody has approved" in table(first, "What is missing").rows[0][0]
    assert "no entity of this id" in table(unknown, "What is missing").rows[0][0]
    ready, _ = drafted(known, approved(known, entry()))
    shown = written_report(ready["page"].iloc[0])
    told = report_from_frame(released_pages(ready)[["study", "position", "kind", "payload"]])
    assert told == shown


def test_names_are_found_with_and_without_legal_form_and_ids_whatever_their_case():
    nodes = pd.DataFrame(
        [
            ("C-0001", "Alpine Harvest Ltd", "entity"), ("C-0002", "Harvest Ltd", "entity"),
            ("123456", "Søren & Co KG", "entity"),
            ("7", "Green GmbH", "entity"), ("P-0077", "Ingrid Falk", "owner"), ("x:9 y", "Ox", "entity"),
        ],
        columns=["entity_id", "name", "node_kind"],
    )  # fmt: skip
    find = Named(nodes).others
    assert find("Alpine Harvest Ltd owes wages", {"C-0001"}) == set()
    assert find("ALPINE  HARVEST, ltd. and Harvest Limited", {"C-0001"}) == {"C-0002"}
    assert find("after the harvest", {"C-0001"}) == set() and find("Harvest paid", set()) == {"C-0002"}
    assert find("told by Soren and Co", set()) == {"123456"} and find("case 123456.", set()) == {"123456"}
    assert find("7 green doors, case 7", set()) == set() and find("Green said so", set()) == {"7"}
    assert find("Falk, Ingrid", set()) == {"P-0077"} and find("see p-0077", set()) == {"P-0077"}
    assert find("ref x:9 y", set()) == {"x:9 y"}
