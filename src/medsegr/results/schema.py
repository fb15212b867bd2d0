"""findings.json as JSON Schema (``medsegr info --schema``), and a report in that form. Cheap to import."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medsegr.findings import Finding, Report

PARSE_SCHEMA = "medsegr.parse/1"
STATUSES: dict[str, tuple[str | None, ...]] = {
    "segmented": (None,),
    "skipped": ("absent", "uncertain", "prior", "not_this_patient", "no_place", "not_in_image"),
    "not_found": ("presence_low", "empty"),
    "refused": ("unknown_concept", "part_unknown", "kind_unknown", "made_only", "geometry", "too_small"),
    "failed": ("error",),
}
Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
SPAN: Schema = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 2, "maxItems": 2}
SHARE: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}


def _object(properties: Schema, optional: tuple[str, ...] = (), null: bool = False) -> Schema:
    required = [name for name in properties if name not in optional]
    kind: Any = ["object", "null"] if null else "object"
    return {"type": kind, "properties": properties, "required": required, "additionalProperties": False}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _one_of(*values: str | None) -> Schema:
    return {"enum": list(values)}


def words_schema() -> Schema:
    """The part of a finding that the report alone gives: keys of ``properties`` in order."""
    location = _object(
        {
            "side": _one_of("right", "left", "bilateral", "midline", None),
            "side_frame": _one_of("patient", "viewer", "limb"),
            "rows": _list(_one_of("upper", "middle", "lower")),
            "cols": _list(_one_of("left", "centre", "right")),
            "anatomy": _list(TEXT),
            "spans": _list(SPAN),
        }
    )
    texture = _object(
        {"density": TEXT_OR_NULL, "uniformity": TEXT_OR_NULL, "colour": TEXT_OR_NULL, "spans": _list(SPAN)}
    )
    shape = _object(
        {
            "form": TEXT_OR_NULL,
            "margin": TEXT_OR_NULL,
            "size_class": TEXT_OR_NULL,
            "size_mm": _or_null(_list({"type": "number", "minimum": 0})),
            "count": {"type": ["integer", "null"]},
            "spans": _list(SPAN),
        }
    )
    return {
        "id": TEXT,
        "phrase": TEXT,
        "span": SPAN,
        "section": TEXT_OR_NULL,
        "sentence": _or_null(SPAN),
        "name": TEXT,
        "code": _object({"scheme": TEXT, "value": TEXT, "meaning": TEXT}, null=True),
        "polarity": _one_of("present", "absent", "uncertain"),
        "polarity_span": _or_null(SPAN),
        "time": _one_of("current", "prior", "new", "resolved", "improved", "worse", "stable"),
        "location": location,
        "texture": texture,
        "shape": shape,
    }


def _rows() -> Schema:
    """The table of statuses and reasons: only ``segmented`` may have a mask."""
    rows = []
    for status, reasons in STATUSES.items():
        row: Schema = {"status": {"const": status}, "reason": _one_of(*reasons)}
        if status != "segmented":
            row["mask"] = {"type": "null"}
        rows.append({"properties": row})
    return {"anyOf": rows}


def _review() -> Schema:
    """What a person did to a finding: see :mod:`medsegr.reviews`."""
    numbers: Schema = {"type": "array", "items": {"type": "number"}}
    prompts = _object(
        {
            "slice": {"type": ["integer", "null"], "minimum": 0},
            "points": _list(numbers | {"minItems": 3, "maxItems": 3}),
            "boxes": _list(numbers | {"minItems": 4, "maxItems": 4}),
            "mask": {"type": "boolean"},
            "painted": {"type": "boolean"},
        },
        ("painted",),  # files of older versions have none, nor "edited"
    )
    return _object(
        {
            "revision": {"type": "integer", "minimum": 0},
            "accepted": {"type": "boolean"},
            "edited": {"type": "boolean"},
            "prompts": _list(prompts),
        },
        ("edited",),
        null=True,
    )


def _report() -> Schema:
    words: Schema = {
        "sha256": TEXT,
        "characters": {"type": "integer"},
        "sections": _list(TEXT),
        "unread": _list(SPAN),
        "text": TEXT,
    }
    return _object(words, ("unread", "text"), null=True)  # files of older versions have no "unread"


def findings_schema() -> Schema:
    """JSON Schema (2020-12) of findings.json."""
    number: Schema = {"value": {"type": ["number", "null"]}, "unit": TEXT, "status": TEXT, "of": TEXT}
    measurement = _object(number, ("of",))
    finding = _object(
        words_schema()
        | {
            "status": _one_of(*STATUSES),
            "reason": TEXT_OR_NULL,
            "mask": TEXT_OR_NULL,
            "segment": {"type": ["integer", "null"], "minimum": 1},
            "score": SHARE,
            "presence": SHARE,
            "measurements": _or_null({"type": "object", "additionalProperties": measurement}),
            "checks": _list(
                _object({"name": TEXT, "outcome": _one_of("pass", "warn", "fail"), "detail": TEXT})
            ),
            "review": _review(),
        },
        ("segment", "review"),  # files of older versions have none
    )
    image = _object(
        {
            "sha256": TEXT,
            "grid": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1},
                "minItems": 2,
                "maxItems": 3,
            },
            "spacing_mm": _or_null(_list({"type": "number", "exclusiveMinimum": 0})),
            "modality": TEXT_OR_NULL,
            "frame": _one_of("patient", "viewer"),
            "frame_from": _one_of("dicom", "nifti", "nrrd", "mha", "modality", "flag", "assumed"),
        }
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "medsegr.findings/1",
        "title": "What medsegr writes to findings.json",
        **_object(
            {
                "schema": {"const": "medsegr.findings/1"},
                "report": _report(),
                "image": image,
                "model": _object({"name": TEXT, "sha256": TEXT, "licence": TEXT}),
                "findings": _list(finding | {"allOf": [_rows()]}),
                "warnings": _list(_object({"code": TEXT, "message": TEXT})),
            }
        ),
    }


def text_hash(text: str) -> str:
    """sha256 of a text as UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def report_json(report: "Report | None", keep_text: bool = False) -> dict[str, Any] | None:
    """Hash, length, sections and spans of unread passages of a report; its text only where asked for.

    No words of those passages: names may stand in words that nobody knows.
    """
    if report is None:
        return None
    names = list(dict.fromkeys(section.name for section in report.sections))
    told: dict[str, Any] = {
        "sha256": text_hash(report.text),
        "characters": len(report.text),
        "sections": names,
        "unread": _spans(report.unread),
    }
    return told | ({"text": report.text} if keep_text else {})


