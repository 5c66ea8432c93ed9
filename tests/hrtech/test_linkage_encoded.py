import base64
import hmac
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hrtech.linkage import (
    FieldSpec,
    LinkageError,
    LinkageSpec,
    blocking_report,
    evaluate_linkage,
    link_registers,
)
from hrtech.linkage.encoded import bit_key, bits_of, encoded_levels
from hrtech.linkage.encoding import (
    ENCODING,
    EncodedField,
    EncodedPart,
    EncodingScheme,
    encode,
    grams,
    key_check,
    scheme_of,
)
from hrtech.linkage.encoding_attack import frequency_attack
from hrtech.linkage.engine import open_engine

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
GIVEN, FAMILY = EncodedPart("given_name", "given_name"), EncodedPart("family_name", "family_name")
BORN, TOWN = EncodedPart("born", "date"), EncodedPart("town", "address")
SCHEME = EncodingScheme(
    (
        EncodedField("name", (GIVEN, FAMILY)),
        EncodedField("birth", (BORN,)),
        EncodedField("place", (TOWN,)),
        EncodedField("card", (EncodedPart("card", "identifier"),), method="hash"),
    )
)
SPEC = LinkageSpec(
    tuple(FieldSpec(field.name, "encoded") for field in SCHEME.fields),
    mode="link",
    duplicate_free=("ours", "theirs"),
)


def people(rng, count=300):
    def words(pieces, length):
        return np.array(["".join(rng.choice(pieces, length)) for _ in range(count)])

    syllables = ["ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu", "han", "dor", "mel"]
    born = pd.to_datetime("1960-01-01") + pd.to_timedelta(rng.integers(0, 15_000, count), unit="D")
    return pd.DataFrame(
        {
            "given_name": words(syllables, 2),
            "family_name": words(syllables, 3),
            "born": pd.Series(born).dt.strftime("%Y-%m-%d"),
            "town": words(syllables, 4),
            "card": rng.integers(10**8, 10**9, count).astype(str),
        }
    )


def spoil(table, rng):
    """Write one letter of the family name otherwise, swap names, and leave cells blank."""
    table = table.copy()
    wrong = rng.random(len(table)) < 0.4
    table.loc[wrong, "family_name"] = table.loc[wrong, "family_name"].str.slice(0, -1) + "q"
    swapped = rng.random(len(table)) < 0.1
    table.loc[swapped, ["given_name", "family_name"]] = table.loc[
        swapped, ["family_name", "given_name"]
    ].to_numpy()
    for column in ("born", "card"):
        table.loc[rng.random(len(table)) < 0.2, column] = None
    return table


