"""What may be asked for, and what is kept of it."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.pharmacogenomics.people import diplotype_rows

from nociomics.pharmacogenomics.assessment import (
    GeneRequestError,
    assess,
    call_with_medications,
    drugs_of,
    requested_genes,
)
from nociomics.tables.results import PGX_CALLS, PGX_RECOMMENDATIONS


@pytest.mark.parametrize(
    ("names", "genes"),
    [
        (["cyp2d6"], ("CYP2D6",)),
        (["rs1799971", "oprm1"], ("OPRM1",)),
        (["rs3892097", "RS4680"], ("CYP2D6", "COMT")),
        (["HLA-B*15:02", "HLA_A"], ("HLA-B", "HLA-A")),
        (["drd2"], ("ANKK1/DRD2",)),
        ([], ()),
    ],
)
def test_genes_and_variants(names: list[str], genes: tuple[str, ...]) -> None:
    assert requested_genes(names) == genes


def test_a_misprint_is_named_with_what_is_meant() -> None:
    with pytest.raises(GeneRequestError, match=r"rs17999.*rs1799971.*OPRM1 A118G"):
        requested_genes(["rs17999"])


def test_every_unknown_name_is_told() -> None:
    with pytest.raises(GeneRequestError) as error:
        requested_genes(["CYP2D6", "CYP2D", "rs0", "ABC"])
    for part in ('"CYP2D" is not called here. Did you mean "CYP2D6"', '"rs0"', '"ABC"', "Genes: CYP2D6, CYP2C9"):
        assert part in str(error.value)


def test_the_advice_for_chosen_genes_rests_on_all_of_them() -> None:
    calls = call_with_medications(None, diplotype_rows(CYP2D6="*4/*4", CYP2C19="*2/*2"), ["P1"])
    every, some = assess(calls), assess(calls, genes=["CYP2C19"])
    assert some.calls["gene"].to_list() == ["CYP2C19"]
    assert set(some.recommendations["drug"]) == set(drugs_of(["CYP2C19"]))
    one = pl.col("drug") == "amitriptyline"
    assert_frame_equal(some.recommendations.filter(one), every.recommendations.filter(one))


def test_both_tables_keep_their_contracts() -> None:
    medications = pl.DataFrame({"patient_id": ["P1"], "drug": ["paroxetine"]})
    calls = call_with_medications(None, diplotype_rows(CYP2D6="*1/*4", HLA_A="negative"), ["P1", "P2"], medications)
    assessed = assess(calls)
    assert PGX_CALLS.problems(assessed.calls) == []
    assert PGX_RECOMMENDATIONS.problems(assessed.recommendations) == []
    for frame, contract in ((assessed.calls, PGX_CALLS), (assessed.recommendations, PGX_RECOMMENDATIONS)):
        assert frame.columns == [column.name for column in contract.columns]


def test_nobody_gives_empty_tables() -> None:
    assessed = assess(call_with_medications(None, None, []))
    assert (assessed.calls.height, assessed.recommendations.height) == (0, 0)
    assert PGX_RECOMMENDATIONS.problems(assessed.recommendations) == []
