"""The register of populations: whose privacy is accounted for together, and how much of it may ever be spent.

One reviewed YAML file per population; the folder is the register. It is never part of a run's configuration. The
people behind two names must not be given two budgets: a second name is an alias in the same file.
"""

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from hrtech.privacy.errors import PopulationError, PopulationUnknown

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Population(BaseModel):
    """People whose privacy loss is added up together, and their budget."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(description="Name, and the file's name: lower case, digits, underscores.")
    people: Words = Field(description="Who they are, in words.")
    unit: Words = Field(
        default="person", description="What one unit of privacy is: person, household, record."
    )
    epsilon: float = Field(
        gt=0, le=100, allow_inf_nan=False, description="Budget over every release ever made."
    )
    delta: float = Field(gt=0, lt=0.01, description="Delta of the budget: well below 1 / number of people.")
    may_raise: tuple[Words, ...] = Field(min_length=1, description="Who may raise the budget.")
    approve_above: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="A release whose epsilon is above this needs two named approvers; null: none does.",
    )
    aliases: tuple[Name, ...] = Field(default=(), description="Other names of the same people.")

    @field_validator("may_raise", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @property
    def names(self) -> frozenset[str]:
        """The name and every alias."""
        return frozenset((self.name, *self.aliases))


def load_populations(folder: Path | str) -> dict[str, Population]:
    """Read and check the register.

    Args:
        folder: Holds one `<name>.yaml` per population. Other files are ignored, except `.yml`, which would be
            overlooked too easily.

    Returns:
        Population by name, sorted by name.

    Raises:
        PopulationError: The folder is missing, a file is not valid, or a name is used twice.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise PopulationError(
            f"There is no folder of populations at {folder}. Create it with one NAME.yaml per population."
        )
    misnamed = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in {".yml", ".json"})
    if misnamed:
        raise PopulationError(
            f"{folder / misnamed[0]} would be overlooked: a population's file ends in .yaml. Rename it."
        )
    populations: dict[str, Population] = {}
    owner: dict[str, str] = {}
    for path in sorted(folder.glob("*.yaml")):
        population = _read(path)
        if len(population.names) != 1 + len(population.aliases):
            raise PopulationError(f"{path}, field aliases: a name is listed twice. Name each once.")
        for name in sorted(population.names):
            if name in owner:
                raise PopulationError(
                    f"{path}: the name {name!r} already belongs to {owner[name]}.yaml. The same people have one "
                    "file; other people have another name."
                )
            owner[name] = population.name
        populations[population.name] = population
    return populations


def find_population(populations: dict[str, Population], name: str) -> Population:
    """Return the population of a name or alias.

    Raises:
        PopulationUnknown: No file names it.
    """
    for population in populations.values():
        if name in population.names:
            return population
    known = ", ".join(sorted(populations)) or "none"
    raise PopulationUnknown(
        f"No population is called {name!r} (known: {known}). Write {name}.yaml into the folder of populations and "
        "have it reviewed, or add the name to the aliases of the population that holds these people."
    )


def _read(path: Path) -> Population:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506  a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise PopulationError(f"{path}{where}: {getattr(error, 'problem', 'not YAML')}.") from None
    except UnicodeDecodeError:
        raise PopulationError(f"{path} is not UTF-8 text. Save it as UTF-8.") from None
    if not isinstance(content, dict):
        raise PopulationError(f"{path} is not a list of fields (name: ..., epsilon: ...).")
    try:
        population = Population.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(
            f"field {'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise PopulationError(f"{path}: {problems}.") from None
    if path.stem != population.name:
        raise PopulationError(
            f"{path}, field name: the file is called otherwise than its population. Call it {population.name}.yaml "
            f"or name the population {path.stem}."
        )
    return population


class _StrictLoader(yaml.SafeLoader):
    """Refuses a field that is written twice, where YAML would silently take the last: two epsilons, one budget."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the field {key!r} is written twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)
