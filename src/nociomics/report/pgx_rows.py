"""Pharmacogenes of one person as rows for a page: what was called, how sure, and what the guidelines say.

The card and the profile use the same rows, so that they cannot say different things.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import polars as pl

from nociomics.knowledge.pharmacogene import (
    HLA_GENES,
    INDETERMINATE,
    NO_ASSIGNMENT,
    STAR_GENES,
    load_pain_variants,
)
from nociomics.report import pgx_words as words
from nociomics.report.formats import count, is_null

GeneState = Literal["sure", "open", "unclear", "cannot_call", "not_tested"]
Rows = pl.DataFrame | Iterable[Mapping[str, Any]] | None

_MOST_CANDIDATES = 4
_MOST_PACES = 3
_INACTIVE = "0.0"
_METABOLIZER = " Metabolizer"


@dataclass(frozen=True)
class GeneRow:
    """One gene of one person.

    Parameters
    ----------
    gene : str
    state : {"sure", "open", "unclear", "cannot_call", "not_tested"}
        ``open``: several results fit, or copies were not counted. ``unclear``: called, but nobody knows
        what the result means.
    diplotype, others : str
        The pair, and in words the other pairs that fit; "" where there is none.
    functions, score, phenotype : str
        For the clinician; "" where there is none.
    with_inhibitors, inhibitor_source : str
        The phenotype while the person takes inhibitors, and who says so; "" without.
    tested, source : str
        How many of how many positions; where the result came from, with the build.
    doubts : tuple of str
        What weakens the call, in words.
    plain, plain_with_inhibitors : str
        What the gene does, for someone who is not a clinician.
    genotypes : str
        Bases of a gene without guideline phenotype; "" for others.
    """

    gene: str
    state: GeneState
    diplotype: str = ""
    others: str = ""
    functions: str = ""
    score: str = ""
    phenotype: str = ""
    with_inhibitors: str = ""
    inhibitor_source: str = ""
    tested: str = ""
    source: str = ""
    doubts: tuple[str, ...] = ()
    plain: str = ""
    plain_with_inhibitors: str = ""
    genotypes: str = ""

    @property
    def copies_open(self) -> bool:
        """Whether copies that were not counted could change the result."""
        return self.state == "open" and words.FLAGS["copy_number_unknown"] in self.doubts


def dict_rows(rows: Rows) -> list[dict[str, Any]]:
    """Return a table's rows as mappings; no table gives none."""
    if rows is None:
        return []
    return rows.to_dicts() if isinstance(rows, pl.DataFrame) else [dict(row) for row in rows]


def gene_rows(calls: Rows) -> list[GeneRow]:
    """Write the person's calls, one row per gene in the order of the tables.

    Parameters
    ----------
    calls : DataFrame or rows of it, or None
        The person's rows of `PGX_CALLS`: ``gene``, and of its other columns what there is. Sets are joined
        by ``|``. A gene without a call is ``not_tested``, never anything better.

    Returns
    -------
    list of GeneRow
        Genes with guideline phenotypes first.
    """
    found = [_gene_row(row) for row in dict_rows(calls)]
    return sorted(found, key=lambda row: (_place(row.gene), row.gene))


@cache
def _places() -> dict[str, int]:
    known = (*STAR_GENES, *HLA_GENES, *dict.fromkeys(load_pain_variants()["gene"]))
    return {gene: place for place, gene in enumerate(known)}


def _place(gene: str) -> int:
    return _places().get(gene, len(_places()))


def has_guideline(gene: str) -> bool:
    """Tell whether guidelines give this gene a phenotype; the others are shown by their bases alone."""
    return gene in STAR_GENES or gene in HLA_GENES


