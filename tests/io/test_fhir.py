"""The FHIR bundle is valid R4 to a library that others wrote, and names nobody unless asked."""

import json
from typing import Any

import pytest

from dicom_files import LUNG, MAKER, segment
from medsegr.io.fhir import bundle
from medsegr.types import Code, Measurement

NUMBERS = {
    "area": Measurement(12.34567, "mm2"),
    "long_axis": Measurement(None, "mm", "no_spacing"),
    "volume": Measurement(3.0, "mm3", "cut_by_border"),
    "nearest_structure": Measurement(4.5, "mm", "ok", "left lung"),
    "mean_intensity": Measurement(-20.0, "HU"),
    "box_x0": Measurement(3.0, "px"),
}
FOUND = [
    segment(1, None, measurements=NUMBERS),
    segment(2, None, presence="absent", kind=Code("99MEDSEGR", "cavity", "cavity"), name="cavity", site=None),
    segment(3, None, presence="uncertain", side=None, name="<odd & name>"),
]


def of_kind(made: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [e["resource"] for e in made["entry"] if e["resource"]["resourceType"] == kind]


def validated(made: dict[str, Any]) -> Any:
    module = pytest.importorskip("fhir.resources.R4B.bundle", reason="fhir.resources is not installed")
    return module.Bundle.model_validate(json.loads(json.dumps(made)))


@pytest.mark.parametrize("subject", ["", "Patient/123"])
def test_it_is_valid(subject: str) -> None:
    read = validated(bundle(FOUND, MAKER, "key", subject))
    assert read.type == "collection"
    assert len(read.entry) == 5
    validated(bundle([], MAKER, "key"))


def test_every_finding_has_an_observation_with_its_presence() -> None:
    made = bundle(FOUND, MAKER, "key")
    observations = of_kind(made, "Observation")
    assert [o["valueCodeableConcept"]["coding"][0]["code"] for o in observations] == [
        "121053",
        "121054",
        "121059",
    ]
    (report,) = of_kind(made, "DiagnosticReport")
    urls = [e["fullUrl"] for e in made["entry"] if e["resource"]["resourceType"] == "Observation"]
    assert [r["reference"] for r in report["result"]] == urls
    assert report["status"] == "preliminary"
    assert "Not a medical device" in report["conclusion"]
    assert "&lt;odd &amp; name&gt;" in report["text"]["div"]
    assert observations[0]["bodySite"]["coding"][0]["code"] == LUNG.value
    assert "coding" not in observations[1]["code"]  # a private code is told in words
    assert observations[1]["code"]["text"] == "cavity"


def test_numbers_have_ucum_units_and_lacking_ones_a_reason() -> None:
    (first, *_) = of_kind(bundle(FOUND, MAKER, "key"), "Observation")
    parts = {c["code"]["text"]: c for c in first["component"]}
    assert parts["Area"]["valueQuantity"] == {
        "value": 12.3457,
        "unit": "mm2",
        "system": "http://unitsofmeasure.org",
        "code": "mm2",
    }
    assert parts["Long axis"]["dataAbsentReason"]["text"] == "no_spacing"
    assert "valueQuantity" not in parts["Long axis"]
    assert parts["Volume"]["interpretation"] == [{"text": "cut_by_border"}]
    assert parts["Mean intensity"]["valueQuantity"]["code"] == "[hnsf'U]"
    assert "Distance to the nearest structure (left lung)" in parts
    assert len(parts) == 5  # boxes in pixels stay in findings.json


def test_nobody_is_named_unless_asked_and_ids_are_the_same_twice() -> None:
    made = bundle(FOUND, MAKER, "key")
    assert made == bundle(FOUND, MAKER, "key")
    assert made["entry"][0]["fullUrl"] != bundle(FOUND, MAKER, "other")["entry"][0]["fullUrl"]
    assert "subject" not in json.dumps(made)
    named = bundle(FOUND, MAKER, "key", "Patient/123")
    holders = [*of_kind(named, "Observation"), *of_kind(named, "DiagnosticReport")]
    assert {h["subject"]["reference"] for h in holders} == {"Patient/123"}
