"""Run a study again from its record in the tracking store, and say what differs before and after."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nociomics.errors import NociomicsError

if TYPE_CHECKING:
    from nociomics.config import Config
    from nociomics.tracking.recorded_study import RecordedStudy

_MARK = "reproduces.json"
_MOST_SHOWN = 12


def reproduce(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="id of a study's run, or its first characters")],
    results: Annotated[
        Path, typer.Option(help="folder of all studies' results, which holds the tracking store")
    ] = Path("results"),
    output: Annotated[Path | None, typer.Option(help="folder to run in; left out: reproduced/<id>")] = None,
    data: Annotated[Path | None, typer.Option(help="folder of the study's files; left out: where they were")] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="run although files of the study differ")] = False,
    cores: Annotated[int | None, typer.Option(help="cores to use; all when left out")] = None,
    snakemake: Annotated[list[str] | None, typer.Argument(help="behind --: arguments for Snakemake")] = None,
) -> None:
    """Run a study again as a run in the tracking store says, and compare every table and figure.

    First it says what differs from then: code, packages, knowledge, the study's files. It refuses when those files
    differ. Exit 1 when the results differ, with what does.

    Example: nociomics reproduce 4c1f
    """
    from nociomics.cli.run import run
    from nociomics.tables.files import write_json
    from nociomics.tracking.recorded_study import read_recorded
    from nociomics.tracking.store import tracking_uri

    recorded = read_recorded(tracking_uri(results), run_id)
    config = recorded_config(recorded, data)
    place = output or Path("reproduced") / recorded.run_id[:8]
    _require_own(place, recorded.run_id)
    changed = changed_inputs(recorded, config)
    _say_before(recorded, changed)
    if changed and not anyway:
        raise NociomicsError(
            f"{len(changed)} of {len(recorded.inputs)} files of the study are not those of the run:\n"
            + "\n".join(f"  {line}" for line in _cut(changed))
            + "\nName the folder that has them (--data), or run with what is there (--anyway)."
        )
    study = place / "study.yaml"
    write_json({"run_id": recorded.run_id}, place / _MARK)
    # JSON is YAML
    write_json(config.model_dump(mode="json", exclude_none=True), study)
    with contextlib.chdir(place):
        run(Path("study.yaml"), cores, snakemake)
    told = compared(recorded, place / "results" / config.study)
    write_json({"run_id": recorded.run_id, "inputs": changed, **told}, place / "reproduction.json")
    _say_after(told, place)


def recorded_config(recorded: RecordedStudy, data: Path | None) -> Config:
    """Return the study as it was run, with its files where they are now, and without a run in the tracking store.

    Raises
    ------
    NociomicsError
        When this version does not know its settings, or the folder of its files is not there.
    """
    from nociomics.config import check_config

    folder = data if data is not None else Path(recorded.folder)
    if (data is None and not recorded.folder) or not folder.is_dir():
        raise NociomicsError(
            f"{folder}: the folder of the study's files is not there. Name the folder that holds them now (--data)."
        )
    told = {**recorded.study, "data_root": str(folder.resolve()), "tracking": {"enabled": False}}
    return check_config(told, f"the study of run {recorded.run_id}")


def changed_inputs(recorded: RecordedStudy, config: Config) -> list[str]:
    """Name every file of the study that is not what it was."""
    from nociomics.ingest.input_digests import input_digests

    now = input_digests(config, Path(str(config.data_root)))
    lines = []
    for name in sorted({*recorded.inputs, *now}):
        before, after = recorded.inputs.get(name), now.get(name)
        if before == after:
            continue
        lines.append(f"{name}: {'is not there' if after is None else 'is new' if before is None else 'has changed'}")
    return lines


def differences_before(recorded: RecordedStudy) -> list[str]:
    """Name what differs between the program then and now: commit, code, knowledge, Python, packages."""
    from nociomics.cli.track_records import environment
    from nociomics.config import code_commit, code_digest

    then = recorded.environment
    now = environment() | {"commit": code_commit(), "code": code_digest(""), "knowledge": code_digest("knowledge")}
    lines = [
        f"{name}: {then.get(name, 'not known')} -> {now[name]}"
        for name in ("version", "commit", "code", "knowledge", "python")
        if then.get(name) != now[name]
    ]
    before, after = then.get("packages", {}), now["packages"]
    return lines + [
        f"package {name}: {before.get(name, 'absent')} -> {after.get(name, 'absent')}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def compared(recorded: RecordedStudy, results: Path) -> dict[str, Any]:
    """Compare every recorded table, document and figure with what the new run wrote.

    Returns
    -------
    dict
        ``equal``: number of files with the same bytes; ``different``, ``absent``: their names; ``metrics``: name ->
        value then and now, of those that differ.
    """
    from nociomics.tables.files import read_json

    told = {f"ingested/{name}.parquet": digest for name, digest in recorded.ingested.items()} | dict(recorded.results)
    now = {name: _digest(results / name) for name in told}
    metrics = results / "evaluation" / "metrics.json"
    measured = read_json(metrics) if metrics.is_file() else {}
    return {
        "equal": sum(told[name] == now[name] for name in told),
        "different": sorted(name for name in told if now[name] is not None and now[name] != told[name]),
        "absent": sorted(name for name in told if now[name] is None),
        "metrics": _changed_metrics(recorded.metrics, measured),
    }


def _changed_metrics(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, list[Any]]:
    pairs = {name: [_value(then.get(name)), _value(now.get(name))] for name in sorted({*then, *now})}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _value(metric: Any) -> Any:
    return metric.get("value") if isinstance(metric, Mapping) else metric


def _digest(path: Path) -> str | None:
    import hashlib

    if not path.is_file():
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _require_own(place: Path, run_id: str) -> None:
    """Refuse a folder that holds anything but an earlier try at the same run."""
    from nociomics.tables.files import read_json

    if not place.exists() or not any(place.iterdir()):
        return
    mark = place / _MARK
    if not mark.is_file() or read_json(mark).get("run_id") != run_id:
        raise NociomicsError(f"{place}: holds something else. Name an empty or a new folder (--output).")


def _say_before(recorded: RecordedStudy, changed: list[str]) -> None:
    typer.echo(f"Run {recorded.run_id} ({recorded.name})")
    lines = differences_before(recorded)
    if lines:
        typer.echo("Since then:")
        for line in _cut(lines):
            typer.echo(f"  {line}")
    else:
        typer.echo("Code, knowledge, Python and packages are those of then.")
    if not changed:
        typer.echo(f"All {len(recorded.inputs)} files of the study are those of then.")


def _say_after(told: Mapping[str, Any], place: Path) -> None:
    differing = [*told["different"], *(f"{name} (not written)" for name in told["absent"])]
    if not differing and not told["metrics"]:
        typer.echo(f"Reproduced: {told['equal']} tables and documents are the same, byte by byte.")
        return
    figures = [f"{name}: {then} -> {now}" for name, (then, now) in told["metrics"].items()]
    raise NociomicsError(
        f"not reproduced: {told['equal']} tables and documents are the same, {len(differing)} are not.\n"
        + "\n".join(f"  {line}" for line in [*_cut(differing), *_cut(figures)])
        + f"\nThe whole list: {place / 'reproduction.json'}. What differed before the run is the likely cause."
    )


def _cut(lines: list[str]) -> list[str]:
    more = len(lines) - _MOST_SHOWN
    return lines if more <= 0 else [*lines[:_MOST_SHOWN], f"and {more} more"]
