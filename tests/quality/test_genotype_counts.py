"""Genotype quality in numbers."""

from __future__ import annotations

import polars as pl

from nociomics.quality.distributions import distributions
from nociomics.quality.genotype_counts import GenotypeQuality, genotype_counts, genotype_spreads
from nociomics.tables.data_quality import GENOTYPE_COUNTS


def variants() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "call_rate": [1.0, 0.9, 1.0, 1.0],
            "copies_0": [8, 6, 10, 0],
            "copies_1": [2, 3, 0, 10],
            "copies_2": [0, 0, 0, 0],
            "alt_frequency": [0.1, 0.2, 0.0, 0.5],
            "hwe_p": [0.9, None, 1.0, 1e-9],
            "filtered": [False, True, False, False],
        }
    )


def samples() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "call_rate": [1.0] * 29 + [0.5],
            "heterozygosity": [0.30, 0.31] * 14 + [None, 0.9],
            "x_f": [0.1] * 30,
            "sex_agrees": [True] * 27 + [False, None, None],
        }
    )


def counted(genotypes: GenotypeQuality) -> dict[str, tuple[int, int | None, bool]]:
    table = GENOTYPE_COUNTS.check(genotype_counts(genotypes))
    return {
        row["what"].split(":")[0].split(" (")[0]: (row["count"], row["total"], row["doubtful"])
        for row in table.to_dicts()
    }


def test_variants_are_counted_by_what_is_odd_about_them() -> None:
    found = counted(GenotypeQuality(variants=variants()))
    assert found["call rate below 95%"] == (1, 4, True)
    assert found["the same for everyone"] == (1, 4, False)
    assert found["far from Hardy-Weinberg proportions"] == (1, 3, True)


def test_people_are_counted_and_those_that_cannot_be_judged_are_not_in_the_whole() -> None:
    found = counted(GenotypeQuality(samples=samples()))
    assert found["heterozygosity more than 3 standard deviations from the mean"] == (1, 29, True)
    assert found["sex on chromosome X differs from what file or study say"] == (1, 28, True)
    assert found["sex could not be compared"] == (2, 30, False)


def test_relatives_are_counted_as_pairs() -> None:
    related = pl.DataFrame({"relation": ["first degree", "first degree"]})
    found = counted(GenotypeQuality(related=related))
    assert found["first degree"][0] == 2 and found["duplicate"] == (0, None, False)


def test_an_empty_table_of_relatives_is_not_told_as_none() -> None:
    related = pl.DataFrame({"relation": pl.Series([], dtype=pl.String)})
    assert genotype_counts(GenotypeQuality(related=related)).is_empty()


def test_nothing_measured_gives_no_counts() -> None:
    assert genotype_counts(GenotypeQuality()).is_empty()


def test_the_variants_table_speaks_where_quality_was_not_measured() -> None:
    plain = pl.DataFrame({"call_rate": [1.0, 0.8], "alt_frequency": [0.1, 0.2]})
    table, _ = distributions(genotype_spreads(GenotypeQuality(), plain))
    assert dict(table.select("name", "below").iter_rows()) == {
        "call rate of variants": 1,
        "frequency of the counted allele": None,
    }
