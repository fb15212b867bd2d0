"""int8: NNCF's quantisation after training, on inputs that the network met. No labels, no training.

Only ``shared`` and ``answer`` are quantised, where nearly all time goes. Words and clicks stay in fp32: their
graphs are small or seldom run.
"""

import contextlib
import io
import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from medsegr.backends.backend import Backend, Clicked, Heard, Maps, Said
from medsegr.backends.names import needs
from medsegr.errors import MissingExtra

QUANTISED = ("shared", "answer")
# Left in fp32, by the names that torch's tracer gave. Where the words act: offsets and gains are small
# differences. Fourier positions: a rounded angle is another place. Linear attention: its sums have a wide
# range and are divided by each other. The decoder: it draws the rim, and says whether anything is there.
SPARED = (
    *(r".*modulators.*", r".*position.*", r".*to_dense.*", r".*to_tokens.*", r".*attributes.*"),
    r".*bodies\.[23]\.[02]/.*",
    r".*mask_decoder.*",
)
Samples = Mapping[str, Sequence[Mapping[str, np.ndarray]]]


class Recorder:
    """A backend that answers as the one inside it and notes what ``shared`` and ``answer`` were given."""

    def __init__(self, backend: Backend) -> None:
        self.samples: dict[str, list[Mapping[str, np.ndarray]]] = {name: [] for name in QUANTISED}
        self._inside = backend
        self.backend = replace(backend, shared=self._shared, decode=self._decode)

    def _shared(self, pixels: Any) -> Maps:
        self.samples["shared"].append({"pixels": _array(pixels)})
        return self._inside.shared(pixels)

    def _decode(self, maps: Maps, heard: Heard, clicks: Clicked) -> Said:
        if hasattr(heard, "shape") and clicks.points is None and clicks.mask is None:
            given = {f"map{at}": _array(one) for at, one in enumerate(maps)}
            self.samples["answer"].append({**given, "priors": _array(heard)})
        return self._inside.decode(maps, heard, clicks)


def _array(one: Any) -> np.ndarray:
    """An array of a backend as numpy's."""
    return np.asarray(one if isinstance(one, np.ndarray) else one.cpu().numpy())


def openvino_files(
    stages: Mapping[str, bytes], samples: Samples | None = None, spared: Sequence[str] = SPARED
) -> dict[str, bytes]:
    """Traced stages as OpenVINO's files (.xml and .bin each); int8 where ``samples`` are given."""
    try:
        import openvino
    except ImportError as error:
        raise MissingExtra(needs("--to openvino")) from error
    files: dict[str, bytes] = {}
    core = openvino.Core()
    with tempfile.TemporaryDirectory() as folder:
        for name, data in stages.items():
            model = core.read_model(data)
            if samples is not None and name in QUANTISED:
                model = _quantised(model, samples[name], spared)
            path = Path(folder) / f"{name}.xml"
            openvino.save_model(model, str(path), compress_to_fp16=False)
            files |= {found.name: found.read_bytes() for found in (path, path.with_suffix(".bin"))}
    return files


def onnx_files(
    stages: Mapping[str, bytes], samples: Samples | None = None, spared: Sequence[str] = SPARED
) -> dict[str, bytes]:
    """Traced stages as ONNX files; int8 where ``samples`` are given."""
    files = {f"{name}.onnx": data for name, data in stages.items()}
    if samples is None:
        return files
    try:
        import onnx
    except ImportError as error:
        raise MissingExtra(needs("--precision int8")) from error
    for name in QUANTISED:
        model = _quantised(onnx.load_from_string(stages[name]), samples[name], spared)
        files[f"{name}.onnx"] = model.SerializeToString()
    return files


def _quantised(model: Any, samples: Sequence[Mapping[str, np.ndarray]], spared: Sequence[str]) -> Any:
    os.environ.setdefault("NNCF_CI", "1")  # the library reports its use to its makers otherwise
    try:
        import nncf
    except ImportError as error:
        raise MissingExtra(needs("--precision int8")) from error
    logging.getLogger("nncf").setLevel(logging.ERROR)
    same: Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]] = dict
    with contextlib.redirect_stdout(io.StringIO()):  # progress bars
        return nncf.quantize(
            model,
            nncf.Dataset(list(samples), same),
            subset_size=len(samples),
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(patterns=list(spared), validate=False),
        )
