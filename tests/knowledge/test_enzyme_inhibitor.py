"""Entries of medication lists, read for the drugs that they name."""

from __future__ import annotations

import pytest

from nociomics.knowledge.enzyme_inhibitor import drugs_named, inhibited_genes, inhibitors_named, is_in_doubt

# entry | drugs that it names | inhibitors among them
SPEC = """
Paroxetine                      | paroxetine                | paroxetine
PAROXETINE HCL 20MG             | paroxetine                | paroxetine
Seroxat 20 mg 1x daily          | seroxat                   | paroxetine
fluoxetine hydrochloride 40 mg  | fluoxetine                | fluoxetine
Bupropion SR 2 x 150 mg         | bupropion                 | bupropion
quinidine sulfate               | quinidine                 | quinidine
dextromethorphan/quinidine      | dextromethorphan;quinidine | quinidine
olanzapine and fluoxetine       | olanzapine;fluoxetine     | fluoxetine
Duloxetine (Cymbalta) 60 mg     | duloxetine;cymbalta       | duloxetine
n06ax21                         | n06ax21                   | duloxetine
fluvoxamine                     | fluvoxamine               | -
norfluoxetine                   | norfluoxetine             | -
desipramine 25 mg               | desipramine               | -
"""
ROWS = [[part.strip() for part in line.split(" | ")] for line in SPEC.strip().splitlines()]


@pytest.mark.parametrize(("entry", "drugs", "inhibitors"), ROWS)
def test_spec(entry: str, drugs: str, inhibitors: str) -> None:
    assert list(drugs_named(entry)) == drugs.split(";")
    assert [one.drug for one in inhibitors_named(entry)] == ([] if inhibitors == "-" else inhibitors.split(";"))
    assert not is_in_doubt(entry)


@pytest.mark.parametrize(
    "entry", ["stopped duloxetine", "Duloxetine - discontinued", "Terbinafine (cream)", "NOT paroxetine"]
)
def test_an_entry_in_doubt_still_says_which_drug(entry: str) -> None:
    assert is_in_doubt(entry)
    assert len(inhibitors_named(entry)) == 1


def test_cyp2d6_alone_has_inhibitors_here() -> None:
    assert inhibited_genes() == ("CYP2D6",)
