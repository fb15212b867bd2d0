"""The client does what the local calls do, bit for bit, over real connections; it says why it cannot."""

import gzip
import json
import math
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import nibabel
import numpy as np
import pytest

import medsegr
from dicom_files import write_ct
from live import Live, running
from made_discs import Disc
from medsegr.errors import InputError, RemoteError, UsageError
from medsegr.phantom import make
from medsegr.results.export import Written
from medsegr.results.record import result_json
from medsegr.results.schema import finding_json
from medsegr.serve import remote, work
from medsegr.serve.answers import layer_of, unpacked
from medsegr.serve.client import Client
from medsegr.serve.keys import new_key
from medsegr.serve.settings import Settings
from medsegr.session import Model

REPORT = "Hazy opacity in the left lung. Nodule in the right lung. No pneumothorax."
LOAD = work.load


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "load", lambda _settings: Model(Disc(hears=True)))
        data = tmp_path_factory.mktemp("data")
        with running(Settings(data_dir=data, model="threshold", workers=0, rate=0)) as server:
            yield server


@pytest.fixture
def client(live: Live) -> Iterator[Client]:
    with Client(live.url) as made:
        yield made


def picture(folder: Path) -> Path:
    from PIL import Image

    values = np.random.default_rng(0).integers(0, 255, (48, 64)).astype(np.uint8)
    Image.fromarray(values).save(folder / "Doe John.png")
    return folder / "Doe John.png"


def volume(folder: Path) -> Path:
    values = np.random.default_rng(1).uniform(0, 255, (40, 36, 12)).astype(np.float32)
    path = folder / "ct.nii.gz"
    path.write_bytes(gzip.compress(nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 3.0, 1.0])).to_bytes()))
    return path


