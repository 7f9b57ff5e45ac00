"""What `snakemake --report` shows: pages and figures, each with a category and a caption that is there."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from jinja2 import Environment

from nociomics.cli.report import _write_figures
from nociomics.report.charts_figures import CAPTIONS, cohort_figures
from tests.report import demo

_WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"
_MARKS = [
    (path.name, found.group(1))
    for path in sorted((_WORKFLOW / "rules").glob("*.smk"))
    for found in re.finditer(r"report\(\n(.*?)\n        \),", path.read_text(encoding="utf-8"), re.DOTALL)
]


def _caption(figure: str) -> str:
    text = (_WORKFLOW / "report" / "figures.rst").read_text(encoding="utf-8")
    return Environment().from_string(text).render(snakemake=SimpleNamespace(wildcards=SimpleNamespace(figure=figure)))


def test_pages_and_figures_are_marked() -> None:
    assert len(_MARKS) >= 4
    assert any('directory(f"{RESULTS}/figures")' in mark for _, mark in _MARKS)


@pytest.mark.parametrize(("file", "mark"), _MARKS)
def test_every_mark_has_a_category_labels_and_a_caption_that_is_there(file: str, mark: str) -> None:
    assert re.search(r'category="[^"]+"', mark), file
    assert "labels={" in mark and '"study": STUDY.study' in mark
    caption = re.search(r'caption="\.\./([^"]+)"', mark)
    assert caption is not None and (_WORKFLOW / caption.group(1)).is_file()


def test_every_figure_has_the_caption_of_the_page() -> None:
    for name, words in CAPTIONS.items():
        assert words in _caption(name)
    for figure in cohort_figures(demo.cohort()):
        known = next(words for words in CAPTIONS.values() if figure.caption.startswith(words))
        assert known in _caption(figure.name)


def test_figures_lie_in_folders_by_category_as_the_rule_says(tmp_path: Path) -> None:
    (tmp_path / "figures" / "Old").mkdir(parents=True)
    figures = cohort_figures(demo.cohort())
    _write_figures(figures, tmp_path / "figures")
    files = {path.relative_to(tmp_path / "figures").as_posix() for path in (tmp_path / "figures").rglob("*.*")}
    assert files == {f"{one.category}/{one.name}.{kind}" for one in figures for kind in ("svg", "csv")}
    assert [path.name for path in tmp_path.iterdir()] == ["figures"]
    assert not (tmp_path / "figures" / "Old").exists()
    rule = (_WORKFLOW / "rules" / "report.smk").read_text(encoding="utf-8")
    assert 'patterns=["{category}/{figure}.svg"]' in rule and 'category="{category}"' in rule
