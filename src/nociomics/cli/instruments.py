"""Score one questionnaire."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import polars as pl

    from nociomics.knowledge.instrument import Instrument
    from nociomics.tables.finding import Finding


def score(
    instrument: Annotated[
        str,
        typer.Argument(help="id of a shipped definition, such as pcs or bpi_sf, or a definition of your own (.yaml)"),
    ],
    responses: Annotated[Path, typer.Argument(help="item responses, long or wide, any table format")],
    output: Annotated[Path, typer.Option("--output", "-o", help="scores to write (.csv or .parquet)")],
    value_set: Annotated[str | None, typer.Option(help="EQ-5D-5L: name of the country's value set")] = None,
) -> None:
    """Score every scale of one questionnaire from item responses.

    Example: nociomics score pcs answers.csv -o scores.csv
    """
    from nociomics.knowledge.value_set import load_value_set

    known = _definition(instrument)
    require_suffix(output)
    if value_set is not None:
        load_value_set(value_set)
    scores, remarks = _scores(responses, known, value_set)
    write_stream(scores, output)
    for remark in remarks:
        typer.echo(remark.message, err=True)


def _definition(instrument: str) -> Instrument:
    from nociomics.harmonise.instrument_scores import require_examples
    from nociomics.knowledge.instrument import load_instrument
    from nociomics.knowledge.instrument_file import load_instrument_file

    if not instrument.endswith((".yaml", ".yml")):
        return load_instrument(instrument)
    return require_examples(load_instrument_file(Path(instrument)))


def _scores(path: Path, known: Instrument, value_set: str | None) -> tuple[pl.LazyFrame, list[Finding]]:
    """Score a long table in memory, a wide one as a stream where the file allows it."""
    import polars as pl

    from nociomics.harmonise.instrument_scores import score_table
    from nociomics.ingest.answer_scan import answer_scans, column_names
    from nociomics.ingest.single_files import read_any_table
    from nociomics.ingest.study_tables import require_sound

    if "item" not in column_names(path):
        for scanned in answer_scans(path):
            try:
                return _wide_scores(scanned, known, value_set, path)
            except pl.exceptions.PolarsError:
                continue  # the file does not fit this way of reading; the last way says what is wrong with it
    raw, findings = read_any_table(path)
    require_sound(findings)
    assert raw is not None
    if "item" not in raw.columns:
        return _wide_scores(raw.lazy(), known, value_set, path)
    require_columns(raw, ("patient_id", "item", "response"), path)
    scores, remarks = score_table(raw, known, value_set)
    return scores.lazy(), remarks


def _wide_scores(
    frame: pl.LazyFrame, known: Instrument, value_set: str | None, path: Path
) -> tuple[pl.LazyFrame, list[Finding]]:
    import polars as pl

    from nociomics.harmonise.wide_scores import checked_answers, long_scores, wide_answers

    require_columns(pl.DataFrame(schema=frame.collect_schema()), ("patient_id",), path)
    answers, remarks = checked_answers(wide_answers(frame, {known.id: known}))
    return long_scores(answers, value_set), remarks


def require_columns(raw: pl.DataFrame, needed: tuple[str, ...], path: Path) -> None:
    """Raise `TableError` when a table lacks a column, with the nearest name that it has."""
    from nociomics.errors import TableError, did_you_mean

    missing = [name for name in needed if name not in raw.columns]
    if missing:
        near = "".join(did_you_mean(name, raw.columns) for name in missing)
        raise TableError(f"{path}: has no column {', '.join(missing)}.{near} Needed are {', '.join(needed)}.")


def require_suffix(output: Path) -> None:
    """Raise `TableError` when a table is to be written in an unknown format."""
    from nociomics.errors import TableError

    if output.suffix not in (".csv", ".parquet"):
        raise TableError(f'{output}: ends in "{output.suffix}"; give a name that ends in .csv or .parquet.')


def write_stream(frame: pl.LazyFrame, output: Path) -> None:
    """Write a table of any size as CSV or Parquet by its suffix, whole or not at all."""
    import polars as pl

    from nociomics.tables.files import written_whole

    with written_whole(output) as draft:
        try:
            if output.suffix == ".csv":
                frame.sink_csv(draft, engine="streaming")
            else:
                frame.sink_parquet(draft, engine="streaming")
        except pl.exceptions.ComputeError as error:  # how polars passes on a full disk
            raise OSError(str(error).splitlines()[0]) from error


def write_frame(frame: pl.DataFrame, output: Path) -> None:
    """Write a table as CSV or Parquet by its suffix, whole or not at all."""
    require_suffix(output)
    write_stream(frame.lazy(), output)
