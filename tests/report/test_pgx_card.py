"""The pharmacogenomic card: what it says of what was tested, what it must never say, and how it looks."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from nociomics.cli.app import app
from nociomics.errors import TableError
from nociomics.knowledge.pharmacogene import (
    load_advice_categories,
    load_drug_gene_pairs,
    load_drug_recommendations,
    load_variants,
)
from nociomics.pharmacogenomics.calling import call_pharmacogenes, called_genes
from nociomics.pharmacogenomics.phenoconversion import with_inhibitors
from nociomics.pharmacogenomics.recommendation import recommend_drugs
from nociomics.report import pgx_words
from nociomics.report.pages import patient_profile
from nociomics.report.pgx_advice import drug_groups
from nociomics.report.pgx_card import PgxCardData, card_names, pgx_card, write_pgx_cards
from nociomics.report.pgx_rows import gene_rows
from tests.browser.checks import printed, sheets
from tests.browser.opening import chromium, opened
from tests.report import demo
from tests.report.html_page import Page, reading_grade

_WORST = {
    "CYP2D6": "*4/*5",
    "CYP2C9": "*2/*2",
    "CYP2C19": "*17/*17",
    "CYP2B6": "*6/*6",
    "CYP3A5": "*3/*3",
    "UGT1A1": "*28/*28",
    "HLA-A": "*31:01 positive",
    "HLA-B": "*15:02 positive",
}
_PEOPLE = {
    "untested": {},
    "worst": _WORST,
    "usual": {"CYP2D6": "*1/*1", "CYP2C9": "*1/*1", "CYP2C19": "*1/*1", "CYP2B6": "*1/*1", "HLA-B": "*15:02 negative"},
    "unread": {"CYP2D6": "(*1/*4)?", "CYP2C9": "*1/*999"},
}


def _outside() -> pl.DataFrame:
    rows = [(person, gene, text) for person, genes in _PEOPLE.items() for gene, text in genes.items()]
    return pl.DataFrame(rows, schema=["patient_id", "gene", "diplotype"], orient="row")


def _positions(person: str, genes: dict[str, int | None], state: str = "called") -> pl.DataFrame:
    """Reference bases at the first so many positions of each gene (None: all of them)."""
    rows = [
        {"patient_id": person, "rsid": row["rsid"], "base_1": row["ref_grch38"], "base_2": row["ref_grch38"]}
        for gene, most in genes.items()
        for row in load_variants().filter(pl.col("gene") == gene).head(most or 10_000).iter_rows(named=True)
    ]
    bases = (
        () if state == "called" else (pl.lit(None, pl.String).alias("base_1"), pl.lit(None, pl.String).alias("base_2"))
    )
    return pl.DataFrame(rows).with_columns(
        *bases, build=pl.lit("GRCh38"), call_state=pl.lit(state), phased=pl.lit(False),
        phase_set=pl.lit(None, pl.Int64),
    )  # fmt: skip


@cache
def _results() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Invented people through the real tables: called elsewhere, from positions, half-tested, not tested."""
    parts = [
        _positions("snp", {"CYP2D6": None, "CYP2C9": None}),
        _positions("array", {"CYP2C9": 6, "CYP2C19": 6}),
        _positions("array", {"UGT1A1": None}, "no_call"),
    ]
    calls = with_inhibitors(call_pharmacogenes(pl.concat(parts), _outside(), [*_PEOPLE, "snp", "array"]), None)
    return calls, recommend_drugs(calls)


