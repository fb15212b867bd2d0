"""Sessions over HTTP: every step, what it shows, what is kept of it, who may take it, and what is refused."""

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image as Picture

from made_discs import Disc
from medsegr.prompts.runs import runs_of
from medsegr.serve import work
from medsegr.serve.app import create_app
from medsegr.serve.desk import Desk
from medsegr.serve.keys import new_key
from medsegr.serve.refusal import Refusal
from medsegr.serve.settings import Settings
from medsegr.session import Model

REPORT = "Hazy opacity in the left lung. Nodule in the right lung. No pneumothorax."
GRID = (48, 64)


def png(seed: int = 0) -> bytes:
    values = np.random.default_rng(seed).integers(0, 255, GRID).astype(np.uint8)
    out = io.BytesIO()
    Picture.fromarray(values).save(out, "PNG")
    return out.getvalue()


def nifti() -> bytes:
    values = np.random.default_rng(1).uniform(0, 255, (40, 36, 12)).astype(np.float32)
    return gzip.compress(nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 3.0, 1.0])).to_bytes())


@dataclass
class Asked:
    """A server, asked as the page asks it."""

    http: TestClient
    headers: dict[str, str]

    def send(self, data: bytes, name: str = "x.png", **fields: str) -> str:
        files = [("files", (name, data))]
        answer = self.http.post("/v1/images", files=files, data=fields, headers=self.headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def begin(self, **given: str) -> dict[str, Any]:
        answer = self.http.post("/v1/sessions", json=given, headers=self.headers)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def do(self, session: str, what: str, body: Any = None, status: int = 200) -> dict[str, Any]:
        answer = self.http.post(f"/v1/sessions/{session}/{what}", json=body, headers=self.headers)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    def layer(self, path: str) -> np.ndarray:
        answer = self.http.get(path, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return np.asarray(nibabel.Nifti1Image.from_bytes(gzip.decompress(answer.content)).dataobj)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(work, "load", lambda _settings: Model(Disc()))
    return Settings(data_dir=tmp_path / "data", model="threshold", workers=0, rate=0)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Asked, str]]:
    """One session with one step, for requests that are all refused."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "load", lambda _settings: Model(Disc()))
        made = Settings(data_dir=tmp_path_factory.mktemp("data"), model="threshold", workers=0, rate=0)
        with TestClient(create_app(made), base_url="http://127.0.0.1") as http:
            server = Asked(http, {})
            own = server.begin(image=server.send(png(), modality="CR"))["id"]
            server.do(own, "segment", {"phrases": ["nodule"]})
            yield server, own


@pytest.fixture
def server(settings: Settings) -> Iterator[Asked]:
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as http:
        yield Asked(http, {})


def drawn(told: dict[str, Any], finding: str = "f1") -> dict[str, Any]:
    return next(item for item in told["view"]["findings"] if item["id"] == finding)


def test_every_step(server: Asked) -> None:
    begun = server.begin(image=server.send(png(), modality="CR"))
    assert (begun["steps"], begun["can_undo"], begun["view"]["findings"]) == (0, False, [])
    own = begun["id"]
    told = server.do(own, "segment", {"report": REPORT})
    assert [item["status"] for item in told["view"]["findings"]] == ["segmented", "segmented", "skipped"]
    assert told["view"]["report"]["text"] == REPORT
    first = server.layer(drawn(told)["layer"])[..., 0].T > 0
    told = server.do(own, "refine", {"finding": "f1", "points": [[10, 12, 1]]})
    mask = server.layer(drawn(told)["layer"])[..., 0].T > 0
    assert mask.shape == GRID
    assert mask[12, 10]
    assert not first[12, 10]
    told = server.do(own, "candidates", {"finding": "f1"})
    assert (told["steps"], bool(told["candidates"])) == (2, True)
    offer = told["candidates"][0]
    shown = server.layer(offer["layer"])
    assert shown.astype(bool).sum() == offer["pixels"]
    past = offer["layer"].replace("candidate-0", f"candidate-{len(told['candidates'])}")
    assert past != offer["layer"]
    assert server.http.get(past).status_code == 404
    told = server.do(own, "choose", {"finding": "f1", "how": offer["how"]})
    assert (server.layer(drawn(told)["layer"]) == shown).all()
    assert told["candidates"] == []
    assert server.http.get(offer["layer"]).status_code == 404, "answers are those of the newest step"
    wanted = np.random.default_rng(3).random(GRID) < 0.5
    told = server.do(own, "paint", {"finding": "f1", "rle": runs_of(wanted)})
    assert ((server.layer(drawn(told)["layer"])[..., 0].T > 0) == wanted).all()
    assert drawn(told)["review"]["edited"]
    told = server.do(own, "undo")
    assert (told["steps"], told["can_redo"]) == (3, True)
    assert (server.layer(drawn(told)["layer"]) == shown).all()
    told = server.do(own, "redo")
    told = server.do(own, "draw", {"phrase": "nodule", "box": [2, 2, 14, 12]})
    assert [item["id"] for item in told["view"]["findings"]][-1] == "f4"
    told = server.do(own, "accept", {"finding": "f1"})
    assert drawn(told)["review"]["accepted"]
    assert server.do(own, "refine", {"finding": "f1", "points": [[1, 1, 1]]}, 400)["error"]["code"] == (
        "wrong_arguments"
    )
    shown_again = server.http.get(f"/v1/sessions/{own}").json()
    assert shown_again["steps"] == 6
    assert shown_again["view"] == told["view"]
    assert server.layer(drawn(told)["free_layer"]).any()


def test_a_result_is_saved_as_a_job_with_every_download(server: Asked) -> None:
    own = server.begin(image=server.send(png(), modality="CR"))["id"]
    assert server.do(own, "save", status=400)["error"]["code"] == "wrong_arguments"
    server.do(own, "segment", {"phrases": ["nodule", "opacity"]})
    server.do(own, "paint", {"finding": "f1", "rle": runs_of(np.eye(*GRID))})
    job = server.do(own, "save")
    assert job["state"] == "done"
    told = server.http.get(f"/v1/jobs/{job['id']}/result").json()
    assert told["findings"][0]["review"]["edited"]
    files = zipfile.ZipFile(io.BytesIO(server.http.get(f"/v1/jobs/{job['id']}/result?format=zip").content))
    mask = np.asarray(Picture.open(io.BytesIO(files.read("masks/f1.png"))))
    assert ((mask > 0) == np.eye(*GRID, dtype=bool)).all()
    again = server.begin(job=job["id"])
    assert again["view"]["report"]["text"] == "nodule\nopacity"
    shown = server.layer(drawn(again)["layer"])[..., 0].T > 0
    assert (shown == np.eye(*GRID, dtype=bool)).all()
    told = server.do(again["id"], "refine", {"finding": "f1", "points": [[40, 4, 1]]})
    assert (server.layer(drawn(told)["layer"])[..., 0].T > 0)[4, 40]
    assert drawn(told)["review"]["edited"]


def test_what_was_doubtful_before_a_correction_is_so_after_it(server: Asked) -> None:
    own = server.begin(image=server.send(png()))["id"]
    told = server.do(
        own, "segment", {"report": f"{REPORT} Quibble frobnication of the dorsal umbrage noted."}
    )
    doubts = {note["code"] for note in told["view"]["warnings"]}
    assert "passage_unread" in doubts
    job = server.do(own, "save")["id"]
    again = server.begin(job=job)
    assert {note["code"] for note in again["view"]["warnings"]} == doubts
    told = server.do(again["id"], "refine", {"finding": "f1", "points": [[10, 12, 1]]})
    assert "passage_unread" in {note["code"] for note in told["view"]["warnings"]}
    saved = server.do(again["id"], "save")["id"]
    result = server.http.get(f"/v1/jobs/{saved}/result").json()
    assert "passage_unread" in {note["code"] for note in result["warnings"]}


def test_on_a_volume(server: Asked) -> None:
    own = server.begin(image=server.send(nifti(), "ct.nii.gz", modality="CT"))["id"]
    told = server.do(own, "segment", {"text": "Nodule in the right lung."})
    assert server.do(own, "refine", {"points": [[3, 3, 1]]}, 400)["error"]["message"].count("slice") >= 1
    cut = told["view"]["image"]["cut"]
    flat = [n for axis, n in enumerate((40, 36, 12)) if axis != cut]
    told = server.do(own, "refine", {"points": [[3, 5, 1]], "slice": 6})
    mask = server.layer(drawn(told)["layer"])
    assert np.take(mask, 6, axis=cut)[5, 3]
    offers = server.do(own, "candidates", {})["candidates"]
    assert {one["slice"] for one in offers} == {6}
    shown = server.layer(offers[0]["layer"])
    assert shown.shape == (40, 36, 12)
    assert np.take(shown, 6, axis=cut).any()
    wanted = np.random.default_rng(3).random(flat) < 0.5
    told = server.do(own, "paint", {"finding": "f1", "slice": 2, "rle": runs_of(wanted)})
    assert (np.take(server.layer(drawn(told)["layer"]), 2, axis=cut).astype(bool) == wanted).all()


def test_a_session_is_deleted_while_the_thread_is_busy(
    server: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is gone for everybody; what the thread holds of it is tidied up later."""
    own = server.begin(image=server.send(png(), modality="CR"))["id"]

    async def busy(_desk: Desk, _name: str) -> None:
        raise Refusal("timeout")

    monkeypatch.setattr(Desk, "close", busy)
    assert server.http.delete(f"/v1/sessions/{own}").status_code == 204
    assert server.http.get(f"/v1/sessions/{own}").status_code == 404


