"""DICOM Secondary Capture: the overlay picture in the study of the source images, for viewers without SEG."""

import numpy as np
from pydicom.dataset import Dataset

from medsegr.errors import InputError
from medsegr.io.dicom_objects import composing, identity
from medsegr.io.dicom_source import Sources
from medsegr.io.segments import Maker

WHAT = "DICOM SC"


def make_sc(picture: np.ndarray, sources: Sources, maker: Maker) -> Dataset:
    """An RGB picture (uint8 ``h w 3``) as Secondary Capture; ``BurnedInAnnotation`` is YES, since phrases
    stand in it.

    It has no place in the patient and no spacing: nothing can be measured in it.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise InputError(f"{WHAT}: {picture.dtype} {picture.shape} came where uint8 h w 3 was expected")
    with composing(WHAT):
        import highdicom as hd

        told = {k: v for k, v in identity("SC", maker).items() if k != "content_qualification"}
        made: Dataset = hd.sc.SCImage.from_ref_dataset(
            ref_dataset=sources.headers[0],
            pixel_array=np.ascontiguousarray(picture),
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            patient_orientation=("L", "P"),  # asked for by the library, taken back below
            **told,
        )
        made.PatientOrientation = ""
        made.Laterality = ""
        made.BurnedInAnnotation = "YES"
        made.DerivationDescription = maker.notice
    return made
