"""Which codes the source can give: read off its syntax tree, so that one nobody listed is found."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

CODE = re.compile(r"[a-z]+(_[a-z]+)*")
Known = Mapping[str, list[ast.expr]]
DEEP = 3  # names that stand for names


def warnings_in(source: str) -> set[str]:
    """Codes of all pairs ``(code, message)``: a word, and a text that has words or is put together. Names
    are looked up in the whole file, whatever stands for them."""
    tree = ast.parse(source)
    known = _named(tree)
    return {
        code
        for node in ast.walk(tree)
        if isinstance(node, ast.Tuple) and len(node.elts) == 2 and _is_message(node.elts[1], known)
        for code in texts(node.elts[0], known)
        if CODE.fullmatch(code)
    }


def arguments_in(source: str, call: str, place: int, name: str) -> set[str]:
    """Texts that stand at ``place``, or as ``name``, in the calls of ``call`` and of ``replace``."""
    tree = ast.parse(source)
    known = _named(tree)
    found: set[str] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id == call and len(node.args) > place:
            found |= texts(node.args[place], known)
        if node.func.id in (call, "replace"):
            for keyword in node.keywords:
                found |= texts(keyword.value, known) if keyword.arg == name else set()
    return found


def _named(tree: ast.AST) -> Known:
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        for target in node.targets if isinstance(node, ast.Assign) else ():
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            for name, value in pairs:
                if isinstance(name, ast.Name):
                    found.setdefault(name.id, []).append(value)
    return found


def texts(node: ast.expr, known: Known, deep: int = DEEP) -> set[str]:
    """All texts that an expression may be."""
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) else set()
    if isinstance(node, ast.IfExp):
        return texts(node.body, known, deep) | texts(node.orelse, known, deep)
    found: set[str] = set()
    if isinstance(node, ast.Name) and deep:
        for value in known.get(node.id, ()):
            found |= texts(value, known, deep - 1)
    return found


def _is_message(node: ast.expr, known: Known, deep: int = DEEP) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and " " in node.value
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in ("str", "one_line")
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add) and _is_message(node.left, known, deep)
    if isinstance(node, ast.IfExp):
        return _is_message(node.body, known, deep)
    if isinstance(node, ast.Name) and deep:
        return any(_is_message(value, known, deep - 1) for value in known.get(node.id, ()))
    return isinstance(node, ast.JoinedStr)


def sources(*left_out: str) -> Iterator[tuple[str, str]]:
    """Path below ``src/medsegr`` and text of every module, but those of the folders ``left_out``."""
    root = Path(__file__).resolve().parents[1] / "src" / "medsegr"
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if not name.startswith(left_out):
            yield name, path.read_text(encoding="utf-8")
