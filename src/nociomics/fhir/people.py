"""Patient resources to the table patients, and whose a resource is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl

from nociomics.fhir.content import Resources
from nociomics.fhir.elements import mapping, objects, text
from nociomics.fhir.identities import Resource
from nociomics.fhir.listing import Listing

_SEX = {"female": "F", "male": "M", "other": "other"}
_SCHEMA = {"patient_id": pl.String, "age": pl.Int64, "sex": pl.String}


class People:
    """The patients of a message and their ids.

    Parameters
    ----------
    resources : Resources
        With Patient resources.
    listing : Listing
        Takes what cannot be used.
    identifier_system : str or None
        Take patient_id from the identifier of this system; else from Patient.id.
    """

    def __init__(self, resources: Resources, listing: Listing, identifier_system: str | None = None) -> None:
        self._resources, self._listing = resources, listing
        self._ids: dict[int, str] = {}
        names = [(one, _name(one, resources, identifier_system)) for one in resources.of("Patient")]
        taken = [name for _, name in names]
        for patient, name in names:
            if name is None:
                listing.add("Patient", "has no id, or not one of the identifier system asked for", element="identifier")
            elif taken.count(name) > 1:
                listing.add("Patient", "shares its identifier with another patient; neither is taken")
            elif _is_replaced(patient):
                listing.add("Patient", "was replaced by another record (link.type replaced-by)", element="link")
            else:
                self._ids[id(patient)] = name

    def of(self, resource: Resource) -> str | None:
        """Return the patient_id of a resource's subject; one that leads nowhere is listed."""
        subject = self._resources.follow(resource.get("subject"), resource)
        found = None if subject is None else self._ids.get(id(subject))
        if found is None:
            known = subject is not None and subject["resourceType"] == "Patient"
            problem = "its patient was not taken" if known else "its subject leads to no Patient of the message"
            self._listing.add(resource["resourceType"], problem, element="subject")
        return found

    def frame(self, on: date | None) -> pl.DataFrame:
        """Lay the patients out as a table.

        Parameters
        ----------
        on : date or None
            Day of the age; without one, ages stay null.

        Returns
        -------
        DataFrame, one row per patient
            ``patient_id``, ``age`` (completed years) and ``sex`` (administrative gender: F, M, other).
        """
        patients = [one for one in self._resources.of("Patient") if id(one) in self._ids]
        rows = [(self._ids[id(one)], self._age(one, on), self._sex(one)) for one in patients]
        return pl.DataFrame(rows, schema=_SCHEMA, orient="row")

    def _sex(self, patient: Resource) -> str | None:
        word = text(patient.get("gender"))
        if word is not None and word not in (*_SEX, "unknown"):
            self._listing.add("Patient", "gender is no word of R4", element="gender")
        return _SEX.get(word or "")

    def _age(self, patient: Resource, on: date | None) -> int | None:
        born = text(patient.get("birthDate"))
        if born is None:
            return None
        age = None if on is None else age_on(born, on)
        if age is None:
            why = "no day is given on which to count the age" if on is None else "birthDate does not settle the age"
            self._listing.add("Patient", why, element="birthDate")
        return age


def _name(patient: Resource, resources: Resources, system: str | None) -> str | None:
    if system is not None:
        values = {text(one.get("value")) for one in objects(patient.get("identifier")) if one.get("system") == system}
        return values.pop() if len(values) == 1 else None
    own = text(patient.get("id"))
    if own is not None:
        return own
    urls = [name for name, one in resources.directory.urls.items() if one is patient and name.startswith("urn:uuid:")]
    return urls[0].removeprefix("urn:uuid:") if urls else None


def _is_replaced(patient: Mapping[str, Any]) -> bool:
    return any(mapping(one).get("type") == "replaced-by" for one in objects(patient.get("link")))


def age_on(born: str, on: date) -> int | None:
    """Return completed years of a FHIR date (a day, a month or a year), None where it leaves two ages open.

    Examples
    --------
    >>> age_on("1970-06-15", date(2026, 6, 14)), age_on("1970", date(2026, 12, 31)), age_on("1970", date(2026, 6, 14))
    (55, 56, None)
    """
    try:
        first, last = _bounds(born)
    except ValueError:
        return None
    oldest, youngest = _years(first, on), _years(last, on)
    return oldest if oldest == youngest and oldest >= 0 else None


def _bounds(born: str) -> tuple[date, date]:
    parts = [int(part) for part in born.split("-")]
    if len(parts) == 1:
        return date(parts[0], 1, 1), date(parts[0], 12, 31)
    if len(parts) == 2:
        following = date(parts[0] + parts[1] // 12, parts[1] % 12 + 1, 1)
        return date(parts[0], parts[1], 1), date.fromordinal(following.toordinal() - 1)
    day = date.fromisoformat(born)
    return day, day


def _years(born: date, on: date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
