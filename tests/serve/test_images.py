"""Images: how they are taken, what is said of them, what is kept on the disk, how they go."""

import importlib.util
import io
import os
import stat
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from medsegr.io.read import read_image
from medsegr.modality.synthetic import is_made
from medsegr.phantom import KINDS
from medsegr.serve.examples import EXAMPLES
from medsegr.serve.images import opened
from medsegr.serve.sweeper import clear, sweep
from served import Asked, Serve, png


def dicom_files(count: int, **more: Any) -> list[tuple[str, bytes]]:
    spec = importlib.util.spec_from_file_location(
        "io_files", Path(__file__).parents[1] / "io" / "conftest.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = []
    for index in range(count):
        plane = np.zeros((24, 20), np.int16)
        plane[6:12, 5:11] = 900 + index
        told = {
            "ImagePositionPatient": [0, 0, 2 * index],
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "PixelSpacing": [1, 1],
            "SOPInstanceUID": f"1.2.826.0.99.{more.get('SeriesNumber', 1)}.{index}",
            "PatientName": "Quellmaltz^Zerline",
            **more,
        }
        out = io.BytesIO()
        module.make_dicom(plane, **told).save_as(out)
        found.append((f"Quellmaltz/IM{index}.dcm", out.getvalue()))
    return found


def sent(server: Asked, files: list[tuple[str, bytes]], **fields: str) -> Any:
    parts = [("files", (name, data, "application/octet-stream")) for name, data in files]
    return server.client.post("/v1/images", files=parts, data=fields)


def test_a_picture_is_taken_and_told(server: Asked) -> None:
    told = server.image(modality="ES")
    assert told["grid"] == [48, 48]
    assert (told["modality"], told["frame"], told["frame_from"]) == ("ES", "viewer", "modality")
    assert told["series"] is None
    assert told["report"] is None
    assert server.client.get(f"/v1/images/{told['id']}").json() == told
    image = opened(server.service, told["id"])
    assert image.modality == "ES"
    assert image.source.sha256 == told["sha256"]


def test_the_frame_of_the_sender_counts(server: Asked) -> None:
    assert server.image(frame="viewer")["frame_from"] == "flag"
    told = server.image()
    assert told["frame"] == "patient"
    assert [note["code"] for note in told["warnings"]] == ["frame_assumed"]


@pytest.mark.parametrize("way", ["files", "zip"])
def test_a_series_comes_as_many_files_or_as_a_zip(server: Asked, way: str) -> None:
    files = dicom_files(4)
    if way == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, data in files:
                archive.writestr(name, data)
        files = [("Quellmaltz.zip", out.getvalue())]
    answer = sent(server, files)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["grid"] == [4, 24, 20]
    assert [(one["slices"], one["chosen"]) for one in told["series"]] == [(4, True)]
    assert "Quellmaltz" not in answer.text
    names = [path.name for path in server.service.folders.root.rglob("*")]
    assert not [name for name in names if "Quell" in name or name.startswith("IM")]


def test_one_of_several_series_is_named(server: Asked) -> None:
    files = dicom_files(4) + dicom_files(3, SeriesNumber=2, SeriesInstanceUID="1.2.3.9")
    tokens = {one["token"]: one["slices"] for one in sent(server, files).json()["series"]}
    token = next(token for token, slices in tokens.items() if slices == 3)
    told = sent(server, files, series=token).json()
    assert told["grid"] == [3, 24, 20]
    assert [one["slices"] for one in told["series"] if one["chosen"]] == [3]
    assert opened(server.service, told["id"]).grid == (3, 24, 20)


def test_nobody_who_sends_is_told_to_give_a_flag(server: Asked) -> None:
    two = dicom_files(4) + dicom_files(3, SeriesNumber=2, SeriesInstanceUID="1.2.3.9")
    told = sent(server, two).json()
    assert [note["code"] for note in told["warnings"]] == ["series_chosen"]
    job = server.job(told["id"], report="Hazy opacity in the left lung.")["id"]
    server.ended(job)
    view = server.client.get(f"/v1/jobs/{job}/view").json()
    assert "series_chosen" in [note["code"] for note in view["warnings"]]
    gap = dicom_files(9)
    for answer in (
        sent(server, [*gap[:4], *gap[6:]]),
        sent(server, gap, series="7"),
        sent(server, dicom_files(1) + dicom_files(1, SeriesNumber=2, SeriesInstanceUID="1.2.3.9")),
    ):
        assert answer.status_code in (400, 422)
        assert "--" not in answer.json()["error"]["message"]
    assert not [note for note in (*told["warnings"], *view["warnings"]) if "--" in note["message"]]


def test_where_no_rule_tells_the_series_are_listed(server: Asked) -> None:
    """A program, and the page, goes on with what the error holds; nothing of the try is kept."""
    files = dicom_files(1) + dicom_files(1, SeriesNumber=2, SeriesInstanceUID="1.2.3.9")
    before = sorted((server.service.folders.root / "images").iterdir())
    answer = sent(server, files)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "series_needed"
    assert [(one["slices"], one["chosen"]) for one in error["details"]["series"]] == [(1, False)] * 2
    assert sorted((server.service.folders.root / "images").iterdir()) == before
    token = error["details"]["series"][1]["token"]
    told = sent(server, files, series=token)
    assert told.status_code == 201, told.text
    assert [one["chosen"] for one in told.json()["series"]] == [False, True]


@pytest.mark.parametrize(
    ("data", "fields", "status", "code"),
    [
        (b"%PDF-1.4 no image", {}, 422, "input_refused"),
        (b"", {}, 422, "input_refused"),
        (png()[:60], {}, 422, "input_refused"),
        (png(), {"modality": "nonsense"}, 400, "wrong_arguments"),
        (png(), {"frame": "upside-down"}, 400, "wrong_arguments"),
        (png(), {"series": "3"}, 422, "input_refused"),
    ],
)
def test_what_is_no_image_is_refused_and_not_kept(
    shared: Asked, data: bytes, fields: dict[str, str], status: int, code: str
) -> None:
    before = set((shared.service.folders.root / "images").iterdir())
    answer = sent(shared, [("a.png", data)], **fields)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] == code
    assert len(answer.json()["error"]["message"].splitlines()) == 1
    assert set((shared.service.folders.root / "images").iterdir()) == before


