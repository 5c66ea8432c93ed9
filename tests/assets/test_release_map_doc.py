"""Every setting that docs/release_map.md names as ours is one, with the default that it says."""

import re
from pathlib import Path

from assets.case_release import CaseRelease
from assets.case_release_settings import KAnonymity
from assets.source import Column, Source

DOC = (Path(__file__).parents[2] / "docs" / "release_map.md").read_text(encoding="utf-8")
FIELDS = {
    "": CaseRelease.model_fields,
    "k_anonymity": KAnonymity.model_fields,
    "source": Source.model_fields,
}
#: Words in the last column that are no settings: values, roles, and tables that come out.
OTHER = {"0", "null", "label", "multi_valued", "low", "high", "sd", "terms", "aggregates", "expected_errors"}
OTHER |= {"files", "synthesizability", "EvidenceSite"} | set(
    KAnonymity.model_fields["method"].annotation.__args__
)


def ours():
    for line in DOC.splitlines():
        if line.startswith("| ") and not line.startswith("| theirs"):
            yield from re.findall(r"`([^`]+)`(?: \[([^\]]+)\])?", line.rsplit("|", 2)[1])


def test_settings_exist_and_defaults_are_as_said():
    found = list(ours())
    assert len(found) > 40
    for name, default in found:
        setting = name.split(":")[0]
        if setting in OTHER:
            continue
        owner, _, field = setting.rpartition(".")
        fields = FIELDS[owner] if owner else FIELDS[""] | Column.model_fields | Source.model_fields
        assert field in fields, name
        if default:
            value = fields[field].default
            said = str(value).lower() if isinstance(value, bool) else f"{value:g}"
            assert said == default, name


def test_each_setting_of_k_anonymity_is_in_the_map():
    assert all(f"k_anonymity.{name}" in DOC for name in KAnonymity.model_fields)
