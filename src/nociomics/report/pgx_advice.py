"""Drug advice of one person in groups, from what asks for a change to what cannot be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from nociomics.knowledge.pharmacogene import load_advice_categories, load_drug_recommendations
from nociomics.report import pgx_words as words
from nociomics.report.formats import is_null
from nociomics.report.pgx_rows import GeneRow, Rows, dict_rows, parts

_ASKS_FOR_SOMETHING = 40  # caution of knowledge/pgx/advice_categories.csv from which advice differs from usual use
_WITHOUT_STATEMENT = ("NO_RESULT", "NO_RECOMMENDATION")


@dataclass(frozen=True)
class AdviceRow:
    """Drugs that get the same answer for the same reason.

    Parameters
    ----------
    drugs, details : tuple of str
        Names, and of each in words: CPIC level, strength of the advice, whom it is for.
    category, text : str
        The advice in words, short and whole, as the table has it.
    others : tuple of str
        Further advice that open results would give, in words.
    with_inhibitors, text_with_inhibitors : str
        Advice while the person takes inhibitors; "" without.
    sure, genes : str
        Certain or not; genes that were used, and which were not tested.
    guideline, reference : str
        Its name; its year and PMID.
    note : str
        Why the patient cannot be sure of it, in plain words; "" when certain.
    caution : int
        Of the table of categories: higher is more cautious.
    """

    drugs: tuple[str, ...]
    details: tuple[str, ...]
    category: str
    text: str
    others: tuple[str, ...]
    with_inhibitors: str
    text_with_inhibitors: str
    sure: str
    genes: str
    guideline: str
    reference: str
    note: str
    caution: int

    @property
    def source(self) -> str:
        """Guideline, year and PMID."""
        return ", ".join(filter(None, [self.guideline, self.reference]))

    @property
    def drugs_with_details(self) -> str:
        """Drugs, each with its details in brackets where there are any."""
        pairs = zip(self.drugs, self.details, strict=True)
        return ", ".join(f"{drug} ({detail})" if detail else drug for drug, detail in pairs)


@dataclass
class DrugGroup:
    """Drugs of one kind of answer; ``plain`` leaves out drugs that a more pressing group names."""

    name: words.DrugGroupName
    rows: list[AdviceRow] = field(default_factory=list)
    plain: list[tuple[str, tuple[str, ...], AdviceRow]] = field(default_factory=list)

    @property
    def words(self) -> words.GroupWords:
        """Title and sentence."""
        return words.GROUPS[self.name]

    @property
    def drugs(self) -> list[str]:
        """Every drug of the group, once."""
        return list(dict.fromkeys(drug for row in self.rows for drug in row.drugs))

    @property
    def plain_drugs(self) -> list[str]:
        """Drugs that the patient's half names here."""
        return list(dict.fromkeys(drug for _, drugs, _ in self.plain for drug in drugs))


def drug_groups(recommendations: Rows, genes: Sequence[GeneRow] = ()) -> list[DrugGroup]:
    """Sort a person's drug advice into groups, the most pressing first.

    Parameters
    ----------
    recommendations : DataFrame or rows of it, or None
        The person's rows of `PGX_RECOMMENDATIONS`: ``drug`` and of ``category, category_candidates,
        strength, certain, population, guideline, year, pmid, cpic_level, genes_used, text, answer`` and the columns
        about inhibitors what there is.
    genes : sequence of GeneRow
        The person's genes: they tell an untested gene from one that could not be called.

    Returns
    -------
    list of DrugGroup
        Groups that have a drug. A drug is in ``act`` only when every result that is still possible (or the
        person's inhibitors) asks for something; when only some do, or copies that were not counted could
        change it, it is ``open``.
    """
    states = {row.gene: row for row in genes}
    found: dict[words.DrugGroupName, list[AdviceRow]] = {}
    for row in sorted(dict_rows(recommendations), key=lambda row: (str(row["drug"]), str(row.get("population")))):
        found.setdefault(_group(row, states), []).append(_advice_row(row, states))
    groups = [DrugGroup(name, _merged(found[name])) for name in words.GROUPS if name in found]
    _fill_plain(groups)
    return groups


