"""Releases through the resource, on SQLite and on a real PostgreSQL."""

import json
import multiprocessing
import os
import queue

import pytest
import sqlalchemy as sa

from hrtech.privacy.ledger import (
    AlsoCharged,
    ApprovalMissing,
    BudgetExhausted,
    Charge,
    LedgerRolledBack,
    LedgerTampered,
    MechanismChanged,
    PopulationUnknown,
    ReleaseUnknown,
    rho_of,
)

FORK = multiprocessing.get_context("fork")


def noise():
    return {"counts.parquet": os.urandom(64), "records.parquet": os.urandom(64)}


def never():
    raise AssertionError("drawn again")


def kinds(place):
    return [entry.kind for entry in place.ledger().entries()]


def test_a_release_is_charged_once_and_keeps_its_bytes(place, ask):
    first = place.ledger().release(ask(), noise)
    assert not first.reused and first.sequence == 4
    assert first.charge == first.spent == ask().charge
    assert first.epsilon == first.epsilon_spent == pytest.approx(1.0)
    for again in (
        ask(),
        ask(study="renamed", asset="moved", purpose="another", approvers=("Ada",)),
        ask(population="folk"),
    ):
        second = place.ledger().release(again, never)
        assert second.reused
        assert (second.key, second.sequence, second.head) == (first.key, first.sequence, first.head)
        assert second.artefacts == first.artefacts
        assert second.spent == first.spent
    assert kinds(place) == ["created", "budget", "reserved", "committed"]
    assert place.ledger().verify() == 4
    assert place.ledger().manifest() == first.manifest()


def test_a_changed_parameter_is_a_new_charge(place, ask):
    ledger = place.ledger()
    first = ledger.release(ask(), noise)
    for number, changed in enumerate(
        (
            ask(parameters={"epsilon": 2}),
            ask(inputs={"records": "cd"}),
            ask(mechanism="marginals 2"),
            ask(reissue=1),
        )
    ):
        other = ledger.release(changed, noise)
        assert not other.reused and other.artefacts != first.artefacts
        assert other.spent.rho == pytest.approx((number + 2) * ask().charge.rho)
    assert kinds(place).count("reserved") == 5


def others(place, **changes):
    """Register a second population, and return how a release charges it."""
    fields = {
        "name": "others",
        "people": "Everyone named",
        "epsilon": 2.0,
        "delta": 1e-6,
        "may_raise": ["Eve"],
    }
    (place.populations / "others.yaml").write_text(json.dumps({**fields, **changes}))
    return lambda epsilon, name="others": (AlsoCharged(name, Charge(rho_of(epsilon, 1e-6))),)


def test_a_linked_release_charges_all_its_populations_in_one_entry(place, ask):
    charged = others(place, aliases=["named"])
    ledger = place.ledger()
    first = ledger.release(ask(1.0, also=charged(1.5)), noise)
    assert first.charge == ask(1.0).charge and first.epsilon_spent == pytest.approx(1.0)
    (further,) = first.also
    assert further.population.name == "others" and further.charge == further.spent == charged(1.5)[0].charge
    assert further.epsilon == further.epsilon_spent == pytest.approx(1.5)
    assert kinds(place) == ["created", "budget", "budget", "reserved", "committed"]
    again = ledger.release(ask(1.0, also=charged(1.5, "named")), never)
    assert (again.key, again.artefacts, again.also) == (first.key, first.artefacts, first.also)
    # for the first population alone it is another release: the bytes that tell about both were paid by both
    assert ledger.release(ask(1.0), noise).key != first.key
    text = ledger.statement()
    assert "charged to others too" in text and "charged to people too" in text
    assert ledger.verify() == 7


