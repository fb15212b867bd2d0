"""The page of the HTTP interface, out of the OpenAPI document that the server gives."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medsegr.serve.app import create_app
from medsegr.serve.auth import needed
from medsegr.serve.refusal import CODES
from medsegr.serve.settings import Settings
from medsegr.serve.wire import ANYWHERE

INTRO = """# HTTP interface

What a server ([how to](../how-to/serve.md)) answers. The same as a document for programs:
`GET /openapi.json`.

Keys go in `Authorization: Bearer KEY`; the role that a route needs stands beside it, and each role may do
what those before it may (`read`, `write`, `admin`). Without a key file, on loopback, nobody is asked.
Deleting, cancelling and refining what another key made needs `admin`.

Times are ISO 8601 in UTC. Points are `x y`, boxes `x0 y0 x1 y1` with their upper edge exclusive, in pixels
of the picture (or slice) as stored, counted from 0 at the centre of the first pixel. Layers are gzipped
NIfTI on the image's own grid; of a picture voxel `[x, y, 0]` is its pixel `x y`.
"""
ERRORS = """
## Errors

`{"error": {"code": "...", "message": "one line"}}`. Codes are stable, messages are for people;
`details` is there where a program needs more to go on (`series_needed`). Those marked
*any* can end every request, and are not repeated above. After a 429 or 503, `Retry-After` says in how many
seconds to come again.

| code | status | meaning |
|---|---|---|
"""
METHODS = ("get", "post", "delete", "put", "patch")


def document() -> dict[str, Any]:
    """The OpenAPI document of a server as it starts without flags."""
    with tempfile.TemporaryDirectory() as place:
        app = create_app(Settings(data_dir=Path(place)))
        told = app.openapi()
        app.state.service.crew.close()  # it holds the folder's lock
        app.state.service.store.close()
    return told


def page() -> str:
    """The whole page."""
    told = document()
    rows = {code: f"| `{code}` | {status} | {_cell(meaning)}" for code, (status, meaning) in CODES.items()}
    errors = "".join(f"{row}{' *(any)*' if code in ANYWHERE else ''} |\n" for code, row in rows.items())
    return INTRO + "".join(_routes(told)) + "".join(_shapes(told)) + ERRORS + errors


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|").replace("``", "`")


def _routes(told: dict[str, Any]) -> Iterator[str]:
    tags: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in told["paths"].items():
        for method in METHODS:
            if method in methods:
                route = methods[method]
                tags.setdefault((route.get("tags") or ["other"])[0], []).append((method.upper(), path, route))
    for tag, routes in tags.items():
        yield f"\n## {tag.capitalize()}\n"
        for method, path, route in routes:
            yield _route(method, path, route)


def _route(method: str, path: str, route: dict[str, Any]) -> str:
    lines = [f"\n### {method} {path}\n\n{_cell(route.get('description', route.get('summary', '')))}\n"]
    role = needed(method, path)
    parts = [f"Role: {'none, it is open' if role is None else f'`{role}`'}."]
    body = route.get("requestBody", {}).get("content", {})
    for kind, about in body.items():
        parts.append(
            f"Body: {_type(about['schema'])}" + (f" as `{kind}`." if kind != "application/json" else ".")
        )
    for status, about in route["responses"].items():
        if int(status) < 400:
            kinds = about.get("content", {})
            shapes = [
                _type(one.get("schema", {})) if kind == "application/json" else f"`{kind}`"
                for kind, one in kinds.items()
            ]
            parts.append(f"Answer: {status}{', ' if shapes else ''}{' or '.join(shapes)}.")
    lines.append("\n" + " ".join(parts) + "\n")
    own = sorted(
        code
        for status, about in route["responses"].items()
        for code in CODES
        if int(status) >= 400 and f"`{code}`" in about.get("description", "") and code not in ANYWHERE
    )
    if own:
        lines.append(f"\nErrors: {', '.join(f'`{code}`' for code in own)}.\n")
    rows = [
        f"| `{one['name']}` | {one['in']} | {_type(one['schema'])} | {_cell(one.get('description', ''))} |\n"
        for one in route.get("parameters", ())
        if one["in"] != "path"
    ]
    if rows:
        lines.append("\n| parameter | in | type | meaning |\n|---|---|---|---|\n" + "".join(rows))
    return "".join(lines)


def _shapes(told: dict[str, Any]) -> Iterator[str]:
    yield "\n## Shapes\n"
    for name, shape in sorted(told["components"]["schemas"].items()):
        if "properties" not in shape or name in ("HTTPValidationError", "ValidationError"):
            continue
        yield f"\n### {name}\n\n{_cell(shape.get('description', ''))}\n\n"
        yield "| field | type | meaning |\n|---|---|---|\n"
        needs = shape.get("required", ())
        for field, about in shape["properties"].items():
            default = about.get("default")
            told_default = "" if field in needs or default is None else f" Default `{_cell(default)}`."
            meaning = _cell(about.get("description", "")) + told_default
            name_of_it = f"`{field}`{'' if field in needs else ' (may be left out)'}"
            yield f"| {name_of_it} | {_type(about)} | {meaning.strip()} |\n"


WORDS = {"null": "null", "integer": "whole number", "string": "text", "boolean": "true or false"}


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_type, schema["anyOf"])))
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{_cell(value)}`" for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "anything")
    if kind == "object" and "properties" in schema:
        return ", ".join(f"`{name}` ({_type(one)})" for name, one in schema["properties"].items())
    if "prefixItems" in schema:
        return f"[{', '.join(map(_type, schema['prefixItems']))}]"
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return "file" if schema.get("format") == "binary" else WORDS.get(kind, str(kind))
