"""From the JSON of a request to features: raw tables the way that files go, or a harmonised row as it is."""

from __future__ import annotations

import contextlib
import math
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import ValidationError

from nociomics.errors import did_you_mean
from nociomics.export.input_tables import RowsTable, columns_of
from nociomics.preparation import Prepared, read_new_people
from nociomics.service.limits import Limits
from nociomics.service.refusal import Refusal
from nociomics.tables.study import Study

ID = "patient_id"
TABLES = (
    "patients",
    "genotype",
    "diplotypes",
    "expression",
    "biomarkers",
    "questionnaires",
    "treatments",
    "treatment_history",
    "outcomes",
)
SAMPLES = "expression_samples"
_OPTIONS = (
    "columns",
    "keep",
    "drop",
    "missing",
    "values_map",
    "layout",
    "decimal",
    "as_text",
    "visits",
    "unit",
    "names_from",
    "values_from",
    "measured_at",
    "transform",
    "lod_from",
    "within",
    "value_set",
    "values",
    "normalise",
    "build",
)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_LONGEST_NAME = 256
_FEWEST_BYTES = 4  # of a cell with its name: `"":0`
# each column of these is looked at for itself, a millisecond each
_NARROW = ("patients", "diplotypes", "biomarkers", "questionnaires", "treatments", "treatment_history", "outcomes")
_MOST_COLUMNS = 2_000
_ROOMY = "/dev/shm"


def tables_of(body: Mapping[str, Any], limits: Limits) -> tuple[Study, dict[str, pl.DataFrame]]:
    """Read the tables of a request: the study that describes them, and each table as text columns.

    A table is a list of rows, or an object with ``rows`` and how to understand them (``unit``, ``columns``,
    ``missing``, ``values``, ... as in a study file). Nothing that names a file is allowed.

    Raises
    ------
    Refusal
        With the table and the column, never a value.
    """
    tables = body.get("tables")
    if not isinstance(tables, dict) or "patients" not in tables:
        raise Refusal(422, "no_patients", 'Send {"tables": {"patients": [{"patient_id": ...}, ...], ...}}.')
    frames: dict[str, pl.DataFrame] = {}
    sources: dict[str, Any] = {}
    for name, given in tables.items():
        if name == "blocks":
            sources["blocks"] = [_block(one, rows, frames, limits) for one, rows in _named(given, name).items()]
        elif name in TABLES:
            options = _options(given, name)
            frames[name] = _frame(options.pop("rows"), name, limits)
            sources[name] = {"path": name, **options}
        elif name == SAMPLES:
            frames[name] = _frame(_options(given, name)["rows"], name, limits)
        else:
            known = (*TABLES, SAMPLES, "blocks")
            raise Refusal(
                422, "unknown_table", f"A table has a name that is not known. Known: {', '.join(known)}."
                f"{did_you_mean(name, known)}"
            )  # fmt: skip
    if SAMPLES in frames and "expression" in sources:
        sources["expression"]["samples"] = SAMPLES
    if frames["patients"].height > limits.rows:
        raise _too_many(limits)
    return _study(sources), frames


def _study(sources: dict[str, Any]) -> Study:
    try:
        return Study(study="request", tables=sources)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Refusal(422, "bad_table_option", f"{place}: {first['msg']}.") from None


def _named(given: Any, name: str) -> dict[str, Any]:
    if not isinstance(given, dict) or not all(_NAME.fullmatch(one) for one in given):
        raise Refusal(422, "bad_blocks", f'{name}: must be an object of tables, such as {{"proteins": [...]}}.')
    return given


def _block(name: str, given: Any, frames: dict[str, pl.DataFrame], limits: Limits) -> dict[str, Any]:
    options = _options(given, name)
    frames[f"block_{name}"] = _frame(options.pop("rows"), name, limits)
    return {"name": name, "path": f"block_{name}", **options}


def _options(given: Any, name: str) -> dict[str, Any]:
    options = {"rows": given} if isinstance(given, list) else given
    if not isinstance(options, dict) or not isinstance(options.get("rows"), list):
        raise Refusal(422, "no_rows", f'{name}: must be a list of rows, or an object with "rows".')
    if set(options) - {"rows", *_OPTIONS}:
        raise Refusal(
            422, "bad_table_option", f"{name}: has a key that a request may not set. Allowed: {', '.join(_OPTIONS)}."
        )
    return dict(options)


def _frame(rows: Any, name: str, limits: Limits) -> pl.DataFrame:
    """Lay rows out as text; a value that is neither text, number, yes/no nor null is refused."""
    if len(rows) > limits.cells:
        raise _too_many(limits)
    columns = _columns(rows, name)
    if not columns:
        raise Refusal(422, "no_rows", f"{name}: has no rows with columns.")
    _require_laid_out(len(rows), len(columns), name, limits)
    data: dict[str, pl.Series] = {}
    for column in columns:
        cells = [_text(row.get(column), name, column) for row in rows]
        try:
            data[column] = pl.Series(column, cells, dtype=pl.String)
        except (UnicodeEncodeError, pl.exceptions.PolarsError):
            raise Refusal(422, "bad_value", f'{name}, column "{column}": holds text that is no Unicode.') from None
    return pl.DataFrame(data)


