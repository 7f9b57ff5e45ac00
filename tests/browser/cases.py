"""Every kind of page in its states, made once: what the browser opens."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import polars as pl

from nociomics.pharmacogenomics.calling import call_pharmacogenes
from nociomics.pharmacogenomics.phenoconversion import with_inhibitors
from nociomics.pharmacogenomics.recommendation import recommend_drugs
from nociomics.report.cohort import CohortReportData, cohort_report
from nociomics.report.pgx_card import PgxCardData, pgx_card
from nociomics.report.profile import PatientProfileData, patient_profile
from nociomics.report.profile_strata import Dimension
from nociomics.report.quality import quality_report
from nociomics.report.strata_page import StrataPageData, strata_page
from nociomics.report.tripod import tripod_page
from nociomics.tables.results import PAIN_MECHANISMS
from tests.report import demo, strata_demo, test_quality_figures, test_tripod

NOTHING = demo.metrics((0.51, 0.45, 0.57), 0.51)
_WORST = {
    "CYP2D6": "*1/*1",
    "CYP2C9": "*2/*2",
    "CYP2C19": "*17/*17",
    "CYP2B6": "*6/*6",
    "CYP3A5": "*3/*3",
    "UGT1A1": "*28/*28",
    "HLA-A": "*31:01 positive",
    "HLA-B": "*15:02 positive",
}


def abstained() -> PatientProfileData:
    """A person for whom no treatment is preferred."""
    effects = demo.person().effects
    assert effects is not None
    none = pl.lit(None, dtype=pl.String)
    return demo.person(
        effects=effects.with_columns(recommended=none, status=pl.lit("abstained: the difference is within its error"))
    )


def classes() -> PatientProfileData:
    """A study of classes, without treatments."""
    unknown = {name: pl.Series([None], dtype=pl.Float64) for name in ("expected", "lower", "upper", "p_response")}
    predictions = pl.DataFrame(
        {"patient_id": ["P0001"], "treatment": pl.Series([None], dtype=pl.String), **unknown}
        | {"p_mild": [0.7], "p_moderate": [0.22], "p_severe": [0.08], "status": ["ok"]}
    )
    changes = {"kind": "multiclass", "treatment": None, "baseline": None, "response": None}
    target = demo.TARGET.model_copy(update=changes)
    return demo.person(predictions=predictions, target=target, effects=None, shap=None, arms=None)


def everything() -> PatientProfileData:
    """A person with a safety answer, dimensions in place of strata, and evidence for pain mechanisms."""
    rows = [("neuropathic", "likely", "together", None), ("neuropathic", "likely", "dn4", 7.0)]
    given = [dict(zip(("mechanism", "evidence", "rule", "value"), row, strict=True)) for row in rows]
    answer = {"visit": "baseline", "instrument": "phq_9", "item": "9", "points": 2.0, "concern": "self-harm"}
    return demo.person(
        safety=pl.DataFrame([answer]),
        dimensions=[Dimension("factor 1", ["pcs total", "−cortisol"], 92.4), Dimension("factor 2", ["crp"], None)],
        assignment={"stratum": "S1", "p_S1": 1.0, "entropy": 0.0, "atypical": True, "between": False},
        pain_mechanisms=strata_demo.frame(
            PAIN_MECHANISMS, [row | {"patient_id": "P0001", "source": "invented"} for row in given]
        ),
    )


def _card(person: str, genes: dict[str, str], drugs: list[str]) -> str:
    outside = None
    if genes:
        outside = pl.DataFrame({"patient_id": person, "gene": list(genes), "diplotype": list(genes.values())})
    taken = pl.DataFrame({"patient_id": [person] * len(drugs), "drug": drugs, "is_current": [True] * len(drugs)})
    calls = with_inhibitors(call_pharmacogenes(None, outside, [person]), taken if drugs else None)
    return pgx_card(PgxCardData(person, calls, recommend_drugs(calls), "demo"))


def _bare_cohort() -> str:
    empty = demo.findings().clear()
    return cohort_report(
        CohortReportData("bare", "0.1.0", "", None, demo.flow().clear(), empty, demo.catalogue().clear())
    )


_ONE_STRATUM = {"k": 1, "evidence": "none", "bic": {"1": 5210.0, "2": 5244.0}}
_SHORT = (demo.findings, demo.flow, demo.catalogue)
CASES: dict[str, Callable[[], str]] = {
    "profile-open": lambda: patient_profile(demo.person()),
    "profile-closed": lambda: patient_profile(demo.person(gate=demo.CLOSED, metrics=NOTHING)),
    "profile-abstained": lambda: patient_profile(abstained()),
    "profile-classes": lambda: patient_profile(classes()),
    "profile-everything": lambda: patient_profile(everything()),
    "profile-nothing": lambda: patient_profile(PatientProfileData("P1", "bare", {}, demo.catalogue().clear())),
    "pgx-card": lambda: _card("most", _WORST, ["quinidine"]),
    "pgx-untested": lambda: _card("untested", {}, []),
    "pgx-side-by-side": demo.codeine_page,
    "cohort-open": lambda: cohort_report(demo.cohort()),
    "cohort-null": lambda: cohort_report(
        demo.cohort(metrics=NOTHING, gate=demo.CLOSED, strata_summary=_ONE_STRATUM, effects=None)
    ),
    "cohort-nothing": _bare_cohort,
    "tripod": lambda: tripod_page(test_tripod.data()),
    "quality": lambda: quality_report(*(make() for make in _SHORT), "demo", test_quality_figures.figures()),
    "quality-nothing": lambda: quality_report(*(make().clear() for make in _SHORT), "bare"),
    "strata-three": lambda: strata_page(strata_demo.three()),
    "strata-one": lambda: strata_page(strata_demo.one()),
    "strata-batch": lambda: strata_page(strata_demo.batch()),
    "strata-nothing": lambda: strata_page(StrataPageData(study="empty")),
}


KINDS = ("profile-open", "pgx-card", "pgx-side-by-side", "cohort-open", "tripod", "quality", "strata-three")


@cache
def html(name: str) -> str:
    """Write the page of a case; the same text for every test of a worker."""
    return CASES[name]()
