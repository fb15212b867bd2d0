"""What a person did is not lost unasked, and small windows hold the page: a headless Chromium, a real server.

The steps are in web/tests/browser/kept.mjs; each is a test here. The model is the stand-in. Minutes on two
cores: not in the default run.
"""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from .browsing import serving, shots, step, walked

pytestmark = pytest.mark.slow
STEPS = (
    "reload",
    "a look elsewhere",
    "doubts stay",
    "saved is no longer unsaved",
    "small windows",
    "delete asks once more",
    "no fault",
)
SAID = "Nodule in the right lung. Quibble frobnication of the dorsal umbrage noted."


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    values = np.full((96, 120), 40, np.uint8)
    values[30:60, 20:50] = 220
    out = io.BytesIO()
    Picture.fromarray(values).save(out, format="PNG")
    with serving(tmp_path_factory.mktemp("kept") / "serve", "--model", "threshold") as server:
        case = server.drawn("chest.png", out.getvalue(), {"report": SAID}, modality="CR")
        return walked("kept.mjs", {"base": server.base, "hash": case, "shots": shots()})


@pytest.mark.parametrize("name", STEPS)
def test_nothing_is_lost_unasked(walk: dict[str, Any], name: str) -> None:
    step(walk, name)
