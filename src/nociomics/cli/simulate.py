"""Make the invented cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder to write; made when absent")],
    patients: Annotated[int, typer.Option(min=10, help="number of patients")] = 600,
    seed: Annotated[int, typer.Option(min=0, help="fixes the patients")] = 1,
    world: Annotated[int, typer.Option(min=0, help="fixes the constants of nature and laboratory")] = 0,
    mechanism: Annotated[
        str,
        typer.Option(help="endotypes, continuum, two_types, six_types, no_heterogeneity, half_effects, product, noise"),
    ] = "endotypes",
    assignment: Annotated[str, typer.Option(help="randomised or observational")] = "randomised",
    effect_size: Annotated[float, typer.Option(help="1: as described; 0.5: half as strong")] = 1.0,
    scale: Annotated[
        str, typer.Option(help="cohort, or biobank: 10,000 variants, 12 analytes, 150 items, 500 genes")
    ] = "cohort",
) -> None:
    """Simulate a chronic-pain cohort with every table, a study file, and the truth beside it.

    Example: nociomics simulate demo --patients 600 --seed 1
    """
    from nociomics.errors import StudyError
    from nociomics.simulate.biobank import simulate_biobank
    from nociomics.simulate.cohort import simulate_cohort
    from nociomics.simulate.folder import write_cohort

    scales = {"cohort": simulate_cohort, "biobank": simulate_biobank}
    if scale not in scales:
        raise StudyError(f'--scale "{scale}" cannot be simulated: choose cohort or biobank.')
    cohort = scales[scale](patients, seed, world, mechanism, assignment, effect_size)
    study = write_cohort(cohort, folder, panel=scale == "biobank")
    typer.echo(f"{patients} invented patients are in {folder}. Run them: nociomics run {study}")
