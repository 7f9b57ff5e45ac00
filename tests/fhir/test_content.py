"""What is refused whole, what is listed, and that no message shows a value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nociomics.fhir.content import FhirError, read_content, read_files
from nociomics.fhir.listing import Listing
from tests.fhir.messages import bundle, concept, lab, patient, problems, read

SECRET = "secret-1"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no JSON"),
        (b"<Bundle/>", "not as XML"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"[]", "no FHIR resource"),
        (b'{"secret-1": 1}', "no FHIR resource"),
        (b'{"resourceType": "Bundle", "entry": {}}', "entry of the Bundle is no list"),
        (b'{"resourceType": "Observation", "value": NaN}', "NaN"),
        (b'{"resourceType": "Patient", "id": ' + b"1" * 5000 + b"}", "far too long"),
        (b'{"resourceType": "Patient", "x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nested deeper than 100"),
        (b'{"resourceType": "Patient", "x": ' + b"[" * 200 + b"]" * 200 + b"}", "nested deeper than 100"),
        (b'{"resourceType": "Patient"}\n{"resourceType": "Obs', "line 2: is no JSON"),
    ],
)
def test_one_clear_error_for_what_is_no_message(content: bytes, words: str) -> None:
    with pytest.raises(FhirError, match=words) as caught:
        read_content(content, Listing())
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("resource", "version"),
    [
        ({"resourceType": "MedicationRequest", "medication": {"concept": concept("2670")}}, "of R5"),
        ({"resourceType": "MedicationStatement", "taken": "y"}, "of STU3"),
        ({"resourceType": "Observation", "triggeredBy": []}, "of R5"),
        ({"resourceType": "MedicationOrder"}, "of DSTU2"),
    ],
)
def test_other_versions_are_refused(resource: dict[str, Any], version: str) -> None:
    with pytest.raises(FhirError, match=version):
        read_content(bundle(patient(), resource), Listing())


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    large = tmp_path / "large.json"
    with large.open("wb") as handle:
        handle.truncate(100 * 2**20)
    with pytest.raises(FhirError, match="has 100 MB; at most 64 MB"):
        read_files([large], Listing())
    with pytest.raises(FhirError, match="cannot be read"):
        read_files([tmp_path / "none.json"], Listing())


def test_ndjson_files_refer_to_each_other(tmp_path: Path) -> None:
    (tmp_path / "Patient.ndjson").write_text("".join(json.dumps(patient(f"p{n}")) + "\n" for n in range(3)))
    rows = [lab(subject={"reference": f"Patient/p{n}"}) for n in range(3)]
    (tmp_path / "Observation.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_files([tmp_path / "Observation.ndjson", tmp_path / "Patient.ndjson"], Listing())
    assert [found.follow(one["subject"])["id"] for one in found.of("Observation")] == ["p0", "p1", "p2"]


def test_numbers_keep_their_digits() -> None:
    found = read_content(json.dumps(lab(value="@")).replace('"@"', "2.80"), Listing())
    assert str(next(found.of("Observation"))["valueQuantity"]["value"]) == "2.80"


def test_copies_are_taken_once_and_copies_that_differ_not_at_all() -> None:
    same, other = lab(id="a"), lab(id="b")
    found = read(same, same, other, {**other, "valueQuantity": {"value": 9}})
    assert found.tables["biomarkers"].height == 1
    assert problems(found) == [
        (None, "several resources of one id that differ; none is taken", 2),
        (None, "equal copies of a resource; taken once", 1),
    ]


def test_references_that_lead_nowhere_are_listed() -> None:
    found = read(
        lab(subject={"reference": "Patient/nobody"}), lab(subject={"display": SECRET}), lab(subject=7), {"entry": 1}
    )
    assert "biomarkers" not in found.tables
    assert ("its subject leads to no Patient of the message", 3) in [row[1:] for row in problems(found)]
    assert "entry without a resource" in [row[1] for row in problems(found)]


def test_full_urls_versions_and_contained_resources_are_followed() -> None:
    listing = Listing()
    url = "urn:uuid:9a5bd6c1-0000-4000-8000-000000000001"
    message = bundle()
    message["entry"] = [
        {"fullUrl": url, "resource": {"resourceType": "Patient"}},
        {"resource": lab(subject={"reference": url})},
        {"resource": patient()},
        {"resource": lab(subject={"reference": f"Patient/{SECRET}/_history/3"})},
    ]
    found = read_content(message, listing)
    assert all(found.follow(one["subject"])["resourceType"] == "Patient" for one in found.of("Observation"))
    inside = {"contained": [{"resourceType": "Medication", "id": "m"}]}
    assert found.follow({"reference": "#m"}, inside) == {"resourceType": "Medication", "id": "m"}


def test_free_text_never_gets_into_the_list() -> None:
    found = read(
        lab(code="Jane Doe, born 1970"),
        {"resourceType": f"Thing {SECRET} 1"},
        lab(unit="per Jane Doe"),
        lab(status=f"status of {SECRET}"),
    )
    text = found.listing.write_csv()
    assert "Jane" not in text and SECRET not in text and text.count("(not shown)") == 3
