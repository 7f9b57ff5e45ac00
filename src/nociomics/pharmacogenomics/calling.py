"""Pharmacogene calls of a cohort: one row per person and gene, every diplotype that fits kept."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable
from functools import cache, lru_cache

import polars as pl

from nociomics.knowledge.pharmacogene import (
    HLA_GENES,
    STAR_GENES,
    TABLE_VERSION,
    load_pain_variants,
    load_positions,
)
from nociomics.pharmacogenomics.gene_call import (
    USABLE_STATES,
    GeneCall,
    Position,
    SingleVariant,
    call_genotype_gene,
    call_outside_result,
    call_star_gene,
)

_log = logging.getLogger(__name__)

CALL_SCHEMA: dict[str, pl.DataType] = {
    "sample": pl.String(),
    "gene": pl.String(),
    "build": pl.String(),
    "call_state": pl.String(),
    "diplotype_top": pl.String(),
    "diplotype_candidates": pl.String(),
    "n_candidates": pl.Int64(),
    "phased": pl.Boolean(),
    "positions_defining": pl.Int64(),
    "positions_called": pl.Int64(),
    "positions_missing": pl.String(),
    "missing_alleles": pl.String(),
    "partial_evidence": pl.String(),
    "copy_number_state": pl.String(),
    "source": pl.String(),
    "function_1": pl.String(),
    "function_2": pl.String(),
    "activity_score_min": pl.String(),
    "activity_score_max": pl.String(),
    "activity_score_candidates": pl.String(),
    "phenotype": pl.String(),
    "phenotype_candidates": pl.String(),
    "phenotype_certain": pl.Boolean(),
    "genotypes": pl.String(),
    "genotype_names": pl.String(),
    "flags": pl.String(),
    "table_version": pl.String(),
}
"""Columns of the calls in their order."""

_COLUMNS = ("patient_id", "rsid", "build", "call_state", "base_1", "base_2", "phased", "phase_set")
_RESULT_SCHEMA = {name: kind for name, kind in CALL_SCHEMA.items() if name not in ("sample", "build", "table_version")}


def called_genes() -> tuple[str, ...]:
    """Return every gene that a person gets a row for, tested or not."""
    return (*STAR_GENES, *HLA_GENES, *dict.fromkeys(load_pain_variants()["gene"]))


def call_pharmacogenes(
    genotypes: pl.DataFrame | None,
    diplotypes: pl.DataFrame | None,
    patients: list[str],
    *,
    absent_is_reference: bool = False,
) -> pl.DataFrame:
    """Call every pharmacogene of every person.

    A position without a row is missing, never reference: all pairs of alleles
    that the called positions allow are kept, and a phenotype is one word only
    when all of them agree. An outside call replaces the call from positions,
    also when it cannot be read (then the gene is ``refused``).

    Parameters
    ----------
    genotypes : DataFrame, one row per (patient_id, rsid) that the file has, optional
        As in `tables.PHARMACOGENE_GENOTYPES`: bases, not reference/alternative codes.
    diplotypes : DataFrame, one row per (patient_id, gene), optional
        As in `tables.DIPLOTYPES`; null or "no result" means not tested.
    patients : list of str
        Who gets rows; results of anybody else are left out.
    absent_is_reference : bool
        Take a position that the file lacks as the reference base of the file's
        build. Only right for a file known to list every difference from that
        reference. Recorded in ``flags``; never applied to a position that was
        tried and not called, or whose reference is not confirmed.

    Returns
    -------
    DataFrame, one row per (sample, gene), with the columns of `CALL_SCHEMA`
        ``call_state``: ``called``, ``no_call`` (tried, nothing certain),
        ``refused`` (an outside result with no single meaning) or ``not_tested``
        (all else null). Sets are joined by ``|``. Scores are text: ``1.25``,
        ``≥3.0`` (open upwards), ``n/a`` (none, or none for some candidate), null
        for a gene without scores. ``phased`` is null without heterozygous
        positions. ``genotypes`` holds bases for genes without star alleles,
        ``genotype_names`` all star names of a base that is there and has some
        (``rs762551:A=*1F,*30``).
        CYP2D6 from positions is flagged ``copy_number_unknown``.

    References
    ----------
    ``source`` columns of the tables in `knowledge/pgx/`.
    """
    parts = _rows_by_gene(genotypes, patients)
    builds = _builds(parts)
    found = [_call_gene(gene, rows, builds if absent_is_reference else None) for gene, rows in parts.items()]
    outside = _call_outside(diplotypes, patients)
    from_file = pl.concat([outside.clear(), *[calls for calls, _ in found]])
    calls = pl.concat([from_file.join(outside, on=["patient_id", "gene"], how="anti"), outside])
    result = _complete(calls, builds, patients)
    _log.info(
        "pharmacogenes: %d people, %d positions read, %d patterns matched, %d outside results; rows out: %s",
        len(patients),
        sum(rows.height for rows in parts.values()),
        sum(patterns for _, patterns in found),
        outside.height,
        ", ".join(f"{n} {state}" for state, n in result["call_state"].value_counts(sort=True).rows()) or "none",
    )
    return result


def _complete(calls: pl.DataFrame, builds: pl.DataFrame, patients: list[str]) -> pl.DataFrame:
    """Give every person a row for every gene (and for further genes called elsewhere), untested ones included."""
    people = pl.DataFrame({"sample": patients}, schema={"sample": pl.String})
    grid = people.join(pl.DataFrame({"gene": called_genes()}), how="cross")
    further = calls.join(grid, left_on=["patient_id", "gene"], right_on=["sample", "gene"], how="anti")
    grid = pl.concat([grid, further.select(pl.col("patient_id").alias("sample"), "gene").sort("sample", "gene")])
    return (
        grid.join(calls, left_on=["sample", "gene"], right_on=["patient_id", "gene"], how="left", maintain_order="left")
        .join(builds, left_on="sample", right_on="patient_id", how="left", maintain_order="left")
        .with_columns(
            call_state=pl.col("call_state").fill_null("not_tested"),
            build=pl.when(pl.col("source") == "vcf").then("build"),
            table_version=pl.lit(TABLE_VERSION),
        )
        .select(*CALL_SCHEMA)
    )


def _rows_by_gene(genotypes: pl.DataFrame | None, patients: list[str]) -> dict[str, pl.DataFrame]:
    """Return the rows at table positions of the wanted people; a gene at a time, all of it as text would be large."""
    genes = dict.fromkeys(load_positions()["gene"])
    if genotypes is None:
        columns = {name: pl.Boolean() if name == "phased" else pl.String() for name in _COLUMNS}
        return dict.fromkeys(genes, pl.DataFrame(schema=columns))
    wanted = genotypes.select(_COLUMNS).filter(pl.col("patient_id").cast(pl.String).is_in(patients))
    return {gene: wanted.filter(pl.col("rsid").cast(pl.String).is_in(_rsids(gene))) for gene in genes}


@cache
def _rsids(gene: str) -> list[str]:
    return load_positions().filter(pl.col("gene") == gene)["rsid"].to_list()


def _builds(parts: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Return the build of everybody who has a row in any gene."""
    people = [rows.select(pl.col("patient_id", "build").cast(pl.String)).unique() for rows in parts.values()]
    return pl.concat(people).unique("patient_id")


