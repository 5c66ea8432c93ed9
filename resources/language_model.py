"""Which language models there are, and what each may see: the reviewed policy file, read and judged.

A model sees public data. One on a loopback or private address may be listed with `may_see: restricted`; what it then
writes is restricted too (rule 4 of `hrtech.zones`). A policy file that grants more than it may does not load.
"""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hrtech.zones import ZoneError, check_model_endpoint


class Endpoint(BaseModel):
    """One language model of the policy file.

    Attributes:
        name: What studies call it.
        url: Address of its OpenAI-compatible interface.
        may_see: The zone that may be shown to it.
        approved_by: Who allowed it.
    """

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1)
    url: str = Field(min_length=1)
    may_see: Literal["public", "restricted"] = "public"
    approved_by: str = Field(min_length=2)


def read_endpoints(path: Path) -> list[Endpoint]:
    """Read `policy/language_models.yaml`, a list of endpoints; without the file there are none.

    Raises:
        ZoneError: The file cannot be read, names a model twice, or shows restricted data to a model elsewhere.
    """
    if not path.exists():
        return []
    try:
        listed = yaml.safe_load(path.read_text(encoding="utf-8")) or []
        endpoints = [Endpoint.model_validate(entry) for entry in listed]
    except (yaml.YAMLError, ValidationError, TypeError) as error:
        raise ZoneError(f"{path} is not a list of name, url, may_see and approved_by: {error}") from None
    names = [endpoint.name for endpoint in endpoints]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ZoneError(f"{path} lists {', '.join(twice)} twice. Keep one of each.")
    for endpoint in endpoints:
        try:
            check_model_endpoint(endpoint.url, endpoint.may_see)
        except ZoneError as error:
            raise ZoneError(f"{path}, {endpoint.name}: {error}") from None
    return endpoints
