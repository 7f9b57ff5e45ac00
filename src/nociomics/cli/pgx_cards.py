"""Pharmacogenomic cards: a page per person, and a page that shows the idea with three invented people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_INVENTED = {
    "A poor metaboliser": "*4/*4",
    "A normal metaboliser": "*1/*1",
    "An ultrarapid metaboliser": "*1x2/*2",
}


def pgx_cards(
    calls: Annotated[Path, typer.Option(help="pgx/calls.parquet")],
    recommendations: Annotated[Path, typer.Option(help="pgx/recommendations.parquet")],
    output: Annotated[Path, typer.Option("--output", "-o", help="folder of cards; replaced as a whole")],
    study: Annotated[str, typer.Option(help="name of the study, shown on each card")] = "",
    people: Annotated[int | None, typer.Option(min=0, help="so many people, in the order of the calls")] = None,
) -> None:
    """Write one pharmacogenomic card per person into a folder.

    Example: nociomics report pgx-cards --calls pgx/calls.parquet --recommendations pgx/recommendations.parquet -o cards
    """
    from nociomics.report.pgx_card import write_pgx_cards
    from nociomics.tables.files import read_table
    from nociomics.tables.results import PGX_CALLS, PGX_RECOMMENDATIONS

    found, advice = read_table(calls, PGX_CALLS), read_table(recommendations, PGX_RECOMMENDATIONS)
    if people is not None:
        shown = found["sample"].unique(maintain_order=True).head(people).implode()
        found, advice = (table.filter(table["sample"].is_in(shown)) for table in (found, advice))
    written = write_pgx_cards(found, advice, output, study)
    typer.echo(f"{written} cards are in {output}.")


def pgx_demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="page to write")],
) -> None:
    """Write a page with one codeine tablet in three invented people, acetaminophen beside it.

    Example: nociomics report pgx-demo -o codeine.html
    """
    import polars as pl

    from nociomics.pharmacogenomics.calling import call_pharmacogenes
    from nociomics.pharmacogenomics.recommendation import recommend_drugs
    from nociomics.report.pgx_card import codeine_side_by_side
    from nociomics.tables.files import write_text

    people = list(_INVENTED)
    outside = pl.DataFrame({"patient_id": people, "gene": "CYP2D6", "diplotype": list(_INVENTED.values())})
    calls = call_pharmacogenes(None, outside, people)
    advice = recommend_drugs(calls, drugs=["codeine", "acetaminophen"])
    write_text(codeine_side_by_side(calls, advice), output)
    typer.echo(f"{output} shows {len(people)} invented people.")
