"""What keeps the house readable. Raising a number here takes a decision record
(docs/decisions/0008-budgets.md).
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "medsegr"
FILES = sorted(PACKAGE.rglob("*.py"))

MAX_FILE, MAX_FUNCTION, MAX_ARGUMENTS, MAX_DEPTH, MAX_TOUR, MAX_TOP = 400, 60, 6, 2, 2000, 30
TOUR = (
    "types.py",
    "report/parse.py",
    "reasoning/*.py",
    "sam/sam.py",
    "model.py",
    "predict.py",
    "pipeline.py",
)


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Arguments that a caller may give, keyword-only ones included; ``self`` and ``cls`` are not given."""
    given = function.args
    names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def test_the_package_is_where_it_is_looked_for() -> None:
    assert len(FILES) > 20


@pytest.mark.parametrize("path", FILES, ids=name)
def test_budget(path: Path) -> None:
    assert lines(path) <= MAX_FILE, (
        f"{name(path)} has {lines(path)} lines, at most {MAX_FILE}: split it by what it is about"
    )
    long = {
        f.name: f.end_lineno - f.lineno + 1
        for f in functions(path)
        if f.end_lineno - f.lineno >= MAX_FUNCTION
    }
    assert not long, f"functions of more than {MAX_FUNCTION} lines: {long}"
    wide = {f.name: arguments(f) for f in functions(path) if arguments(f) > MAX_ARGUMENTS}
    assert not wide, f"more than {MAX_ARGUMENTS} arguments is a missing type: {wide}"


def test_folders_are_two_deep_at_most() -> None:
    deep = [name(path) for path in FILES if len(path.relative_to(PACKAGE).parents) - 1 > MAX_DEPTH]
    assert not deep


def test_the_reading_tour_fits_an_hour() -> None:
    stops = [path for pattern in TOUR for path in sorted(PACKAGE.glob(pattern))]
    assert {pattern.split("/")[0] for pattern in TOUR} <= {name(path).split("/")[0] for path in stops}
    total = {name(path): lines(path) for path in stops}
    assert sum(total.values()) <= MAX_TOUR, (
        f"the tour has {sum(total.values())} lines, at most {MAX_TOUR}: {total}"
    )


def test_the_tour_page_lists_the_tour() -> None:
    page = (ROOT / "docs" / "start" / "tour.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\d+\. \[`([^`]+)`\]", page, re.MULTILINE)
    assert tuple(listed) == TOUR


def test_few_modules_stand_outside_of_the_rooms() -> None:
    top = [path.stem for path in PACKAGE.glob("*.py")]
    assert len(top) <= MAX_TOP, f"{len(top)} modules at the top of the package: put new ones into a room"


def test_the_tour_names_every_room_and_every_module_at_the_top() -> None:
    page = (ROOT / "docs" / "start" / "tour.md").read_text(encoding="utf-8")
    table = page[page.index("| room |") : page.index("`pyproject.toml`")]
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    top = {path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")}
    assert set(re.findall(r"`(\w+)`", table)) == rooms | top
