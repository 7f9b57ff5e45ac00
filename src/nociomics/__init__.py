"""nociomics: from a chronic-pain cohort's tables to strata, predictions, explanations and models."""

__version__ = "0.1.0"
