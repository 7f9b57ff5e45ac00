"""Stage strata."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nociomics.cli.options import (
    BlocksJson,
    Catalogue,
    Features,
    Gathered,
    Output,
    PartText,
    Seed,
    SettingsJson,
    section,
)
from nociomics.cli.strata_description import describe, mechanisms

_REFITS = "refits.json"

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.command()(describe)
app.command()(mechanisms)


@app.callback()
def _stage() -> None:
    """Find patient strata."""


@app.command()
def find(
    features: Features,
    catalogue: Catalogue,
    settings: SettingsJson,
    blocks: BlocksJson,
    seed: Seed,
    output: Output,
    everybody: Annotated[
        Path | None, typer.Option(help="features of all who are placed; those learned from when left out")
    ] = None,
    gather: Gathered = None,
) -> None:
    """Reduce people to factor scores and see whether more than one stratum exists."""
    import polars as pl

    from nociomics.models.settings import BlockSettings, StrataSettings
    from nociomics.models.stratification import StratumModel
    from nociomics.tables.files import read_json, read_table, write_json, write_table
    from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES
    from nociomics.tables.results import ASSIGNMENTS, FACTOR_SCORES

    learned_from, people = read_table(features, FEATURES), read_table(everybody or features, FEATURES)
    if gather:
        parts = [read_json(folder / _REFITS) for folder in gather]
        model = StratumModel.from_dict(parts[0]["model"])  # every part found the same
        model.judge_stability([one for part in parts for one in part["refits"]])
    else:
        model = StratumModel(section(settings, StrataSettings), section(blocks, BlockSettings), seed)
        model.fit(learned_from, read_table(catalogue, FEATURE_CATALOGUE))
        # arrays laid out in memory as a reader has them: products of matrices differ in their last bit otherwise
        model = StratumModel.from_dict(model.to_dict())
    scores, measured = model.scores(people)
    columns = {f"factor_{place + 1}": scores[:, place] for place in range(scores.shape[1])}
    frame = pl.DataFrame({"patient_id": people["patient_id"], **columns}).filter(pl.Series(measured))
    write_table(model.assign(people), ASSIGNMENTS, output / "assignments.parquet")
    write_table(frame, FACTOR_SCORES, output / "factor_scores.parquet")
    sampled = learned_from.height if learned_from.height < people.height else None
    write_json(model.summary(learned_from) | {"training_sample": sampled}, output / "summary.json")
    write_json(model.to_dict(), output / "model.json")


@app.command()
def refit(
    features: Features,
    catalogue: Catalogue,
    settings: SettingsJson,
    blocks: BlocksJson,
    seed: Seed,
    part: PartText,
    output: Annotated[Path, typer.Option(help="folder to write, for `nociomics strata find --gather`")],
) -> None:
    """Find strata again in some of the people, one part of the times; the parts together tell how stable strata are."""
    import logging

    from nociomics.models.settings import BlockSettings, StrataSettings
    from nociomics.models.stratification import StratumModel
    from nociomics.tables.files import read_table, write_json
    from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES
    from nociomics.tables.part import Part

    model = StratumModel(section(settings, StrataSettings), section(blocks, BlockSettings), seed)
    known = read_table(catalogue, FEATURE_CATALOGUE)
    found = model.fit_part(read_table(features, FEATURES), known, Part.read(part))
    write_json({"model": model.to_dict(), "refits": found}, output / _REFITS)
    logging.getLogger(__name__).info("part %s: %d refits of %d strata", part, len(found), model.k_)


@app.command()
def challenge(
    features: Features,
    catalogue: Catalogue,
    model: Annotated[Path, typer.Option(help="strata/model.json")],
    settings: SettingsJson,
    seed: Seed,
    output: Output,
) -> None:
    """Group the same people in other ways and compare them with the strata."""
    from nociomics.models.challengers import compare
    from nociomics.models.settings import StrataSettings
    from nociomics.models.stratification import StratumModel
    from nociomics.tables.files import read_json, read_table, write_table
    from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES
    from nociomics.tables.results import CHALLENGERS

    people, known = read_table(features, FEATURES), read_table(catalogue, FEATURE_CATALOGUE)
    strata = StratumModel.from_dict(read_json(model))
    table = compare(strata, people, known, section(settings, StrataSettings), seed)
    write_table(table, CHALLENGERS, output)