def _rows(person: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    calls, advice = _results()
    return tuple(frame.filter(pl.col("sample") == person).to_dicts() for frame in (calls, advice))  # type: ignore[return-value]


def _html(person: str) -> str:
    calls, advice = _rows(person)
    return pgx_card(PgxCardData(person, calls, advice, "demo"))


def _card(person: str) -> Page:
    return Page(_html(person))


_EVERYONE = [*_PEOPLE, "snp", "array"]


def _group_of(person: str, drug: str) -> str:
    calls, advice = _rows(person)
    return next(group.name for group in drug_groups(advice, gene_rows(calls)) if drug in group.drugs)


def test_three_answers_that_must_not_be_mixed_up_are_three_groups() -> None:
    assert _group_of("untested", "acetaminophen") == "no_pgx"
    assert _group_of("untested", "codeine") == "not_tested"
    assert _group_of("unread", "codeine") == "cannot_call"
    assert _group_of("unread", "ibuprofen") == "cannot_call"
    assert _group_of("usual", "codeine") == "no_change"
    assert _group_of("untested", "morphine") == "no_change"
    assert _group_of("worst", "codeine") == "act"
    assert _group_of("untested", "phenytoin") == "no_advice"


def test_a_result_that_is_open_is_neither_advice_to_act_nor_all_clear() -> None:
    assert _group_of("array", "ibuprofen") == "open"
    assert "it may also be: lowest starting dose; or usual dose" in _card("array").text("plain")


def test_copies_that_were_not_counted_keep_the_usual_dose_from_being_sure() -> None:
    assert _group_of("snp", "codeine") == "open"
    page = _card("snp")
    assert pgx_words.COPIES_PLAIN in page.text("plain") and pgx_words.COPIES_DRUG in page.text("plain")
    assert pgx_words.FLAGS["copy_number_unknown"] in page.text("genes")


def test_what_was_not_tested_is_never_called_normal_or_usual() -> None:
    text = _card("untested").text().lower()
    assert "normal" not in text and "as in most people" not in text and "usual dose" not in text
    assert "these genes were not tested: cyp2d6, cyp2c9" in text
    for row in gene_rows(_rows("untested")[0]):
        assert row.state == "not_tested" and row.plain == row.phenotype == "not tested"


def test_the_clinicians_half_has_what_a_clinician_asks_for() -> None:
    page = _card("worst")
    genes, drugs = page.text("genes"), page.text("drugs")
    assert (
        "*4/*5" in genes and "No / No function" in genes and "Poor Metabolizer" in genes and "called elsewhere" in genes
    )
    assert "codeine (A, Strong), tramadol (A, Strong)" in drugs and "2021, PMID 33387367" in drugs
    assert "CPIC CYP2D6/OPRM1/COMT opioids (2021, PMID 33387367)" in page.text("basis")
    assert "alleles 2025-11" in page.text("basis")
    assert "6 of 83 positions\npositions, GRCh38" in _card("array").text("genes")


def test_many_fitting_pairs_are_counted_and_none_is_put_forward() -> None:
    row = next(row for row in gene_rows(_rows("array")[0]) if row.gene == "CYP2C9")
    assert re.fullmatch(r"one of \d+ pairs", row.diplotype) and row.others.startswith("such as *1/*1")
    assert row.functions == ""
    assert row.plain.startswith('may be anything from "hardly works" to "works as in most people"')
    assert row.phenotype == "Poor, Intermediate or Normal Metabolizer or Indeterminate"


def test_every_drug_stands_once_in_the_patients_half() -> None:
    for person in _EVERYONE:
        calls, advice = _rows(person)
        told = [drug for group in drug_groups(advice, gene_rows(calls)) for drug in group.plain_drugs]
        assert sorted(told) == sorted({row["drug"] for row in advice})


def test_advice_is_the_tables_own_text() -> None:
    known = {*load_drug_recommendations()["text"], *load_advice_categories()["meaning"]}
    for person in _EVERYONE:
        calls, advice = _rows(person)
        texts = {row["text"] for row in advice}
        for group in drug_groups(advice, gene_rows(calls)):
            for row in group.rows:
                assert row.text in texts
                assert row.category in known


def _without_names(text: str) -> str:
    """Put a short word for each drug and gene: their names cannot be made simpler."""
    names = sorted([*load_drug_gene_pairs()["drug"].unique(), *called_genes()], key=len, reverse=True)
    return re.sub("|".join(map(re.escape, names)), "pill", text)


@pytest.mark.parametrize("person", _EVERYONE)
def test_reading_grade_of_the_patients_half_is_at_most_eight(person: str) -> None:
    assert reading_grade(_without_names(_card(person).text("plain"))) <= 8


def _with_paroxetine(person: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    calls, advice = _rows(person)
    taken = {
        "inhibitors": "paroxetine",
        "activity_score_with_inhibitors": "0.0",
        "phenotype_with_inhibitors": "Poor Metabolizer",
        "inhibitor_source": "list of strong inhibitors",
        "medication_state": "read",
    }
    none = dict.fromkeys(taken)
    poor = {"category_with_inhibitors": "AVOID", "text_with_inhibitors": "Little relief is to be expected."}
    return (
        [row | (taken if row["gene"] == "CYP2D6" else none) for row in calls],
        [row | (poor if row["drug"] == "codeine" else dict.fromkeys(poor)) for row in advice],
    )


def test_an_inhibitor_stands_beside_the_genetic_result_and_changes_what_is_asked_for() -> None:
    calls, advice = _with_paroxetine("usual")
    page = Page(pgx_card(PgxCardData("usual", calls, advice)))
    assert "Normal Metabolizer\nwith paroxetine: Poor Metabolizer, score 0.0" in page.text("genes")
    assert "With inhibitors: choose something else. Little relief is to be expected." in page.text("drugs")
    plain = page.text("plain")
    assert "codeine: choose something else, because of another drug you take; by your genes alone: usual dose" in plain
    assert "With paroxetine, it hardly works." in plain
    assert "medication list read, with paroxetine; CYP2D6 inhibitors: list of strong inhibitors" in page.text("basis")
    assert reading_grade(_without_names(plain)) <= 8


def test_without_a_medication_list_nobody_is_said_to_take_no_inhibitor() -> None:
    assert "not looked at" in Page(pgx_card(PgxCardData("p", [{"gene": "CYP2D6"}], []))).text("basis")
    states = {
        "not_given": "not known",
        "read": "no inhibitor of the tables found",
        "unclear": "not whether it is taken",
    }
    for state, said in states.items():
        calls = [{"gene": "CYP2D6", "medication_state": state, "inhibitors": None}]
        assert said in Page(pgx_card(PgxCardData("p", calls, []))).text("basis")


def test_a_word_that_the_tables_do_not_know_is_shown_and_not_folded_away() -> None:
    calls = [{"gene": "NEW1", "call_state": "called", "phenotype": "Strange", "flags": "new_flag:3"}]
    advice = [{"drug": "newdrug", "category": "STAND_ON_HEAD"}]
    page = Page(pgx_card(PgxCardData("p", calls, advice)))
    assert "stand on head" in page.text("drugs") and "Act on this" in page.text("drugs")
    assert "NEW1 Strange" in page.text("genes")


def test_the_profile_says_the_same_in_short() -> None:
    calls, advice = _results()
    for person in ("worst", "array", "untested"):
        own = {"pgx_calls": calls.filter(sample=person), "pgx_recommendations": advice.filter(sample=person)}
        text, card = Page(patient_profile(demo.person(**own))).text("pharmacogenes"), _card(person)
        for row in gene_rows(own["pgx_calls"]):
            assert row.phenotype in text or row.state == "not_tested"
        assert "gabapentin" in text and "No actionable pharmacogenetics" in text
        shown = set(text.split("\n")) & set(card.text("drugs").split("\n"))
        assert len(shown) >= 3, "lines that the card has, too"
    assert "Not tested" in Page(patient_profile(demo.person(**own))).text("pharmacogenes")


@pytest.mark.parametrize("person", [*_EVERYONE, "nobody"])
def test_a_card_is_sound_html_that_needs_no_network(person: str) -> None:
    html = _html(person)
    assert html == _html(person)
    assert not re.search(r"https?://|@import|url\(|<script|<link|<img|\bon\w+=", html)
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    inner = {str(given["href"])[1:] for tag, given in page.tags if tag == "a"}
    assert inner <= set(page.ids)
    assert not re.search(r"\b(nan|None|null|NaN|inf|True|False)\b", page.text())
    assert "Not for treating a patient without a clinician." in page.text() and "not medical advice" in page.text()


def test_one_codeine_tablet_is_three_different_answers_and_acetaminophen_is_one() -> None:
    text = Page(demo.codeine_page()).text()
    assert "little relief is to be expected" in text and "danger of toxicity" in text and "Usual dose." in text
    assert text.count("No gene is listed for this drug") == 3
    assert text.count("PMID 33387367") == 3


@pytest.mark.parametrize("html", [lambda: _html("worst"), lambda: _html("array"), demo.codeine_page])
def test_headings_step_down_one_by_one_and_tables_have_heads(html: Any) -> None:
    tags = Page(html()).tags
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(given.get("scope") in ("col", "row", "rowgroup") for tag, given in tags if tag == "th")
    rows = [tags[place + 1][0] for place, (tag, _) in enumerate(tags) if tag == "tr"]
    assert set(rows) <= {"th"}


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#") if len(colour) == 7 else "".join(letter * 2 for letter in colour.lstrip("#"))
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_text_stands_out_from_paper_in_light_dark_and_print() -> None:
    schemes = re.findall(r"--paper: [^}]*?--alert: #\w+", _html("usual"))
    assert len(schemes) == 3
    for scheme in schemes:
        colours = dict(re.findall(r"--(\w+): (#\w+)", scheme))
        for ink in ("ink", "muted", "accent", "alert"):
            for paper in ("paper", "faint") if ink == "ink" else ("paper",):
                high, low = sorted((_luminance(colours[ink]), _luminance(colours[paper])), reverse=True)
                assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, paper)


def test_names_from_the_data_are_escaped() -> None:
    nasty = "<b>x</b><script>alert(1)</script>"
    calls = [{"gene": nasty, "call_state": "called", "diplotype_top": nasty, "phenotype": nasty, "flags": nasty}]
    page = pgx_card(PgxCardData(nasty, calls, [{"drug": nasty, "category": nasty, "text": nasty}], nasty))
    assert "<b>x" not in page and "<script" not in page
    Page(page)


@given(st.lists(st.text(min_size=1), unique=True, max_size=20))
def test_no_id_leaves_the_folder_or_shares_a_page(people: list[str]) -> None:
    names = list(card_names(people).values())
    assert all(Path(name).name == name and name.endswith(".html") and not name.startswith(".") for name in names)
    assert len({name.lower() for name in names}) == len(people)


@pytest.mark.parametrize("person", ["../up", "a/b", ".hidden", "..", "con", "NUL.x", "a" * 300, "x\n", "ä", "a b"])
def test_an_id_that_is_no_safe_file_name_becomes_a_hash(person: str) -> None:
    assert re.fullmatch(r"id-[0-9a-f]{16}\.html", card_names([person])[person])


def test_cards_are_written_whole_and_take_the_place_of_former_ones(tmp_path: Path) -> None:
    calls, advice = _results()
    folder = tmp_path / "out" / "cards"
    assert write_pgx_cards(calls, advice, folder, "demo") == len(_EVERYONE)
    assert sorted(path.stem for path in folder.iterdir()) == sorted(_EVERYONE)
    assert write_pgx_cards(calls.filter(sample="usual"), advice.filter(sample="usual"), folder) == 1
    assert [path.name for path in folder.iterdir()] == ["usual.html"]
    assert [path.name for path in folder.parent.iterdir()] == ["cards"]


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    calls, advice = _results()
    (tmp_path / "thesis.docx").write_text("years of work", encoding="utf-8")
    with pytest.raises(TableError, match="holds 1 files or folders that are no cards"):
        write_pgx_cards(calls, advice, tmp_path)
    with pytest.raises(TableError, match="is a file"):
        write_pgx_cards(calls, advice, tmp_path / "thesis.docx")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


def test_the_log_counts_and_names_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    calls, advice = _results()
    with caplog.at_level("INFO"):
        write_pgx_cards(calls, advice, tmp_path / "cards")
    assert f"{len(_EVERYONE)} cards out" in caplog.text
    assert not any(person in caplog.text for person in ("worst", "unread", "*4/*5"))


def test_the_commands_write_cards_and_the_demonstration(tmp_path: Path) -> None:
    calls, advice = _results()
    calls.write_parquet(tmp_path / "calls.parquet")
    advice.write_parquet(tmp_path / "recommendations.parquet")
    words = ["--calls", str(tmp_path / "calls.parquet"), "--recommendations", str(tmp_path / "recommendations.parquet")]
    done = CliRunner().invoke(app, ["report", "pgx-cards", *words, "-o", str(tmp_path / "cards"), "--study", "demo"])
    assert done.exit_code == 0, done.output
    assert "PMID 33387367" in (tmp_path / "cards" / "worst.html").read_text(encoding="utf-8")
    done = CliRunner().invoke(app, ["report", "pgx-demo", "-o", str(tmp_path / "codeine.html")])
    assert done.exit_code == 0, done.output
    assert "An ultrarapid metaboliser" in (tmp_path / "codeine.html").read_text(encoding="utf-8")


def _most_advice() -> str:
    """As much advice as there can be: many genes ask for something, and an inhibitor changes what CYP2D6 asks for."""
    genes = {**_WORST, "CYP2D6": "*1/*1"}
    outside = pl.DataFrame({"patient_id": "most", "gene": list(genes), "diplotype": list(genes.values())})
    taken = pl.DataFrame({"patient_id": ["most"], "drug": ["quinidine"], "is_current": [True]})
    calls = with_inhibitors(call_pharmacogenes(None, outside, ["most"]), taken)
    return pgx_card(PgxCardData("most", calls, recommend_drugs(calls), "demo"))


def test_one_sentence_about_the_inhibitor_is_said_once() -> None:
    text = Page(_most_advice()).text("drugs")
    assert text.count("its activity score is taken as 0") == 1
    assert text.count("With inhibitors:") > 5


@pytest.mark.parametrize("html", [lambda: _html("worst"), lambda: _html("array"), _most_advice])
def test_a_card_prints_on_at_most_two_pages(tmp_path: Path, html: Callable[[], str]) -> None:
    (tmp_path / "card.html").write_text(html(), encoding="utf-8")
    with chromium() as browser, opened(browser, tmp_path / "card.html") as shown:
        assert 1 <= sheets(printed(shown.page)) <= 2
