"""Cytokines, BDNF and cortisol: plates, detection limits, and sites that report in a unit of their own."""

from __future__ import annotations

import numpy as np
import polars as pl

from nociomics.simulate.endotypes import Latents
from nociomics.simulate.genotypes import read_facts
from nociomics.simulate.mechanisms import Settings
from nociomics.simulate.people import People, Visits
from nociomics.simulate.randomness import Floats, Ints, patient_stream

_PLATE_SIZE, _PLATE_SD = 80, 0.2
_DIGITS = 4


def draw_plates(settings: Settings, visits: Visits) -> tuple[Ints, Floats]:
    """Draw the plate of every row and the shift of every plate.

    Returns
    -------
    array of int
        Plate number per row: measured rows in random order, 80 to a plate; 0 for rows that were not measured.
    array of float, (plates, analytes)
        Shift of the natural logarithm.
    """
    rng = patient_stream(settings, "plates")
    measured = np.flatnonzero(visits.measured[:, 2])
    plate = np.zeros(settings.patients, dtype=np.int64)
    plate[rng.permutation(measured)] = np.arange(len(measured)) // _PLATE_SIZE
    return plate, rng.normal(0, _PLATE_SD, (int(plate.max()) + 1, read_facts("analytes").height))


def draw_log_levels(settings: Settings, people: People, visits: Visits, latents: Latents) -> Floats:
    """Draw the natural logarithm of every analyte in its base unit, (rows, analytes), before any detection limit."""
    facts = read_facts("analytes")
    loadings = facts.select("load_inflammatory", "load_neuropathic", "load_psychosocial", "load_bmi", "load_hour")
    causes = np.column_stack([latents.drivers, people.bmi_z, visits.hour - 8])
    expected = np.log(facts["median"].to_numpy()) + causes @ loadings.cast(pl.Float64).to_numpy().T
    noise = patient_stream(settings, "analytes").standard_normal(expected.shape) * facts["sd"].to_numpy()
    plate, shifts = draw_plates(settings, visits)
    return np.asarray(expected + noise + shifts[plate], dtype=np.float64)


def biomarker_table(
    settings: Settings, log_levels: Floats, visits: Visits, ids: pl.Series, at: pl.Series
) -> pl.DataFrame:
    """Return the results as the laboratories report them.

    Returns
    -------
    DataFrame, one row per measured person and analyte
        ``patient_id, analyte, value, unit, below_lod, lod, plate, specimen, collected_at``. Below the detection limit
        the value is the limit, in the reported unit.
    """
    facts = read_facts("analytes")
    plate, _ = draw_plates(settings, visits)
    columns = pl.DataFrame({"patient_id": ids, "site": visits.site + 1, "plate": plate, "collected_at": at})
    levels = pl.DataFrame(np.exp(log_levels), schema=facts["analyte"].to_list(), orient="row")
    measured = pl.concat([columns, levels], how="horizontal").filter(pl.Series(visits.measured[:, 2]))
    long = measured.with_row_index("row").unpivot(
        facts["analyte"].to_list(),
        index=["row", "patient_id", "site", "plate", "collected_at"],
        variable_name="analyte",
        value_name="level",
    )
    return long.join(facts, on="analyte", maintain_order="left").sort("row", maintain_order=True).select(*_reported())


def _reported() -> list[pl.Expr]:
    odd = (pl.col("site") == pl.col("odd_site")).fill_null(False)
    factor = pl.when(odd).then(pl.col("odd_factor")).otherwise(1.0)
    below = pl.col("level") < pl.col("lod")
    return [
        pl.col("patient_id"),
        pl.col("analyte"),
        (pl.when(below).then(pl.col("lod")).otherwise(pl.col("level")) * factor).round_sig_figs(_DIGITS).alias("value"),
        pl.when(odd).then(pl.col("odd_unit")).otherwise(pl.col("unit")).alias("unit"),
        below.alias("below_lod"),
        (pl.col("lod") * factor).round_sig_figs(_DIGITS).alias("lod"),
        pl.format("plate_{}", (pl.col("plate") + 1).cast(pl.String).str.zfill(3)).alias("plate"),
        pl.lit("serum").alias("specimen"),
        pl.col("collected_at"),
    ]


def plate_truth(settings: Settings, visits: Visits) -> pl.DataFrame:
    """Return the shift of the natural logarithm per ``plate`` and ``analyte``."""
    _, shifts = draw_plates(settings, visits)
    plates = [f"plate_{number:03d}" for number in range(1, len(shifts) + 1)]
    wide = pl.DataFrame(shifts, schema=read_facts("analytes")["analyte"].to_list(), orient="row")
    return wide.insert_column(0, pl.Series("plate", plates)).unpivot(
        index="plate", variable_name="analyte", value_name="shift"
    )
