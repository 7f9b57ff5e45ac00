"""What the README and the pages promise is there: commands, targets, links, words; and no machine is named."""

from __future__ import annotations

import importlib
import pkgutil
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import nociomics.tables
from nociomics.cli.app import app
from nociomics.config import check_config
from nociomics.tables.contract import Contract

_ROOT = Path(__file__).resolve().parents[2]
_README = (_ROOT / "README.md").read_text(encoding="utf-8")
_PAGES = sorted(
    path
    for path in [*_ROOT.glob("*.md"), *(_ROOT / "docs").rglob("*.md"), *(_ROOT / "config").glob("*.md")]
    if path.is_file()
)


def _commands(page: str, program: str) -> set[str]:
    """Return the first word behind a program's name in every code block and every piece of code of a page."""
    blocks = re.findall(r"```(?:sh|bash)\n(.*?)```", page, re.S)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return {
        line.split()[1] for line in [*lines, *re.findall(r"`([^`\n]+)`", page)] if re.match(rf"{program} [a-z]", line)
    }


def _names(path: Path) -> str:
    return path.relative_to(_ROOT).as_posix()


@pytest.mark.parametrize("page", _PAGES, ids=_names)
def test_every_command_of_a_page_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in sorted(_commands(text, "nociomics")):
        shown = CliRunner().invoke(app, [name, "--help"])
        assert shown.exit_code == 0, f"nociomics {name}"


@pytest.mark.parametrize("page", _PAGES, ids=_names)
def test_every_make_target_of_a_page_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", (_ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert _commands(page.read_text(encoding="utf-8"), "make") <= targets


def test_the_readme_names_its_commands() -> None:
    assert _commands(_README, "make") >= {"demo", "test"}
    assert _commands(_README, "nociomics") >= {"check", "run", "predict"}


def test_the_readme_says_that_it_is_for_research_before_anything_else() -> None:
    first = _README.index("For research. Not for treating a patient without a clinician.")
    assert first < _README.index("![")
    assert first < _README.index("## ")


def test_the_readmes_study_file_is_one() -> None:
    example = re.search(r"```yaml\n(.*?)```", _README, re.S)
    assert example is not None
    assert check_config(yaml.safe_load(example[1]), "README.md").study == "mine"


def test_the_readmes_python_versions_are_those_of_the_project() -> None:
    needed = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert needed == ">=3.11,<3.14"
    assert "Python 3.11, 3.12 or 3.13" in _README


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", _PAGES, ids=_names)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"https?:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert target.is_relative_to(_ROOT), link
        if anchor:
            assert anchor in _anchors(target), link


_TEXTS = [*_PAGES, *sorted((_ROOT / "notebooks").glob("*.py")), *sorted((_ROOT / "docs" / "figures").glob("*.svg"))]


@pytest.mark.parametrize("page", _TEXTS, ids=_names)
def test_no_page_names_a_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    places = "|".join(("work", "root", "home", "Users"))
    assert re.search(rf"(?<![\w.])/(?:{places})/", text) is None


def _contract_columns() -> set[str]:
    found: set[str] = set()
    for info in pkgutil.iter_modules(nociomics.tables.__path__):
        for value in vars(importlib.import_module(f"nociomics.tables.{info.name}")).values():
            if isinstance(value, Contract):
                found |= {column.name for column in value.columns}
    return found


def test_words_of_the_contracts_are_in_the_glossary() -> None:
    """Only those that the field could read in several ways; plain words explain themselves."""
    glossary = (_ROOT / "GLOSSARY.md").read_text(encoding="utf-8").lower()
    terms = {
        "patient_id",
        "visit",
        "instrument",
        "item",
        "scale",
        "analyte",
        "below_lod",
        "lod",
        "diplotype",
        "treatment",
    }
    terms |= {"arm", "assignment", "baseline", "outcome", "expected", "p_response", "effect", "recommended", "stratum"}
    terms |= {"entropy", "atypical", "between", "repeat", "modality", "feature", "group", "shap_value"}
    assert terms <= _contract_columns() | {"baseline"}
    defined = {word.lower() for bold in re.findall(r"\*\*([^*]+)\*\*", glossary) for word in re.split(r",\s*", bold)}
    words = defined | {word.replace(" ", "_") for word in defined}
    assert {term for term in terms if term not in words} <= {"below_lod"}
    assert "below_lod" in glossary


def test_every_decision_is_listed_and_has_its_four_parts() -> None:
    folder = _ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    for page in sorted(folder.glob("0*.md")):
        text = page.read_text(encoding="utf-8")
        assert page.name in listed
        assert all(f"**{part}.**" in text for part in ("Question", "Refused", "Decision", "Consequences")), page.name
