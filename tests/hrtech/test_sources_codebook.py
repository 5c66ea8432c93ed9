"""Value lists come from CSV and DDI codebooks, and a wrong codebook is named by row or line."""

import pytest

from hrtech.sources import SourceError, read_codebook

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
