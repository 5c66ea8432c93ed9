"""Release of case records: aggregates and synthetic records that say what is true and show nobody.

`declared` holds what a study declares, `mechanism` draws with differential privacy, `k_anonymity` makes tables and
records that promise less. Nothing here knows the ledger, files of a study, or Dagster.
"""