def test_all_populations_are_charged_or_none(place, ask):
    charged = others(place)
    ledger = place.ledger()
    ledger.release(ask(1.0, also=charged(1.5)), noise)
    before = ledger.entries()
    with pytest.raises(BudgetExhausted) as caught:
        ledger.release(ask(1.0, also=charged(1.5), reissue=1), never)
    assert (caught.value.population, caught.value.may_raise) == ("others", ("Eve",))
    with pytest.raises(BudgetExhausted) as caught:
        ledger.release(ask(3.95, also=charged(0.1)), never)
    assert caught.value.population == "people"
    with pytest.raises(PopulationUnknown):
        ledger.release(ask(1.0, also=charged(0.1, "strangers"), reissue=1), never)
    with pytest.raises(ValueError, match="each population once"):
        ledger.release(ask(1.0, also=charged(0.1, "folk"), reissue=1), never)
    others(place, approve_above=0.05)
    with pytest.raises(ApprovalMissing, match="'others'"):
        ledger.release(ask(1.0, also=charged(0.1), reissue=1), never)
    assert ledger.entries() == before


def test_a_linked_release_that_failed_is_drawn_on_its_charges(place, ask):
    charged = others(place)
    ledger = place.ledger()
    with pytest.raises(ZeroDivisionError):
        ledger.release(ask(1.0, also=charged(1.5)), lambda: {"x": bytes(1 // 0)})
    with pytest.raises(MechanismChanged):
        ledger.release(ask(1.0, also=charged(1.6)), never)
    done = ledger.release(ask(1.0, also=charged(1.5)), noise)
    assert not done.reused and done.also[0].spent == charged(1.5)[0].charge


def test_processes_that_race_for_the_budget_of_a_further_population(place, ask):
    charged = others(place)
    results = together(4, lambda n: place.ledger().release(ask(0.1, also=charged(1.5), reissue=n), noise))
    assert sum(isinstance(result, BudgetExhausted) for result in results) == 3
    assert kinds(place) == ["created", "budget", "budget", "reserved", "committed"]


def test_a_past_release_comes_again_byte_for_byte(place, ask):
    ledger = place.ledger()
    with pytest.raises(ReleaseUnknown, match="nothing was ever released"):
        ledger.again("0" * 64)
    assert not place.database.exists()
    first = ledger.release(ask(), noise)
    other = ledger.release(ask(reissue=1), noise)
    before = ledger.entries()
    # without data, without the register of populations, whatever the budget is by now
    alone = place.ledger(populations="")
    assert alone.again(first.key) == first.artefacts
    assert alone.again(f" {other.key[:16].upper()} ") == other.artefacts
    for key in ("0" * 64, first.key[:15], first.key + "0", "", "%" * 64):
        with pytest.raises(ReleaseUnknown):
            alone.again(key)
    with pytest.raises(ZeroDivisionError):
        ledger.release(ask(0.5), lambda: {"x": bytes(1 // 0)})
    reserved = ledger.entries()[-1]
    with pytest.raises(ReleaseUnknown, match="charged as entry 7 but never drawn"):
        alone.again(reserved.release_key)
    assert ledger.entries()[:-1] == before


def test_a_past_release_of_a_changed_ledger_does_not_come_again(place, ask):
    ledger = place.ledger()
    first = ledger.release(ask(), noise)
    empty = "x''" if place.database.path else "''::bytea"
    intrude(place, f"UPDATE privacy_ledger_artefacts SET content = {empty} WHERE name = 'counts.parquet'")
    with pytest.raises(LedgerTampered, match="entry 4"):
        ledger.again(first.key)
    place.wipe()
    with pytest.raises(LedgerRolledBack):
        ledger.again(first.key)


def test_a_series_charges_its_largest_part(place, ask):
    ledger = place.ledger()
    part = {"series": "yearly", "inputs": {"records": "2023"}}
    first = ledger.release(ask(3.0, part="2023", **part), noise)
    second = ledger.release(ask(3.0, part="2024", **part), noise)
    assert first.key != second.key and first.artefacts != second.artefacts
    assert second.spent == first.spent == first.charge
    with pytest.raises(BudgetExhausted):
        ledger.release(ask(3.0, part="2024", reissue=1, **part), never)
    with pytest.raises(BudgetExhausted):
        ledger.release(ask(3.0, part="2024", **part | {"series": "monthly"}), never)
    assert ledger.release(ask(3.0, part="2023", **part), never).artefacts == first.artefacts
    assert "part 2024 of series yearly" in ledger.statement()
    assert kinds(place) == ["created", "budget", "reserved", "committed", "reserved", "committed"]


def test_an_exhausted_budget_charges_nothing(place, ask):
    ledger = place.ledger()
    ledger.release(ask(3.0), noise)
    before = ledger.entries()
    with pytest.raises(BudgetExhausted) as caught:
        ledger.release(ask(3.0, reissue=1), never)
    assert caught.value.asked == pytest.approx(3.0)
    assert ledger.entries() == before
    granted = ledger.release(ask(caught.value.left * 0.999), noise)
    assert granted.epsilon_spent <= 4.0


def test_who_is_unknown_and_what_is_unapproved_leaves_no_trace(place, ask):
    with pytest.raises(PopulationUnknown):
        place.ledger().release(ask(population="strangers"), never)
    assert not place.database.exists()
    control = {"barrier": "disclosure-control", "charge": Charge(0.0)}
    with pytest.raises(ApprovalMissing):
        place.ledger().release(ask(**control), never)
    assert kinds(place) == ["created"]
    approved = place.ledger().release(ask(**control, approvers=("Ada",)), noise)
    assert approved.charge.is_zero and approved.epsilon == 0.0
    assert kinds(place) == ["created", "budget", "reserved", "committed"]


def test_a_changed_budget_is_recorded_when_it_is_first_used(place, ask):
    ledger = place.ledger()
    ledger.release(ask(3.0), noise)
    place.budget((place.populations / "people.yaml").read_text().replace("4.0", "8.0"))
    ledger.release(ask(3.0), never)
    assert kinds(place).count("budget") == 1
    ledger.release(ask(4.0), noise)
    ledger.release(ask(0.5), noise)
    budgets = [entry.content["epsilon"] for entry in ledger.entries() if entry.kind == "budget"]
    assert budgets == [4, 8]
    assert "sets epsilon 8 at delta 1e-06" in ledger.statement()


def test_a_failed_draw_stays_charged_and_is_drawn_again_on_the_same_charge(place, ask):
    ledger = place.ledger()
    with pytest.raises(ZeroDivisionError):
        ledger.release(ask(3.0), lambda: {"x": bytes(1 // 0)})
    assert kinds(place) == ["created", "budget", "reserved"]
    with pytest.raises(BudgetExhausted):
        ledger.release(ask(3.0, reissue=1), never)
    with pytest.raises(MechanismChanged, match="Raise the mechanism's version"):
        ledger.release(ask(3.0, charge=Charge(rho_of(3.5, 1e-6))), never)
    for wrong in ({}, {"x": "text"}, {"": b""}, [b"x"], None):
        with pytest.raises(TypeError, match="bytes by name"):
            ledger.release(ask(3.0), lambda wrong=wrong: wrong)
    assert not ledger.release(ask(3.0), noise).reused
    assert kinds(place) == ["created", "budget", "reserved", "committed"]


def test_a_slower_draw_gets_the_bytes_of_the_first(place, ask):
    inner = []

    def draw():
        inner.append(place.ledger().release(ask(), noise))
        return noise()

    outer = place.ledger().release(ask(), draw)
    assert outer.reused and not inner[0].reused
    assert outer.artefacts == inner[0].artefacts
    assert kinds(place) == ["created", "budget", "reserved", "committed"]


def together(count, work):
    """Run `work(number)` in so many processes at once; return what each returned."""
    start, results = FORK.Barrier(count), FORK.Queue()

    def run(number):
        start.wait(30)
        try:
            results.put((number, work(number)))
        except BaseException as error:  # the parent judges it
            results.put((number, error))

    processes = [FORK.Process(target=run, args=(number,)) for number in range(count)]
    for process in processes:
        process.start()
    try:
        return [
            result for _, result in sorted((results.get(timeout=90) for _ in processes), key=lambda r: r[0])
        ]
    except queue.Empty:
        pytest.fail("a process did not answer")
    finally:
        for process in processes:
            process.join(10)
            process.kill()


def test_eight_processes_for_the_last_of_a_budget(place, ask):
    # not even key and ledger exist: all eight create them at once
    results = together(8, lambda number: place.ledger().release(ask(3.5, reissue=number), noise))
    granted = [result for result in results if not isinstance(result, Exception)]
    refused = [result for result in results if isinstance(result, BudgetExhausted)]
    assert (len(granted), len(refused)) == (1, 7)
    assert kinds(place) == ["created", "budget", "reserved", "committed"]
    assert place.ledger().verify() == 4


def test_eight_processes_for_the_same_release(place, ask):
    results = together(8, lambda number: place.ledger().release(ask(3.5), noise))
    assert len({json.dumps(sorted(r.artefacts.items()), default=bytes.hex) for r in results}) == 1
    assert sum(not result.reused for result in results) == 1
    assert kinds(place) == ["created", "budget", "reserved", "committed"]


def test_an_older_backup_is_refused(place, ask, tmp_path):
    from resources.ledger_database import LedgerDatabase

    ledger = place.ledger()
    ledger.release(ask(1.0), noise)
    backup = LedgerDatabase(f"sqlite:///{tmp_path / 'backup.sqlite'}")
    place.database.copy_to(backup)
    newest = LedgerDatabase(f"sqlite:///{tmp_path / 'newest.sqlite'}")
    kept = ledger.release(ask(3.0), noise)
    place.database.copy_to(newest)

    place.wipe()
    with pytest.raises(LedgerRolledBack, match="there is no ledger"):
        ledger.release(ask(3.0), never)
    backup.copy_to(place.database)
    for act in (
        lambda: ledger.release(ask(1.0), never),
        lambda: ledger.release(ask(2.0), never),
        ledger.verify,
    ):
        with pytest.raises(LedgerRolledBack, match="ends at 4"):
            act()

    place.wipe()
    newest.copy_to(place.database)
    assert ledger.release(ask(3.0), never).artefacts == kept.artefacts
    assert ledger.verify() == 6


def test_published_manifests_are_heads_too(place, ask, tmp_path):
    ledger = place.ledger()
    ledger.release(ask(1.0), noise)
    place.database.copy_to(type(place.database)(f"sqlite:///{tmp_path / 'backup.sqlite'}"))
    published = ledger.release(ask(2.0), noise).manifest()
    place.wipe()
    type(place.database)(f"sqlite:///{tmp_path / 'backup.sqlite'}").copy_to(place.database)
    for path in (place.home / "lake" / "released" / ".manifests").iterdir():
        path.unlink()
    assert ledger.verify() == 4
    (place.home / "site").mkdir()
    (place.home / "site" / "manifest.json").write_text(json.dumps({"title": "a site", **published}))
    with pytest.raises(LedgerRolledBack):
        ledger.verify()
    (place.home / "site" / "manifest.json").write_text(json.dumps({"title": "a site on no release"}))
    assert ledger.verify() == 4
    (tmp_path / "mirror.json").write_text(json.dumps(published))
    with pytest.raises(LedgerRolledBack):
        place.ledger(manifests=[str(tmp_path / "mirr*.json")]).verify()
    (place.home / "site" / "manifest.json").write_text('{"ledger": {"sequence": 4')
    with pytest.raises(LedgerRolledBack, match=r"manifest.json cannot be read"):
        ledger.verify()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE privacy_ledger_entries SET body = '{}' WHERE sequence = 3",
        "DELETE FROM privacy_ledger_entries WHERE sequence = 3",
        "DELETE FROM privacy_ledger_entries",
        "UPDATE privacy_ledger_artefacts SET sha256 = ''",
        "DELETE FROM privacy_ledger_artefacts",
    ],
)
def test_the_database_refuses_changes(place, ask, statement):
    place.ledger().release(ask(), noise)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        place.raw(statement)
    assert place.ledger().verify() == 4


def test_the_database_refuses_what_replaces_or_truncates(place, ask):
    place.ledger().release(ask(), noise)
    for table in ("privacy_ledger_entries", "privacy_ledger_artefacts"):
        statement = (
            f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"
            if place.database.path
            else f"TRUNCATE {table}"
        )
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            place.raw(statement)
    # and a second charge of one release, whoever writes it
    with pytest.raises(sa.exc.IntegrityError):
        place.raw(
            "INSERT INTO privacy_ledger_entries SELECT 5, kind, at, population, release_key, body, 'x', 'y' "
            "FROM privacy_ledger_entries WHERE sequence = 3"
        )


def intrude(place, *statements):
    """Change rows with the triggers switched off and on again, as somebody with the database's password can."""
    if place.database.path:
        with sa.create_engine(place.url).connect() as connection:
            triggers = connection.exec_driver_sql(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
            ).all()
        place.raw(
            *(f"DROP TRIGGER {name}" for name, _ in triggers), *statements, *(sql for _, sql in triggers)
        )
    else:
        tables = ("privacy_ledger_entries", "privacy_ledger_artefacts")
        place.raw(
            *(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in tables),
            *statements,
            *(f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in tables),
        )


E = "privacy_ledger_entries"


@pytest.mark.parametrize(
    "statements, message",
    [
        (
            [f"UPDATE {E} SET body = replace(body, '\"delta\":0', '\"delta\":1') WHERE sequence = 3"],
            "Entry 3",
        ),
        ([f"UPDATE {E} SET at = '2020' WHERE sequence = 1"], "Entry 1"),
        ([f"UPDATE {E} SET body = 'no JSON' WHERE sequence = 1"], "Entry 1"),
        ([f"UPDATE {E} SET population = 'others' WHERE sequence = 5"], "Entry 5"),
        ([f"DELETE FROM {E} WHERE sequence = 3"], "entry 4 where 3 belongs"),
        ([f"DELETE FROM {E} WHERE sequence = 1"], "entry 2 where 1 belongs"),
        (
            [
                f"UPDATE {E} SET sequence = 99 WHERE sequence = 3",
                f"UPDATE {E} SET sequence = 3 WHERE sequence = 5",
                f"UPDATE {E} SET sequence = 5 WHERE sequence = 99",
            ],
            "Entry 3",
        ),
        (
            [
                f"INSERT INTO {E} SELECT 7, 'budget', at, population, '', body, head, 'y' FROM {E} WHERE sequence = 6"
            ],
            "Entry 7",
        ),
        (
            ["UPDATE privacy_ledger_artefacts SET sha256 = 'x' WHERE name = 'counts.parquet'"],
            "bytes that the ledger",
        ),
        (["DELETE FROM privacy_ledger_artefacts WHERE name = 'counts.parquet'"], "bytes that the ledger"),
        (
            [
                "INSERT INTO privacy_ledger_artefacts SELECT 'k', name, sha256, content FROM privacy_ledger_artefacts "
                "WHERE name = 'counts.parquet' LIMIT 1"
            ],
            "never committed",
        ),
    ],
)
def test_verify_finds_what_was_changed_behind_the_triggers(place, ask, statements, message):
    ledger = place.ledger()
    ledger.release(ask(1.0), noise)
    ledger.release(ask(2.0), noise)
    assert ledger.verify() == 6
    intrude(place, *statements)
    with pytest.raises(LedgerTampered, match=message):
        ledger.verify()


def test_changed_bytes_are_found_and_never_handed_out(place, ask):
    ledger = place.ledger()
    ledger.release(ask(), noise)
    empty = "x''" if place.database.path else "''::bytea"
    intrude(place, f"UPDATE privacy_ledger_artefacts SET content = {empty} WHERE name = 'counts.parquet'")
    for act in (ledger.verify, lambda: ledger.release(ask(), never)):
        with pytest.raises(LedgerTampered, match="entry 4"):
            act()


def test_a_cut_off_end_is_found(place, ask):
    ledger = place.ledger()
    ledger.release(ask(1.0), noise)
    ledger.release(ask(2.0), noise)
    intrude(place, f"DELETE FROM {E} WHERE sequence > 4")
    with pytest.raises(LedgerRolledBack, match="ends at 4"):
        ledger.release(ask(3.0), never)


def test_missing_triggers_are_found(place, ask):
    place.ledger().release(ask(), noise)
    name = f"{E}_no_update"
    place.raw(f"DROP TRIGGER {name}" + ("" if place.database.path else f" ON {E}"))
    with pytest.raises(LedgerTampered, match=f"{name} .* missing"):
        place.ledger().verify()
