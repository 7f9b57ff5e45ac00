"""Read measured analytes, long or wide, with their units and detection limits; nothing is converted here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.leak_guard import before_treatment
from nociomics.ingest.notes import HIDDEN, Notes, listed, place
from nociomics.ingest.people import ID, matched
from nociomics.ingest.sources import BASELINE, measured_at, read_source
from nociomics.ingest.values import number_column, yes_no_column
from nociomics.knowledge.biomarker import Biomarker, find_biomarker, load_biomarkers, normalise_unit
from nociomics.tables.study import TableSource

_ABOUT = ("below_lod", "lod", "plate", "specimen", "collected_at")
_TEXTS = ("plate", "specimen", "collected_at")
_BELOW = r"^\s*(<=?|≤)\s*"
_COLUMNS = [ID, "analyte", "value", "unit", "below_lod", "lod", *_TEXTS]


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
        if frame is None:
            continue
        measurements = _measurements(frame, source, notes)
        if measurements is None:
            continue
        frames.append(before_treatment(_at_baseline(measurements, source, notes), treatments, notes))
    if not frames:
        return None
    whole = matched(pl.concat(frames, how="diagonal_relaxed"), people, notes)
    whole = _known_units(_known_analytes(whole, notes), notes)
    return _detected(whole, notes).select(_COLUMNS)


def _measurements(frame: pl.DataFrame, source: TableSource, notes: Notes) -> pl.DataFrame | None:
    """Bring a file to one row per measurement, with every optional column present as text."""
    wide = source.layout == "wide" or (source.layout is None and not {"analyte", "value"} & set(frame.columns))
    long = _unpivoted(frame, source) if wide else frame
    lacking = [name for name in ("analyte", "value") if name not in long.columns]
    for name in lacking:
        known = [known for known in frame.columns if known not in HIDDEN]
        notes.fatal(f'{place(frame)}: has no column "{name}".{did_you_mean(name, known)}', column=name)
    if lacking:
        return None
    if "unit" not in long.columns:
        long = long.with_columns(_unit_from_source(source))
    absent = [pl.lit(None, pl.String).alias(name) for name in _ABOUT if name not in long.columns]
    return long.with_columns(absent).select(*HIDDEN, ID, "analyte", "value", "unit", *_ABOUT)


def _unpivoted(frame: pl.DataFrame, source: TableSource) -> pl.DataFrame:
    about = [name for name in (*HIDDEN, ID, *_TEXTS, "batch") if name in frame.columns]
    long = frame.unpivot(index=about, variable_name="__analyte", value_name="__value")
    long = long.rename({"__analyte": "analyte", "__value": "value"})
    features = {biomarker.feature_name: biomarker.base_unit for biomarker in load_biomarkers().values()}
    own = pl.col("analyte").replace_strict(features, default=None, return_dtype=pl.String)
    return long.with_columns(_unit_from_source(source)).with_columns(pl.coalesce("unit", own).alias("unit"))


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
    """Replace each name by the analyte's id; unknown names are fatal, one finding each."""
    notes.rows("fatal", frame, frame["analyte"].is_null(), "name no analyte.", column="analyte")
    named = frame.filter(pl.col("analyte").is_not_null())
    pairs = named.select("analyte", "specimen").unique(maintain_order=True)
    found = [_analyte(analyte, specimen) for analyte, specimen in pairs.iter_rows()]
    pairs = pairs.with_columns(pl.Series("id", found, dtype=pl.String))
    joined = named.join(pairs, on=["analyte", "specimen"], how="left", nulls_equal=True, maintain_order="left")
    _note_unknown_analytes(joined, notes)
    return joined.filter(pl.col("id").is_not_null()).with_columns(pl.col("id").alias("analyte")).drop("id")


def _analyte(name: str, specimen: str | None) -> str | None:
    biomarker = find_biomarker(name, specimen)
    if biomarker is not None:
        return biomarker.id
    by_feature = {biomarker.feature_name: biomarker.id for biomarker in load_biomarkers().values()}
    return by_feature.get(name)


def _note_unknown_analytes(frame: pl.DataFrame, notes: Notes) -> None:
    known = load_biomarkers()
    words = [*known, *(biomarker.name for biomarker in known.values())]
    names = frame.filter(pl.col("id").is_null())["analyte"].unique(maintain_order=True).to_list()
    for name in names[:10]:
        what = (
            f'name the analyte "{name}", which is not known.{did_you_mean(name, words)} '
            f"Known: {listed(sorted(known), 60)}. Rename it, drop it, or give it as a block."
        )
        notes.rows("fatal", frame, frame["analyte"] == name, what, column="analyte")
    if len(names) > 10:
        notes.fatal(f"{len(names) - 10} further analytes are not known.", column="analyte", count=len(names) - 10)


def _known_units(frame: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    """Note units that cannot be converted for their analyte; return the rows with a usable unit."""
    notes.rows(
        "fatal", frame, frame["unit"].is_null(), "have no unit. Complete the column, or give unit: here.", column="unit"
    )
    frame = frame.filter(pl.col("unit").is_not_null())
    pairs = frame.select("analyte", "unit").unique(maintain_order=True)
    usable = [load_biomarkers()[analyte].factor(unit) is not None for analyte, unit in pairs.iter_rows()]
    pairs = pairs.with_columns(pl.Series("usable", usable, dtype=pl.Boolean))
    for analyte, unit in pairs.filter(~pl.col("usable")).select("analyte", "unit").head(10).iter_rows():
        wrong = (frame["analyte"] == analyte) & (frame["unit"] == unit)
        notes.rows("fatal", frame, wrong, _unit_words(load_biomarkers()[analyte], unit), column="unit")
    further = int((~pairs["usable"]).sum()) - 10
    if further > 0:
        notes.fatal(f"{further} further pairs of analyte and unit are not known.", column="unit", count=further)
    joined = frame.join(pairs, on=["analyte", "unit"], how="left", maintain_order="left")
    return joined.filter("usable").drop("usable")


def _unit_words(biomarker: Biomarker, unit: str) -> str:
    known = list(biomarker.factors)
    near = did_you_mean(normalise_unit(unit), known)
    return f'have the unit "{unit}", unknown for {biomarker.id}.{near} Known: {listed(known, 20)}. Correct the file.'


def _detected(frame: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    """Read values and limits: ``<0.4`` is a non-detect whose value and limit are 0.4."""
    marked = frame["value"].str.contains(_BELOW).fill_null(False)
    bare = frame.with_columns(pl.col("value").str.replace(_BELOW, ""))
    value, lod = number_column(bare, "value", notes), number_column(bare, "lod", notes)
    flagged = yes_no_column(frame, "below_lod", notes).fill_null(False)
    read = bare.with_columns(value, lod, (flagged | marked).alias("below_lod")).with_columns(
        pl.when(marked).then(pl.col("value")).otherwise(pl.col("lod")).alias("lod")
    )
    read = read.with_columns(
        pl.when("below_lod").then(pl.coalesce("lod", "value")).otherwise(pl.col("value")).alias("value"),
        pl.when("below_lod").then(pl.coalesce("lod", "value")).otherwise(pl.col("lod")).alias("lod"),
    )
    negative = (read["value"] < 0) | (read["lod"] < 0)
    notes.rows("fatal", read, negative, "are below zero, which no amount can be. Correct them.", column="value")
    unknown = read["below_lod"] & read["value"].is_null()
    notes.rows("warning", read, unknown, "are below a detection limit that is not given.", column="lod")
    return read.filter(~negative.fill_null(False))
