"""Publishing: writes a candidate to `$HRTECH_HOME/site`, if a person approved exactly that candidate.

An approval is a YAML file in the reviewed policy folder. It names the study and the candidate's hash, who approved
it and when; a standing approval holds for simulated data only.
"""

import datetime as dt
import shutil
from pathlib import Path
from typing import Literal

import dagster as dg
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from resources.home import hrtech_home
from resources.withdrawal import withdraw_entities


class ApprovalMissing(RuntimeError):
    """No approval names this candidate; the message says what to write where."""


class Approval(BaseModel):
    """One approval file."""

    model_config = ConfigDict(extra="forbid")

    study: str = Field(description="Study whose candidate is approved.")
    candidate: str | None = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="Hash of the candidate."
    )
    standing: Literal["simulated"] | None = Field(
        default=None, description="Holds for all simulated candidates."
    )
    approved_by: str = Field(min_length=2, description="Name of the person.")
    approved_on: dt.date = Field(description="Day of the approval.")

    @model_validator(mode="after")
    def _one_kind(self) -> "Approval":
        if (self.candidate is None) == (self.standing is None):
            raise ValueError("name either candidate (a hash) or standing: simulated")
        return self


def read_approvals(folder: Path) -> list[Approval]:
    """Read every approval file of a folder; a missing folder holds none.

    Raises:
        ApprovalMissing: A file is no valid approval; the message names file and field.
    """
    found = []
    for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else []:
        try:
            found.append(Approval.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {}))
        except (ValidationError, yaml.YAMLError) as error:
            raise ApprovalMissing(
                f"The approval {path} cannot be read: {_wrong(error)}. Mend the file"
            ) from None
    return found


def _wrong(error: ValidationError | yaml.YAMLError) -> str:
    if not isinstance(error, ValidationError):
        return "it is no YAML"
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg']}" for one in found)


class Publisher(dg.ConfigurableResource):
    """Writes approved candidates to the site folder."""

    approvals: str

    def publish(
        self, study: str, candidate: str, files: pd.DataFrame, *, simulated: bool
    ) -> tuple[Path, Approval]:
        """Replace the site by a candidate.

        The files are written beside the site and swapped in, so a reader never sees half of one.

        Args:
            study: Study that made it.
            candidate: Its hash.
            files: Columns `path` (relative) and `content` (bytes).
            simulated: Everything behind it is simulated, so a standing approval may hold.

        Returns:
            The site's folder and the approval that allowed it.

        Raises:
            ApprovalMissing: No approval names this candidate.
        """
        approval = self.approval(study, candidate, simulated=simulated)
        site = hrtech_home() / "site"
        draft, old = site.with_name("site.new"), site.with_name("site.old")
        if old.exists() and not site.exists():  # an earlier swap was cut off between its two renames
            old.rename(site)
        for folder in (draft, old):
            shutil.rmtree(folder, ignore_errors=True)
        for path, content in zip(files["path"], files["content"], strict=True):
            target = (draft / path).resolve()
            if not target.is_relative_to(draft.resolve()):
                raise ValueError(f"The page path {path!r} leaves the site folder.")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        if site.exists():
            site.rename(old)
        draft.rename(site)
        shutil.rmtree(old, ignore_errors=True)
        return site, approval

    def withdraw(self, files: pd.DataFrame) -> list[str]:
        """Take down from the site the pages of entities that a candidate no longer holds; it needs no approval.

        Args:
            files: The candidate: columns `path` and `content`.

        Returns:
            The pages that were taken down.
        """
        return withdraw_entities(hrtech_home() / "site", files)

    def approval(self, study: str, candidate: str, *, simulated: bool) -> Approval:
        """Return the approval that covers a candidate.

        Raises:
            ApprovalMissing: There is none.
        """
        folder = Path(self.approvals)
        for approval in read_approvals(folder):
            if approval.study != study:
                continue
            if approval.candidate == candidate or (approval.standing == "simulated" and simulated):
                return approval
        raise ApprovalMissing(
            f"Nobody has approved this candidate of {study}. Read it in casework, then write "
            f"{folder / (study + '.yaml')} with the lines: study: {study}, candidate: {candidate}, "
            "approved_by: NAME, approved_on: YYYY-MM-DD; and run this asset again."
        )
