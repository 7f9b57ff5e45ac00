"""Read measured analytes, long or wide, with their units and detection limits; nothing is converted here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.leak_guard import before_treatment
from nociomics.ingest.notes import FILE, HIDDEN, Notes, listed, place
from nociomics.ingest.people import ID, matched
from nociomics.ingest.sources import BASELINE, measured_at, read_source
from nociomics.ingest.values import number_column, with_decimal_points, yes_no_column
from nociomics.knowledge.biomarker import Biomarker, load_biomarkers, meaning_of
from nociomics.knowledge.reported_value import read_amounts, with_limits, without_sign
from nociomics.knowledge.specimen import specimen_of
from nociomics.knowledge.unit import normalise_unit
from nociomics.tables.ingested import BIOMARKERS
from nociomics.tables.study import TableSource

_TEXTS = ("plate", "specimen", "collected_at", "standard")
_ABOUT = ("below_lod", "lod", "minutes_since_waking", *_TEXTS)
_PER_ROW = (*_TEXTS, "minutes_since_waking", "batch", "unit")
_SHOWN = 10


def read_biomarkers(
    sources: Sequence[TableSource],
    root: Path,
    people: pl.Series | None,
    treatments: pl.DataFrame | None,
    notes: Notes,
) -> pl.DataFrame | None:
    """Read every file of measured analytes.

    Parameters
    ----------
    people : Series of String or None
        Ids of the study.
    treatments : DataFrame or None
        For the start of treatment, where samples have ``collected_at``.

    Returns
    -------
    DataFrame or None, one row per measurement
        As in the contract ``BIOMARKERS``; rows with a fatal finding are left out.
    """
    frames = []
    for source in sources:
        frame = read_source(source, root, notes)
        measurements = None if frame is None else _measurements(frame, source, notes)
        if measurements is None:
            continue
        notes.step(source.path, "read", measurements.height, measurements.height, "one row per measurement")
        here = before_treatment(_at_baseline(measurements, source, notes), treatments, notes)
        notes.step(source.path, "left out", measurements.height, here.height, "only measurements before treatment")
        frames.append(here)
    if not frames:
        return None
    read = pl.concat(frames, how="diagonal_relaxed")
    whole = matched(read, people, notes)
    notes.step(None, "matched", read.height, whole.height, "ids of the table patients")
    known = _known_units(_known_analytes(whole, notes), notes)
    found = _detected(known, notes)
    notes.step(None, "left out", whole.height, found.height, "analytes, units and values that can be used")
    _note_origins(found, notes)
    return found.select(column.name for column in BIOMARKERS.columns if column.name in found.columns)


def _measurements(frame: pl.DataFrame, source: TableSource, notes: Notes) -> pl.DataFrame | None:
    """Bring a file to one row per measurement, with every optional column present as text."""
    wide = source.layout == "wide" or (source.layout is None and not {"analyte", "value"} & set(frame.columns))
    long = _unpivoted(frame) if wide else frame.with_columns(pl.lit("value").alias("__column"))
    lacking = [name for name in ("analyte", "value") if name not in long.columns]
    for name in lacking:
        known = [known for known in frame.columns if known not in HIDDEN]
        notes.fatal(f'{place(frame)}: has no column "{name}".{did_you_mean(name, known)}', column=name)
    if lacking:
        return None
    if "unit" not in long.columns:
        long = long.with_columns(_unit_from_source(source))
    absent = [pl.lit(None, pl.String).alias(name) for name in _ABOUT if name not in long.columns]
    return long.with_columns(absent).select(*HIDDEN, ID, "analyte", "value", "unit", "__column", *_ABOUT)


def _unpivoted(frame: pl.DataFrame) -> pl.DataFrame:
    """Turn one column per analyte into rows; a unit in the column's name is read later, with the name."""
    about = [name for name in (*HIDDEN, ID, *_PER_ROW) if name in frame.columns]
    long = frame.unpivot(index=about, variable_name="__analyte", value_name="__value")
    return long.rename({"__analyte": "analyte", "__value": "value"}).with_columns(pl.col("analyte").alias("__column"))


def _unit_from_source(source: TableSource) -> pl.Expr:
    if isinstance(source.unit, dict):
        default = source.unit.get("default")
        return pl.col("analyte").replace_strict(source.unit, default=default, return_dtype=pl.String).alias("unit")
    return pl.lit(source.unit, pl.String).alias("unit")


def _at_baseline(frame: pl.DataFrame, source: TableSource, notes: Notes) -> pl.DataFrame:
    names = frame["analyte"].drop_nulls().unique().to_list()
    later = [name for name in names if measured_at(source, name)[0] != BASELINE]
    out = frame["analyte"].is_in(later)
    notes.rows("info", frame, out, "were not measured at baseline and do not become features.", column="analyte")
    return frame.filter(~out.fill_null(False))