def unread_json(report: "Report") -> list[dict[str, Any]]:
    """The passages of a report that state something by no known name, in their words."""
    return [{"phrase": report.text[slice(*span)], "span": list(span)} for span in report.unread]


def finding_json(finding: "Finding") -> dict[str, Any]:
    """What the report says of one finding, without any result."""
    code, location, texture, shape = finding.code, finding.location, finding.texture, finding.shape
    return {
        "id": finding.id,
        "phrase": finding.phrase,
        "span": list(finding.span),
        "section": finding.section,
        "sentence": None if finding.sentence is None else list(finding.sentence),
        "name": finding.name,
        "code": None
        if code is None
        else {"scheme": code.scheme, "value": code.value, "meaning": code.meaning},
        "polarity": finding.polarity,
        "polarity_span": None if finding.polarity_span is None else list(finding.polarity_span),
        "time": finding.time,
        "location": {
            "side": location.side,
            "side_frame": location.side_frame,
            "rows": list(location.rows),
            "cols": list(location.cols),
            "anatomy": list(location.anatomy),
            "spans": _spans(location.spans),
        },
        "texture": {
            "density": texture.density,
            "uniformity": texture.uniformity,
            "colour": texture.colour,
            "spans": _spans(texture.spans),
        },
        "shape": {
            "form": shape.form,
            "margin": shape.margin,
            "size_class": shape.size_class,
            "size_mm": None if shape.size_mm is None else list(shape.size_mm),
            "count": shape.count,
            "spans": _spans(shape.spans),
        },
    }


def parse_json(report: "Report", notes: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """What ``medsegr parse --json`` prints of a report; ``notes``: warnings about how its file was read."""
    return {
        "schema": PARSE_SCHEMA,
        "report": report_json(report),
        "findings": [parsed_json(finding) for finding in report.findings],
        "unread": unread_json(report),
        "warnings": [{"code": code, "message": message} for code, message in (*notes, *report.warnings)],
    }


def parsed_json(finding: "Finding") -> dict[str, Any]:
    """A finding as in findings.json, with its wider concepts and the reason why it would not be drawn."""
    return finding_json(finding) | {"parents": list(finding.parents), "reason": words_reason(finding)}


def words_reason(finding: "Finding") -> str | None:
    """The reason, known from the words alone, why a finding gets no mask; None: it would be drawn."""
    from medsegr.report.parse import skip_reason

    return skip_reason(finding, ("present",))


def _spans(spans: tuple[tuple[int, int], ...]) -> list[list[int]]:
    return [list(span) for span in spans]
