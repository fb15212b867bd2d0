"""DICOM SR: text under headings, measurement groups as sentences, hostile files refused."""

import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from medsegr.errors import ReportError
from medsegr.report import dicom_sr
from medsegr.report.dicom_sr import sr_text
from medsegr.report.parse import parse
from medsegr.report.read import read_report
from sr_files import BASIC, coded, container, number, sr, words


def test_basic_text_under_its_headings(tmp_path: Path) -> None:
    path = tmp_path / "report.dcm"
    path.write_bytes(
        sr(
            coded("Language of Content Item", "English", relation="HAS CONCEPT MOD"),
            words("Observer", "Dr Someone", relation="HAS OBS CONTEXT"),
            container("History", words("History", "Known mass.")),
            container("Previous Findings", words("Finding", "Pneumothorax in 2019.")),
            container(
                "Findings", words("Finding", "Größere nodule in the left lung."), words("Liver", "A cyst.")
            ),
            container("Impressions", words("Impression", "No effusion.")),
            container("Recommendations", words("Recommendation", "CT of the mass.")),
            kind=BASIC,
        )
    )
    text, warnings = read_report(path)
    assert text == (
        "HISTORY:\nKnown mass.\n\nCOMPARISON:\nPneumothorax in 2019.\n\nFINDINGS:\n"
        "Größere nodule in the left lung.\n"
        "Liver: A cyst.\n\nIMPRESSION:\nNo effusion.\n\nRECOMMENDATION:\nCT of the mass."
    )
    assert warnings == ()
    found = [(f.name, f.polarity, f.location.side) for f in parse(text, modality="CT").findings]
    assert ("nodule", "present", "left") in found
    assert "pneumothorax" not in [name for name, *_ in found]


def test_words_behind_a_history_do_not_fall_into_it() -> None:
    text = sr_text(sr(words("Clinical History", "Cough."), container("Lungs", words("Lungs", "A nodule."))))[
        0
    ]
    assert text == "HISTORY:\nCough.\n\nFINDINGS:\nLungs: A nodule."


def test_a_finding_named_inside_the_impression_stays_there() -> None:
    text = sr_text(sr(container("Impressions", words("Finding", "A mass."), words("Comparison", "None."))))[0]
    assert text == "IMPRESSION:\nA mass.\n\nCOMPARISON:\nNone."


def test_coded_findings_and_their_denial() -> None:
    text = sr_text(
        sr(
            container(
                "Findings",
                coded(
                    "Finding",
                    "Pneumothorax",
                    coded("Presence of Finding", "Absent", relation="HAS CONCEPT MOD"),
                ),
                coded(
                    "Finding", "Mass", coded("Finding Site", "Liver structure", relation="HAS CONCEPT MOD")
                ),
                coded("Assessment category", "Benign"),
            )
        )
    )[0]
    assert text == "FINDINGS:\nNo pneumothorax.\nMass in the liver.\nAssessment category: Benign."
    first, second = parse(text, modality="CT").findings[:2]
    assert (first.name, first.polarity) == ("pneumothorax", "absent")
    assert second.polarity == "present"
    assert second.location.anatomy == ("liver",)


def group(*inside: Dataset) -> bytes:
    tracked = words("Tracking Identifier", "Lesion 1", relation="HAS OBS CONTEXT")
    return sr(container("Imaging Measurements", container("Measurement Group", tracked, *inside)))


def test_a_measurement_group_is_one_sentence() -> None:
    site = coded("Finding Site", "Upper lobe", coded("Laterality", "Right"), relation="HAS CONCEPT MOD")
    data = group(
        coded("Finding category", "Morphologically abnormal structure"),
        coded("Finding", "Nodule"),
        site,
        number("Mean attenuation", "31.456", "[hnsf'U]"),
        number("Diameter", "8.00", "mm"),
        coded("Margin", "Spiculated"),
        words("Comment", "Seen on slice 12."),
    )
    text = sr_text(data)[0]
    assert text == (
        "Nodule in the right upper lobe, diameter 8 mm, mean attenuation 31.46 HU, margin spiculated.\n"
        "Seen on slice 12."
    )
    (nodule,) = [f for f in parse(text, modality="CT").findings if f.name in ("nodule", "lung nodule")]
    assert nodule.polarity == "present"
    assert nodule.location.side == "right"
    assert nodule.location.rows == ("upper",)
    assert nodule.shape.size_mm == (8.0,)
    assert nodule.shape.margin == "spiculated"


