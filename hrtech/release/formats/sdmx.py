"""The aggregates as SDMX, the exchange format of statistics offices: a data message and the structure behind it.

- Data: SDMX-CSV 2.0.0 (SDMX Technical Working Group, *Data Message Field Guide*, for SDMX 3.0): `STRUCTURE`,
  `STRUCTURE_ID`, `ACTION`, then dimensions, measure and attributes in the order of the structure.
- Structure: SDMX-JSON 2.0.0 structure message. Its `meta` says when it was prepared, which is the time of the release;
  where that is not known, `meta` is left out, as the schema allows and some readers do not.

One dimension a released column; `_T`, the code for a total, where a combination says nothing of a column. A column with
several values a person is a dimension too, so two values *of the same column* have no cell and stay in the aggregates
file. Identifiers are plain ASCII: the value itself where SDMX allows it (`IDType`), otherwise made from it; the
structure names each code in words.

`OBS_STATUS` (CL_OBS_STATUS) is `E`, estimated value, where noise was added, and `A`, normal value, otherwise: the list
has no code of its own for noise. `CONF_STATUS` (CL_CONF_STATUS) is `F`, free for publication. `LOWER_BOUND`,
`UPPER_BOUND` and `STD_DEV` state the noise. Combinations that were too small to publish are not listed.
"""

import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from hrtech.release.declared import ReleaseColumn
from hrtech.release.formats.cells import csv_table
from hrtech.release.formats.content import Content, is_whole, numbers

TOTAL: Final = "_T"
VERSION: Final = "1.0.0"
_SCHEMA: Final = (
    "https://raw.githubusercontent.com/sdmx-twg/sdmx-json/master/structure-message/tools/schemas/2.0.0/"
    "sdmx-json-structure-schema.json"
)
#: Longer combinations stay in the aggregates file: a cube of many thousand cells of five dimensions helps nobody.
LONGEST: Final = 2
#: Names that the standard or this table gives to other columns.
_RESERVED: Final = frozenset(
    {
        *("STRUCTURE", "STRUCTURE_ID", "STRUCTURE_NAME", "ACTION", "SERIES_KEY", "OBS_KEY"),
        *("TIME_PERIOD", "REPORTING_YEAR_START_DAY", "REPORTING_YEAR_END_DAY"),
        *("OBS_VALUE", "OBS_STATUS", "CONF_STATUS", "LOWER_BOUND", "UPPER_BOUND", "STD_DEV"),
    }
)
#: Attribute of the structure → column of the aggregates and its meaning.
_BOUNDS: Final = {
    "LOWER_BOUND": ("low", "Lower end of the interval that the privacy noise leaves"),
    "UPPER_BOUND": ("high", "Upper end of the interval that the privacy noise leaves"),
    "STD_DEV": ("sd", "Standard deviation of the privacy noise"),
}
#: IDType, without the signs that a spreadsheet takes for a formula at the beginning.
_CODE: Final = re.compile(r"[A-Za-z0-9_$][A-Za-z0-9_@$-]*")
_LONGEST_ID: Final = 60
_CONCEPTS: Final = "urn:sdmx:org.sdmx.infomodel.conceptscheme.Concept=SDMX:CROSS_DOMAIN_CONCEPTS(2.0)"
_CODELISTS: Final = "urn:sdmx:org.sdmx.infomodel.codelist.Codelist=SDMX:"


@dataclass(frozen=True)
class Dimension:
    """A released column as SDMX names it.

    Attributes:
        column: The column.
        identifier: Identifier of the dimension.
        codes: Value → identifier of its code.
    """

    column: ReleaseColumn
    identifier: str
    codes: dict[str, str]


