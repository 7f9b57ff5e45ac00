"""Read a table of dosages: people in rows and variants in columns, or the other way round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from nociomics.ingest.notes import FILE, HIDDEN, Notes, place
from nociomics.ingest.people import ID, matched, once_each
from nociomics.ingest.sources import described_rows, of_people, open_source
from nociomics.ingest.values import number_columns, parsed_numbers, with_decimal_points
from nociomics.tables.study import TableSource

VARIANT_SCHEMA = {
    "variant": pl.String,
    "chrom": pl.String,
    "pos": pl.Int64,
    "ref": pl.String,
    "alt": pl.String,
    "call_rate": pl.Float64,
    "alt_frequency": pl.Float64,
}
_MOST_FINDINGS = 10
_MOSTLY = 0.5
_BASE_PAIR = r"^[ACGTacgt]\s?[/|]?\s?[ACGTacgt]$"
_RANGE = "lie outside 0 to 2 copies. Correct them; empty where there is no call, or list the word under missing:."
# What describes a variant, by its names in use; the first that the file has is taken.
_DESCRIBING = {
    "variant": ("variant", "rsid", "snp", "id", "marker"),
    "chrom": ("chrom", "#chrom", "chr", "chromosome"),
    "pos": ("pos", "position", "bp"),
    "alt": ("counted", "effect_allele", "alt", "a1"),
    "ref": ("ref", "other_allele", "alt", "a2"),
}
_PASSED_OVER = ("(c)m", "cm")
# Columns before the variants in a table that PLINK exported with people in rows.
_PLINK_COLUMNS = {"FID", "IID", "PAT", "MAT", "SEX", "PHENOTYPE"}


def read_dosage_table(
    source: TableSource, root: Path, people: pl.Series | None, notes: Notes
) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """Read a table of dosages.

    The table has a column ``patient_id`` and one column per variant; or one row per variant, described by any of
    ``variant``, ``rsid``, ``chrom``, ``pos``, ``ref`` and ``alt``, and one column per sample. Which one is found out
    by the columns.

    Parameters
    ----------
    source : TableSource
        Path and description.
    root : Path
        Folder that the path is relative to.
    people : Series of String or None
        Ids of the study.
    notes : Notes
        Takes every problem.

    Returns
    -------
    DataFrame, one row per person
        Hidden columns, ``patient_id`` and one column per variant: copies of the counted allele from 0 to 2, null
        where not called; Int8 where all of them are whole, else Float64.
    DataFrame, one row per variant
        As in the contract ``VARIANTS``; rates and frequencies are those of the study's people.
    None
        In place of both, when the file cannot be used at all.
    """
    frame = open_source(source, root, notes)
    if frame is None:
        return None
    frame = described_rows(frame, source, notes)
    described = _description(frame) if ID not in frame.columns else {}
    if described:
        frame, variants = _people_in_rows(frame, described, source, notes)
    else:
        frame, variants = _without_plink_columns(frame), pl.DataFrame(schema={"variant": pl.String})
    matched_frame = _matched(frame, source, root, people, notes)
    if matched_frame is None:
        return None
    dosages = _sound_dosages(matched_frame, notes)
    notes.info(f"{source.path}: a table of dosages is not searched for bases, so no pharmacogene is called from it.")
    notes.came_from("dosages", "*", source.path)
    return dosages, _variants(dosages, variants)


def _description(frame: pl.DataFrame) -> dict[str, str]:
    """Find the columns that describe a variant, ours to theirs; none for a table with people in rows."""
    lower = {name.lower(): name for name in reversed(frame.columns)}
    found: dict[str, str] = {}
    for ours, words in _DESCRIBING.items():
        for word in words:
            if word in lower and lower[word] not in found.values():
                found[ours] = lower[word]
                break
    is_named = "variant" in found and frame.columns.index(found["variant"]) <= len(found) + len(HIDDEN)
    return found if is_named or {"chrom", "pos"} <= found.keys() else {}


def _without_plink_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """Take the person of a PLINK export (.raw), whose other leading columns are no variants."""
    if ID in frame.columns or not _PLINK_COLUMNS <= set(frame.columns):
        return frame
    return frame.rename({"IID": ID}).drop(_PLINK_COLUMNS - {"IID"})


def _people_in_rows(
    frame: pl.DataFrame, described: dict[str, str], source: TableSource, notes: Notes
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Turn a table with variants in rows: one row per sample, and what the file says of each variant."""
    variants = _described_variants(frame, described, notes)
    first = variants["variant"].is_first_distinct() & variants["variant"].is_not_null()
    notes.rows("warning", frame, variants["variant"].is_duplicated() & ~first, "repeat a variant; the first is kept.")
    frame, variants = frame.filter(first), variants.filter(first)
    gone = (*HIDDEN, *described.values())
    samples = [name for name in frame.columns if name not in gone and name.lower() not in _PASSED_OVER]
    copies = _numbers(frame, samples, notes)
    key = source.samples.sample_id if source.samples is not None else ID
    turned = pl.DataFrame(copies.T, schema=variants["variant"].to_list(), orient="row")
    turned = turned.with_columns(pl.all().fill_nan(None)) if turned.width else turned
    rule = "the file has variants in rows: turned, so that each sample is a row"
    notes.step(source.path, "converted", frame.height, len(samples), rule)
    names = pl.DataFrame({FILE: [source.path] * len(samples), key: samples}, schema={FILE: pl.String, key: pl.String})
    return pl.concat([names, turned], how="horizontal"), variants


