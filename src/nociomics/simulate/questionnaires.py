"""Questionnaire items: hidden pain and drivers, seen through rounding, answering style and gaps."""

from __future__ import annotations

import numpy as np
import polars as pl

from nociomics.simulate.endotypes import Latents
from nociomics.simulate.mechanisms import Settings
from nociomics.simulate.people import People
from nociomics.simulate.randomness import Bools, Floats, Ints, patient_stream

_ITEM_MISSING = 0.02
_LAST_BDI_MISSING, _LAST_BDI_MISSING_OVER_60 = 0.03, 0.12
# Worst, least, average and present pain lie this far from the person's pain.
_SEVERITY_SHIFT = np.array([1.6, -1.6, 0.0, 0.0])

Items = dict[str, Ints]


def draw_items(settings: Settings, latents: Latents) -> Items:
    """Draw complete answers to every item.

    Returns
    -------
    dict
        Prefix of the item columns -> (rows, items) whole numbers on the item's own range.
    """
    pain, style = latents.pain, latents.style
    distress = latents.drivers[:, 2]
    drivers = latents.drivers
    return {
        "bpi_sev": _rated(settings, "bpi_sev", pain[:, None] + _SEVERITY_SHIFT, 0.9, 10),
        "bpi_int": _rated(settings, "bpi_int", _repeat(0.7 + 0.9 * pain + 0.6 * distress + 0.4 * style, 7), 1.6, 10),
        "pcs": _rated(
            settings, "pcs", _repeat(1.78 + drivers @ np.array([0.0, 0.15, 0.85]) + 0.45 * style, 13), 0.95, 4
        ),
        "bdi": _rated(
            settings, "bdi", _repeat(0.55 + drivers @ np.array([0.10, 0.05, 0.48]) + 0.30 * style, 21), 0.75, 3
        ),
        "dn4": _yes_no(settings, "dn4", _repeat(-0.35 + 0.80 * drivers[:, 1] + 0.10 * style, 10)),
    }


def _repeat(score: Floats, items: int) -> Floats:
    return np.repeat(score[:, None], items, axis=1)


def _rated(settings: Settings, prefix: str, expected: Floats, noise: float, highest: int) -> Ints:
    draws = patient_stream(settings, f"items {prefix}").normal(0, noise, expected.shape)
    return np.clip(np.rint(expected + draws), 0, highest).astype(np.int64)


def _yes_no(settings: Settings, prefix: str, expected: Floats) -> Ints:
    draws = patient_stream(settings, f"items {prefix}").standard_normal(expected.shape)
    return (expected + draws > 0).astype(np.int64)


def questionnaire_table(settings: Settings, items: Items, people: People, ids: pl.Series) -> pl.DataFrame:
    """Return the answers as collected, wide: ``bpi_sev_1`` ... ``dn4_10``, null where an item was left out."""
    names = [f"{prefix}_{number}" for prefix, block in items.items() for number in range(1, block.shape[1] + 1)]
    answers = np.hstack(list(items.values()))
    left_out = _left_out(settings, names, people)
    columns = {
        name: pl.Series(name, answers[:, column], dtype=pl.Int8).set(pl.Series(left_out[:, column]), None)
        for column, name in enumerate(names)
    }
    return pl.DataFrame({"patient_id": ids, **columns})


def _left_out(settings: Settings, names: list[str], people: People) -> Bools:
    """Draw unanswered items: any with 2 %; besides, the last of the BDI with 3 % and 12 % more above 60 years."""
    rng = patient_stream(settings, "unanswered items")
    left_out = rng.random((settings.patients, len(names))) < _ITEM_MISSING
    extra = _LAST_BDI_MISSING + _LAST_BDI_MISSING_OVER_60 * (people.age > 60)
    left_out[:, names.index("bdi_21")] |= rng.random(settings.patients) < extra
    return left_out
