"""Splink at work: chance agreement, agreement among matches, and the outcome of every comparison for given pairs.

Splink 5, on DuckDB in memory or on Spark. Agreement among matches (m) comes from expectation-maximisation under
several training rules, so that each comparison is trained by a rule that does not fix it, with chance agreement (u) as
random pairs have it. Sources: Fellegi and Sunter 1969; Linacre et al. 2022 (Splink).
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from hrtech.linkage.comparisons import Comparison
from hrtech.linkage.engine import open_engine
from hrtech.linkage.keys import count_pairs
from hrtech.linkage.registers import Prepared
from hrtech.linkage.spec import LinkageError, LinkageMode, LinkageSpec

MODES: Final[dict[LinkageMode, Literal["dedupe_only", "link_only", "link_and_dedupe"]]] = {
    "deduplicate": "dedupe_only",
    "link": "link_only",
    "both": "link_and_dedupe",
}
_TRAINING_RULES: Final = 3
_FEWEST_TRAINING_PAIRS: Final = 30
_TRAINING_PAIRS: Final = 2_000_000
_CHUNK: Final = 4_000_000


@dataclass(frozen=True)
class Vectors:
    """Compared pairs.

    Attributes:
        left: Row number of one record of each pair.
        right: Row number of the other; greater than `left`.
        outcome: Per comparison the number of the level that each pair reached: 0 different, rising with agreement,
            -1 unknown (int8).
    """

    left: np.ndarray
    right: np.ndarray
    outcome: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.left)

    def take(self, chosen: np.ndarray) -> "Vectors":
        """Return some of the pairs, by mask or position."""
        return Vectors(self.left[chosen], self.right[chosen], {k: v[chosen] for k, v in self.outcome.items()})

    def join(self, other: "Vectors") -> "Vectors":
        """Return the pairs of both, which must not overlap."""
        return Vectors(
            np.concatenate([self.left, other.left]),
            np.concatenate([self.right, other.right]),
            {k: np.concatenate([v, other.outcome[k]]) for k, v in self.outcome.items()},
        )


class Splink:
    """One connection to DuckDB with the records and the comparisons in it; close it when done."""

    def __init__(self, prepared: Prepared, comparisons: list[Comparison], spec: LinkageSpec) -> None:
        self._spec = spec
        self._comparisons = comparisons
        self._engine = open_engine(spec.engine)
        self._everyone: str | None = None
        self._registered = 0
        table = prepared.records.drop(columns="record_id").assign(row=np.arange(len(prepared.records)))
        for one in comparisons:
            table = table.assign(**one.derived)
        self._table = table

    def __enter__(self) -> "Splink":
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def trained(self, kinds: Mapping[str, str], chance: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Estimate agreement among matches per comparison and level by expectation-maximisation.

        Raises:
            LinkageError: No training rule reaches any pair.
        """
        from splink import block_on

        rules = _training_rules(self._table, self._comparisons, kinds, self._spec)
        if not rules:
            raise LinkageError(
                "No field agrees between any two records, so that nothing can be learned. Check columns and kinds "
                "[setting: fields]"
            )
        with _quiet():
            linker = self._linker(self._table, self.settings({"u_probability": chance}))
            for columns in rules:
                # Splink gives up where a level's share falls to nought; the other rules and the rounds to come remain
                with suppress(ValueError):
                    linker.training.estimate_parameters_using_expectation_maximisation(
                        block_on(*columns), estimate_without_term_frequencies=True, max_pairs=_TRAINING_PAIRS
                    )
            learned = {
                one["output_column_name"]: _values(one, "m_probability")
                for one in linker.misc.save_model_to_json()["comparisons"]
            }
        return {
            one.name: learned.get(one.name, np.full(len(one.levels) - 1, np.nan)) for one in self._comparisons
        }

    def vectors(self, left: np.ndarray, right: np.ndarray) -> Vectors:
        """Compare given pairs of records (row numbers, left < right), in chunks that bound the memory."""
        parts = [
            self._vectors(left[start : start + _CHUNK], right[start : start + _CHUNK])
            for start in range(0, max(len(left), 1), _CHUNK)
        ]
        return Vectors(
            np.concatenate([part.left for part in parts]),
            np.concatenate([part.right for part in parts]),
            {k: np.concatenate([part.outcome[k] for part in parts]) for k in parts[0].outcome},
        )

    def _vectors(self, left: np.ndarray, right: np.ndarray) -> Vectors:
        """Evaluate every comparison's levels, as Splink's case expression states them; in order of the pairs."""
        cases = []
        for one in self._comparisons:
            numbers = [-1, *range(len(one.levels) - 2, 0, -1)]
            whens = " ".join(
                f"when {level['sql_condition']} then {number}"
                for level, number in zip(one.levels[:-1], numbers, strict=True)
            )
            cases.append(f"cast(case {whens} else 0 end as tinyint) as {one.name}")
        used = [column for column in self._table if column not in ("register", "row")]
        sides = ", ".join(f"{side}.{column} as {column}_{side}" for column in used for side in "lr")
        if self._everyone is None:
            self._everyone = self._register(self._table.drop(columns="register")).physical_name
        pairs = self._register(pd.DataFrame({"l_row": left, "r_row": right})).physical_name
        query = f"""
            select l_row, r_row, {", ".join(cases)} from (
                select p.l_row, p.r_row, {sides}
                from {pairs} p join {self._everyone} l on p.l_row = l.row join {self._everyone} r on p.r_row = r.row
            ) both_sides
        """
        found = self._found(query).sort_values(["l_row", "r_row"], kind="stable")
        outcome = {one.name: found[one.name].to_numpy(np.int8) for one in self._comparisons}
        return Vectors(found["l_row"].to_numpy(np.int64), found["r_row"].to_numpy(np.int64), outcome)

    def _found(self, query: str) -> pd.DataFrame:
        own = [one.name for one in self._spec.fields if one.levels]
        try:
            return self._engine.frame(query)
        except self._engine.errors:
            if not own:
                raise
            # without the engine's words, which quote values
            raise LinkageError(
                f"The levels of {', '.join(own)} cannot be evaluated on these records: an unknown function, or a cast "
                "of a text that is none. Use try_cast [setting: fields.levels.sql]"
            ) from None

    def _register(self, table: pd.DataFrame) -> Any:
        self._registered += 1
        return self._engine.register(table, f"t{self._registered:04d}")

    def settings(
        self, values: Mapping[str, Mapping[str, np.ndarray]], prior: float | None = None
    ) -> dict[str, Any]:
        """Return Splink settings with parameters per comparison and level where they are known.

        Args:
            values: `m_probability` and `u_probability`: per comparison one value per level, null left out.
            prior: Probability that two random records match.
        """
        comparisons = []
        for one in self._comparisons:
            levels = [dict(level) for level in one.levels]
            for key, known in values.items():
                for level, value in zip(levels[1:], known[one.name].tolist(), strict=True):
                    if np.isfinite(value):
                        level[key] = value
            comparisons.append({"output_column_name": one.name, "comparison_levels": levels})
        settings: dict[str, Any] = {
            "link_type": MODES[self._spec.mode],
            "unique_id_column_name": "row",
            "comparisons": comparisons,
            "blocking_rules_to_generate_predictions": [],
            "sql_dialect": self._spec.engine,
        }
        return settings if prior is None else settings | {"probability_two_random_records_match": prior}

    def _linker(self, table: pd.DataFrame, settings: dict[str, Any] | None = None) -> Any:
        from splink import Linker

        parts = (
            [table]
            if self._spec.mode == "deduplicate"
            else [x for _, x in table.groupby("register", sort=False)]
        )
        inputs = [self._register(part.drop(columns="register")) for part in parts]
        chosen = settings or self.settings({})
        return Linker(inputs if self._spec.mode != "deduplicate" else inputs[0], chosen, log_level="ERROR")