def near(one: Any, other: Any) -> bool:
    """The same JSON; numbers of a network may differ in their last digit from thread to thread."""
    if isinstance(one, dict) and isinstance(other, dict):
        return set(one) == set(other) and all(near(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(near, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-3, abs_tol=2e-4)
    return bool(one == other)


def same(here: Any, there: Any) -> None:
    """Two results tell the same: findings, statuses, numbers, checks, reviews, every pixel of the masks."""
    told = [[result_json(item, Written()) for item in result.findings] for result in (here, there)]
    assert near(*told)
    for mine, other in zip(here.findings, there.findings, strict=True):
        assert (other.mask is None) == (mine.mask is None)
        if mine.mask is not None:
            assert other.mask.dtype == bool
            assert other.mask.shape == mine.mask.shape
            assert (other.mask == mine.mask).all()


def both(here: Any, there: Any, play: Callable[[Any], Any]) -> Any:
    """The same call on a local and a remote session; what it gave here."""
    mine, other = play(here), play(there)
    same(mine, other)
    same(here.result, there.result)
    assert (here.can_undo, here.can_redo, len(here.steps)) == (there.can_undo, there.can_redo, there.steps)
    return mine


def walk(here: Any, there: Any, flat: tuple[int, int], at: int | None) -> None:
    """Every method of a session, once."""
    wanted = np.random.default_rng(3).random(flat) < 0.5
    both(here, there, lambda it: it.segment(report=REPORT))
    both(here, there, lambda it: it.refine("f1", points=[[10.25, 12, 1], [3, 3, 0]], slice=at))
    both(here, there, lambda it: it.refine("f1", points=np.array([[11, 12, 1]]), slice=at))
    mine, other = here.candidates("f1"), there.candidates("f1")
    assert [(one.how, one.score, one.followed) for one in other] == [
        (one.how, one.score, one.followed) for one in mine
    ]
    assert all((a.mask == b.mask).all() for a, b in zip(mine, other, strict=True))
    both(here, there, lambda it: it.choose(0, "f1"))
    both(here, there, lambda it: it.undo())
    both(here, there, lambda it: it.choose(mine[0].how, "f1"))
    both(here, there, lambda it: it.paint("f1", wanted, at))
    both(here, there, lambda it: it.undo())
    both(here, there, lambda it: it.redo())
    both(here, there, lambda it: it.draw("nodule", box=(2, 2, 14, 12), slice=at))
    both(here, there, lambda it: it.draw(box=[[2, 2, 9, 9], [20, 20, 30, 30]], slice=at))
    both(here, there, lambda it: it.refine("f4", mask=wanted, slice=at))
    both(here, there, lambda it: it.accept("f1"))
    for wrong in (
        lambda it: it.refine("f1", points=[[1, 1, 1]], slice=at),
        lambda it: it.refine("f2", points=[[999, 1, 1]], slice=at),
        lambda it: it.refine("f2", points=[[np.nan, 1, 1]], slice=at),
        lambda it: it.paint("f2", wanted[:-1], at),
        lambda it: it.accept("f9"),
        lambda it: it.redo(),
        lambda it: it.segment("a", report="b"),
    ):
        for session in (here, there):
            with pytest.raises(UsageError):
                wrong(session)
    both(here, there, lambda it: it.segment(["nodule", "opacity"]))
    both(here, there, lambda it: it.segment("right lung"))


def test_a_session_on_a_picture_is_the_local_one(client: Client, tmp_path: Path) -> None:
    path = picture(tmp_path)
    here = Model(Disc(hears=True)).open(path, modality="CR")
    there = client.open(path, modality="CR")
    assert there.result.findings == ()
    walk(here, there, (48, 64), None)
    again = client.session(there.id)
    same(here.result, again.result)
    replayed = Model(Disc(hears=True)).replay(there.save(tmp_path / "steps.json"), path, report=REPORT)
    same(here.result, replayed.result)
    there.close()
    with pytest.raises(RemoteError) as gone:
        client.session(there.id)
    assert gone.value.code == "not_found"


def test_a_session_on_a_volume_is_the_local_one(client: Client, tmp_path: Path) -> None:
    path = volume(tmp_path)
    here = Model(Disc(hears=True)).open(path, modality="CT")
    there = client.open(path, modality="CT")
    cut = there.result.view["image"]["cut"]
    flat = [n for axis, n in enumerate((40, 36, 12)) if axis != cut]
    walk(here, there, (flat[0], flat[1]), 5)


@pytest.mark.parametrize("made", [picture, volume])
def test_segment_is_the_local_one(client: Client, tmp_path: Path, made: Callable[[Path], Path]) -> None:
    path = made(tmp_path)
    told: list[str] = []
    here = Model(Disc(hears=True)).segment(path, report=REPORT)
    there = client.segment(path, report=REPORT, follow=lambda event: told.append(event["event"]))
    same(here, there)
    assert there.warnings == here.warnings
    assert told[-1] == "end"
    assert "finding" in told
    mask, mine = there.free_mask("f1"), here["f1"].free_mask
    assert (mask is None) == (mine is None)
    assert mask is None or (mask == mine).all()
    folder = there.save(tmp_path / "out")
    names = {path.name for path in folder.iterdir()}
    assert names >= {"findings.json", "manifest.json", "masks", "overlay.png"}
    session = client.resume(there.job)
    both(Model(Disc(hears=True)).resume(here), session, lambda it: it.accept("f1"))
    assert session.result.save(tmp_path / "again").is_dir()
    table = client.download(there.job, "csv", tmp_path / "numbers.csv")
    assert table.read_text(encoding="utf-8").startswith("id,name")
    for words in ({"text": "Nodule."}, {"phrases": ["nodule", "left lung"]}):
        same(Model(Disc(hears=True)).segment(path, **words), client.segment(path, **words))  # type: ignore[arg-type]


def test_arrays_folders_and_uploaded_images(client: Client, tmp_path: Path) -> None:
    values = np.random.default_rng(4).integers(0, 255, (32, 40, 3)).astype(np.uint8)
    image = client.upload(values)
    assert image["grid"] == [32, 40]
    answer = client.segment(image, phrases=["polyp"])
    assert answer["f1"].mask is not None
    with pytest.raises(KeyError, match="f1"):
        answer["f7"]
    with pytest.raises(InputError, match="uint8 h w"):
        client.upload(np.zeros((4, 4)))
    with pytest.raises(InputError, match="no file"):
        client.upload(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        client.upload(tmp_path / "none.png")
    (tmp_path / "words.png").write_text("no picture", encoding="utf-8")
    with pytest.raises(InputError):
        client.upload(tmp_path / "words.png")
    hu = np.random.default_rng(5).uniform(-100, 300, (4, 32, 24)).astype(np.float32)
    write_ct(tmp_path / "ct", hu, np.diag([1.0, 1.0, 3.0, 1.0]))
    series = client.upload(tmp_path / "ct")
    assert (sorted(series["grid"]), series["modality"]) == ([4, 24, 32], "CT")
    files = sorted((tmp_path / "ct").iterdir())
    assert client.upload(files)["grid"] == series["grid"]
    assert client.upload(tmp_path / "ct")["sha256"] == series["sha256"]
    client.delete(image["id"])
    with pytest.raises(RemoteError):
        client.job(answer.job)
    with pytest.raises(InputError, match="no id"):
        client.delete("x1")


def test_parse_is_the_local_one(client: Client) -> None:
    here, there = (one.parse(REPORT, modality="CR") for one in (Model(Disc()), client))
    assert [finding_json(item) for item in there] == [finding_json(item) for item in here]
    assert client.card["name"] == "threshold"
    assert client.ready()


def test_jobs_are_listed_cancelled_and_followed(client: Client, tmp_path: Path) -> None:
    job = client.start(picture(tmp_path), phrases=["nodule"])
    events = list(client.events(job["id"]))
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    later = list(client.events(job["id"], after=events[-2]["id"]))
    assert later == events[-1:]
    assert client.jobs(1)[0]["id"] == job["id"]
    assert client.cancel(job["id"])["state"] == "done", "what has ended stays as it is"


def test_keys_and_what_a_refusal_becomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "load", lambda _settings: Model(Disc()))
    path = tmp_path / "keys"
    key = new_key("a", "read", path)
    made = Settings(data_dir=tmp_path / "d", model="threshold", workers=0, rate=0, api_key_file=path)
    with running(made) as server:
        with Client(server.url, key) as client:
            assert client.jobs() == []
            with pytest.raises(RemoteError) as refused:
                client.start(picture(tmp_path))
            assert refused.value.code == "forbidden"
        with Client(server.url) as client, pytest.raises(RemoteError) as refused:
            client.jobs()
        assert refused.value.code == "unauthorized"
    with (
        Client(server.url, key, timeout=1) as client,
        pytest.raises(RemoteError, match="is it running") as refused,
    ):
        client.jobs()
    assert refused.value.code == "unreachable"


def answering(*answers: httpx.Response | Exception) -> tuple[Client, list[httpx.Request]]:
    """A client of a server that gives these answers one after the other."""
    asked: list[httpx.Request] = []
    rest = list(answers)

    def handle(request: httpx.Request) -> httpx.Response:
        request.read()
        asked.append(request)
        answer = rest.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Client("http://127.0.0.1", transport=httpx.MockTransport(handle), tries=3), asked


def busy(wait: str = "3", status: int = 429) -> httpx.Response:
    body = {"error": {"code": "queue_full", "message": "later"}}
    return httpx.Response(status, headers={"retry-after": wait}, json=body)


def test_requests_that_came_too_early_are_made_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rests: list[float] = []
    monkeypatch.setattr(remote.time, "sleep", rests.append)
    done = httpx.Response(201, json={"id": "i1"})
    client, asked = answering(busy(), busy("9999", 503), done)
    assert client.upload(picture(tmp_path)) == {"id": "i1"}
    assert rests == [3.0, 60.0]
    assert len({request.content.partition(b"PNG")[2][:-60] for request in asked}) == 1, "from its beginning"
    assert b"Doe" not in asked[0].content
    client, asked = answering(busy("soon"), busy(), busy())
    with pytest.raises(RemoteError, match="later") as refused:
        client.jobs()
    assert refused.value.code == "queue_full"
    assert len(asked) == 3


def test_a_read_that_broke_off_is_made_again_and_a_write_is_not() -> None:
    lost = httpx.ReadError("lost")
    client, asked = answering(lost, httpx.Response(200, json={"jobs": []}))
    assert client.jobs() == []
    client, asked = answering(lost)
    with pytest.raises(RemoteError, match="cannot be reached"):
        client.cancel("j1")
    assert len(asked) == 1


class Broken(httpx.SyncByteStream):
    """A stream that is lost after its first pieces."""

    def __iter__(self) -> Iterator[bytes]:
        yield b": hello\n\nid: 1\nevent: state\ndata: {}\n\nid: 2\nevent: prog"
        raise httpx.ReadError("lost")


def test_events_go_on_where_the_connection_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote.time, "sleep", lambda _s: None)
    rest = b'id: 2\nevent: progress\ndata: {"done":\ndata: 1}\n\n: beat\n\n'
    rest += b"id: 3\nevent: end\ndata: {}\n\nid: 4\ndata: {}\n\n"
    client, asked = answering(httpx.Response(200, stream=Broken()), httpx.Response(200, content=rest))
    events = list(client.events("j1"))
    assert [(event["event"], event["id"]) for event in events] == [("state", 1), ("progress", 2), ("end", 3)]
    assert events[1]["data"] == {"done": 1}
    assert [request.headers["last-event-id"] for request in asked] == ["0", "1"]


def test_whoever_breaks_off_the_wait_cancels_the_job() -> None:
    def stop(_event: Any) -> None:
        raise KeyboardInterrupt

    line = b"id: 1\nevent: state\ndata: {}\n\n"
    client, asked = answering(
        httpx.Response(202, json={"id": "j1"}),
        httpx.Response(200, content=line),
        httpx.Response(200, json={}),
    )
    with pytest.raises(KeyboardInterrupt):
        client.segment({"id": "i1"}, phrases="nodule", follow=stop)  # one text is one phrase
    assert [request.url.path for request in asked] == ["/v1/jobs", "/v1/jobs/j1/events", "/v1/jobs/j1/cancel"]
    assert json.loads(asked[0].content) == {"image": "i1", "options": {}, "phrases": ["nodule"]}


def test_answers_that_are_none_are_refused(tmp_path: Path) -> None:
    for answer in (
        httpx.Response(200, text="<html>"),
        httpx.Response(502, text="proxy"),
        httpx.Response(307),
    ):
        client, _ = answering(answer)
        with pytest.raises(RemoteError):
            client.jobs()
    for wrong in (b"", b"nonsense", gzip.compress(b"x" * 400), gzip.compress(bytes(10**7))):
        with pytest.raises(RemoteError, match="cannot be read"):
            layer_of(wrong, (4, 4))
    right = gzip.compress(nibabel.Nifti1Image(np.zeros((4, 5, 1), np.uint8), np.eye(4)).to_bytes())
    assert layer_of(right, (5, 4)).shape == (5, 4)
    with pytest.raises(RemoteError, match="for an image of"):
        layer_of(right, (4, 5))
    for name in ("../x.json", "/x.json", "a/b/c/d.png", "x\ny", ".hidden", "a//b"):
        with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
            archive.writestr(name, "x")
        with pytest.raises(InputError):
            unpacked(tmp_path / "r.zip", tmp_path / "out")
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "url", ["localhost:1527", "ftp://x", "http://", "file:///etc", "http://a:b@c", "http://x?y"]
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(UsageError, match="http"):
        Client(url)


def test_it_needs_neither_torch_nor_fastapi() -> None:
    code = (
        "import sys, medsegr.serve.client as c; c.Client('http://127.0.0.1:9').close(); "
        "print([m for m in ('torch', 'fastapi', 'starlette', 'uvicorn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.weights
def test_with_the_model_of_the_house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "load", LOAD)
    case = make("chest", np.random.default_rng(5), size=128)
    made = Settings(data_dir=tmp_path / "d", model="medsegr-tiny", workers=0, rate=0)
    with running(made) as server, Client(server.url) as client:
        here = medsegr.load().open(case.image)
        there = client.open(case.image)
        both(here, there, lambda it: it.segment(["left lung"]))
        both(here, there, lambda it: it.refine(points=[[40, 50, 1]]))
