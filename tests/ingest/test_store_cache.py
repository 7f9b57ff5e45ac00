"""Converted genotypes are taken from a shared folder when the same content was converted before."""

from __future__ import annotations

from pathlib import Path

import pytest

from nociomics.ingest.input_digests import file_digests
from nociomics.ingest.store_cache import cache_key, converted

STORE = {"manifest.json": "{}", "calls.bed": "calls", "samples.parquet": "samples"}


class Conversion:
    """A conversion that counts how often it is asked for."""

    def __init__(self, output: Path, files: dict[str, str]) -> None:
        self.output, self.files, self.times = output, files, 0

    def __call__(self) -> None:
        self.times += 1
        self.output.mkdir(parents=True, exist_ok=True)
        for name, text in self.files.items():
            (self.output / name).write_text(text, encoding="utf-8")


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_the_second_study_takes_what_the_first_converted(tmp_path: Path) -> None:
    first, second = Conversion(tmp_path / "one", STORE), Conversion(tmp_path / "two", STORE)
    converted("key", tmp_path / "cache", first.output, first)
    second.output.mkdir()
    (second.output / "pharmacogene_genotypes.parquet").write_text("of an older conversion", encoding="utf-8")
    converted("key", tmp_path / "cache", second.output, second)
    assert (first.times, second.times) == (1, 0)
    assert content(second.output) == STORE
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["key"], "no draft is left"


def test_what_could_not_be_converted_is_not_kept(tmp_path: Path) -> None:
    failed = Conversion(tmp_path / "one", {"manifest.json": '{"problem": true}'})
    converted("key", tmp_path / "cache", failed.output, failed)
    converted("key", tmp_path / "cache", failed.output, failed)
    assert failed.times == 2


def test_a_copy_that_was_cut_off_is_not_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cut = tmp_path / "cache" / "key"
    cut.mkdir(parents=True)
    (cut / "calls.bed").write_text("ca", encoding="utf-8")
    conversion = Conversion(tmp_path / "one", STORE)
    with caplog.at_level("WARNING"):
        converted("key", tmp_path / "cache", conversion.output, conversion)
    assert conversion.times == 1
    assert content(conversion.output) == STORE
    assert "was not kept in the cache" in caplog.text


def test_content_names_build_and_code_are_the_key(tmp_path: Path) -> None:
    for name, text in (("a.bed", "calls"), ("a.bim", "variants"), ("a.fam", "people")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    before = file_digests("a.bed", tmp_path)
    assert sorted(before) == ["a.bed", "a.bim", "a.fam"]
    (tmp_path / "a.fam").write_text("other people", encoding="utf-8")
    keys = [
        cache_key(before, "auto", "1"),
        cache_key(before, "GRCh38", "1"),
        cache_key(before, "auto", "2"),
        cache_key(file_digests("a.bed", tmp_path), "auto", "1"),
    ]
    assert len(set(keys)) == 4
    assert cache_key(before, "auto", "1") == keys[0]