def tokens(name, count):
    return pd.Series(
        [hmac.digest(name.encode(), bytes([i % 256, i // 256]), "sha256").hex()[:32] for i in range(count)]
    )


@pytest.fixture(scope="module")
def tables():
    rng = np.random.default_rng(5)
    everyone = people(rng, 450)
    return {
        "ours": everyone.iloc[:300].reset_index(drop=True),
        "theirs": spoil(everyone.iloc[150:].reset_index(drop=True), rng),
    }


@pytest.fixture(scope="module")
def registers(tables):
    return {name: encode(table, SCHEME, KEY, tokens(name, 300)) for name, table in tables.items()}


@pytest.fixture(scope="module")
def truth():
    sides = {"ours": range(300), "theirs": range(150, 450)}
    return pd.concat(
        [pd.DataFrame({"record_id": tokens(name, 300), "truth_id": list(who)}) for name, who in sides.items()]
    )


def test_half_overlapping_registers_are_linked_without_names_or_labels(registers, truth):
    result = link_registers(registers, SPEC)
    pairwise = evaluate_linkage(result.entities, truth).set_index("measure").loc["pairwise"]
    assert pairwise["precision"] > 0.98
    assert pairwise["recall"] > 0.97
    assert "name: alike by" in " ".join(result.pairs["reason"])
    assert not result.entities.duplicated(["entity_id", "register"]).any()


def test_hardened_filters_link_too(tables, truth):
    scheme = replace(SCHEME, folded=True, balanced=True, salt=EncodedPart("town", "address", first=2))
    hardened = {name: encode(table, scheme, KEY, tokens(name, 300)) for name, table in tables.items()}
    measured = evaluate_linkage(link_registers(hardened, SPEC).entities, truth).set_index("measure")
    assert measured.loc["pairwise", "f1"] > 0.95


def test_a_filter_is_what_the_papers_say():
    """Second way: sets of places, one bigram and one HMAC at a time."""
    table = pd.DataFrame({"given_name": ["Zoë"], "family_name": ["O'Neil"]})
    scheme = EncodingScheme((EncodedField("name", (GIVEN, FAMILY)),), bits=512)
    bits = bits_of(encode(table, scheme, KEY, pd.Series(["t"]))["name"])[0]
    secret = hmac.digest(KEY, b"clk1 filter name", "sha256")
    places = set()
    for gram in ("_z", "zo", "oe", "e_", "_o", "on", "ne", "ei", "il", "l_"):
        for draw in range(12):
            block = hmac.digest(secret, f"name\x1f\x1f{gram}\x1f".encode() + bytes([draw // 8]), "sha256")
            places.add(int.from_bytes(block[draw % 8 * 4 :][:4], "little") % 512)
    assert set(np.flatnonzero(bits)) == places


def test_grams_of_digits_keep_their_place():
    assert grams("1990-02", "date") == ["01", "19", "29", "30", "40", "52", "19", "99", "90", "00", "02"]
    assert grams("f", "category") == ["f"]


def test_folding_and_balancing_do_what_they_promise(tables):
    plain, folded, balanced = (
        bits_of(encode(tables["ours"], replace(SCHEME, **how), KEY, tokens("ours", 300))["name"])
        for how in ({}, {"folded": True}, {"balanced": True})
    )
    assert (plain[:, :512] ^ plain[:, 512:] == folded).all()
    assert (balanced.sum(axis=1) == 1024).all()
    assert len(set(plain.sum(axis=1).tolist())) > 5
    # Dice of balanced filters is one less the share of unlike bits
    both = (balanced[:-1] & balanced[1:]).sum(axis=1)
    assert np.allclose(2 * both / 2048, 1 - (plain[:-1] != plain[1:]).mean(axis=1))


def test_levels_count_bits_as_numpy_does(registers):
    values = registers["ours"]["name"]
    levels, derived = encoded_levels("name", values)
    table = pd.DataFrame(derived)
    left, right = table[:150].add_suffix("_l"), table[150:].add_suffix("_r").reset_index(drop=True)
    engine = open_engine("duckdb")
    pairs = engine.register(pd.concat([left, right], axis=1), "pairs").physical_name
    bits = bits_of(values).astype(int)
    dice = 2 * (bits[:150] & bits[150:]).sum(axis=1) / (bits[:150].sum(axis=1) + bits[150:].sum(axis=1))
    for level in levels:
        found = engine.frame(f"select {level['sql_condition']} as held from {pairs}")["held"]
        bound = float(level["sql_condition"].split(">= ")[1].split(" *")[0])
        assert (np.asarray(found) == (dice >= bound)).all()
    # filters of unrelated names are as alike as chance says
    assert (
        abs(dice.mean() - (float(levels[-1]["sql_condition"].split(">= ")[1].split(" *")[0]) - 0.3) / 0.7)
        < 0.02
    )


def test_the_file_holds_tokens_and_encodings_only(tables, registers):
    file = registers["ours"]
    assert file.columns.tolist() == ["record_id", ENCODING, "name", "birth", "place", "card"]
    assert file["record_id"].is_monotonic_increasing
    text = file.to_csv()
    for column in ("given_name", "family_name", "town", "card", "born"):
        assert not any(value in text for value in tables["ours"][column] if len(value) > 5)
    assert KEY.hex() not in text and base64.b64encode(KEY).decode() not in text
    blank = registers["theirs"]["card"].isna().sum()
    assert blank == tables["theirs"]["card"].isna().sum() > 0


def test_salting_makes_equal_names_unlike():
    table = pd.DataFrame({"family_name": ["novak"] * 3, "born": ["1990-01-01", "1990-05-05", "1981-01-01"]})
    salt = EncodedPart("born", "date", first=4)
    scheme = EncodingScheme((EncodedField("family", (FAMILY,)),), salt=salt)
    family = encode(table, scheme, KEY, pd.Series(["a", "b", "c"]))["family"]
    assert family[0] == family[1] != family[2]


def encoded_ours(tables, scheme=SCHEME, key=KEY):
    return encode(tables["ours"], scheme, key, tokens("ours", 300))


def test_files_that_do_not_fit_together_are_refused(tables, registers, monkeypatch):
    def refused(ours, words):
        with pytest.raises(LinkageError, match=words) as caught:
            link_registers({"ours": ours, "theirs": registers["theirs"]}, SPEC)
        assert not any(name in str(caught.value) for name in tables["ours"]["family_name"])

    refused(encoded_ours(tables, key=OTHER_KEY), "'ours' and 'theirs' were encoded with different keys")
    refused(
        encoded_ours(tables, scheme=replace(SCHEME, bits=512)), "different parameters.*Agree on one scheme"
    )
    refused(registers["ours"].drop(columns=ENCODING), "no column 'encoding'")
    refused(registers["ours"].assign(**{ENCODING: "clk0;width=8"}), "not encoded in the form clk1")
    mixed = registers["ours"].copy()
    mixed.loc[3, ENCODING] = "clk1;other"
    refused(mixed, "records of 2 encodings")
    short = registers["ours"].copy()
    short.loc[7, "name"] = short.loc[7, "name"][:100]
    refused(short, "column 'name': 1 cells are not a filter of 1024 bits, the first in record 8")
    unhashed = registers["ours"].copy()
    unhashed.loc[2, "card"] = "1234"
    refused(unhashed, "column 'card': 1 cells are not a keyed hash, the first in record 3")
    twice = registers["ours"].copy()
    twice.loc[1, "record_id"] = twice.loc[0, "record_id"]
    refused(twice, "2 records share an id")
    monkeypatch.setattr("hrtech.linkage.encoding.normalise", lambda values, kind: values.str.upper())
    refused(encoded_ours(tables), "different versions of the tool")


def test_unlike_fields_are_not_compared(registers):
    spec = replace(
        SPEC, fields=(FieldSpec("x", "encoded", {"ours": "name", "theirs": "place"}), *SPEC.fields[1:2])
    )
    with pytest.raises(LinkageError, match="unlike encodings name, place"):
        link_registers(registers, spec)


def test_more_pairs_than_the_bound_are_refused(registers):
    spec = replace(SPEC, blocking=(("place:bits1/1",),), max_pairs=1_000)
    assert blocking_report(registers, spec)["pairs"].sum() > 1_000
    with pytest.raises(LinkageError, match="above the bound of 1,000"):
        link_registers(registers, spec)


def test_tables_of_bits_are_the_same_in_every_run_and_differ_from_one_another(registers):
    name = registers["ours"]["name"]
    assert bit_key(name, 16, 1).equals(bit_key(name, 16, 1))
    assert not bit_key(name, 16, 1).equals(bit_key(name, 16, 2))
    assert bit_key(registers["theirs"]["birth"], 16, 1).isna().equals(registers["theirs"]["birth"].isna())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("nothing", "names and their values"),
        ({"fields": "name"}, "fields are a list"),
        ({"fields": []}, "needs encoded fields"),
        ({"fields": [{"name": "a", "parts": []}]}, "has no parts"),
        ({"fields": [{"name": "a", "parts": [{"name": "b"}]}]}, "lacks a name or a kind"),
        ({"fields": [{"name": "a", "parts": [{"name": "b", "kind": "colour"}]}]}, "cannot be encoded"),
        ({"fields": [{"name": "encoding", "parts": [{"name": "b", "kind": "date"}]}]}, "cannot be called so"),
        ({"fields": [{"name": "a", "parts": [{"name": "b", "kind": "date"}]}], "bits": 1000}, "bits is one of"),
        ({"fields": [{"name": "a", "parts": [{"name": "b", "kind": "date"}]}], "bits": "512"}, "bits is no int"),
        ({"fields": [{"name": "a", "parts": [{"name": "b", "kind": "date", "hashes": 0}]}]}, "between 1 and 64"),
        ({"fields": [{"name": "a", "parts": [{"name": "b", "kind": "date", "first": 4}]}]}, "not for filters"),
        ({"fields": [{"name": "a", "parts": [{"name": "b", "kind": "date"}]}], "key": "x"}, "unknown setting key"),
    ],
)  # fmt: skip
def test_a_wrong_scheme_says_what_is_wrong(settings, words):
    with pytest.raises(LinkageError, match=words):
        scheme_of(settings)


def test_keys_of_another_length_are_refused():
    with pytest.raises(LinkageError, match="16 bytes instead of 32"):
        key_check(KEY[:16])
    assert key_check(KEY) != key_check(OTHER_KEY)


def test_an_attacker_with_a_list_of_names_reads_a_filter_of_one_name_and_not_one_of_many_parts():
    """The warning of the docs as a number: common names alone in a filter are found."""
    rng = np.random.default_rng(2)
    names = sorted(set(people(rng, 260)["family_name"]))
    weight = 1 / np.arange(1, len(names) + 1)
    drawn, public = (pd.Series(rng.choice(names, 4_000, p=weight / weight.sum())) for _ in range(2))
    table = people(rng, 4_000).assign(family_name=drawn)
    salt = EncodedPart("born", "date", first=4)
    alone = EncodedField("family", (FAMILY,))
    found = {}
    for label, scheme in {
        "alone": EncodingScheme((alone,)),
        "salted": EncodingScheme((alone,), salt=salt),
        "together": EncodingScheme((EncodedField("family", (GIVEN, FAMILY, BORN)),)),
    }.items():
        encodings = encode(table, scheme, KEY, pd.Series(range(4_000)).astype(str).str.zfill(4))["family"]
        found[label] = float((frequency_attack(encodings, public) == drawn).mean())
    assert found["alone"] > 0.3
    assert found["salted"] < 0.1
    assert found["together"] < 0.1
