"""Which questionnaire and item the columns and words of a table mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.leak_guard import sounds_after_treatment
from nociomics.ingest.notes import Notes, listed, place
from nociomics.knowledge.instrument import Instrument, folded, item_columns, resolve_item

_KEEP_NAMED = 10


@dataclass(frozen=True)
class Questionnaires:
    """The instruments of a study, and every column name that means one of their items."""

    instruments: Mapping[str, Instrument]
    columns: Mapping[str, tuple[str, str]]

    @classmethod
    def of(cls, instruments: Mapping[str, Instrument]) -> Questionnaires:
        """Make the columns of some instruments known."""
        return cls(instruments, item_columns(instruments))

    def instrument(self, name: str | None) -> Instrument | None:
        """Find an instrument by its id or a short name."""
        word = folded(name or "")
        if word in self.instruments:
            return self.instruments[word]
        return next((found for found in self.instruments.values() if word in found.aliases), None)

    def item(self, instrument_name: str | None, item_name: str | None) -> tuple[str, str] | None:
        """Find an item by its own name, its number, or its wide column name."""
        if item_name is None:
            return None
        instrument = self.instrument(instrument_name)
        if instrument is None:
            return resolve_item(item_name, self.columns) if instrument_name is None else None
        if item_name in instrument.items:
            return instrument.id, item_name
        found = resolve_item(f"{instrument.id}_{item_name}", self.columns) or resolve_item(item_name, self.columns)
        return found if found is not None and found[0] == instrument.id else None


def note_unknown_columns(frame: pl.DataFrame, unknown: list[str], known: Questionnaires, notes: Notes) -> None:
    """Note columns of a wide table that are no items, as fatal; the first ten by name."""
    for name in unknown[:_KEEP_NAMED]:
        where = f'{place(frame)}, column "{name}"'
        if sounds_after_treatment(name):
            notes.fatal(
                f"{where}: looks measured after treatment. Name its visit under visits: (week12: week12 for columns "
                "that end in _week12), give it as rows with a visit, or leave it out (drop:).",
                column=name,
            )
            continue
        notes.fatal(
            f"{where}: is no item of a known questionnaire.{did_you_mean(name.lower(), known.columns)} Items are "
            f"called <instrument>_<item>; instruments: {listed(list(known.instruments), 60)}. Rename it under "
            "columns:, leave it out (drop:), or give it with the patients.",
            column=name,
        )
    if len(unknown) > _KEEP_NAMED:
        rest = len(unknown) - _KEEP_NAMED
        notes.fatal(f"{place(frame)}: {rest} further columns are no items of a known questionnaire.", count=rest)


def note_unknown_pair(
    rows: pl.DataFrame, instrument_name: str | None, item_name: str | None, known: Questionnaires, notes: Notes
) -> None:
    """Note rows that name an unknown questionnaire, or an item that it does not have, as fatal."""
    instrument = known.instrument(instrument_name)
    everywhere = pl.repeat(True, rows.height, eager=True)
    if instrument is None and instrument_name is not None:
        near = did_you_mean(folded(instrument_name), known.instruments)
        what = f'name the questionnaire "{instrument_name}", which is not known.{near} Known: '
        what += f"{listed(list(known.instruments), 60)}."
        notes.rows("fatal", rows, everywhere, what, column="instrument")
        return
    words = [*(instrument.items if instrument else ()), *(instrument.columns if instrument else ())]
    near = did_you_mean(item_name or "", words)
    items = f" Its items: {listed(list(instrument.items), 60)}." if instrument else ""
    what = f'name the item "{item_name or ""}", which is not known.{near}{items}'
    notes.rows("fatal", rows, everywhere, what, column="item")
