"""The shipped questionnaires: complete, consistent with themselves, and read strictly."""

from __future__ import annotations

import csv
from itertools import pairwise

import pytest
import yaml
from pydantic import ValidationError

from nociomics.errors import NociomicsError
from nociomics.knowledge.instrument import (
    Instrument,
    Scale,
    load_instrument,
    load_instruments,
    load_value_set,
    load_value_sets,
    resolve_item,
)
from tests.conftest import shared

ALL = load_instruments()
SCALES = [(instrument, scale) for instrument in ALL.values() for scale in instrument.scales.values()]


def named(pair: tuple[Instrument, Scale]) -> str:
    return f"{pair[0].id}.{pair[1].id}"


def test_all_31_instruments_are_shipped():
    assert len(ALL) == 31
    assert all(name == instrument.id for name, instrument in ALL.items())


@pytest.mark.parametrize("pair", [pair for pair in SCALES if pair[1].method in {"sum", "mean", "single"}], ids=named)
def test_the_range_of_a_scale_follows_from_its_items(pair):
    instrument, scale = pair
    items = [instrument.items[name] for name in scale.items]
    by = len(items) if scale.method == "mean" else scale.divisor
    assert (sum(item.low for item in items) / by, sum(item.high for item in items) / by) == scale.range


@pytest.mark.parametrize("pair", [pair for pair in SCALES if pair[1].table], ids=named)
def test_a_table_holds_every_sum_that_is_possible(pair):
    instrument, scale = pair
    low = sum(int(instrument.items[name].low) for name in scale.items)
    high = sum(int(instrument.items[name].high) for name in scale.items)
    assert sorted(scale.table) == list(range(low, high + 1))
    values = [scale.table[total] for total in sorted(scale.table)]
    assert values == sorted(values)
    assert (values[0], values[-1]) == scale.range


@pytest.mark.parametrize("pair", [pair for pair in SCALES if pair[1].bands], ids=named)
def test_bands_leave_no_gap_and_do_not_overlap(pair):
    _, scale = pair
    bands = scale.bands
    assert bands[0].low <= scale.low
    for before, after in pairwise(bands):
        if before.below is not None:
            assert after.low == before.below
        else:
            assert 0 < after.low - before.high <= 1
    assert bands[-1].high >= scale.high


@pytest.mark.parametrize("pair", SCALES, ids=named)
def test_a_scale_needs_no_more_answers_than_it_has_items(pair):
    _, scale = pair
    assert scale.method == "combine" or 1 <= scale.min_valid <= len(scale.items)


def test_every_instrument_says_where_its_facts_come_from():
    assert all(instrument.sources and instrument.citations for instrument in ALL.values())
    assert all(instrument.examples for instrument in ALL.values())


@pytest.mark.parametrize(
    ("instrument", "item", "answer", "points"),
    [
        ("bdi_ii", "16", "2a", 2),
        ("bdi_ii", "16", "2A", 2),
        ("bdi_ii", "16", "3", 3),
        ("bdi_ii", "9", " 1 ", 1),
        ("bdi_ii", "9", "", None),
        ("bdi_ii", "9", "NA", None),
        ("bdi_ii", "9", None, None),
        ("dn4", "1", "yes", 1),
        ("dn4", "1", "No", 0),
        ("dn4", "1", "TRUE", 1),
        ("dn4", "1", "0", 0),
        ("pcs", "1", "4.0", 4),
        ("nrs_pain", "pain", "6.5", 6.5),
        ("paindetect", "course", "2", -1),
        ("paindetect", "radiation", "1", 2),
        ("psqi", "bed_time", "23:30", 23.5),
        ("psqi", "bed_time", "11:30 pm", 23.5),
        ("psqi", "bed_time", "12:15 am", 0.25),
    ],
)
def test_answers_and_their_points(instrument, item, answer, points):
    assert load_instrument(instrument).item(item).points(answer) == points


