import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrtech.linkage.normalise import fold, normalise, words_of
from hrtech.linkage.registers import prepare
from hrtech.linkage.spec import FieldSpec, LinkageError, LinkageSpec


@pytest.mark.parametrize(
    ("kind", "raw", "expected"),
    [
        ("person_name", "  Dr. José-María  O'Neil ", "jose maria oneil"),
        ("family_name", "Łukaszewicz", "lukaszewicz"),
        ("company_name", "Green & Sons Ltd.", "green and sons"),
        ("company_name", "G.M.B. Transport GmbH & Co. KG", "gmb transport"),
        ("company_name", "PT Laut Biru Tbk", "laut biru"),
        ("company_name", "Limited", "limited"),
        ("address", "12, High Street, North Road", "12 high st n rd"),
        ("company_name", "ООО «Ромашка»", "romashka"),
        ("company_name", "Kowalski Sp. z o.o.", "kowalski"),
        ("company_name", "Grupo Alfa S.A.B. de C.V.", "grupo alfa"),
        ("company_name", "Akme OÜ", "akme"),
        ("company_name", "Sunrise Co., Ltd.", "sunrise"),
        ("company_name", "Amnesty UK", "amnesty uk"),
        ("company_name", "Co Op Bank", "co op bank"),
        ("person_name", "Сергей Иванов", "sergey ivanov"),
        ("family_name", "Παπαδόπουλος", "papadopoylos"),
        ("family_name", "Đorđević", "dordevic"),
        ("phone", "+44 (0)20 7946-0958", "442079460958"),
        ("phone", "0044 20 7946 0958", "442079460958"),
        ("phone", "0044 20", "4420"),
        ("phone", "020 7946 0958", "2079460958"),
        ("email", " Info@Example.ORG ", "info@example.org"),
        ("date", "19801231", "1980-12-31"),
        ("date", "1980-12-31T08:00", "1980-12-31"),
        ("identifier", "ab-12 / 3", "ab123"),
    ],
)
def test_each_kind_has_its_comparable_form(kind, raw, expected):
    assert normalise(pd.Series([raw], dtype="str"), kind).tolist() == [expected]


@pytest.mark.parametrize(
    ("kind", "raw"), [("date", "31/12/80"), ("email", "none"), ("phone", "n/a"), ("category", " - ")]
)
def test_what_is_left_of_nothing_is_missing(kind, raw):
    assert normalise(pd.Series([raw], dtype="str"), kind).isna().all()


def test_typed_columns_keep_their_index_and_blanks():
    dates = pd.Series(pd.to_datetime(["2001-02-03", None]), index=[7, 9])
    assert normalise(dates, "date").tolist()[0] == "2001-02-03"
    assert list(normalise(dates, "date").index) == [7, 9]
    numbers = pd.Series([5550001.0, None])
    assert normalise(numbers, "phone").tolist()[0] == "5550001"
    assert normalise(numbers, "phone").isna().tolist() == [False, True]


@given(st.text(max_size=40))
def test_folding_is_idempotent(text):
    assert fold(fold(text)) == fold(text)


def test_words_are_sorted_and_distinct():
    words = words_of(pd.Series(["b a b", None], dtype="str"))
    assert words.tolist() == [["a", "b"], None]


def test_a_region_makes_national_and_international_numbers_alike():
    written = pd.Series(["020 7946 0958", "+44 20 7946 0958", "0044 (0)20 79460958", None, "12"], dtype="str")
    assert normalise(written, "phone", "GB").tolist()[:3] == ["442079460958"] * 3
    assert normalise(written, "phone", "GB").isna().tolist() == [False, False, False, True, False]
    # the same digits are another number elsewhere, and a blank region says nothing
    rows = pd.Series(["0171 234567", "0171 234567", "0171 234567"], index=[4, 5, 6], dtype="str")
    where = pd.Series(["DE", "at", None], index=[4, 5, 6], dtype="str")
    assert normalise(rows, "phone", where).to_dict() == {4: "49171234567", 5: "43171234567", 6: "171234567"}


def test_names_in_other_scripts_compare_with_latin_ones():
    import duckdb

    for other, latin in (("Юрий Щербаков", "Yuri Shcherbakov"), ("Νίκος Παπαδόπουλος", "Nikos Papadopoulos")):
        forms = normalise(pd.Series([other, latin], dtype="str"), "person_name").tolist()
        ((similar,),) = duckdb.execute("select jaro_winkler_similarity(?, ?)", forms).fetchall()
        assert similar >= 0.92


def test_registers_know_the_region_of_their_phone_numbers():
    frame = pd.DataFrame({"id": ["1", "2"], "tel": ["0171 234567", "0171 234567"], "land": ["AT", None]})

    def phones(**more):
        spec = LinkageSpec((FieldSpec("tel", "phone", **more),), mode="deduplicate", id_columns="id")
        return prepare({"firms": frame}, spec).records["tel"].tolist()

    assert phones(region="DE") == ["49171234567"] * 2
    assert phones(region_columns={"firms": "land"}) == ["43171234567", "171234567"]
    with pytest.raises(LinkageError, match="'firms' has no column 'country'"):
        phones(region_columns="country")
    with pytest.raises(LinkageError, match="no country code"):
        FieldSpec("tel", "phone", region="Germany")
    with pytest.raises(LinkageError, match="is no phone"):
        FieldSpec("name", "person_name", region="DE")