def _call_gene(gene: str, rows: pl.DataFrame, filled: pl.DataFrame | None) -> tuple[pl.DataFrame, int]:
    """Call one gene of everybody; ``filled`` are the people whose absent positions are taken as reference."""
    rows = _one_way_to_write(rows)
    if filled is not None:
        rows = _fill_reference(gene, rows, filled)
    return _call_patterns(gene, rows)


def _one_way_to_write(rows: pl.DataFrame) -> pl.DataFrame:
    """Put the bases of unphased positions into one order, and name the phase block of the others."""
    rows = rows.with_columns(pl.col(name).cast(pl.String) for name in _COLUMNS if name != "phased")
    heterozygous = (pl.col("base_1") != pl.col("base_2")) & pl.col("call_state").is_in(list(USABLE_STATES))
    free = heterozygous & ~pl.col("phased")
    block = pl.when(heterozygous & pl.col("phased")).then(pl.col("phase_set").fill_null("all"))
    return rows.select(
        "patient_id",
        "rsid",
        "call_state",
        base_1=pl.when(free).then(pl.min_horizontal("base_1", "base_2")).otherwise("base_1"),
        base_2=pl.when(free).then(pl.max_horizontal("base_1", "base_2")).otherwise("base_2"),
        block=block,
        filled=pl.lit(False),
    )


