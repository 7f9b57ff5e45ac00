"""Drug advice from gene calls: each result that is still possible is looked up, the most cautious answer leads."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import polars as pl

from nociomics.errors import NociomicsError, did_you_mean
from nociomics.knowledge.pharmacogene import (
    INDETERMINATE,
    NO_ASSIGNMENT,
    load_advice_categories,
    load_drug_gene_pairs,
    load_drug_recommendations,
    load_indication_rules,
)
from nociomics.pharmacogenomics.gene_call import joined
from nociomics.pharmacogenomics.phenotype import read_score, score_phenotype, scored_genes

_log = logging.getLogger(__name__)

NO_RESULT = "No Result"
"""Phenotype of a gene that was not assessed, as the guideline tables call it."""

OTHER_INDICATION = "depression"
"""The indication that the guideline tables are written for where dose matters."""

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
}
"""Columns of the advice in their order."""

_STRENGTHS = ("none", "Optional", "Moderate", "Strong")
_NO_STATEMENT = ("NO_RESULT", "NOT_COVERED")
_LOW_DOSE_NOTE = "Written for the starting doses of depression; name the indication for advice at low doses."
_COPIES_NOTE = "CYP2D6 copies were not counted: a deletion, duplication or hybrid would change this."


class DrugRequestError(NociomicsError):
    """A drug or an indication was asked for that the tables do not know."""


@dataclass(frozen=True)
class GeneState:
    """What is known of one gene of one person.

    Parameters
    ----------
    results : tuple of (str, str or None)
        Every phenotype that is possible, with its activity score as text.
    copies_open : bool
        Extra or lost gene copies could change the result.
    """

    results: tuple[tuple[str, str | None], ...] = ((NO_RESULT, None),)
    copies_open: bool = False


@dataclass(frozen=True)
class Advice:
    """One answer: a guideline row, or why there is none."""

    population: str
    category: str
    strength: str
    text: str
    guideline: str | None = None
    year: int | None = None
    pmid: str | None = None
    cpic_level: str | None = None


def known_drugs() -> tuple[str, ...]:
    """Return every drug of the tables, with and without advice, in their order."""
    return tuple(dict.fromkeys([*load_drug_recommendations()["drug"], *load_drug_gene_pairs()["drug"]]))


def known_indications() -> tuple[str, ...]:
    """Return the indications that may be named."""
    return (*dict.fromkeys(load_indication_rules()["indication"]), OTHER_INDICATION)


def recommend_drugs(calls: pl.DataFrame, indication: str | None = None, drugs: list[str] | None = None) -> pl.DataFrame:
    """Look up the guideline advice for every person and drug.

    All phenotypes (and scores) that a call leaves open are looked up, for two
    genes in every combination. If their categories agree that one is given, else
    the most cautious with ``certain`` false and all of them listed.

    Parameters
    ----------
    calls : DataFrame, one row per (sample, gene)
        From `calling.call_pharmacogenes`.
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
        CYP2D6 results that further gene copies could change.

    Raises
    ------
    DrugRequestError
        For drugs or an indication that the tables do not know, all at once.

    References
    ----------
    ``pmid`` of each row.
    """
    indication = _check_request(indication, drugs)
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


def _check_request(indication: str | None, drugs: list[str] | None) -> str | None:
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
    """Return one row per sample and called gene, with a key that people with the same state share."""
    state = pl.concat_str(
        pl.col("phenotype_candidates"),
        pl.col("activity_score_candidates").fill_null(""),
        pl.col("copy_number_state").fill_null(""),
        separator="\t",
    )
    called = calls.filter(pl.col("call_state") == "called", pl.col("phenotype_candidates").is_not_null())
    return called.select("sample", "gene", state=state)


@cache
def _read_state(gene: str, text: str | None) -> GeneState:
    if text is None:
        return GeneState()
    phenotypes, scores, copies = text.split("\t")
    results: list[tuple[str, str | None]]
    if gene in scored_genes():
        results = [(score_phenotype(gene, read_score(score)), score) for score in scores.split("|")]
    else:
        # The guideline tables have no row for alleles without assigned function; they are as unknown as the others.
        words = [INDETERMINATE if word == NO_ASSIGNMENT else word for word in phenotypes.split("|")]
        results = [(word, None) for word in dict.fromkeys(words)]
    # No number of copies makes two inactive haplotypes active.
    inactive = {score for _, score in results} == {"0.0"}
    return GeneState(tuple(results), copies == "unknown" and not inactive)


def _advise_drug(drug: str, indication: str | None, samples: pl.Series, states: pl.DataFrame) -> pl.DataFrame:
    """Look a drug up once for each combination of gene states in the cohort."""
    genes = _drug_genes(drug)
    people = pl.DataFrame({"sample": samples})
    for gene in genes:
        one = states.filter(pl.col("gene") == gene).select("sample", pl.col("state").alias(gene))
        people = people.join(one, on="sample", how="left", maintain_order="left")
    distinct = people.select(genes).unique(maintain_order=True) if genes else pl.DataFrame({"_": [0]})
    rows = []
    for number, keys in enumerate(distinct.iter_rows()):
        found = tuple(_read_state(gene, text) for gene, text in zip(genes, keys, strict=False))
        rows += [{"_state": number, **row} for row in advise(drug, found, indication)]
    schema = {name: kind for name, kind in RECOMMENDATION_SCHEMA.items() if name != "sample"}
    table = pl.DataFrame(rows, schema={"_state": pl.UInt32, **schema})
    numbered = distinct.with_row_index("_state") if genes else None
    if numbered is None:
        people = people.with_columns(_state=pl.lit(0, dtype=pl.UInt32))
    else:
        people = people.join(numbered, on=list(genes), how="left", nulls_equal=True, maintain_order="left")
    return people.join(table, on="_state", how="left", maintain_order="left").select(*RECOMMENDATION_SCHEMA)


@cache
def _drug_genes(drug: str) -> tuple[str, ...]:
    """Return the genes of a drug's guideline table in the order of its columns; empty without a table."""
    rows = load_drug_recommendations().filter(pl.col("drug") == drug)
    names = rows.select("gene_1", "gene_2").unique(maintain_order=True).rows()
    return tuple(dict.fromkeys(gene for pair in names for gene in pair if gene is not None))


