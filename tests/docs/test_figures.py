"""The committed pictures are what the code draws now, and what they show is true."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_SCRIPTS = _ROOT / "workflow" / "scripts"
_PICTURES = ("overview.svg", "architecture.svg", "workflow.svg")


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(_SCRIPTS))
    import draw_sources

    return draw_sources


def _draw(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(_SCRIPTS / "draw_architecture.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_pictures_are_up_to_date() -> None:
    checked = _draw("--check")
    assert checked.returncode == 0, checked.stderr


def test_a_changed_picture_is_noticed(tmp_path: Path) -> None:
    assert _draw("--output", str(tmp_path)).returncode == 0
    stale = tmp_path / "workflow.svg"
    stale.write_text(stale.read_text(encoding="utf-8").replace("find_strata", "lose_strata"), encoding="utf-8")
    checked = _draw("--check", "--output", str(tmp_path))
    assert checked.returncode == 1
    assert "workflow.svg" in checked.stderr
    assert "overview.svg" not in checked.stderr


@pytest.mark.parametrize("name", _PICTURES)
def test_a_picture_is_whole_and_says_what_it_shows(name: str) -> None:
    text = (_ROOT / "docs" / "figures" / name).read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    width, height = (float(value) for value in root.attrib["viewBox"].split()[2:])
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}title") is not None
    assert root.find(f"{space}desc") is not None
    assert "prefers-color-scheme: dark" in text
    for box in root.iter(f"{space}rect"):
        right = float(box.attrib.get("x", 0)) + float(box.attrib["width"])
        bottom = float(box.attrib.get("y", 0)) + float(box.attrib["height"])
        assert right <= width
        assert bottom <= height


def test_the_rooms_are_those_of_the_package(sources: Any) -> None:
    package = _ROOT / "src" / "nociomics"
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    assert set(sources.rooms(_ROOT)) == modules | folders


def test_edges_that_follow_from_others_are_left_out(sources: Any) -> None:
    chain = {"a": set(), "b": {"a"}, "c": {"a", "b"}}
    assert sources.closest(chain) == {"a": set(), "b": {"a"}, "c": {"b"}}


def test_the_rules_and_their_sources_are_those_of_snakemake(sources: Any, tmp_path: Path) -> None:
    """Snakemake itself reads the same workflow with a study that has every table."""
    study = tmp_path / "demo" / "study.yaml"
    study.parent.mkdir()
    tables = {name: f"{name}.csv" for name in sources.input_tables(_ROOT) if name != "blocks"}
    for file in tables.values():
        (study.parent / file).write_text("patient_id\n", encoding="utf-8")
    entries = tables | {"polygenic_scores": "{path: polygenic_scores.csv, name: demo}"}
    lines = [f"  {name}: {entry}" for name, entry in entries.items()]
    target = "target: {kind: change, outcome: o, baseline: b, treatment: arm, groups: site, adverse_event: a}"
    resampling = "resampling: {permutations: 1}"
    study.write_text("\n".join(["study: demo", "tables:", *lines, target, resampling]), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(_ROOT / "Snakefile"), "--configfile", str(study)]
    # rules that only a run with divided steps has are drawn too
    divided = ["--set-scatter", "people=2", "folds=2", "refits=2"]
    told = subprocess.run(
        [*command, *divided, "--rulegraph", "mermaid-js"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    names = dict(re.findall(r"(id\d+)\[(\w+)\]", told.stdout))
    edges = {(names[a], names[b]) for a, b in re.findall(r"(id\d+) --> (id\d+)", told.stdout)}
    final = {"default", "all"}
    rules = sources.rules(_ROOT)
    assert set(names.values()) - final == set(rules), told.stderr
    drawn = {(source, rule.name) for rule in rules.values() for source in rule.reads}
    assert {pair for pair in edges if pair[1] not in final} == drawn
