"""Value lists, hierarchies and labels come from CSV and DDI codebooks; a wrong codebook is named by row or line."""

import pytest

from hrtech.sources import SourceError, read_codebook, read_hierarchies, read_labels

DDI = """<?xml version="1.0" encoding="UTF-8"?>
<codeBook xmlns="ddi:codebook:2_5" version="2.5">
  <dataDscr>
    <var ID="V1" name="sex">
      <labl>Sex of the person</labl>
      <catgry><catValu>F</catValu><labl>female</labl></catgry>
      <catgry><catValu> M </catValu><labl>male</labl></catgry>
      <catgry missing="Y"><catValu>-9</catValu><labl>not asked</labl></catgry>
    </var>
    <var ID="V2" name="age"/>
    <var ID="V3" name="forms">
      <catgry><catValu>labour &amp; debt</catValu></catgry>
      <catgry><catValu>sexual</catValu></catgry>
    </var>
  </dataDscr>
</codeBook>
"""


def test_csv_codebook(tmp_path):
    path = tmp_path / "codebook.csv"
    path.write_text("column,value,label\nsex,F,female\nsex,M,male\nforms, labour ,Labour\nsex,X,\n")
    assert read_codebook(path) == {"sex": ("F", "M", "X"), "forms": ("labour",)}


def test_csv_codebook_without_labels_and_with_semicolons(tmp_path):
    path = tmp_path / "codebook.csv"
    path.write_text("value;column\nF;sex\n", encoding="utf-8-sig")
    assert read_codebook(str(path)) == {"sex": ("F",)}


def test_ddi_codebook(tmp_path):
    path = tmp_path / "codebook.xml"
    path.write_text(DDI)
    assert read_codebook(path) == {"sex": ("F", "M"), "forms": ("labour & debt", "sexual")}


def test_ddi_of_other_versions_and_encodings(tmp_path):
    path = tmp_path / "codebook.xml"
    text = DDI.replace(' xmlns="ddi:codebook:2_5"', "").replace("UTF-8", "UTF-16").replace("sexual", "séxual")
    path.write_bytes(text.encode("utf-16"))
    assert read_codebook(path)["forms"] == ("labour & debt", "séxual")


WRONG_CSV = {
    "no header": ("sex,F\nsex,M\n", ", row 1: the header must name `column` once"),
    "no value": ("column,value\nsex,F\nsex,\n", ", row 3: the column's name or the value is missing"),
    "twice": (
        "column,value\nsex,F\nage,F\nsex,F\n",
        ", row 4, column 'sex': the value stands already in row 2",
    ),
    "empty": ("", ": the file is empty"),
}


@pytest.mark.parametrize("case", WRONG_CSV)
def test_wrong_csv(case, tmp_path):
    text, expected = WRONG_CSV[case]
    path = tmp_path / "codebook.csv"
    path.write_text(text)
    with pytest.raises(SourceError) as raised:
        read_codebook(path)
    assert str(raised.value).startswith(f"{path}{expected}")


WRONG_XML = {
    "broken": (DDI.replace("</var>", "", 1), ", line 15: this is not well-formed XML"),
    "not DDI": ("<html/>", ", line 1: the document is no DDI codebook (its root is not codeBook)"),
    "no name": (DDI.replace('name="age"', ""), ", line 10: a variable has no name"),
    "no value": (DDI.replace("<catValu>F</catValu>", "<catValu/>"), ", line 6: a category has no value"),
    "twice": (
        DDI.replace("<catValu>sexual", "<catValu>labour &amp; debt"),
        ", line 13, column 'forms': the value stands already in line 12",
    ),
    "no categories": (
        '<codeBook xmlns="ddi:codebook:2_5"><var name="a"/></codeBook>',
        ": the codebook lists no value",
    ),
}


@pytest.mark.parametrize("case", WRONG_XML)
def test_wrong_xml(case, tmp_path):
    text, expected = WRONG_XML[case]
    path = tmp_path / "codebook.xml"
    path.write_text(text)
    with pytest.raises(SourceError) as raised:
        read_codebook(path)
    assert str(raised.value).startswith(f"{path}{expected}")


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE codeBook [<!ENTITY secret SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE codeBook [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE codeBook SYSTEM "http://example.org/ddi.dtd">',
    ],
)
def test_document_types_and_entities_are_refused(declaration, tmp_path):
    path = tmp_path / "codebook.xml"
    path.write_text(DDI.replace("?>\n", f"?>\n{declaration}\n", 1).replace("sexual", "&secret;"))
    with pytest.raises(SourceError, match="declares a document type, which is not accepted"):
        read_codebook(path)


def test_a_missing_codebook(tmp_path):
    with pytest.raises(SourceError, match="there is no such codebook"):
        read_codebook(tmp_path / "none.csv")


