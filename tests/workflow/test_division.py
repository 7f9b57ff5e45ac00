"""Work that divides: the same bytes whether a step is done by one job, by three or by seven."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from nociomics.cli.explain import app as explain
from nociomics.cli.export import app as export
from nociomics.cli.resampling import app as resampling
from nociomics.cli.response import app as response
from nociomics.cli.strata import app as strata
from nociomics.config import load_config
from nociomics.errors import StudyError
from nociomics.explain import cohort
from nociomics.export import prediction
from nociomics.ingest.study_tables import read_study
from nociomics.models.settings import StrataSettings
from nociomics.pharmacogenomics.calling import call_pharmacogenes
from nociomics.tables.files import write_table
from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES, TARGET_ROWS
from nociomics.tables.part import Part
from nociomics.tables.results import SPLITS
from tests.export.bundles import CLOSED, OPEN, write_small_bundle
from tests.models.small_study import BLOCKS, QUICK, SmallStudy, numeric_study, small_study
from tests.workflow.conftest import Run
from tests.workflow.study_runs import command, job_counts, run

DIVIDED = (1, 3, 7)
NIGHTLY = bool(os.environ.get("NOCIOMICS_NIGHTLY"))


def told(app: Any, *words: object) -> None:
    """Run a command in this process; it has to go well."""
    made = CliRunner().invoke(app, [str(word) for word in words])
    assert made.exit_code == 0, (made.output, made.exception)


def options(**given: object) -> list[object]:
    return [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)]


def parts(count: int) -> list[str]:
    """Names of the parts, as the workflow writes them."""
    return [f"{number}-of-{count}" for number in range(1, count + 1)]


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


Step = Callable[[Path, list[object]], None]


def by_parts(folder: Path, whole: Step, part: Step, counts: Sequence[int] = DIVIDED) -> Iterator[dict[str, str]]:
    """What a step writes when it is done in one, and when it is put together from three and from seven parts."""
    folder.mkdir(exist_ok=True)
    for count in counts:
        made = []
        for name in parts(count) if count > 1 else []:
            own = folder / f"parts{count}" / name
            part(own, ["--part", name])
            made += ["--gather", own]
        (folder / f"whole{count}").mkdir()
        whole(folder / f"whole{count}", made)
        yield digests(folder / f"whole{count}")


def the_same(found: Iterator[dict[str, str]]) -> None:
    one, *others = found
    assert one and others
    assert [name for other in others for name in one | other if one.get(name) != other.get(name)] == []


# -- people: predictions and explanations


def stored(study: SmallStudy, folder: Path) -> dict[str, Path]:
    """A study's tables as files, in one file per option of the commands."""
    tables = {
        "features": (study.features, FEATURES),
        "catalogue": (study.catalogue, FEATURE_CATALOGUE),
        "target_rows": (study.rows, TARGET_ROWS),
        "splits": (study.splits, SPLITS),
    }
    for name, (frame, contract) in tables.items():
        write_table(frame, contract, folder / f"{name}.parquet")
    return {name: folder / f"{name}.parquet" for name in tables}


@pytest.mark.parametrize(
    ("kind", "gate"), [("change", OPEN), ("change", CLOSED | {"individual_explanations": False}), ("multiclass", OPEN)]
)
def test_people_may_be_predicted_and_explained_in_parts(
    kind: str, gate: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "_AT_A_TIME", 9)
    monkeypatch.setattr(cohort, "_PEOPLE_AT_ONCE", 8)
    study = small_study(kind, people=80, effect=3.0)
    files = stored(study, tmp_path)
    bundle = write_small_bundle(study, tmp_path / "bundle", gate)
    known = {"bundle": bundle, "features": files["features"], "target_rows": files["target_rows"]}

    def predict(folder: Path, more: list[object]) -> None:
        made = {name: folder / f"{name}.parquet" for name in ("predictions", "effects")}
        told(export, "predict", *options(**known, **made), *more)

    def predict_part(folder: Path, more: list[object]) -> None:
        told(export, "predict-part", *options(**known, output=folder), *more)

    counts = DIVIDED if kind == "change" else (1, 7)
    the_same(by_parts(tmp_path / "predicted", predict, predict_part, counts))
    known = {
        "bundle": bundle,
        "features": files["features"],
        "predictions": tmp_path / "predicted" / "whole1" / "predictions.parquet",
        "seed": 1,
    }

    def explain_all(folder: Path, more: list[object]) -> None:
        names = ("shap", "base", "importance", "stability", "dependence")
        made = {name: folder / f"{name}.parquet" for name in names}
        told(explain, "predictions", *options(**known, **made), *more)

    def explain_part(folder: Path, more: list[object]) -> None:
        told(explain, "part", *options(**known, output=folder), *more)

    the_same(by_parts(tmp_path / "explained", explain_all, explain_part, counts))
    rows = pl.read_parquet(tmp_path / "explained" / "whole7" / "shap.parquet")["patient_id"].n_unique()
    assert rows == (80 if gate["individual_explanations"] else 0)


