"""The page as a person uses it, in a headless Chromium before a real server with the embedded checkpoint.

The steps are in web/tests/browser/whole.mjs; each is a test here. Places have a file of their own,
which runs by default. MEDSEGR_SHOTS names a folder for pictures.
"""

import socket
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from medsegr.phantom.write import case_of

from .browsing import Server, need_browser, run, shots

# Minutes on two busy cores, and what waits for a model there may run out of time: not in the default run.
pytestmark = pytest.mark.slow

REPORT = """CHEST RADIOGRAPH

FINDINGS: There is a hazy left middle zone opacity with poorly defined borders. A homogeneous right upper zone
pulmonary nodule measuring 36 x 35 mm is seen. No pneumothorax. Possible small pleural effusion.

IMPRESSION: Right upper zone nodule.
"""
FIRST = (
    *("drop", "said and unsaid", "hover and mask", "mask and phrase", "modes", "window and zoom"),
    *("measurements", "download", "accessible, light", "accessible, dark", "tablet", "keys only"),
    *("an error", "cancel", "no fault"),
)
HAND = ("click", "other answers", "brush", "accept and save", "a phrase that is shown", "no fault")

VOLUME = ("a volume", "brush and eraser", "no fault")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    need_browser()
    pytest.importorskip("uvicorn", reason="the package uvicorn is not here (extra serve)")
    made = Server(tmp_path_factory.mktemp("data") / "serve")
    made.start()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def first(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """How each step of the first visit ended."""
    from PIL import Image as Picture

    folder = tmp_path_factory.mktemp("given")
    image, report = folder / "chest.png", folder / "chest.txt"
    Picture.fromarray(case_of("chest", 7, 0, 512).image).save(image)
    report.write_text(REPORT, encoding="utf-8")
    about = {"base": server.base, "image": str(image), "report": str(report), "part": "first"}
    return {line["step"]: line for line in run("whole.mjs", {**about, "shots": shots()})}


@pytest.fixture(scope="module")
def hand(server: Server, first: dict[str, Any]) -> dict[str, Any]:
    """How each correction by hand ended."""
    with urllib.request.urlopen(f"{server.base}/openapi.json", timeout=5) as answer:
        if b"/v1/sessions" not in answer.read():
            pytest.skip("this server has no sessions")
    about = {"base": server.base, "part": "hand", "hash": first["hash"]["hash"], "shots": shots()}
    return {line["step"]: line for line in run("whole.mjs", about)}


@pytest.mark.parametrize("step", FIRST)
def test_a_first_visit(first: dict[str, Any], step: str) -> None:
    assert first[step]["ok"], first[step]["error"]


@pytest.mark.parametrize("step", HAND)
def test_corrections_by_hand(hand: dict[str, Any], step: str) -> None:
    assert hand[step]["ok"], hand[step]["error"]


@pytest.fixture(scope="module")
def volume(server: Server, hand: dict[str, Any]) -> dict[str, Any]:
    """How each correction of a volume ended. ``hand``: one browser at a time, and the model is there."""
    about = {"base": server.base, "part": "volume", "hash": "", "shots": shots()}
    return {line["step"]: line for line in run("whole.mjs", about)}


@pytest.mark.parametrize("step", VOLUME)
def test_a_volume_by_hand(volume: dict[str, Any], step: str) -> None:
    assert volume[step]["ok"], volume[step]["error"]


def test_a_case_outlives_the_server(server: Server, first: dict[str, Any]) -> None:
    server.kill()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", server.port)) != 0
    server.start()
    about = {"base": server.base, "part": "again", "hash": first["hash"]["hash"]}
    (line,) = run("whole.mjs", about)
    assert line["ok"], line["error"]
