"""``medsegr info``: what this installation can do, without loading a model or torch."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

import medsegr
from medsegr.cli.flags import Json, LogFlags, grouped, option
from medsegr.cli.logs import set_up
from medsegr.options import FORMATS

READS = (
    "PNG",
    "JPEG",
    "TIFF",
    "BMP",
    "NIfTI",
    "NRRD",
    "MHA",
    "DICOM file",
    "DICOM folder",
    "zip of any of these",
)


@dataclass(frozen=True)
class InfoFlags:
    """Which part is shown."""

    models: Annotated[bool, option("--models", help="Models and methods that can segment.")] = False
    formats: Annotated[bool, option("--formats", help="Files that are read and written.")] = False
    classes: Annotated[
        bool, option("--classes", help="Concepts of the lexicon, and which the models know.")
    ] = False
    schema: Annotated[bool, option("--schema", help="JSON Schema of findings.json.")] = False
    json: Json = False


@grouped
def command(flags: InfoFlags, logs: LogFlags) -> int:
    """Say what this installation can do."""
    set_up(logs)
    if flags.schema:
        from medsegr.schema import findings_schema

        print(json.dumps(findings_schema(), indent=1))
        return 0
    wanted = [name for name in ("models", "formats", "classes") if getattr(flags, name)]
    told = gather(tuple(wanted or ("models", "formats")))
    print(json.dumps(told, indent=1, ensure_ascii=False) if flags.json else "\n".join(lines(told)))
    return 0


def gather(parts: tuple[str, ...]) -> dict[str, Any]:
    """The asked parts as plain values."""
    told: dict[str, Any] = {
        "schema": "medsegr.info/1",
        "version": medsegr.__version__,
        "notice": "Not a medical device. For research.",
    }
    if "models" in parts:
        from medsegr.cli.models import known

        told["models"] = known()
    if "formats" in parts:
        told["formats"] = {"reads": list(READS), "writes": list(FORMATS)}
    if "classes" in parts:
        told["classes"] = classes()
    return told


def classes() -> list[dict[str, Any]]:
    """Every concept of the lexicon: name, kind, code, modalities, and the models that know it."""
    from medsegr import weights
    from medsegr.report.lexicon import concepts

    cards = {name: weights.read_card(name).get("concepts", {}) for name in weights.names()}
    return [
        {
            "name": concept.name,
            "kind": concept.kind,
            "code": None
            if concept.code is None
            else [concept.code.scheme, concept.code.value, concept.code.meaning],
            "modalities": list(concept.modalities),
            "drawable": concept.drawable,
            "models": [name for name, known in cards.items() if concept.name in known],
        }
        for concept in concepts().values()
    ]


def lines(told: dict[str, Any]) -> list[str]:
    """The same for a person."""
    out = [f"medsegr {told['version']}", told["notice"]]
    for item in told.get("models", ()):
        about = item.get("summary") or f"{len(item['concepts'])} concepts"
        out.append(f"model   {item['name']:16s} {item.get('missing', about)}")
    if "formats" in told:
        out += [
            f"reads   {', '.join(told['formats']['reads'])}",
            f"writes  {', '.join(told['formats']['writes'])}",
        ]
    for item in told.get("classes", ()):
        models = ", ".join(item["models"]) or "no model"
        out.append(f"{item['kind']:10s} {item['name']:30s} {models}")
    return out
