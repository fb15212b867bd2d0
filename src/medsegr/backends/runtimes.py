"""Graphs run by OpenVINO or ONNX Runtime on the processor, as a :class:`~medsegr.backends.backend.Backend`,
without torch.

A graph is loaded when it is first needed: a run without clicks never loads the one for clicks. What the
runtime makes of a graph for this processor is kept below the user's cache folder.
"""

import functools
import hashlib
import logging
import os
import platform
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from medsegr.backends import store
from medsegr.backends.backend import Backend, Clicked, Heard, Maps, Said
from medsegr.backends.folder import Graphs
from medsegr.backends.names import ANSWER, WORDS, needs
from medsegr.errors import MissingExtra, WeightsError
from medsegr.process.processors import usable
from medsegr.reasoning.codes import Coded

LOG = logging.getLogger("medsegr")
Run = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
NARROW = 2  # rows of a pass that has a thread of its own: more do not fit the processor's cache
MOST_LANES = 8  # where nobody says how many threads there may be: each holds a pass in memory


@dataclass(frozen=True, slots=True)
class Place:
    """Processor threads (None: as many as the runtime likes) and where compiled models are kept (None:
    nowhere). ``lanes``: how many calls may come at once, each on a thread of its own where there are several.
    """

    threads: int | None = None
    cache: Path | None = None
    lanes: int = 1


def backend_of(graphs: Graphs, place: Place = Place()) -> Backend:
    """The three functions over a folder of graphs. MissingExtra without the runtime, WeightsError for graphs
    that it cannot load."""
    load = {"onnx": _onnx, "openvino": _openvino}[graphs.backend]
    lanes = place.threads or min(MOST_LANES, usable())
    opened = {1: load(place), lanes: load(replace(place, lanes=lanes))}

    loading = threading.Lock()

    def stage(name: str, lanes: int = 1) -> Run:
        with loading:  # lanes come to it at the same time: the cache alone would let each of them load
            return loaded(name, lanes)

    @functools.cache
    def loaded(name: str, lanes: int) -> Run:
        try:
            return opened[lanes](graphs.file(name))
        except Exception as error:
            told = " ".join(str(error).split())[:120]
            raise WeightsError(
                f"{graphs.backend} cannot load the graph '{name}' ({told}); export it again with the version "
                "that is installed here"
            ) from error

    def shared(pixels: np.ndarray) -> Maps:
        found = stage("shared")({"pixels": pixels})
        return tuple(found[f"map{at}"] for at in range(sum(name[:3] == "map" for name in found)))

    def hear(codes: Coded) -> Heard:
        return stage("words")({name: getattr(codes, name) for name in WORDS})["priors"]

    def decode(maps: Maps, heard: Heard, clicks: Clicked) -> Said:
        name, given = "answer", _given(maps, heard)
        if clicks.points is not None or clicks.mask is not None:
            name, given = "clicked", given | _clicks(clicks, maps)
        return _said(stage(name)(given))

    def narrow(maps: Maps, heard: Heard) -> Said:
        return _said(stage("answer", lanes)(_given(maps, heard)))

    kind = (graphs.backend, graphs.precision, "cpu")
    return Backend(*kind, shared, hear, decode, lanes=lanes, rows=NARROW, narrow=narrow)


def _given(maps: Maps, heard: Heard) -> dict[str, np.ndarray]:
    return {f"map{at}": one for at, one in enumerate(maps)} | {"priors": heard}


def _said(found: Mapping[str, np.ndarray]) -> Said:
    return Said(*(found[part] for part in ANSWER))


def _clicks(clicks: Clicked, maps: Maps) -> dict[str, np.ndarray]:
    """Every input of ``clicked``; what was not given is there and does not count."""
    rows = len(maps[0])
    points, kinds, mask, has = clicks.points, clicks.kinds, clicks.mask, clicks.has_mask
    if points is None or kinds is None:
        points, kinds = np.zeros((rows, 0, 2), np.float32), np.zeros((rows, 0), np.float32)
    if mask is None:  # the first map has stride 2
        mask = np.zeros((rows, 1, 2 * maps[0].shape[-2], 2 * maps[0].shape[-1]), np.float32)
        has = np.zeros(rows, bool)
    return {
        "points": points,
        "kinds": kinds,
        "mask": mask,
        "has": np.ones(rows, bool) if has is None else has,
    }


