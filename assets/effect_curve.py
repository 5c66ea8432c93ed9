"""The assets of a specification curve: the curve and its refutations, decisions, sensitivity, the notebook."""

from collections.abc import Mapping

import dagster as dg
import pandas as pd

from assets.source import JUDGED
from assets.study import Made, Output, StudyAssets
from hrtech.causal import EffectQuestion
from hrtech.causal.acceptance import ACCEPTED, acceptance, decision_log
from hrtech.causal.notebook import data_dictionary, notebook, notebook_files
from hrtech.causal.refute import FAILED
from hrtech.causal.whole_curve import CurveSettings, joint_answers, study_sensitivity, whole_curve
from resources.judged import judged_fingerprint, read_judged


def add_curve(
    assets: StudyAssets,
    question: EffectQuestion,
    settings: CurveSettings,
    roles: Mapping[str, str],
    title: str,
) -> None:
    """Add the curve and all that follows from it.

    Args:
        assets: The study's assets; `records` and `effect` are among them.
        question: The question.
        settings: How the curve is made.
        roles: Column → role with which it is read.
        title: Title of the study.
    """
    _curve(assets, question, settings)
    _decisions(assets)
    _joint(assets, question)
    _sensitivity(assets, question)
    _notebook(assets, question, settings, roles, title)
    _checks(assets)


def _curve(assets: StudyAssets, question: EffectQuestion, settings: CurveSettings) -> None:
    @assets.asset(
        Output(
            "specification_curve",
            "Every reasonable specification: estimate and interval, or why it is refused.",
        ),
        Output("curve_refutations", "What was done to refute each specification, and whether it withstood."),
        Output("contributions", "What each decision contributes to the spread of the curve."),
        Output("choices", "Estimates under every choice."),
        Output("permuted_effects", "Estimates of every specification with the exposure dealt out again."),
        zone="restricted",
        inputs={"records": "records"},
        settings=[question, settings],
        kinds=("numpy",),
    )
    def curve(context, records: pd.DataFrame):
        """Estimate every specification, try to refute each, and permute the whole."""
        made = whole_curve(records, question, settings)
        table, tried = made["specification_curve"], made["curve_refutations"]
        counts = {
            "specifications": len(table),
            "refused": int((table["status"] == "refused").sum()),
            "refuted": int(tried.loc[tried["verdict"] == FAILED, "specification"].nunique()),
        }
        return made | {"specification_curve": Made(table, metadata=counts)}


def _decisions(assets: StudyAssets) -> None:
    @assets.asset(
        Output(
            "decisions",
            "What people decided about specifications: who, when, why, and whether it still holds.",
        ),
        zone="restricted",
        inputs={"specification_curve": "specification_curve"},
        settings="decisions",
        resources=("restricted",),
        metadata={"hrtech/source_path": JUDGED + assets.study},
    )
    def decisions(context, specification_curve: pd.DataFrame):
        """Read the log of the forms; it is only ever added to."""
        files = context.resources.restricted.files()
        log = decision_log(read_judged(files, assets.study), specification_curve["specification"])
        standing = int((log["status"] == "stands").sum())
        return Made(
            log,
            metadata={"decisions": len(log), "standing": standing},
            tags={"hrtech/source": judged_fingerprint(files, assets.study)[:60]},
        )


def _joint(assets: StudyAssets, question: EffectQuestion) -> None:
    @assets.asset(
        Output("acceptance", "Which specifications count, by whose decision and why."),
        Output("joint_test", "One answer of the whole curve, by permutation."),
        zone="restricted",
        inputs={
            name: name
            for name in ("specification_curve", "curve_refutations", "decisions", "permuted_effects")
        },
        settings=question.direction,
    )
    def accept(context, specification_curve, curve_refutations, decisions, permuted_effects):
        """Reject what was refuted or what a person rejected, and test the curve as a whole."""
        accepted = acceptance(specification_curve, curve_refutations, decisions)
        count = int((accepted["status"] == ACCEPTED).sum())
        return {
            "acceptance": Made(accepted, metadata={"accepted": count}),
            "joint_test": joint_answers(permuted_effects, accepted, question),
        }