def advise(drug: str, states: Sequence[GeneState], indication: str | None = None) -> list[dict[str, object]]:
    """Return the advice for one drug and the states of its genes.

    Parameters
    ----------
    drug : str
        One of `known_drugs`.
    states : sequence of GeneState
        In the order of the drug's genes; empty for a drug without a table.
    indication : str, optional
        As in `recommend_drugs`.

    Returns
    -------
    list of dict
        One per population, with the columns of `RECOMMENDATION_SCHEMA` but ``sample``.
    """
    genes = _drug_genes(drug)
    if not genes:
        return [_row(drug, indication, [_without_table(drug)], "", True)]
    found = [_look_up(drug, indication, results) for results in product(*(state.results for state in states))]
    populations = list(dict.fromkeys(one.population for answers in found for one in answers))
    if len(populations) > 1:
        populations = [name for name in populations if name != "any"]
    used = [gene for gene, state in zip(genes, states, strict=True) if state != GeneState()]
    settled = not any(state.copies_open for state in states)
    return [
        _row(drug, indication, [_for_population(answers, name) for answers in found], ";".join(used), settled)
        for name in populations
    ]


def _for_population(answers: Sequence[Advice], population: str) -> Advice:
    """Return the answer for a population; a combination that has none for it is without result."""
    for one in answers:
        if one.population == population:
            return one
    return _no_result(population)


def _no_result(population: str = "any") -> Advice:
    return Advice(population, "NO_RESULT", "none", "Not assessed: no guideline row fits what is known of the gene.")


def _row(drug: str, indication: str | None, answers: list[Advice], genes: str, settled: bool) -> dict[str, object]:
    cautious = sorted(dict.fromkeys(answers), key=_caution)
    first = cautious[0]
    categories = list(dict.fromkeys(one.category for one in cautious))
    notes = [first.text]
    if indication is None and drug in _low_dose_drugs() and first.category not in ("NO_RESULT", "USE_LABEL"):
        notes.append(_LOW_DOSE_NOTE)
    if not settled:
        notes.append(_COPIES_NOTE)
    return {
        "drug": drug,
        "population": first.population,
        "indication": indication,
        "category": first.category,
        "strength": first.strength,
        "certain": len(categories) == 1 and settled and first.category not in _NO_STATEMENT,
        "category_candidates": joined(categories),
        "genes_used": genes.replace(";", "|") or None,
        "guideline": first.guideline,
        "year": first.year,
        "pmid": first.pmid,
        "cpic_level": first.cpic_level,
        "text": " ".join(notes),
    }


