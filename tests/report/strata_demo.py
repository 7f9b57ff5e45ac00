"""Invented strata for the page: `uv run python -m tests.report.strata_demo FOLDER` writes its cases to look at."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nociomics.report.strata_inputs import StrataInputs
from nociomics.report.strata_page import StrataPageData, strata_page
from nociomics.tables.contract import Contract, empty_frame
from nociomics.tables.results import (
    CHALLENGERS,
    MECHANISM_BY_STRATUM,
    PAIN_MECHANISMS,
    STRATA_ASSOCIATIONS,
    STRATA_CONCENTRATIONS,
    STRATA_MARKERS,
)

_MEASURED = (
    ("crp_mg_per_l", "biomarkers", 0),
    ("il6_pg_per_ml", "biomarkers", 0),
    ("tnf_alpha_pg_per_ml", "biomarkers", 0),
    ("expression_component_01", "expression", 0),
    ("dn4_total", "questionnaires", 1),
    ("pcs_total", "questionnaires", 2),
    ("bdi_total", "questionnaires", 2),
    ("bpi_severity", "questionnaires", 2),
)
_CENTRES = ((1.8, -0.4, 0.0), (-0.6, 1.5, 0.2), (-0.8, -0.9, -0.3))


def frame(contract: Contract, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows of a contract; a column that is not given is null."""
    empty = empty_frame(contract)
    return pl.concat([empty, pl.DataFrame(rows, schema=empty.schema)]) if rows else empty


def people(n: int = 600, k: int = 3, factors: int = 3) -> StrataPageData:
    """People in ``k`` clouds, or in one."""
    rng = np.random.default_rng(11)
    kind = np.sort(rng.integers(0, k, n))
    centres = np.array(_CENTRES if k > 1 else [(0.0, 0.0, 0.0)])[:, :factors]
    points = centres[kind] + rng.normal(0, 0.8, (n, factors))
    ids = [f"SECRET-{place:04d}" for place in range(n)]
    distance = ((points[:, None, :] - centres[None]) ** 2).sum(axis=2) / 0.64
    chances = np.exp(-distance / 2) / np.exp(-distance / 2).sum(axis=1, keepdims=True)
    top = chances.argmax(axis=1)
    assignments = pl.DataFrame(
        {
            "patient_id": ids,
            "stratum": [f"S{place + 1}" for place in top],
            **{f"p_S{place + 1}": chances[:, place] for place in range(k)},
            "entropy": np.maximum(-(chances * np.log(chances + 1e-300)).sum(axis=1), 0.0),
            "atypical": distance.min(axis=1) > np.quantile(distance.min(axis=1), 0.99),
            "between": chances.max(axis=1) < 0.6,
        }
    )
    scores = pl.DataFrame({"patient_id": ids, **{f"factor_{place + 1}": points[:, place] for place in range(factors)}})
    return StrataPageData(
        study="invented",
        version="0.1.0",
        created="2026-11-21",
        summary=summary(assignments, k, n, factors),
        assignments=assignments,
        scores=scores,
        inputs=inputs(ids, points, rng),
    )


def inputs(ids: list[str], points: np.ndarray, rng: np.random.Generator) -> StrataInputs:
    """Measurements that follow the factors, a tenth of them missing."""
    loadings = np.zeros((len(_MEASURED), points.shape[1]))
    for place, (_, _, factor) in enumerate(_MEASURED):
        loadings[place, min(factor, points.shape[1] - 1)] = 0.8
    values = points @ loadings.T + rng.normal(0, 0.5, (len(ids), len(_MEASURED)))
    values[rng.random(values.shape) < 0.1] = np.nan
    table = pl.DataFrame({name: values[:, place] for place, (name, _, _) in enumerate(_MEASURED)}).fill_nan(None)
    columns = pl.DataFrame(
        {
            "column": [name for name, _, _ in _MEASURED],
            "label": [name.split("_")[0] for name, _, _ in _MEASURED],
            "modality": [modality for _, modality, _ in _MEASURED],
            "explained": (loadings**2).sum(axis=1),
        }
    )
    return StrataInputs(pl.DataFrame({"patient_id": ids}).hstack(table), columns, loadings)


