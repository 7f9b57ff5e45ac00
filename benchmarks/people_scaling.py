"""Does the work grow with the people, and no faster? Every step that is done for everybody, 1,000 to 100,000 people.

    python benchmarks/people_scaling.py [--people 1000 3000 10000 30000 100000] [--bundle results/NAME/export/model]
                                        [--folder results/figures/people_scaling] [--picture FILE.svg]
    python benchmarks/people_scaling.py --draw results/figures/people_scaling/figures.json --picture FILE.svg

Cohorts are those of `nociomics simulate --scale biobank`, made once. The model is learned once from 2,000 people of the
same world, unless a run's own is given. Each step is the workflow's own command in a process of its own, with files
between the steps, and so it is in a run. There the same command first goes through 200 people. What this takes (Python,
imports, tables of facts, reading the model) is the start, paid once per step whatever the number of people, and is told
apart; so are learning, and reading the model and preparing its explanations once more. Seconds are those of the CPU,
memory is the highest of the step. Sizes that figures.json of the folder holds are not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402

_SMALL, _TRAINING = 200, 2000
_WITH_MODEL = ("predict", "explain")
_SEED, _TRAINING_SEED = 77, 5
_MODEL = "learn the model"


def simulate(folder: Path, people: int, seed: int) -> None:
    """Make a cohort."""
    _command(
        *("simulate", folder / "cohort", "--patients", people, "--seed", seed, "--scale", "biobank"),
    )


def check(folder: Path, _: Path) -> None:
    """Name every problem of every table, which reads, calls and harmonises all of it."""
    _command("check", folder / "cohort" / "study.yaml")


def convert(folder: Path, _: Path) -> None:
    """Convert the genotypes."""
    told = ("--source", "genotypes.bed", "--build", "GRCh38", "--data", folder / "cohort")
    _command("ingest", "genotypes", *told, "--output", folder / "genotype" / "1")


def ingest(folder: Path, _: Path) -> None:
    """Read every table."""
    told = ("--study", _study(folder), "--data", folder / "cohort", "--stores", folder / "genotype")
    _command("ingest", "tables", *told, "--output", folder / "ingested")


def pharmacogenes(folder: Path, _: Path) -> None:
    """Call pharmacogenes and look up the advice."""
    tables = folder / "ingested"
    told = ("--patients", tables / "patients.parquet", "--genotypes", tables / "pharmacogene_genotypes.parquet")
    told += ("--diplotypes", tables / "diplotypes.parquet", "--calls", folder / "calls.parquet")
    _command("pharmacogenes", "call", *told, "--recommendations", folder / "recommendations.parquet")


def harmonise(folder: Path, _: Path) -> None:
    """Score, convert and lay out features."""
    told = ("--study", _study(folder), "--ingested", folder / "ingested", "--pgx-calls", folder / "calls.parquet")
    _command("harmonise", "features", *told, "--output", folder / "harmonised")


def predict(folder: Path, bundle: Path) -> None:
    """Predict everybody under every treatment."""
    told = ("--bundle", bundle, "--features", folder / "harmonised" / "features.parquet")
    told += ("--target-rows", folder / "harmonised" / "target.parquet")
    told += ("--patients", folder / "ingested" / "patients.parquet")
    told += ("--predictions", folder / "predictions.parquet", "--effects", folder / "effects.parquet")
    _command("export", "predict", *told)


def place(folder: Path, bundle: Path) -> None:
    """Place everybody in a stratum."""
    from nociomics.models.stratification import StratumModel
    from nociomics.tables.files import read_json, read_table, write_table
    from nociomics.tables.harmonised import FEATURES
    from nociomics.tables.results import ASSIGNMENTS

    people = read_table(folder / "harmonised" / "features.parquet", FEATURES)
    model = StratumModel.from_dict(read_json(bundle / "strata.json"))
    write_table(model.assign(people), ASSIGNMENTS, folder / "assignments.parquet")


def explain(folder: Path, bundle: Path) -> None:
    """Explain everybody's predictions, each checked to add up."""
    told = ("--bundle", bundle, "--features", folder / "harmonised" / "features.parquet", "--seed", 1)
    told += ("--predictions", folder / "predictions.parquet")
    tables = ("shap", "base", "importance", "stability", "dependence")
    for name in tables:
        told += (f"--{name}", folder / f"{name}.parquet")
    _command("explain", "predictions", *told)


