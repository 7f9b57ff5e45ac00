"""One row per person and one column per analyte, whatever the order of the rows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.harmonise import biomarker_cells
from nociomics.harmonise.biomarker_cells import cells_of_converted, cells_of_table
from nociomics.harmonise.units import converted_rows, unit_traits

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["P1", "P2", "P3", "P10"]),
        st.sampled_from(["il6", "crp", "bdnf", "no such analyte"]),
        st.one_of(st.none(), st.floats(0.1, 9)),
        st.sampled_from(["pg/mL", "ng/mL", "mg/dL", "IU/mL"]),
        st.booleans(),
        st.one_of(st.none(), st.floats(0.1, 9)),
    ),
    min_size=1,
    max_size=40,
)
COLUMNS = {
    "patient_id": pl.String,
    "analyte": pl.String,
    "value": pl.Float64,
    "unit": pl.String,
    "below_lod": pl.Boolean,
    "lod": pl.Float64,
}


def by_group(converted: pl.DataFrame) -> dict[tuple[str, str], tuple[float, bool]]:
    rows = converted.filter(pl.col("value").is_not_null())
    found = rows.group_by("patient_id", "analyte").agg(pl.col("value").median(), pl.col("below_lod").mean() > 0.5)
    return {(person, analyte): (value, below) for person, analyte, value, below in found.iter_rows()}


def by_cell(cells: biomarker_cells.Cells) -> dict[tuple[str, str], tuple[float, bool]]:
    held = np.argwhere(~np.isnan(cells.values))
    return {
        (cells.people[int(row)], cells.analytes[int(column)]): (
            cells.values[row, column],
            bool(cells.below[row, column]),
        )
        for row, column in held
    }


@given(ROWS, st.sampled_from([1, 3, 1000]))
def test_every_cell_is_the_median_of_its_rows(rows, batch):
    table = pl.DataFrame(rows, schema=COLUMNS, orient="row")
    traits = unit_traits(table.lazy())
    converted = converted_rows(table.lazy(), traits).collect()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(biomarker_cells, "_ROWS", batch)
        one, other = cells_of_converted(converted.lazy()), cells_of_table(table.lazy(), traits)
    expected = by_group(converted)
    for cells in (one, other):
        found = by_cell(cells)
        assert found.keys() == expected.keys()
        assert all(found[key] == pytest.approx(expected[key]) for key in expected)
        assert cells.people.to_list() == table["patient_id"].unique(maintain_order=True).to_list()
    repeats = converted.filter(pl.col("value").is_not_null()).group_by("patient_id", "analyte").len()
    assert one.repeated == other.repeated == repeats.filter(pl.col("len") > 1).height
