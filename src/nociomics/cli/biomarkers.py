"""Convert one table of biomarkers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import polars as pl

_NEEDED = ("patient_id", "analyte", "value", "unit")
_ROWS_PER_GROUP = 100_000  # a small row group keeps the memory of a large table low


def biomarkers(
    table: Annotated[Path, typer.Argument(help="long table: patient_id, analyte, value, unit, ...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="converted table to write (.csv or .parquet)")],
) -> None:
    """Bring analytes to their base units and mark non-detects; row order is kept.

    A row that cannot be converted keeps its place, with a status that says why and no value; the command
    still ends well. Optional columns: below_lod, lod, specimen, plate, target_unit, standard.

    Example: nociomics biomarkers cytokines.csv -o converted.csv
    """
    from nociomics.harmonise.units import OUTPUT, converted_rows, table_findings, typed_rows, unit_traits

    raw = _opened(table)
    rows = typed_rows(raw)
    traits = unit_traits(rows)
    _write_rows(converted_rows(rows, traits, keep_names=True).select(OUTPUT), output)
    for remark in table_findings(rows, _written(output), traits):
        typer.echo(f"{remark.severity}: {remark.message}", err=True)


def _opened(path: Path) -> pl.LazyFrame:
    """Open a table of any format; Parquet, which may be larger than the memory, is only read in pieces."""
    import polars as pl

    from nociomics.cli.instruments import require_columns
    from nociomics.ingest.single_files import read_any_table
    from nociomics.ingest.study_tables import require_sound

    if _is_parquet(path):
        rows = pl.scan_parquet(path)
        require_columns(pl.DataFrame(schema=rows.collect_schema()), _NEEDED, path)
        return rows.with_columns(pl.col("patient_id").cast(pl.String))
    raw, findings = read_any_table(path)
    require_sound(findings)
    assert raw is not None
    require_columns(raw, _NEEDED, path)
    return raw.lazy()


def _is_parquet(path: Path) -> bool:
    """Whether a file begins and ends as Parquet does; others are looked at by the ordinary reader."""
    if not path.is_file() or path.stat().st_size < 8:
        return False
    with path.open("rb") as handle:
        start = handle.read(4)
        handle.seek(-4, 2)
        return start == handle.read(4) == b"PAR1"


def _write_rows(rows: pl.LazyFrame, output: Path) -> None:
    """Write rows piece by piece as CSV or Parquet by the suffix, whole or not at all."""
    import polars as pl

    from nociomics.errors import TableError
    from nociomics.tables.files import written_whole

    if output.suffix not in (".csv", ".parquet"):
        raise TableError(f'{output}: ends in "{output.suffix}"; give a name that ends in .csv or .parquet.')
    with written_whole(output) as draft:
        try:
            if output.suffix == ".csv":
                rows.sink_csv(draft)
            else:
                rows.sink_parquet(draft, row_group_size=_ROWS_PER_GROUP)
        except pl.exceptions.ComputeError as error:  # how polars passes on a full disk
            raise OSError(str(error).splitlines()[0]) from error


def _written(output: Path) -> pl.LazyFrame:
    import polars as pl

    if output.suffix == ".parquet":
        return pl.scan_parquet(output)
    return pl.scan_csv(output, infer_schema=False)
