"""Where things lie in the patient: an oblique affine, and centres in RAS+ mm, also by another reader."""

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

TILT = Rotation.from_euler("xyz", [4, -7, 11], degrees=True).as_matrix()


def affine_of(directions: np.ndarray, spacing: tuple[float, ...] = (2.5, 0.8, 1.1)) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    affine[:3, 3] = (-31.5, 17.25, 90.125)
    return affine


def centre_mm(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return affine[:3, : mask.ndim] @ np.argwhere(mask).mean(axis=0) + affine[:3, 3]


def itk_centre_mm(picture: sitk.Image, above: float = 0) -> np.ndarray:
    index = np.argwhere(sitk.GetArrayFromImage(picture) > above)[:, ::-1].mean(axis=0)
    return np.array(picture.TransformContinuousIndexToPhysicalPoint([float(v) for v in index])) * (-1, -1, 1)
