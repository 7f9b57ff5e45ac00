"""Drug advice from gene calls: each result that is still possible is looked up, the most cautious answer leads."""

from __future__ import annotations

import logging
from functools import cache

import polars as pl

from nociomics.errors import NociomicsError, did_you_mean
from nociomics.knowledge.enzyme_inhibitor import Inhibitor
from nociomics.knowledge.pharmacogene import INDETERMINATE, NO_ASSIGNMENT, known_indications
from nociomics.pharmacogenomics.gene_call import joined
from nociomics.pharmacogenomics.guideline import (
    GeneState,
    Known,
    advise,
    drug_genes,
    known_drugs,
)
from nociomics.pharmacogenomics.phenoconversion import as_listed, inhibited_scores, inhibitors_of
from nociomics.pharmacogenomics.phenotype import read_score, score_phenotype, scored_genes

_log = logging.getLogger(__name__)

RECOMMENDATION_SCHEMA: dict[str, pl.DataType] = {
    "sample": pl.String(),
    "drug": pl.String(),
    "population": pl.String(),
    "indication": pl.String(),
    "category": pl.String(),
    "strength": pl.String(),
    "certain": pl.Boolean(),
    "category_candidates": pl.String(),
    "genes_used": pl.String(),
    "guideline": pl.String(),
    "year": pl.Int64(),
    "pmid": pl.String(),
    "cpic_level": pl.String(),
    "text": pl.String(),
    "answer": pl.String(),
    "category_with_inhibitors": pl.String(),
    "text_with_inhibitors": pl.String(),
}
"""Columns of the advice in their order."""

_STRENGTH_WORDS = {"strong": "strongly", "moderate": "moderately"}


class DrugRequestError(NociomicsError):
    """A drug or an indication was asked for that the tables do not know."""


def recommend_drugs(calls: pl.DataFrame, indication: str | None = None, drugs: list[str] | None = None) -> pl.DataFrame:
    """Look up the guideline advice for every person and drug.

    All phenotypes (and scores) that a call leaves open are looked up, for two
    genes in every combination. If their categories agree that one is given, else
    the most cautious with ``certain`` false and all of them listed.

    Parameters
    ----------
    calls : DataFrame, one row per (sample, gene)
        From `calling.call_pharmacogenes`, or from `phenoconversion.with_inhibitors`:
        then advice under the inhibitors is given beside that for the genes alone.
    indication : str, optional
        One of `known_indications`. Tricyclic advice in the guideline is for the
        doses of depression; ``neuropathic_pain`` gives that for low doses.
    drugs : list of str, optional
        Default: all of `known_drugs`.

    Returns
    -------
    DataFrame, one row per (sample, drug, population), columns of `RECOMMENDATION_SCHEMA`
        ``category``: a word of `knowledge/pgx/advice_categories.csv`, such as
        ``NO_RESULT`` (gene not assessed, or no row fits; ``population`` is then
        ``any``), ``NO_ACTION`` (a guideline advises no change for any result),
        ``NO_ACTIONABLE_PGX`` (no pair is listed) and ``NOT_COVERED`` (a pair is
        known, its table is not here). ``strength`` is the guideline's, ``none``
        where it gives none. ``certain`` is false for ``NO_RESULT``, for ``NOT_COVERED`` and for
        CYP2D6 results that further gene copies could change. ``answer`` names the
        kind of answer: ``decided``, ``open`` (several are possible), ``cannot_call``
        (tested, without a result that the guideline knows), ``not_tested``,
        ``no_recommendation``, ``no_action``, ``no_actionable_pgx``, ``not_covered``.
        ``category_with_inhibitors`` and ``text_with_inhibitors`` are null without an
        inhibitor of one of the drug's genes; a drug that is an inhibitor itself is
        not counted for its own advice.

    Raises
    ------
    DrugRequestError
        For drugs or an indication that the tables do not know, all at once.

    References
    ----------
    ``pmid`` of each row.
    """
    indication = check_request(indication, drugs)
    wanted = known_drugs() if drugs is None else tuple(dict.fromkeys(drug.strip().lower() for drug in drugs))
    states = _gene_states(calls)
    samples = calls["sample"].unique(maintain_order=True)
    tables = [_advise_drug(drug, indication, samples, states) for drug in wanted]
    advice = pl.concat(tables) if tables else pl.DataFrame(schema=RECOMMENDATION_SCHEMA)
    order = pl.DataFrame({"sample": samples}).with_row_index("_person")
    result = advice.join(order, on="sample").sort("_person", maintain_order=True).drop("_person")
    _log.info(
        "drug advice: %d people, %d drugs, %d rows out, %d of them without a gene result",
        samples.len(),
        len(wanted),
        result.height,
        int((result["category"] == "NO_RESULT").sum()),
    )
    return result


def check_request(indication: str | None, drugs: list[str] | None) -> str | None:
    """Return the indication as the tables write it, or raise with everything that is unknown."""
    problems = []
    known = known_drugs()
    for drug in drugs or []:
        if drug.strip().lower() not in known:
            problems.append(f'Drug "{drug}" is in no table.{did_you_mean(drug.strip().lower(), known)}')
    if problems:
        problems.append(f"Known drugs: {', '.join(sorted(known))}.")
    word = None if indication is None else "_".join(indication.lower().replace("-", " ").replace("_", " ").split())
    if word is not None and word not in known_indications():
        allowed = ", ".join(known_indications())
        problems.append(
            f'Indication "{indication}" is unknown.{did_you_mean(word, known_indications())} Known: {allowed}; '
            "leave it out for anything else."
        )
    if problems:
        raise DrugRequestError(" ".join(problems))
    return word


