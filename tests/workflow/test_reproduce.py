"""A finished run, run again from what the tracking store holds of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.workflow.conftest import Run
from tests.workflow.study_runs import command
from tests.workflow.warm_steps import warm_steps


def test_a_run_is_reproduced_byte_by_byte_from_its_id(finished: Run, tmp_path: Path) -> None:
    told = json.loads((finished.results / "tracking.json").read_text(encoding="utf-8"))
    words = ("nociomics", "reproduce", told["run_id"][:8], "--results", finished.results.parent, "--cores", 2)
    # a folder whose files are others is refused, and each of them is named
    other = tmp_path / "other"
    shutil.copytree(finished.study.parent, other)
    (other / "outcomes.csv").unlink()
    with (other / "patients.csv").open("a", encoding="utf-8") as file:
        file.write("\n")
    refused = command(*words, "--data", other, cwd=tmp_path)
    assert refused.returncode == 1
    assert "outcomes.csv: is not there\n  patients.csv: has changed" in refused.stderr
    assert not (tmp_path / "reproduced").exists()

    done = command(*words, "--output", tmp_path / "again", cwd=tmp_path, **warm_steps())
    assert done.returncode == 0, done.stderr
    assert "Reproduced: " in done.stdout
    found = json.loads((tmp_path / "again" / "reproduction.json").read_text(encoding="utf-8"))
    assert found["equal"] > 20
    assert (found["different"], found["absent"], found["metrics"]) == ([], [], {})
