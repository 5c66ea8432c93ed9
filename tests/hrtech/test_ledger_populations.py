"""The register of populations: what is read, and the one clear error for each mistake."""

import pytest

from hrtech.privacy.errors import PopulationError, PopulationUnknown
from hrtech.privacy.populations import find_population, load_populations

GOOD = """\
name: people
people: Everyone in the records   # in words
epsilon: 4
delta: 1e-6
may_raise: the officer
approve_above: 2
aliases: [folk, crowd]
"""


@pytest.fixture
def register(tmp_path):
    def write(**files):
        for name, text in files.items():
            (tmp_path / name.replace("__", ".")).write_text(text, encoding="utf-8")
        return tmp_path

    return write


def test_a_register_is_read(register):
    other = GOOD.replace("people\n", "firms\n", 1).replace("folk, crowd", "")
    folder = register(people__yaml=GOOD, firms__yaml=other, README__md="about")
    populations = load_populations(folder)
    assert list(populations) == ["firms", "people"]
    people = populations["people"]
    assert (people.epsilon, people.delta, people.approve_above, people.unit) == (4.0, 1e-6, 2.0, "person")
    assert people.may_raise == ("the officer",) and people.names == {"people", "folk", "crowd"}
    assert find_population(populations, "folk") is people
    with pytest.raises(PopulationUnknown, match=r"'others' \(known: firms, people\)"):
        find_population(populations, "others")
    with pytest.raises(AttributeError):
        _ = people.budget


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("epsilon: 4\n", "", r"people\.yaml: field epsilon: Field required"),
        ("epsilon: 4", "epsilon: 0", "field epsilon: .*greater than 0"),
        ("epsilon: 4", "epsilon: .inf", "field epsilon"),
        (
            "epsilon: 4",
            "epsilon: 4\nepsilon: 8",
            r"people\.yaml, line 4: the field 'epsilon' is written twice",
        ),
        ("delta: 1e-6", "delta: 0.5", "field delta: .*less than 0.01"),
        ("delta: 1e-6", "delta: 0", "field delta"),
        ("may_raise: the officer", "may_raise: []", "field may_raise"),
        ("may_raise: the officer", "may_raise: ['']", r"field may_raise\.0"),
        ("approve_above: 2", "approve_above: -1", "field approve_above"),
        ("approve_above: 2", "aprove_above: 2", "field aprove_above: Extra"),
        ("name: people", "name: The People", "field name"),
        ("name: people", "name: peoples", "called otherwise than its population. Call it peoples.yaml"),
        ("[folk, crowd]", "[folk, folk]", "listed twice"),
        ("[folk, crowd]", "[people]", "listed twice"),
        ("[folk, crowd]", "[folk", r"people\.yaml, line \d+"),
    ],
)
def test_a_mistake_is_named_by_file_and_field(register, old, new, message):
    assert old in GOOD
    with pytest.raises(PopulationError, match=message):
        load_populations(register(people__yaml=GOOD.replace(old, new)))


@pytest.mark.parametrize("text", ["", "just words", "- a\n- list"])
def test_a_file_without_fields(register, text):
    with pytest.raises(PopulationError, match="list of fields"):
        load_populations(register(people__yaml=text))


@pytest.mark.parametrize("aliases", ["[folk]", "[people]"])
def test_a_name_belongs_to_one_file(register, aliases):
    other = GOOD.replace("name: people", "name: workers").replace("[folk, crowd]", aliases)
    with pytest.raises(
        PopulationError, match=r"workers\.yaml: the name '(folk|people)' already belongs to people"
    ):
        load_populations(register(people__yaml=GOOD, workers__yaml=other))


def test_files_that_would_be_overlooked(register, tmp_path):
    with pytest.raises(PopulationError, match=r"people\.yml would be overlooked"):
        load_populations(register(people__yml=GOOD))
    with pytest.raises(PopulationError, match="no folder of populations"):
        load_populations(tmp_path / "absent")
    (tmp_path / "people.yml").unlink()
    (tmp_path / "people.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(PopulationError, match="UTF-8"):
        load_populations(tmp_path)