def test_after_a_restart_a_session_is_as_it_was(settings: Settings) -> None:
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as http:
        server = Asked(http, {})
        image = server.send(png(), modality="CR")
        own = server.begin(image=image)["id"]
        server.do(own, "segment", {"report": REPORT})
        server.do(own, "refine", {"finding": "f2", "points": [[10, 12, 1]]})
        server.do(own, "paint", {"finding": "f1", "rle": runs_of(np.eye(*GRID))})
        before = server.do(own, "undo")
        job = server.do(own, "save")["id"]
        other = server.begin(job=job)["id"]
        after_job = server.do(other, "refine", {"finding": "f2", "points": [[3, 3, 1]]})
        empty = server.begin(image=image)["id"]
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as http:
        server = Asked(http, {})
        again = http.get(f"/v1/sessions/{own}").json()
        assert again["view"]["findings"] == before["view"]["findings"], "masks are in the layers' addresses"
        assert (again["steps"], again["can_undo"], again["can_redo"]) == (2, True, False)
        assert http.get(f"/v1/sessions/{other}").json()["view"]["findings"] == after_job["view"]["findings"]
        assert http.get(f"/v1/sessions/{empty}").json()["steps"] == 0
        assert server.do(own, "undo")["steps"] == 1


def test_steps_can_be_fetched_and_replayed_here(server: Asked, tmp_path: Path) -> None:
    data = png()
    own = server.begin(image=server.send(data))["id"]
    assert server.http.get(f"/v1/sessions/{own}/steps").json()["error"]["code"] == "not_done"
    server.do(own, "segment", {"report": REPORT})
    told = server.do(own, "paint", {"finding": "f1", "rle": runs_of(np.eye(*GRID))})
    answer = server.http.get(f"/v1/sessions/{own}/steps")
    assert "opacity" not in answer.text
    assert answer.headers["content-disposition"] == 'attachment; filename="session.json"'
    (tmp_path / "x.png").write_bytes(data)
    (tmp_path / "steps.json").write_bytes(answer.content)
    session = Model(Disc()).replay(tmp_path / "steps.json", tmp_path / "x.png", report=REPORT)
    assert session.result is not None
    assert (session.result["f1"].mask == np.eye(*GRID, dtype=bool)).all()
    assert len(session.steps) == told["steps"]