def _sensitivity(assets: StudyAssets, question: EffectQuestion) -> None:
    @assets.asset(
        Output("sensitivity", "How strong an unmeasured confounder would have to be."),
        Output("benchmarks", "What a confounder as strong as observed ones would leave of the effect."),
        Output("sensitivity_contour", "What a confounder of any strength would leave of the effect."),
        Output("hidden_bias", "Rosenbaum's bounds of the p of matched pairs."),
        Output("propensities", "How many rows are exposed and unexposed, by propensity."),
        zone="restricted",
        inputs={"records": "records", "effect": "effect"},
        settings=question,
    )
    def sensitivity(context, records: pd.DataFrame, effect: pd.DataFrame):
        """Ask what a hidden confounder would do."""
        return study_sensitivity(records, question, effect)


def _notebook(
    assets: StudyAssets,
    question: EffectQuestion,
    settings: CurveSettings,
    roles: Mapping[str, str],
    title: str,
) -> None:
    @assets.asset(
        Output("data_dictionary", "The columns that the study reads, and what each is in the question."),
        Output(
            "notebook",
            "The study as a notebook, and its data dictionary: files without a record of a person.",
        ),
        zone="restricted",
        inputs={name: name for name in ("records", "specification_curve", "decisions")},
        settings=[question, settings, dict(roles), title],
        kinds=("jupyter",),
    )
    def export(context, records, specification_curve, decisions):
        """Write the notebook."""
        dictionary = data_dictionary(records, question, roles)
        book = notebook(assets.study, title, question, settings, dictionary, specification_curve, decisions)
        return {"data_dictionary": dictionary, "notebook": notebook_files(book, dictionary)}


def _checks(assets: StudyAssets) -> None:
    @dg.asset_check(
        asset=assets.key("acceptance"),
        name="specifications_withstand",
        description="Specifications that were refuted or could not be estimated, and whether any is left.",
    )
    def withstand(acceptance: pd.DataFrame) -> dg.AssetCheckResult:
        counts = {str(name): int(n) for name, n in acceptance["status"].value_counts().items()}
        refuted = int(acceptance["reason"].str.startswith("refuted by").sum())
        return dg.AssetCheckResult(
            passed=refuted == 0 and counts.get(ACCEPTED, 0) > 0,
            severity=dg.AssetCheckSeverity.WARN if counts.get(ACCEPTED, 0) else dg.AssetCheckSeverity.ERROR,
            metadata={"refuted": refuted}
            | {str(name).replace(" ", "_"): int(n) for name, n in counts.items()},
        )

    @dg.asset_check(
        asset=assets.key("specification_curve"),
        name="specifications_agree_in_sign",
        description="Whether estimates of the curve clearly contradict each other.",
    )
    def agree(specification_curve: pd.DataFrame) -> dg.AssetCheckResult:
        up = int((specification_curve["low"] > 0).sum())
        down = int((specification_curve["high"] < 0).sum())
        return dg.AssetCheckResult(
            passed=not (up and down),
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"clearly_positive": up, "clearly_negative": down},
        )

    @dg.asset_check(
        asset=assets.key("curve_refutations"),
        name="refutations_judge_something",
        description="Disturbances whose simulations judged nothing: too few, all alike, or without a number.",
    )
    def judged(curve_refutations: pd.DataFrame) -> dg.AssetCheckResult:
        disturbed = ~curve_refutations["refutation"].str.startswith(("unobserved", "negative"))
        nothing = int((disturbed & (curve_refutations["verdict"] == "not judged")).sum())
        return dg.AssetCheckResult(
            passed=nothing == 0, severity=dg.AssetCheckSeverity.WARN, metadata={"judged_nothing": nothing}
        )

    assets.checks += [withstand, agree, judged]
