"""What a light installation lacks, said in one sentence instead of a traceback."""

from __future__ import annotations

from importlib.util import find_spec

from nociomics.errors import NociomicsError

PACKAGES = ("snakemake", "mlflow", "shap", "matplotlib", "altair", "vl_convert", "jinja2", "pandas", "pyarrow")
"""What the extra ``workflow`` brings, as it is imported."""


def require_workflow() -> None:
    """Refuse to go on without what a study's workflow needs.

    Raises
    ------
    NociomicsError
        When the extra ``workflow`` is not installed.
    """
    for name in PACKAGES:
        if find_spec(name) is None:
            raise _lacking(name)


def as_lacking_extra(error: ModuleNotFoundError) -> NociomicsError | None:
    """Turn an import that failed into what a user can do about it; None where the package is not of the extra."""
    absent = (error.name or str(error).partition(" ")[0]).partition(".")[0]
    return _lacking(absent) if absent in PACKAGES else None


def _lacking(name: str) -> NociomicsError:
    return NociomicsError(
        f"This installation can ask exported models, and no more: {name} is not installed. What you asked for needs "
        "the workflow: pip install 'nociomics[workflow]'."
    )
