"""Corrections by hand in the page, of a picture and of a volume, in a headless Chromium before a real server.

The steps are in web/tests/browser/whole.mjs; each is a test here. Minutes on two cores, most of them for
drawing WebGL in software: not in the default run. MEDSEGR_SHOTS names a folder for pictures.
"""

import gzip
import io
from collections.abc import Iterator
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Picture

from medsegr.phantom.write import case_of

from .browsing import REPORT, Server, serving, shots, step, walked

pytestmark = pytest.mark.slow
HAND = ("other answers", "brush", "accept and save", "a phrase that is shown", "no fault")
LARGE = ("a large volume", "no fault")
VOLUME = ("a volume", "a click in a volume", "brush and eraser", "no fault")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("data") / "serve") as made:
        yield made


@pytest.fixture(scope="module")
def case(server: Server) -> str:
    """The address of a made chest X-ray that is drawn."""
    out = io.BytesIO()
    Picture.fromarray(case_of("chest", 7, 0, 512).image).save(out, format="PNG")
    return server.drawn("chest.png", out.getvalue(), {"report": REPORT}, modality="CR")


@pytest.fixture(scope="module")
def hand(server: Server, case: str) -> dict[str, Any]:
    return walked("whole.mjs", {"base": server.base, "part": "hand", "hash": case, "shots": shots()})


@pytest.fixture(scope="module")
def volume(server: Server) -> dict[str, Any]:
    return walked("whole.mjs", {"base": server.base, "part": "volume", "hash": "", "shots": shots()})


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """How a volume goes that NiiVue would draw for minutes here; its mask is that of the stand-in model."""
    body = np.zeros((160, 160, 100), np.int16)
    body[20:140, 30:130, 10:90] = 200
    file = nib.Nifti1Image(body, np.diag([-1.0, -1.0, 2.0, 1.0]))
    with serving(tmp_path_factory.mktemp("large") / "serve", "--model", "threshold") as server:
        data = gzip.compress(file.to_bytes(), 1)
        case = server.drawn("a.nii.gz", data, {"phrases": ["liver"]}, modality="CT")
        yield walked("whole.mjs", {"base": server.base, "part": "large", "hash": case, "shots": shots()})


@pytest.mark.parametrize("name", LARGE)
def test_a_large_volume(large: dict[str, Any], name: str) -> None:
    step(large, name)


@pytest.mark.parametrize("name", HAND)
def test_corrections_by_hand(hand: dict[str, Any], name: str) -> None:
    step(hand, name)


@pytest.mark.parametrize("name", VOLUME)
def test_a_volume_by_hand(volume: dict[str, Any], name: str) -> None:
    step(volume, name)