def test_what_is_kept_is_for_this_user_alone_and_goes_with_the_session(
    server: Asked, settings: Settings
) -> None:
    image = server.send(png())
    own = server.begin(image=image)["id"]
    server.do(own, "segment", {"report": REPORT})
    folder = settings.data_dir / "sessions" / own
    kept = json.loads((folder / "session.json").read_text(encoding="utf-8"))
    assert kept["steps"][0]["report"]["text"] == REPORT
    assert (folder / "session.json").stat().st_mode & 0o777 == 0o600
    assert server.do(own, "undo")["steps"] == 0
    assert not (folder / "session.json").exists(), "what was undone is not kept"
    assert server.http.delete(f"/v1/sessions/{own}").status_code == 204
    assert not folder.exists()
    assert server.http.get(f"/v1/sessions/{own}").status_code == 404
    other = server.begin(image=image)["id"]
    assert server.http.delete(f"/v1/images/{image}").status_code == 204
    assert server.http.get(f"/v1/sessions/{other}").status_code == 404
    assert not (settings.data_dir / "sessions" / other).exists()


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("refine", {"finding": "f1", "points": [[1, 2]]}, 422),
        ("refine", {"finding": "f1", "points": [[1, 2, 3]]}, 422),
        ("refine", {"finding": "f1", "points": [[1e9, 2, 1]]}, 422),
        ("refine", {"finding": "f1", "points": [[500, 2, 1]]}, 400),
        ("refine", {"finding": "f1", "points": [[1, 1, 1]] * 201}, 422),
        ("refine", {"finding": "f1", "box": [5, 5, 5, 9]}, 400),
        ("refine", {"finding": "f1", "points": [[1, 2, 1]], "slice": 0}, 400),
        ("refine", {"finding": "f9", "points": [[1, 2, 1]]}, 400),
        ("refine", {"finding": "../f1", "points": [[1, 2, 1]]}, 422),
        ("refine", {"finding": "f1"}, 400),
        ("refine", {"finding": "f1", "points": [[1, 2, 1]], "more": 1}, 422),
        ("paint", {"finding": "f1", "rle": {"size": [48, 64], "counts": [5]}}, 400),
        ("paint", {"finding": "f1", "rle": {"size": [64, 48], "counts": [3072]}}, 400),
        ("paint", {"finding": "f1", "rle": {"size": [2**39, 2**39], "counts": [2**40]}}, 400),
        ("paint", {"finding": "f1", "rle": {"size": [48], "counts": [3072]}}, 422),
        ("paint", {"finding": "f1", "rle": {"size": [48, 64], "counts": [-3072]}}, 422),
        ("choose", {"finding": "f1", "number": 0}, 400),
        ("choose", {"finding": "f1", "how": "none"}, 400),
        ("choose", {"finding": "f1", "number": -1}, 422),
        ("choose", {"finding": "f1"}, 422),
        ("choose", {"finding": "f1", "number": 0, "how": "tighter"}, 422),
        ("candidates", {"finding": "f1"}, 400),
        ("redo", None, 400),
        ("segment", {"report": "a", "text": "b"}, 422),
        ("segment", {"report": " "}, 422),
        ("draw", {"phrase": "nodule and effusion", "points": [[1, 2, 1]]}, 400),
        ("dance", {}, 404),
    ],
)
def test_refusals_change_nothing(begun: tuple[Asked, str], what: str, body: Any, status: int) -> None:
    server, own = begun
    before = server.http.get(f"/v1/sessions/{own}").json()
    error = server.do(own, what, body, status)["error"]
    assert set(error) == {"code", "message"}
    assert "\n" not in error["message"]
    after = server.http.get(f"/v1/sessions/{own}").json()
    assert (after["view"], after["steps"]) == (before["view"], 1)
    assert after["candidates"] == []


