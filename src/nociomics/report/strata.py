"""The strata section of the cohort report: the finding, how sure, how large; the rest has a page of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from nociomics.report.strata_tables import size_rows
from nociomics.report.strata_words import evidence_words, stability_sentence, strata_sentence


def strata_view(
    summary: Mapping[str, Any] | None, assignments: pl.DataFrame | None, associations: pl.DataFrame | None = None
) -> dict[str, Any] | None:
    """Collect what the strata section shows, or None when strata were not looked for.

    Parameters
    ----------
    summary : mapping or None
        ``k, evidence, stability, bic`` and further figures.
    assignments : DataFrame or None
        As in `ASSIGNMENTS`.
    associations : DataFrame or None
        As in `STRATA_ASSOCIATIONS`; without it a cluster of a batch cannot be named one.
    """
    if summary is None:
        return None
    return {
        "sentence": strata_sentence(summary, associations),
        "evidence": evidence_words(summary),
        "stability": stability_sentence(summary),
        "several": (summary.get("k") or 1) > 1,
        "sizes": size_rows(assignments, summary),
    }
