"""Two runs side by side: what differs in settings, data, code and knowledge, and what became of the figures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nociomics.errors import NociomicsError
from nociomics.tracking.store import as_our_error, initialise_store, mlflow_module, tracking_to

_SHORTEST_ID = 4
_ORIGINS = {
    "code": ("code.commit", "code.version"),
    "knowledge": ("knowledge.digest",),
    "gate": ("gate.performance_passed", "gate.individual_explanations", "gate.individual_recommendations"),
}
_SHOWN_DIGEST = 12


@dataclass(frozen=True)
class LoggedRun:
    """What the store knows of a study's run.

    Parameters
    ----------
    run_id, name, study : str
    parameters, tags : mapping of str to str
    data : mapping of str to str
        Table -> SHA-256, from ``data.json``.
    metrics : mapping of str to mapping
        Name -> ``value, lower, upper, n``, from ``metrics.json``.
    headline : str
        Figure that the study is judged by; empty when it has none.
    """

    run_id: str
    name: str
    study: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    headline: str = ""


@dataclass(frozen=True)
class Difference:
    """One thing that differs; null where a run does not have it."""

    kind: str
    name: str
    first: str | None
    second: str | None


@dataclass(frozen=True)
class FigurePair:
    """One figure of both runs: ``value, lower, upper`` each, null when not known."""

    name: str
    first: tuple[float | None, float | None, float | None]
    second: tuple[float | None, float | None, float | None]

    @property
    def change(self) -> float | None:
        """Second less first."""
        return None if self.first[0] is None or self.second[0] is None else self.second[0] - self.first[0]

    @property
    def verdict(self) -> str:
        """What the two intervals say; no more than that, since the same people may stand behind both runs.

        Examples
        --------
        >>> FigurePair("auroc", (0.6, 0.5, 0.7), (0.65, 0.55, 0.75)).verdict
        'intervals overlap'
        >>> FigurePair("auroc", (0.6, 0.55, 0.65), (0.8, 0.7, 0.9)).verdict
        'intervals apart'
        """
        if self.first == self.second:
            return "same"
        if self.change is None or None in self.first or None in self.second:
            return "cannot tell"
        _, low, high = self.first
        _, other_low, other_high = self.second
        apart = high < other_low or other_high < low  # type: ignore[operator]
        return "intervals apart" if apart else "intervals overlap"


def differences(first: LoggedRun, second: LoggedRun) -> list[Difference]:
    """Return what differs, by kind: setting, data, code, knowledge, gate; what is equal is left out."""
    pairs: list[tuple[str, str, str | None, str | None]] = [
        *_pairs("setting", first.parameters, second.parameters),
        *_pairs("data", first.data, second.data),
    ]
    for kind, names in _ORIGINS.items():
        chosen = [{name: run.tags[name] for name in names if name in run.tags} for run in (first, second)]
        pairs += _pairs(kind, *chosen)
    return [Difference(*pair) for pair in pairs if pair[2] != pair[3]]


def _pairs(
    kind: str, first: Mapping[str, str], second: Mapping[str, str]
) -> Iterator[tuple[str, str, str | None, str | None]]:
    for name in sorted({*first, *second}):
        yield kind, name, first.get(name), second.get(name)


def figure_pairs(first: LoggedRun, second: LoggedRun) -> list[FigurePair]:
    """Return every figure of either run, the headline and what begins with its name first."""
    heads = tuple(name for name in (first.headline, second.headline) if name)

    def place(name: str) -> tuple[bool, bool, str]:
        return name not in heads, not (heads and name.startswith(heads)), name

    names = sorted({*first.metrics, *second.metrics}, key=place)
    return [FigurePair(name, _ends(first.metrics.get(name)), _ends(second.metrics.get(name))) for name in names]


def _ends(metric: Mapping[str, Any] | None) -> tuple[float | None, float | None, float | None]:
    told = metric or {}
    return told.get("value"), told.get("lower"), told.get("upper")


def comparison_text(first: LoggedRun, second: LoggedRun, *, whole: bool = False) -> str:
    """Write the comparison as lines of text.

    Parameters
    ----------
    first, second : LoggedRun
    whole : bool
        Tell every figure; else those of the headline and a few beside it.
    """
    lines = [f"A  {first.name}  {first.run_id}", f"B  {second.name}  {second.run_id}"]
    if first.study != second.study:
        lines.append(f'A is of study "{first.study}", B of "{second.study}": their figures answer different questions.')
    found = differences(first, second)
    lines += ["", "What differs"]
    if not found:
        lines.append("  nothing that was logged: settings, data, code and knowledge are the same")
    for one in found:
        lines.append(f"  {one.kind:<10} {one.name}: {_shown(one.first)} -> {_shown(one.second)}")
    same = [kind for kind in _logged(first, second) if kind not in {one.kind for one in found}]
    if found and same:
        lines.append(f"  the same: {', '.join(same)}")
    lines += ["", "Figures (value, 95 % interval), A -> B"]
    pairs = [pair for pair in figure_pairs(first, second) if whole or _is_told(pair.name, first, second)]
    lines += [f"  {pair.name}: {_figure(pair.first)} -> {_figure(pair.second)}  {_change(pair)}" for pair in pairs]
    lines += ["", "Intervals that overlap do not show a difference; those that lie apart do not say what caused it."]
    return "\n".join(lines)


def _logged(first: LoggedRun, second: LoggedRun) -> list[str]:
    """Kinds of which both runs say something: of others nobody can tell whether they are the same."""
    kinds = {"setting": "parameters", "data": "data"}
    known = [kind for kind, name in kinds.items() if getattr(first, name) and getattr(second, name)]
    return known + [
        kind for kind in ("code", "knowledge") if all(_ORIGINS[kind][0] in run.tags for run in (first, second))
    ]


_TOLD = ("mae", "brier", "calibration_slope", "coverage_90", "policy_gain", "n", "n_events")


def _is_told(name: str, first: LoggedRun, second: LoggedRun) -> bool:
    heads = {first.headline, second.headline} - {""}
    return name in _TOLD or any(name in (head, f"{head}_gain_over_clinical_only") for head in heads)


def _shown(text: str | None) -> str:
    if text is None:
        return "absent"
    return text[:_SHOWN_DIGEST] if len(text) >= 40 and " " not in text else text


def _figure(ends: tuple[float | None, float | None, float | None]) -> str:
    value, lower, upper = ends
    if value is None:
        return "not known"
    return f"{value:.3f}" if lower is None or upper is None else f"{value:.3f} ({lower:.3f} to {upper:.3f})"


def _change(pair: FigurePair) -> str:
    return pair.verdict if pair.change is None else f"{pair.change:+.3f}, {pair.verdict}"


def read_runs(uri: str, ids: tuple[str, str]) -> tuple[LoggedRun, LoggedRun]:
    """Read two runs of a store by their ids, or by a beginning that no other run has.

    Parameters
    ----------
    uri : str
        As `tracking_uri` gives it.
    ids : (str, str)
        At least four characters each.

    Raises
    ------
    NociomicsError
        When a beginning fits no run or several, when the run is a stage or fold of another, or the store refuses.
    """
    initialise_store(uri)
    mlflow = mlflow_module()
    with as_our_error(uri), tracking_to(mlflow, uri):
        client = mlflow.MlflowClient()
        known = _study_runs(client)
        first, second = (_read(client, _found(known, run_id)) for run_id in ids)
    return first, second


def _study_runs(client: Any) -> dict[str, Any]:
    experiments = [one.experiment_id for one in client.search_experiments()]
    found: dict[str, Any] = {}
    token = None
    while True:
        page = client.search_runs(experiments, "tags.stage = 'study'", max_results=1000, page_token=token)
        found |= {run.info.run_id: run for run in page}
        token = page.token
        if not token:
            return found


def _found(known: Mapping[str, Any], asked: str) -> Any:
    fitting = [run for run_id, run in known.items() if run_id.startswith(asked)]
    if len(fitting) == 1 and len(asked) >= _SHORTEST_ID:
        return fitting[0]
    newest = sorted(known.values(), key=lambda run: -run.info.start_time)[:5]
    shown = "".join(f"\n  {run.info.run_id}  {run.info.run_name}" for run in newest)
    why = "fits no run of a study" if not fitting else f"fits {len(fitting)} runs"
    raise NociomicsError(
        f'"{asked}" {why} in the tracking store. Give the run\'s id, or at least {_SHORTEST_ID} of its first '
        f"characters; the newest runs are:{shown or ' none'}"
    )


def _read(client: Any, run: Any) -> LoggedRun:
    documents = {name: _document(client, run.info.run_id, f"{name}.json") for name in ("metrics", "gate", "data")}
    return LoggedRun(
        run_id=run.info.run_id,
        name=run.info.run_name,
        study=run.data.tags.get("study", ""),
        parameters=run.data.params,
        tags=run.data.tags,
        data=documents["data"],
        metrics=documents["metrics"],
        headline=str(documents["gate"].get("headline") or ""),
    )


def _document(client: Any, run_id: str, name: str) -> dict[str, Any]:
    """Read a JSON artifact; empty when the run has none, as one that an older version logged."""
    import tempfile

    if name not in {entry.path for entry in client.list_artifacts(run_id)}:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        stored = client.download_artifacts(run_id, name, folder)
        read: dict[str, Any] = json.loads(Path(stored).read_text(encoding="utf-8"))
    return read