def test_numbers_that_are_none_are_refused(begun: tuple[Asked, str]) -> None:
    server, own = begun
    for number in ("NaN", "Infinity", "-Infinity", "1e999", "9" * 5000):
        body = f'{{"finding": "f1", "points": [[{number}, 2, 1]]}}'
        answer = server.http.post(
            f"/v1/sessions/{own}/refine", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code in (400, 422), answer.text
        assert set(answer.json()["error"]) == {"code", "message"}


@pytest.mark.parametrize("given", [{}, {"image": "i" + "a" * 22, "job": "j" + "a" * 22}, {"image": "../x"}])
def test_a_session_needs_an_image_or_a_job(server: Asked, given: dict[str, str]) -> None:
    assert server.http.post("/v1/sessions", json=given).status_code == 422
    for missing in ({"image": "i" + "a" * 22}, {"job": "j" + "a" * 22}):
        assert server.http.post("/v1/sessions", json=missing).status_code == 404
    for wrong in ("s" + "a" * 22, "..", "%2e%2e", "s%00", "i" + "a" * 22):
        assert server.http.get(f"/v1/sessions/{wrong}").status_code == 404


def test_only_so_many_steps(server: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medsegr.serve.sessions.STEPS", 2)
    own = server.begin(image=server.send(png()))["id"]
    for _ in range(2):
        server.do(own, "segment", {"phrases": ["nodule"]})
    assert server.do(own, "segment", {"phrases": ["nodule"]}, 409)["error"]["code"] == "too_many_steps"
    server.do(own, "undo")
    server.do(own, "segment", {"phrases": ["nodule"]})


def test_another_key_may_look_and_not_touch(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    roles = {"ann": "write", "bob": "write", "eve": "read", "boss": "admin"}
    keys = {name: {"authorization": f"Bearer {new_key(name, role, path)}"} for name, role in roles.items()}
    app = create_app(replace(settings, api_key_file=path))
    with TestClient(app, base_url="http://127.0.0.1") as http:
        ann = Asked(http, keys["ann"])
        image = ann.send(png())
        own = ann.begin(image=image)["id"]
        ann.do(own, "segment", {"phrases": ["nodule"]})
        for name in ("bob", "eve"):
            other = Asked(http, keys[name])
            assert http.get(f"/v1/sessions/{own}", headers=keys[name]).status_code == 200
            assert other.do(own, "undo", status=403)["error"]["code"] == "forbidden"
            for place in (f"sessions/{own}", f"images/{image}"):
                assert http.delete(f"/v1/{place}", headers=keys[name]).status_code == 403
        assert http.get(f"/v1/sessions/{own}").status_code == 401
        Asked(http, keys["bob"]).do(own, "save")
        assert Asked(http, keys["boss"]).do(own, "undo")["steps"] == 0
        assert http.delete(f"/v1/images/{image}", headers=keys["boss"]).status_code == 204
