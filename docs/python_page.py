"""The page of the public Python names: signatures and docstrings, read off the source without running it, so
that every version of Python makes the same page.
"""

import ast
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src"
INTRO = """# Python

What programs may use. `import medsegr` costs nothing until a name is used. Arrays are NumPy's, lengths
millimetres, pixels counted from 0, points `x y`, boxes `x0 y0 x1 y1` with their upper edge exclusive.
Pieces that run: [`examples/`](../../examples/README.md), [the first run](../start/first-run.md), the
[how-tos](../how-to/README.md).
"""
GROUPS: Mapping[str, Sequence[str]] = {
    "Load and segment": (
        "medsegr.session.load",
        "medsegr.session.Model",
        "medsegr.options.Options",
        "medsegr.results.outcome.Outcome",
        "medsegr.types.Result",
        "medsegr.types.FindingResult",
        "medsegr.types.Check",
        "medsegr.types.Measurement",
        "medsegr.types.Progress",
    ),
    "Correct a mask": (
        "medsegr.prompts.session.Session",
        "medsegr.prompts.ask.Candidate",
        "medsegr.reviews.Review",
        "medsegr.reviews.Hints",
        "medsegr.sam_predictor.SamPredictor",
    ),
    "Images": (
        "medsegr.types.Image",
        "medsegr.types.Source",
        "medsegr.io.read.read_image",
        "medsegr.io.read.image_from_array",
    ),
    "Reports": (
        "medsegr.report.parse.parse",
        "medsegr.report.read.read_report",
        "medsegr.report.llm.Endpoint",
        "medsegr.findings.Report",
        "medsegr.findings.Finding",
        "medsegr.findings.Code",
        "medsegr.findings.Location",
        "medsegr.findings.Texture",
        "medsegr.findings.Shape",
        "medsegr.findings.Section",
    ),
    "Methods of your own": (
        "medsegr.types.Segmenter",
        "medsegr.types.Prompt",
        "medsegr.types.Segmentation",
        "medsegr.registry.Card",
    ),
    "A result folder, read back": ("medsegr.results.reopen.reopen", "medsegr.results.export.Run"),
    "A server from Python": ("medsegr.serve.client.Client",),
}
WORDS = (
    "medsegr.session.Input",
    "medsegr.findings.Frame",
    "medsegr.findings.Polarity",
    "medsegr.findings.Span",
    "medsegr.types.Status",
    "medsegr.pipeline.Follow",
    "medsegr.prompts.door.Rows",
)
SECTION = re.compile(r"(Args|Returns|Raises|Yields):\n?")
Named = ast.ClassDef | ast.FunctionDef


def page() -> str:
    """The whole page."""
    parts = [INTRO]
    for title, names in GROUPS.items():
        parts.append(f"\n## {title}\n")
        for name in names:
            parts += _entry(name)
    parts += [*_words(), *_errors()]
    return "".join(parts)


def _homes() -> Mapping[str, str]:
    """Public name -> the module that it lives in, of ``medsegr`` itself."""
    import medsegr

    return medsegr._HOMES


def _entry(full: str) -> Iterator[str]:
    module, _, name = full.rpartition(".")
    source = _source(module)
    node = next(n for n in ast.parse(source).body if isinstance(n, Named) and n.name == name)
    short = _homes().get(name) == module
    yield f"\n### {'medsegr.' + name if short else name}\n\n"
    if not short:
        yield f"`from {module} import {name}`\n\n"
    if isinstance(node, ast.FunctionDef):
        yield f"{_signature(name, node)}\n{_text(node)}"
        return
    yield from _class(node, source.splitlines())


def _source(module: str) -> str:
    return (SOURCE / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8")


def _words() -> Iterator[str]:
    yield "\n## Short names of types\n\n| name | in | is |\n|---|---|---|\n"
    for full in WORDS:
        module, _, name = full.rpartition(".")
        given = next(
            node.value
            for node in ast.parse(_source(module)).body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
        )
        told = ast.unparse(given).replace("|", "\\|")
        yield f"| `{name}` | `{module}` | `{told}` |\n"


def _class(node: ast.ClassDef, lines: Sequence[str]) -> Iterator[str]:
    methods = [n for n in node.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]
    maker = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    if maker is not None:
        yield _signature(node.name, maker) + "\n"
    yield _text(node)
    if maker is not None and ast.get_docstring(maker):
        yield "\n" + _text(maker)
    bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id != "Protocol"]
    if bases:
        yield f"\nHolds all that {' and '.join(f'`{base}`' for base in bases)} holds, and:\n"
    rows = [_field(item, lines) for item in node.body if isinstance(item, ast.AnnAssign)]
    rows += [
        f"- `{item.name}`: `{_told(item.returns)}`. {_flat(item)}\n" for item in methods if _is_property(item)
    ]
    yield "\n" if rows else ""
    yield from rows
    item = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__getitem__"), None)
    if item is not None:
        yield f"- `[{item.args.args[1].arg}]`: `{_told(item.returns)}`. {_flat(item)}\n"
    for method in methods:
        if not _is_property(method):
            yield f"\n#### {node.name}.{method.name}\n\n{_signature(method.name, method)}\n{_text(method)}"


