"""One variant, many ways of writing it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.ingest.minimal_alleles import minimal_alleles

BASES = st.text("ACGT", min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("written", "shortest"),
    [
        ((100, "A", "G"), (100, "A", "G")),
        ((100, "AT", "GT"), (100, "A", "G")),
        ((100, "TA", "TC"), (101, "A", "C")),
        ((100, "TACG", "TG"), (100, "TAC", "T")),
        ((100, "TTT", "TT"), (100, "TT", "T")),
        ((100, "acg", "atg"), (101, "c", "t")),
        ((100, "G", "*"), (100, "G", "*")),
        ((100, "G", "G]17:198982]"), (100, "G", "G]17:198982]")),
    ],
)
def test_shared_bases_are_cut(written: tuple[int, str, str], shortest: tuple[int, str, str]) -> None:
    assert minimal_alleles(*written) == shortest


def sequence(before: str, pos: int, ref: str, alt: str) -> str:
    """What a chromosome reads once the variant is put in."""
    assert before[pos : pos + len(ref)] == ref
    return before[:pos] + alt + before[pos + len(ref) :]


@given(BASES, BASES, BASES, BASES)
def test_the_sequence_stays_the_same(left: str, ref: str, alt: str, right: str) -> None:
    before, pos = left + ref + right, len(left)
    shorter = minimal_alleles(pos, ref, alt)
    assert sequence(before, *shorter) == sequence(before, pos, ref, alt)
    assert minimal_alleles(*shorter) == shorter and min(len(shorter[1]), len(shorter[2])) >= 1
