"""nociomics: from a chronic-pain cohort's tables to strata, predictions, explanations and models."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from nociomics.export.gate import Limits
    from nociomics.export.loaded_model import LoadedModel

__version__ = "0.1.0"


def load_model(path: str | Path, key: str | Path | None = None, limits: Limits | None = None) -> LoadedModel:
    """Load an exported model, after its hashes, its signature (where a key is given) and its golden rows were checked.

    Neither Snakemake nor MLflow is needed, and nothing of the bundle is run.

    Parameters
    ----------
    path : path
        ``export/model`` of a run.
    key : path, optional
        File of the key that the bundle has to be signed with. Default: what ``NOCIOMICS_BUNDLE_KEY`` names.
    limits : Limits, optional
        Most people (10,000) and longest time (120 seconds) of one answer.

    Returns
    -------
    LoadedModel
        With ``predict``, ``predict_tables``, ``explain``, ``strata`` and ``schema``.

    Raises
    ------
    BundleError
        When the bundle was altered, is not signed by the key, is of a newer version, or answers otherwise here.
    """
    from pathlib import Path

    from nociomics.export.bundle import load_bundle
    from nociomics.export.loaded_model import LoadedModel
    from nociomics.preparation import prepare_new_tables

    bundle = load_bundle(Path(path), None if key is None else Path(key))
    return LoadedModel(bundle, prepare_new_tables, limits)
