"""From a checkpoint to graphs for another runtime: by ``medsegr export``, or by itself at the first use.

Graphs that are there run without torch; making them needs it.
"""

import atexit
import logging
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from medsegr import predict, weights
from medsegr.backends import folder as folders
from medsegr.backends import store
from medsegr.backends.folder import Graphs
from medsegr.backends.names import AUTO, accelerated, check, installed
from medsegr.backends.quantise import Recorder, Samples, onnx_files, openvino_files
from medsegr.backends.runtimes import Place, backend_of
from medsegr.errors import InputError, MedsegrError, UsageError
from medsegr.io.read import image_from_array, read_image
from medsegr.predict import Predictor
from medsegr.report.lexicon import concepts
from medsegr.report.parse import parse
from medsegr.types import Finding, Image, Prompt

LOG = logging.getLogger("medsegr")
IMAGES = 64  # with which int8 is calibrated
TAKES = {  # of a processor core that nobody else uses, with the embedded weights
    "fp32": "a quarter of a minute, longer on a busy machine",
    "int8": "a minute, several on a busy machine: it is calibrated with made images",
}
NEED = 256 * 2**20  # bytes of room for a converted model, generously
ASKED = 2  # questions an image at most, while calibrating
Question = tuple[Image, tuple[Finding, ...]]


def load(
    name: str | Path = weights.DEFAULT,
    backend: str = "torch",
    precision: str = "fp32",
    device: str = "auto",
    threads: int | None = None,
) -> Predictor:
    """A checkpoint on a backend: ``torch``, ``openvino``, ``onnx``, ``auto`` (:func:`quickest`), or a folder
    that :func:`export` wrote (which says itself what it is).

    The first use converts the checkpoint and keeps the result below the user's cache folder. UsageError for
    what does not go together, WeightsError for a folder of another checkpoint.
    """
    check(backend, precision, device)
    if backend == AUTO:
        return load(name, quickest(name, device), precision, device, threads)
    if Path(backend).is_dir():
        card = weights.verify(name)
        return _on(folders.read(Path(backend), str(card["sha256"])), name, threads)
    if backend == "torch":
        return predict.load(name, device, threads)
    return _on(_converted(name, backend, precision), name, threads)


def _on(graphs: Graphs, name: str | Path, threads: int | None) -> Predictor:
    card, words = predict.described(name)
    backend = backend_of(graphs, Place(threads, store.place()))
    return Predictor(backend, words, card)


def quickest(name: str | Path, device: str = "auto") -> str:
    """``onnx`` where the network would run on the processor and its graphs lie in the cache, else ``torch``:
    nothing is converted here."""
    if not installed("onnx") or device not in ("auto", "cpu") or (device == "auto" and accelerated()):
        return "torch"
    sha256 = str(weights.read_card(name).get("sha256"))  # compared with the file when the graphs are read
    return "onnx" if folders.is_graphs(_kept(sha256, "onnx", "fp32")) else "torch"


def prepare(name: str | Path, backend: str, precision: str = "fp32") -> Graphs:
    """The graphs of a checkpoint in the user's cache, made where they are not there."""
    check(backend, precision)
    return _converted(name, backend, precision)


def _kept(sha256: str, backend: str, precision: str) -> Path:
    """Where the graphs of a checkpoint lie in the cache."""
    return store.place() / "graphs" / f"{sha256[:24]}-{backend}-{precision}-{folders.stamp()}"


def _converted(name: str | Path, backend: str, precision: str) -> Graphs:
    """The graphs of a checkpoint from the cache, made there where they are not."""
    sha256 = str(weights.verify(name)["sha256"])
    found = _kept(sha256, backend, precision)
    cache, own = found.parent, found.name
    if folders.is_graphs(found):
        try:
            graphs = folders.read(found, sha256)
            store.used(found)
            return graphs
        except MedsegrError:  # damaged: made again
            LOG.info("a converted model in the cache was damaged; it is made again")
    place = store.room(cache, NEED)
    LOG.warning("converting the model for %s %s, once: this takes %s", backend, precision, TAKES[precision])
    if place is None:
        place = Path(tempfile.mkdtemp(prefix="medsegr-"))
        atexit.register(shutil.rmtree, place, ignore_errors=True)
    graphs = export(name, place / own, backend, precision)
    store.trim(place, spare=place / own)
    return graphs


