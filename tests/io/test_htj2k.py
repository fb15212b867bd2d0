"""High-throughput JPEG 2000: streams that OpenJPH 0.26 wrote, read bit for bit.

No encoder of it is among what the tests install, so the four streams stand here.
"""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL

from medsegr.errors import InputError
from medsegr.io.read import read_image

Make = Callable[..., Any]
ROWS, COLUMNS = np.mgrid[:12, :10]
GREY = (ROWS * 151 + COLUMNS * 37).astype(np.uint16)
RGB = np.stack([ROWS * 20, COLUMNS * 25, ROWS + COLUMNS], axis=-1).astype(np.uint8)
LOSSLESS = (
    "|4;u>04YEK0000A0000C00000000000000A0000C0000000000009pH0sl|{2mk^A000XAQUDA90ssL31q1{@0smY86Cj9?kdTm&k"
    "dTm&kdTmwh=~7W02crOPjF>!N>E53R%LP^FfKASE;BCwkN^q*00000aR34TlfVEb@A(A>bN~Rr024p}698QP0ta*e82SSTbO68r5x"
    "@Ww04s9<)9C;rGyuQ=5<mbIKq%sL0H&I1>cBz){<Z+X04pE>6~IUYK_bZ5FW2CUcK|F|SXfy8^bAHZf$X>d|Je"
)
PROGRESSIVE = (  # by resolution, with the lengths of its parts: what viewers load piece by piece
    "|4;u>04YEK0000A0000C00000000000000A0000C0000000000009pH0sl|{2mk^A000XAQUDA90ssL30t5s=0smY83LuD(kdTOoi"
    "2q~&7XSfIaAj^vP)HzFWpW@eE;2SQGcNyC015zL000000Ac@-015yA0001C00IA#zyK|f|9?mO+5RE=(0)3;y#AMdI4Dca2mtxG0K"
    "fneKmZj$DB^SgrkZN%z(N83wgA8YD<A+Bz(@o^BFNY;*WinH04!NpSXln_3`Q}5?6?5`*#"
)
COLOURED = (
    "|4;u>053oQ0000A0000C00000000000000A0000C000000000000RdB0S5sA2LS>9Pyh%30ssI21OHM03;+TE0RaUB1V91*TmTawP"
    "*_-4SXfwCSXfwCSWr+<|6~9c00B>MWo}APNFY{aav(4+GBz$VF8`1K3IG5A009dC0soW05`gIdhjakI5`eV<2Xp|y5&!_lbN~PV0K"
    "f@g1fb3V2Xp|~0Ect{zzJXkpoam6bO7)G$8-R|319@EmjQ=#08{~obO68z-~?bBa{vJ20Kf?V<STOkzzHA(faEK40GSdq0Kf@g1xx"
    "^x_5gRZ001NYau=O{wgA8Y>ofqs319@Ez$oH$0P4s7v;e>fU<F9PDB^SgSS<Fy5P|--0KgTn1zZ7CU~Cuw(?R}Z-?QFm001I@SOko"
    "d-e70|0Dw}x>0bJo*Z{y4a0I~bd+&SLFW2A;cL3n@0J@a`z!h)>U~!CbjMy*N;0t#ErZL9+^Z-Tx0qnQ{|Je"
)
LOSSY = (
    "|4;u>04YEK0000A0000C00000000000000A0000C0000000000009pH0sl|{2mk^A001igQUDA90ssL31q1{@0RLP7BO<pLw(7R(w"
    "!E(ZuK=#%r%b0zr(}==kOPoLm(rKgmtp^802crOPjF>!N>E53R%LP^FfKASE;BCwkN^q*00000od5y<lfVE0I29S;2nTck0KfnOXa"
    "E3A>ih!-bN~?h1P62gzyJi$00B5}`~VAd09|(Z0D?3CzyK9c00pMD9Ywb21DHa!0N`Hm9=In)F~s-)u?x%q0QtE9zyKDk00C`)5O&"
    "@JT+4faYk5EAe}9$u2fAB(07^wslp2FI4AvOb7_4FNI57NU0-K>8@@hN)|Je"
)


def written(path: Path, make: Make, pixels: np.ndarray, syntax: str, stream: bytes, **more: Any) -> Path:
    ds = make(pixels, syntax=syntax, **more)
    ds.PixelData = encapsulate([stream])
    ds["PixelData"].is_undefined_length = True
    ds.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize(
    ("syntax", "stream", "off"),
    [(HTJ2KLossless, LOSSLESS, 0), (HTJ2KLosslessRPCL, PROGRESSIVE, 0), (HTJ2K, LOSSY, 1)],
)
def test_grey(syntax: str, stream: str, off: int, dicom: Make, tmp_path: Path) -> None:
    path = written(tmp_path / "a", dicom, GREY, syntax, base64.b85decode(stream))
    np.testing.assert_allclose(read_image(path).data[0], GREY, atol=off)


def test_colour(dicom: Make, tmp_path: Path) -> None:
    stream = base64.b85decode(COLOURED)
    told = {"PhotometricInterpretation": "YBR_RCT"}
    path = written(tmp_path / "a", dicom, RGB, HTJ2KLossless, stream, **told)
    np.testing.assert_array_equal(read_image(path).data, np.moveaxis(RGB, -1, 0))


def test_a_damaged_stream_is_one_line(dicom: Make, tmp_path: Path) -> None:
    stream = base64.b85decode(LOSSLESS)
    path = written(tmp_path / "a", dicom, GREY, HTJ2KLossless, stream[:120])
    with pytest.raises(InputError, match=r"DICOM file: .*damaged") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)
