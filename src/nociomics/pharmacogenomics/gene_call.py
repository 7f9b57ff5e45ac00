"""The call of one gene: what the bases or an outside result leave possible, and what that means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from nociomics.knowledge.pharmacogene import COPY_NUMBER_GENES, HLA_GENES
from nociomics.pharmacogenomics.allele_panel import AllelePanel, Genotype, UnknownBaseError, allele_panel
from nociomics.pharmacogenomics.diplotype import Diplotype, DiplotypeError, allele_pair, parse_diplotype, parse_hla
from nociomics.pharmacogenomics.phenotype import NO_SCORE, UNLISTED, ActivityScore, read_score

USABLE_STATES = frozenset({"called", "strand_flipped"})
"""Call states whose bases may be compared; every other state leaves the position unknown."""

NO_RESULT_WORDS = frozenset({"", "no result", "not tested", "not done"})
"""What people write where a test was not done."""


@dataclass(frozen=True)
class Position:
    """One row of `tables.PHARMACOGENE_GENOTYPES` of one person.

    ``filled`` marks a position that the file lacks and that was taken as the
    reference of its build because the user asked for it.
    """

    rsid: str
    call_state: str
    base_1: str | None
    base_2: str | None
    block: str | None
    filled: bool = False

    @cached_property
    def genotype(self) -> Genotype | None:
        """The two bases, or None when the position says nothing certain (also a half or haploid call)."""
        if self.call_state not in USABLE_STATES or self.base_1 is None or self.base_2 is None:
            return None
        return Genotype(self.base_1, self.base_2, self.block)


@dataclass(frozen=True)
class GeneCall:
    """The columns of a call that do not name the person; see `calling.call_pharmacogenes` for their meaning."""

    gene: str
    call_state: str
    source: str | None = None
    diplotype_top: str | None = None
    diplotype_candidates: str | None = None
    n_candidates: int | None = None
    phased: bool | None = None
    positions_defining: int | None = None
    positions_called: int | None = None
    positions_missing: str | None = None
    missing_alleles: str | None = None
    partial_evidence: str | None = None
    copy_number_state: str | None = None
    function_1: str | None = None
    function_2: str | None = None
    activity_score_min: str | None = None
    activity_score_max: str | None = None
    activity_score_candidates: str | None = None
    phenotype: str | None = None
    phenotype_candidates: str | None = None
    phenotype_certain: bool | None = None
    genotypes: str | None = None
    genotype_names: str | None = None
    flags: str | None = None


def call_star_gene(gene: str, positions: Sequence[Position]) -> GeneCall:
    """Call a star-allele gene from the positions that a file has.

    Parameters
    ----------
    gene : str
        One of `knowledge.pharmacogene.STAR_GENES`.
    positions : sequence of Position
        At most one per rsID, all of this gene; an rsID without one is missing.

    Returns
    -------
    GeneCall
        ``called`` with every pair that fits, or ``no_call`` with the reason in
        ``flags``: no position readable, a base that no table knows, or bases
        that no pair of alleles explains.
    """
    panel = allele_panel(gene)
    called = {p.rsid: p.genotype for p in positions if p.genotype is not None}
    base = _position_columns(gene, positions, panel.rsids)
    unknown = [p.rsid for p in positions if p.call_state == "unknown_base"]
    if unknown:
        return _with_flags(base, f"unknown_base:{unknown[0]}")
    if not called:
        return base
    try:
        pairs = panel.pairs(called)
    except UnknownBaseError as error:
        return _with_flags(base, f"unknown_base:{error.rsid}")
    if not pairs:
        return _with_flags(base, "no_allele_fits")
    top = [_named(panel, pair) for pair in panel.best(pairs, called)]
    missing = [rsid for rsid in panel.rsids if rsid not in called]
    call = replace(
        base,
        call_state="called",
        phased=_is_phased(called),
        missing_alleles=joined(_open_alleles(panel, pairs, missing)),
    )
    call = _with_meaning(call, [_named(panel, pair) for pair in pairs], top)
    return _with_flags(call, "several_top" if len(top) > 1 else None)


def _named(panel: AllelePanel, pair: tuple[int, int]) -> Diplotype:
    return allele_pair(panel.gene, panel.alleles[pair[0]], panel.alleles[pair[1]])


def _is_phased(called: Mapping[str, Genotype]) -> bool | None:
    """Tell whether all heterozygous positions lie in one phase block; None when there are none."""
    blocks = [genotype.block for genotype in called.values() if genotype.is_heterozygous]
    return None if not blocks else None not in blocks and len(set(blocks)) == 1


def _open_alleles(panel: AllelePanel, pairs: list[tuple[int, int]], missing: list[str]) -> list[str]:
    """Return the alleles whose presence or number of copies the missing positions leave open."""
    resting = panel.resting_on(missing)
    holding = Counter(allele for pair in pairs for allele in set(pair))
    twice = {i for i, j in pairs if i == j}
    settled = {i for i, n in holding.items() if n == len(pairs) and (n == 1 or i not in twice)}
    return [panel.alleles[i] for i in sorted(holding) if resting >> i & 1 and i not in settled]


def _position_columns(gene: str, positions: Sequence[Position], rsids: Sequence[str]) -> GeneCall:
    called = {p.rsid for p in positions if p.genotype is not None}
    states = Counter("haploid" if _is_haploid(p) else p.call_state for p in positions)
    filled = sum(p.filled for p in positions)
    flags = [f"{state}:{n}" for state, n in sorted(states.items()) if state not in ("called", "unknown_base")]
    structural = gene in COPY_NUMBER_GENES
    return GeneCall(
        gene=gene,
        call_state="no_call",
        source="vcf",
        n_candidates=0,
        positions_defining=len(rsids),
        positions_called=len(called) - filled,
        positions_missing=joined(rsid for rsid in rsids if rsid not in called),
        partial_evidence=joined(_half_call(p) for p in positions if p.call_state == "half_call"),
        copy_number_state="unknown" if structural else None,
        flags=joined(
            [
                *(["copy_number_unknown"] if structural else []),
                *([f"absent_is_reference:{filled}"] if filled else []),
                *flags,
            ]
        ),
    )


def _is_haploid(position: Position) -> bool:
    return position.call_state in USABLE_STATES and position.genotype is None


def _half_call(position: Position) -> str:
    base = position.base_1 or position.base_2
    return position.rsid if base is None else f"{position.rsid}:{base}"


def joined(words: Iterable[str]) -> str | None:
    """Join words by ``|``, or None when there are none."""
    text = "|".join(words)
    return text or None


def _with_flags(call: GeneCall, flag: str | None) -> GeneCall:
    return call if flag is None else replace(call, flags=joined(filter(None, [call.flags, flag])))


def _with_meaning(call: GeneCall, candidates: Sequence[Diplotype], top: Sequence[Diplotype]) -> GeneCall:
    """Add what the candidate pairs mean together: one word only when all agree."""
    phenotypes = sorted({pair.phenotype for pair in candidates})
    functions = top[0].functions if len(top) == 1 else (None, None)
    low, high, scores = _score_range({pair.score_text for pair in candidates})
    return replace(
        call,
        diplotype_top=joined(pair.text for pair in top),
        diplotype_candidates=joined(pair.text for pair in candidates),
        n_candidates=len(candidates),
        function_1=functions[0],
        function_2=functions[1],
        activity_score_min=low,
        activity_score_max=high,
        activity_score_candidates=scores,
        phenotype=phenotypes[0] if len(phenotypes) == 1 else None,
        phenotype_candidates=joined(phenotypes),
        phenotype_certain=len(phenotypes) == 1,
    )


def _score_range(texts: set[str | None]) -> tuple[str | None, str | None, str | None]:
    """Return lowest, highest and all scores; a candidate without a score leaves no range."""
    if None in texts:
        return None, None, None
    known = sorted((score for score in map(read_score, texts) if score is not None), key=_score_order)
    if NO_SCORE in texts:
        return NO_SCORE, NO_SCORE, joined([*map(str, known), NO_SCORE])
    return str(known[0]), str(known[-1]), joined(map(str, known))


def _score_order(score: ActivityScore) -> tuple[bool, float]:
    return score.at_least, score.value


@dataclass(frozen=True)
class SingleVariant:
    """What the table knows of one variant: its bases, and how the counted one is called where it has a star name.

    Parameters
    ----------
    bases : frozenset of str
        Every base that the table knows.
    counted : str
        The base that is counted.
    names : tuple of str
        Its star names, the older first: ``("*1F", "*30")``.
    """

    bases: frozenset[str]
    counted: str
    names: tuple[str, ...] = ()


def call_genotype_gene(gene: str, positions: Sequence[Position], variants: Mapping[str, SingleVariant]) -> GeneCall:
    """Report a gene without guideline phenotype by the bases at its single variants.

    Parameters
    ----------
    gene : str
        Gene of `knowledge.pharmacogene.load_pain_variants`.
    positions : sequence of Position
        At most one per rsID.
    variants : mapping of str to SingleVariant
        The variants of this gene, by rsID.

    Returns
    -------
    GeneCall
        ``genotypes`` as ``rs4680:A/G``, bases in alphabetical order;
        ``genotype_names`` of the bases that are there and have a star name,
        every name of it: ``rs762551:A=*1F,*30``.
    """
    base = _position_columns(gene, positions, list(variants))
    shown, named = [], []
    for p in sorted(positions, key=lambda p: p.rsid):
        variant = variants[p.rsid]
        if p.call_state == "unknown_base":
            base = _with_flags(base, f"unknown_base:{p.rsid}")
        if p.genotype is None:
            continue
        bases = sorted((p.genotype.base_1, p.genotype.base_2))
        if not variant.bases.issuperset(bases):
            base = _with_flags(base, f"unknown_base:{p.rsid}")
            continue
        shown.append(f"{p.rsid}:{'/'.join(bases)}")
        if variant.names and variant.counted in bases:
            named.append(f"{p.rsid}:{variant.counted}={','.join(variant.names)}")
    return replace(
        base,
        call_state="called" if shown else "no_call",
        n_candidates=None,
        genotypes=joined(shown),
        genotype_names=joined(named),
    )


def call_outside_result(gene: str, text: str) -> GeneCall | None:
    """Read a result that was called elsewhere; None when it says that nothing was tested.

    Parameters
    ----------
    gene : str
        Any gene.
    text : str
        Diplotype, several possible diplotypes joined by ``|``, or HLA typing.

    Returns
    -------
    GeneCall or None
        ``refused`` with the reason in ``flags`` when it cannot be read with one
        meaning: then no other call takes its place.
    """
    if text.strip().lower() in NO_RESULT_WORDS:
        return None
    read: Callable[[str, str], GeneCall] = _read_hla if gene in HLA_GENES else _read_diplotypes
    try:
        return read(gene, text)
    except DiplotypeError as error:
        return GeneCall(gene, "refused", source="outside", n_candidates=0, flags=error.reason)


def _read_diplotypes(gene: str, text: str) -> GeneCall:
    parts = text.split("|")
    several = len(parts) > 1 and all("/" in part for part in parts)
    pairs = [parse_diplotype(part, gene) for part in (parts if several else [text])]
    flags = []
    if any(UNLISTED in word for pair in pairs for word in pair.functions):
        flags.append("allele_not_in_tables")
    if any(c.copies is None or c.at_least for pair in pairs for hap in pair.haplotypes for c in hap):
        flags.append("copy_count_open")
    copies = "known" if gene in COPY_NUMBER_GENES else None
    call = GeneCall(gene, "called", source="outside", copy_number_state=copies, flags=joined(flags))
    return _with_meaning(call, pairs, pairs)


def _read_hla(gene: str, text: str) -> GeneCall:
    carriage = parse_hla(text, gene)
    return GeneCall(
        gene,
        "called",
        source="outside",
        diplotype_top=carriage,
        diplotype_candidates=carriage,
        n_candidates=1,
        phenotype=carriage,
        phenotype_candidates=carriage,
        phenotype_certain=True,
    )
