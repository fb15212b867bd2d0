"""``medsegr info``: what this installation can do, without loading a model or torch."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import medsegr
from medsegr.cli.flags import Json, LogFlags, grouped, option
from medsegr.cli.logs import set_up
from medsegr.options import FORMATS

if TYPE_CHECKING:
    from medsegr.report.lexicon import Concept

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
        from medsegr.results.schema import findings_schema

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
    """Every concept of the lexicon: name, kind, code, modalities, the models that draw it, as what, with
    which mean Dice of how many validation targets, which of them in made images only, and what each of them
    learned from made images only."""
    from medsegr import weights
    from medsegr.modality.kinds import made_only, measured
    from medsegr.report.lexicon import concepts

    cards = {name: {"concepts": {}, **weights.read_card(name)} for name in weights.names()}
    drawn = {
        concept.name: {model: list(names) for model, card in cards.items() if (names := _ways(card, concept))}
        for concept in concepts().values()
    }
    made = {
        asked: {
            model: [name for name in names if made_only(cards[model], name)] for model, names in ways.items()
        }
        for asked, ways in drawn.items()
    }
    return [
        {
            "name": concept.name,
            "kind": concept.kind,
            "code": None
            if concept.code is None
            else [concept.code.scheme, concept.code.value, concept.code.meaning],
            "modalities": list(concept.modalities),
            "drawable": concept.drawable,
            "models": list(drawn[concept.name]),
            "drawn_as": drawn[concept.name],
            "measured": {
                model: {name: found for name in names if (found := measured(cards[model], name))}
                for model, names in drawn[concept.name].items()
            },
            "made_only": [
                model for model, names in drawn[concept.name].items() if made[concept.name][model] == names
            ],
            "made_ways": {model: names for model, names in made[concept.name].items() if names},
        }
        for concept in concepts().values()
    ]


def _ways(card: dict[str, Any], concept: "Concept") -> tuple[str, ...]:
    from medsegr.meaning.hearing import wider
    from medsegr.modality.kinds import ways
    from medsegr.types import Finding

    if not concept.drawable:
        return ()
    asked = Finding("f1", "", (0, 0), concept.name, parents=() if concept.apart else concept.parents)
    return ways(card, concept.name) or ways(card, wider(asked, card).name)


def _model_line(name: str, item: dict[str, Any], organs: frozenset[str]) -> str:
    """How a model draws a concept, for a person. ``organs`` are drawn in real images, too
    (:func:`medsegr.results.verdicts.unproven`)."""
    ways, notes = item["drawn_as"][name], []
    if ways == [item["name"]] and (found := item["measured"][name].get(item["name"])):
        notes.append(f"Dice {found[0]:.2f} of {found[1]}")
    if ways != [item["name"]]:
        made = () if name in item["made_only"] else item["made_ways"].get(name, ())
        told = [f"{way} in made images" if way in made else way for way in ways]
        notes.append("as " + " or ".join(filter(None, (", ".join(told[:-1]), told[-1]))))
    if name in item["made_only"]:
        notes.append("learned from made images" if organs.issuperset(ways) else "in made images only")
    return f"{name} ({', '.join(notes)})" if notes else name


def _width(items: Iterable[Mapping[str, Any]]) -> int:
    return max((len(item["name"]) for item in items), default=0)


def lines(told: dict[str, Any]) -> list[str]:
    """The same for a person."""
    out = [f"medsegr {told['version']}", told["notice"]]
    wide = _width(told.get("models", ()))
    for item in told.get("models", ()):
        about = item.get("summary") or f"{len(item['concepts'])} concepts"
        out.append(f"model   {item['name']:{wide}s} {item.get('missing', about)}")
    if "formats" in told:
        out += [
            f"reads   {', '.join(told['formats']['reads'])}",
            f"writes  {', '.join(told['formats']['writes'])}",
        ]
    organs = frozenset(item["name"] for item in told.get("classes", ()) if item["kind"] == "anatomy")
    wide = _width(told.get("classes", ()))
    for item in told.get("classes", ()):
        models = ", ".join(_model_line(name, item, organs) for name in item["models"]) or "no model"
        out.append(f"{item['kind']:10s} {item['name']:{wide}s} {models}")
    return out
