"""What the pages say about pharmacogenes, as data: plain words for phenotypes, doubts and groups of drugs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DrugGroupName = Literal["act", "open", "no_change", "no_pgx", "not_tested", "cannot_call", "no_advice"]


@dataclass(frozen=True)
class GroupWords:
    """Title and first sentence of a group of drugs, for the patient and for the clinician."""

    plain: str
    sentence: str
    clinical: str
    short: str


GROUPS: dict[DrugGroupName, GroupWords] = {
    "act": GroupWords(
        "Ask before you take these",
        "Your genes, or other drugs you take, change how these work. This is what the guideline says:",
        "Act on this",
        "call for a change",
    ),
    "open": GroupWords(
        "These may need care",
        "The test leaves it open. This is the most careful advice that fits:",
        "Open: a change may be called for",
        "are not settled",
    ),
    "no_change": GroupWords(
        "Your genes ask for no change",
        "Take these as your doctor says:",
        "No change",
        "need no change",
    ),
    "no_pgx": GroupWords(
        "No gene is known to matter here",
        "For these drugs, no gene gives advice:",
        "No actionable pharmacogenetics",
        "have no gene that matters",
    ),
    "not_tested": GroupWords(
        "Not tested",
        "The genes for these drugs were not tested. So your genes may matter or not:",
        "Not tested",
        "were not tested",
    ),
    "cannot_call": GroupWords(
        "We cannot tell",
        "The gene was tested, but the result cannot be read or no one knows what it means:",
        "Cannot call",
        "cannot be told",
    ),
    "no_advice": GroupWords(
        "No advice yet",
        "No advice for your result is at hand. Ask your doctor about these:",
        "No guideline advice at hand",
        "have no advice yet",
    ),
}
"""Every group a drug can fall into, the most pressing first."""

PACE = {
    "Poor Metabolizer": "hardly works",
    "Likely Poor Metabolizer": "most likely hardly works",
    "Intermediate Metabolizer": "works slower than in most people",
    "Likely Intermediate Metabolizer": "most likely works slower than in most people",
    "Possible Intermediate Metabolizer": "may work slower than in most people",
    "Normal Metabolizer": "works as in most people",
    "Rapid Metabolizer": "works faster than in most people",
    "Ultrarapid Metabolizer": "works much faster than in most people",
    "Indeterminate": "has a form that no one can judge yet",
    "no CPIC assignment": "has a form that no one can judge yet",
}
"""What an enzyme does, by the guidelines' word for it."""

ANYTHING = 'may be anything from "{}" to "{}"'
HLA_FOUND = "has a form that can bring a bad skin reaction with some drugs"
HLA_ABSENT = "does not have the form that was looked for"

NOT_TESTED = "not tested"
CANNOT_CALL = "was tested, but the result cannot be read"
OTHER_RESULT = "has a result that these words do not cover"

HOW_SURE = {"sure": "sure", "open": "not sure", "unclear": "not known", "cannot_call": "not known"}
"""How sure a gene's result is, by its state."""

COPIES_PLAIN = "Copies of this gene were not counted. More or fewer copies would change this."
COPIES_DRUG = "not sure, as copies of the gene were not counted"
PARTLY_TESTED = "only part of the genes was tested"

SAME_ADVICE = "The advice stays the same."

SOURCES = {"vcf": "positions", "outside": "called elsewhere"}
"""Where a call came from."""

FLAGS = {
    "copy_number_unknown": "copies not counted: deletions, duplications and hybrids cannot be seen",
    "absent_is_reference": "{} absent positions taken as reference, as asked",
    "no_call": "{} positions without a call",
    "half_call": "{} half calls",
    "haploid": "{} haploid calls",
    "filtered": "{} positions filtered out",
    "strand_flipped": "{} positions read from the other strand",
    "strand_ambiguous": "{} positions refused: strand cannot be told",
    "unknown_base": "a base that no table knows at {}",
    "no_allele_fits": "no pair of known alleles explains the bases",
    "several_top": "several pairs rank first",
    "allele_not_in_tables": "an allele that no table knows",
    "copy_count_open": "number of copies not given",
    "ambiguous_notation": "refused: notation with several meanings",
    "not_two_haplotypes": "refused: not two haplotypes",
    "not_a_star_allele": "refused: not a star allele",
    "copies_not_supported": "refused: copies of this gene have no known activity",
    "gene_not_in_tables": "refused: gene not in the tables",
    "hla_typing_not_usable": "refused: typing too coarse, or of another allele",
}
"""Flags of a call; ``{}`` is what stands behind the colon. One that is not here is written as it is."""

POPULATIONS = {
    "CBZ naive": "never taken before",
    "CBZ-no alternatives": "no other drug possible",
    "CBZ use >3mos": "taken for over 3 months",
    "OXC naive": "never taken before",
    "OXC use >3 mos": "taken for over 3 months",
}
"""Whom a row of advice is for, by the tables' own word."""

DO_NOT_CHANGE = "Do not stop or change a drug on your own. Show this card to your doctor or to a pharmacist."
GENES_ONLY = (
    "Genes are one part of how a drug works. Your age, other drugs, your liver and your kidneys count, too. "
    "Tell your doctor how a drug works for you."
)

MEDICATION = {
    "not_given": "no medication list was given, so inhibitors are not known",
    "not_listed": "the medication list does not name this person, so inhibitors are not known",
    "unclear": "an inhibitor is named, but not whether it is taken now",
    "read": "medication list read",
}
"""What is known of other drugs that slow an enzyme, by the calls' ``medication_state``."""
MEDICATION_UNKNOWN = "not looked at"

NO_INDICATION = "none named: advice is for the guidelines' own doses"

MISSING_POLICY = "a position that the file lacks is missing, not reference; every pair that fits is kept"

SIDE_TITLE = "One tablet, three people"
SIDE_KICKER = "demonstration"
SIDE_INVENTED = "The people are invented; the advice is that of the tables."
SIDE_SENTENCE = (
    "The body turns codeine into morphine with one enzyme, CYP2D6. Where it hardly works, little relief comes; where "
    "it works much faster, too much morphine may form. For acetaminophen, no gene with advice is known."
)
