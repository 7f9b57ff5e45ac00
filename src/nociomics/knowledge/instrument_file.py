"""Read a questionnaire that a study brings itself, in the layout of the shipped files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from nociomics.errors import NociomicsError
from nociomics.knowledge.instrument import Instrument, expanded, instrument_ids, item_columns, load_instruments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def load_instrument_file(path: Path) -> Instrument:
    """Return the instrument of a YAML file in the layout of ``knowledge/instruments``.

    Parameters
    ----------
    path : Path
        The file; its ``id`` may not be the id of a shipped instrument.

    Raises
    ------
    NociomicsError
        When the file is missing or no YAML, or with everything that is wrong with it, one line each.
    """
    raw = _parsed(path)
    try:
        instrument = Instrument.model_validate(expanded(raw))
    except ValidationError as error:
        problems = [f"{path.name}: {_where(entry)}: {entry['msg']}" for entry in error.errors()]
        raise NociomicsError("\n".join(problems)) from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise NociomicsError(
            f"{path.name}: is not laid out as a questionnaire (items: groups with ids, kind, low and high; "
            "scales: a list with id, method, items, range and direction)."
        ) from error
    problems = [f"{path.name}: {problem}" for problem in _inconsistencies(instrument)]
    if problems:
        raise NociomicsError("\n".join(problems))
    return instrument


def load_with_own(paths: Sequence[Path]) -> dict[str, Instrument]:
    """Return the shipped instruments and those of the files, by id.

    Raises
    ------
    NociomicsError
        As of `load_instrument_file`; also when two of them claim the same column.
    """
    known = dict(load_instruments())
    for path in paths:
        instrument = load_instrument_file(path)
        if instrument.id in known:
            raise NociomicsError(f'{path.name}: another file has the id "{instrument.id}" already.')
        known[instrument.id] = instrument
    item_columns(known)
    return known


def _parsed(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NociomicsError(
            f"{path}: cannot be read: {error.strerror}. Correct the path of the instrument."
        ) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise NociomicsError(f"{path.name}: is not a YAML file.") from error
    if not isinstance(raw, dict):
        raise NociomicsError(f"{path.name}: holds no keys; see the shipped files for the layout.")
    return raw


def _where(entry: Any) -> str:
    return ".".join(str(part) for part in entry["loc"]) or "the file"


def _inconsistencies(instrument: Instrument) -> list[str]:
    """Say where a file contradicts itself."""
    found = []
    if instrument.id in instrument_ids():
        found.append(f'the id "{instrument.id}" belongs to a shipped instrument; choose another')
    for scale in instrument.scales.values():
        items = [instrument.items[name] for name in scale.items]
        if scale.method in ("sum", "mean", "single") and items:
            by = len(items) if scale.method == "mean" else scale.divisor
            ends = (sum(item.low for item in items) / by, sum(item.high for item in items) / by)
            if ends != scale.range:
                found.append(
                    f"scale {scale.id}: its range is {scale.low:g} to {scale.high:g}, but its items give "
                    f"{ends[0]:g} to {ends[1]:g}"
                )
        if scale.method in ("index_value_set", "custom:psqi"):
            found.append(f"scale {scale.id}: the method {scale.method} belongs to a shipped instrument")
        elif scale.method != "combine" and not 1 <= scale.min_valid <= len(scale.items):
            found.append(f"scale {scale.id}: min_valid must be 1 to {len(scale.items)}, its number of items")
    return found