def _is_property(node: ast.FunctionDef) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "property" for one in node.decorator_list)


def _field(item: ast.AnnAssign, lines: Sequence[str]) -> str:
    """``- `name`: `type` = `default`. comment`` of a dataclass's field."""
    comment = lines[(item.end_lineno or item.lineno) - 1].partition("  # ")[2].strip()
    default = "" if item.value is None else f" = `{_default(item.value)}`"
    return f"- `{ast.unparse(item.target)}`: `{_told(item.annotation)}`{default}" + (
        f". {_plain(comment)}\n" if comment and not comment.startswith("type:") else "\n"
    )


def _default(value: ast.expr) -> str:
    """What a field is without a value; a maker of fresh ones is shown as what it makes."""
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "field":
        told = {one.arg: ast.unparse(one.value) for one in value.keywords}
        return told["default"] if "default" in told else f"{told['default_factory']}()"
    return ast.unparse(value)


def _told(annotation: ast.expr | None) -> str:
    if annotation is None:
        return "None"
    return ast.unparse(annotation).strip("'").replace(", ' ", ", '")  # the space is for linters' eyes


def _signature(name: str, node: ast.FunctionDef) -> str:
    """The call as code, one argument a line where it is long."""
    args = node.args
    if args.args and args.args[0].arg in ("self", "cls"):
        args.args = args.args[1:]
    for one in (*args.posonlyargs, *args.args, *args.kwonlyargs):
        if isinstance(one.annotation, ast.Constant):  # written as text, since it would be imported
            one.annotation = ast.parse(str(one.annotation.value), mode="eval").body
    told = ", ".join(re.sub(r"^(\w+: [^=]+)=", r"\1 = ", part) for part in _split(ast.unparse(args)))
    given = "" if name[:1].isupper() else f" -> {_told(node.returns)}"
    line = f"{name}({told}){given}"
    if len(line) > 100:
        line = f"{name}(\n" + "".join(f"    {part},\n" for part in _split(told)) + f"){given}"
    return f"```py\n{line}\n```\n"


def _split(told: str) -> Iterator[str]:
    """Arguments at the commas that lie in no bracket."""
    depth, start = 0, 0
    for at, sign in enumerate(told):
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and not depth:
            yield told[start:at].strip()
            start = at + 1
    yield told[start:].strip()


def _plain(text: str) -> str:
    """Docstring markup as that of the page."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    return " ".join(text.replace("``", "`").split())


def _flat(node: Named) -> str:
    return _plain((ast.get_docstring(node) or "").partition("\n\n")[0])


def _text(node: Named) -> str:
    """The docstring: paragraphs, and what arguments and errors mean as a list."""
    shown = []
    for part in (ast.get_docstring(node) or "").split("\n\n"):
        title = SECTION.match(part)
        if title is None:
            shown.append(_plain(part) + "\n")
        else:
            shown.append(f"{title[1]}:\n\n" + "".join(_items(inspect.cleandoc(part[title.end() :]))))
    return "\n".join(shown)


def _items(text: str) -> Iterator[str]:
    """``name: meaning`` a line, lines that go on included, as a list; other text as it is."""
    if not re.match(r"\w+: ", text):
        yield _plain(text) + "\n"
        return
    for item in re.split(r"\n(?=\w+: )", text):
        name, _, meaning = item.partition(": ")
        yield f"- `{name}`: {_plain(meaning)}\n"


def _errors() -> Iterator[str]:
    from medsegr import errors

    yield "\n## Errors\n\nAll in `medsegr.errors`. "
    yield "A message says what came, what was expected and what to do.\n\n"
    yield "| error | is a | exit code | meaning |\n|---|---|---|---|\n"
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, Exception):
            told = _plain((kind.__doc__ or "").partition("\n\n")[0])
            yield f"| `{name}` | `{kind.__bases__[0].__name__}` | {kind.exit_code} | {told} |\n"
