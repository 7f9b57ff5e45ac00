"""From bytes to resources: JSON or NDJSON, of the right version, each once, with references that can be followed."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from nociomics.errors import NociomicsError
from nociomics.fhir.identities import Directory, Resource, take_once
from nociomics.fhir.listing import Listing

_LOG = logging.getLogger(__name__)

MAX_BYTES = 64 * 2**20
"""Larger files are refused: a message about a patient has some kilobytes; a cohort comes as NDJSON, in parts."""
MAX_DEPTH = 100
"""FHIR nests about ten levels; deeper is no FHIR."""

_OTHER_VERSIONS = {
    # resource type: elements that R4 does not have there, and the version that does
    "Observation": {"triggeredBy": "R5", "instantiatesCanonical": "R5", "bodyStructure": "R5", "related": "STU3"},
    "MedicationRequest": {"medication": "R5", "reason": "R5", "renderedDosageInstruction": "R5"},
    "MedicationStatement": {"medication": "R5", "adherence": "R5", "taken": "STU3", "wasNotTaken": "DSTU2"},
    "MedicationUsage": {"resourceType": "R5"},
    "MedicationOrder": {"resourceType": "DSTU2"},
    "Patient": {"animal": "STU3"},
}


class FhirError(NociomicsError):
    """A message is no FHIR R4 that can be read, or FHIR cannot be written."""


@dataclass(frozen=True)
class Resources:
    """The resources of one or several messages, each once.

    Attributes
    ----------
    all : tuple of dict
        In their order.
    directory : Directory
        Where references lead.
    timestamp : str or None
        Of the Bundle, where there was one.
    """

    all: tuple[Resource, ...]
    directory: Directory
    timestamp: str | None

    def of(self, kind: str) -> Iterator[Resource]:
        """Yield the resources of one type."""
        return (one for one in self.all if one["resourceType"] == kind)

    def follow(self, reference: Any, holder: Resource | None = None) -> Resource | None:
        """Return what a Reference leads to, None when it leads nowhere.

        Parameters
        ----------
        reference : Any
            As it stands in the holder; anything but a Reference leads nowhere.
        holder : mapping, optional
            The resource that it stands in: ``#1`` is contained there, and ``Patient/1`` is of the same server.
        """
        target = reference.get("reference") if isinstance(reference, Mapping) else None
        if not isinstance(target, str):
            return None
        if target.startswith("#"):
            inside = (holder or {}).get("contained")
            found = [one for one in inside if isinstance(one, Mapping)] if isinstance(inside, list) else []
            return next((one for one in found if one.get("id") == target[1:]), None)
        return self.directory.find(target, holder)


def read_files(paths: Iterable[Path], listing: Listing, max_bytes: int = MAX_BYTES) -> Resources:
    """Read Bundles, single resources or NDJSON from files; references may lead from one file to another.

    Raises
    ------
    FhirError
        For a file that is too large, no JSON, no FHIR, or of another version; the text holds no value.
    """
    documents = []
    for path in paths:
        try:
            size = path.stat().st_size
            content = b"" if size > max_bytes else path.read_bytes()
        except OSError as error:
            raise FhirError(f"{path}: cannot be read ({error.strerror or type(error).__name__}).") from error
        _refuse_size(size, max_bytes, str(path))
        documents += _documents(content, str(path))
    return _gathered(documents, listing)


def read_content(content: bytes | str | Mapping[str, Any], listing: Listing, max_bytes: int = MAX_BYTES) -> Resources:
    """Read one message: a Bundle, one resource or NDJSON, as bytes, text or parsed JSON.

    Raises
    ------
    FhirError
        As `read_files`.
    """
    if isinstance(content, Mapping):
        return _gathered([("the message", dict(content))], listing)
    raw = content.encode() if isinstance(content, str) else content
    _refuse_size(len(raw), max_bytes, "the message")
    return _gathered(_documents(raw, "the message"), listing)


def _refuse_size(size: int, limit: int, where: str) -> None:
    if size > limit:
        raise FhirError(
            f"{where}: has {size / 2**20:.0f} MB; at most {limit / 2**20:.0f} MB are read at once. "
            "Split it: a Bundle per patient, or NDJSON files of one resource per line."
        )


def _documents(content: bytes, where: str) -> list[tuple[str, dict[str, Any]]]:
    """Parse a JSON document, or every line of NDJSON, and say which line is broken."""
    text = _text(content, where)
    try:
        return [(where, _object(_parsed(text), where))]
    except json.JSONDecodeError as whole:
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        if len(lines) < 2 or whole.msg != "Extra data":
            place = f"line {whole.lineno}, column {whole.colno}"
            raise FhirError(f"{where}: is no JSON ({place}). FHIR comes as JSON here, not as XML or Turtle.") from None
    return [(f"{where}, line {number}", _line(line, f"{where}, line {number}")) for number, line in lines]


def _line(line: str, where: str) -> dict[str, Any]:
    try:
        return _object(_parsed(line), where)
    except json.JSONDecodeError as error:
        raise FhirError(f"{where}: is no JSON (column {error.colno}); NDJSON holds one resource per line.") from None


def _text(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FhirError(f"{where}: is not UTF-8 (byte {error.start}), which FHIR asks for.") from None


def _parsed(text: str) -> Any:
    """Parse JSON; numbers keep the digits they were written with."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except RecursionError:
        raise FhirError(f"The message is nested deeper than {MAX_DEPTH} levels; no FHIR resource is.") from None
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer of more than 4,300 digits
        raise FhirError("The message holds a number that is far too long.") from None