def _described_variants(frame: pl.DataFrame, described: dict[str, str], notes: Notes) -> pl.DataFrame:
    given = {ours: pl.col(theirs).str.strip_chars().alias(ours) for ours, theirs in described.items()}
    lacking = [pl.lit(None, pl.String).alias(name) for name in _DESCRIBING if name not in given]
    variants = frame.select(*given.values(), *lacking)
    if "pos" in described:
        number = variants["pos"].str.replace(r"\.0$", "").cast(pl.Int64, strict=False)
        wrong = variants["pos"].is_not_null() & number.is_null()
        notes.rows("fatal", frame, wrong, "have no whole number as position.", column=described["pos"])
        variants = variants.with_columns(number.alias("pos"))
    place = pl.concat_str(pl.col("chrom", "pos", "ref", "alt").cast(pl.String).fill_null("."), separator="_")
    named = pl.col("variant").is_not_null() & (pl.col("variant") != ".")
    placed = pl.when(pl.col("pos").is_not_null() & pl.col("chrom").is_not_null()).then(place)
    variants = variants.with_columns(
        pl.when(named).then("variant").otherwise(placed).alias("variant"), pl.col("pos").cast(pl.Int64)
    )
    notes.rows("fatal", frame, variants["variant"].is_null(), "have neither a name nor a place of the variant.")
    return variants.select("variant", "chrom", "pos", "ref", "alt")


def _numbers(frame: pl.DataFrame, samples: list[str], notes: Notes) -> np.ndarray:
    """Read all cells as numbers, NaN where missing; samples' names are people's, so findings name lines alone."""
    text = frame.select(samples)
    numbers = text.select(parsed_numbers(column) for column in text)
    if numbers.null_count().sum_horizontal().sum() != text.null_count().sum_horizontal().sum():
        pointed = with_decimal_points(pl.concat([column.rename("cell") for column in text]))
        if pointed is not None:
            notes.info(f"{frame[FILE][0]}: decimal commas were read as decimal points.")
            parsed = parsed_numbers(pointed).to_numpy().reshape(len(samples), frame.height).T
            return np.where(np.isnan(parsed), np.nan, parsed)
        lost = [(column.is_not_null() & numbers[column.name].is_null()).to_numpy() for column in text]
        what = "hold text where a number belongs. Correct them, or list the words that mean missing under missing:."
        notes.rows("fatal", frame, pl.Series(np.any(lost, axis=0)), what)
    cells = numbers.to_numpy().astype(np.float64) if samples else np.zeros((frame.height, 0))
    outside = ((cells < 0) | (cells > 2)).any(axis=1)
    notes.rows("fatal", frame, pl.Series(outside), _RANGE)
    return np.where((cells < 0) | (cells > 2), np.nan, cells)


