"""12,000,000 measurements (1,000,000 people, 12 analytes, two units each, non-detects, replicates) to one row each.

What every case computes: the unit factor of each row, the limit as the value of a non-detect, the median of a person's
measurements of an analyte, and a table of one row per person with 12 columns in base units. Input is Parquet.
"""

from __future__ import annotations

from pathlib import Path

_PEOPLE, _REPLICATES = 1_000_000, 0.005
# analyte, its base unit, a second unit, base units in one of the second
_ANALYTES = (
    ("il6", "pg/mL", "ng/L", 1.0),
    ("tnf_alpha", "pg/mL", "ng/mL", 1000.0),
    ("il1b", "pg/mL", "ng/mL", 1000.0),
    ("il10", "pg/mL", "ng/L", 1.0),
    ("crp", "mg/L", "mg/dL", 10.0),
    ("bdnf_serum", "ng/mL", "pg/mL", 0.001),
    ("cortisol_serum_am", "nmol/L", "ug/dL", 1e4 / 362.46),
    ("il8", "pg/mL", "ng/L", 1.0),
    ("il17a", "pg/mL", "ng/L", 1.0),
    ("ccl2", "pg/mL", "ng/mL", 1000.0),
    ("vitd", "nmol/L", "ng/mL", 1e3 / 400.64),
    ("ngf", "pg/mL", "ng/L", 1.0),
)
_FILE = "measurements.parquet"


def MAKE(folder: Path) -> None:
    """Write the measurements: people one after the other, as laboratories list them."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(1)
    person = np.repeat(np.arange(_PEOPLE), len(_ANALYTES))
    analyte = np.tile(np.arange(len(_ANALYTES)), _PEOPLE)
    # A replicate takes the place of the person's next analyte, so that there are 12,000,000 rows in all.
    again = np.flatnonzero((rng.random(len(analyte)) < _REPLICATES) & (analyte > 0))
    analyte[again] -= 1
    second = rng.random(len(analyte)) < 0.3
    below = rng.random(len(analyte)) < 0.15
    units = sorted({unit for _, *pair, _ in _ANALYTES for unit in pair})
    codes = np.array([[units.index(base), units.index(other)] for _, base, other, _ in _ANALYTES])
    frame = pl.DataFrame(
        {
            "patient_id": pl.Series(person).cast(pl.String).str.zfill(8),
            "analyte": pl.Series([name for name, *_ in _ANALYTES])[analyte],
            "value": np.exp(rng.standard_normal(len(analyte))),
            "unit": pl.Series(units)[codes[analyte, second.astype(int)]],
            "below_lod": below,
            "lod": rng.choice([0.2, 0.3, 0.4], len(analyte)),
        }
    )
    frame = frame.with_columns(value=pl.when(~pl.col("below_lod")).then("value"))
    frame.select(pl.col("patient_id").str.replace("^", "P"), pl.exclude("patient_id")).write_parquet(folder / _FILE)


def _factors() -> dict[tuple[str, str], float]:
    found = {}
    for name, base, other, factor in _ANALYTES:
        found[(name, base)], found[(name, other)] = 1.0, factor
    return found


def nociomics(folder: Path) -> dict[str, float]:
    """Take the way of a study: traits of the units, streamed conversion, cells."""
    import numpy as np
    import polars as pl

    from nociomics.harmonise.biomarker_cells import cells_of_table
    from nociomics.harmonise.units import unit_traits

    rows = pl.scan_parquet(folder / _FILE)
    cells = cells_of_table(rows, unit_traits(rows))
    sums = np.nansum(cells.values, axis=0)
    return {
        "people": cells.people.len(),
        **{name: float(sum_) for name, sum_ in zip(cells.analytes, sums, strict=True)},
    }


def pandas(folder: Path) -> dict[str, float]:
    """Follow the usual idiom: merge the factors, fill the limits, pivot_table with the median."""
    import pandas as pd

    rows = pd.read_parquet(folder / _FILE)
    known = pd.DataFrame([(*key, factor) for key, factor in _factors().items()], columns=["analyte", "unit", "factor"])
    rows = rows.merge(known, on=["analyte", "unit"], how="left")
    rows["base"] = rows["value"].where(~rows["below_lod"], rows["lod"]) * rows["factor"]
    wide = rows.pivot_table(index="patient_id", columns="analyte", values="base", aggfunc="median")
    return {"people": len(wide), **{name: float(wide[name].sum()) for name, *_ in _ANALYTES}}


def duckdb(folder: Path) -> dict[str, float]:
    """One query: a join, and a filtered median per analyte."""
    try:
        import duckdb as duck
    except ImportError as error:
        from benchmarks.jobs import Absent

        raise Absent("duckdb") from error
    connection = duck.connect()
    connection.execute("set threads=1")
    connection.execute("create table factors (analyte varchar, unit varchar, factor double)")
    connection.executemany(
        "insert into factors values (?, ?, ?)", [(*key, factor) for key, factor in _factors().items()]
    )
    medians = ", ".join(f"median(base) filter (analyte = '{name}') as {name}" for name, *_ in _ANALYTES)
    connection.execute(
        f"create table wide as select patient_id, {medians} from (select patient_id, analyte, "
        f"case when below_lod then lod else value end * factor as base "
        f"from read_parquet('{folder / _FILE}') join factors using (analyte, unit)) group by patient_id"
    )
    sums = ", ".join(f"sum({name})" for name, *_ in _ANALYTES)
    found = connection.execute(f"select count(*), {sums} from wide").fetchone()
    assert found is not None
    return dict(zip(["people", *(name for name, *_ in _ANALYTES)], found, strict=True))


CASES = {"nociomics": nociomics, "pandas": pandas, "duckdb": duckdb}
OURS = "nociomics"
IMPORTS = {
    "nociomics": ("nociomics.harmonise.biomarker_cells", "nociomics.harmonise.units"),
    "pandas": ("pandas", "pyarrow.parquet"),
    "duckdb": ("duckdb", "numpy"),
}
AIMS = {"pandas": ("at_least", 5), "duckdb": ("at_least", 1.5)}
