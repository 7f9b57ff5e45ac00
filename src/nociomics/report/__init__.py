"""Pages that people read without a network: the cohort report, the patient profile, data quality."""
