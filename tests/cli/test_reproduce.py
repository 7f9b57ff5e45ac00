"""A run again from its record: what differs is said before and after, and other data are refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nociomics.cli import reproduce as module
from nociomics.cli.reproduce import changed_inputs, compared, differences_before, recorded_config
from nociomics.cli.track_records import environment
from nociomics.config import code_commit, code_digest
from nociomics.errors import NociomicsError
from nociomics.tracking.recorded_study import RecordedStudy

STUDY = {"study": "s", "seed": 1, "tables": {"patients": "patients.csv", "questionnaires": "answers.csv"}}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def recorded(tmp_path: Path) -> RecordedStudy:
    """A run whose files are all as they were."""
    files = {"patients.csv": "patient_id\na\n", "answers.csv": "patient_id,x\na,1\n"}
    data = tmp_path / "data"
    data.mkdir()
    for name, text in files.items():
        (data / name).write_text(text, encoding="utf-8")
    now = environment() | {"commit": code_commit(), "code": code_digest(""), "knowledge": code_digest("knowledge")}
    return RecordedStudy(
        run_id="0123456789abcdef",
        name="s 0123",
        study=STUDY,
        folder=str(data),
        inputs={name: sha(text) for name, text in files.items()},
        environment=now,
        ingested={"patients": sha("patients")},
        results={"strata/summary.json": sha("{}"), "harmonised/features.parquet": sha("features")},
        metrics={"auroc": {"value": 0.7, "lower": 0.6}},
    )


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Results that are those of the run."""
    texts = {
        "ingested/patients.parquet": "patients",
        "strata/summary.json": "{}",
        "harmonised/features.parquet": "features",
        "evaluation/metrics.json": json.dumps({"auroc": {"value": 0.7}}),
    }
    for name, text in texts.items():
        path = tmp_path / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "results"


# -- before


def test_the_study_is_read_where_its_files_are_now_and_not_tracked_again(
    recorded: RecordedStudy, tmp_path: Path
) -> None:
    config = recorded_config(recorded, None)
    assert config.data_root == str(tmp_path / "data")
    assert not config.tracking.enabled
    assert changed_inputs(recorded, config) == []


@pytest.mark.parametrize("folder", ["", "/nowhere/at/all"])
def test_a_folder_that_is_gone_is_asked_for(recorded: RecordedStudy, folder: str) -> None:
    with pytest.raises(NociomicsError, match="--data"):
        recorded_config(replace(recorded, folder=folder), None)


def test_settings_that_this_version_does_not_know_are_named(recorded: RecordedStudy) -> None:
    with pytest.raises(NociomicsError, match=r"run 0123456789abcdef.*\n.*seeds: is not a key"):
        recorded_config(replace(recorded, study={**STUDY, "seeds": 1}), None)


def test_every_file_that_is_not_what_it_was_is_named(recorded: RecordedStudy, tmp_path: Path) -> None:
    (tmp_path / "data" / "patients.csv").write_text("patient_id\nb\n", encoding="utf-8")
    (tmp_path / "data" / "answers.csv").unlink()
    then = replace(recorded, inputs={**recorded.inputs, "panel.bim": sha("variants")})
    assert changed_inputs(then, recorded_config(recorded, None)) == [
        "answers.csv: is not there",
        "panel.bim: is not there",
        "patients.csv: has changed",
    ]


def test_another_code_and_other_packages_are_told(recorded: RecordedStudy) -> None:
    assert differences_before(recorded) == []
    packages = {**recorded.environment["packages"], "polars": "0.1", "gone": "1"}
    then = replace(recorded, environment={**recorded.environment, "commit": "abc", "packages": packages})
    assert [line.split(" -> ")[0] for line in differences_before(then)] == [
        "commit: abc",
        "package gone: 1",
        "package polars: 0.1",
    ]


# -- after


def test_equal_results_are_counted(recorded: RecordedStudy, written: Path) -> None:
    assert compared(recorded, written) == {"equal": 3, "different": [], "absent": [], "metrics": {}}


def test_what_differs_is_named(recorded: RecordedStudy, written: Path) -> None:
    (written / "strata" / "summary.json").write_text("{1}", encoding="utf-8")
    (written / "harmonised" / "features.parquet").unlink()
    (written / "evaluation" / "metrics.json").write_text('{"auroc": {"value": 0.8}}', encoding="utf-8")
    assert compared(recorded, written) == {
        "equal": 1,
        "different": ["strata/summary.json"],
        "absent": ["harmonised/features.parquet"],
        "metrics": {"auroc": [0.7, 0.8]},
    }


# -- the whole command, with a run that writes what it is told


@pytest.fixture
def ran(
    recorded: RecordedStudy, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """The command with this record, whose run moves finished results into place; its words are returned."""
    said: list[str] = []

    def run(study: Path, cores: int | None, snakemake: list[str] | None) -> None:
        assert json.loads(study.read_text(encoding="utf-8"))["study"] == "s"
        Path("results").mkdir()
        written.rename(Path("results/s"))

    monkeypatch.setattr("nociomics.cli.run.run", run)
    monkeypatch.setattr("nociomics.tracking.recorded_study.read_recorded", lambda uri, asked: recorded)
    monkeypatch.setattr(module.typer, "echo", said.append)
    monkeypatch.chdir(tmp_path)

    def call(**more: object) -> list[str]:
        module.reproduce("0123", **more)  # type: ignore[arg-type]
        return said

    return call


def test_a_run_that_gives_the_same_says_so(ran: Callable[..., list[str]], tmp_path: Path) -> None:
    said = ran()
    assert said[-1] == "Reproduced: 3 tables and documents are the same, byte by byte."
    assert "All 2 files of the study are those of then." in said
    assert json.loads((tmp_path / "reproduced" / "01234567" / "reproduction.json").read_text())["equal"] == 3


def test_other_data_are_refused_before_anything_is_written(ran: Callable[..., list[str]], tmp_path: Path) -> None:
    (tmp_path / "data" / "patients.csv").write_text("patient_id\nb\n", encoding="utf-8")
    with pytest.raises(NociomicsError, match=r"1 of 2 files.*\n  patients\.csv: has changed\n.*--anyway"):
        ran()
    assert not (tmp_path / "reproduced").exists()
    assert ran(anyway=True)[-1].startswith("Reproduced: 3")


def test_results_that_differ_are_an_error(ran: Callable[..., list[str]], written: Path) -> None:
    (written / "strata" / "summary.json").write_text("{1}", encoding="utf-8")
    with pytest.raises(NociomicsError, match=r"not reproduced: 2 .* the same, 1 are not\.\n  strata/summary\.json"):
        ran()


def test_a_folder_with_something_else_is_refused(ran: Callable[..., list[str]], tmp_path: Path) -> None:
    with pytest.raises(NociomicsError, match="holds something else"):
        ran(output=tmp_path / "data")
