"""Which profile a run takes: this installation's by its name, unless the user has one of that name."""

from __future__ import annotations

from pathlib import Path

import pytest

from nociomics.cli.run import _own_profile, _profiles, _with_own_profiles

OURS = ("default", "slurm", "generic", "kubernetes", "aws-batch", "google-batch")


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and a user without settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize("name", OURS)
def test_our_profiles_are_known_by_name(name: str) -> None:
    assert _own_profile(name) == str(_profiles() / name)
    assert (_profiles() / name / "config.yaml").is_file()


@pytest.mark.parametrize("option", ["--profile", "--workflow-profile"])
def test_both_ways_to_write_the_option_are_understood(option: str) -> None:
    ours = str(_profiles() / "slurm")
    assert _with_own_profiles([option, "slurm", "-n"]) == [option, ours, "-n"]
    assert _with_own_profiles([f"{option}=slurm", "-n"]) == [f"{option}={ours}", "-n"]


def test_words_that_are_no_profile_are_left_alone() -> None:
    words = ["--set-resources", "slurm", "slurm", "--config", "profile=slurm", "--profile"]
    assert _with_own_profiles(words) == words


def test_a_profile_of_the_user_goes_first(nowhere: Path) -> None:
    theirs = nowhere / "home" / ".config" / "snakemake" / "slurm"
    theirs.mkdir(parents=True)
    assert _own_profile("slurm") == "slurm"


def test_a_folder_here_goes_first_and_a_path_is_a_path(nowhere: Path) -> None:
    (nowhere / "generic").mkdir()
    assert _own_profile("generic") == "generic"
    assert _own_profile("./slurm") == "./slurm"
    assert _own_profile("of-our-cluster") == "of-our-cluster"