_STEPS: dict[str, Callable[[Path, Path], None]] = {
    "check": check,
    "convert genotypes": convert,
    "read tables": ingest,
    "pharmacogenes": pharmacogenes,
    "harmonise": harmonise,
    "predict": predict,
    "place in strata": place,
    "explain": explain,
}


@cache
def _program() -> Any:
    """Lay out the command line, once per process."""
    import typer.main

    from nociomics.cli.app import app

    return typer.main.get_command(app)


def _command(*words: object) -> None:
    _program().main([str(word) for word in words], standalone_mode=False)


def read_model(bundle: Path, *, explained: bool) -> None:
    """Read the model, and prepare its explanation: what is done once, whatever the number of people."""
    from nociomics.explain.shap_values import Explainer
    from nociomics.export.bundle import load_bundle
    from nociomics.models.feature_blocks import Encoded

    loaded = load_bundle(bundle)
    if explained:
        explainer = Explainer(loaded.model, loaded.background, 1)
        nobody = Encoded(loaded.background[:0], loaded.model.blocks_.columns_)
        explainer.whole(nobody)
        for _ in explainer.of_refits(nobody):
            pass


def _study(folder: Path) -> str:
    """Write the study's own keys as the workflow hands them to a step."""
    from nociomics.config import SECTIONS, load_config

    study = load_config(folder / "cohort" / "study.yaml")
    left_out: dict[str, Any] = {**dict.fromkeys(SECTIONS, True), "target": {"harm_weight"}}
    return json.dumps(study.model_dump(mode="json", exclude=left_out), sort_keys=True)


def learn(folder: Path, bundle: Path) -> None:
    """Learn response, adverse event and strata from a cohort, with the settings of its study; write the bundle.

    How good the model is is nobody's question here, so nothing is learned out of fold. The gate is set open, which is
    the more work: everybody gets a treatment of their own and rows of explanation.
    """
    from nociomics.config import data_folder, load_config
    from nociomics.export.background import background_people
    from nociomics.export.bundle import write_bundle
    from nociomics.ingest.study_tables import read_study, require_sound
    from nociomics.models.adverse import fit_adverse
    from nociomics.models.response import fit_response
    from nociomics.models.stratification import StratumModel
    from nociomics.models.study_splits import study_splits
    from nociomics.models.value_model import Training
    from nociomics.preparation import prepare_read

    file = folder / "cohort" / "study.yaml"
    study = load_config(file)
    data, asked = data_folder(study, file.resolve().parent), study.model_copy(update={"data_root": None})
    assert asked.target is not None
    read = read_study(asked, data, stores=folder / "genotype")
    require_sound(read.findings)
    made = prepare_read(read, asked, data, folder / "genotype")
    folds = study_splits(made.target, made.features, made.catalogue, None, study.folds, study.seed)[0]
    folds = folds.filter(pl.col("repeat") == pl.col("repeat").min())
    inner = made.target.select("patient_id").join(folds, on="patient_id", how="left", maintain_order="left")
    training = Training(made.features, made.catalogue, made.target, inner["inner_fold"].to_numpy())
    settings = (study.blocks, study.response, study.response.refits, study.seed)
    model = fit_response(training, asked.target, *settings)
    gate = {"individual_recommendations": True, "individual_explanations": True, "reasons": []}
    background = background_people(model, made.features, made.target, study.response.background_people, study.seed)
    write_bundle(
        bundle,
        study.study,
        model,
        StratumModel(study.strata, study.blocks, study.seed).fit(made.features, made.catalogue),
        made.catalogue,
        made.features,
        {**gate, "best_fixed": model.arms_[0]},
        {"level": study.response.level, "half_width": 2.5},
        {},
        background,
        adverse=fit_adverse(training, asked.target, *settings)[0],
        seed=study.seed,
    )


