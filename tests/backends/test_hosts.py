"""Networks on foreign hosts as graphs: the same masks as torch draws, at sizes that were not traced."""

from collections.abc import Iterator, Mapping

import numpy as np
import pytest

pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")
from medsegr import conversion
from medsegr.backends import folder
from medsegr.backends.quantise import onnx_files, openvino_files
from medsegr.backends.runtimes import Place, backend_of
from medsegr.backends.stages import traced
from medsegr.errors import UsageError
from medsegr.networks import hosted, untrained
from medsegr.predict import Predictor
from medsegr.reasoning.codes import vocabulary
from medsegr.types import Finding, Image, Prompt
from small_networks import unchecked

WORDS = vocabulary(["polyp"], [], ["ES"])
CARD = {"name": "x", "sha256": "ab" * 32, "licence": "none", "base": 64, "presence_threshold": 0.0}
POLYP = Finding("f1", "polyp", (0, 5), "polyp")
WRITE = {"onnx": onnx_files, "openvino": openvino_files}


@pytest.fixture(autouse=True, scope="module")
def loose() -> Iterator[None]:
    with unchecked():
        yield


def on(host: str, lora: int) -> Predictor:
    model = untrained(lambda words: hosted(words, f"tiny:{host}", prior=32, heads="LT", lora=lora), WORDS)
    return Predictor(model, WORDS, {**CARD, "concepts": {"polyp": {"trained_on": ["nothing"]}}})


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Predictor, Mapping[str, Predictor]]:
    """A predictor on torch, and the same on other runtimes."""
    plain = on("sam2", 0)
    stages = traced(plain.model)
    others = {}
    for kind, files in WRITE.items():
        place = tmp_path_factory.mktemp(kind) / "graphs"
        graphs = folder.write(files(stages, None), place, (kind, "fp32"), {"model": CARD})
        others[kind] = Predictor(backend_of(graphs, Place(1, place.parent)), WORDS, plain.card)
    return plain, others


@pytest.mark.parametrize("kind", list(WRITE))
@pytest.mark.parametrize("told", ["words", "clicks", "box", "mask"])
def test_masks_are_those_of_torch(
    both: tuple[Predictor, Mapping[str, Predictor]], kind: str, told: str
) -> None:
    plain, others = both
    for grid in ((64, 64), (70, 120)):
        made = np.random.default_rng(grid[1])
        image = Image(made.uniform(0, 255, (3, *grid)).astype(np.float32))
        points = np.array([[[20.0, 30.0, 1.0], [40.0, 10.0, 0.0], [-1.0, -1.0, -1.0]]])
        mask = made.uniform(0.02, 0.98, (1, *grid)).astype(np.float32)
        more = {
            "clicks": {"points": points, "mask": mask},
            "box": {"boxes": np.array([[10.0, 12.0, 50.0, 40.0]])},
            "mask": {"mask": mask},
        }
        prompt = Prompt(("polyp",), (POLYP,), **more.get(told, {}))
        one, two = (by.segment(image, prompt) for by in (plain, others[kind]))
        drawn, again = (np.asarray(said.prob) > float(np.median(one.prob)) for said in (one, two))
        assert 2 * (drawn & again).sum() / (drawn.sum() + again.sum()) >= 0.995
        assert np.allclose(one.prob, two.prob, atol=1e-4)
        assert np.allclose(one.extras["presence"], two.extras["presence"], atol=1e-4)


def test_int8_is_refused_with_the_reason() -> None:
    with pytest.raises(UsageError, match="on foreign hosts are exported in fp32 only"):
        conversion.calibration(on("sam2", 0), [])