def summary(assignments: pl.DataFrame, k: int, n: int, factors: int) -> dict[str, Any]:
    sizes = dict(assignments["stratum"].value_counts().sort("stratum").iter_rows())
    bic = {"1": 5000.0, "2": 4950.0, "3": 4921.0, "4": 4960.0} if k > 1 else {"1": 5000.0, "2": 5034.0, "3": 5080.0}
    steps = [
        {"k": 2, "likelihood_ratio": 96.0, "needed": 41.5, "p_value": 0.0001, "smallest": 180},
        {"k": 3, "likelihood_ratio": 75.2, "needed": 40.3, "p_value": 0.0001, "smallest": 180},
        {"k": 4, "likelihood_ratio": 12.0, "needed": 39.9, "p_value": 0.62, "smallest": 31},
    ]
    return {
        "k": k,
        "at_least": k,
        "people": n,
        "factors": factors,
        "bic": bic,
        "bic_gain": 79.0 if k > 1 else -34.0,
        "evidence": "strong: at least this many" if k > 1 else "none: dimensions, not types",
        "stability": {
            "jaccard": {"S1": 0.88, "S2": 0.71, "S3": 0.52} if k == 3 else None,
            "agreement": 0.7 if k > 1 else None,
        },
        "sizes": sizes,
        "test": {"steps": steps if k > 1 else [steps[2] | {"k": 2}], "continuum_gain": 3.2},
        "left_out": [{"column": "bdnf_serum_ng_per_ml", "reason": "measured in 31% of the people, less than half"}],
    }


def associations(site: float = 0.04, verdict: str = "clear", of: str = "strata") -> pl.DataFrame:
    rows = [
        ("site", "site", "cramers_v", 0.05, 0.0, 0.12, 0.31, "clear"),
        ("expression_batch", "batch", "cramers_v", site, max(0, site - 0.05), site + 0.05, 0.001, verdict),
        ("measured blocks", "missingness", "cramers_v", 0.09, 0.01, 0.15, 0.2, "clear"),
        ("bpi_severity_week12", "outcome", "correlation_ratio", 0.21, 0.14, 0.29, 0.001, "not judged"),
        ("arm", "treatment", "cramers_v", 0.02, 0.0, 0.08, 0.55, "not judged"),
        ("age", "trait", "correlation_ratio", 0.03, 0.0, 0.08, 0.4, "not judged"),
    ]
    names = ("variable", "role", "measure", "value", "lower", "upper", "p", "verdict")
    return frame(STRATA_ASSOCIATIONS, [dict(zip(names, row, strict=True)) | {"of": of, "n": 590} for row in rows])


def concentrations() -> pl.DataFrame:
    row = {"variable": "expression_batch", "role": "batch", "residual": 9.1, "concentrated": True}
    return frame(
        STRATA_CONCENTRATIONS,
        [
            row | {"stratum": "S1", "level": "batch 1", "people": 180, "share": 0.94, "expected_share": 0.33},
            row | {"stratum": "S2", "level": "batch 9", "people": 3, "share": 0.01, "expected_share": 0.005},
        ],
    )


def markers(of: tuple[str, ...] = ("S1", "S2", "S3")) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    rows = []
    for stratum in of:
        for place, (name, modality, factor) in enumerate(_MEASURED):
            size = 1.1 if stratum == f"S{factor + 1}" else float(rng.normal(0, 0.3))
            raised = stratum == "S1" and name == "crp_mg_per_l"
            rows.append(
                {
                    "of": stratum, "feature": name, "level": "", "modality": modality, "group": name, "unit": "points",
                    "clustered_on": True, "scale": "log" if modality == "biomarkers" else "linear", "n_in": 190,
                    "n_rest": 0 if stratum.startswith("factor") else 380,
                    "difference_own": None if stratum.startswith("factor") else 1.0 + abs(size),
                    "difference": size, "lower": size - 0.2, "upper": size + 0.2, "p": 0.001 * (place + 1),
                    "q": 0.002 * (place + 1), "mechanism": "inflammatory" if name == "crp_mg_per_l" else None,
                    "names": raised,
                }
            )  # fmt: skip
    return frame(STRATA_MARKERS, rows)