def _openvino(place: Place) -> Callable[[Path], Run]:
    try:
        import openvino
    except ImportError as error:
        raise MissingExtra(needs("--backend openvino")) from error
    core = openvino.Core()
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    if place.lanes > 1:
        settings |= {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": place.lanes}
    if place.threads or place.lanes > 1:
        settings["INFERENCE_NUM_THREADS"] = max(place.threads or 0, place.lanes)

    def load(path: Path) -> Run:
        compiled = _cached(
            path, place, lambda more: core.compile_model(str(path), "CPU", {**settings, **more})
        )
        names = {name: at for at, out in enumerate(compiled.outputs) for name in out.get_names()}
        free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(place.lanes):
            free.put(compiled.create_infer_request())

        def run(given: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
            request = free.get()
            try:
                request.infer({name: np.ascontiguousarray(one) for name, one in given.items()})
                return {name: request.get_output_tensor(at).data.copy() for name, at in names.items()}
            finally:
                free.put(request)

        return run

    return load


def _cached(path: Path, place: Place, compile_model: Callable[[Mapping[str, str]], Any]) -> Any:
    """Compiled with the cache where there is room, without it where that fails."""
    folder = None
    if place.cache is not None:
        folder = store.room(place.cache / "openvino", 2 * store.size_of(path.parent))
    if folder is None:
        return compile_model({})
    try:
        made = compile_model({"CACHE_DIR": str(folder)})
    except RuntimeError:
        LOG.warning("the cache is not used: a compiled model could not be kept; the run goes on without")
        return compile_model({})
    store.trim(folder)
    return made


def _onnx(place: Place) -> Callable[[Path], Run]:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra(needs("--backend onnx")) from error

    def load(path: Path) -> Run:
        kept = _optimised(path, place, onnxruntime.__version__)
        session = None
        if kept is not None and kept.is_file():
            try:
                session = onnxruntime.InferenceSession(
                    str(kept), _settings(onnxruntime, place, done=True), providers=["CPUExecutionProvider"]
                )
                store.used(kept)
            except Exception:  # damaged or of another processor: made again from the graph
                kept.unlink(missing_ok=True)
        if session is None:
            session = _session(onnxruntime, path, place, kept)
        return lambda given: _run_onnx(session, given)

    return load


def _run_onnx(session: Any, given: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    names = [out.name for out in session.get_outputs()]
    wanted = {item.name for item in session.get_inputs()}
    return dict(zip(names, session.run(names, {n: a for n, a in given.items() if n in wanted}), strict=True))


def _settings(runtime: Any, place: Place, done: bool) -> Any:
    """Session options; ``done``: the graph was optimised when it was kept."""
    made = runtime.SessionOptions()
    made.log_severity_level = 3
    if place.threads or place.lanes > 1:
        made.intra_op_num_threads = 1 if place.lanes > 1 else place.threads
    levels = runtime.GraphOptimizationLevel
    made.graph_optimization_level = levels.ORT_DISABLE_ALL if done else levels.ORT_ENABLE_ALL
    return made


def _session(runtime: Any, path: Path, place: Place, kept: Path | None) -> Any:
    """A session, whose optimised graph is kept where there is room for it."""
    providers, settings = ["CPUExecutionProvider"], _settings(runtime, place, done=False)
    if kept is None:
        return runtime.InferenceSession(str(path), settings, providers=providers)
    part = kept.with_suffix(f".part{os.getpid()}")
    settings.optimized_model_filepath = str(part)
    try:
        session = runtime.InferenceSession(str(path), settings, providers=providers)
        os.replace(part, kept)
    except Exception:
        part.unlink(missing_ok=True)
        LOG.warning("the cache is not used: an optimised model could not be kept; the run goes on without")
        return runtime.InferenceSession(str(path), _settings(runtime, place, done=False), providers=providers)
    store.trim(kept.parent)
    return session


def _optimised(path: Path, place: Place, version: str) -> Path | None:
    """Where the optimised graph is kept: by the graph's content, the runtime's version and the processor."""
    if place.cache is None:
        return None
    folder = store.room(place.cache / "onnx", 2 * store.size_of(path))
    if folder is None:
        return None
    digest = hashlib.sha256(path.read_bytes())
    digest.update(f"{version} {platform.machine()} {_processor()}".encode())
    return folder / f"{digest.hexdigest()[:32]}.onnx"


def _processor() -> str:
    """What tells processors apart: their flags on Linux, their name elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
