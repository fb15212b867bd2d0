"""The page as a person uses it, in a headless Chromium before a real server with the embedded checkpoint.

The steps are in web/tests/browser/whole.mjs; each is a test here. Places, a PACS and more of what a hand can
do have files of their own. MEDSEGR_SHOTS names a folder for pictures.
"""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medsegr.phantom.write import case_of

from .browsing import REPORT, Server, serving, shots, step, walked

FIRST = (
    *("drop", "said and unsaid", "hover and mask", "mask and phrase", "modes", "window and zoom"),
    *("measurements", "download", "accessible, light", "accessible, dark", "tablet", "keys only"),
    *("an error", "cancel", "recent cases", "no fault"),
)
CLICK = ("click", "no fault")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("data") / "serve") as made:
        yield made


def dropped(folder: Path) -> dict[str, str]:
    """A made chest X-ray and its report as files."""
    from PIL import Image as Picture

    image, report = folder / "chest.png", folder / "chest.txt"
    Picture.fromarray(case_of("chest", 7, 0, 512).image).save(image)
    report.write_text(REPORT, encoding="utf-8")
    return {"image": str(image), "report": str(report)}


@pytest.fixture(scope="module")
def first(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """How each step of the first visit ended."""
    server.ready()
    about = {"base": server.base, "part": "first", "workers": server.workers, "shots": shots()}
    return walked("whole.mjs", {**about, **dropped(tmp_path_factory.mktemp("given"))})


@pytest.fixture(scope="module")
def clicked(server: Server, first: dict[str, Any]) -> dict[str, Any]:
    """How a correction by a click ended."""
    about = {"base": server.base, "part": "click", "hash": first["hash"]["hash"], "shots": shots()}
    return walked("whole.mjs", about)


@pytest.mark.parametrize("name", FIRST)
def test_a_first_visit(first: dict[str, Any], name: str) -> None:
    step(first, name)


@pytest.mark.parametrize("name", CLICK)
def test_a_click(clicked: dict[str, Any], name: str) -> None:
    step(clicked, name)


def test_a_case_outlives_the_server(server: Server, first: dict[str, Any], clicked: dict[str, Any]) -> None:
    server.kill()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", server.port)) != 0
    server.start()
    about = {"base": server.base, "part": "again", "hash": first["hash"]["hash"]}
    step(walked("whole.mjs", about), "after a restart")