HIERARCHY_DDI = """<codeBook xmlns="ddi:codebook:2_5" version="2.5">
  <dataDscr>
    <var ID="V1" name="country">
      <labl>Country of <emph>citizenship</emph></labl>
      <catgryGrp ID="G1" catgry="C1 C3"><labl>Africa</labl><labl xml:lang="fr">Afrique</labl></catgryGrp>
      <catgryGrp ID="G2" catgry="C2, C0"><labl> Asia &amp; Pacific </labl></catgryGrp>
      <catgryGrp ID="G3" missing="Y" catgry="C0"><labl>unknown</labl></catgryGrp>
      <catgryGrp ID="G4" catGrp="G1 G2"><labl>World</labl></catgryGrp>
      <catgry ID="C0" missing="Y"><catValu>-9</catValu><labl>not asked</labl></catgry>
      <catgry ID="C1"><catValu>KE</catValu><labl>Kenya</labl><labl xml:lang="sw">Kenia</labl></catgry>
      <catgry ID="C2"><catValu>NP</catValu><labl>Nepal</labl></catgry>
      <catgry ID="C3"><catValu>NG</catValu></catgry>
    </var>
    <var ID="V2" name="sex"><catgry><catValu>F</catValu><labl>female</labl></catgry></var>
  </dataDscr>
</codeBook>
"""
PARENTS = {"KE": "Africa", "NP": "Asia & Pacific", "NG": "Africa"}


def test_hierarchies_and_labels_of_a_csv_codebook(tmp_path):
    path = tmp_path / "codebook.csv"
    path.write_text(
        "column,value,label,parent\ncountry,KE,Kenya, Africa \ncountry,NP,,Asia\nsex,F,female,\ncountry,0,no,\n"
    )
    assert read_hierarchies(path) == {"country": {"KE": "Africa", "NP": "Asia"}}
    assert read_labels(path).values == {"country": {"KE": "Kenya", "0": "no"}, "sex": {"F": "female"}}
    assert read_labels(path).columns == {}
    assert read_codebook(path) == {"country": ("KE", "NP", "0"), "sex": ("F",)}


def test_a_codebook_without_parents_and_labels_has_none(tmp_path):
    path = tmp_path / "codebook.csv"
    path.write_text("column,value\nsex,F\n")
    assert read_hierarchies(path) == {}
    assert read_labels(path).values == {}


def test_hierarchies_and_labels_of_a_ddi_codebook(tmp_path):
    path = tmp_path / "codebook.xml"
    path.write_text(HIERARCHY_DDI)
    assert read_hierarchies(path) == {"country": PARENTS}
    labels = read_labels(path)
    assert labels.columns == {"country": "Country of citizenship"}
    assert labels.values == {"country": {"KE": "Kenya", "NP": "Nepal"}, "sex": {"F": "female"}}
    assert read_codebook(path) == {"country": ("KE", "NP", "NG"), "sex": ("F",)}


WRONG_HIERARCHIES = {
    "csv, one without": (
        "csv",
        "column,value,parent\ncountry,KE,Africa\nsex,F,\ncountry,NP,\n",
        ", row 4, column 'country': the value has no parent, while others of the column have one",
    ),
    "csv, header twice": (
        "csv",
        "column,value,parent,parent\ncountry,KE,Africa,Asia\n",
        ", row 1: the header must name `parent` once",
    ),
    "ddi, one without": (
        "xml",
        HIERARCHY_DDI.replace('catgry="C1 C3"', 'catgry="C1"'),
        ", line 12, column 'country': the value has no parent, while others of the column have one",
    ),
    "ddi, in two groups": (
        "xml",
        HIERARCHY_DDI.replace('catgry="C2, C0"', 'catgry="C1 C2"'),
        ", line 6, column 'country': a category is in two category groups",
    ),
    "ddi, no such category": (
        "xml",
        HIERARCHY_DDI.replace('catgry="C1 C3"', 'catgry="C1 C9"'),
        ", line 5, column 'country': a category group names a category that the variable does not have",
    ),
    "ddi, no label": (
        "xml",
        HIERARCHY_DDI.replace("<labl>Africa</labl>", "<labl/>").replace("Afrique", ""),
        ", line 5: a category group has no label, which is the parent value",
    ),
}


@pytest.mark.parametrize("case", WRONG_HIERARCHIES)
def test_wrong_hierarchies(case, tmp_path):
    kind, text, expected = WRONG_HIERARCHIES[case]
    path = tmp_path / f"codebook.{kind}"
    path.write_text(text)
    with pytest.raises(SourceError) as raised:
        read_hierarchies(path)
    assert str(raised.value).startswith(f"{path}{expected}")


def test_a_long_codebook_is_read_in_one_walk(tmp_path):
    path = tmp_path / "codebook.csv"
    path.write_text("column,value\n" + "".join(f"place,{n}\n" for n in range(1, 30_000)))
    assert len(read_codebook(path)["place"]) == 29_999