def _gene_states(calls: pl.DataFrame) -> pl.DataFrame:
    """Return one row per sample and gene with something to say: a key that people with the same state share.

    The key is null for a gene that was not tested, and empty for one that was tested without a usable result.
    """
    key = pl.concat_str(
        pl.col("phenotype_candidates").fill_null(""),
        pl.col("activity_score_candidates").fill_null(""),
        pl.col("copy_number_state").fill_null(""),
        separator="\t",
    )
    usable = (pl.col("call_state") == "called") & pl.col("phenotype_candidates").is_not_null()
    tested = pl.col("call_state") != "not_tested"
    state = pl.when(usable).then(key).when(tested).then(pl.lit(""))
    inhibitors = pl.col("inhibitors") if "inhibitors" in calls.columns else pl.lit(None, dtype=pl.String)
    rows = calls.select("sample", "gene", state=state, inhibitors=inhibitors)
    return rows.filter(pl.col("state").is_not_null() | pl.col("inhibitors").is_not_null())


@cache
def _read_state(gene: str, text: str | None, inhibitors: tuple[Inhibitor, ...] = ()) -> GeneState:
    if not text:
        known: Known = "not_tested" if text is None else "cannot_call"
        return GeneState(known=known)
    phenotypes, scores, copies = text.split("\t")
    results: list[tuple[str, str | None]]
    if gene in scored_genes():
        left = inhibited_scores(scores, inhibitors) if inhibitors else tuple(scores.split("|"))
        listed = [score for one in left for score in (as_listed(gene, one) if inhibitors else (one,))]
        results = [(score_phenotype(gene, read_score(score)), score) for score in dict.fromkeys(listed)]
    else:
        # The guideline tables have no row for alleles without assigned function; they are as unknown as the others.
        words = [INDETERMINATE if word == NO_ASSIGNMENT else word for word in phenotypes.split("|")]
        results = [(word, None) for word in dict.fromkeys(words)]
    # No number of copies makes two inactive haplotypes active, nor an enzyme that is blocked.
    inactive = {score for _, score in results} == {"0.0"}
    return GeneState(tuple(results), copies == "unknown" and not inactive, "called")


def _advise_drug(drug: str, indication: str | None, samples: pl.Series, states: pl.DataFrame) -> pl.DataFrame:
    """Look a drug up once for each combination of gene states and inhibitors in the cohort."""
    genes = drug_genes(drug)
    people = pl.DataFrame({"sample": samples}).with_columns(_=pl.lit(0))
    keys = ["_"]
    for gene in genes:
        keys += [f"state {gene}", f"inhibitors {gene}"]
        one = states.filter(pl.col("gene") == gene).select("sample", "state", "inhibitors")
        people = people.join(one, on="sample", how="left", maintain_order="left").rename(
            {"state": f"state {gene}", "inhibitors": f"inhibitors {gene}"}
        )
    distinct = people.select(keys).unique(maintain_order=True).with_row_index("_state")
    rows = []
    for number, _, *known in distinct.iter_rows():
        rows += [{"_state": number, **row} for row in _rows(drug, genes, known, indication)]
    schema = {name: kind for name, kind in RECOMMENDATION_SCHEMA.items() if name != "sample"}
    table = pl.DataFrame(rows, schema={"_state": pl.UInt32, **schema})
    people = people.join(distinct, on=keys, how="left", nulls_equal=True, maintain_order="left")
    return people.join(table, on="_state", how="left", maintain_order="left").select(*RECOMMENDATION_SCHEMA)


def _rows(
    drug: str, genes: tuple[str, ...], known: list[str | None], indication: str | None
) -> list[dict[str, object]]:
    """Return the rows of one combination: states of the genes by turns with the inhibitors of each."""
    texts, names = known[::2], known[1::2]
    states = [_read_state(gene, text) for gene, text in zip(genes, texts, strict=True)]
    rows = [{**row, **dict.fromkeys(_WITH)} for row in advise(drug, states, indication)]
    found = [inhibitors_of(gene, some, drug) for gene, some in zip(genes, names, strict=True)]
    if not any(found):
        return rows
    said = " ".join(_said(gene, some, text) for gene, some, text in zip(genes, found, texts, strict=True) if some)
    numbered = all(_has_number(text) for some, text in zip(found, texts, strict=True) if some)
    if not numbered:
        return [{**row, "text_with_inhibitors": said} for row in rows]
    changed = [_read_state(gene, text, some) for gene, text, some in zip(genes, texts, found, strict=True)]
    other = {row["population"]: row for row in advise(drug, changed, indication)}
    return [
        {**row, "category_with_inhibitors": new["category"], "text_with_inhibitors": f"{said} {new['text']}"}
        for row in rows
        for new in [other[row["population"]]]
    ]


_WITH = ("category_with_inhibitors", "text_with_inhibitors")


def _has_number(state: str | None) -> bool:
    """Whether one of the activity scores of a state is a number."""
    return bool(state) and any(read_score(score or None) is not None for score in str(state).split("\t")[1].split("|"))


def _said(gene: str, inhibitors: tuple[Inhibitor, ...], state: str | None) -> str:
    """Say which drug does what to the enzyme, and what follows for its score."""
    strongest = min(inhibitors, key=lambda one: one.multiplier)
    drugs = joined(one.drug for one in inhibitors if one.multiplier == strongest.multiplier)
    start = f"While {str(drugs).replace('|', ' and ')} is taken, which inhibits {gene} "
    start += f"{_STRENGTH_WORDS[strongest.strength]}, "
    if not _has_number(state):
        return f"{start}no other advice can be given: the genetic activity score is not known as a number."
    scores = joined(inhibited_scores(str(state).split("\t")[1], inhibitors))
    shown = " or ".join(score.removesuffix(".0") for score in str(scores).split("|"))
    return f"{start}its activity score is taken as {shown}."