def step(name: str, small: Path, folder: Path, bundle: Path) -> dict[str, float]:
    """Go through one step in this process: its start, its work, and its highest memory in MB."""
    if name == _MODEL:
        learn(folder, bundle)
        return {"start": 0.0, "once": 0.0, "work": time.process_time(), "memory": _highest_memory()}
    _STEPS[name](small, bundle)
    start, once = time.process_time(), 0.0
    if name in _WITH_MODEL:
        read_model(bundle, explained=name == "explain")
        once = time.process_time() - start
    Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the highest memory until now
    before = time.process_time()
    _STEPS[name](folder, bundle)
    work = time.process_time() - before - once
    return {"start": start, "once": once, "work": work, "memory": _highest_memory()}


def _highest_memory() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def in_process(name: str, small: Path, folder: Path, bundle: Path) -> dict[str, float]:
    """Go through one step in a process of its own."""
    words = [sys.executable, __file__, "--step", name, str(small), str(folder), str(bundle)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def cohort(folder: Path, people: int, seed: int = _SEED) -> Path:
    """Make a cohort unless it is there."""
    own = folder / f"people_{people}_{seed}"
    if not (own / "cohort" / "study.yaml").is_file():
        simulate(own, people, seed)
    return own


def measured(sizes: list[int], folder: Path, bundle: Path | None) -> dict[str, Any]:
    """Measure every step at every size that was not measured yet, and note each size at once."""
    small, noted = cohort(folder, _SMALL), folder / "figures.json"
    figures: dict[str, Any] = json.loads(noted.read_text()) if noted.is_file() else {"learned": None, "rows": []}
    if bundle is None:
        bundle = folder / "bundle"
        if not (bundle / "manifest.json").is_file():
            figures["learned"] = in_process(_MODEL, small, cohort(folder, _TRAINING, _TRAINING_SEED), bundle)
    for people in sorted(set(sizes) - {row["people"] for row in figures["rows"]}):
        figures["rows"] += of_size(people, small, cohort(folder, people), bundle)
        noted.write_text(json.dumps(figures, indent=1))
    return {**figures, "rows": sorted(figures["rows"], key=lambda row: row["people"])}


def of_size(people: int, small: Path, own: Path, bundle: Path) -> list[dict[str, Any]]:
    """Measure every step of one cohort, and keep nothing of it but the cohort."""
    rows = []
    for name in _STEPS:
        rows.append({"people": people, "step": name, **in_process(name, small, own, bundle)})
        print(
            {key: round(value, 2) if isinstance(value, float) else value for key, value in rows[-1].items()}, flush=True
        )
    for made in own.iterdir():  # a gigabyte of explanations
        if made.name != "cohort":
            shutil.rmtree(made) if made.is_dir() else made.unlink()
    return rows


def slope(people: pl.Series, seconds: pl.Series) -> float:
    """Slope of the line through the points on logarithmic axes; 1: twice the people, twice the work."""
    return float(np.polyfit(np.log(people.to_numpy()), np.log(seconds.to_numpy()), 1)[0])


def told(figures: dict[str, Any]) -> str:
    """Write the figures out: a table of every step, and the slopes."""
    rows = pl.DataFrame(figures["rows"])
    wide = rows.pivot("people", index="step", values="work")
    sizes = wide.columns[1:]
    numbers = pl.Series([float(size) for size in sizes])
    every = _sums(rows)
    lines = [
        "| CPU, s | " + " | ".join(f"{int(size):,}" for size in sizes) + " | slope |",
        "| --- " * (len(sizes) + 2) + "|",
    ]
    shown = [(row[0], list(row[1:])) for row in wide.iter_rows()]
    shown += [("all steps", every["work"].to_list()), ("all steps and their start", every["whole"].to_list())]
    for name, seconds in shown:
        cells = [f"{value:.3g}" for value in seconds]
        lines.append(f"| {name} | {' | '.join(cells)} | {slope(numbers, pl.Series(seconds)):.2f} |")
    memory = rows.group_by("people", maintain_order=True).agg(pl.col("memory").max())["memory"]
    lines.append("| highest memory of a step, GB | " + " | ".join(f"{value / 1024:.2f}" for value in memory) + " | |")
    if figures["learned"] is not None:
        lines.append(
            f"Learning from {_TRAINING:,}: {figures['learned']['work']:.0f} s of CPU, whatever is done after it."
        )
    return "\n".join(lines)


def _sums(rows: pl.DataFrame) -> pl.DataFrame:
    sums = rows.group_by("people", maintain_order=True).agg(pl.col("work", "start").sum())
    return sums.with_columns(whole=pl.col("work") + pl.col("start"))


def picture(figures: dict[str, Any], path: Path) -> None:
    """Draw CPU seconds by people on logarithmic axes, with the line of slope 1 through the largest cohort."""
    import altair as alt

    from nociomics.report.charts_drawing import drawn, group_colours, picture_file, styled

    rows = pl.DataFrame(figures["rows"])
    every = _sums(rows)
    long = pl.concat(
        [
            rows.filter(pl.col("step").is_in(["check", "harmonise", "predict", "explain"])).select(
                "people", "step", "work"
            ),
            every.select("people", pl.lit("all steps").alias("step"), "work"),
        ]
    ).rename({"work": "seconds"})
    last = every.row(-1, named=True)
    even = every.select("people", seconds=pl.col("people") / last["people"] * last["work"])
    sizes = every["people"].to_list()
    logarithmic = alt.Scale(type="log", nice=False)
    x = alt.X("people:Q", scale=logarithmic, title="people", axis=alt.Axis(values=sizes, format=",d"))
    y = alt.Y("seconds:Q", scale=logarithmic, title="seconds of CPU", axis=alt.Axis(values=[1, 10, 100], format="d"))
    order = ["all steps", "explain", "check", "predict", "harmonise"]
    colour = alt.Color(
        "step:N",
        scale=alt.Scale(domain=order, range=group_colours()[: len(order)]),
        legend=alt.Legend(title=None, columns=3),
    )
    lines = alt.Chart(long.to_pandas()).mark_line(point=True).encode(x=x, y=y, color=colour)
    chart = alt.layer(alt.Chart(even.to_pandas()).mark_line(strokeDash=[4, 4], opacity=0.6).encode(x=x, y=y), lines)
    words = f"Slope of all steps together: {slope(every['people'], every['work']):.2f}; the dashed line has slope 1."
    svg = drawn(styled(chart, 320), "people-scaling", "CPU seconds by number of people", words)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(picture_file(str(svg)), encoding="utf-8")


def main() -> None:
    """Measure every size, print the table with its slopes, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, nargs="+", default=[1000, 3000, 10_000, 30_000, 100_000])
    parser.add_argument("--bundle", type=Path, help="export/model of a run; learned here when left out")
    parser.add_argument("--folder", type=Path, default=ROOT / "results" / "figures" / "people_scaling")
    parser.add_argument("--picture", type=Path, help="SVG to write")
    parser.add_argument("--draw", type=Path, help="figures.json of an earlier run: only print and draw it")
    parser.add_argument("--step", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step is not None:
        print(json.dumps(step(asked.step[0], *(Path(word) for word in asked.step[1:]))))
        return
    if asked.draw is None:
        figures = measured(asked.people, asked.folder, asked.bundle)
    else:
        figures = json.loads(asked.draw.read_text())
    print(told(figures))
    if asked.picture is not None:
        picture(figures, asked.picture)


if __name__ == "__main__":
    main()
