"""Hand a harmonised cohort to other tools, and take it back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

import typer

_Way = TypeVar("_Way")
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _both_ways() -> None:
    """Write a harmonised cohort as MuData, AnnData or tidy tables, and read it back."""


@app.command()
def write(
    results: Annotated[Path, typer.Argument(help="results/<study> of a run")],
    output: Annotated[Path, typer.Option("--output", "-o", help="FILE.h5mu, FILE.h5ad, or a folder for tidy tables")],
) -> None:
    """Write features, catalogue and target for other tools; the name's end says the format.

    Example: nociomics interchange write results/demo -o demo.h5mu
    """
    from nociomics.interchange.anndata_files import write_h5ad
    from nociomics.interchange.cohort import read_cohort
    from nociomics.interchange.mudata_files import write_h5mu
    from nociomics.interchange.tidy_tables import write_tidy

    writers = {".h5mu": write_h5mu, ".h5ad": write_h5ad, "": write_tidy}
    _of(output, writers)(read_cohort(results), output)


@app.command()
def read(
    path: Annotated[Path, typer.Argument(help="what `interchange write` wrote")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="folder for the Parquet tables")],
) -> None:
    """Turn a written cohort back into features.parquet, feature_catalogue.parquet and target.parquet.

    Example: nociomics interchange read demo.h5mu -o harmonised
    """
    from nociomics.interchange.anndata_files import read_h5ad
    from nociomics.interchange.cohort import write_cohort
    from nociomics.interchange.mudata_files import read_h5mu
    from nociomics.interchange.tidy_tables import read_tidy

    readers = {".h5mu": read_h5mu, ".h5ad": read_h5ad, "": read_tidy}
    write_cohort(_of(path, readers)(path), output)


def _of(path: Path, ways: dict[str, _Way]) -> _Way:
    """Choose by the end of the name."""
    from nociomics.errors import TableError

    if path.suffix not in ways:
        raise TableError(f'{path}: ends in "{path.suffix}"; give FILE.h5mu, FILE.h5ad, or a folder for tidy tables.')
    return ways[path.suffix]
