"""Findings as a FHIR R4 bundle: one DiagnosticReport, one Observation a finding, the Device that made them.

No name, id, date, path or report text of the patient is in it. Whom it is about is left open unless the
caller names a reference.
"""

import uuid
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from medsegr.io.segments import Maker, Segment, rounded
from medsegr.types import Code, Measurement

SYSTEMS = {"SCT": "http://snomed.info/sct", "DCM": "http://dicom.nema.org/resources/ontology/DCM"}
UCUM = "http://unitsofmeasure.org"
UNITS = {"mm": "mm", "mm2": "mm2", "mm3": "mm3", "HU": "[hnsf'U]", "px": "{pixel}", "1": "1"}
PRESENCE = {
    "present": Code("DCM", "121053", "Present"),
    "absent": Code("DCM", "121054", "Absent"),
    "uncertain": Code("DCM", "121059", "Presence Undetermined"),
}
REPORT = {"system": "http://loinc.org", "code": "18748-4", "display": "Diagnostic imaging study"}
NAMES = {
    "area": "Area",
    "volume": "Volume",
    "max_diameter": "Maximum diameter",
    "long_axis": "Long axis",
    "short_axis": "Short axis",
    "mean_intensity": "Mean intensity",
    "sd_intensity": "Standard deviation of intensity",
    "components": "Number of pieces",
    "nearest_structure": "Distance to the nearest structure",
    "centroid_mm_r": "Centroid, mm to the right (RAS+)",
    "centroid_mm_a": "Centroid, mm to the front (RAS+)",
    "centroid_mm_s": "Centroid, mm to the head (RAS+)",
}
CODES = {
    "area": Code("SCT", "42798000", "Area"),
    "volume": Code("SCT", "118565006", "Volume"),
    "long_axis": Code("SCT", "103339001", "Long axis"),
    "short_axis": Code("SCT", "103340004", "Short axis"),
}
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"


def bundle(segments: Sequence[Segment], maker: Maker, key: str, subject: str = "") -> dict[str, Any]:
    """A ``collection`` bundle. ``key`` names the run (a hash): the same key gives the same ids.

    ``subject``: a reference to the patient ("Patient/123"), put into report and observations; "" leaves it
    out. Everything is ``preliminary``: nobody has verified it. A number without a value has a data absent
    reason.
    """
    device = _url(key, "device")
    about = {"subject": {"reference": subject}} if subject else {}
    entries = []
    for segment in segments:
        body = _observation(segment, maker) | about | {"device": {"reference": device}}
        entries.append({"fullUrl": _url(key, segment.id), "resource": body})
    report: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "text": _narrative(segments, maker),
        "status": "preliminary",
        "code": {"coding": [REPORT], "text": "Findings of the report, drawn and measured"},
        "conclusion": maker.notice,
        **about,
    }
    if entries:
        report["result"] = [{"reference": entry["fullUrl"]} for entry in entries]
    made = {
        "resourceType": "Device",
        "status": "active",
        "manufacturer": maker.program,
        "deviceName": [{"name": f"{maker.program} {maker.model}", "type": "model-name"}],
        "version": [{"value": maker.version}],
        "note": [{"text": maker.notice}],
    }
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": _url(key, "report"), "resource": report},
            {"fullUrl": device, "resource": made},
            *entries,
        ],
    }


def _url(key: str, part: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"medsegr:{key}:{part}").urn


def _observation(segment: Segment, maker: Maker) -> dict[str, Any]:
    code = _concept(segment.kind, segment.name)
    found: dict[str, Any] = {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:oid:{segment.uid}"}],
        "status": "preliminary",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "imaging",
                        "display": "Imaging",
                    }
                ]
            }
        ],
        "code": code,
        "valueCodeableConcept": _concept(PRESENCE[segment.presence], None),
        "note": [{"text": maker.notice}],
    }
    if segment.site is not None or segment.side is not None:
        codes = [code for code in (segment.site, segment.side) if code is not None]
        found["bodySite"] = {
            "coding": [_coding(code) for code in codes],
            "text": ", ".join(code.meaning for code in codes),
        }
    parts = [_component(name, segment.measurements[name]) for name in NAMES if name in segment.measurements]
    return found | ({"component": parts} if parts else {})


def _concept(code: Code, text: str | None) -> dict[str, Any]:
    """A code with the words of ours; a private code of ours is told as words alone."""
    coding = {"coding": [_coding(code)]} if code.scheme in SYSTEMS else {}
    return {**coding, "text": text or code.meaning}


def _coding(code: Code) -> dict[str, str]:
    return {"system": SYSTEMS[code.scheme], "code": code.value, "display": code.meaning}


def _component(name: str, number: Measurement) -> dict[str, Any]:
    text = NAMES[name] if number.of is None else f"{NAMES[name]} ({number.of})"
    code = {"coding": [_coding(CODES[name])], "text": text} if name in CODES else {"text": text}
    if number.value is None:
        reason = {"coding": [{"system": ABSENT, "code": "not-performed"}], "text": number.status}
        return {"code": code, "dataAbsentReason": reason}
    unit = UNITS[number.unit]
    quantity: Mapping[str, Any] = {
        "value": rounded(number.value),
        "unit": number.unit,
        "system": UCUM,
        "code": unit,
    }
    told: dict[str, Any] = {"code": code, "valueQuantity": quantity}
    if number.status != "ok":
        told["interpretation"] = [{"text": number.status}]
    return told


def _narrative(segments: Sequence[Segment], maker: Maker) -> dict[str, str]:
    """The report for a person who sees nothing but its text: every finding with presence, and the notice."""
    rows = "".join(f"<li>{escape(s.name)}: {s.presence}</li>" for s in segments)
    listed = f"<ul>{rows}</ul>" if rows else ""
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{escape(maker.notice)}</p>{listed}</div>'
    return {"status": "generated", "div": div}
