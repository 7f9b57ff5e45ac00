"""Four questionnaires and the alleles of three genes, entered a second time: both entries must say the same."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from nociomics.knowledge.instrument import Band, load_instrument
from nociomics.knowledge.pharmacogene import load_allele_functions
from nociomics.pharmacogenomics.phenotype import ActivityScore, function_phenotype, score_phenotype

FOLDER = Path(__file__).parent / "second_entry"
INSTRUMENTS = sorted(path for path in FOLDER.glob("*.csv") if not path.stem.startswith("cyp"))


def written(band: Band) -> str:
    end = f"{band.high:g}]" if band.high is not None else f"{band.below:g})"
    return f"{band.label} [{band.low:g};{end}"


@pytest.mark.parametrize("path", INSTRUMENTS, ids=lambda path: path.stem)
def test_both_entries_agree(path: Path) -> None:
    instrument = load_instrument(path.stem)
    with path.open(encoding="utf-8", newline="") as handle:
        rows = {row["scale"]: row for row in csv.DictReader(handle)}
    assert list(rows) == list(instrument.scales)
    for name, row in rows.items():
        scale = instrument.scales[name]
        items = [instrument.items[item] for item in scale.items]
        assert scale.missing is not None
        assert row == {
            "scale": name,
            "items": " ".join(scale.items),
            "item_low": f"{min(item.low for item in items):g}",
            "item_high": f"{max(item.high for item in items):g}",
            "reversed": " ".join(scale.reversed),
            "method": scale.method,
            "low": f"{scale.low:g}",
            "high": f"{scale.high:g}",
            "rule": scale.missing.rule,
            "min_valid": str(scale.missing.min_valid),
            "bands": " | ".join(written(band) for band in scale.bands),
            "cutoffs": " ".join(f"{cut.op}{cut.value:g}" for cut in scale.cutoffs),
        }
        assert {(item.low, item.high) for item in items} == {(float(row["item_low"]), float(row["item_high"]))}


def test_there_are_four_second_entries() -> None:
    assert {path.stem for path in INSTRUMENTS} == {"pcs", "bpi_sf", "phq_9", "sf_mpq_2"}


def alleles_entered() -> dict[tuple[str, str], tuple[str, str | None]]:
    with (FOLDER / "cyp_allele_values.csv").open(encoding="utf-8", newline="") as handle:
        return {
            (row["gene"], f"*{number}"): (row["function"], row["activity_value"] or None)
            for row in csv.DictReader(handle)
            for number in row["alleles"].split()
        }


@pytest.mark.parametrize("gene", ["CYP2D6", "CYP2C9", "CYP2C19"])
def test_functions_and_activity_values_agree(gene: str) -> None:
    columns = load_allele_functions().select("gene", "allele", "clinical_function", "activity_value").iter_rows()
    shipped = {(name, allele): (function, value) for name, allele, function, value in columns}
    entered = {key: value for key, value in alleles_entered().items() if key[0] == gene}
    assert len(entered) >= 20
    for key, (function, value) in entered.items():
        words = ("Uncertain function", "Unknown function") if "unknown" in function else (function,)
        assert shipped[key][0] in words, key
        assert shipped[key][1] == value, key


def test_all_alleles_of_cyp2c19_were_entered_twice() -> None:
    entered = alleles_entered()
    shipped = load_allele_functions().filter(gene="CYP2C19")["allele"]
    assert {allele for allele in shipped if ("CYP2C19", allele) not in entered} == set()


# Entered from section 4 of the facts and the guidelines' own words, not from phenotype_rules.csv.
SCORES = {
    "CYP2D6": {
        "Poor": (0,),
        "Intermediate": (0.25, 0.5, 0.75, 1),
        "Normal": (1.25, 1.5, 2, 2.25),
        "Ultrarapid": (2.5, 3),
    },
    "CYP2C9": {"Poor": (0, 0.5), "Intermediate": (1, 1.5), "Normal": (2,)},
}
CYP2C19 = {
    ("Normal", "Normal"): "Normal",
    ("Normal", "No"): "Intermediate",
    ("No", "No"): "Poor",
    ("Normal", "Increased"): "Rapid",
    ("Increased", "Increased"): "Ultrarapid",
    ("No", "Increased"): "Intermediate",
    ("No", "Decreased"): "Likely Poor",
    ("Normal", "Decreased"): "Likely Intermediate",
    ("Increased", "Decreased"): "Likely Intermediate",
    ("Decreased", "Decreased"): "Likely Intermediate",
}


@pytest.mark.parametrize("gene", SCORES)
def test_limits_of_the_scores_agree(gene: str) -> None:
    for word, scores in SCORES[gene].items():
        assert {score_phenotype(gene, ActivityScore(score)) for score in scores} == {f"{word} Metabolizer"}


@pytest.mark.parametrize("pair", CYP2C19)
def test_pairs_of_functions_agree(pair: tuple[str, str]) -> None:
    one, two = (f"{word} function" for word in pair)
    assert function_phenotype("CYP2C19", one, two) == f"{CYP2C19[pair]} Metabolizer"
