"""The base of all settings that a study's YAML declares, with a JSON schema that says no to a wrong word.

Dagster lets every field also be text, for templates, so that its schema accepts any text for a role, a number or a
list, and `dg check yaml` passes what cannot load. Here a field that is no text must be what it is declared as:
`dg check yaml` then names the line, what stands there and what may. Templates remain where text may stand.

Dagster also reads text that looks like a number, a list or `None` as one, even where it stands in quotes; the code "0"
and the column "2019" could then not be declared. Here text without a template stays as it is written.
"""

import ast
import re
from types import UnionType
from typing import Any, Union, get_args, get_origin

import dagster as dg
from pydantic import BaseModel, ConfigDict

_TEXT = "string"
_TEMPLATE = re.compile(r"\{[{%#]")


class Settings(dg.Model, dg.Resolvable):
    """Settings read from a study's YAML; a field that is not declared is refused."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def model(cls) -> type[BaseModel]:
        """Return the model of the YAML, with the strict schema."""
        derived = super().model()
        extra = derived.model_config.get("json_schema_extra")
        if not callable(extra):
            fixed = dict(extra or {})
            exact = [name for name, field in cls.model_fields.items() if not _takes_text(field.annotation)]

            def strict(schema: dict[str, Any]) -> None:
                schema.update(fixed)
                properties = schema.get("properties", {})
                for name in exact:
                    if name in properties:
                        properties[name] = _without_text(properties[name])

            derived.model_config["json_schema_extra"] = strict
        return derived

    @classmethod
    def resolve_from_model(cls, context: dg.ResolutionContext, model: BaseModel) -> Any:
        """Resolve templates, and leave other text alone."""
        given = {name: getattr(model, name) for name in model.model_fields_set}
        return super().resolve_from_model(
            context, model.model_copy(update={name: _as_written(value) for name, value in given.items()})
        )


def _as_written(value: Any) -> Any:
    """Return text in a form that evaluates to itself."""
    if isinstance(value, dict):
        return {key: _as_written(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_as_written, value))
    if not isinstance(value, str) or _TEMPLATE.search(value):
        return value
    try:
        ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value
    return repr(value)


def _takes_text(annotation: Any) -> bool:
    """Tell whether free text is one of the types of a field."""
    if get_origin(annotation) in (Union, UnionType):
        return any(_takes_text(one) for one in get_args(annotation))
    return annotation is str or annotation is Any


def _without_text(schema: dict[str, Any]) -> dict[str, Any]:
    """Take the alternative 'any text' away, and join what is left where that gives a plainer refusal."""
    kept = [
        one for one in schema.get("anyOf", []) if set(one) - {"title"} != {"type"} or one["type"] != _TEXT
    ]
    others = {name: value for name, value in schema.items() if name != "anyOf"}
    null = {"type": "null"} in kept
    real = [one for one in kept if one != {"type": "null"}]
    if len(real) != 1:
        return schema if not kept else others | {"anyOf": kept}
    (only,) = real
    if not null:
        return others | only
    if "enum" in only:
        return others | {"enum": [*only["enum"], None]}
    if isinstance(only.get("type"), str):
        return others | only | {"type": [only["type"], "null"]}
    return others | {"anyOf": kept}
