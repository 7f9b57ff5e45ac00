"""The pages and what each is made of, in one place for those who write them to disk."""

from __future__ import annotations

from nociomics.report.cohort import CohortReportData, cohort_report
from nociomics.report.profile import PatientProfileData, patient_profile
from nociomics.report.quality import quality_report

__all__ = ["CohortReportData", "PatientProfileData", "cohort_report", "patient_profile", "quality_report"]