def _group(row: Mapping[str, Any], states: Mapping[str, GeneRow]) -> words.DrugGroupName:
    category = _category(row)
    if _caution(row.get("category_with_inhibitors")) >= _ASKS_FOR_SOMETHING:
        return "act"
    if _caution(category) >= _ASKS_FOR_SOMETHING:
        every = all(_caution(name) >= _ASKS_FOR_SOMETHING for name in parts(row.get("category_candidates")))
        return "act" if every else "open"
    if category == "NO_ACTIONABLE_PGX":
        return "no_pgx"
    if category == "NOT_COVERED":
        return "no_advice"
    if category in _WITHOUT_STATEMENT:
        return _without_statement(row, states)
    return "open" if row.get("certain") is False else "no_change"


def _without_statement(row: Mapping[str, Any], states: Mapping[str, GeneRow]) -> words.DrugGroupName:
    """Tell why there is no advice: nothing tested, nothing readable, or a guideline without an answer."""
    if row.get("answer") in ("cannot_call", "not_tested"):
        return "cannot_call" if row["answer"] == "cannot_call" else "not_tested"
    known = [states[gene].state if gene in states else "not_tested" for gene in drug_genes(str(row["drug"]))]
    if any(state in ("cannot_call", "unclear", "open") for state in known):
        return "cannot_call"
    if "not_tested" in known or (not known and _category(row) == "NO_RESULT"):
        return "not_tested"
    return "no_advice"


@cache
def _genes_of_drugs() -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for drug, *pair in (
        load_drug_recommendations().select("drug", "gene_1", "gene_2").unique(maintain_order=True).rows()
    ):
        found.setdefault(drug, {}).update({gene: None for gene in pair if gene is not None})
    return {drug: tuple(genes) for drug, genes in found.items()}


def drug_genes(drug: str) -> tuple[str, ...]:
    """Return the genes that a drug's guideline table goes by; empty for a drug without one.

    Examples
    --------
    >>> drug_genes("codeine"), drug_genes("acetaminophen")
    (('CYP2D6',), ())
    """
    return _genes_of_drugs().get(drug, ())


@cache
def _categories() -> dict[str, tuple[int, str]]:
    rows = load_advice_categories().select("category", "caution", "meaning").rows()
    return {category: (caution, meaning) for category, caution, meaning in rows}


def _category(row: Mapping[str, Any]) -> str:
    return str(row.get("category") or "NO_RESULT")


def _caution(category: Any) -> int:
    """Caution of a category; a word that we do not know is shown, not folded away, and no word asks for nothing."""
    return 0 if is_null(category) else _categories().get(str(category), (_ASKS_FOR_SOMETHING, ""))[0]


def category_words(category: str) -> str:
    """Say a category of advice in a few words, as the table of categories does.

    Examples
    --------
    >>> category_words("USE_LABEL"), category_words("A_NEW_ONE")
    ('usual dose', 'a new one')
    """
    return _categories().get(category, (0, category.replace("_", " ").lower()))[1]


@cache
def _no_statements() -> frozenset[str]:
    return frozenset(map(category_words, _WITHOUT_STATEMENT))


def _advice_row(row: Mapping[str, Any], states: Mapping[str, GeneRow]) -> AdviceRow:
    drug, category = str(row["drug"]), _category(row)
    changed = row.get("category_with_inhibitors")
    year, pmid = ("" if is_null(row.get(name)) else str(row[name]) for name in ("year", "pmid"))
    untested = _untested(drug, states)
    return AdviceRow(
        drugs=(drug,),
        details=(_details(row),),
        category=category_words(category),
        text=str(row.get("text") or ""),
        others=tuple(category_words(name) for name in parts(row.get("category_candidates")) if name != category),
        with_inhibitors="" if is_null(changed) else category_words(str(changed)),
        text_with_inhibitors=_text_with_inhibitors(row),
        sure={True: "certain", False: "not certain"}.get(row.get("certain"), ""),  # type: ignore[arg-type]
        genes=_genes(row, untested),
        guideline="" if is_null(row.get("guideline")) else str(row["guideline"]),
        reference=", ".join(filter(None, [year, f"PMID {pmid}" if pmid else ""])),
        note=_note(row, untested),
        caution=max(_caution(category), _caution(changed)),
    )


