"""What the strata stage wrote, for the pages and for MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from nociomics.report.strata_page import StrataPageData


def strata_page_data(study: str, results: Path, **told: Any) -> StrataPageData:
    """Read everything that the strata page may show; a table that the study did not give is None.

    Parameters
    ----------
    study : str
        Its name.
    results : Path
        Folder of the study's results.
    **told
        Further fields, such as ``version`` and ``created``.
    """
    import polars as pl

    from nociomics.models.stratification import StratumModel
    from nociomics.report.strata_inputs import strata_inputs
    from nociomics.report.strata_page import StrataPageData
    from nociomics.tables import results as contracts
    from nociomics.tables.files import read_json, read_table
    from nociomics.tables.harmonised import FEATURES

    folder = results / "strata"
    model = StratumModel.from_dict(read_json(folder / "model.json"))
    summary = read_json(folder / "summary.json")
    where = "harmonised" if summary.get("training_sample") is None else "training"
    features = read_table(results / where / "features.parquet", FEATURES)
    learned_from = pl.col("patient_id").is_in(features["patient_id"].implode())
    tables = {
        "associations": contracts.STRATA_ASSOCIATIONS,
        "concentrations": contracts.STRATA_CONCENTRATIONS,
        "markers": contracts.STRATA_MARKERS,
        "pain_mechanisms": contracts.PAIN_MECHANISMS,
        "mechanism_by_stratum": contracts.MECHANISM_BY_STRATUM,
        "challengers": contracts.CHALLENGERS,
    }
    found: dict[str, Any] = {
        name: optional_table(folder / f"{name}.parquet", contract) for name, contract in tables.items()
    }
    return StrataPageData(
        study=study,
        summary=summary,
        assignments=read_table(folder / "assignments.parquet", contracts.ASSIGNMENTS).filter(learned_from),
        scores=read_table(folder / "factor_scores.parquet", contracts.FACTOR_SCORES).filter(learned_from),
        inputs=strata_inputs(model, features),
        report=optional_json(folder / "report.json"),
        scorecard=optional_json(folder / "scorecard.json"),
        pain_types=pain_types(results),
        **found,
        **told,
    )


def pain_types(results: Path) -> pl.DataFrame | None:
    """Each person's type of pain; None when the study does not record it."""
    from nociomics.tables.files import read_table
    from nociomics.tables.ingested import PATIENTS

    people = read_table(results / "ingested" / "patients.parquet", PATIENTS)
    return people.select("patient_id", "pain_type") if "pain_type" in people.columns else None


def optional_table(path: Path, contract: Any) -> pl.DataFrame | None:
    """Read a table that a study may not have."""
    from nociomics.tables.files import read_table

    return read_table(path, contract) if path.exists() else None


def optional_json(path: Path) -> Any:
    """Read a JSON file that a study may not have."""
    from nociomics.tables.files import read_json

    return read_json(path) if path.exists() else None
