"""Four questionnaires entered a second time: both entries must say the same."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from nociomics.knowledge.instrument import Band, load_instrument

FOLDER = Path(__file__).parent / "second_entry"


def written(band: Band) -> str:
    end = f"{band.high:g}]" if band.high is not None else f"{band.below:g})"
    return f"{band.label} [{band.low:g};{end}"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.csv")), ids=lambda path: path.stem)
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
    assert {path.stem for path in FOLDER.glob("*.csv")} == {"pcs", "bpi_sf", "phq_9", "sf_mpq_2"}