def challengers() -> pl.DataFrame:
    rows = [
        ("strata", "factor scores, then a mixture of Gaussians", True, "own", True, 3, 0.72, None, "ok"),
        ("kmeans", "k-means on all blocks side by side", True, "own", False, 2, 0.9, 0.41, "ok"),
        ("consensus", "consensus of k-means over subsamples", False, "own", False, 2, 0.95, 0.38, "ok"),
        ("network_fusion", "similarity network fusion", False, "strata", False, 3, 0.61, 0.33, "ok"),
        ("mofa", "MOFA factors, then a mixture", False, "own", True, None, None, None, "not installed"),
    ]
    names = ("challenger", "method", "places_new_people", "k_from", "can_say_one", "k", "stability", "ari", "status")
    given = [dict(zip(names, row, strict=True)) for row in rows]
    return frame(CHALLENGERS, [row | {"criterion": "its own", "people": 600, "placed_share": 1.0} for row in given])


def mechanism_by_stratum(k: int = 3) -> pl.DataFrame:
    counts = {"likely": 60, "possible": 40, "unlikely": 90, "not shown": 3}
    rows = [
        {
            "stratum": f"S{place + 1}", "mechanism": mechanism, "evidence": evidence, "people": people,
            "of_stratum": people / 193, "of_everybody": 1 / k,
        }
        for place in range(k)
        for mechanism in ("neuropathic", "inflammatory", "mixed")
        for evidence, people in counts.items()
    ]  # fmt: skip
    rows += [
        {"stratum": f"S{place + 1}", "mechanism": "nociplastic", "evidence": "not measured", "people": 200,
         "of_stratum": 1.0, "of_everybody": 1 / k}
        for place in range(k)
    ]  # fmt: skip
    return frame(MECHANISM_BY_STRATUM, rows)


def pain_mechanisms(ids: list[str]) -> pl.DataFrame:
    """Every third person likely neuropathic, every third likely inflammatory, nobody asked about the rest."""
    rows = []
    for place, patient in enumerate(ids):
        for mechanism, turn in (("neuropathic", 0), ("inflammatory", 1), ("nociplastic", None), ("mixed", None)):
            evidence = "not measured" if turn is None else "likely" if place % 3 == turn else "unlikely"
            rows.append(
                {"patient_id": patient, "mechanism": mechanism, "evidence": evidence, "rule": "together", "value": None,
                 "source": "invented"}
            )  # fmt: skip
    return frame(PAIN_MECHANISMS, rows)


def pain_types(data: StrataPageData) -> pl.DataFrame:
    """A diagnosis that goes with the strata in part; two people have a rare one, some none."""
    rng = np.random.default_rng(5)
    assert data.assignments is not None
    own = {"S1": "inflammatory", "S2": "neuropathic", "S3": "nociplastic"}
    ids, strata = data.assignments["patient_id"], data.assignments["stratum"]
    given = [own[one] if rng.random() < 0.6 else str(rng.choice(list(own.values()))) for one in strata]
    given[:2] = ["complex regional pain syndrome"] * min(2, len(given))
    return pl.DataFrame({"patient_id": ids, "pain_type": [None if i % 20 == 7 else one for i, one in enumerate(given)]})


