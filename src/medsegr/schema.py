"""findings.json as JSON Schema, printed by ``medsegr info --schema``. Built from plain values.

No import costs anything.
"""

from typing import Any

STATUSES: dict[str, tuple[str | None, ...]] = {
    "segmented": (None,),
    "skipped": ("absent", "uncertain", "prior", "not_this_patient", "no_place", "not_in_image"),
    "not_found": ("presence_low", "empty"),
    "refused": ("unknown_concept", "geometry", "too_small"),
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
            "side_frame": _one_of("patient", "viewer"),
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


def findings_schema() -> Schema:
    """JSON Schema (2020-12) of findings.json."""
    measurement = _object({"value": {"type": ["number", "null"]}, "unit": TEXT, "status": TEXT})
    finding = _object(
        words_schema()
        | {
            "status": _one_of(*STATUSES),
            "reason": TEXT_OR_NULL,
            "mask": TEXT_OR_NULL,
            "score": SHARE,
            "presence": SHARE,
            "measurements": _or_null({"type": "object", "additionalProperties": measurement}),
            "checks": _list(
                _object({"name": TEXT, "outcome": _one_of("pass", "warn", "fail"), "detail": TEXT})
            ),
        }
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
                "report": _object(
                    {
                        "sha256": TEXT,
                        "characters": {"type": "integer"},
                        "sections": _list(TEXT),
                        "text": TEXT,
                    },
                    ("text",),
                    null=True,
                ),
                "image": image,
                "model": _object({"name": TEXT, "sha256": TEXT, "licence": TEXT}),
                "findings": _list(finding | {"allOf": [_rows()]}),
                "warnings": _list(_object({"code": TEXT, "message": TEXT})),
            }
        ),
    }