def test_parts_of_another_cohort_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort, "_PEOPLE_AT_ONCE", 8)
    study = small_study(people=80)
    files = stored(study, tmp_path)
    bundle = write_small_bundle(study, tmp_path / "bundle")
    predicted = {name: tmp_path / f"{name}.parquet" for name in ("predictions", "effects")}
    known = {"bundle": bundle, "features": files["features"]}
    told(export, "predict", *options(**known, **predicted, target_rows=files["target_rows"]))
    known |= {"predictions": predicted["predictions"], "seed": 1}
    told(explain, "part", *options(**known, part="2-of-3", output=tmp_path / "part"))
    made = {name: tmp_path / f"{name}.parquet" for name in ("shap", "base")}
    refused = CliRunner().invoke(
        explain, [str(word) for word in ["predictions", *options(**known, **made, gather=tmp_path / "part")]]
    )
    assert "hold 3 blocks of people, but this cohort has 10" in str(refused.exception)
    assert not (tmp_path / "shap.parquet").exists()


# -- folds, permutations


@pytest.mark.parametrize(
    ("kind", "variant"),
    [("change", "full"), ("multiclass", "full"), ("change", "treatment_only"), ("change", "without_treatment")],
)
def test_outer_folds_may_be_jobs(kind: str, variant: str, tmp_path: Path) -> None:
    study = small_study(kind, people=60, effect=3.0)
    first = study.splits.filter(pl.col("repeat") == 0)
    again = first.with_columns(pl.col("outer_fold", "inner_fold").reverse(), repeat=pl.lit(1, pl.Int64))
    study = study.changed(splits=pl.concat([first, again]))
    settings = QUICK.model_copy(update={"refits_in_folds": 1, "trees": 2, "background_people": 10})
    known = {
        **stored(study, tmp_path),
        "target": study.target.model_dump_json(),
        "blocks": BLOCKS.model_dump_json(),
        "settings": settings.model_dump_json(),
        "seed": 1,
        "variant": variant,
    }
    explained = variant == "full"

    def whole(folder: Path, more: list[object]) -> None:
        values = options(values=folder / "values.parquet") if explained else []
        told(response, "cross-validate", *options(**known, output=folder / "out_of_fold.parquet"), *values, *more)

    def part(folder: Path, more: list[object]) -> None:
        told(
            response,
            "cross-validate-folds",
            *options(**known, output=folder),
            *(["--explain"] if explained else []),
            *more,
        )

    the_same(by_parts(tmp_path, whole, part, DIVIDED if kind == "change" else (1, 7)))
    repeats = pl.read_parquet(tmp_path / "whole1" / "out_of_fold.parquet")["repeat"].n_unique()
    assert repeats == study.splits["repeat"].n_unique() > 1


