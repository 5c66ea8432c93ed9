"""What each column of the mock world means: the schema that documentation, studies and tests read.

Belongs here: names, roles and descriptions of columns, and the value lists of coded columns. Does not belong
here: how the values come about. Blank means unknown, or not applicable where the description says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hrtech.mock import cases, complaints, conduct, persons, places, procurement, studies

Role = Literal["category", "multi_valued", "number", "date", "identifier", "text"]
Schema = Mapping[str, Mapping[str, "Column"]]


@dataclass(frozen=True)
class Column:
    """A column: the part that it plays in a study, and what it says."""

    role: Role
    description: str


_ROLES: Mapping[str, Role] = {
    "id": "identifier",
    "cat": "category",
    "multi": "multi_valued",
    "num": "number",
    "date": "date",
    "text": "text",
}


def _schema(description: str) -> dict[str, dict[str, Column]]:
    """Read `table` lines followed by `  column role description` lines."""
    out: dict[str, dict[str, Column]] = {}
    table = ""
    for line in description.strip().splitlines():
        if not line.startswith(" "):
            table = line.strip()
            out[table] = {}
        else:
            name, role, meaning = line.split(maxsplit=2)
            out[table][name] = Column(_ROLES[role], meaning)
    return out


TABLE_COLUMNS: Schema = _schema("""
case_records
  record_id id Record of one person at one organisation
  organisation cat Organisation that keeps the record
  registered_on date Day on which the record was made
  given_name id Given names as the organisation writes them
  family_name id Family name as the organisation writes it; at times a maiden name
  date_of_birth date Date of birth; at times only the year is right
  national_id id Number of an identity document; mostly blank
  gender cat Gender
  age_band cat Age in years at the time of the report, ICS-TIP broad bands
  majority_status cat Minor (under 18) or adult at the time of the report
  citizenship cat Citizenship, ISO 3166-1 alpha-3
  country_of_exploitation cat Country of exploitation, ISO 3166-1 alpha-3
  type_of_exploitation multi Types of exploitation
  labour_sector cat Sector of forced labour; blank where there was none
  means_of_control multi Means by which the person was controlled; an empty list is known none
  recruiter_relation multi What the recruiters were to the person
  region cat Region of exploitation
  reported_on date Day on which the case was first reported
  employer_name id Registered employer at whose site the person worked; mostly blank
perpetrator_records
  record_id id Record of one perpetrator in one case record
  case_record_id id The case record
  organisation cat Organisation that keeps the record
  role cat What the perpetrator did
  gender cat Gender of the perpetrator
  age_broad cat Age of the perpetrator in broad bands
  citizenship cat Citizenship of the perpetrator, ISO 3166-1 alpha-3
  relation_to_victim cat What the perpetrator was to the person harmed
employers
  employer_id id Entry of the labour inspectorate's register
  name text Name as the inspectorate writes it
  address text Street address
  city cat Town
  region cat Region
  phone id Telephone number
  email id E-mail address
  sector cat Sector
companies
  company_id id Entry of the company register
  registration_number id Official registration number
  name text Registered name with legal form
  legal_form cat Legal form
  address text Registered address
  city cat Town of the registered address
  region cat Region in which the company works
  country cat Country in which the company works, ISO 3166-1 alpha-3
  phone id Telephone number
  email id E-mail address
  sector cat Sector
  incorporated_on date Day of incorporation
  status cat active, dormant or dissolved
  formation_agent cat Agent that formed the company; blank where there was none
owners
  interest_id id One interest of one owner in one company
  owner_id id The owner: a person, or a company by its company_id
  company_id id The company owned
  owner_kind cat person or company
  owner_name id Name of the owner
  owner_company_id id The owner's company_id; blank for persons
  share_minimum num Least share in per cent
  share_maximum num Greatest share in per cent
  voting_share num Share of votes in per cent; blank where only a range is published
  from_date date First day of the interest
  to_date date Last day of the interest; blank while it lasts
activity
  company_id id The company
  activity cat Kind of activity
  value cat Where or with whom
  period cat Month, as in 2024-05
red_flags
  flag_id id The flag
  company_id id The company flagged
  flag cat What is held against it
  category cat Category of the flag
  weight num Severity, 0 to 1
  evidence cat Kind of source
  supporting cat Whether the flag only supports others
  date date Day of the flag
tenders
  tender_id id The tender
  buyer cat Public buyer
  category cat Category of goods or works
  region cat Region of delivery
  published_on date Day of publication
  closes_on date Last day for bids
  procedure cat open, restricted or negotiated
  value num Buyer's estimate
bids
  bid_id id The bid
  tender_id id The tender
  company_id id The bidder
  amount num Price
  submitted_on date Day of submission
  winner cat Whether the bid won
  status cat valid, withdrawn or disqualified
