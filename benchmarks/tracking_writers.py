"""Studies that end at once: many processes log to one tracking server, and every word of them is looked up again.

Run ``python benchmarks/tracking_writers.py`` for 64 writers and a server of its own, started as the compose file says
(PostgreSQL and the extra ``team``); ``--uri http://...`` for a server that runs, whose account the usual variables
name. ``--cut`` kills the server in the midst of it with SIGKILL, starts it anew and lets the writers try again.

Each writer is a process with connections of its own. It logs a study as the program does (`log_study`: a run with
three below it, parameters, numbers, tags, tables by digest, a page), then the 100 steps of one metric. All of them
write into one experiment, which the first has to make, and begin at the same moment. Then all is read back from the
server and compared; the writers log the same studies again, and it is compared once more: nothing may be lost and
nothing be there twice. Exit 1 when something is.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if TYPE_CHECKING:
    from tests.service.team_processes import Team

    from nociomics.tracking.run_record import RunRecord
    from nociomics.tracking.study_run import StudyRun

STEPS = 100
STAGES = ("data", "evaluation", "explanations")
_TOGETHER: Any = None


@dataclass(frozen=True)
class Written:
    """What became of one writer; ``refused`` is empty when it logged everything."""

    writer: int
    seconds: float
    refused: str = ""


def study(writer: int, experiment: str, page: Path) -> StudyRun:
    """Return what one writer logs: every number and word tells who wrote it."""
    from nociomics.tracking.run_record import RunRecord
    from nociomics.tracking.study_run import StudyRun

    stages = tuple(
        RunRecord(stage, metrics={f"{stage}/figure": writer + place / 10}, tags={"stage": stage, "writer": str(writer)})
        for place, stage in enumerate(STAGES)
    )
    record = RunRecord(
        name=f"writer {writer}",
        parameters={f"setting_{number:02d}": writer * 1000 + number for number in range(60)},
        metrics={f"test/figure_{number:02d}": writer + number / 100 for number in range(30)},
        tags={"stage": "study", "writer": str(writer)},
        documents={"gate": {"writer": writer}},
        pages={"report.html": page},
        children=stages,
        seconds=60.0,
    )
    own, of_all = f"{writer:064x}"[::-1], "ab" * 32
    return StudyRun(experiment, record, datasets={"features": (own, 600), "target": (of_all, 550)})


def steps(writer: int) -> list[float]:
    """Return a metric's value at every step."""
    return [writer + step / STEPS for step in range(STEPS)]


def write(writer: int, uri: str, experiment: str, again: bool) -> Written:
    """Log one study and the steps of a metric, when all writers are there."""
    from mlflow.entities import Metric

    from nociomics.errors import NociomicsError
    from nociomics.tracking.store import as_our_error, mlflow_module
    from nociomics.tracking.study_run import log_study

    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        page.write_text(f"<p>writer {writer}</p>" + "x" * 50_000, encoding="utf-8")
        run = study(writer, experiment, page)
        _TOGETHER.wait()
        began = time.perf_counter()
        try:
            tracked = log_study(run, uri)
            if not again:
                with as_our_error(uri):
                    client = mlflow_module().MlflowClient(uri)
                    values = [Metric("loss", value, 1_700_000_000_000 + n, n) for n, value in enumerate(steps(writer))]
                    client.log_batch(tracked.run_id, values)
        except NociomicsError as error:
            return Written(writer, time.perf_counter() - began, str(error))
        return Written(writer, time.perf_counter() - began)


def _begin_together(barrier: Any, environment: dict[str, str]) -> None:
    global _TOGETHER
    _TOGETHER = barrier
    os.environ.update(environment)
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"


def write_all(writers: int, uri: str, experiment: str, *, again: bool = False) -> list[Written]:
    """Let so many processes write at the same moment."""
    processes = multiprocessing.get_context("forkserver")  # one process imports MLflow, the writers are forks of it
    processes.set_forkserver_preload(["mlflow.pyfunc", "nociomics.tracking.study_run"])
    begin = (processes.Barrier(writers), dict(os.environ))
    with ProcessPoolExecutor(writers, mp_context=processes, initializer=_begin_together, initargs=begin) as pool:
        asked = [pool.submit(write, writer, uri, experiment, again) for writer in range(writers)]
        return [one.result() for one in asked]


def problems(writers: int, uri: str, experiment: str) -> list[str]:
    """Return what is lost, wrong or there twice, in words; empty when the server has all of it, once."""
    from nociomics.tracking.store import mlflow_module

    mlflow = mlflow_module()
    client = mlflow.MlflowClient(uri)
    experiments = [one for one in client.search_experiments() if one.name == experiment]
    if len(experiments) != 1:
        return [f"{len(experiments)} experiments"]
    runs = _runs(client, experiments[0].experiment_id)
    names = Counter((run.data.tags.get("writer"), run.data.tags.get("stage")) for run in runs)
    wanted = {(str(writer), stage) for writer in range(writers) for stage in ("study", *STAGES)}
    found = [f"{key}: {names[key]} runs instead of 1" for key in sorted(wanted) if names[key] != 1]
    found += [f"{key}: nobody wrote this" for key in names if key not in wanted]
    page = Path("report.html")
    for run in runs:
        writer, stage = int(run.data.tags["writer"]), run.data.tags["stage"]
        told = study(writer, experiment, page).record
        record = told if stage == "study" else next(one for one in told.children if one.name == stage)
        differ = _differences(client, run, record, writer)
        found += [f"writer {writer}, {stage}: {what}" for what in differ]
    return found


