"""People who were enrolled twice: two ids with the same genotypes, or with the same answers throughout."""

from __future__ import annotations

import polars as pl

from nociomics.quality.people_of_stores import Members
from nociomics.quality.relatedness import LEAST_FOR_CONCORDANCE, SAME_PERSON, ComparedPeople, with_patients
from nociomics.tables.finding import Finding

LEAST_ANSWERS = 30
_SCHEMA = {
    "patient_a": pl.String,
    "patient_b": pl.String,
    "evidence": pl.String,
    "visit": pl.String,
    "compared": pl.Int64,
    "share": pl.Float64,
}
_STRENGTH = ("genotype", "questionnaires")


def same_genotypes(group: Members, compared: ComparedPeople) -> pl.DataFrame:
    """List pairs of ids whose genotypes agree at more than 0.95 of at least 100 common variants called in both.

    Twins of one egg cannot be told from one person.

    Returns
    -------
    DataFrame, one row per pair
        As in `SAME_PEOPLE`.
    """
    enough = pl.col("variants") >= LEAST_FOR_CONCORDANCE
    pairs = with_patients(compared.pairs.filter(enough & (pl.col("concordance") > SAME_PERSON)), group)
    pairs = pairs.sort("concordance", descending=True).unique(["patient_a", "patient_b"], keep="first")
    return pairs.select(
        "patient_a",
        "patient_b",
        pl.lit("genotype").alias("evidence"),
        pl.lit(None, dtype=pl.String).alias("visit"),
        pl.col("variants").alias("compared"),
        pl.col("concordance").alias("share"),
    ).sort("patient_a", "patient_b")


def same_answers(responses: pl.DataFrame) -> pl.DataFrame:
    """List pairs of ids that answered the same items of one visit, all of them alike.

    At least 30 items must be answered, and not all with the same number: who ticks one column throughout is like
    everybody else who does. Visits are compared each with itself. Of more than two ids alike each is paired with the
    first, so chains of pairs hold them together.

    Parameters
    ----------
    responses : DataFrame, one row per answer
        As in `tables.ingested.RESPONSES`; missing answers do not count.

    Returns
    -------
    DataFrame, one row per pair and visit
        As in `SAME_PEOPLE`.
    """
    answered = responses.drop_nulls("response").select(
        "patient_id", "visit", "response", item=pl.struct("instrument", "item", "response").hash(seed=1)
    )
    sheets = answered.group_by("visit", "patient_id").agg(
        pl.len().alias("answers"),
        (pl.col("response").min() != pl.col("response").max()).alias("varied"),
        # two sums of hashes: order does not matter, and nobody meets two such sums by chance
        pl.col("item").sum().alias("sum"),
        pl.col("item").hash(seed=2).sum().alias("mixed"),
    )
    alike = ["visit", "answers", "sum", "mixed"]
    sheets = sheets.filter((pl.col("answers") >= LEAST_ANSWERS) & pl.col("varied")).sort("visit", "patient_id")
    first = pl.col("patient_id").first().over(alike)
    return (
        sheets.with_columns(first.alias("patient_a"))
        .filter(pl.col("patient_a") != pl.col("patient_id"))
        .select(
            "patient_a",
            pl.col("patient_id").alias("patient_b"),
            pl.lit("questionnaires").alias("evidence"),
            "visit",
            pl.col("answers").cast(pl.Int64).alias("compared"),
            pl.lit(1.0).alias("share"),
        )
        .sort("patient_a", "patient_b", "visit")
    )


def same_people(
    group: Members | None, compared: ComparedPeople | None, responses: pl.DataFrame | None
) -> tuple[pl.DataFrame, list[Finding]]:
    """Find ids that are probably one person, by genotypes and by answers.

    Parameters
    ----------
    group, compared : optional
        As of `relatedness.compare_people`; None when nobody is genotyped.
    responses : DataFrame, optional
        As in `tables.ingested.RESPONSES`.

    Returns
    -------
    DataFrame, one row per pair and reason
        As in `SAME_PEOPLE`.
    list of Finding
        How many pairs, or why it is not measured; never who.
    """
    found, findings = [pl.DataFrame(schema=_SCHEMA)], []
    if group is not None and compared is not None:
        pairs = same_genotypes(group, compared)
        found.append(pairs)
        findings.append(_by_genotype(pairs, compared))
    if responses is not None:
        pairs = same_answers(responses)
        found.append(pairs)
        findings += _by_answers(pairs, responses)
    return pl.concat(found), findings


def duplicates(pairs: pl.DataFrame) -> pl.DataFrame:
    """Reduce reasons to pairs, the strongest evidence kept: columns of `tables.results.DUPLICATES`."""
    strength = pl.col("evidence").cast(pl.Enum(_STRENGTH))
    kept = pairs.sort(strength, maintain_order=True).unique(
        ["patient_a", "patient_b"], keep="first", maintain_order=True
    )
    return kept.select("patient_a", "patient_b", "evidence").sort("patient_a", "patient_b")


def _by_genotype(pairs: pl.DataFrame, compared: ComparedPeople) -> Finding:
    if compared.variants < LEAST_FOR_CONCORDANCE:
        text = (
            f"People enrolled twice: not measured, {compared.variants} common variants are suitable, at least "
            f"{LEAST_FOR_CONCORDANCE} are needed."
        )
        return Finding("genotype", None, "info", 0, text)
    if not pairs.height:
        text = f"No two ids have the same genotypes (agreement above {SAME_PERSON} at {compared.variants:,} variants)."
        return Finding("genotype", None, "info", 0, text)
    return Finding(
        "genotype",
        None,
        "warning",
        pairs.height,
        f"{_pairs(pairs)} of ids have genotypes that agree at more than {SAME_PERSON} of {compared.variants:,} common "
        "variants: one person under two ids, a sample taken for another, or twins of one egg. Look them up in "
        "the table of same people; they share a fold.",
    )


def _by_answers(pairs: pl.DataFrame, responses: pl.DataFrame) -> list[Finding]:
    rule = f"at least {LEAST_ANSWERS} answered items of one visit, not all with the same number"
    sheets = responses.drop_nulls("response").group_by("patient_id", "visit").len()
    if not sheets.filter(pl.col("len") >= LEAST_ANSWERS).height:
        text = f"Identical answers: not measured, nobody answered {LEAST_ANSWERS} items of one visit."
        return [Finding("questionnaires", None, "info", 0, text)]
    if not pairs.height:
        return [Finding("questionnaires", None, "info", 0, f"No two ids gave the same answers throughout ({rule}).")]
    people = pairs.select("patient_a", "patient_b").unique()
    text = (
        f"{_pairs(people)} of ids gave the same answers throughout ({rule}): one person under two ids, or a form "
        "that was copied. Look them up in the table of same people."
    )
    return [Finding("questionnaires", None, "warning", people.height, text)]


def _pairs(pairs: pl.DataFrame) -> str:
    return "1 pair" if pairs.height == 1 else f"{pairs.height:,} pairs"