def test_other_bodies_are_refused(server: Asked) -> None:
    assert server.client.post("/v1/images", content=png()).json()["error"]["code"] == "unsupported_media_type"
    answer = server.client.post("/v1/images", data={"modality": "CR"}, files=[("other", ("a.png", b"x"))])
    assert answer.json()["error"]["code"] == "bad_request"
    assert list((server.service.folders.root / "images").iterdir()) == []


def test_an_upload_has_a_limit(serve: Serve) -> None:
    server = serve(max_upload_mb=1)
    answer = sent(server, [("a.png", png() + b"\0" * 2**20)])
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")

    def pieces() -> Any:  # without a content-length
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        for _ in range(40):
            yield b"\0" * 2**16

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert server.client.post("/v1/images", content=pieces(), headers=kind).status_code == 413
    assert list((server.service.folders.root / "images").iterdir()) == []


def test_an_upload_that_breaks_off_leaves_nothing(server: Asked) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    half = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n' + png()
    answer = server.client.post("/v1/images", content=half, headers=kind)
    assert answer.json()["error"]["code"] == "bad_request"
    assert list((server.service.folders.root / "images").iterdir()) == []


def test_only_this_user_may_look(server: Asked) -> None:
    told = server.image()
    root = server.service.folders.root
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert stat.S_IMODE((root / "images" / told["id"]).stat().st_mode) == 0o700
    assert stat.S_IMODE((root / "images" / told["id"] / "image.json").stat().st_mode) == 0o600


def test_a_removed_image_takes_its_jobs_with_it(server: Asked) -> None:
    job = server.done()
    image = server.client.get(f"/v1/jobs/{job}").json()["image"]
    assert server.client.delete(f"/v1/images/{image}").status_code == 204
    for path in (f"/v1/images/{image}", f"/v1/jobs/{job}", f"/v1/jobs/{job}/result"):
        assert server.client.get(path).status_code == 404
    assert not list((server.service.folders.root / "images").iterdir())
    assert not list((server.service.folders.root / "jobs").iterdir())
    assert server.client.delete(f"/v1/images/{image}").status_code == 404


def test_what_has_expired_is_swept(serve: Serve) -> None:
    server = serve(keep_hours=1.0)
    job = server.done()
    assert sweep(server.service) == 0
    row = server.service.store.job(job)
    assert row is not None
    assert row.expires is not None
    assert sweep(server.service, row.expires + 1) == 2  # the job and its image
    assert not list((server.service.folders.root / "images").iterdir())
    assert not list((server.service.folders.root / "jobs").iterdir())


def test_folders_without_a_row_go_once_they_are_old(server: Asked) -> None:
    told = server.image()
    lost = server.service.folders.root / "images" / ".part-ix"
    lost.mkdir()
    clear(server.service)
    assert lost.is_dir()  # an upload may be going on
    clear(server.service, stale=-1)
    assert not lost.exists()
    assert opened(server.service, told["id"]).grid == (48, 48)


def test_an_upload_that_takes_hours_is_not_swept_away(server: Asked) -> None:
    """One file that is still written: the folder's own time is that of its beginning."""
    coming = server.service.folders.root / "images" / ".part-ix"
    coming.mkdir()
    (coming / "0001.nii.gz").write_bytes(b"a part")
    long_ago = time.time() - 7200
    os.utime(coming, (long_ago, long_ago))
    clear(server.service)
    assert coming.is_dir()
    os.utime(coming / "0001.nii.gz", (long_ago, long_ago))
    clear(server.service)
    assert not coming.exists()


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_examples_are_known_to_be_made(name: str, tmp_path: Path) -> None:
    """A model draws in them what it learned from such pictures only, also in the volume."""
    modality, _ = EXAMPLES[name].write(tmp_path)
    (file,) = tmp_path.iterdir()
    assert is_made(read_image(file, modality=modality).data)


@pytest.mark.parametrize("name", ["chest", "abdomen", "mucosa", "ultrasound", "cells", "volume"])
def test_examples_are_images_with_a_report(shared: Asked, name: str) -> None:
    answer = shared.client.post(f"/v1/images/example/{name}")
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert len(told["grid"]) == (3 if name == "volume" else 2)
    assert told["modality"]
    read = shared.client.post("/v1/parse", json={"report": told["report"], "modality": told["modality"]})
    assert any(item["reason"] is None for item in read.json()["findings"])
    assert shared.client.get(f"/v1/images/{told['id']}").json()["report"] == told["report"]


def test_no_other_example(server: Asked) -> None:
    assert server.client.post("/v1/images/example/knee").json()["error"]["code"] == "not_found"
    listed = {one["id"] for one in server.client.get("/v1/capabilities").json()["examples"]}
    assert listed == {*KINDS, "volume"}


def test_a_picture_of_the_largest_side_is_read_by_its_own_limits(serve: Serve) -> None:
    from medsegr.io.limits import Limits

    server = serve(limits=Limits(pixels=1000))
    out = io.BytesIO()
    Picture.fromarray(np.zeros((40, 40), np.uint8)).save(out, format="PNG")
    answer = sent(server, [("a.png", out.getvalue())])
    assert answer.status_code == 422
    assert "pixels" in answer.json()["error"]["message"]
