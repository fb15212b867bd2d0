"""The page's own checks: unit tests, types, and that no registry or foreign host is named anywhere."""

import json
import re
import subprocess

import pytest

from .browsing import STATIC, WEB, need_node


def test_the_pages_unit_tests_pass() -> None:
    need_node()
    done = subprocess.run(
        ["npm", "test", "--silent"], cwd=WEB, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_the_pages_types_fit() -> None:
    need_node()
    tsc = WEB / "node_modules" / ".bin" / "tsc"
    done = subprocess.run(
        [tsc, "--noEmit"], cwd=WEB, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout


def test_packages_are_exact_and_no_registry_is_named() -> None:
    told = json.loads((WEB / "package.json").read_text(encoding="utf-8"))
    versions = {**told["dependencies"], **told["devDependencies"]}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values()), versions
    lock = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))
    named = [name for name, about in lock["packages"].items() if "resolved" in about]
    assert named == []
    assert all("integrity" in about for name, about in lock["packages"].items() if name)


def test_the_built_page_asks_nobody_else_and_holds_nothing_inline() -> None:
    index = STATIC / "index.html"
    if not index.is_file():
        pytest.skip("the page was not built: run make viewer (needs nodejs and npm)")
    text = index.read_text(encoding="utf-8")
    assert "http" not in text
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text) == []
    styles = "".join(path.read_text(encoding="utf-8") for path in STATIC.glob("assets/*.css"))
    assert re.findall(r"url\((?!\.?/|data:)[^)]*\)", styles) == []
    assert "BSD-2-Clause" in (STATIC / "assets" / "licences.txt").read_text(encoding="utf-8")