def _gene_row(row: Mapping[str, Any]) -> GeneRow:
    state = _state(row)
    inhibitors = parts(row.get("inhibitors"))
    changed = row.get("phenotype_with_inhibitors") if inhibitors else None
    return GeneRow(
        gene=str(row["gene"]),
        state=state,
        **_pairs(row),
        functions=_functions(row),
        score=_score(row),
        phenotype=_phenotype(row, state),
        with_inhibitors=_with_inhibitors(row, inhibitors, changed),
        inhibitor_source="; ".join(parts(row.get("inhibitor_source"))) if inhibitors else "",
        tested=_tested(row),
        source=_source(row),
        doubts=tuple(_doubts(row)),
        plain=_plain(str(row["gene"]), state, _phenotypes(row)),
        plain_with_inhibitors="" if is_null(changed) else f"With {', '.join(inhibitors)}, it {_paces(parts(changed))}.",
        genotypes=_genotypes(row),
    )


def _state(row: Mapping[str, Any]) -> GeneState:
    called = row.get("call_state") or ("called" if row.get("phenotype") or row.get("diplotype_top") else "not_tested")
    if called == "not_tested":
        return "not_tested"
    if called != "called":
        return "cannot_call"
    phenotypes = _phenotypes(row)
    if phenotypes and set(phenotypes) <= {INDETERMINATE, NO_ASSIGNMENT}:
        return "unclear"
    # No number of copies makes two inactive haplotypes active.
    inactive = {row.get("activity_score_min"), row.get("activity_score_max")} == {_INACTIVE}
    copies = row.get("copy_number_state") == "unknown" and not inactive
    return "open" if row.get("phenotype_certain") is False or copies or len(phenotypes) > 1 else "sure"


def _genotypes(row: Mapping[str, Any]) -> str:
    shown = [part.replace(":", " ") for part in parts(row.get("genotypes"))]
    named = [
        part.partition(":")[2].replace("=", " is ").replace(",", " or ") for part in parts(row.get("genotype_names"))
    ]
    return ", ".join(shown) + (f" ({', '.join(named)})" if named else "")


def _phenotypes(row: Mapping[str, Any]) -> list[str]:
    return parts(row.get("phenotype_candidates")) or parts(row.get("phenotype"))


def _phenotype(row: Mapping[str, Any], state: GeneState) -> str:
    if state == "not_tested":
        return words.NOT_TESTED
    if state == "cannot_call":
        return "cannot call"
    return _together(_phenotypes(row)) or "not known"


def _together(phenotypes: Iterable[str]) -> str:
    """Write a set of phenotypes from slow to fast, the word they share once.

    Examples
    --------
    >>> _together(["Indeterminate", "Normal Metabolizer", "Poor Metabolizer"])
    'Poor or Normal Metabolizer or Indeterminate'
    """
    ordered = _by_pace(phenotypes)
    paces = [word.removesuffix(_METABOLIZER) for word in ordered if word.endswith(_METABOLIZER)]
    rest = [word.replace("_", " ") for word in ordered if not word.endswith(_METABOLIZER)]
    shared = [f"{', '.join(paces[:-1])} or {paces[-1]}" if len(paces) > 1 else paces[0]] if paces else []
    return " or ".join([f"{words_}{_METABOLIZER}" for words_ in shared] + rest)


def _by_pace(phenotypes: Iterable[str]) -> list[str]:
    known = list(words.PACE)
    return sorted(dict.fromkeys(phenotypes), key=lambda word: known.index(word) if word in known else len(known))


def _with_inhibitors(row: Mapping[str, Any], inhibitors: list[str], changed: Any) -> str:
    if not inhibitors:
        return ""
    score = row.get("activity_score_with_inhibitors")
    said = "not known" if is_null(changed) else _together(parts(changed))
    return f"with {', '.join(inhibitors)}: {said}" + ("" if is_null(score) else f", score {_one_score(score)}")


def _pairs(row: Mapping[str, Any]) -> dict[str, str]:
    """Name the pair, or say how many fit: with many, none of them is put forward."""
    if row.get("gene") in HLA_GENES:
        return {}  # carriage is the phenotype
    top = str(row.get("diplotype_top") or row.get("diplotype") or "").replace("|", " or ")
    candidates = _first_parts(row.get("diplotype_candidates"), _MOST_CANDIDATES + 2)
    total = row.get("n_candidates") or len(candidates)
    if total > _MOST_CANDIDATES + 1:
        return {"diplotype": f"one of {count(total)} pairs", "others": f"such as {', '.join(candidates[:3])}"}
    others = [name for name in candidates if name not in top.split(" or ")]
    return {"diplotype": top, "others": f"also possible: {', '.join(others)}" if others else ""}