def test_the_number_of_permutations_in_a_job_changes_none(tmp_path: Path) -> None:
    study = small_study(people=60, effect=3.0)
    known = {
        **stored(study, tmp_path),
        "target": study.target.model_dump_json(),
        "blocks": BLOCKS.model_dump_json(),
        "settings": QUICK.model_copy(update={"refits_in_folds": 1, "candidates": ["ridge"]}).model_dump_json(),
        "seed": 1,
    }
    found = []
    for jobs in DIVIDED:
        bounds = [8 * job // jobs for job in range(jobs + 1)]
        tables = []
        for first, end in pairwise(bounds):
            output = tmp_path / f"{jobs}_{first}.parquet"
            told(resampling, "permute", *options(**known, first=first, count=end - first, output=output))
            tables.append(pl.read_parquet(output))
        found.append(pl.concat(tables))
    assert found[0].height == 8 and found[0]["value"].n_unique() > 5
    assert_frame_equal(found[0], found[1], check_exact=True)
    assert_frame_equal(found[0], found[2], check_exact=True)


# -- refits of strata


def test_refits_of_strata_may_be_jobs(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    drivers = rng.normal(size=(300, 3)) + np.outer(rng.integers(0, 2, 300), [4, -4, 0])
    scales = np.repeat(drivers, 3, axis=1) * 0.8 + 0.6 * rng.normal(size=(300, 9))
    features, catalogue = numeric_study({f"scale_{place}": scales[:, place] for place in range(9)})
    write_table(features, FEATURES, tmp_path / "features.parquet")
    write_table(catalogue, FEATURE_CATALOGUE, tmp_path / "catalogue.parquet")
    known = {
        "features": tmp_path / "features.parquet",
        "catalogue": tmp_path / "catalogue.parquet",
        "settings": StrataSettings(starts=2, bootstraps=5, largest_k=3).model_dump_json(),
        "blocks": BLOCKS.model_dump_json(),
        "seed": 1,
    }

    def find(folder: Path, more: list[object]) -> None:
        told(strata, "find", *options(**known, output=folder), *more)

    def refit(folder: Path, more: list[object]) -> None:
        told(strata, "refit", *options(**known, output=folder), *more)

    the_same(by_parts(tmp_path, find, refit))
    summary = json.loads((tmp_path / "whole7" / "summary.json").read_text(encoding="utf-8"))
    assert summary["k"] == 2 and 0.5 < summary["stability"]["agreement"] < 1


# -- genotypes


def test_genotypes_may_come_in_one_file_or_in_seven(study: Path, tmp_path: Path) -> None:
    lines = gzip.decompress((study.parent / "genotypes.vcf.gz").read_bytes()).decode().splitlines(keepends=True)
    head, sites = ([line for line in lines if line.startswith("#") == opening] for opening in (True, False))
    found = []
    for count in DIVIDED:
        folder = tmp_path / str(count)
        shutil.copytree(study.parent, folder, ignore=shutil.ignore_patterns("results", "truth", "genotypes*"))
        names = [f"genotypes_{name}.vcf" for name in parts(count)]
        for place, name in enumerate(names):
            own = sites[len(sites) * place // count : len(sites) * (place + 1) // count]
            (folder / name).write_text("".join([*head, *own]), encoding="utf-8")
        asked = yaml.safe_load((folder / "study.yaml").read_text(encoding="utf-8"))
        asked["tables"]["genotype"] = [{"path": name, "build": "GRCh38"} for name in names]
        (folder / "study.yaml").write_text(yaml.safe_dump(asked), encoding="utf-8")
        found.append(read_study(load_config(folder / "study.yaml"), folder))
    one, *others = found
    assert one.dosages is not None and one.dosages.width > 100
    assert one.pharmacogene_genotypes is not None and one.pharmacogene_genotypes.height > 500
    for other in others:
        assert_frame_equal(one.dosages, other.dosages, check_exact=True)
        assert_frame_equal(one.variants, other.variants, check_exact=True)
        # positions stand in the order of the files
        assert_frame_equal(one.pharmacogene_genotypes, other.pharmacogene_genotypes, check_row_order=False)
        assert_frame_equal(
            call_pharmacogenes(one.pharmacogene_genotypes, None, one.dosages["patient_id"].to_list()),
            call_pharmacogenes(other.pharmacogene_genotypes, None, one.dosages["patient_id"].to_list()),
        )


# -- the workflow


def planned(study: Path, folder: Path, *more: str) -> tuple[dict[str, int], str]:
    finished = command("nociomics", "run", study, "--", "-n", *more, cwd=folder)
    assert finished.returncode == 0, finished.stderr
    return job_counts(finished.stdout + finished.stderr), finished.stdout + finished.stderr


def test_the_plan_has_a_job_for_each_part_and_for_each_genotype_file(study: Path, tmp_path: Path) -> None:
    asked = yaml.safe_load(study.read_text(encoding="utf-8")) | {"data_root": str(study.parent)}
    asked["tables"]["genotype"] = [{"path": "genotypes.vcf.gz", "build": "GRCh38"}] * 22
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump(asked), encoding="utf-8")
    whole, said = planned(study, tmp_path)
    assert whole["convert_genotypes"] == 22
    assert not re.search(r"_part|_folds|refit_", said)
    for count in (3, 7):
        scattered = ("--set-scatter", f"people={count}", f"folds={count}", f"refits={count}")
        found, _ = planned(study, tmp_path, *scattered)
        more = {rule: jobs for rule, jobs in found.items() if rule not in whole}
        people = dict.fromkeys(("predict_part", "explain_part", "report_profile_part"), count)
        folds = {"predict_folds": count, "compare_folds": count * whole["compare_out_of_fold"]}
        assert more == {**people, **folds, "refit_strata": count}
        assert {rule: found[rule] for rule in whole if rule != "total"} == {
            rule: jobs for rule, jobs in whole.items() if rule != "total"
        }


@pytest.mark.parametrize("text", ["0-of-3", "4-of-3", "2", "two-of-3", "2-of-3 "])
def test_what_is_no_part_is_said(text: str) -> None:
    with pytest.raises(StudyError, match="a part is written as 2-of-7"):
        Part.read(text)


@pytest.mark.parametrize("of", [1, 3, 7, 20])
@pytest.mark.parametrize("count", [0, 1, 7, 10])
def test_parts_hold_everything_once_and_in_order(count: int, of: int) -> None:
    assert [place for number in range(1, of + 1) for place in Part(number, of).places(count)] == list(range(count))


@pytest.mark.skipif(not NIGHTLY, reason="a whole run in parts takes minutes; NOCIOMICS_NIGHTLY=1 makes it")
@pytest.mark.parametrize("count", DIVIDED[1:])
def test_a_whole_run_in_parts_gives_the_same_files(finished: Run, count: int, tmp_path: Path) -> None:
    scattered = ("--set-scatter", f"people={count}", f"folds={count}", f"refits={count}")
    run(finished.study, tmp_path, "--", *scattered, "--omit-from", "initialise_tracking")
    apart = ("logs/", "benchmarks/", "tracking", "strata/tracking")
    one, divided = (
        {name: digest for name, digest in digests(folder).items() if not name.startswith(apart)}
        for folder in (finished.results, tmp_path / "results" / "small")
    )
    assert {name for name in one | divided if one.get(name) != divided.get(name)} == set()
