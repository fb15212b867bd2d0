"""Made cases to try the server on: drawn by :mod:`medsegr.phantom`, no patient is behind them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from fastapi import APIRouter, Request
from PIL import Image as Picture

from medsegr.phantom.write import case_of
from medsegr.serve import folders
from medsegr.serve.ids import new_id
from medsegr.serve.images import add
from medsegr.serve.refusal import Refusal
from medsegr.serve.service import Service
from medsegr.serve.wire import ImageInfo, owner_of, problems

SIZE = 512  # px of a made picture
SLICES, STEP = 12, 5.0  # of the made volume: number, mm
VOLUME_SIDE = 192  # px


@dataclass(frozen=True, slots=True)
class Case:
    """A made case: what it is called, and what writes it into a folder and returns modality and report."""

    title: str
    write: Callable[[Path], tuple[str, str]]


def _picture(kind: str, seed: int) -> Callable[[Path], tuple[str, str]]:
    def write(folder: Path) -> tuple[str, str]:
        case = case_of(kind, seed, 0, SIZE)
        Picture.fromarray(case.image).save(folder / "0001.png", compress_level=1)
        return case.modality, case.report

    return write


def _volume(folder: Path) -> tuple[str, str]:
    """A made CT as NIfTI: one body in all slices, lesions in the middle half of them; radiological view."""
    import nibabel as nib

    case = case_of("abdomen", 5, 0, VOLUME_SIDE)
    background = np.median(case.image)
    stack = np.zeros((VOLUME_SIDE, VOLUME_SIDE, SLICES), np.float32)
    lesions = np.zeros(case.image.shape, bool)
    for lesion in case.lesions:
        lesions |= lesion.mask
    around = case.image.astype(np.float32)
    around[lesions] = np.median(case.image[_ring(lesions)]) if lesions.any() else background
    for z in range(SLICES):
        middle = abs(z - (SLICES - 1) / 2) < SLICES / 4
        plane = case.image if middle else around
        stack[:, :, z] = plane.T
    # Radiological view: the picture's columns grow to the patient's left, its rows to the back.
    mm = 350.0 / VOLUME_SIDE
    affine = np.diag([-mm, -mm, STEP, 1.0])
    affine[:3, 3] = (mm * VOLUME_SIDE / 2, mm * VOLUME_SIDE / 2, 0.0)
    file = nib.Nifti1Image(stack.astype(np.int16), affine)  # type: ignore[no-untyped-call]
    file.header["xyzt_units"] = 2  # millimetres
    nib.save(file, folder / "0001.nii.gz")
    return "CT", case.report


def _ring(mask: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    wide: np.ndarray = ndimage.binary_dilation(mask, iterations=4) & ~mask
    return wide


EXAMPLES: Mapping[str, Case] = MappingProxyType(
    {
        "chest": Case("Chest X-ray with its report", _picture("chest", 18)),
        "abdomen": Case("Slice of an abdominal CT", _picture("abdomen", 3)),
        "thorax": Case("Slice of a chest CT", _picture("thorax", 7)),
        "brain": Case("FLAIR of a brain", _picture("brain", 7)),
        "mucosa": Case("Colonoscopy", _picture("mucosa", 4)),
        "ultrasound": Case("Breast ultrasound", _picture("ultrasound", 2)),
        "mammogram": Case("Mammogram", _picture("mammogram", 9)),
        "skin": Case("Dermoscopy", _picture("skin", 2)),
        "cells": Case("Cells under the microscope", _picture("cells", 1)),
        "volume": Case("Abdominal CT, a volume", _volume),
    }
)


def router(service: Service) -> APIRouter:
    """The one route."""
    routes = APIRouter(prefix="/v1/images", tags=["images"])

    @routes.post("/example/{name}", status_code=201, responses=problems("not_found", "read_only"))
    def example(name: str, request: Request) -> ImageInfo:
        """A made case as an image that was sent, with its report."""
        case = EXAMPLES.get(name)
        if case is None:
            raise Refusal("not_found", f"no example is called so: one of {', '.join(EXAMPLES)} was expected")
        folder = service.folders.root / "images" / f".part-{new_id('i')}"
        folder.mkdir(mode=0o700)
        try:
            modality, report = case.write(folder)
            return add(service, folder, {"modality": modality}, owner_of(request), report)
        finally:
            folders.remove(folder)

    return routes