def _functions(row: Mapping[str, Any]) -> str:
    """Name the functions of both haplotypes, the word itself once; none where no pair is put forward."""
    if (row.get("n_candidates") or 0) > _MOST_CANDIDATES + 1:
        return ""
    found = [str(row[name]) for name in ("function_1", "function_2") if not is_null(row.get(name))]
    return f"{' / '.join(found).replace(' function', '')} function" if found else ""


def _score(row: Mapping[str, Any]) -> str:
    low, high = row.get("activity_score_min"), row.get("activity_score_max")
    ends = [_one_score(end) for end in (low, high) if not is_null(end) and end != ""]
    if not ends:
        return "" if is_null(row.get("activity_score")) else str(row["activity_score"])
    return ends[0] if len(set(ends)) == 1 else f"{ends[0]} to {ends[-1]}"


def _one_score(value: Any) -> str:
    return " or ".join(value.split("|")) if isinstance(value, str) else f"{value:g}"


def _tested(row: Mapping[str, Any]) -> str:
    called, known = row.get("positions_called"), row.get("positions_defining")
    return "" if is_null(called) or is_null(known) else f"{count(called)} of {count(known)} positions"


def _source(row: Mapping[str, Any]) -> str:
    source = row.get("source")
    if is_null(source):
        return ""
    return ", ".join(filter(None, [words.SOURCES.get(str(source), str(source)), row.get("build")]))


def _doubts(row: Mapping[str, Any]) -> list[str]:
    found = []
    if row.get("phenotype_certain") is False:
        found.append("phenotype not certain")
    flags = parts(row.get("flags"))
    if row.get("copy_number_state") == "unknown" and "copy_number_unknown" not in flags:
        flags.insert(0, "copy_number_unknown")
    for flag in flags:
        name, _, detail = flag.partition(":")
        found.append(words.FLAGS[name].format(detail) if name in words.FLAGS else flag.replace("_", " "))
    open_alleles = _first_parts(row.get("missing_alleles"), _MOST_CANDIDATES + 2)
    if open_alleles:
        more = ", ..." if len(open_alleles) > _MOST_CANDIDATES + 1 else ""
        found.append(f"not excluded: {', '.join(open_alleles[: _MOST_CANDIDATES + 1])}{more}")
    return found


def _plain(gene: str, state: GeneState, phenotypes: Sequence[str]) -> str:
    if state == "not_tested":
        return words.NOT_TESTED
    if state == "cannot_call":
        return words.CANNOT_CALL
    return _paces(phenotypes) if phenotypes else words.OTHER_RESULT


def _paces(phenotypes: Sequence[str]) -> str:
    """Say what the gene may do; of many possible paces only the ends."""
    ordered = _by_pace(phenotypes)
    paces = [words.PACE[word] for word in ordered if word.endswith(_METABOLIZER) and word in words.PACE]
    said = list(dict.fromkeys(map(_pace, ordered)))
    if len(paces) >= _MOST_PACES:
        span = words.ANYTHING.format(paces[0], paces[-1])
        said = [span, *(one for one in said if one not in paces)]
    return ", or ".join(said) or words.OTHER_RESULT


def _pace(phenotype: str) -> str:
    if phenotype.endswith(" positive"):
        return words.HLA_FOUND
    if phenotype.endswith(" negative"):
        return words.HLA_ABSENT
    return words.PACE.get(phenotype, words.OTHER_RESULT)


def parts(value: Any) -> list[str]:
    """Members of a set: a list, or text joined by ``|``.

    Examples
    --------
    >>> parts("*1/*4|*1/*10"), parts(None)
    (['*1/*4', '*1/*10'], [])
    """
    return _first_parts(value, None)


def _first_parts(value: Any, most: int | None) -> list[str]:
    """Members of a set, at most so many: thousands of pairs are not taken apart to show three."""
    if value is None:
        return []
    split = value.split("|", -1 if most is None else most) if isinstance(value, str) else list(map(str, value))
    return [part for part in split[:most] if part]