def report(better: str = "neither") -> dict[str, Any]:
    """What `describe_strata` tells: S1 has earned a name, halves agree in part."""
    words = {
        "neither": "Neither strata nor dimensions are shown to tell who does better with which treatment.",
        "dimensions": "Dimensions: continuous factor scores tell the treatments' difference better than strata do.",
    }[better]
    side = {"terms": 9, "f": 1.31, "p": 0.23, "gain": -0.004}
    number = {"kind": "number", "mechanisms": [], "because": []}
    return {
        "names": {
            "S1": {"kind": "biology", "mechanisms": ["inflammatory"], "because": ["crp_mg_per_l"]},
            "S2": number,
            "S3": number,
        },
        "agreement": {
            "halves": {"k": [[3, 2], [3, 3], [2, 3]], "ari": 0.61, "ari_low": 0.44, "factors": 0.93, "pairs": 3},
            "seeds": {"k": [[3, 3]], "ari": 0.98, "ari_low": 0.97, "factors": 1.0, "pairs": 3},
        },
        "interaction": {
            "outcome": "baseline minus outcome",
            "n": 561,
            "arms": {"CBT": 280, "NSAID": 281},
            "randomised": True,
            "strata": side,
            "factors": side | {"terms": 12, "p": 0.004, "gain": 0.021},
            "better": better,
            "words": words,
        },
    }


def _asked(feature: str, level: str | None = None, filled: float = 4.0) -> dict[str, Any]:
    return {"feature": feature, "level": level, "unit": "points", "description": "", "filled_with": filled}


def _card(kind: str, rule: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": kind,
        "strata": ["S1", "S2", "S3"],
        "variables": [_asked("dn4_total"), _asked("sex", "M", 0.0)],
        "rule": rule,
        "n": 600,
        "kappa": {"value": 0.52, "lower": 0.46, "upper": 0.58},
        "agreement": 0.68,
        "by_stratum": {"S1": 0.8, "S2": 0.7, "S3": 0.5},
        "loses": {"placed_otherwise": 0.32, "probability": 0.21},
        "method": "out of 10 folds, everything learned inside them",
    }


def tree_card() -> dict[str, Any]:
    nodes = [
        {"variable": 0, "at_most": 3.5, "then": 1, "otherwise": 4},
        {"variable": 1, "at_most": 0.5, "then": 2, "otherwise": 3},
        {"stratum": "S1"},
        {"stratum": "S3"},
        {"stratum": "S2"},
    ]
    return _card("tree", {"nodes": nodes})


def points_card() -> dict[str, Any]:
    rule = {
        "cuts": [[2.0, 5.0], [0.0, 1.0]],
        "points": [[0, 1], [5, 0], [2, 2]],
        "start": [3, 0, 1],
        "by_size": ["S3", "S1", "S2"],
    }
    return _card("points", rule)


def weights_card() -> dict[str, Any]:
    rule = {f"factor_{place}": {"start": -0.9, "weights": [0.21, 0.004]} for place in (1, 2)}
    kept = {name: value for name, value in _card("weights", rule).items() if name not in ("kappa", "loses", "strata")}
    return kept | {"r2": {"factor_1": 0.61, "factor_2": None}}


def three() -> StrataPageData:
    """Three strata with every table."""
    data = people()
    assert data.assignments is not None
    return replace(
        data,
        associations=associations(),
        concentrations=empty_frame(STRATA_CONCENTRATIONS),
        markers=markers(),
        pain_mechanisms=pain_mechanisms(data.assignments["patient_id"].to_list()),
        mechanism_by_stratum=mechanism_by_stratum(),
        challengers=challengers(),
        report=report(),
        scorecard=tree_card(),
        pain_types=pain_types(data),
    )


def one() -> StrataPageData:
    """A continuum."""
    data = people(k=1)
    assert data.assignments is not None
    return replace(
        data,
        associations=associations(of="factor_1"),
        markers=markers(("factor_1", "factor_2")),
        pain_mechanisms=pain_mechanisms(data.assignments["patient_id"].to_list()),
        mechanism_by_stratum=mechanism_by_stratum(1),
        challengers=challengers(),
        report={"interaction": {"reason": "the study has no treatments"}},
        scorecard=weights_card(),
    )


def batch() -> StrataPageData:
    """Three groups that are three batches."""
    return replace(
        three(),
        associations=associations(0.93, "batch cluster"),
        concentrations=concentrations(),
        scorecard=points_card(),
    )


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in {"three": three, "one": one, "batch": batch, "bare": people}.items():
        (folder / f"{name}.html").write_text(strata_page(make()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
