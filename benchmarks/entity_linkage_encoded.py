"""Privacy-preserving linkage of FEBRL 4 by keyed encodings: accuracy beside plain text, and what an attack learns.

`--data` is the folder with dataset4a.csv and dataset4b.csv. Both files are cut to random halves, so that about half of
the records have a partner; threshold and weights come without labels. Seeds 1 and 2 of the halving served to choose
the number of bit tables and the scheme. The default scheme is judged; the others, and what an attack learns, are
printed beside it under no id of a target.
"""

import statistics
from dataclasses import replace
from pathlib import Path
from typing import Final

import harness
import numpy as np
import pandas as pd
from harness import Figure

from hrtech.linkage import FieldSpec, LinkageSpec, evaluate_linkage, link_registers
from hrtech.linkage.encoding import EncodedField, EncodedPart, EncodingScheme, encode
from hrtech.linkage.encoding_attack import frequency_attack

PARTS: Final = {
    "given_name": EncodedPart("given_name", "given_name"),
    "surname": EncodedPart("surname", "family_name"),
    "date_of_birth": EncodedPart("date_of_birth", "date"),
    "address_1": EncodedPart("address_1", "address"),
    "suburb": EncodedPart("suburb", "address"),
    "postcode": EncodedPart("postcode", "identifier"),
}
GROUPS: Final = (
    EncodedField("name", (PARTS["given_name"], PARTS["surname"])),
    EncodedField("born", (PARTS["date_of_birth"],)),
    EncodedField("place", (PARTS["address_1"], PARTS["suburb"], PARTS["postcode"])),
)
YEAR: Final = EncodedPart("date_of_birth", "date", first=4)
SCHEMES: Final = {
    "grouped filters": EncodingScheme(GROUPS),
    "grouped, folded": EncodingScheme(GROUPS, folded=True),
    "grouped, balanced": EncodingScheme(GROUPS, balanced=True),
    "grouped, salted by year of birth": EncodingScheme(
        GROUPS, salt=EncodedPart("date_of_birth", "date", first=4)
    ),
    "a filter per field": EncodingScheme(tuple(EncodedField(name, (part,)) for name, part in PARTS.items())),
}
HALF: Final = 2_500
BESIDE: Final = "4.x"


def read(folder: Path, side: str) -> pd.DataFrame:
    """Read one side of FEBRL 4; `truth_id` is the number of the person."""
    table = pd.read_csv(folder / f"dataset4{side}.csv", dtype="str", skipinitialspace=True)
    table.columns = table.columns.str.strip()
    return table.assign(truth_id=table["rec_id"].str.extract(r"rec-(\d+)-", expand=False))


def halves(folder: Path, seed: int) -> dict[str, pd.DataFrame]:
    """Draw half of each side, independently."""
    rng = np.random.default_rng(seed)
    sides = {side: read(folder, side) for side in "ab"}
    return {
        side: table.iloc[rng.permutation(len(table))[:HALF]].reset_index(drop=True)
        for side, table in sides.items()
    }


def f1(registers: dict[str, pd.DataFrame], truth: pd.DataFrame, fields: tuple[FieldSpec, ...]) -> float:
    """Link two registers that hold each person once, without labels, and measure pairwise F1."""
    spec = LinkageSpec(fields, mode="link", id_columns="record_id", duplicate_free=("a", "b"))
    measured = evaluate_linkage(link_registers(registers, spec).entities, truth)
    return float(measured.set_index("measure").loc["pairwise", "f1"])


def encoded_f1(sides: dict[str, pd.DataFrame], scheme: EncodingScheme, key: bytes) -> float:
    """Encode both sides and link the encodings."""
    registers = {side: encode(table, scheme, key, side + table["rec_id"]) for side, table in sides.items()}
    return f1(registers, _truth(sides), tuple(FieldSpec(field.name, "encoded") for field in scheme.fields))


def plain_f1(sides: dict[str, pd.DataFrame]) -> float:
    """Link the same fields in plain text."""
    registers = {side: table.assign(record_id=side + table["rec_id"]) for side, table in sides.items()}
    return f1(registers, _truth(sides), tuple(FieldSpec(part.name, part.kind) for part in PARTS.values()))


def _truth(sides: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([
        table.assign(register=side, record_id=side + table["rec_id"])[["register", "record_id", "truth_id"]]
        for side, table in sides.items()
    ])  # fmt: skip


def accuracy(folder: Path, size: str = "small", seed: int = 11) -> list[Figure]:
    """Measure target 4.5: F1 of encodings beside that of plain text, on halvings not used for any choice."""
    repetitions = 2 if size == "small" else 5
    cut = [halves(folder, seed + number) for number in range(repetitions)]
    plain = [plain_f1(sides) for sides in cut]
    key = np.random.default_rng(seed).bytes(32)
    chosen = dict(list(SCHEMES.items())[: 1 if size == "small" else None])
    figures = []
    for number, (name, scheme) in enumerate(chosen.items()):
        ours = [encoded_f1(sides, scheme, key) for sides in cut[: repetitions if number == 0 else 2]]
        mean, beside = statistics.mean(ours), statistics.mean(plain[: len(ours)])
        judged = number == 0
        figures.append(
            Figure(
                "4.5" if judged else BESIDE, f"pair F1, {name}, both sides halved, no labels (peer: plain text)",
                round(mean, 4), round(beside, 4), round(mean / beside, 4), "≥ .99" if judged else None, len(ours),
                (round(min(ours), 4), round(max(ours), 4)), mean >= 0.99 if judged else None,
            )
        )  # fmt: skip
    return figures


def attack(folder: Path) -> list[Figure]:
    """Measure what a frequency attack learns from side a, knowing the names of side b (of the same people)."""
    target, known = (read(folder, side).set_index("rec_id", drop=False) for side in "ab")
    surname = EncodingScheme((EncodedField("surname", (PARTS["surname"],)),))
    cases = {
        "surname alone": surname,
        "surname alone, folded": replace(surname, folded=True),
        "surname alone, balanced": replace(surname, balanced=True),
        "surname alone, salted by year of birth": replace(surname, salt=YEAR),
        "given name and surname together": EncodingScheme(GROUPS[:1]),
    }
    figures = []
    for label, scheme in cases.items():
        (field,) = scheme.fields
        names = [part.name for part in field.parts]
        encoded = encode(target, scheme, bytes(range(32)), target["rec_id"]).set_index("record_id")[
            field.name
        ]
        true, public = (
            table[names].agg(" ".join, axis=1)
            for table in (target.dropna(subset=names), known.dropna(subset=names))
        )
        for start, insider in (("", None), (", 50 of them known", true.sample(50, random_state=1))):
            guessed = frequency_attack(encoded, public, insider).reindex(true.index)
            right = (guessed == true).drop([] if insider is None else insider.index).mean()
            name = f"records whose name an attack finds: {label}{start}"
            figures.append(
                Figure(BESIDE, name, round(float(right), 4), None, None, None, len(true), None, None)
            )
    return figures


if __name__ == "__main__":
    options = harness.arguments(__doc__.splitlines()[0])
    if options.data is None:
        raise SystemExit("Name the folder of FEBRL 4: --data FOLDER")
    for one in [*accuracy(options.data, options.size, options.seed), *attack(options.data)]:
        harness.tell(one)