class Cube:
    """The identifiers of a release in SDMX."""

    def __init__(self, content: Content) -> None:
        self.content = content

    @cached_property
    def agency(self) -> str:
        """Identifier of the organisation (`NCNameIDType`)."""
        return _plain(self.content.organisation, "SELF", letter_first=True)

    @cached_property
    def dataflow(self) -> str:
        """Identifier of the dataflow."""
        return _plain(self.content.name, "RELEASE", letter_first=True)

    @cached_property
    def dimensions(self) -> tuple[Dimension, ...]:
        """The released columns, in order."""
        names = [_plain(c.name, "COLUMN", letter_first=True) for c in self.content.columns]
        identifiers = _unique(names, _RESERVED)
        return tuple(
            Dimension(column, identifier, _codes(column.attributes))
            for column, identifier in zip(self.content.columns, identifiers, strict=True)
        )

    @cached_property
    def bounds(self) -> dict[str, str]:
        """Attributes that state the noise → columns of the aggregates."""
        return {name: column for name, (column, _) in _BOUNDS.items() if column in self.content.interval}

    def urn(self, kind: str, identifier: str) -> str:
        """The URN of an artefact of ours; `kind` is package and class, such as `codelist.Codelist`."""
        return f"urn:sdmx:org.sdmx.infomodel.{kind}={self.agency}:{identifier}({VERSION})"


def sdmx_csv(content: Content) -> bytes:
    """The data message: the total, single attributes and pairs."""
    cube = Cube(content)
    header = [
        *("STRUCTURE", "STRUCTURE_ID", "ACTION"),
        *(dimension.identifier for dimension in cube.dimensions),
        *("OBS_VALUE", "OBS_STATUS", "CONF_STATUS"),
        *cube.bounds,
    ]
    fixed = ("dataflow", f"{cube.agency}:{cube.dataflow}({VERSION})", "I")
    status = ("E" if content.terms.epsilon is not None else "A", "F")
    rows = (
        (*fixed, *key, observed[0], *status, *observed[1:]) for key, observed in _observations(content, cube)
    )
    return csv_table(header, rows)


def _observations(content: Content, cube: Cube) -> Iterator[tuple[list[str], list[Any]]]:
    """The key of each observation, and its value followed by its bounds."""
    place = {dimension.column.name: at for at, dimension in enumerate(cube.dimensions)}
    terms = content.terms
    if terms.people is not None:
        known = {"low": terms.people_low, "high": terms.people_high, "sd": terms.people_sd}
        bounds = [_tidy(known.get(column)) for column in cube.bounds.values()]
        yield [TOTAL] * len(place), [_tidy(terms.people), *bounds]
    measured = [numbers(content.aggregates[name]) for name in ("count", *cube.bounds.values())]
    for combination, *observed in zip(content.combinations, *measured, strict=True):
        if len(combination) > LONGEST or len({column for column, _ in combination}) < len(combination):
            continue
        key = [TOTAL] * len(place)
        for column, value in combination:
            dimension = cube.dimensions[place[column]]
            key[place[column]] = dimension.codes[value]
        yield key, observed


def sdmx_structure(content: Content) -> bytes:
    """The structure message: dataflow, data structure, concepts and code lists."""
    cube = Cube(content)
    message = _meta(content, cube) | {
        "data": {
            "dataflows": [
                _artefact(cube, cube.dataflow, content.title)
                | ({"description": content.description} if content.description else {})
                | {"structure": cube.urn("datastructure.DataStructure", f"DSD_{cube.dataflow}")}
            ],
            "dataStructures": [
                _artefact(cube, f"DSD_{cube.dataflow}", content.title)
                | {"dataStructureComponents": _components(content, cube)}
            ],
            "conceptSchemes": [
                _artefact(cube, f"CS_{cube.dataflow}", f"Concepts of: {content.title}")
                | {"concepts": list(_concepts(content, cube))}
            ],
            "codelists": [_codelist(content, cube, dimension) for dimension in cube.dimensions],
        }
    }
    return (json.dumps(message, indent=1, ensure_ascii=False) + "\n").encode()


def _meta(content: Content, cube: Cube) -> dict[str, Any]:
    if not content.terms.released_at:
        return {}
    prepared, sender = content.terms.released_at, {"id": cube.agency}
    return {"meta": {"schema": _SCHEMA, "id": cube.dataflow, "prepared": prepared, "sender": sender}}


def _artefact(cube: Cube, identifier: str, name: str) -> dict[str, Any]:
    return {"id": identifier, "agencyID": cube.agency, "version": VERSION, "name": name}


