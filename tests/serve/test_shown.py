"""The routes of the page's drawing, on results that lie there already: no model runs."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from medsegr.cli.view import ViewFlags, put
from medsegr.errors import InputError
from medsegr.io.read import read_image
from medsegr.measure import measure
from medsegr.options import Options
from medsegr.report.parse import parse
from medsegr.results.record import save
from medsegr.types import FindingResult, Result

pytest.importorskip("fastapi", reason="the package fastapi is not here (extra serve)")

TEXT = "Small nodule in the left upper lung. No pneumothorax.\n"


@pytest.fixture
def case(tmp_path: Path) -> SimpleNamespace:
    """An image, its report and the folder of its result."""
    image, report = tmp_path / "chest.png", tmp_path / "chest.txt"
    values = np.random.default_rng(2).integers(0, 250, (12, 16)).astype(np.uint8)
    Picture.fromarray(values).save(image)
    report.write_text(TEXT, encoding="utf-8")
    read = read_image(image, modality="CR")
    words = parse(TEXT, modality="CR")
    mask = np.zeros(read.grid, bool)
    mask[2:6, 8:12] = True
    first = FindingResult(words.findings[0], "segmented", mask=mask, measurements=measure(read, mask))
    rest = FindingResult(words.findings[1], "skipped", "absent")
    result = Result(read, words, (first, rest), {"name": "m", "sha256": "ab", "licence": "x"})
    save(result, tmp_path / "out", Options())
    return SimpleNamespace(image=image, report=report, out=tmp_path / "out", data=tmp_path / "data")


def settings(case: SimpleNamespace) -> Any:
    from medsegr.serve.settings import Settings

    return Settings(data_dir=case.data, read_only=True, rate=0)


@pytest.fixture
def opened(case: SimpleNamespace) -> Iterator[Any]:
    """A function that opens the case with some flags and gives a client and the job's id."""
    from starlette.testclient import TestClient

    from medsegr.serve.app import create_app

    clients = []

    def go(**flags: Any) -> tuple[Any, str]:
        job = put(settings(case), case.out, ViewFlags(**flags))
        client = TestClient(create_app(settings(case)), base_url="http://127.0.0.1:1527")
        client.__enter__()
        clients.append(client)
        return client, job

    yield go
    for client in clients:
        client.__exit__()


def test_a_folder_with_image_and_report_is_shown_whole(case: SimpleNamespace, opened: Any) -> None:
    client, job = opened(input=case.image, report=case.report)
    view = client.get(f"/v1/jobs/{job}/view").json()
    assert view["read_only"]
    assert view["report"]["text"] == TEXT
    assert not view["image"]["blank"]
    layers = [view["image"]["layer"], *(item["layer"] for item in view["findings"] if item["layer"])]
    assert len(layers) == 2
    for url in layers:
        answer = client.get(url)
        assert answer.status_code == 200
        assert answer.content[:2] == b"\x1f\x8b"
    image = client.get("/v1/jobs").json()["jobs"][0]["image"]
    assert client.get(f"/v1/images/{image}/layers/image.nii.gz").content == client.get(layers[0]).content


def test_without_image_and_report_what_there_is_is_shown(opened: Any) -> None:
    client, job = opened()
    view = client.get(f"/v1/jobs/{job}/view").json()
    assert view["report"]["text"] is None
    assert view["image"]["blank"]
    assert [item["phrase"] for item in view["findings"]][1] == "pneumothorax"
    assert client.get(view["findings"][0]["layer"]).status_code == 200


@pytest.mark.parametrize("name", ["f9", "f1.map", "..%2F..%2Fx", "image.free"])
def test_a_layer_that_is_not_there_is_not_found(opened: Any, case: SimpleNamespace, name: str) -> None:
    client, job = opened(input=case.image)
    answer = client.get(f"/v1/jobs/{job}/layers/{name}.nii.gz")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_nothing_can_be_changed(opened: Any) -> None:
    client, job = opened()
    assert client.post(f"/v1/jobs/{job}/cancel").status_code == 403
    assert client.delete(f"/v1/jobs/{job}").status_code == 403


def test_nothing_of_the_folder_is_changed_or_copied(opened: Any, case: SimpleNamespace) -> None:
    before = {path: path.read_bytes() for path in case.out.rglob("*") if path.is_file()}
    client, job = opened(input=case.image)
    assert client.get(f"/v1/jobs/{job}/result?format=json").status_code == 200
    assert {path: path.read_bytes() for path in case.out.rglob("*") if path.is_file()} == before


def test_another_image_report_or_folder_is_refused(case: SimpleNamespace, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    Picture.fromarray(np.zeros((12, 16), np.uint8)).save(other)
    words = tmp_path / "other.txt"
    words.write_text("Left lung.", encoding="utf-8")
    for folder, flags, told in (
        (case.out, ViewFlags(input=other), "the image is another one"),
        (case.out, ViewFlags(report=words), "the report is another one"),
        (case.out, ViewFlags(input=tmp_path / "none.png"), "no such image"),
        (tmp_path, ViewFlags(), "no manifest.json"),
    ):
        with pytest.raises(InputError, match=told):
            put(settings(case), folder, flags)


def test_a_job_that_runs_shows_what_came_so_far(case: SimpleNamespace) -> None:
    import time

    from medsegr.serve import folders, partial
    from medsegr.serve.app import service_of
    from medsegr.serve.images import add
    from medsegr.serve.rows import JobRow
    from medsegr.serve.shown import so_far, view_now
    from medsegr.serve.view import view_of, view_of_result
    from medsegr.serve.wire import Words
    from medsegr.serve.words import write

    service = service_of(settings(case))
    files = case.data / "images" / "sent"
    files.mkdir()
    (files / "0001.png").write_bytes(case.image.read_bytes())
    image = add(service, files, {"modality": "CR"}, "")
    row = JobRow("jAAAAAAAAAAAAAAAAAAAAAA", image.id, "", "running", time.time(), "report")
    write(service.folders.job(row.id), Words(report=TEXT), Options())
    read = read_image(case.image, modality="CR")
    before = view_of_result(so_far(service, row, read), "/b")
    assert before["findings"] == []
    assert [item["phrase"] for item in before["waiting"]][1] == "pneumothorax"
    finding = parse(TEXT, modality="CR").findings[0]
    done = view_of(case.out, read, TEXT, "/b")["findings"][0]
    mask = np.zeros(read.grid, bool)
    mask[2:6, 8:12] = True
    partial.write(service.folders.job(row.id), FindingResult(finding, "segmented", mask=mask))
    view = view_of_result(so_far(service, row, read), "/b")
    assert view["report"]["text"] == TEXT
    assert [item["id"] for item in view["findings"]] == ["f1"]
    assert [item["id"] for item in view["waiting"]] == ["f2"]
    assert view["findings"][0]["layer"] == done["layer"]  # the page need not fetch it twice
    assert done["layer"].startswith("/b/layers/f1.nii.gz")
    service.store.add_job(row, 9)
    untold = view_now(service, row, read_image(case.image))["image"]["letters"]
    assert untold is None  # nobody said whose left is meant, and the words are not judged yet
    letters = view_now(service, row, read)["image"]["letters"]
    assert letters is not None
    assert letters["left"] == "R"
    folders.remove(case.data)
    service.store.close()
