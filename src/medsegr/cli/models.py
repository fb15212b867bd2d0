"""``medsegr models``: the checkpoints that are here, their hashes, where they lie. No torch, no network."""

import json
from typing import Annotated, Any

from medsegr.cli.flags import Json, LogFlags, argument, grouped
from medsegr.cli.logs import set_up
from medsegr.errors import UsageError


@grouped
def command(
    what: Annotated[str, argument(metavar="list|verify|path")],
    logs: LogFlags,
    name: Annotated[str | None, argument(help="Name of a model or a folder that holds one.")] = None,
    as_json: Json = False,
) -> int:
    """List the models, verify a checkpoint against its hash, or print where it lies."""
    set_up(logs)
    from medsegr import weights

    if what == "list" and name is not None:
        raise UsageError("models list takes no name; 'models verify NAME' looks at one")
    if what == "list":
        _list(as_json)
    elif what == "verify":
        for one in (name,) if name else weights.names() or (weights.DEFAULT,):
            card = weights.verify(one)
            print(f"{card.get('name', one)}: SHA-256 {card['sha256']} as in its card")
    elif what == "path":
        print(weights.find(name or weights.DEFAULT)[0])
    else:
        raise UsageError(f"models: '{what[:40]}' is not known; expected list, verify or path")
    return 0


def known() -> list[dict[str, Any]]:
    """All models and methods that can segment: embedded checkpoints first, as plain values."""
    from medsegr import registry, weights

    found: list[dict[str, Any]] = []
    for name in weights.names():
        card = weights.read_card(name)
        told = {key: card.get(key) for key in ("sha256", "licence", "modalities", "presence_threshold")}
        found.append(
            {"name": name, "kind": "checkpoint", **told, "concepts": sorted(card.get("concepts", {}))}
        )
    embedded = {item["name"] for item in found}
    for item in registry.cards().values():
        if item.door == "segmenter" and item.name not in embedded:
            missing = item.family == "core"  # a method of the house whose checkpoint is not here
            told = {
                "name": item.name,
                "kind": "method",
                "summary": item.summary,
                "licence": item.licence,
                "checked": item.checked,
            }
            found.append(told | ({"missing": "its checkpoint is not installed"} if missing else {}))
    return found


def _list(as_json: bool) -> None:
    found = known()
    if as_json:
        print(json.dumps({"schema": "medsegr.models/1", "models": found}, indent=1))
        return
    for item in found:
        about = item.get("summary") or f"{len(item['concepts'])} concepts, SHA-256 {str(item['sha256'])[:12]}"
        licence = item["licence"] or "unknown licence"
        print(f"{item['name']:16s} {item['kind']:11s} {licence:18s} {item.get('missing', about)}")