def export(
    name: str | Path,
    out: Path,
    backend: str,
    precision: str = "fp32",
    questions: Iterable[Question] | None = None,
) -> Graphs:
    """Write a checkpoint's graphs into the folder ``out``, whole or not at all.

    ``questions`` are images with findings to calibrate int8 with, :data:`IMAGES` at most; left out, made
    images are taken. InputError for a folder that may not be written, UsageError for a network that has no
    graphs.
    """
    check(backend, precision)
    folders.check_free(out)
    from medsegr.backends.stages import traced  # torch is imported here and not before

    predictor = predict.load(name, device="cpu")
    stages = traced(predictor.model)
    samples: Samples | None = None
    about: dict[str, Any] = {}
    if precision == "int8":
        samples, about = calibration(predictor, made() if questions is None else questions)
        about = {"calibration": {**about, "from": "made images" if questions is None else "given images"}}
    files = (openvino_files if backend == "openvino" else onnx_files)(stages, samples)
    model = {key: predictor.card.get(key) for key in ("name", "sha256", "licence")}
    return folders.write(files, out, (backend, precision), {"model": model, **about})


def calibration(predictor: Predictor, questions: Iterable[Question]) -> tuple[Samples, dict[str, Any]]:
    """What the network is given while the questions are asked, and how many images that were. UsageError for
    a network on a foreign host."""
    if hasattr(getattr(predictor.model, "host", None), "family"):
        raise UsageError(
            "networks on foreign hosts are exported in fp32 only: which of their layers bear int8 was not "
            "measured; leave --precision out"
        )
    recorder = Recorder(predictor.backend)
    asking = Predictor(recorder.backend, predictor.words, predictor.card)
    count = 0
    for image, findings in islice(questions, IMAGES):
        few = findings[:ASKED]
        asking.segment(image, Prompt(tuple(f.name or f.phrase for f in few), few, keep=()))
        count += 1
    if not count:
        raise InputError("there was no image to calibrate with: give a folder that holds some")
    return recorder.samples, {"images": count}


def made(count: int = IMAGES, seed: int = 64) -> Iterator[Question]:
    """Made images of every kind in turn, each with what its own report says: ``count`` at most, since some
    bodies hold no lesion."""
    from medsegr.phantom import KINDS, make

    for at in range(count):
        case = make(KINDS[at % len(KINDS)], np.random.default_rng((seed, at)), size=256)
        image = image_from_array(case.image, modality=case.modality, frame=case.frame)
        found = tuple(
            f for f in parse(case.report, modality=case.modality).findings if f.polarity == "present"
        )
        if found:
            yield image, found


def images_below(folder: Path, card: Mapping[str, Any]) -> Iterator[Question]:
    """Every picture in a folder that can be read, each asked for other things that the model knows in such
    pictures."""
    for at, path in enumerate(sorted(found for found in folder.rglob("*") if found.is_file())):
        try:
            image = read_image(path)
        except MedsegrError:
            LOG.info("a file in the folder is no image that can be read; it is left out")
            continue
        findings = by_name(image, card)
        if findings and len(image.grid) == 2:
            turn = ASKED * at % len(findings)
            yield image, findings[turn:] + findings[:turn]


def by_name(image: Image, card: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Findings by name alone: what the model learned in images of this modality; all where none is told."""
    known = concepts()
    fit = [
        name
        for name, told in card["concepts"].items()
        if name in known and image.modality in (None, *told.get("modalities", ()))
    ]
    return tuple(Finding(f"f{n}", "", (0, 0), name) for n, name in enumerate(fit, 1))
