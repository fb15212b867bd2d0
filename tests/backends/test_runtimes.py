"""Graphs say what torch says: every stage, any batch, any size, with and without clicks; and compiled models
are kept, or not, without a difference."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medsegr.backends import folder, runtimes, store
from medsegr.backends.backend import Backend, Clicked, rows_of
from medsegr.backends.folder import Graphs
from medsegr.backends.network import of_network
from medsegr.backends.quantise import Recorder, onnx_files, openvino_files
from medsegr.backends.runtimes import Place, backend_of
from medsegr.backends.stages import MixedTexture, PlainPlaces, traced
from medsegr.errors import UsageError, WeightsError
from medsegr.networks import Wordless
from medsegr.predict import Predictor
from medsegr.reasoning.attributes import encode_words
from medsegr.reasoning.codes import Code, Coded, coded
from medsegr.reasoning.modulators import LocationHead, TextureHead
from medsegr.sam.prompt_encoder import FourierPosition
from medsegr.types import Finding, Image, Prompt
from small_networks import small_predictor, small_traced

BACKENDS = ("onnx", "openvino")
ABOUT = {"model": {"name": "small", "sha256": "0" * 64}}


pytestmark = pytest.mark.usefixtures("heard")


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return small_traced()[0]


@pytest.fixture(scope="module")
def exported(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Graphs]:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    _, stages = small_traced()
    root = tmp_path_factory.mktemp("graphs")
    files = {"onnx": onnx_files(stages), "openvino": openvino_files(stages)}
    return {name: folder.write(made, root / name, (name, "fp32"), ABOUT) for name, made in files.items()}


@pytest.fixture(scope="module", params=BACKENDS)
def other(request: pytest.FixtureRequest, exported: dict[str, Graphs]) -> Backend:
    return backend_of(exported[request.param], Place(threads=1))


def test_a_mixture_of_kernels_is_a_mixture_of_filtered_maps() -> None:
    head = TextureHead(8, 16).eval()
    torch.nn.init.normal_(head.film.weight)
    head.tau.fill_(3.0)
    u, prior = torch.randn(3, 8, 9, 7), torch.randn(3, 16)
    with torch.no_grad():
        assert torch.allclose(MixedTexture(head)(u, prior), head(u, prior), atol=1e-5)


def test_only_networks_with_prior_tokens_are_exported() -> None:
    with pytest.raises(UsageError, match="only medsegr's own networks can be exported, not Wordless"):
        traced(Wordless(torch.nn.Identity()))


@pytest.mark.parametrize(("rows", "size"), [(1, (64, 64)), (3, (96, 160))])
def test_every_stage_says_what_torch_says(
    other: Backend, predictor: Predictor, rows: int, size: tuple[int, int]
) -> None:
    one = predictor.backend
    rng = np.random.default_rng(0)
    pixels = rng.standard_normal((rows, 3, *size), np.float32)
    full = [Code("concept:liver"), Code("side:left"), Code("extent:", 0.3)]
    codes = coded([full[: k % 4] for k in range(rows)], predictor.words)
    maps, heard = one.shared(torch.from_numpy(pixels)), one.hear(codes)
    others = other.shared(pixels)
    for mine, theirs in zip(maps, others, strict=True):
        assert np.allclose(mine, theirs, atol=1e-4)
    assert np.allclose(heard, other.hear(codes), atol=1e-4)
    for clicks in clicked(rows, size):
        said, again = one.decode(maps, heard, clicks), other.decode(others, other.hear(codes), clicks)
        for name in ("logits", "presence", "quality", "attention", "codes"):
            assert np.allclose(getattr(said, name), getattr(again, name), atol=1e-3), name


def clicked(rows: int, size: tuple[int, int]) -> Iterator[Clicked]:
    rng = np.random.default_rng(1)
    yield Clicked()
    points, kinds = rng.random((rows, 2, 2), np.float32), np.ones((rows, 2), np.float32)
    mask = rng.standard_normal((rows, 1, *size), np.float32)
    yield Clicked(points, kinds)
    yield Clicked(mask=mask)
    yield Clicked(points, kinds, mask)
    yield Clicked(points, kinds, mask, np.arange(rows) % 2 == 0)


@pytest.mark.parametrize("grid", [(50, 70), (20, 24, 24)])
def test_masks_are_the_same(other: Backend, predictor: Predictor, grid: tuple[int, ...]) -> None:
    image = Image(np.random.default_rng(0).uniform(0, 255, (1, *grid)).astype(np.float32), modality="CT")
    findings = tuple(Finding(name, "", (0, 0), name) for name in ("liver", "heart"))
    prompt = Prompt(("liver", "heart"), findings)
    foreign = Predictor(other, predictor.words, predictor.card)
    here, there = predictor.segment(image, prompt), foreign.segment(image, prompt)
    assert np.allclose(here.prob, there.prob, atol=1e-4)
    assert np.allclose(here.extras["presence"], there.extras["presence"], atol=1e-4)
    assert foreign.propose(image) == predictor.propose(image)


WITHOUT_TORCH = """
import json, sys
sys.modules["torch"] = None  # importing it fails
from pathlib import Path
import numpy as np
import medsegr.cli.segment, medsegr.conversion, medsegr.pipeline, medsegr.session
from medsegr.backends import folder
from medsegr.backends.runtimes import Place, backend_of
from medsegr.predict import Predictor
from medsegr.reasoning.codes import Vocabulary
from medsegr.types import Finding, Image, Prompt
graphs, given, out, codes, card = sys.argv[1:]
backend = backend_of(folder.read(Path(graphs), "0" * 64), Place(1))
said = Predictor(backend, Vocabulary(tuple(json.loads(codes))), json.loads(card)).segment(
    Image(np.load(given), modality="CT"), Prompt(("liver",), (Finding("f1", "", (0, 0), "liver"),))
)
np.save(out, said.prob)
"""


@pytest.mark.parametrize("name", BACKENDS)
def test_nothing_of_torch_is_needed(
    exported: dict[str, Graphs], predictor: Predictor, tmp_path: Path, name: str
) -> None:
    picture = np.random.default_rng(0).uniform(0, 255, (1, 50, 70)).astype(np.float32)
    np.save(tmp_path / "in.npy", picture)
    told = (json.dumps(predictor.words.codes), json.dumps(dict(predictor.card)))
    files = (exported[name].folder, tmp_path / "in.npy", tmp_path / "out.npy")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *map(str, files), *told],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    here = predictor.segment(
        Image(picture, modality="CT"), Prompt(("liver",), (Finding("f1", "", (0, 0), "liver"),))
    )
    assert np.allclose(np.load(tmp_path / "out.npy"), here.prob, atol=1e-4)


def test_fourier_positions_are_products_of_small_matrices() -> None:
    position = FourierPosition(16)
    head = LocationHead(8, 12, 16).eval()
    u, prior = torch.randn(3, 8, 9, 7), torch.randn(3, 12)
    pe = position.grid(9, 7)
    with torch.no_grad():
        for mine, theirs in zip(PlainPlaces(head, position)(u, prior, pe), head(u, prior, pe), strict=True):
            assert torch.allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize("name", BACKENDS)
def test_compiled_models_are_kept_and_change_nothing(
    exported: dict[str, Graphs], predictor: Predictor, tmp_path: Path, name: str
) -> None:
    words = coded([[Code("concept:liver")]], predictor.words)
    said = [backend_of(exported[name], Place(1, cache)).hear(words) for cache in (None, tmp_path, tmp_path)]
    assert np.array_equal(said[0], said[1])
    assert np.array_equal(said[0], said[2])
    assert store.size_of(tmp_path) > 0


@pytest.mark.parametrize("name", BACKENDS)
def test_a_cache_that_cannot_be_written_is_a_warning(
    exported: dict[str, Graphs], tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    words = coded([[]], small_predictor().words)
    with caplog.at_level(logging.WARNING, "medsegr"):
        backend_of(exported[name], Place(1, tmp_path / "cache")).hear(words)
    assert [record.getMessage()[:22] for record in caplog.records] == ["the cache is not used:"]


def test_a_damaged_entry_of_the_cache_is_made_again(
    exported: dict[str, Graphs], predictor: Predictor, tmp_path: Path
) -> None:
    words = coded([[Code("concept:liver")]], predictor.words)
    first = backend_of(exported["onnx"], Place(1, tmp_path)).hear(words)
    for kept in (tmp_path / "onnx").iterdir():
        kept.write_bytes(b"not a model")
    assert np.array_equal(first, backend_of(exported["onnx"], Place(1, tmp_path)).hear(words))


@pytest.mark.parametrize("name", BACKENDS)
def test_a_graph_that_cannot_be_loaded(exported: dict[str, Graphs], tmp_path: Path, name: str) -> None:
    for ending in folder.ENDINGS[name]:
        (tmp_path / f"words{ending}").write_bytes(b"nothing")
    broken = backend_of(replace(exported[name], folder=tmp_path), Place(1))
    with pytest.raises(WeightsError, match="cannot load the graph 'words'"):
        broken.hear(Coded(*(np.zeros((1, 1), np.int64),) * 2, np.zeros((1, 1), np.float32)))


@pytest.mark.slow
def test_int8_is_close_and_smaller_and_the_rest_stays(predictor: Predictor, tmp_path: Path) -> None:
    pytest.importorskip("nncf")
    pytest.importorskip("openvino")
    recorder = Recorder(predictor.backend)
    asking = Predictor(recorder.backend, predictor.words, predictor.card)
    rng = np.random.default_rng(0)
    finding = Finding("f1", "", (0, 0), "liver")
    pictures = [Image(rng.uniform(0, 255, (1, 64, 64)).astype(np.float32)) for _ in range(3)]
    for image in pictures:
        asking.segment(image, Prompt(("liver",), (finding,)))
    files = openvino_files(small_traced()[1], recorder.samples)
    graphs = folder.write(files, tmp_path / "out", ("openvino", "int8"), ABOUT)
    assert b"FakeQuantize" in files["answer.xml"]
    assert b"FakeQuantize" not in files["words.xml"]
    other = Predictor(backend_of(graphs, Place(1)), predictor.words, predictor.card)
    one, two = (p.segment(pictures[0], Prompt(("liver",), (finding,))).prob for p in (predictor, other))
    assert np.abs(one - two).max() < 0.2


def test_rows_may_come_several_times() -> None:
    words = encode_words([[Code("side:left")], []], small_predictor().words)
    taken = rows_of(words, [0, 0, 1])
    assert taken.index[:, 0].tolist() == [*words.index[[0, 0, 1], 0].tolist()]
    assert torch.equal(rows_of(torch.arange(3), [2, 2]), torch.tensor([2, 2]))


def test_a_network_without_prior_tokens_hears_the_codes() -> None:
    backend = of_network(Wordless(torch.nn.Conv2d(3, 17, 1)))
    told = coded([[Code("side:left")], []], small_predictor().words)
    heard = backend.hear(told)
    assert heard.kind.tolist() == told.kind.tolist()
    maps = backend.shared(torch.zeros(2, 3, 64, 64))
    assert backend.decode(maps, heard, Clicked()).attention is None


@pytest.mark.parametrize("name", BACKENDS)
def test_passes_that_run_at_once_say_what_one_after_the_other_says(
    exported: dict[str, Graphs], predictor: Predictor, name: str
) -> None:
    """Eleven passes of one to three rows on three lanes: in their order, nothing mixed up."""
    lanes = backend_of(exported[name], Place(threads=3))
    assert (lanes.lanes, backend_of(exported[name], Place(threads=1)).lanes) == (3, 1)
    rng = np.random.default_rng(0)
    given = []
    for rows in (1, 2, 3, 2, 1, 3, 1, 2, 3, 1, 2):
        maps = lanes.shared(rng.standard_normal((rows, 3, 64, 64), np.float32))
        codes = [[Code("concept:liver")], [Code("side:left")], [Code("extent:", 0.3)]]
        heard = lanes.hear(coded([codes[int(k)] for k in rng.integers(0, 3, rows)], predictor.words))
        given.append((maps, heard))
    for _ in range(3):
        for (maps, heard), said in zip(given, lanes.many(given), strict=True):
            alone = lanes.decode(maps, heard, Clicked())
            assert np.allclose(said.logits, alone.logits, atol=1e-3)
            assert np.allclose(said.presence, alone.presence, atol=1e-3)
    assert lanes.many([]) == []


@pytest.mark.parametrize("name", BACKENDS)
def test_lanes_load_their_graph_once_and_keep_it(
    exported: dict[str, Graphs],
    predictor: Predictor,
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All lanes come to it at the same time: one loads, the others wait."""
    loaded: list[str] = []
    find = Graphs.file

    def file(graphs: Graphs, stage: str) -> Path:
        loaded.append(stage)
        return find(graphs, stage)

    monkeypatch.setattr(Graphs, "file", file)
    lanes = backend_of(exported[name], Place(4, tmp_path))
    maps = lanes.shared(np.zeros((1, 3, 64, 64), np.float32))
    heard = lanes.hear(coded([[Code("concept:liver")]], predictor.words))
    with caplog.at_level(logging.WARNING, "medsegr"):
        lanes.many([(maps, heard)] * 8)
    assert loaded == ["shared", "words", "answer"]
    assert not caplog.records


def test_a_graph_that_cannot_be_kept_keeps_to_its_threads(
    exported: dict[str, Graphs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each lane's passes would run on all processors."""
    threads: list[int] = []
    settings = runtimes._settings

    def noted(runtime: Any, place: Place, done: bool) -> Any:
        threads.append((made := settings(runtime, place, done)).intra_op_num_threads)
        return made

    def full(*_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(runtimes, "_settings", noted)
    monkeypatch.setattr(runtimes.os, "replace", full)
    words = coded([[]], small_predictor().words)
    backend_of(exported["onnx"], Place(3, tmp_path)).hear(words)
    assert threads == [3, 3]
