"""The part of the FollowTheMoney 4 schema that networks are made of: edges, nodes and topics that mean a risk.

Checked against `schema/*.yaml` and `types/topic.py` of the package followthemoney 4.11.
"""

from collections.abc import Mapping
from typing import Final

#: Edges: schema → the properties of its two ends (from, to).
EDGES: Final[Mapping[str, tuple[str, str]]] = {
    "Ownership": ("owner", "asset"),
    "Directorship": ("director", "organization"),
    "Control": ("controller", "controlled"),
    "Membership": ("member", "organization"),
    "Employment": ("employee", "employer"),
    "Representation": ("agent", "client"),
    "Associate": ("person", "associate"),
    "Family": ("person", "relative"),
    "Occupancy": ("holder", "post"),
    "Succession": ("predecessor", "successor"),
    "UnknownLink": ("subject", "object"),
    "Debt": ("debtor", "creditor"),
    "Payment": ("payer", "beneficiary"),
    "ProjectParticipant": ("participant", "project"),
}
#: Things that can own or be owned, or hold a flag.
NODES: Final = frozenset(
    {"Person", "Company", "Organization", "LegalEntity", "PublicBody", "Asset", "Position", "Vessel", "Airplane",
     "Vehicle", "RealEstate", "Security", "Project", "License", "BankAccount", "CryptoWallet"}
)  # fmt: skip
#: Topics that mean a risk, and the category of the flag that they become.
TOPICS: Final[Mapping[str, str]] = {
    "sanction": "sanctions list", "sanction.linked": "sanctions list", "sanction.control": "sanctions list",
    "sanction.counter": "sanctions list", "debarment": "debarment", "export.control": "export control",
    "export.control.linked": "export control", "export.risk": "export control", "role.pep": "exposed person",
    "role.rca": "exposed person", "role.oligarch": "exposed person", "poi": "person of interest",
    "crime": "crime", "crime.fin": "crime", "crime.fraud": "crime", "crime.terror": "crime",
    "crime.theft": "crime", "crime.traffick": "crime", "crime.traffick.human": "crime",
    "crime.traffick.drug": "crime", "crime.war": "crime", "crime.boss": "crime", "forced.labor": "forced labour",
    "wanted": "wanted", "corp.disqual": "disqualified", "corp.shell": "shell company",
    "corp.clone": "shell company", "reg.action": "regulator", "reg.warn": "regulator",
}  # fmt: skip
