"""Does the work grow with the people, and no faster? One process, from raw tables to explanations, 1,000 to 100,000.

python benchmarks/people_scaling.py --bundle results/NAME/export/model [--people 1000 3000 10000 30000 100000]
                                    [--cohorts DIR] [--picture docs/figures/people_scaling.svg]

The bundle is that of a run of a cohort made by `nociomics simulate --scale biobank`; it is applied to other people of
the same world. CPU seconds of what is done for everybody; learning, which takes a sample of fixed size, and the start
of the program are left out. A first small cohort warms up, and is not counted.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from benchmarks.response_figures import markdown  # noqa: E402

from nociomics.config import data_folder, load_config  # noqa: E402
from nociomics.explain.cohort import explain_cohort  # noqa: E402
from nociomics.export.bundle import Bundle, load_bundle  # noqa: E402
from nociomics.export.prediction import predict_admitted  # noqa: E402
from nociomics.ingest.study_tables import read_study, require_sound  # noqa: E402
from nociomics.preparation import prepare_read  # noqa: E402
from nociomics.simulate.biobank import simulate_biobank  # noqa: E402
from nociomics.simulate.folder import write_cohort  # noqa: E402

_WARM_UP, _SEED = 300, 77


class Clock:
    """CPU seconds of one part after the other."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.before = time.process_time()

    def part(self, name: str) -> None:
        """Everything since the last part was this one."""
        now = time.process_time()
        self.seconds[name] = now - self.before
        self.before = now


def one_pass(study_file: Path, bundle: Bundle) -> dict[str, float]:
    """Read, harmonise, call pharmacogenes, predict, place in strata and explain everybody of one cohort."""
    study = load_config(study_file)
    data = data_folder(study, study_file.resolve().parent)
    asked = study.model_copy(update={"data_root": None})
    with tempfile.TemporaryDirectory(prefix="nociomics-scaling-") as scratch:
        clock = Clock()
        read = read_study(asked, data, stores=Path(scratch))
        require_sound(read.findings)
        clock.part("read")
        people = prepare_read(read, asked, data, Path(scratch)).features
        del read
        clock.part("harmonise")
        admitted = bundle.input_gate.admit(people)
        predictions, _ = predict_admitted(bundle, admitted, bundle.baseline(people))
        bundle.strata.assign(people)
        clock.part("predict")
        written = Path(scratch) / "shap"
        written.mkdir()

        def write(chunk: pl.DataFrame) -> None:
            chunk.write_parquet(written / f"{len(list(written.iterdir()))}.parquet")

        answered = predictions.filter(pl.col("status") == "ok")
        told = people.filter(pl.col("patient_id").is_in(answered["patient_id"].implode()))
        explain_cohort(bundle.model, told, bundle.background, 1, answered, write)
        clock.part("explain")
    return clock.seconds


def measured(people: int, cohorts: Path, bundle: Bundle) -> dict[str, object]:
    """Make a cohort unless it is there, and pass through it once."""
    folder = cohorts / f"biobank_{people}"
    if not (folder / "study.yaml").is_file():
        write_cohort(simulate_biobank(people, _SEED, 0, "endotypes", "randomised", 1.0), folder, panel=True)
    parts = one_pass(folder / "study.yaml", bundle)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"people": people, **parts, "all": sum(parts.values()), "peak_mb": peak}


def slope(table: pl.DataFrame, column: str) -> float:
    """Slope of the line through the points on logarithmic axes; 1: twice the people, twice the work."""
    return float(np.polyfit(np.log(table["people"].to_numpy()), np.log(table[column].to_numpy()), 1)[0])


def picture(table: pl.DataFrame, path: Path) -> None:
    """Draw CPU seconds by people on logarithmic axes, with the line of slope 1 through the largest cohort."""
    import altair as alt

    from nociomics.report.charts_drawing import drawn, picture_file, styled

    parts = [name for name in table.columns if name not in ("people", "peak_mb")]
    long = table.unpivot(parts, index="people", variable_name="part", value_name="seconds")
    last = table.row(-1, named=True)
    even = pl.DataFrame({"people": table["people"], "seconds": table["people"] / last["people"] * last["all"]})
    x = alt.X("people:Q", scale=alt.Scale(type="log"), title="people", axis=alt.Axis(values=table["people"].to_list()))
    y = alt.Y("seconds:Q", scale=alt.Scale(type="log"), title="seconds of CPU")
    lines = alt.Chart(long.to_pandas()).mark_line(point=True).encode(x=x, y=y, color="part:N")
    chart = alt.layer(lines, alt.Chart(even.to_pandas()).mark_line(strokeDash=[4, 4], opacity=0.6).encode(x=x, y=y))
    told = f"Slope of all parts together: {slope(table, 'all'):.2f}; the dashed line has slope 1."
    svg = drawn(styled(chart, 320), "people-scaling", "CPU seconds by number of people", told)
    path.write_text(picture_file(str(svg)), encoding="utf-8")


def main() -> None:
    """Measure every size, print the table with its slopes, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="export/model of a run")
    parser.add_argument("--people", type=int, nargs="+", default=[1000, 3000, 10_000, 30_000, 100_000])
    parser.add_argument("--cohorts", type=Path, default=Path("results/figures/biobank"))
    parser.add_argument("--picture", type=Path, default=None)
    asked = parser.parse_args()
    bundle = load_bundle(asked.bundle)
    measured(_WARM_UP, asked.cohorts, bundle)
    rows = []
    for people in sorted(asked.people):
        rows.append(measured(people, asked.cohorts, bundle))
        print({name: round(float(value), 2) for name, value in rows[-1].items()}, flush=True)
    table = pl.DataFrame(rows)
    print(markdown(table.with_columns(pl.col(pl.Float64).round(1))))
    told = {name: round(slope(table, name), 2) for name in table.columns if name not in ("people", "peak_mb")}
    print(f"slope on logarithmic axes: {told}")
    if asked.picture is not None:
        picture(table, asked.picture)


if __name__ == "__main__":
    main()
