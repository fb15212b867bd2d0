"""What must not be written into the repository, and what every folder must say."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "medsegr"
IGNORED = {
    ".git",
    ".venv",
    "demo",
    "dist",
    "build",
    "runs",
    "node_modules",
    "__pycache__",
    "shared",
    "static",
}
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".cff",
    ".json",
    ".jsonl",
    ".csv",
    ".yml",
    ".yaml",
    ".js",
    ".ts",
    ".css",
    ".html",
    "",
}

# Written in halves, so that this file does not accuse itself.
HOMES = (
    r"(?<![\w.~<$-])/(?:" + "|".join(["ro" + "ot", "wo" + "rk", r"ho" + r"me/\w+", r"Us" + r"ers/\w+"]) + ")/"
)
REGISTRIES = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "download.py" + "torch.org",
    "registry.npm" + "js.org",
]
INDEXES = ["--index" + "-url", "--extra-index" + "-url", "--find" + "-links"]


def files() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts[:-1])
        if path.is_file() and not hidden and not IGNORED & set(parts) and path.suffix in TEXT:
            yield path


def comments(path: Path) -> list[str]:
    source = path.read_text(encoding="utf-8")
    return [
        t.string for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type == tokenize.COMMENT
    ]


@pytest.mark.parametrize("path", list(files()), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_place_of_one_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.findall(HOMES, text), "an absolute path of one machine"
    assert not [word for word in REGISTRIES + INDEXES if word in text], (
        "where packages come from is the machine's affair"
    )


@pytest.mark.parametrize(
    "path",
    [path for path in files() if path.suffix == ".py"],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_exceptions_to_the_checkers_name_their_rule(path: Path) -> None:
    bare = re.compile(
        r"#\s*(type:\s*ignore(?!\[)|noqa(?!:\s*[A-Z]+\d+)|ruff:\s*noqa(?!:\s*[A-Z]+\d+)|mypy:\s*ignore-errors)"
    )
    assert not [comment for comment in comments(path) if bare.search(comment)]


def test_the_bare_pattern_catches_what_it_is_for(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(
        "a = 1  # type" + ": ignore\nb = 2  # no" + "qa\nc = 3  # noqa: E501\n", encoding="utf-8"
    )
    with pytest.raises(AssertionError):
        test_exceptions_to_the_checkers_name_their_rule(tmp_path / "x.py")


def test_every_folder_of_the_package_says_what_it_is() -> None:
    below = [folder for folder in PACKAGE.rglob("*") if folder.is_dir()]
    ours = [f for f in below if not any(x in IGNORED or x[0] == "." for x in f.relative_to(PACKAGE).parts)]
    silent = []
    for folder in (PACKAGE, *ours):
        init = folder / "__init__.py"
        words = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))) if init.is_file() else None
        if not words and not (folder / "README.md").is_file():
            silent.append(folder.relative_to(ROOT).as_posix())
    assert not silent, f"no docstring in __init__.py and no README.md: {sorted(silent)}"


SHELVES = ["docs/start", "docs/how-to", "docs/explain", "docs/reference", "docs/decisions"]


@pytest.mark.parametrize("folder", ["configs", "docs", "tests", "examples", *SHELVES])
def test_the_other_folders_say_it_too(folder: str) -> None:
    assert len((ROOT / folder / "README.md").read_text(encoding="utf-8")) > 100


def test_constraints_are_exact_and_without_addresses() -> None:
    rows = [
        row
        for row in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if row[:1] not in ("#", "")
    ]
    assert rows
    assert not [row for row in rows if not re.fullmatch(r"[a-z0-9.-]+==[0-9][0-9a-z.]*", row)]


def test_the_changelog_says_when_masks_change() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for heading in ("Added", "Changed", "Fixed", "Removed", "Masks change"):
        assert f"### {heading}" in text
