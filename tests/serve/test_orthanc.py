"""The whole way against a real Orthanc: find, fetch, segment, store, and what refers to what then."""

import importlib.util
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from dicom_files import NAME, dciodvfy, write_ct, write_dx
from medsegr import phantom
from medsegr.errors import RemoteError
from medsegr.io.read import read_image
from medsegr.options import Options
from medsegr.pipeline import run, save
from medsegr.serve.archives import Archive, read_archives
from medsegr.serve.dicomweb import push, search_series, search_studies
from medsegr.serve.fetch import pull
from medsegr.session import load
from orthanc_server import PASSWORD, Orthanc, free_port, running

CT, XRAY = "2.25.4711001", "2.25.4712001"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "store_and_forward.py"
GRID = np.array([[0, 0, 1.0, -20], [0, 1.0, 0, 10], [2.0, 0, 0, 5], [0, 0, 0, 1]])


@dataclass(frozen=True)
class Place:
    """Orthanc with two made studies, their files, and the report of the X-ray."""

    server: Orthanc
    ct: Path
    xray: Path
    report: str

    @property
    def archive(self) -> Archive:
        return read_archives(self.server.config())["orthanc"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("orthanc")
    with running(folder / "server") as server:
        plane = np.add.outer(np.arange(24), np.arange(30)).astype(np.int16)
        ct = write_ct(folder / "ct", np.stack([plane * 20 + 10 * z for z in range(5)]), GRID)
        case = phantom.make("chest", np.random.default_rng(3), size=192)
        grey = case.image if case.image.ndim == 2 else case.image[..., 0]
        (folder / "xray").mkdir()
        write_dx(folder / "xray" / "a.dcm", grey.astype(np.int16), StudyInstanceUID=XRAY)
        for files in (ct, folder / "xray"):
            server.put(files)
        yield Place(server, ct, folder / "xray", case.report)


def test_studies_are_found_by_what_the_standard_offers(place: Place) -> None:
    archive = place.archive
    assert {row["study"] for row in search_studies(archive, {})} == {CT, XRAY}
    for filters, expected in (
        ({"StudyInstanceUID": CT}, {CT}),
        ({"PatientName": "Planted*"}, {CT, XRAY}),
        ({"PatientName": NAME}, {CT, XRAY}),
        ({"PatientID": "PLANTED-ID-471?"}, {CT, XRAY}),
        ({"StudyDate": "20200101-20201231"}, {CT, XRAY}),
        ({"StudyDate": "20210101-"}, set()),
        ({"ModalitiesInStudy": "DX"}, {XRAY}),
        ({"PatientID": "nobody"}, set()),
    ):
        assert {row["study"] for row in search_studies(archive, filters)} == expected, filters
    told = search_studies(archive, {"StudyInstanceUID": CT})[0]
    assert (told["modalities"], told["instances"], told["date"]) == (["CT"], 5, "20200102")
    assert len(search_studies(archive, {}, limit=1)) == 1
    assert len(search_studies(archive, {}, limit=1, offset=2)) == 0


def test_a_study_comes_as_it_was_sent(place: Place, tmp_path: Path) -> None:
    fetched = pull(place.archive, CT, None, tmp_path / "got")
    assert (fetched.instances, fetched.series) == (5, 1)
    sent, came = ({path.read_bytes() for path in f.iterdir()} for f in (place.ct, tmp_path / "got"))
    assert came == sent
    again = pull(place.archive, CT, search_series(place.archive, CT)[0]["series"], tmp_path / "one")
    assert again == fetched


def test_a_volume_there_and_back(place: Place, tmp_path: Path) -> None:
    pull(place.archive, CT, None, tmp_path / "got")
    image = read_image(tmp_path / "got")
    formats = ("dicom-seg", "rtstruct", "dicom-sr", "dicom-sc")
    save(
        run(image, load("threshold").segmenter, phrases=["liver"]), tmp_path / "out", Options(formats=formats)
    )
    names = ("segmentation.dcm", "structures.dcm", "report.dcm", "overlay.dcm")
    files = [tmp_path / "out" / name for name in names]
    for _ in range(2):  # a second time changes nothing
        assert [one.outcome for one in push(place.archive, files)] == ["stored"] * 4
    found = {row["modality"]: row for row in search_series(place.archive, CT)}
    assert set(found) == {"CT", "SEG", "RTSTRUCT", "SR", "OT"}
    seg = shown(place.server, found["SEG"]["series"])
    refers = seg["ReferencedSeriesSequence"]
    assert [item["SeriesInstanceUID"] for item in refers] == [found["CT"]["series"]]
    named = {ref["ReferencedSOPInstanceUID"] for ref in refers[0]["ReferencedInstanceSequence"]}
    assert named == {str(pydicom.dcmread(path).SOPInstanceUID) for path in place.ct.iterdir()}
    report = shown(place.server, found["SR"]["series"])
    evidence = report["CurrentRequestedProcedureEvidenceSequence"][0]["ReferencedSeriesSequence"]
    assert found["CT"]["series"] in {item["SeriesInstanceUID"] for item in evidence}
    assert {found["CT"]["series"], found["SEG"]["series"]} >= {item["SeriesInstanceUID"] for item in evidence}
    # What we stored is no image to read again.
    assert pull(place.archive, CT, None, tmp_path / "again").instances == 5


@pytest.mark.weights
def test_an_x_ray_with_its_report_by_the_embedded_model(place: Place, tmp_path: Path) -> None:
    from medsegr import weights

    if not weights.names():
        pytest.skip("the embedded checkpoint is not here")
    pull(place.archive, XRAY, None, tmp_path / "got")
    result = run(read_image(tmp_path / "got"), load().segmenter, report=place.report)
    assert any(item.mask is not None for item in result.findings)
    save(result, tmp_path / "out", Options(formats=("dicom-seg", "dicom-sr")))
    files = [tmp_path / "out" / name for name in ("segmentation.dcm", "report.dcm")]
    assert [one.outcome for one in push(place.archive, files)] == ["stored", "stored"]
    found = {row["modality"]: row for row in search_series(place.archive, XRAY)}
    seg = shown(place.server, found["SEG"]["series"])
    assert seg["StudyInstanceUID"] == XRAY
    assert seg["PatientName"] == NAME
    assert len(seg["SegmentSequence"]) == sum(item.mask is not None for item in result.findings)
    group = seg["PerFrameFunctionalGroupsSequence"][0]
    source = group["DerivationImageSequence"][0]["SourceImageSequence"][0]
    sent = pydicom.dcmread(place.xray / "a.dcm")
    assert source["ReferencedSOPInstanceUID"] == str(sent.SOPInstanceUID)
    back = pull(place.archive, XRAY, found["SEG"]["series"], tmp_path / "seg")
    assert back.instances == 1
    assert dciodvfy(next((tmp_path / "seg").iterdir())) == []


def shown(server: Orthanc, series: str) -> dict[str, object]:
    """The one object of a series, as Orthanc's own interface tells it."""
    query = {"Level": "Instance", "Query": {"SeriesInstanceUID": series}}
    (own,) = server.rest("/tools/find", "POST", json=query)
    return dict(server.rest(f"/instances/{own}/simplified-tags"))


def test_a_wrong_password_and_a_wrong_path(place: Place, tmp_path: Path) -> None:
    for more, code in (({"user": "somebody"}, "refused"), ({"url": place.server.url + "/x"}, "not_found")):
        archive = read_archives(place.server.config(**more))["orthanc"]
        with pytest.raises(RemoteError) as caught:
            pull(archive, CT, None, tmp_path / "got")
        assert caught.value.code == code
        assert not re.search(re.escape(PASSWORD) + r"|127\.0|2\.25", str(caught.value))
    with pytest.raises(RemoteError, match="no such study"):
        pull(place.archive, "2.25.999", None, tmp_path / "got")


def recipe() -> Any:
    spec = importlib.util.spec_from_file_location("store_and_forward", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_store_and_forward_does_each_study_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """New studies get SEG and SR; a second look, a restart and a forgotten memory do nothing again."""
    with running(tmp_path / "server") as server:
        for number in range(3):
            folder = tmp_path / str(number)
            folder.mkdir()
            grey = np.add.outer(np.arange(40), np.arange(50)).astype(np.int16)
            ids = {"StudyInstanceUID": f"2.25.{90 + number}", "SeriesInstanceUID": f"2.25.{80 + number}"}
            write_dx(folder / "a.dcm", grey, AccessionNumber=f"A{number}", **ids)
            server.put(folder)
        (tmp_path / "reports").mkdir()
        for number, text in enumerate(("Nodule in the left lung.", "Opacity in the right lung.")):
            (tmp_path / "reports" / f"A{number}.txt").write_text(text, encoding="utf-8")
        words = ["--dicomweb", str(server.config()), "--server", "orthanc", "--model", "threshold"]
        words += ["--reports", str(tmp_path / "reports"), "--once", "--settle", "0"]
        states = []
        for work in ("work", "work", "other"):
            assert recipe().main([*words, "--work", str(tmp_path / work)]) == 0
            states.append(sorted(capsys.readouterr().out.replace(":", "").split()[2::3]))
            (archive,) = read_archives(server.config()).values()
            kinds = [
                sorted(row["modality"] for row in search_series(archive, f"2.25.{90 + n}")) for n in range(3)
            ]
            assert kinds == [["DX", "SEG", "SR"], ["DX", "SEG", "SR"], ["DX"]]
        assert states == [["done", "done", "nothing"], [], ["done", "done", "nothing"]]
        assert sorted(path.name for path in (tmp_path / "work").iterdir()) == ["done.sqlite"]
        assert (tmp_path / "work" / "done.sqlite").stat().st_mode & 0o077 == 0
        config = server.config()
    recipe().main(["--dicomweb", str(config), *words[2:], "--work", str(tmp_path / "work")])
    assert "cannot be reached" in capsys.readouterr().out


def test_store_and_forward_ends_when_it_is_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the look at hand, at once; whoever heard signals before hears them again."""
    words = [
        "--server",
        "orthanc",
        "--model",
        "threshold",
        "--every",
        "600",
        "--work",
        str(tmp_path / "work"),
    ]
    config = Orthanc(free_port(), tmp_path).config()  # nobody is there, and nobody is asked
    before = signal.getsignal(signal.SIGTERM)
    module, looks = recipe(), []

    def look(*_: Any) -> None:
        looks.append(1)
        os.kill(os.getpid(), signal.SIGTERM)

    module.look = look
    assert module.main(["--dicomweb", str(config), *words]) == 0
    assert looks == [1]
    assert "orthanc every 600 s" in capsys.readouterr().err  # it may be long until something is done
    assert signal.getsignal(signal.SIGTERM) == before
