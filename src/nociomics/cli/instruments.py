"""Score one questionnaire."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import polars as pl


def score(
    instrument: Annotated[str, typer.Argument(help="id of a shipped definition, such as pcs or bpi_sf")],
    responses: Annotated[Path, typer.Argument(help="item responses, long or wide, any table format")],
    output: Annotated[Path, typer.Option("--output", "-o", help="scores to write (.csv or .parquet)")],
    value_set: Annotated[str | None, typer.Option(help="EQ-5D-5L: name of the country's value set")] = None,
) -> None:
    """Score every scale of one questionnaire from item responses.

    Example: nociomics score pcs answers.csv -o scores.csv
    """
    from nociomics.harmonise.instrument_scores import score_table
    from nociomics.ingest.single_files import read_any_table
    from nociomics.ingest.study_tables import require_sound
    from nociomics.knowledge.instrument import load_instrument

    known = load_instrument(instrument)
    raw, findings = read_any_table(responses)
    require_sound(findings)
    assert raw is not None
    scores, remarks = score_table(_long(raw, known.id, responses), known, value_set)
    for remark in remarks:
        typer.echo(remark.message, err=True)
    write_frame(scores, output)


def _long(raw: pl.DataFrame, instrument: str, path: Path) -> pl.DataFrame:
    import polars as pl

    from nociomics.errors import TableError
    from nociomics.knowledge.instrument import resolve_item

    if "item" in raw.columns:
        require_columns(raw, ("patient_id", "item", "response"), path)
        return raw
    require_columns(raw, ("patient_id",), path)
    items = {name: found[1] for name in raw.columns if (found := resolve_item(name)) and found[0] == instrument}
    if not items:
        raise TableError(f"No column is an item of {instrument}. Name them {instrument}_<item>, or give a long table.")
    index = [name for name in ("patient_id", "visit") if name in raw.columns]
    long = raw.unpivot(list(items), index=index, variable_name="item", value_name="response")
    return long.with_columns(pl.col("item").replace(items))


def require_columns(raw: pl.DataFrame, needed: tuple[str, ...], path: Path) -> None:
    """Raise `TableError` when a table lacks a column, with the nearest name that it has."""
    from nociomics.errors import TableError, did_you_mean

    missing = [name for name in needed if name not in raw.columns]
    if missing:
        near = "".join(did_you_mean(name, raw.columns) for name in missing)
        raise TableError(f"{path}: has no column {', '.join(missing)}.{near} Needed are {', '.join(needed)}.")


def write_frame(frame: pl.DataFrame, output: Path) -> None:
    """Write a table as CSV or Parquet by its suffix, whole or not at all."""
    from nociomics.errors import TableError
    from nociomics.tables.files import store_parquet, written_whole

    if output.suffix not in (".csv", ".parquet"):
        raise TableError(f'{output}: ends in "{output.suffix}"; give a name that ends in .csv or .parquet.')
    with written_whole(output) as draft:
        frame.write_csv(draft) if output.suffix == ".csv" else store_parquet(frame, draft)
