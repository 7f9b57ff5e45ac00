"""Drugs that inhibit the enzyme of a pharmacogene, and the names that medication lists give them."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_PARTS = re.compile(r"[/+;,&|()\[\]-]|\band\b|\bwith\b")
_TOKENS = re.compile(r"[^\W_]+(?:\.\d+)?")
_AMOUNT = re.compile(r"\d[\d.]*(?:mg|mcg|ug|g|ml)?|x\d+|\d+x")
# What may stand beside a name without changing which drug it is: salts, forms, units, how often.
_BESIDE = frozenset(
    "mg mcg ug g ml hydrochloride hcl hydrobromide sulfate sulphate gluconate acetate mesylate hydrate succinate "
    "polacrilex tablet tablets tab tabs capsule capsules cap caps film coated oral po sr xr xl er cr la dr retard "
    "extended modified delayed release daily once twice day d od bd bid tid qd qam qhs prn mane nocte morning evening "
    "night per a x the".split()
)
# Words that make an entry say more than "takes this"; what it says is not guessed.
_IN_DOUBT = frozenset(
    "stopped stop discontinued ended former formerly previous previously past history allergy allergic intolerance "
    "intolerant not no never ex until paused planned tapered tapering topical cream gel ointment lotion".split()
)
NO_MEDICATION = frozenset({"none", "no", "nothing", "no medication", "no medications", "no drugs", "nil", "n/a"})
"""What people write for "takes nothing"; the row says that the person was asked."""


@dataclass(frozen=True)
class Inhibitor:
    """One inhibitor of an enzyme.

    Parameters
    ----------
    gene : str
        Gene of the enzyme.
    drug : str
        Generic name, lower case.
    strength : str
        ``strong`` or ``moderate``.
    multiplier : float
        What the activity score is multiplied by: 0 (strong) or 0.5 (moderate).
    synonyms : tuple of str
        Further names, lower case.
    atc : str
        ATC code of the systemic form.
    evidence : str
        ``two_lists``, ``one_list`` or ``lists_differ``: how the strength was checked.
    multiplier_source, source : str
        Where multiplier and strength come from; "general" marks what was not read anew.
    """

    gene: str
    drug: str
    strength: str
    multiplier: float
    synonyms: tuple[str, ...]
    atc: str
    evidence: str
    multiplier_source: str
    source: str


@cache
def load_inhibitors() -> tuple[Inhibitor, ...]:
    """Load the inhibitors of `knowledge/pgx/inhibitors.csv`, strong ones first.

    Examples
    --------
    >>> [one.drug for one in load_inhibitors() if one.multiplier == 0][:4]
    ['bupropion', 'fluoxetine', 'paroxetine', 'quinidine']
    """
    text = (files("nociomics.knowledge") / "pgx" / "inhibitors.csv").read_text(encoding="utf-8")
    return tuple(
        Inhibitor(
            row["gene"],
            row["drug"],
            row["strength"],
            float(row["multiplier"]),
            tuple(name for name in row["synonyms"].split(";") if name),
            row["atc"],
            row["evidence"],
            row["multiplier_source"],
            row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    )


@cache
def inhibited_genes() -> tuple[str, ...]:
    """Return the genes that have inhibitors here."""
    return tuple(dict.fromkeys(one.gene for one in load_inhibitors()))


@cache
def drugs_named(text: str) -> tuple[str, ...]:
    """Split an entry of a medication list into drug names, without doses, salts and forms.

    Parameters
    ----------
    text : str
        As written, such as ``Fluoxetine 20 mg daily`` or ``naltrexone/bupropion``.

    Returns
    -------
    tuple of str
        Names in lower case; an ATC code is a name too.

    Examples
    --------
    >>> drugs_named("Paroxetine HCl 20mg / Codeine 30 mg")
    ('paroxetine', 'codeine')
    """
    names = []
    for part in _PARTS.split(text.lower()):
        words = [word for word in _TOKENS.findall(part) if word not in _BESIDE and not _AMOUNT.fullmatch(word)]
        if words:
            names.append(" ".join(words))
    return tuple(names)


@cache
def inhibitors_named(text: str) -> tuple[Inhibitor, ...]:
    """Return the inhibitors that an entry of a medication list names, by generic name, synonym or ATC code.

    Only whole names count: a name that is merely alike is another drug.

    Examples
    --------
    >>> [one.drug for one in inhibitors_named("Prozac 20 mg")]
    ['fluoxetine']
    >>> inhibitors_named("fluvoxamine")
    ()
    """
    words = _plain(text)
    names = set(drugs_named(words))
    return tuple(one for one in load_inhibitors() if names & {one.drug, one.atc.lower(), *one.synonyms})


@cache
def is_in_doubt(text: str) -> bool:
    """Whether an entry says more than that the drug is taken: ``duloxetine (stopped)``, ``terbinafine cream``.

    Examples
    --------
    >>> is_in_doubt("Duloxetine, stopped 2019"), is_in_doubt("Duloxetine 60 mg")
    (True, False)
    """
    return not _IN_DOUBT.isdisjoint(_TOKENS.findall(text.lower()))


def _plain(text: str) -> str:
    return " ".join(word for word in re.split(r"\s+", text.lower()) if word.strip("()[],.:") not in _IN_DOUBT)
