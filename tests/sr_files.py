"""DICOM SR files written by hand, item by item, for the tests of their reader."""

import io
from typing import Any

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

BASIC, COMPREHENSIVE = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.88.33"


def code(meaning: str, value: str = "1", scheme: str = "99T") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def item(kind: str, name: str, *below: Dataset, relation: str = "CONTAINS", **fields: Any) -> Dataset:
    made = Dataset()
    made.RelationshipType, made.ValueType = relation, kind
    made.ConceptNameCodeSequence = Sequence([code(name)])
    for keyword, value in fields.items():
        setattr(made, keyword, value)
    if below:
        made.ContentSequence = Sequence(below)
    return made


def container(name: str, *below: Dataset) -> Dataset:
    return item("CONTAINER", name, *below, ContinuityOfContent="SEPARATE")


def words(name: str, value: str, *below: Dataset, relation: str = "CONTAINS") -> Dataset:
    return item("TEXT", name, *below, relation=relation, TextValue=value)


def coded(name: str, meaning: str, *below: Dataset, relation: str = "CONTAINS") -> Dataset:
    return item("CODE", name, *below, relation=relation, ConceptCodeSequence=Sequence([code(meaning)]))


def number(name: str, value: Any, unit: str = "mm", *below: Dataset) -> Dataset:
    measured = Dataset()
    measured.NumericValue = value
    measured.MeasurementUnitsCodeSequence = Sequence([code(unit, unit, "UCUM")])
    return item("NUM", name, *below, MeasuredValueSequence=Sequence([measured]))


def sr(*content: Dataset, kind: str = COMPREHENSIVE, title: str = "Report", **fields: Any) -> bytes:
    """A file of SOP class ``kind`` with these items below its root."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    root = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    root.SOPClassUID, root.SOPInstanceUID, root.Modality = kind, "1.2.3", "SR"
    root.SpecificCharacterSet = "ISO_IR 192"
    root.PatientName = "PLANTED^NAME"
    root.ValueType = "CONTAINER"
    root.ConceptNameCodeSequence = Sequence([code(title)])
    root.ContentSequence = Sequence(content)
    for keyword, value in fields.items():
        setattr(root, keyword, value)
    buffer = io.BytesIO()
    root.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