def _matched(
    frame: pl.DataFrame, source: TableSource, root: Path, people: pl.Series | None, notes: Notes
) -> pl.DataFrame | None:
    known = of_people(frame, source, root, notes)
    return None if known is None else matched(once_each(known, notes), people, notes)


def _sound_dosages(frame: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    """Turn text into numbers; a column with one outside 0 to 2 is a finding and left out."""
    names = [name for name in frame.columns if name not in (ID, *HIDDEN)]
    frame, names = _without_letters(frame, names, notes)
    frame = number_columns(frame, [name for name in names if frame[name].dtype == pl.String], notes)
    within = frame.select(pl.col(names).is_between(0, 2).all()).row(0) if names else ()
    wrong = [name for name, good in zip(names, within, strict=True) if not good]
    for name in wrong[:_MOST_FINDINGS]:
        notes.rows("fatal", frame, ~frame[name].is_between(0, 2), _RANGE, column=name)
    rest = len(wrong) - _MOST_FINDINGS
    if rest > 0:
        notes.fatal(f"{rest} further columns hold values that lie outside 0 to 2 copies.", count=rest)
    good = [name for name in names if name not in set(wrong)]
    are_whole = frame.select((pl.col(good) == pl.col(good).round()).all()).row(0) if good else ()
    kinds = {name: pl.Int8 if whole else pl.Float64 for name, whole in zip(good, are_whole, strict=True)}
    return frame.select(*[name for name in HIDDEN if name in frame.columns], ID, *good).cast(kinds)  # type: ignore[arg-type]


def _without_letters(frame: pl.DataFrame, names: list[str], notes: Notes) -> tuple[pl.DataFrame, list[str]]:
    """Note columns of base pairs (AG, A/G) once: which of the two bases is to be counted, nothing here says."""
    texts = [name for name in names if frame[name].dtype == pl.String]
    pairs = frame.select(pl.col(texts).str.contains(_BASE_PAIR).mean()) if texts else pl.DataFrame()
    letters = [column.name for column in pairs if (column[0] or 0) > _MOSTLY]
    if letters:
        notes.fatal(
            f'{place(frame)}: {len(letters)} columns (first: "{letters[0]}") hold pairs of bases, such as A/G. A table '
            "of dosages holds how many copies of one allele a person has: 0, 1 or 2. Count them in the file, or give "
            "the genotypes as VCF or PLINK.",
            count=len(letters),
        )
    return frame.drop(letters), [name for name in names if name not in set(letters)]


def _variants(dosages: pl.DataFrame, described: pl.DataFrame) -> pl.DataFrame:
    """Describe each variant: what the file says of it, call rate and frequency of the counted allele."""
    names = [name for name in dosages.columns if name not in (ID, *HIDDEN)]
    if not names:
        return pl.DataFrame(schema=VARIANT_SCHEMA)
    called = dosages.select(pl.col(names).count()).row(0)
    mean = dosages.select(pl.col(names).cast(pl.Float64).mean()).row(0)
    frame = pl.DataFrame(
        {
            "variant": names,
            "call_rate": [count / dosages.height if dosages.height else 0.0 for count in called],
            "alt_frequency": [None if value is None else value / 2 for value in mean],
        },
        schema_overrides={"alt_frequency": pl.Float64},
    )
    known = frame.join(described, on="variant", how="left", maintain_order="left")
    lacking = [pl.lit(None).cast(kind).alias(name) for name, kind in VARIANT_SCHEMA.items() if name not in known]
    return known.with_columns(lacking).select(list(VARIANT_SCHEMA))