complaints
  complaint_id id The complaint
  date date Day of the complaint
  region cat Region of work
  sector cat Sector of work
  channel cat How the complaint came
  worker_origin cat Citizenship of the worker, ISO 3166-1 alpha-3
  gender cat Gender of the worker
  recruiter cat Who recruited the worker
  issue multi What the complaint is about
panel
  region cat Region
  month date First day of the month
  reports num Reports of exploitation in the month
  population num Population of the region
  treated num 1 where the intervention was in force, else 0
  intervention_month date First month of the intervention in the region; blank where there never was one
questionnaire
  respondent_id id The respondent
  age num Age in years
  gender cat Gender
  education cat Highest education
  region cat Region of residence
  debt_before num 1 where the respondent was in debt before the job, else 0
  distance_km num Distance to the nearest support office in kilometres
  trust num Trust in authorities, 0 to 10
  helpline_awareness num Exposure: 1 where the respondent knew the helpline, else 0
  called_helpline num On the path from exposure to outcome, not to be adjusted for: 1 where called, else 0
  sought_help num Outcome: 1 where the respondent sought help, else 0
  months_in_exploitation num Outcome: months until the exploitation ended
  interviewed_twice num Follows from exposure and outcome, not to be adjusted for: 1 or 0
documents
  document_id id The document
  date date Day of the document
  title text Title
  organisation cat Who wrote it
  text text The text; in decoys with a sentence that tries to instruct its reader
""")
"""Every column of every table that the world hands over."""

TRUTH_TABLES: Schema = _schema("""
truth_persons
  record_id id Case record
  person_id id The person whom it is about
truth_perpetrators
  record_id id Perpetrator record
  perpetrator_id id The perpetrator whom it is about
truth_case_counts
  length num How many attributes are combined, 0 to 2
  attributes cat column:value;column:value, sorted; empty for all people
  count num How many people have them all
truth_companies
  company_id id Entry of the company register; blank where the firm has none
  employer_id id Entry of the inspectorate's register; blank where the firm has none
  entity_id id The firm
truth_rings
  ring_id id The colluding ring
  company_id id A member
  kind cat rotation (members win in turn) or cover (one wins, others bid to lose)
  link cat What joins the members besides bids: contacts, ownership, or bids (nothing)
truth_structures
  structure_id id The ownership structure
  kind cat chain, cycle, group (innocent) or shell (between a ring and the person behind it)
  company_id id A company in it
truth_owners
  company_id id The company
  owner_id id A person with a share in it, directly or through others
  integrated_share num True share through all paths on the last day, per cent
  integrated_minimum num What the published ranges allow at least, per cent
  integrated_maximum num What the published ranges allow at most, per cent
truth_flags
  flag_id id The flag
  company_id id The company flagged
  reason cat ring, labour exploitation, or false alarm
truth_activity_links
  company_a id One company
  company_b id The other, whose id is the later one
  kind cat synchronised or asynchronous
truth_patterns
  pattern_id id The pattern
  attributes cat column:value;column:value, sorted; empty for a surge of everything
  start date First day of the window
  end date Last day of the window
  expected num Complaints to be expected in the window (in the active months, if seasonal)
  extra num Complaints added
  ratio num (expected + extra) / expected
  kind cat emerging; seasonal, stable_rare and surge are decoys
truth_intervention
  region cat Treated region
  month date Treated month
  effect num Effect on monthly reports per 100,000 people
truth_exposure
  outcome cat Outcome column of the questionnaire
  estimand cat ATE (all respondents) or ATT (the exposed)
  effect num Mean effect: a difference in probability, or in months
truth_documents
  document_id id The document
  claim_id id The claim
  claim cat What is claimed of the company
  entity id company_id of the company
  stance cat supports or contradicts
""")
"""Every column of every truth table."""

VOCABULARY: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "case_records": {
        "organisation": cases.ORGANISATIONS,
        "gender": persons.GENDERS,
        "age_band": persons.AGE_BANDS,
        "majority_status": persons.MAJORITY,
        "citizenship": persons.CITIZENSHIP_VALUES,
        "country_of_exploitation": places.EXPLOITATION_COUNTRIES,
        "type_of_exploitation": persons.TYPES,
        "labour_sector": places.SECTORS,
        "means_of_control": persons.MEANS,
        "recruiter_relation": persons.RELATIONS,
        "region": places.REGION_NAMES,
    },
    "perpetrator_records": {
        "role": cases.ROLES,
        "age_broad": cases.PERPETRATOR_AGES,
        "relation_to_victim": persons.RELATIONS,
    },
    "activity": {"activity": conduct.ACTIVITIES},
    "tenders": {"procedure": procurement.PROCEDURES},
    "complaints": {**complaints.VALUES, "issue": complaints.ISSUES},
    "questionnaire": {"education": studies.EDUCATION},
}
"""Value lists of coded columns, in their order: what a codebook of the world would say."""
