"""The three lists of what must be installed say the same: pyproject.toml, environment.yml and uv.lock."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]

# PyPI's name -> conda's, where they differ (Snakemake is in bioconda, the others in conda-forge). XGBoost without a
# GPU, and Snakemake and Matplotlib without their extras, are packages of their own there.
CONDA_NAMES = {
    "xgboost-cpu": "py-xgboost-cpu",
    "snakemake": "snakemake-minimal",
    "matplotlib": "matplotlib-base",
    "isal": "python-isal",
}
ONLY_CONDA = {"python", "pip"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def conda() -> list[Any]:
    entries: list[Any] = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    return entries


@pytest.fixture(scope="module")
def locked() -> dict[str, Version]:
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    return {canonicalize_name(package["name"]): Version(package["version"]) for package in packages}


def conda_ranges(entries: list[Any]) -> dict[str, SpecifierSet]:
    split = [entry.partition(" ") for entry in entries if isinstance(entry, str)]
    return {name: SpecifierSet(limits) for name, _, limits in split}


def test_conda_has_the_same_packages_and_ranges(project: dict[str, Any], conda: list[Any]) -> None:
    lines = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["workflow"]]
    wanted = [Requirement(line) for line in lines]
    expected = {CONDA_NAMES.get(need.name, need.name): need.specifier for need in wanted}
    found = {name: limits for name, limits in conda_ranges(conda).items() if name not in ONLY_CONDA}
    assert found == expected


def test_conda_takes_the_same_python(project: dict[str, Any], conda: list[Any]) -> None:
    assert conda_ranges(conda)["python"] == SpecifierSet(project["project"]["requires-python"])


def test_pip_adds_nothing_but_this_package(conda: list[Any]) -> None:
    assert [entry for entry in conda if not isinstance(entry, str)] == [{"pip": ["-e ."]}]
    assert conda[-1] == {"pip": ["-e ."]}


def test_every_range_holds_the_locked_version(project: dict[str, Any], locked: dict[str, Version]) -> None:
    lists = [
        project["project"]["dependencies"],
        *project["project"].get("optional-dependencies", {}).values(),
        *project["dependency-groups"].values(),
    ]
    needs = [Requirement(line) for lines in lists for line in lines]
    outside = [str(need) for need in needs if locked[canonicalize_name(need.name)] not in need.specifier]
    assert outside == []


def test_a_light_installation_has_none_of_the_workflow(project: dict[str, Any]) -> None:
    told = project["project"]
    light = {Requirement(line).name for line in told["dependencies"]}
    assert light.isdisjoint({Requirement(line).name for line in told["optional-dependencies"]["workflow"]})
    assert told["optional-dependencies"]["predict"] == []


def test_whoever_develops_has_all_that_the_tests_need(project: dict[str, Any]) -> None:
    own = [need for need in map(Requirement, project["dependency-groups"]["dev"]) if need.name == "nociomics"]
    script = (ROOT / "workflow" / "scripts" / "setup.sh").read_text(encoding="utf-8")
    words = next(line for line in script.splitlines() if line.startswith("extras=")).split('"')[1].split()
    assert set(words[1::2]) == own[0].extras == set(told_extras(project)) - {"predict"}


def told_extras(project: dict[str, Any]) -> list[str]:
    return list(project["project"]["optional-dependencies"])


def test_the_image_and_the_fetched_uv_are_one_version() -> None:
    script = (ROOT / "workflow" / "scripts" / "get_uv.py").read_text(encoding="utf-8")
    version = next(line.split('"')[1] for line in script.splitlines() if line.startswith("VERSION = "))
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert f"uv=={version}" in image
