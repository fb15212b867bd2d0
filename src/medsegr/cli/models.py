"""``medsegr models``: checkpoints and hosts that are here, their hashes, where they lie; bringing hosts here.

Listing, verifying and paths need no torch and no network. Only ``pull`` ever reaches for the network.
"""

import json
from pathlib import Path
from typing import Annotated, Any

from medsegr.cli.flags import Json, LogFlags, argument, grouped, option
from medsegr.cli.logs import set_up
from medsegr.errors import InputError, UsageError

WHAT = ("list", "pull", "add", "verify", "path", "convert")


@grouped
def command(
    what: Annotated[str, argument(metavar="|".join(WHAT))],
    logs: LogFlags,
    name: Annotated[
        str | None, argument(help="Model or host, a folder of one, or a file to convert.")
    ] = None,
    like: Annotated[
        str | None,
        option("--as", help="What a file to convert holds: a host (sam-vit-b) or its family (sam2, sam-hq)."),
    ] = None,
    output: Annotated[Path | None, option("--output", "-o", help="Folder to write, of convert.")] = None,
    as_json: Json = False,
) -> int:
    """List models and hosts; pull a host's weights, add a folder of them, or convert a file of its authors;
    verify hashes; print where something lies.
    """
    set_up(logs)
    if what not in WHAT:
        raise UsageError(f"models: '{what[:40]}' is not known; expected {', '.join(WHAT)}")
    if what == "list" and name is not None:
        raise UsageError("models list takes no name; 'models verify NAME' looks at one")
    if what in ("pull", "add", "convert") and name is None:
        wanted = {"pull": "the name of a host", "add": "a folder", "convert": "a file"}[what]
        raise UsageError(f"models {what} needs {wanted}: medsegr models {what} NAME")
    if what == "convert" and (like is None or output is None):
        raise UsageError("models convert needs --as HOST and -o FOLDER")
    if what != "convert" and (like or output):
        raise UsageError(f"--as and --output belong to models convert, not to {what}")
    if what == "list":
        _list(as_json)
    elif what == "convert":
        _convert(Path(name or ""), like or "", output or Path())
    else:
        {"pull": _pull, "add": _add, "verify": _verify, "path": _path}[what](name)
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


def hosts() -> list[dict[str, Any]]:
    """All hosts with public weights and those that were added, as plain values; ``here`` says whether the
    weights are on this machine."""
    from medsegr import hub

    own = {found.name: found.sha256 for found in hub.here()}
    rows: list[dict[str, Any]] = [
        {
            "name": row.name,
            "repo": row.repo,
            "licence": row.licence,
            "licence_seen": row.seen,
            "gated": row.gated,
            "size": row.size,
            "here": row.name in own,
            "sha256": own.get(row.name),
        }
        for row in hub.table().values()
    ]
    added = sorted(set(own) - set(hub.table()))
    return rows + [{"name": name, "here": True, "sha256": own[name], "licence": "its own"} for name in added]


def _list(as_json: bool) -> None:
    found, stands = known(), hosts()
    if as_json:
        print(json.dumps({"schema": "medsegr.models/1", "models": found, "hosts": stands}, indent=1))
        return
    for item in found:
        about = item.get("summary") or f"{len(item['concepts'])} concepts, SHA-256 {str(item['sha256'])[:12]}"
        licence = item["licence"] or "unknown licence"
        print(f"{item['name']:28s} {item['kind']:11s} {licence:18s} {item.get('missing', about)}")
    for item in stands:
        about = f"here, SHA-256 {item['sha256'][:12]}" if item["here"] else "not here: models pull"
        gate = ", asks for a login" if item.get("gated") else ""
        print(f"{item['name']:28s} {'host':11s} {item['licence']:18s} {about}{gate}")


def _verify(name: str | None) -> None:
    from medsegr import hub, weights

    _check_kept(name)
    if name in {found.name for found in hub.here()}:
        print(f"{name}: SHA-256 {hub.verify(hub.find(str(name)))} as at the first pull")
        return
    if name in hub.table():
        hub.find(str(name))  # says how to bring it
    for one in (name,) if name else weights.names() or (weights.DEFAULT,):
        card = weights.verify(one)
        print(f"{card.get('name', one)}: SHA-256 {card['sha256']} as in its card")
    for found in hub.here() if not name else ():
        print(f"{found.name}: SHA-256 {hub.verify(found)} as at the first pull")


def _check_kept(name: str | None) -> None:
    if (name or "").startswith("tiny:"):
        raise UsageError(f"{str(name)[:40]} is made of random numbers each time: it has no file")


def _path(name: str | None) -> None:
    from medsegr import hub, weights

    _check_kept(name)
    if name in hub.table() or name in {found.name for found in hub.here()}:
        print(hub.find(str(name)).folder)
    else:
        print(weights.find(name or weights.DEFAULT)[0])


def _pull(name: str | None) -> None:
    from medsegr.hub import Entry
    from medsegr.hub.pull import pull

    def converted(file: Path, row: Entry, folder: Path) -> None:
        from medsegr.sam.hosts.layouts import convert

        convert(file, row.family, folder, row.width)

    found = pull(str(name), converted)
    print(f"{found.name}: SHA-256 {found.sha256}, in {found.folder}")


def _add(name: str | None) -> None:
    from medsegr import hub
    from medsegr.sam.hosts.opening import kind_of

    folder = Path(str(name))
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder.name}; a host's folder was expected")
    kind_of(folder)
    found = hub.find(str(folder))
    sha256 = hub.digest(found.weights)
    hub.remember(found, sha256)
    print(f"{found.name}: SHA-256 {sha256}, stays in {found.folder}")


def _convert(file: Path, like: str, output: Path) -> None:
    from medsegr import hub
    from medsegr.hub.pull import settled
    from medsegr.sam.hosts.layouts import LAYOUTS, convert

    if not file.is_file():
        raise InputError(f"there is no file {file.name}; a checkpoint of a host's authors was expected")
    if output.exists():
        raise InputError(f"{output.name} is there already; give --output a new folder")
    row = None if like in LAYOUTS else hub.entry(like)
    with settled(output) as folder:
        family, width = (row.family, row.width) if row else (like, 0)
        done = convert(file, family, folder, width, print)
        if row is not None and row.normal is not None:  # how its pictures are shown travels with it
            hub.write_json({"image_mean": row.mean, "image_std": row.std}, folder / hub.PROCESSOR)
    print(f"{output}: {done.taken} tensors taken over, none missing, {len(done.extra)} unknown")