def _fill_reference(gene: str, rows: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Add the positions that the file lacks, with the reference base of the person's own build."""
    reference = pl.when(pl.col("build") == "GRCh37").then("ref_grch37").otherwise("ref_grch38")
    absent = (
        people.join(load_positions().filter("ref_confirmed", gene=gene), how="cross")
        .join(rows, on=["patient_id", "rsid"], how="anti")
        .with_columns(
            call_state=pl.lit("called"),
            base_1=reference,
            base_2=reference,
            block=pl.lit(None, dtype=pl.String),
            filled=pl.lit(True),
        )
    )
    return pl.concat([rows, absent.select(rows.columns)])


def _call_patterns(gene: str, rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Call each distinct pattern of a gene once; people who share it share the result."""
    # Most people have the same bases at most positions: each distinct reading is made into an object once.
    readings, which = _distinct_readings(rows.select("rsid", "call_state", "base_1", "base_2", "block", "filled"))
    coded = rows.select("patient_id", reading=which).sort("patient_id", "reading")
    people = coded.group_by("patient_id", maintain_order=True).agg(pl.col("reading"))
    patterns = people.group_by("reading").agg(pl.col("patient_id").min()).sort("patient_id").select("reading")
    calls = [_call_positions(gene, tuple(readings[i] for i in numbers)) for numbers in patterns["reading"]]
    results = pl.concat([patterns, _frame(calls)], how="horizontal")
    return people.join(results, on="reading").select("patient_id", *_RESULT_SCHEMA), len(calls)


def _distinct_readings(rows: pl.DataFrame) -> tuple[list[Position], pl.Series]:
    """Return the distinct rows as positions, and for each row which of them it is."""
    which = rows.select(pl.struct(pl.all()).rank("dense").cast(pl.Int64) - 1).to_series()
    first = rows.with_columns(which.alias("which")).unique("which").sort("which").drop("which")
    return [Position(*row) for row in first.iter_rows()], which


# people come in parts or one by one, and most have a pattern that somebody had before them
@lru_cache(maxsize=512)
def _call_positions(gene: str, positions: tuple[Position, ...]) -> GeneCall:
    if gene in STAR_GENES:
        return call_star_gene(gene, positions)
    return call_genotype_gene(gene, positions, _single_variants(gene))


@cache
def _single_variants(gene: str) -> dict[str, SingleVariant]:
    rows = load_pain_variants().filter(pl.col("gene") == gene).sort("rsid")
    columns = rows.select("rsid", "ref_grch38", "alts_grch38", "counted_base", "star_names")
    return {
        rsid: SingleVariant(frozenset([ref, *alts.split(",")]), counted, tuple(names.split("|")) if names else ())
        for rsid, ref, alts, counted, names in columns.iter_rows()
    }


def _call_outside(diplotypes: pl.DataFrame | None, patients: list[str]) -> pl.DataFrame:
    """Read each distinct outside result once; rows that say "not tested" are left out."""
    if diplotypes is None:
        return _frame([]).insert_column(0, pl.Series("patient_id", [], pl.String))
    gene = pl.col("gene").str.strip_chars().str.to_uppercase().str.replace("HLA_", "HLA-", literal=True)
    rows = diplotypes.select("patient_id", "diplotype", gene=gene).filter(
        pl.col("patient_id").is_in(patients), pl.col("diplotype").is_not_null()
    )
    distinct = rows.select("gene", "diplotype").unique().sort("gene", "diplotype")
    read = [(row, call_outside_result(*row)) for row in distinct.iter_rows()]
    tested = [(row, call) for row, call in read if call is not None]
    keys = pl.DataFrame([row for row, _ in tested], schema=distinct.schema, orient="row")
    results = pl.concat([keys, _frame(call for _, call in tested).drop("gene")], how="horizontal")
    return rows.join(results, on=["gene", "diplotype"]).select("patient_id", *_RESULT_SCHEMA)


def _frame(calls: Iterable[GeneCall]) -> pl.DataFrame:
    rows = [vars(call) for call in calls]
    return pl.DataFrame(rows, schema={f.name: _RESULT_SCHEMA[f.name] for f in dataclasses.fields(GeneCall)}).select(
        list(_RESULT_SCHEMA)
    )
