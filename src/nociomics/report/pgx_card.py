"""The pharmacogenomic card: one person's genes and pain drugs, first in plain words, then for the clinician."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from nociomics.errors import TableError
from nociomics.report import pgx_words
from nociomics.report.formats import listed, plural
from nociomics.report.pgx_advice import DrugGroup, drug_groups, shared_sentence
from nociomics.report.pgx_rows import GeneRow, Rows, dict_rows, gene_rows, has_guideline
from nociomics.report.rendering import render
from nociomics.tables.files import write_text
from nociomics.tables.progress import Progress

_LOG = logging.getLogger(__name__)
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d|id-[0-9a-f]{16})(\..*)?", re.IGNORECASE)
_LONGEST = 150
_ADVISED = ("act", "open", "no_change")
_LETTERS_OF_A_LINE = 50
_LONG_CARD = 3400  # letters of calls and advice, from which two A4 pages would not hold a card in the usual type
_LONGEST_CARD = 4500
_DEMO_DRUGS = ("codeine", "acetaminophen")
_DEMO_GENE = "CYP2D6"


@dataclass(frozen=True)
class PgxCardData:
    """All that one person's card may show.

    Parameters
    ----------
    patient_id : str
        The study's own id.
    calls, recommendations : DataFrame or rows of it, or None
        The person's rows of `PGX_CALLS` and `PGX_RECOMMENDATIONS`; None = not there.
    study : str
        Its name; "" where there is none.
    """

    patient_id: str
    calls: Rows
    recommendations: Rows
    study: str = ""


def pgx_card(data: PgxCardData) -> str:
    """Write one person's card as one HTML page that needs no network and prints on two A4 pages.

    Parameters
    ----------
    data : PgxCardData

    Returns
    -------
    str
        HTML; equal bytes for equal input. Advice is the tables' own; a gene that was not tested is said to
        be so and is given no other word.
    """
    calls, advice = dict_rows(data.calls), dict_rows(data.recommendations)
    rows = gene_rows(calls)
    groups = drug_groups(advice, rows)
    tested = [row for row in rows if row.state != "not_tested"]
    untested = [row for row in rows if row.state == "not_tested"]
    return render(
        "pgx_card.html",
        data=data,
        words=pgx_words,
        tally=_tally(groups),
        groups=groups,
        genes=[row for row in tested if has_guideline(row.gene)],
        others=[row for row in tested if not has_guideline(row.gene)],
        untested=[row.gene for row in untested if has_guideline(row.gene)],
        untested_others=[row.gene for row in untested if not has_guideline(row.gene)],
        advised=[group for group in groups if group.name in _ADVISED],
        shared=shared_sentence(groups),
        folded=[group for group in groups if group.name not in _ADVISED],
        indication=_first(advice, "indication").replace("_", " "),
        guidelines=_guidelines(groups),
        length=_length(groups, tested),
        medication=_medication(calls, rows),
        table_version=_first(calls, "table_version"),
    )


def _guidelines(groups: Sequence[DrugGroup]) -> list[str]:
    """Name each guideline once, with year and PMID."""
    rows = [row for group in groups for row in group.rows if row.guideline]
    names: dict[str, str] = {}
    for row in rows:
        names.setdefault(row.reference or row.guideline, row.guideline)
    return sorted(name if name == found else f"{name} ({found})" for found, name in names.items())


def _length(groups: Sequence[DrugGroup], genes: Sequence[GeneRow]) -> str:
    """Say whether there is so much to tell that it is printed in smaller type, to stay on two pages."""
    rows = [row for group in groups if group.name in _ADVISED for row in group.rows]
    shared = shared_sentence(groups)
    said = [
        f"{row.drugs_with_details}{row.text}{row.with_inhibitors}{row.text_with_inhibitors.removeprefix(shared)}{''.join(row.others)}"
        for row in rows
    ]
    said += [f"{row.phenotype}{row.others}{row.with_inhibitors}{''.join(row.doubts)}" for row in genes]
    letters = sum(_LETTERS_OF_A_LINE + len(text) for text in said)
    return "long longest" if letters > _LONGEST_CARD else "long" if letters > _LONG_CARD else ""


def _medication(calls: Iterable[Mapping[str, Any]], genes: Iterable[GeneRow]) -> str:
    """Say what is known of drugs that slow an enzyme."""
    taken = next((row.with_inhibitors.partition(":")[0] for row in genes if row.with_inhibitors), "")
    state = _first(calls, "medication_state")
    known = pgx_words.MEDICATION.get(state, state.replace("_", " ") or pgx_words.MEDICATION_UNKNOWN)
    if taken:
        return f"{known}, {taken}" if state else taken
    return f"{known}, no inhibitor of the tables found" if state == "read" else known


def _tally(groups: Sequence[DrugGroup]) -> str:
    """Count the drugs of each group in one sentence."""
    told = [(len(group.plain_drugs), group.words.short) for group in groups if group.plain_drugs]
    if not told:
        return "No drug was looked up for you."
    total = plural(sum(people for people, _ in told), "drug")
    return f"We looked up {total} for you: {listed([f'{number} {words}' for number, words in told])}."


def _first(rows: Iterable[Mapping[str, Any]], column: str) -> str:
    return next((str(row[column]) for row in rows if row.get(column)), "")


def pgx_cards(calls: pl.DataFrame, recommendations: pl.DataFrame, study: str = "") -> Iterator[tuple[str, str]]:
    """Yield a file name and a card for each person.

    Parameters
    ----------
    calls, recommendations : DataFrame
        As in `PGX_CALLS` and `PGX_RECOMMENDATIONS`; whoever stands in either gets a card.
    study : str
        Its name.

    Yields
    ------
    (str, str)
        File name and page, in the order of the calls.
    """
    own_calls, own_advice = _by_person(calls), _by_person(recommendations)
    people = list(dict.fromkeys([*own_calls, *own_advice]))
    names = card_names(people)
    for person in people:
        data = PgxCardData(person, own_calls.get(person), own_advice.get(person), study)
        yield names[person], pgx_card(data)


def _by_person(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    parts = frame.partition_by("sample", as_dict=True, maintain_order=True)
    return {str(person): part for (person,), part in parts.items()}


def card_names(people: Sequence[str]) -> dict[str, str]:
    """Give each person a file name of their own that cannot leave its folder.

    Parameters
    ----------
    people : sequence of str
        Ids, each once.

    Returns
    -------
    dict of str to str
        The id itself with ``.html`` where every file system takes it as it is, else a hash of it: for
        slashes, dots in front, names that Windows keeps, and ids that differ by case alone.

    Examples
    --------
    >>> names = card_names(["P1", "../P2", "p3", "P3"])
    >>> names["P1"], [name[:3] for name in names.values()]
    ('P1.html', ['P1.', 'id-', 'id-', 'id-'])
    """
    folded: dict[str, int] = {}
    for person in people:
        folded[person.lower()] = folded.get(person.lower(), 0) + 1
    return {person: _card_name(person, folded[person.lower()] == 1) for person in people}


def _card_name(person: str, alone: bool) -> str:
    safe = _SAFE.fullmatch(person) and not _RESERVED.fullmatch(person) and len(person) <= _LONGEST
    return f"{person}.html" if safe and alone else f"id-{hashlib.sha256(person.encode()).hexdigest()[:16]}.html"


def write_pgx_cards(calls: pl.DataFrame, recommendations: pl.DataFrame, folder: Path, study: str = "") -> int:
    """Write everyone's card into a folder, all or none.

    Parameters
    ----------
    calls, recommendations : DataFrame
        As in `PGX_CALLS` and `PGX_RECOMMENDATIONS`.
    folder : Path
        Made new; former cards in it go. A folder with anything else in it is left alone.
    study : str
        Its name.

    Returns
    -------
    int
        Number of cards.

    Raises
    ------
    TableError
        When the folder holds other files, or the operating system refuses.
    """
    folder = Path(folder)
    _require_cards_only(folder)
    total = calls["sample"].n_unique()
    progress, written = Progress("pharmacogenomic cards", "cards", total=total), 0
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise _refused(folder, error) from error
    try:
        for name, page in pgx_cards(calls, recommendations, study):
            write_text(page, draft / name)
            written += 1
            progress.advance(1)
        draft.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(draft, folder)
    except OSError as error:
        raise _refused(folder, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _LOG.info("pharmacogenomic cards: %d calls and %d rows of advice in, %d cards out",
              calls.height, recommendations.height, written)  # fmt: skip
    return written


def _refused(folder: Path, error: OSError) -> TableError:
    return TableError(
        f"{folder}: cards cannot be written: {error.strerror or error}. Nothing was left behind. "
        "Free some space or choose another folder, then run the same command again."
    )


def _require_cards_only(folder: Path) -> None:
    """Refuse a folder that holds anything but pages: it is replaced as a whole."""
    if folder.is_file():
        raise TableError(f"{folder}: is a file; cards need a folder of their own. Choose another name.")
    strangers = sum(entry.suffix != ".html" for entry in folder.iterdir()) if folder.is_dir() else 0
    if strangers:
        raise TableError(
            f"{folder}: holds {strangers} files or folders that are no cards, and would be replaced as a whole. "
            "Name a folder that is new, empty, or holds cards alone."
        )


def codeine_side_by_side(calls: pl.DataFrame, recommendations: pl.DataFrame) -> str:
    """Show what the same codeine tablet means for each of a few people, with acetaminophen beside it.

    Parameters
    ----------
    calls, recommendations : DataFrame
        As in `PGX_CALLS` and `PGX_RECOMMENDATIONS`, of invented people; ``sample`` is what each is called.

    Returns
    -------
    str
        HTML of one page that needs no network.
    """
    own_calls, own_advice = _by_person(calls), _by_person(recommendations)
    return render(
        "pgx_side_by_side.html",
        words=pgx_words,
        people=[_demo_person(name, rows, own_advice.get(name)) for name, rows in own_calls.items()],
        table_version=_first(dict_rows(calls), "table_version"),
    )


def _demo_person(name: str, calls: pl.DataFrame, advice: pl.DataFrame | None) -> dict[str, Any]:
    genes = gene_rows(calls)
    gene: GeneRow | None = next((row for row in genes if row.gene == _DEMO_GENE), None)
    wanted = [row for row in dict_rows(advice) if row["drug"] in _DEMO_DRUGS]
    drugs = [(group.name, row) for group in drug_groups(wanted, genes) for row in group.rows]
    order = sorted(drugs, key=lambda pair: _DEMO_DRUGS.index(pair[1].drugs[0]))
    return {"label": name, "gene": gene, "drugs": order}