def _text_with_inhibitors(row: Mapping[str, Any]) -> str:
    """Return the advice under inhibitors; where it repeats the genetic advice, that is said instead."""
    text, own = str(row.get("text_with_inhibitors") or ""), str(row.get("text") or "")
    if is_null(row.get("category_with_inhibitors")):
        return ""
    return f"{text.removesuffix(own)}{words.SAME_ADVICE}" if own and text.endswith(own) else text


def _details(row: Mapping[str, Any]) -> str:
    """Say CPIC level and strength where the tables give them, and whom it is for unless it is for everyone."""
    level, strength, population = (row.get(name) for name in ("cpic_level", "strength", "population"))
    graded = [str(word) for word in (level, strength) if not is_null(word) and word not in ("", "none")]
    whom = None if population in (None, "", "general", "any") else words.POPULATIONS.get(population, population)
    return "; ".join(filter(None, [", ".join(graded), whom]))


def _untested(drug: str, states: Mapping[str, GeneRow]) -> list[str]:
    genes = drug_genes(drug)
    return [gene for gene in genes if gene in states and states[gene].state == "not_tested"] if states else []


def _genes(row: Mapping[str, Any], untested: list[str]) -> str:
    used = ", ".join(parts(row.get("genes_used")))
    missing = f"{', '.join(untested)} not tested" if untested else ""
    return "; ".join(filter(None, [used, missing]))


def _note(row: Mapping[str, Any], untested: list[str]) -> str:
    """Say in plain words what keeps advice that was given from being certain."""
    notes = []
    if row.get("certain") is False and len(parts(row.get("category_candidates"))) < 2:
        notes.append(words.COPIES_DRUG)
    if untested and row.get("genes_used"):
        notes.append(words.PARTLY_TESTED)
    return "; ".join(notes)


def _merged(rows: Sequence[AdviceRow]) -> list[AdviceRow]:
    """Put drugs with the same answer into one row, the most cautious first."""
    same: dict[tuple[Any, ...], list[AdviceRow]] = {}
    for row in rows:
        key = tuple(value for name, value in vars(row).items() if name not in ("drugs", "details"))
        same.setdefault(key, []).append(row)
    merged = [
        AdviceRow(
            **{
                **vars(alike[0]),
                "drugs": tuple(row.drugs[0] for row in alike),
                "details": tuple(row.details[0] for row in alike),
            }
        )
        for alike in same.values()
    ]
    return sorted(merged, key=lambda row: (-row.caution, row.drugs))


def shared_sentence(groups: Sequence[DrugGroup]) -> str:
    """Return the first sentence that all texts about inhibitors share, to be said once; "" where they differ."""
    texts = [row.text_with_inhibitors for group in groups for row in group.rows if row.text_with_inhibitors]
    first = {text.partition(". ")[0] for text in texts}
    return f"{first.pop()}." if len(texts) > 1 and len(first) == 1 and all(". " in text for text in texts) else ""


def _fill_plain(groups: Sequence[DrugGroup]) -> None:
    """Name each drug once in the patient's half, in its most pressing group and by its most cautious advice."""
    told: set[str] = set()
    for group in groups:
        by_words: dict[str, tuple[list[str], AdviceRow]] = {}
        for row in group.rows:
            new = [drug for drug in dict.fromkeys(row.drugs) if drug not in told]
            told.update(new)
            if new:
                by_words.setdefault(_plain_words(group.name, row), ([], row))[0].extend(new)
        group.plain = [(said, tuple(drugs), row) for said, (drugs, row) in by_words.items()]


def _plain_words(name: words.DrugGroupName, row: AdviceRow) -> str:
    if name not in ("act", "open"):
        return row.note if name == "no_change" else ""
    said = row.category
    if row.with_inhibitors and row.with_inhibitors != row.category:
        said = f"{row.with_inhibitors}, because of another drug you take; by your genes alone: {row.category}"
    others = [other for other in row.others if other not in _no_statements()]
    if others:
        said += f"; it may also be: {'; or '.join(others)}"
    return f"{said} ({row.note})" if row.note else said
