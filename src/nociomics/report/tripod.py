"""The TRIPOD+AI checklist of a run: what the run knows, and what is left for the authors."""

from __future__ import annotations

from dataclasses import dataclass

from nociomics.knowledge.tripod import AUTHORS, TripodItem, load_tripod
from nociomics.report.rendering import render
from nociomics.report.tripod_answers import ANSWERS, TripodData

__all__ = ["ANSWERS", "Answer", "TripodData", "tripod_page", "tripod_rows"]

NOT_DONE = "Not done by this run: for the authors."
FILL_IN = "Not done yet:"


@dataclass(frozen=True)
class Answer:
    """One row of the page: the item, what the run says (or None), what is left (or None)."""

    item: TripodItem
    told: str | None
    left: str | None


def tripod_page(data: TripodData) -> str:
    """Write the checklist as one HTML page that needs no network.

    Parameters
    ----------
    data : TripodData
        A run of a study with a target.

    Returns
    -------
    str
        HTML; equal bytes for equal input.
    """
    rows = tripod_rows(data)
    answered = sum(row.told is not None for row in rows)
    whole = sum(row.told is not None and row.left is None for row in rows)
    return render(
        "tripod.html",
        study=data.study.study,
        sections=_sections(rows),
        sentence=(
            f"Of {len(rows)} items this run answers {whole} and gives a part of {answered - whole}; "
            f"{len(rows) - answered} are for the authors."
        ),
        fill_in=FILL_IN,
        not_done=NOT_DONE,
    )


def tripod_rows(data: TripodData) -> list[Answer]:
    """Answer every item of the checklist, in its order; an item that the run says nothing about has no text."""
    rows = []
    for item in load_tripod():
        told = None if item.answer == AUTHORS else ANSWERS[item.answer](data)
        left = item.left_to_authors or (None if told else "The whole item")
        rows.append(Answer(item, told, left))
    return rows


def _sections(rows: list[Answer]) -> list[tuple[str, list[Answer]]]:
    sections: dict[str, list[Answer]] = {}
    for row in rows:
        sections.setdefault(row.item.section, []).append(row)
    return list(sections.items())