@pytest.mark.parametrize(
    ("inside", "sentence"),
    [
        (
            [coded("Finding", "Cyst"), coded("Finding Site", "Structure of left kidney (body structure)")],
            "Cyst in the left kidney.",
        ),
        (
            [coded("Finding", "Cyst"), coded("Finding Site", "Kidney"), coded("Laterality", "Bilateral")],
            "Cyst in both kidney.",
        ),
        ([coded("Finding", "Cyst"), coded("Presence", "Absent")], "No cyst."),
        ([coded("Finding Site", "Spleen"), number("Volume", 210, "ml")], "Spleen, volume 210 ml."),
        ([coded("Finding", "MS plaque"), number("Count", 3, "{lesions}")], "MS plaque, count 3."),
        ([coded("Finding", "Mass"), number("Diameter", "", "mm")], "Mass."),
    ],
)
def test_sentences(inside: list[Dataset], sentence: str) -> None:
    assert sr_text(group(*inside))[0] == sentence


def test_flags_are_told() -> None:
    data = sr(
        words("Finding", "A mass."),
        CompletionFlag="PARTIAL",
        VerificationFlag="UNVERIFIED",
        PreliminaryFlag="PRELIMINARY",
    )
    assert [name for name, _ in sr_text(data)[1]] == ["sr_partial", "sr_preliminary", "sr_unverified"]


def test_no_name_of_the_header_is_read() -> None:
    text, warnings = sr_text(sr(words("Finding", "A mass.")))
    assert "PLANTED" not in text + str(warnings)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("1.2.840.10008.5.1.4.1.1.104.1", "a document .PDF, CDA. inside DICOM"),
        ("1.2.840.10008.5.1.4.1.1.2", "no report"),
        ("1.2.840.10008.5.1.4.1.1.88.59", "list of images"),
    ],
)
def test_other_objects_are_refused(kind: str, told: str) -> None:
    with pytest.raises(ReportError, match=told):
        sr_text(sr(words("Finding", "A mass."), kind=kind))


def test_an_sr_without_words_is_refused() -> None:
    with pytest.raises(ReportError, match="no text"):
        sr_text(sr(container("Findings"), coded("Language", "English", relation="HAS CONCEPT MOD")))


def nested(depth: int) -> Dataset:
    inner = words("Finding", "A mass.")
    for _ in range(depth):
        inner = container("Part", inner)
    return inner


def test_depth_is_limited() -> None:
    assert "A mass." in sr_text(sr(nested(20)))[0]
    with pytest.raises(ReportError, match="nested"):
        sr_text(sr(nested(60)))


def test_undefined_lengths_nested_without_end_are_refused() -> None:
    sequence = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    with pytest.raises(ReportError, match="damaged or nested"):
        sr_text(sr(words("Finding", "A mass.")) + sequence * 5000)


def test_items_and_bytes_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReportError, match="items"):
        sr_text(sr(words("Finding", "A mass.")) + b"\xfe\xff\x00\xe0" * 50_001)
    monkeypatch.setattr(dicom_sr, "LARGEST", 100)
    with pytest.raises(ReportError, match="bytes"):
        sr_text(sr(words("Finding", "A mass.")))


def test_deflated_is_refused_before_it_is_inflated() -> None:
    data = sr(words("Finding", "A mass."))
    with pytest.raises(ReportError, match="deflated"):
        sr_text(data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99"))


def test_cut_and_flipped_files_never_crash(recwarn: Any) -> None:
    data = sr(container("Findings", words("Finding", "A mass."), number("Diameter", "8")))
    broken = [data[:n] for n in range(132, len(data), 41)]
    broken += [data[:n] + bytes([data[n] ^ 0xFF]) + data[n + 1 :] for n in range(132, len(data), 7)]
    for attempt in broken:
        with suppress(ReportError):
            sr_text(attempt)
    assert not recwarn.list


def test_reading_text_does_not_load_pydicom(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("A mass.")
    probe = (
        "import sys; from medsegr.report.read import read_report; read_report('report.txt'); "
        "assert 'pydicom' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", probe], check=False, cwd=tmp_path).returncode == 0
