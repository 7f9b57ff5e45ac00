"""What the guideline tables say of one drug, for every result of its genes that is possible."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Literal

import polars as pl

from nociomics.knowledge.pharmacogene import (
    load_advice_categories,
    load_drug_gene_pairs,
    load_drug_recommendations,
    load_indication_rules,
)
from nociomics.pharmacogenomics.gene_call import joined

NO_RESULT = "No Result"
"""Phenotype of a gene that was not assessed, as the guideline tables call it."""

_STRENGTHS = ("none", "Optional", "Moderate", "Strong")
_NO_STATEMENT = ("NO_RESULT", "NOT_COVERED")
_LOW_DOSE_NOTE = "Written for the starting doses of depression; name the indication for advice at low doses."
_COPIES_NOTE = "CYP2D6 copies were not counted: a deletion, duplication or hybrid would change this."
_OPEN_NOTE = "The test leaves several answers open (all are listed as candidates); the most cautious one is shown."

Known = Literal["called", "not_tested", "cannot_call"]


@dataclass(frozen=True)
class GeneState:
    """What is known of one gene of one person.

    Parameters
    ----------
    results : tuple of (str, str or None)
        Every phenotype that is possible, with its activity score as text.
    copies_open : bool
        Extra or lost gene copies could change the result.
    known : {"called", "not_tested", "cannot_call"}
        Whether there is a result, or why there is none: nobody looked, or the
        test gave nothing that has one meaning.
    """

    results: tuple[tuple[str, str | None], ...] = ((NO_RESULT, None),)
    copies_open: bool = False
    known: Known = "not_tested"


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


@cache
def drug_genes(drug: str) -> tuple[str, ...]:
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
        One per population, with the columns of the advice that say nothing of the
        person or of inhibitors; see `recommendation.recommend_drugs`.
    """
    genes = drug_genes(drug)
    if not genes:
        return [_row(drug, indication, [_without_table(drug)], ())]
    found = [_look_up(drug, indication, results) for results in product(*(state.results for state in states))]
    populations = list(dict.fromkeys(one.population for answers in found for one in answers))
    if len(populations) > 1:
        populations = [name for name in populations if name != "any"]
    known = tuple(zip(genes, states, strict=True))
    return [
        _row(drug, indication, [_for_population(answers, name) for answers in found], known) for name in populations
    ]


def _for_population(answers: Sequence[Advice], population: str) -> Advice:
    """Return the answer for a population; a combination that has none for it is without result."""
    for one in answers:
        if one.population == population:
            return one
    return _no_result(population)


def _no_result(population: str = "any") -> Advice:
    return Advice(population, "NO_RESULT", "none", "")


def _row(
    drug: str, indication: str | None, answers: list[Advice], genes: tuple[tuple[str, GeneState], ...]
) -> dict[str, object]:
    cautious = sorted(dict.fromkeys(answers), key=_caution)
    first = cautious[0]
    categories = list(dict.fromkeys(one.category for one in cautious))
    settled = not any(state.copies_open for _, state in genes)
    certain = len(categories) == 1 and settled and first.category not in _NO_STATEMENT
    answer = _answer(first.category, certain, genes)
    notes = [first.text or _why_no_result(answer, genes)]
    if indication is None and drug in _low_dose_drugs() and first.category not in ("NO_RESULT", "USE_LABEL"):
        notes.append(_LOW_DOSE_NOTE)
    if first.category != "NO_RESULT":
        notes += [_OPEN_NOTE] if len(categories) > 1 else []
        notes += _rests_on(genes)
    if not settled:
        notes.append(_COPIES_NOTE)
    return {
        "drug": drug,
        "population": first.population,
        "indication": indication,
        "category": first.category,
        "strength": first.strength,
        "certain": certain,
        "category_candidates": joined(categories),
        "genes_used": joined(gene for gene, state in genes if state.known == "called"),
        "guideline": first.guideline,
        "year": first.year,
        "pmid": first.pmid,
        "cpic_level": first.cpic_level,
        "text": " ".join(notes),
        "answer": answer,
    }


def _answer(category: str, certain: bool, genes: tuple[tuple[str, GeneState], ...]) -> str:
    """Name the kind of answer, so that what nobody tested and what no test could tell are not one word."""
    if not genes or (category == "NO_RECOMMENDATION" and certain):
        return category.lower()
    if category != "NO_RESULT":
        return "decided" if certain else "open"
    # Where the test of one gene failed and another was never done, the failed test is what must be said.
    untested = any(state.known == "not_tested" for _, state in genes)
    failed = any(state.known == "cannot_call" for _, state in genes)
    return "not_tested" if untested and not failed else "cannot_call"


def _why_no_result(answer: str, genes: tuple[tuple[str, GeneState], ...]) -> str:
    if all(state.known == "called" for _, state in genes):
        names = " and ".join(gene for gene, _ in genes)
        return f"Cannot call: {names} was tested, and no guideline row fits the result."
    start = "Not tested:" if answer == "not_tested" else "Cannot call:"
    return f"{start} {_told(genes)}, so the guideline cannot be asked."


def _rests_on(genes: tuple[tuple[str, GeneState], ...]) -> list[str]:
    """Say which gene of a two-gene answer is not known."""
    if all(state.known == "called" for _, state in genes):
        return []
    sure = " and ".join(gene for gene, state in genes if state.known == "called")
    return [f"This rests on {sure} alone: {_told(genes)}."]


def _told(genes: tuple[tuple[str, GeneState], ...]) -> str:
    words = {"not_tested": "was not tested", "cannot_call": "was tested but has no single meaning"}
    return " and ".join(f"{gene} {words[state.known]}" for gene, state in genes if state.known in words)


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
    results = set(zip(drug_genes(drug), phenotypes, strict=True))
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
