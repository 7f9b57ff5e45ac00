"""Pharmacogene facts: positions, star alleles, functions, phenotypes and drug advice, each row with its source."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import polars as pl

from nociomics.errors import NociomicsError, did_you_mean

TABLE_VERSION = "alleles 2025-11; functions 2024-08 (CYP2D6), 2025-11; advice 2023-08; methadone 2024-07"
"""State of the tables in `knowledge/pgx`, carried by every call; change it with the tables."""

STAR_GENES = ("CYP2D6", "CYP2C9", "CYP2C19", "CYP2B6", "CYP3A4", "CYP3A5", "UGT1A1")
"""Genes whose star alleles can be called from positions."""

GUIDELINE_INDICATION = "depression"
"""The indication that the guideline tables are written for where dose matters."""

HLA_GENES = ("HLA-A", "HLA-B")
"""Genes that are only known from typing done elsewhere: tag SNPs are not enough."""

COPY_NUMBER_GENES = ("CYP2D6",)
"""Genes whose copies positions cannot count (deletions, duplications and hybrids are common)."""

INDETERMINATE = "Indeterminate"
"""The phenotype of a result whose function nobody knows."""

NO_ASSIGNMENT = "no CPIC assignment"
"""The phenotype of a pair with an allele that is defined but to which no function was assigned yet."""

_FOLDER = files("nociomics.knowledge") / "pgx"
_MISPRINTS = {"rs17999": "rs1799971"}
_FLAGS = ("ref_flips_between_builds", "strand_ambiguous_snp", "indel", "ref_confirmed", "in_amp_tier1_position")
_WHOLE = ("pos_grch38", "pos_grch37", "year", "caution", "priority")
_NUMBERS = ("low", "high")


class VariantNameError(NociomicsError):
    """A variant was asked for by a name that is no dbSNP number of the tables."""


def _read(name: str) -> pl.DataFrame:
    """Read one shipped table: text, but for positions, years, flags (Y/N) and score limits."""
    text = (_FOLDER / name).read_bytes()
    frame = pl.read_csv(text, infer_schema=False)
    return frame.with_columns(
        *[pl.col(c).cast(pl.Int64) for c in _WHOLE if c in frame.columns],
        *[pl.col(c).cast(pl.Float64) for c in _NUMBERS if c in frame.columns],
        *[(pl.col(c) == "Y").alias(c) for c in _FLAGS if c in frame.columns],
    )


@cache
def load_variants() -> pl.DataFrame:
    """Load every position that defines a star allele, in both builds.

    Returns
    -------
    DataFrame, one row per (gene, position)
        ``rsid`` is never null: a position without a dbSNP number is named
        ``chr22:42126625`` after its GRCh38 place. ``ref_*`` and ``alts_*`` are
        plus-strand bases of that build (several alternatives separated by
        commas). Where ``ref_flips_between_builds`` the reference bases differ,
        so 0/1 codes mean different bases. ``pos37_basis`` says whether the
        GRCh37 place was tabulated or follows from the gene's constant offset.

    Examples
    --------
    >>> flips = load_variants().filter("ref_flips_between_builds")
    >>> sorted(flips["rsid"])
    ['rs1135840', 'rs16947', 'rs3758581', 'rs776746']
    """
    return _read("variants.csv")


@cache
def load_allele_definitions() -> pl.DataFrame:
    """Load which bases make a star allele.

    Returns
    -------
    DataFrame, one row per (gene, allele, rsid), and one ``reference_row`` per gene
        ``allele_bases``: the base on the plus strand, or several separated by
        ``|`` when either may be there (``required`` = ``optional_either``). A
        position that an allele does not list has the GRCh38 reference base.
    """
    return _read("allele_definitions.csv")


@cache
def load_allele_functions() -> pl.DataFrame:
    """Load the clinical function of each star allele.

    Returns
    -------
    DataFrame, one row per (gene, allele)
        ``activity_value`` is text: a number, ``≥3.0`` for three or more copies,
        ``n/a`` where unknown, and null for genes without scores. ``changed``
        tells of values that older texts give differently.
    """
    return _read("allele_functions.csv")


@cache
def load_phenotype_rules() -> pl.DataFrame:
    """Load how a score, a pair of functions or an HLA allele becomes a phenotype.

    Returns
    -------
    DataFrame, one row per rule
        ``method`` is ``activity_score_sum`` (range ``low``..``high``, an end is
        left out where ``low_open``/``high_open`` is Y), ``any_allele_without_value``,
        ``function_pair`` (order does not matter) or ``allele_presence``.
    """
    return _read("phenotype_rules.csv")


@cache
def load_pain_variants() -> pl.DataFrame:
    """Load the single variants that become features.

    Returns
    -------
    DataFrame, one row per rsid
        ``counted_base`` is what is counted, whatever the file called reference.
        ``ref_confirmed`` is false where the reference base is not certain.
        ``star_names``: what the counted base is called, old name first
        (``*1F|*30``), null where it has no star name. ``evidence`` says what
        the guidelines make of it.
    """
    return _read("pain_variants.csv")


@cache
def load_drug_gene_pairs() -> pl.DataFrame:
    """Load what is known about each drug and gene.

    Returns
    -------
    DataFrame, one row per (drug, gene); gene is null for a drug without any pair
        ``outcome``: ``advice`` (rows in `load_drug_recommendations`), ``no_action``
        (the guideline looked and advises no change), ``not_carried`` (a pair
        whose guideline table is not here), ``no_pair``.
    """
    return _read("drug_gene_pairs.csv")


@cache
def load_drug_recommendations() -> pl.DataFrame:
    """Load the guideline advice.

    Returns
    -------
    DataFrame, one row per (drug, population, result of gene_1, result of gene_2)
        ``gene_2`` is null for one-gene drugs. ``score_1``/``score_2``: the
        activity scores the row covers, separated by ``;``. Phenotype
        ``No Result`` means that the gene was not assessed. ``text`` is in our words.
    """
    return _read("drug_recommendations.csv")


@cache
def load_advice_categories() -> pl.DataFrame:
    """Load the advice words with their ``caution`` (higher = more cautious; the order is ours)."""
    return _read("advice_categories.csv")


@cache
def load_indication_rules() -> pl.DataFrame:
    """Load advice that replaces the guideline table for one indication; the lowest ``priority`` wins.

    Returns
    -------
    DataFrame, one row per (indication, drug, gene, phenotype)
        Category ``AS_HIGHER_DOSE`` keeps the guideline table's row.
    """
    return _read("indication_rules.csv")


def known_indications() -> tuple[str, ...]:
    """Return the indications that may be named: those with rules, and the one that the guidelines are written for."""
    return (*dict.fromkeys(load_indication_rules()["indication"]), GUIDELINE_INDICATION)


@cache
def table_versions() -> pl.DataFrame:
    """Say how old each shipped table is and where its rows were read.

    Returns
    -------
    DataFrame, one row per (table, version, source), sorted
        ``table``: name of the file without ending; ``rows``: how many rows
        have this version and source; ``version``: state of that source (a
        month, a year or a release), null where the table states none.

    Examples
    --------
    >>> table_versions().filter(table="allele_functions")["version"].to_list()
    ['2024-08', '2025-11', '2025-11']
    """
    names = sorted(f.name.removesuffix(".csv") for f in _FOLDER.iterdir() if f.name.endswith(".csv"))
    tables = [_stated(name) for name in names]
    return (
        pl.concat(tables)
        .group_by("table", "version", "source")
        .len("rows")
        .sort("table", "version", "source")
        .select("table", "rows", "version", "source")
    )


def _stated(name: str) -> pl.DataFrame:
    frame = _read(f"{name}.csv")
    version = pl.col("version") if "version" in frame.columns else pl.lit(None, dtype=pl.String)
    return frame.select(table=pl.lit(name), version=version, source=pl.col("source"))


@cache
def load_positions() -> pl.DataFrame:
    """Load every position that a genotype file is searched for: `load_variants` and `load_pain_variants`.

    Returns
    -------
    DataFrame, one row per rsid
        ``gene, rsid, chrom, pos_grch38, ref_grch38, alts_grch38, pos_grch37,
        ref_grch37, alts_grch37, strand_ambiguous_snp, ref_confirmed``.
    """
    columns = ["gene", "rsid", "chrom"]
    columns += [f"{part}_{build}" for build in ("grch38", "grch37") for part in ("pos", "ref", "alts")]
    columns += ["strand_ambiguous_snp", "ref_confirmed"]
    star = load_variants().with_columns(ref_confirmed=pl.lit(True))
    return pl.concat([star.select(columns), load_pain_variants().select(columns)])


def find_variant(name: str) -> dict[str, object]:
    """Return the row of `load_positions` with this dbSNP number.

    Raises
    ------
    VariantNameError
        For an unknown name; ``rs17999`` is a misprint in print and has its own message.

    Examples
    --------
    >>> find_variant("rs1799971")["gene"]
    'OPRM1'
    """
    if name in _MISPRINTS:
        raise VariantNameError(
            f'Variant "{name}" is a misprint: {_MISPRINTS[name]} (OPRM1 A118G) is meant. Ask for {_MISPRINTS[name]}.'
        )
    positions = load_positions()
    found = positions.filter(pl.col("rsid") == name)
    if found.is_empty():
        raise VariantNameError(
            f'Variant "{name}" is in no pharmacogene table ({positions.height} positions are).'
            f"{did_you_mean(name, positions['rsid'])} Use the number in variants.csv or pain_variants.csv."
        )
    return found.row(0, named=True)


@cache
def load_misprinted_variants() -> pl.DataFrame:
    """Load numbers of variants that stand wrong in print.

    Returns
    -------
    DataFrame, one row per printed number
        ``printed``, ``meant`` (the number to ask for), ``gene``, ``known_as``, ``where`` it is printed.

    Examples
    --------
    >>> load_misprinted_variants().filter(printed="rs17999")["meant"].item()
    'rs1799971'
    """
    return _read("misprinted_variants.csv")
