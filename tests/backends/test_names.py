"""What goes together is known before torch is loaded, and refused with one clear line."""

from pathlib import Path

import pytest

from medsegr.backends import names
from medsegr.errors import MissingExtra, UsageError


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            ("tensorrt",),
            "--backend: 'tensorrt' is not known; expected auto, torch, openvino, onnx or a folder",
        ),
        (("auto", "int8"), "--precision int8 is for --backend openvino or onnx"),
        (("torch", "int8"), "--precision int8 is for --backend openvino or onnx"),
        (("onnx", "int4"), "--precision: 'int4' is not known; expected fp32 or int8"),
        (("onnx", "fp32", "cuda"), "--backend onnx runs on the processor, not on cuda"),
    ],
)
def test_refusals(given: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "find_spec", lambda _name: object())
    with pytest.raises(UsageError, match=said):
        names.check(*given)


def test_a_folder_says_its_own_precision(tmp_path: Path) -> None:
    names.check(str(tmp_path))
    with pytest.raises(UsageError, match="came together with a folder"):
        names.check(str(tmp_path), "int8")


@pytest.mark.parametrize("backend", ["openvino", "onnx"])
def test_a_runtime_that_is_not_installed(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"needs the 'openvino' extra: pip install 'medsegr\[openvino\]'"):
        names.check(backend)


def test_torch_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "find_spec", lambda _name: None)
    names.check("torch", "fp32", "cuda:1")
    names.check("auto", "fp32", "cuda:1")