def _components(content: Content, cube: Cube) -> dict[str, Any]:
    number = "Integer" if is_whole(content.aggregates["count"]) else "Double"
    coded = [
        _attribute(
            "OBS_STATUS", f"{_CONCEPTS}.OBS_STATUS", {"enumeration": f"{_CODELISTS}CL_OBS_STATUS(2.3)"}
        ),
        _attribute(
            "CONF_STATUS", f"{_CONCEPTS}.CONF_STATUS", {"enumeration": f"{_CODELISTS}CL_CONF_STATUS(1.4)"}
        ),
    ]
    bounds = [
        _attribute(name, _concept(cube, name), {"format": {"dataType": "Double"}}, "optional")
        for name in cube.bounds
    ]
    return {
        "dimensionList": {
            "id": "DimensionDescriptor",
            "dimensions": [
                {
                    "id": dimension.identifier,
                    "position": at,
                    "conceptIdentity": _concept(cube, dimension.identifier),
                    "localRepresentation": {
                        "enumeration": cube.urn("codelist.Codelist", f"CL_{dimension.identifier}")
                    },
                }
                for at, dimension in enumerate(cube.dimensions)
            ],
        },
        "measureList": {
            "id": "MeasureDescriptor",
            "measures": [
                {
                    "id": "OBS_VALUE",
                    "usage": "mandatory",
                    "conceptIdentity": _concept(cube, "OBS_VALUE"),
                    "localRepresentation": {"format": {"dataType": number}},
                }
            ],
        },
        "attributeList": {"id": "AttributeDescriptor", "attributes": coded + bounds},
    }


def _attribute(
    identifier: str, concept: str, representation: dict[str, Any], usage: str = "mandatory"
) -> dict[str, Any]:
    return {
        "id": identifier,
        "usage": usage,
        "attributeRelationship": {"observation": {}},
        "conceptIdentity": concept,
        "localRepresentation": representation,
    }


def _concept(cube: Cube, identifier: str) -> str:
    return f"{cube.urn('conceptscheme.Concept', f'CS_{cube.dataflow}')}.{identifier}"


def _concepts(content: Content, cube: Cube) -> Iterator[dict[str, str]]:
    for dimension in cube.dimensions:
        name = dimension.column.name
        yield {"id": dimension.identifier, "name": content.labels.columns.get(name, name)}
    yield {"id": "OBS_VALUE", "name": f"Number of {content.terms.units}"}
    for identifier in cube.bounds:
        yield {"id": identifier, "name": _BOUNDS[identifier][1]}


def _codelist(content: Content, cube: Cube, dimension: Dimension) -> dict[str, Any]:
    column = dimension.column.name
    codes: list[dict[str, Any]] = [{"id": TOTAL, "name": "Total"}]
    for value, identifier in dimension.codes.items():
        code: dict[str, Any] = {"id": identifier, "name": content.label(column, value) or value}
        if code["name"] != value or identifier != value:
            code["annotations"] = [{"type": "VALUE", "title": "The value in the other files", "value": value}]
        codes.append(code)
    return _artefact(cube, f"CL_{dimension.identifier}", column) | {"codes": codes}


def _codes(values: Iterable[str]) -> dict[str, str]:
    """An identifier for each value: itself where it is one, otherwise one made from it."""
    kept = [value for value in values if _CODE.fullmatch(value) and value != TOTAL]
    made = [value for value in values if value not in set(kept)]
    identifiers = _unique([_plain(value, "VALUE") for value in made], {*kept, TOTAL})
    codes = dict(zip(made, identifiers, strict=True)) | {value: value for value in kept}
    return {value: codes[value] for value in values}


def _plain(text: str, otherwise: str, *, letter_first: bool = False) -> str:
    """Text in `[A-Z0-9_]`, accents dropped."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Z0-9]+", "_", ascii_only.upper()).strip("_")[:_LONGEST_ID].rstrip("_")
    return f"{otherwise}_{plain}" if plain and letter_first and plain[0].isdigit() else plain or otherwise


def _unique(names: Sequence[str], taken: Collection[str]) -> list[str]:
    """Names of which each is used once: a repeated or taken one gets a number."""
    used, out = set(taken), []
    for name in names:
        unique, number = name, 2
        while unique in used:
            unique, number = f"{name}_{number}", number + 1
        used.add(unique)
        out.append(unique)
    return out


def _tidy(value: float | None) -> float | int | None:
    return int(value) if value is not None and float(value).is_integer() else value