def _known_analytes(frame: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    """Replace each name by the analyte's id, and take the unit and the standard that a name holds."""
    notes.rows("fatal", frame, frame["analyte"].is_null(), "name no analyte.", column="analyte")
    named = frame.filter(pl.col("analyte").is_not_null())
    pairs = named.select("analyte", "specimen").unique(maintain_order=True)
    found = [meaning_of(analyte, specimen) for analyte, specimen in pairs.iter_rows()]
    pairs = pairs.with_columns(
        pl.Series("id", [one.marker.id if one.marker else None for one in found], dtype=pl.String),
        pl.Series("own_unit", [one.unit for one in found], dtype=pl.String),
        pl.Series("own_standard", [one.standard for one in found], dtype=pl.String),
        pl.Series("problem", [one.problem for one in found], dtype=pl.String),
        pl.Series("open", [not one.specimen_known for one in found], dtype=pl.Boolean),
    )
    joined = named.join(pairs, on=["analyte", "specimen"], how="left", nulls_equal=True, maintain_order="left")
    _note_unknown_analytes(joined, notes)
    _note_specimens(joined, notes)
    _note_own_units(joined, notes)
    whole = joined.filter(pl.col("id").is_not_null()).with_columns(
        pl.col("id").alias("analyte"), pl.coalesce("unit", "own_unit"), pl.coalesce("standard", "own_standard")
    )
    return whole.drop("id", "problem", "open", "own_standard")


def _note_unknown_analytes(frame: pl.DataFrame, notes: Notes) -> None:
    known = load_biomarkers()
    words = [*known, *(biomarker.name for biomarker in known.values())]
    refused = frame.filter(pl.col("id").is_null())
    pairs = refused.select("analyte", "problem").unique(maintain_order=True)
    for name, problem in pairs.head(_SHOWN).iter_rows():
        wrong = (frame["analyte"] == name) & (frame["problem"] == problem)
        if problem == "unknown analyte":
            near = did_you_mean(name.lower(), words)
            what = f'name the analyte "{name}", which is not known.{near} Known: {listed(sorted(known), 60)}.'
        else:
            what = f'name the analyte "{name}" in a specimen that it is not known in: {problem}.'
        notes.rows("fatal", frame, wrong, f"{what} Rename it, drop it, or give it as a block.", column="analyte")
    if pairs.height > _SHOWN:
        further = refused.join(pairs.slice(_SHOWN), on=["analyte", "problem"], how="semi")
        text = f"{place(further, 'analyte')}: {pairs.height - _SHOWN} further analytes are not known."
        notes.fatal(text, column="analyte", count=further.height)


def _note_specimens(frame: pl.DataFrame, notes: Notes) -> None:
    """Warn where the specimen matters and is not stated, and of words that are not understood."""
    words = frame["specimen"].unique().drop_nulls().to_list()
    odd = [word for word in words if specimen_of(word) is None]
    what = "hold a specimen that is not understood (such as serum, EDTA plasma, saliva, hair) and count as not stated."
    notes.rows("warning", frame, frame["specimen"].is_in(odd), what, column="specimen")
    notes.rows(
        "warning",
        frame,
        frame["open"],
        "are of BDNF or cortisol without a stated specimen. Specimens differ manyfold: these values become a feature "
        "of their own, apart from serum, plasma, saliva and hair. Add a column specimen.",
        column="specimen",
    )


def _note_own_units(frame: pl.DataFrame, notes: Notes) -> None:
    """Say which units were taken from names, and refuse names that contradict the unit given."""
    taken = frame.filter(pl.col("unit").is_null() & pl.col("own_unit").is_not_null() & pl.col("id").is_not_null())
    pairs = taken.select("id", "own_unit").unique(maintain_order=True)
    if taken.height:
        said = listed([f"{analyte} {unit}" for analyte, unit in pairs.iter_rows()])
        text = f"{place(taken)}: units were taken from the names of the analytes: {said}."
        notes.info(text, column="unit", count=taken.height)


def _known_units(frame: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    """Note units that cannot be converted for their analyte; return the rows with a usable unit."""
    notes.rows(
        "fatal",
        frame,
        frame["unit"].is_null(),
        "have no unit. Complete the column, write it into the column's name (il6_pg_per_ml), or give unit: here.",
        column="unit",
    )
    frame = frame.filter(pl.col("unit").is_not_null())
    keys = ["analyte", "unit", "standard", "own_unit"]
    pairs = frame.select(keys).unique(maintain_order=True)
    problems = [_unit_problem(*pair) for pair in pairs.iter_rows()]
    pairs = pairs.with_columns(pl.Series("problem", problems, dtype=pl.String))
    joined = frame.join(pairs, on=keys, how="left", nulls_equal=True, maintain_order="left")
    wrong = joined["problem"].drop_nulls().unique(maintain_order=True).to_list()
    for problem in wrong[:_SHOWN]:
        notes.rows("fatal", joined, joined["problem"] == problem, problem, column="unit")
    if len(wrong) > _SHOWN:
        further = joined.filter(pl.col("problem").is_in(wrong[_SHOWN:]))
        text = f"{place(further, 'unit')}: {len(wrong) - _SHOWN} further pairs of analyte and unit are not known."
        notes.fatal(text, column="unit", count=further.height)
    return joined.filter(pl.col("problem").is_null()).drop("problem", "own_unit")


def _unit_problem(analyte: str, unit: str, standard: str | None, own_unit: str | None) -> str | None:
    biomarker = load_biomarkers()[analyte]
    factor = biomarker.factor(unit, standard)
    if factor is None:
        return _unit_words(biomarker, unit)
    if own_unit is not None and factor != biomarker.factor(own_unit, standard):
        return f'have the unit "{unit}", but the name of {analyte} says "{own_unit}". Correct one of them.'
    return None


def _unit_words(biomarker: Biomarker, unit: str) -> str:
    if "IU" in normalise_unit(unit):
        named = listed(list(biomarker.standards)) or "none is known for this analyte"
        return f'have "{unit}" for {biomarker.id}: add a column "standard" with the WHO standard ({named}).'
    known = list(biomarker.factors)
    near = did_you_mean(normalise_unit(unit), known)
    return f'have the unit "{unit}", unknown for {biomarker.id}.{near} Known: {listed(known, 20)}. Correct the file.'


def _detected(frame: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    """Read values and limits: ``<0.4`` is a non-detect whose value and limit are 0.4."""
    value, lod = _amounts(frame, "value", notes), _amounts(frame, "lod", notes)
    read = frame.with_columns(
        value["number"].alias("value"),
        lod["number"].alias("lod"),
        value["below"].alias("marked"),
        value["above"].alias("above_limit"),
        yes_no_column(frame, "below_lod", notes),
        number_column(frame, "minutes_since_waking", notes),
    )
    _note_limits(read, notes)
    least = {marker.id: marker.plausible_low for marker in load_biomarkers().values()}
    may_fall = read["analyte"].is_in([name for name, low in least.items() if low < 0])
    negative = ((read["value"] < 0) | (read["lod"] < 0)) & ~may_fall
    notes.rows("fatal", read, negative, "are below zero, which no amount can be. Correct them.", column="value")
    settled = read.with_columns(with_limits())
    unknown = settled["below_lod"] & settled["value"].is_null()
    notes.rows("warning", settled, unknown, "are below a detection limit that is not given.", column="lod")
    return settled.filter(~negative.fill_null(False))


def _amounts(frame: pl.DataFrame, column: str, notes: Notes) -> pl.DataFrame:
    """Read a column of amounts; text that is none is a fatal finding, decimal commas are read as points."""
    read = read_amounts(frame[column])
    if not read["unreadable"].any():
        return read
    bare = without_sign(frame[column])
    number_column(frame.with_columns(bare), column, notes)
    if with_decimal_points(bare) is None:
        return read
    return read_amounts(frame[column].str.replace(",", ".", literal=True))


def _note_limits(read: pl.DataFrame, notes: Notes) -> None:
    """Say which values contradict their limit, lie above the assay, or are nothing at all."""
    smaller = ~read["marked"] & (read["value"] < read["lod"])
    notes.rows(
        "info",
        read,
        smaller & read["below_lod"].is_null(),
        "lie below their own limit of detection and are taken as non-detects.",
        column="value",
    )
    notes.rows(
        "warning",
        read,
        smaller & (read["below_lod"] == False),  # noqa: E712
        "lie below their own limit of detection, but below_lod says no; they stay as they are.",
        column="below_lod",
    )
    notes.rows(
        "warning",
        read,
        read["above_limit"],
        "lie above the upper limit of the assay; the limit is taken as the value, and the true value is higher.",
        column="value",
    )
    silent = (read["value"] == 0) & ~read["marked"] & ~read["below_lod"].fill_null(False) & read["lod"].is_null()
    silent &= ~read["analyte"].is_in(["esr", "cortisol_car"])
    what = "are 0 without a limit: no assay measures nothing. Mark non-detects as <limit, or give below_lod and lod."
    notes.rows("warning", read, silent, what, column="value")


def _note_origins(found: pl.DataFrame, notes: Notes) -> None:
    pairs = found.select("analyte", FILE, "__column").unique(maintain_order=True)
    for analyte, file, column in pairs.iter_rows():
        notes.came_from("biomarkers", analyte, file, column)