def _values(comparison: dict[str, Any], key: str) -> np.ndarray:
    levels = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
    return np.array([level.get(key, np.nan) for level in levels], dtype=float)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Splink's own log lines (which may quote columns and rules) out of ours."""
    logger = logging.getLogger("splink")
    before = logger.level, logger.propagate
    logger.setLevel(logging.CRITICAL)
    logger.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before[0])
        logger.propagate = before[1]


def _training_rules(
    table: pd.DataFrame, comparisons: list[Comparison], kinds: Mapping[str, str], spec: LinkageSpec
) -> list[tuple[str, ...]]:
    """Choose what records must agree on to be trained with: two selective fields at a time, then one.

    Pairs that agree on two selective fields are nearly all matches, so that agreement among matches cannot be mistaken
    for the likeness of, say, all firms of one trade in one town, which a single field lets in. Rules share no
    comparison, so that every comparison is trained by at least one of them where there are three or more.
    """
    usable = [one for one in comparisons if kinds[one.fields[0]] != "category"] or comparisons
    widths = (2, 1) if len(comparisons) > 2 else (1,)  # a rule must leave something to train
    options = {
        tuple(one.exact for one in chosen): count_pairs(table, tuple(one.exact for one in chosen), spec.mode)
        for width in widths
        for chosen in combinations(usable, width)
    }
    rules: list[tuple[str, ...]] = []
    for width in widths:
        ranked = sorted(
            (option for option in options if len(option) == width),
            key=lambda option: (-options[option] if len(option) == 2 else options[option], option),
        )
        for option in ranked:
            free = not {column for rule in rules for column in rule} & set(option)
            if free and options[option] >= _FEWEST_TRAINING_PAIRS and len(rules) < _TRAINING_RULES:
                rules.append(option)
    return rules or [option for option, pairs in options.items() if pairs > 0][-1:]