def _caution(advice: Advice) -> tuple[int, int]:
    """Sort key: the most cautious category first, of one category the weakest strength."""
    return -_cautions()[advice.category], _STRENGTHS.index(advice.strength)


@cache
def _cautions() -> dict[str, int]:
    return dict(load_advice_categories().select("category", "caution").iter_rows())


@cache
def _low_dose_drugs() -> frozenset[str]:
    return frozenset(load_indication_rules()["drug"])


@cache
def _look_up(drug: str, indication: str | None, results: tuple[tuple[str, str | None], ...]) -> tuple[Advice, ...]:
    """Return the answers of the guideline table (one per population), replaced where the indication has its own."""
    rows = _table(drug).get(tuple(phenotype for phenotype, _ in results), ())
    scores = [score for _, score in results]
    # Only a table that splits a phenotype by score asks for the score.
    if len({row[0] for row in rows}) > 1:
        rows = tuple(
            row for row in rows if all(s is None or not c or s in c for s, c in zip(scores, row[0], strict=True))
        )
    answers = tuple(advice for _, advice in rows) or (_no_result(),)
    rule = _indication_rule(drug, indication, [phenotype for phenotype, _ in results])
    return answers if rule is None or not rows else tuple(_replaced(one, rule) for one in answers)


_Scores = tuple[frozenset[str], ...]


@cache
def _table(drug: str) -> dict[tuple[str, ...], tuple[tuple[_Scores, Advice], ...]]:
    """Return a drug's guideline rows by the phenotypes they are for, with the scores each covers."""
    found: dict[tuple[str, ...], list[tuple[_Scores, Advice]]] = {}
    for row in load_drug_recommendations().filter(pl.col("drug") == drug).iter_rows(named=True):
        ends = [end for end in ("1", "2") if row[f"gene_{end}"] is not None]
        scores = tuple(frozenset((row[f"score_{end}"] or "").split(";")) - {""} for end in ends)
        advice = Advice(*(row[name] for name in Advice.__dataclass_fields__))
        found.setdefault(tuple(row[f"phenotype_{end}"] for end in ends), []).append((scores, advice))
    return {key: tuple(rows) for key, rows in found.items()}


def _indication_rule(drug: str, indication: str | None, phenotypes: Iterable[str]) -> dict[str, object] | None:
    """Return the first rule of an indication that one of the genes' phenotypes meets."""
    if indication is None:
        return None
    results = set(zip(_drug_genes(drug), phenotypes, strict=True))
    for rule in _rules(indication, drug):
        if (rule["gene"], rule["phenotype"]) in results:
            return rule
    return None


@cache
def _rules(indication: str, drug: str) -> tuple[dict[str, object], ...]:
    rules = load_indication_rules().filter(pl.col("indication") == indication, pl.col("drug") == drug)
    return tuple(rules.sort("priority", maintain_order=True).iter_rows(named=True))


def _replaced(advice: Advice, rule: dict[str, object]) -> Advice:
    if rule["category"] == "AS_HIGHER_DOSE":
        return Advice(**{**vars(advice), "text": f"{advice.text} {rule['text']}"})
    new = {name: rule[name] for name in ("category", "strength", "text", "year", "pmid")}
    return Advice(**{**vars(advice), **new})  # type: ignore[arg-type]


@cache
def _without_table(drug: str) -> Advice:
    """Return what is to be said of a drug without guideline rows: the same for everyone."""
    pairs = load_drug_gene_pairs().filter(pl.col("drug") == drug)
    outcomes = set(pairs["outcome"])
    strong = pairs.filter(pl.col("outcome") == "not_carried", pl.col("cpic_level").is_in(["A", "B"]))
    if outcomes == {"no_pair"}:
        return Advice("any", "NO_ACTIONABLE_PGX", "none", "No gene is listed for this drug; genotype gives no advice.")
    if "no_action" in outcomes and strong.is_empty():
        row = pairs.filter(pl.col("outcome") == "no_action").sort("cpic_level").row(0, named=True)
        text = "The guideline has looked at this drug and advises no change for any result."
        return Advice("any", "NO_ACTION", "none", text, row["guideline"], row["year"], row["pmid"], row["cpic_level"])
    row = pairs.sort("cpic_level").row(0, named=True)
    text = "A gene is listed for this drug, but its guideline table is not carried here: look it up."
    return Advice("any", "NOT_COVERED", "none", text, row["guideline"], row["year"], row["pmid"], row["cpic_level"])