@pytest.mark.parametrize(
    ("instrument", "item", "answer"),
    [
        ("pcs", "1", "5"),
        ("pcs", "1", "-1"),
        ("pcs", "1", "2.5"),
        ("pcs", "1", "often"),
        ("pcs", "1", "inf"),
        ("dn4", "1", "2"),
        ("bdi_ii", "16", "4a"),
        ("bdi_ii", "9", "2a"),
        ("bdi_ii", "16", "2.5"),
        ("paindetect", "course", "0"),
        ("psqi", "bed_time", "24:30"),
        ("psqi", "bed_time", "13:00 pm"),
    ],
)
def test_an_answer_that_is_not_allowed_is_refused_and_not_shown(instrument, item, answer):
    with pytest.raises(ValueError, match="allows") as refused:
        load_instrument(instrument).item(item).points(answer)
    assert answer not in str(refused.value).replace(item, "").split("allows")[0]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("pcs_1", ("pcs", "1")),
        ("PCS_13", ("pcs", "13")),
        ("bpi_sf_9a", ("bpi_sf", "9A")),
        ("eq_5d_5l_mo", ("eq_5d_5l", "MO")),
        ("bpi_sev_1", ("bpi_sf", "3")),
        ("bpi_sev_4", ("bpi_sf", "6")),
        ("bpi_int_1", ("bpi_sf", "9A")),
        ("bpi_int_7", ("bpi_sf", "9G")),
        ("bdi_21", ("bdi_ii", "21")),
        ("dn4_10", ("dn4", "10")),
        ("phq9_9", ("phq_9", "9")),
        ("pgic", ("pgic", "pgic")),
        ("pcs_14", None),
        ("bpi_sev_5", None),
        ("age", None),
    ],
)
def test_wide_columns_are_recognised(column, expected):
    assert resolve_item(column) == expected


def test_every_item_has_a_column_of_its_own():
    for instrument in ALL.values():
        for item in instrument.items:
            assert resolve_item(f"{instrument.id}_{item}") == (instrument.id, item)


def test_an_unknown_instrument_item_or_value_set_is_named_with_its_neighbour():
    with pytest.raises(NociomicsError, match='Did you mean "pcs"'):
        load_instrument("pcss")
    with pytest.raises(NociomicsError, match="has no item"):
        load_instrument("pcs").item("14")
    with pytest.raises(NociomicsError, match='Did you mean "Germany"'):
        load_value_set("Germny")
    assert load_instrument("BPI-SF") is load_instrument("bpi")


def test_a_misspelt_key_of_a_file_is_refused():
    fields = {"id": "t", "name": "t", "method": "sum", "range": (0, 1), "direction": "neutral"}
    assert Scale.model_validate(fields).divisor == 1
    with pytest.raises(ValidationError, match="missin"):
        Scale.model_validate({**fields, "missin": None})


def test_facts_agree_with_the_collected_files():
    """Ranges, items, bands and coefficients against the collection that they were taken from."""
    folder = shared("knowledge/instruments")
    for path in sorted(folder.glob("*.yaml")):
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        ours = ALL[raw["id"]]
        assert [str(item) for group in raw["items"]["groups"] for item in group["ids"]] == list(ours.items)
        reversed_items = {str(item) for group in raw["items"]["groups"] for item in group.get("reverse", [])}
        for scale in raw["scales"]:
            mine = ours.scales[scale["id"]]
            assert tuple(scale["range"]) == mine.range
            assert scale["direction"] == mine.direction
            assert [band["min"] for band in scale.get("bands", [])] == [band.low for band in mine.bands]
            if scale["method"].startswith(("combine", "custom")):
                continue
            assert tuple(str(item) for item in scale["items"]) == mine.items
            assert set(mine.reversed) == reversed_items & set(mine.items)
    with (folder / "eq5d5l_value_sets.csv").open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            for name, value in list(row.items())[1:]:
                assert load_value_sets()[name].terms.get(row["term"]) == (float(value) if value else None)