def _runs(client: Any, experiment_id: str) -> list[Any]:
    found: list[Any] = []
    token = None
    while True:
        page = client.search_runs([experiment_id], max_results=1000, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _differences(client: Any, run: Any, record: RunRecord, writer: int) -> Iterator[str]:
    """Compare one run of the server with what its writer was told to log."""
    from nociomics.tracking.run_record import flattened

    if run.info.status != "FINISHED":
        yield f"is {run.info.status}"
    if run.data.params != flattened(record.parameters):
        yield "other parameters"
    numbers = {name: value for name, value in run.data.metrics.items() if name != "loss"}
    if numbers != record.metrics:
        yield "other numbers"
    if any(run.data.tags.get(name) != text for name, text in record.tags.items()):
        yield "other tags"
    if record.children:
        yield from _differences_of_a_study(client, run, writer)


def _differences_of_a_study(client: Any, run: Any, writer: int) -> Iterator[str]:
    points = sorted((one.step, one.value) for one in client.get_metric_history(run.info.run_id, "loss"))
    if points != list(enumerate(steps(writer))):
        yield f"{len(points)} of {STEPS} steps"
    if len(client.get_metric_history(run.info.run_id, "test/figure_00")) != 1:
        yield "a figure with several points"
    if sorted(one.dataset.name for one in run.inputs.dataset_inputs) != ["features", "target"]:
        yield f"{len(run.inputs.dataset_inputs)} datasets"
    files = {entry.path for entry in client.list_artifacts(run.info.run_id)}
    if files != {"gate.json", "report.html"}:
        yield f"files {sorted(files)}"
        return
    with tempfile.TemporaryDirectory() as folder:
        page = Path(client.download_artifacts(run.info.run_id, "report.html", folder)).read_text(encoding="utf-8")
        gate = json.loads(Path(client.download_artifacts(run.info.run_id, "gate.json", folder)).read_text("utf-8"))
    if not page.startswith(f"<p>writer {writer}</p>") or len(page) < 50_000 or gate != {"writer": writer}:
        yield "another's page"


def measured(writers: int, uri: str, experiment: str, first: list[Written], took: float) -> dict[str, Any]:
    """Return the figures of one round, with what is lost or doubled after it."""
    seconds = sorted(one.seconds for one in first)
    return {
        "writers": writers,
        "refused": sum(1 for one in first if one.refused),
        "reasons": sorted({one.refused for one in first if one.refused})[:3],
        "seconds_all": round(took, 1),
        "seconds_of_one_median": round(statistics.median(seconds), 1),
        "seconds_of_one_longest": round(seconds[-1], 1),
        "problems": problems(writers, uri, experiment),
    }


def one_round(writers: int, uri: str, experiment: str, *, again: bool = False) -> dict[str, Any]:
    """Let all write, and look up what is there afterwards."""
    began = time.perf_counter()
    done = write_all(writers, uri, experiment, again=again)
    return measured(writers, uri, experiment, done, time.perf_counter() - began)


def undisturbed(writers: int, uri: str, experiment: str) -> list[dict[str, Any]]:
    """Write and look; write the same again and look."""
    return [one_round(writers, uri, experiment, again=again) for again in (False, True)]


def cut_off(team: Team, writers: int, experiment: str) -> list[dict[str, Any]]:
    """Kill the server when half of the studies have begun; start it anew, and let all write once more."""
    with team.running("tracking") as process:
        killer = threading.Thread(target=_kill_in_the_midst, args=(team, process.pid, writers))
        killer.start()
        began = time.perf_counter()
        done = write_all(writers, team.tracking_url, experiment)
        took = time.perf_counter() - began
        killer.join()
    with team.running("tracking"):
        return [
            measured(writers, team.tracking_url, experiment, done, took),
            one_round(writers, team.tracking_url, experiment),
        ]


def _kill_in_the_midst(team: Team, server: int, writers: int) -> None:
    while int(team.sql("mlflow", "select count(*) from runs")) < writers // 2:
        time.sleep(0.05)
    os.killpg(server, signal.SIGKILL)


def _with_an_own_server(writers: int, experiment: str, cut: bool) -> list[dict[str, Any]]:
    from tests.service.team_processes import prepared_team, why_not

    if absent := why_not():
        sys.exit(absent)
    with prepared_team() as team, team.database():
        team.upgrade()
        os.environ.update(team.client_environment())
        if cut:
            return cut_off(team, writers, experiment)
        with team.running("tracking") as server:
            told = undisturbed(writers, team.tracking_url, experiment)
            told[-1] |= {"server_cpu_seconds": _cpu_seconds(server.pid)}
            told[-1] |= {"rows_of_metrics": int(team.sql("mlflow", "select count(*) from metrics"))}
            return told


def _cpu_seconds(session: int) -> float:
    """CPU of a server and of what it started, of the kernel's own counting."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it has ended since
            continue
        if int(fields[3]) == session:
            ticks += sum(int(fields[place]) for place in (11, 12, 13, 14))
    return round(ticks / os.sysconf("SC_CLK_TCK"), 1)


def main() -> None:
    """Run from the command line; the last line is JSON."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--writers", type=int, default=64)
    words.add_argument("--experiment", default="writers")
    words.add_argument("--uri", help="a server that runs; left out, one is started")
    words.add_argument("--cut", action="store_true", help="kill the server in the midst")
    asked = words.parse_args()
    if asked.uri:
        told = undisturbed(asked.writers, asked.uri, asked.experiment)
    else:
        told = _with_an_own_server(asked.writers, asked.experiment, asked.cut)
    print(json.dumps(told))
    # a server that was killed may well have lost something by the end of the first round: the second has to mend it
    sys.exit(any(one["problems"] or one["refused"] for one in (told[1:] if asked.cut else told)))


if __name__ == "__main__":
    main()
