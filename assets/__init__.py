"""One Dagster component per capability, each building the assets and checks of one study.

`dg list components` finds them here; a study's `defs.yaml` names one as `type: assets.CaseRelease`.
"""

from assets.case_patterns import CasePatterns
from assets.case_release import CaseRelease
from assets.causal_discovery import CausalDiscovery
from assets.effect_study import EffectStudy
from assets.entity_linkage import EntityLinkage
from assets.entity_network import EntityNetwork
from assets.event_study import EventStudy
from assets.evidence_site import EvidenceSite
from assets.group_comparison import GroupComparison
from assets.mock_data import MockData
from assets.released_effect import ReleasedEffect

__all__ = [
    "CasePatterns",
    "CaseRelease",
    "CausalDiscovery",
    "EffectStudy",
    "EntityLinkage",
    "EntityNetwork",
    "EventStudy",
    "EvidenceSite",
    "GroupComparison",
    "MockData",
    "ReleasedEffect",
]
