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
    item_columns,
    load_instrument,
    load_instruments,
    resolve_item,
)
from nociomics.knowledge.value_set import load_value_set, load_value_sets
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


COLLECTED = "knowledge/instruments"
# Labels that are neutral words of ours instead of the historic ones, and names written with a space.
OTHER_WORDS = {("odi", "percent")}


def collected() -> list[dict]:
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(shared(COLLECTED).glob("*.yaml"))]


def test_every_collected_instrument_is_shipped_with_its_items():
    raws = collected()
    assert {raw["id"] for raw in raws} == set(ALL)
    for raw in raws:
        ours = ALL[raw["id"]]
        groups = raw["items"]["groups"]
        assert [str(item) for group in groups for item in group["ids"]] == list(ours.items)
        for group in groups:
            for item in (ours.items[str(name)] for name in group["ids"]):
                assert item.kind == group["type"]
                assert item.codes == {str(code): worth for code, worth in group.get("codes", {}).items()}
                if "min" in group:
                    assert (item.low, item.high) == (group["min"], group["max"])
        codes = raw["items"].get("loinc_items", [])
        assert codes == [item.loinc.code for item in ours.items.values() if item.loinc is not None]
        assert ours.licence.status == raw["licence"].get("provenance", "general")


def test_every_collected_scale_is_shipped_with_its_rules():
    for raw in collected():
        ours = ALL[raw["id"]]
        reversed_items = {str(item) for group in raw["items"]["groups"] for item in group.get("reverse", [])}
        for scale in raw["scales"]:
            mine = ours.scales[scale["id"]]
            assert (scale["method"], tuple(scale["range"]), scale["direction"]) == (
                mine.method,
                mine.range,
                mine.direction,
            )
            if "multiplier" in scale:
                assert 1 / mine.divisor == pytest.approx(scale["multiplier"])
            assert {int(total): score for total, score in scale.get("table", {}).items()} == mine.table
            missing = scale.get("missing")
            if missing is not None and mine.missing is not None:
                assert (missing["rule"], missing.get("min_valid"), missing["provenance"]) == (
                    mine.missing.rule,
                    mine.missing.min_valid,
                    mine.missing.status,
                )
            if not scale["method"].startswith(("combine", "custom")):
                assert tuple(str(item) for item in scale["items"]) == mine.items
                assert set(mine.reversed) == reversed_items & set(mine.items)


def test_every_collected_band_cut_off_threshold_and_code_is_shipped():
    for raw in collected():
        for scale in raw["scales"]:
            mine = ALL[raw["id"]].scales[scale["id"]]
            bands = [(band["min"], band.get("max"), band.get("lt")) for band in scale.get("bands", [])]
            assert bands == [(band.low, band.high, band.below) for band in mine.bands]
            if (raw["id"], scale["id"]) not in OTHER_WORDS:
                assert [band["label"] for band in scale.get("bands", [])] == [band.label for band in mine.bands]
            cutoffs = [(cut["op"], cut["value"], cut["provenance"]) for cut in scale.get("cutoffs", [])]
            assert cutoffs == [(cut.op, cut.value, cut.status) for cut in mine.cutoffs]
            changes = [
                tuple(one[key] for key in ("kind", "value", "direction", "provenance"))
                for one in scale.get("change", [])
            ]
            assert changes == [(one.kind, one.value, one.direction, one.status) for one in mine.change]
            codes = [(code["code"], code["provenance"]) for code in scale.get("loinc", [])]
            assert codes == [(code.code, code.status) for code in mine.loinc]


def test_every_collected_example_is_shipped_66_in_all():
    count = 0
    for raw in collected():
        mine = {example.id: example for example in ALL[raw["id"]].examples}
        for example in raw["examples"]:
            count += 1
            answers = {
                str(item): None if answer is None else str(answer) for item, answer in example["responses"].items()
            }
            assert answers == mine[example["id"]].responses
            assert example["expect"] == mine[example["id"]].expect
            assert example.get("expect_bands", {}) == mine[example["id"]].bands
    assert count == 66


def test_the_value_sets_are_those_of_the_collected_table():
    with (shared(COLLECTED) / "eq5d5l_value_sets.csv").open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            for name, value in list(row.items())[1:]:
                assert load_value_sets()[name].terms.get(row["term"]) == (float(value) if value else None)


def test_versions_of_an_instrument_are_kept_apart():
    assert "v2.0" in ALL["promis_29"].short_name
    assert {ALL["cpaq_8"].scales["total"].high, ALL["cpaq_20"].scales["total"].high} == {48, 120}
    assert (len(ALL["tsk_11"].items), len(ALL["tsk_17"].items)) == (11, 17)
    assert not any(item.isdigit() for item in ALL["psqi"].items)
    assert resolve_item("tsk_11_1") == ("tsk_11", "1")
    assert resolve_item("cpaq_1") is None


def test_two_instruments_may_not_claim_one_column():
    twin = ALL["pcs"].model_copy(update={"id": "twin", "aliases": ("pcs",)})
    with pytest.raises(NociomicsError, match='both claim the column "pcs_1"'):
        item_columns({"pcs": ALL["pcs"], "twin": twin})
