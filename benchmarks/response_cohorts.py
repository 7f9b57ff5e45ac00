"""Invented cohorts for the figures on response: harmonised once, with their truth and oracle, and kept on disk."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from tests.simulate.oracle import observable_oracle

from nociomics.config import load_config
from nociomics.ingest.study_tables import read_study, require_sound
from nociomics.models.settings import SplitSettings
from nociomics.models.study_splits import study_splits
from nociomics.models.value_model import Training
from nociomics.preparation import prepare_read
from nociomics.simulate.cohort import simulate_cohort
from nociomics.simulate.folder import write_cohort
from nociomics.simulate.mechanisms import ARMS, Settings
from nociomics.tables.study import ResponseRule, Target

TARGET = Target(
    kind="change",
    outcome="bpi_severity_week12",
    baseline="bpi_severity",
    response=ResponseRule(fall_percent=30),
    treatment="arm",
    groups="site",
    adverse_event="adverse_event",
)
_OF_FOUR_TYPES = ("endotypes", "half_effects", "product")
_TABLES = ("features", "catalogue", "rows", "truth", "splits")


@dataclass(frozen=True)
class KnownCohort:
    """One invented cohort at the models' door, with what only its generator knows.

    Attributes
    ----------
    features, catalogue, rows : DataFrame
        As in `FEATURES`, `FEATURE_CATALOGUE` and `TARGET_ROWS`.
    truth : DataFrame, same people in the same order
        As in ``truth/people.parquet``.
    splits : DataFrame
        One repeat of five folds.
    oracle : ndarray of shape (n_people, n_arms), or None
        Chance of a response that the measurements allow at best, arms as in `ARMS`; None where it is not known.
    """

    features: pl.DataFrame
    catalogue: pl.DataFrame
    rows: pl.DataFrame
    truth: pl.DataFrame
    splits: pl.DataFrame
    oracle: np.ndarray | None

    @property
    def training(self) -> Training:
        """Everybody, with the inner folds of the only repeat."""
        folds = self.rows.select("patient_id").join(
            self.splits, on="patient_id", how="left", maintain_order="left", validate="1:1"
        )
        return Training(self.features, self.catalogue, self.rows, folds["inner_fold"].to_numpy())

    @property
    def baseline(self) -> np.ndarray:
        """Measured baseline, NaN where unknown."""
        return self.rows["baseline"].cast(pl.Float64).fill_null(np.nan).to_numpy()

    def true_chances(self) -> np.ndarray:
        """Chance of a response under every arm, arms as in `ARMS`."""
        return self.truth.select(f"p_response_{arm}" for arm in ARMS).to_numpy()


def known_cohort(
    cache: Path, people: int, seed: int, world: int, mechanism: str = "endotypes", assignment: str = "randomised"
) -> KnownCohort:
    """Take a cohort from the cache, or simulate, harmonise and keep it."""
    folder = cache / f"{mechanism}_{assignment}_{people}_{seed}_{world}"
    if not (folder / "done").is_file():
        settings = Settings(people, seed, world, mechanism, assignment)
        folder.mkdir(parents=True, exist_ok=True)
        _make(settings, folder)
        if mechanism in _OF_FOUR_TYPES:
            kept = pl.read_parquet(folder / "rows.parquet")["patient_id"].str.slice(1).cast(pl.Int64).to_numpy() - 1
            np.save(folder / "oracle.npy", observable_oracle(settings).p_response[kept])
        (folder / "done").touch()
    oracle = np.load(folder / "oracle.npy") if (folder / "oracle.npy").is_file() else None
    return KnownCohort(*(pl.read_parquet(folder / f"{table}.parquet") for table in _TABLES), oracle)


def _make(settings: Settings, folder: Path) -> None:
    cohort = simulate_cohort(
        settings.patients,
        settings.seed,
        world=settings.world,
        mechanism=settings.mechanism,
        assignment=settings.assignment,
    )
    with tempfile.TemporaryDirectory(prefix="nociomics-figures-") as temporary:
        written = Path(temporary) / "cohort"
        study = load_config(write_cohort(cohort, written))
        read = read_study(study, written, stores=Path(temporary) / "stores")
        require_sound(read.findings)
        prepared = prepare_read(read, study, written, Path(temporary) / "stores")
    rows = prepared.target
    truth = rows.select("patient_id").join(
        cohort.truth["people"], on="patient_id", how="left", maintain_order="left", validate="1:1"
    )
    folds = SplitSettings(repeats=1)
    splits, _ = study_splits(rows, prepared.features, prepared.catalogue, read.dosages, folds, settings.seed)
    tables = {
        "features": rows.select("patient_id").join(
            prepared.features, on="patient_id", how="left", maintain_order="left", validate="1:1"
        ),
        "catalogue": prepared.catalogue,
        "rows": rows,
        "truth": truth,
        "splits": splits,
    }
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")
    logging.getLogger(__name__).info("made %s", folder.name)
