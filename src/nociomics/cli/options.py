"""Options that several commands share, and how a section of a study is read from one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from nociomics.errors import StudyError

if TYPE_CHECKING:
    from nociomics.models.value_model import Training
    from nociomics.tables.study import Strict, Study

Features = Annotated[Path, typer.Option("--features", help="harmonised/features.parquet")]
Catalogue = Annotated[Path, typer.Option("--catalogue", help="harmonised/feature_catalogue.parquet")]
TargetRows = Annotated[Path, typer.Option("--target-rows", help="harmonised/target.parquet")]
Splits = Annotated[Path, typer.Option("--splits", help="response/splits.parquet")]
TargetJson = Annotated[str, typer.Option("--target", help="the study's target section as JSON")]
BlocksJson = Annotated[str, typer.Option("--blocks", help="the study's blocks section as JSON")]
SettingsJson = Annotated[str, typer.Option("--settings", help="this stage's section of the study as JSON")]
StudyJson = Annotated[str, typer.Option("--study", help="the study's own keys as JSON")]
Seed = Annotated[int, typer.Option("--seed", help="the study's seed")]
Output = Annotated[Path, typer.Option("--output", help="what is written")]
PartText = Annotated[str, typer.Option("--part", help="which part of the work, as 2-of-7")]
Gathered = Annotated[
    list[Path] | None,
    typer.Option("--gather", help="what one part wrote; once for each part, then they are only put together"),
]
HarmWeight = Annotated[
    float | None,
    typer.Option(min=0, help="benefit that one adverse event outweighs, for everybody without a weight of their own"),
]

Section = TypeVar("Section", bound="Strict")


def section(text: str, model: type[Section]) -> Section:
    """Read a section given as JSON; a broken one is a `StudyError` that names it."""
    from pydantic import ValidationError

    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise StudyError(
            f"{model.__name__}: {error.error_count()} problems in the JSON given. {_first(error)}"
        ) from None


def study_section(text: str) -> Study:
    """Read a study's own keys."""
    from nociomics.tables.study import Study

    return section(text, Study)


def whole_study(text: str) -> Any:
    """Read a study with all its settings."""
    from nociomics.config import check_config

    return check_config(json.loads(text), "the study given")


def read_training(target_rows: Path, features: Path, catalogue: Path) -> Training:
    """Read the people that a model learns from; inner folds come from the splits."""
    import numpy as np

    from nociomics.models.value_model import Training
    from nociomics.tables.files import read_table
    from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES, TARGET_ROWS

    rows = read_table(target_rows, TARGET_ROWS)
    people = read_table(features, FEATURES)
    return Training(people, read_table(catalogue, FEATURE_CATALOGUE), rows, np.zeros(rows.height, dtype=int))


def _first(error: Any) -> str:
    entry = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in entry['loc'])}: {entry['msg']}."