def _no_number(word: str) -> Any:
    raise FhirError(f"The message holds {word}, which JSON does not know as a number.")


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
        raise FhirError(f"{where}: is no FHIR resource: a JSON object with resourceType, such as a Bundle, is needed.")
    return value


def _gathered(documents: list[tuple[str, dict[str, Any]]], listing: Listing) -> Resources:
    placed: list[tuple[str | None, dict[str, Any]]] = []
    timestamp = None
    for where, document in documents:
        _refuse_depth(document)
        if document.get("resourceType") == "Bundle":
            placed += _entries(document, where, listing)
            timestamp = document.get("timestamp") if isinstance(document.get("timestamp"), str) else timestamp
        else:
            placed.append((None, _object(document, where)))
    _refuse_versions([one for _, one in placed])
    kept, directory = take_once(placed, listing)
    _LOG.info("%d resources in, %d kept (equal copies once, differing ones left out)", len(placed), len(kept))
    return Resources(tuple(kept), directory, timestamp)


def _entries(bundle: dict[str, Any], where: str, listing: Listing) -> list[tuple[str | None, dict[str, Any]]]:
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise FhirError(f"{where}: entry of the Bundle is no list.")
    found: list[tuple[str | None, dict[str, Any]]] = []
    for entry in entries:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            listing.add("Bundle", "entry without a resource", element="entry")
        elif resource["resourceType"] == "Bundle":
            found += _entries(resource, where, listing)
        else:
            url = entry.get("fullUrl")
            found.append((url if isinstance(url, str) else None, resource))
    return found


def _refuse_depth(document: Any) -> None:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [
            part
            for value in level
            for part in (value.values() if isinstance(value, dict) else value)
            if isinstance(part, dict | list)
        ]
        if not level:
            return
    raise FhirError(f"The message is nested deeper than {MAX_DEPTH} levels; no FHIR resource is.")


def _refuse_versions(resources: list[dict[str, Any]]) -> None:
    """Refuse resources with elements that only another version has: their codes may mean something else."""
    seen = [
        f"{kind}.{element} is of {version}"
        for kind, elements in _OTHER_VERSIONS.items()
        for element, version in elements.items()
        if any(one["resourceType"] == kind and element in one for one in resources)
    ]
    if seen:
        raise FhirError(
            f"The message is not FHIR R4 (4.0.1): {'; '.join(seen)}. Ask the server for R4 "
            "(Accept: application/fhir+json; fhirVersion=4.0), or convert it first."
        )