def _require_laid_out(rows: int, columns: int, name: str, limits: Limits) -> None:
    """Refuse rows of which each names other columns: laid out they would be many times what was sent."""
    if rows * columns > limits.body_bytes // _FEWEST_BYTES:
        raise Refusal(
            413, "too_many_cells",
            f"{name}: {rows} rows with {columns} different columns. Give all rows the same columns, or send fewer.",
        )  # fmt: skip
    if columns > _MOST_COLUMNS and name in _NARROW:
        raise Refusal(413, "too_many_columns", f"{name}: {columns} columns; at most {_MOST_COLUMNS} are read.")


def _columns(rows: list[Any], name: str, known: Collection[str] = ()) -> list[str]:
    if not all(isinstance(row, dict) for row in rows):
        raise Refusal(422, "bad_row", f"{name}: every row must be an object of column and value.")
    columns = columns_of(rows)
    _require_names(columns, name, known)
    return columns


def _require_names(columns: Sequence[str], name: str, known: Collection[str]) -> None:
    for column in set(columns).difference(known):
        if not column.strip() or not column.isprintable() or len(column) > _LONGEST_NAME:
            raise Refusal(422, "bad_column", f"{name}: a column has no usable name.")


def _text(value: Any, name: str, column: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    what = "a number beyond all floats" if isinstance(value, float) else "an object or a list"
    raise Refusal(422, "bad_value", f'{name}, column "{column}": holds {what}. Send text, a number, or null.')


def _too_many(limits: Limits) -> Refusal:
    return Refusal(413, "too_many_rows", f"More than {limits.rows} people in one request. Send several requests.")


def prepared_people(body: Mapping[str, Any], limits: Limits, wanted_variants: Sequence[str]) -> Prepared:
    """Read, score and convert the raw tables of a request as `nociomics predict` does with files.

    The tables are laid into a folder that only this process can read, in memory where the machine has such a place,
    and are gone before the answer.
    """
    study, frames = tables_of(body, limits)
    with folder_of(frames) as folder:
        return read_new_people(study, folder, wanted_variants)


@contextlib.contextmanager
def folder_of(frames: Mapping[str, pl.DataFrame]) -> Iterator[Path]:
    """Lay tables into a folder of this process alone, in memory where there is such a place, and take it away again."""
    place = _ROOMY if Path(_ROOMY).is_dir() else None
    with tempfile.TemporaryDirectory(prefix="nociomics-request-", dir=place) as folder:
        for name, frame in frames.items():
            frame.write_parquet(Path(folder) / name, compression="uncompressed", statistics=False)
        yield Path(folder)


def harmonised_rows(body: Mapping[str, Any], limits: Limits, known: Collection[str] = ()) -> RowsTable:
    """Read harmonised rows: features under their own names and units, as the schema of the model lists them.

    What is no number or no category is for the gate to say, person by person; here only what no table can hold is
    refused. People without any ``patient_id`` are numbered.

    Raises
    ------
    Refusal
        With what is wrong, never a value.
    """
    rows, columns = body["rows"], None
    if isinstance(rows, dict):
        rows, columns = _in_one_order(rows)
    if not isinstance(rows, list) or not rows:
        raise Refusal(422, "no_rows", 'Send {"rows": [{"patient_id": ..., "<feature>": ...}, ...]}.')
    if len(rows) > limits.rows:
        raise _too_many(limits)
    if columns is None:
        columns = _columns(rows, "rows", known)
    else:
        _require_names(columns, "rows", known)
    if ID not in columns:
        columns, rows = [ID, *columns], [_numbered(row, number) for number, row in enumerate(rows, start=1)]
    key: Any = columns.index(ID) if isinstance(rows[0], list) else ID
    for row in rows:  # ours alone: parsed from this request
        given = row[key] if isinstance(row, list) else row.get(key)
        if type(given) is not str:
            row[key] = _text(given, "rows", ID)
    return RowsTable(rows, columns)


def _in_one_order(given: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """Read rows whose names are told once: ``{"columns": [...], "data": [[...], ...]}``."""
    columns, rows = given.get("columns"), given.get("data")
    if set(given) != {"columns", "data"} or not isinstance(columns, list) or not isinstance(rows, list):
        raise Refusal(422, "bad_rows", 'rows: as an object it has "columns" (names) and "data" (a list per person).')
    if not all(isinstance(name, str) for name in columns) or len(set(columns)) != len(columns):
        raise Refusal(422, "bad_column", "rows: every column needs a name of its own.")
    odd = sum(not isinstance(row, list) or len(row) != len(columns) for row in rows)
    if odd:
        raise Refusal(422, "bad_row", f"rows: {odd} of {len(rows)} rows of data are no lists of {len(columns)} values.")
    return rows, columns


def _numbered(row: Any, number: int) -> Any:
    return [str(number), *row] if isinstance(row, list) else {ID: str(number), **row}
