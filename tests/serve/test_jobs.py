"""Jobs from the first word to the end: queue, cancel, time limit, deletion, what is refused."""

import json
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from medsegr.serve.jobs import adopt
from medsegr.serve.wire import Words
from medsegr.serve.words import words_of
from served import PATIENCE, REPORT, Asked, Serve, Slow


def error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_report_becomes_masks(server: Asked) -> None:
    image = server.image(modality="CR")
    told = server.job(image["id"])
    assert (told["image"], told["asked"], told["error"]) == (image["id"], "report", None)
    last = server.ended(told["id"])
    assert last["state"] == "done"
    assert last["started"] <= last["finished"] < last["expires"]
    found = server.client.get(f"/v1/jobs/{told['id']}/result").json()
    assert found["image"]["sha256"] == image["sha256"]
    assert [item["status"] for item in found["findings"]] == ["segmented", "skipped", "skipped"]
    assert found["report"]["characters"] == len(REPORT)
    assert "text" not in found["report"]
    assert server.client.get("/v1/jobs?limit=1").json()["jobs"][0] == last


@pytest.mark.parametrize(
    ("words", "asked"),
    [({"text": "Nodule in the left lung."}, "text"), ({"phrases": ["left lung", "heart"]}, "phrases")],
)
def test_a_sentence_or_phrases(server: Asked, words: dict[str, Any], asked: str) -> None:
    told = server.job(server.image()["id"], **words)
    assert told["asked"] == asked
    assert server.ended(told["id"])["state"] == "done"
    kept = words_of(server.service, told["id"])
    assert kept.said == (words.get("text") or "\n".join(words["phrases"]))
    found = server.client.get(f"/v1/jobs/{told['id']}/result").json()
    assert all(kept.said[slice(*item["span"])] == item["phrase"] for item in found["findings"])


def test_options_reach_the_pipeline(server: Asked) -> None:
    options = {"polarity": ["present", "uncertain"], "keep_text": True, "sections": ["findings"]}
    job = server.done(report=REPORT, options=options)
    found = server.client.get(f"/v1/jobs/{job}/result").json()
    assert [item["status"] for item in found["findings"]] == ["segmented", "skipped", "segmented"]
    assert found["report"]["text"] == REPORT
    manifest = server.client.get(f"/v1/jobs/{job}/result?format=manifest").json()
    assert manifest["options"]["sections"] == ["findings"]


def test_without_words_a_model_that_cannot_propose_says_so(server: Asked) -> None:
    answer = server.client.post("/v1/jobs", json={"image": server.image()["id"]})
    last = server.ended(answer.json()["id"])
    assert (last["state"], last["asked"]) == ("failed", "none")
    assert last["error"]["code"] == "wrong_arguments"
    assert "report" in last["error"]["message"]
    assert error(server.client.get(f"/v1/jobs/{last['id']}/result")) == (409, "not_done")


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"report": "a", "text": "b"}, 422, "invalid"),
        ({"report": "  \n"}, 422, "invalid"),
        ({"report": ""}, 422, "invalid"),
        ({"report": 7}, 422, "invalid"),
        ({"report": "x" * 1_000_001}, 422, "invalid"),
        ({"phrases": ["a"] * 201}, 422, "invalid"),
        ({"report": "a", "colour": "red"}, 422, "invalid"),
        ({"report": "a", "options": {"polarity": ["perhaps"]}}, 422, "invalid"),
        ({"report": "a", "options": {"polarity": ["absent"]}}, 400, "wrong_arguments"),
        ({"report": "a", "options": {"explain": "yes"}}, 422, "invalid"),
        ({"report": "a", "options": {"report_mask": 0}}, 422, "invalid"),
        ({"report": "a", "options": {"sections": ["nowhere"]}}, 400, "wrong_arguments"),
        ({"phrases": ["left lung"], "options": {"sections": ["findings"]}}, 422, "invalid"),
        ({"options": {"sections": ["findings"]}}, 422, "invalid"),
        ({"report": "a", "image": "../../etc"}, 422, "invalid"),
        ({"report": "a", "image": "iAAAAAAAAAAAAAAAAAAAAAA"}, 404, "not_found"),
    ],
)
def test_what_is_refused(shared: Asked, asked: dict[str, Any], status: int, code: str) -> None:
    image, before = shared.image()["id"], shared.client.get("/v1/jobs").json()
    answer = shared.client.post("/v1/jobs", json={"image": image, **asked})
    assert error(answer) == (status, code)
    assert "--" not in answer.json()["error"]["message"], "a flag is none of theirs"
    assert shared.client.get("/v1/jobs").json() == before
    assert len(list((shared.service.folders.root / "jobs").iterdir())) == len(before["jobs"])


def test_an_answer_never_shows_what_came(shared: Asked) -> None:
    asked = {"image": "<script>Quellmaltz", "report": {"Quellmaltz": 1}, "Quellmaltz": 1}
    answer = shared.client.post("/v1/jobs", json=asked)
    assert answer.status_code == 422
    assert "script" not in answer.text


@pytest.mark.parametrize("words", ["\ud800 nodule", "nodule\x00", "\u202enodule", "結節" * 100])
def test_any_text_is_a_report(shared: Asked, words: str) -> None:
    body = json.dumps({"image": shared.image()["id"], "report": words})
    answer = shared.client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (202, 422), answer.text
    if answer.status_code == 202:
        assert shared.ended(answer.json()["id"])["state"] == "done"


def test_the_queue_is_bounded(serve: Serve, slow: Slow) -> None:
    server = serve(queue=2)
    image = server.image()["id"]
    first = server.job(image)["id"]
    assert slow.begun.wait(PATIENCE)
    waiting = [server.job(image)["id"] for _ in range(2)]
    answer = server.client.post("/v1/jobs", json={"image": image, "report": REPORT})
    assert error(answer) == (429, "queue_full")
    assert int(answer.headers["retry-after"]) >= 1
    slow.go()
    assert [server.ended(job)["state"] for job in (first, *waiting)] == ["done"] * 3
    assert server.ended(server.job(image)["id"])["state"] == "done"
    assert sum(1 for _ in (server.service.folders.root / "jobs").iterdir()) == 4


def test_a_running_job_is_cancelled_inside_the_model(serve: Serve, slow: Slow) -> None:
    server = serve()
    job = server.job(server.image()["id"])["id"]
    assert slow.begun.wait(PATIENCE)
    told = server.client.post(f"/v1/jobs/{job}/cancel").json()
    assert (told["state"], told["error"]) == ("cancelled", None)
    slow.begun.clear()
    other = server.job(server.image()["id"])["id"]
    assert slow.begun.wait(PATIENCE)  # the worker has stopped that one and begun the next
    slow.go()
    assert server.ended(other)["state"] == "done"
    assert server.client.get(f"/v1/jobs/{job}").json()["state"] == "cancelled"
    assert [event for _, event, _ in server.events(job)][-1] == "end"
    assert error(server.client.get(f"/v1/jobs/{job}/result")) == (409, "not_done")
    assert not (server.service.folders.job(job) / "out").exists()


def test_a_job_in_the_queue_is_cancelled_and_never_begun(serve: Serve, slow: Slow) -> None:
    server = serve()
    image = server.image()["id"]
    first, second = (server.job(image)["id"] for _ in range(2))
    assert slow.begun.wait(PATIENCE)
    assert server.client.post(f"/v1/jobs/{second}/cancel").json()["state"] == "cancelled"
    slow.go()
    assert server.ended(first)["state"] == "done"
    assert server.client.get(f"/v1/jobs/{second}").json()["started"] is None
    again = server.client.post(f"/v1/jobs/{first}/cancel").json()  # what has ended stays as it is
    assert again["state"] == "done"


def test_a_job_has_a_time_limit(serve: Serve, slow: Slow) -> None:
    server = serve(job_seconds=0.3)
    last = server.ended(server.job(server.image()["id"])["id"])
    assert (last["state"], last["error"]["code"]) == ("failed", "time_limit")
    assert "0.3 s" in last["error"]["message"]


def test_a_model_that_does_not_stop_is_left_and_replaced(
    serve: Serve, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = threading.Event()
    monkeypatch.setattr(Slow, "segment", lambda *_: stuck.wait(PATIENCE))
    server = serve(job_seconds=0.2, grace=0.2)
    last = server.ended(server.job(server.image()["id"])["id"])
    assert last["error"]["code"] == "time_limit"
    monkeypatch.undo()
    stuck.set()
    assert server.ended(server.job(server.image()["id"], text="Nodule.")["id"])["state"] in (
        "done",
        "failed",
    )


def test_a_running_job_is_deleted_and_nothing_of_it_stays(serve: Serve, slow: Slow) -> None:
    server = serve()
    image = server.image()["id"]
    job = server.job(image)["id"]
    assert slow.begun.wait(PATIENCE)
    assert server.client.delete(f"/v1/jobs/{job}").status_code == 204
    assert server.client.get(f"/v1/jobs/{job}").status_code == 404
    slow.go()
    assert server.ended(server.job(image)["id"])["state"] == "done"
    assert not server.service.folders.job(job).exists()


def test_an_image_goes_while_its_job_runs(serve: Serve, slow: Slow) -> None:
    server = serve()
    image = server.image()["id"]
    job = server.job(image)["id"]
    assert slow.begun.wait(PATIENCE)
    assert server.client.delete(f"/v1/images/{image}").status_code == 204
    slow.go()
    assert server.ended(server.job(server.image()["id"])["id"])["state"] == "done"
    assert not server.service.folders.job(job).exists()
    assert not server.service.folders.image(image).exists()


def test_words_are_for_this_user_and_go_with_the_job(server: Asked) -> None:
    job = server.done()
    path = server.service.folders.job(job) / "words.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert server.client.delete(f"/v1/jobs/{job}").status_code == 204
    assert not path.exists()
    for file in server.service.folders.root.glob("medsegr.sqlite*"):
        assert b"opacity" not in file.read_bytes()


def test_a_result_made_elsewhere_becomes_a_job(server: Asked) -> None:
    job = server.done()
    image = server.client.get(f"/v1/jobs/{job}").json()["image"]
    source = server.service.folders.out(job)

    def write(folder: Path) -> None:
        source.rename(folder)

    made = adopt(server.service, image, Words(text="Nodule."), write)
    assert (made.state, made.asked) == ("done", "text")
    assert server.client.get(f"/v1/jobs/{made.id}/result").status_code == 200
    assert [event for _, event, _ in server.events(made.id)] == ["state", "end"]
    assert server.client.get(f"/v1/images/{image}").json()["expires"] == made.expires, "kept as long as it"

    def fail(folder: Path) -> None:
        folder.mkdir()
        raise OSError("full")

    before = server.client.get("/v1/jobs").json()
    with pytest.raises(OSError, match="full"):
        adopt(server.service, image, Words(), fail)
    assert server.client.get("/v1/jobs").json() == before


def test_a_server_that_only_shows_changes_nothing(serve: Serve) -> None:
    job = serve().done()
    server = serve(read_only=True)
    assert server.service.crew is None
    assert server.client.get(f"/v1/jobs/{job}/result").status_code == 200
    assert server.client.get("/readyz").status_code == 200
    assert server.client.get("/v1/capabilities").json()["read_only"]
    assert error(server.client.delete(f"/v1/jobs/{job}")) == (403, "read_only")
    assert error(server.client.post("/v1/images/example/chest")) == (403, "read_only")
    assert error(server.client.post("/v1/jobs", json={})) == (403, "read_only")
    assert server.client.post("/v1/parse", json={"text": "Nodule."}).status_code == 200


def test_reading_a_report_is_what_the_command_line_does(server: Asked) -> None:
    from medsegr.report.parse import parse
    from medsegr.results.schema import parse_json

    told = server.client.post("/v1/parse", json={"report": REPORT, "modality": "CR"}).json()
    assert told == json.loads(json.dumps(parse_json(parse(REPORT, modality="CR"))))
    assert error(server.client.post("/v1/parse", json={"report": "x", "modality": "nonsense"}))[1] in (
        "wrong_arguments",
    )


def test_health_and_what_the_server_is(server: Asked) -> None:
    assert server.client.get("/healthz").json() == {"status": "ok"}
    told = server.client.get("/v1/capabilities").json()
    assert told["model"]["name"] == "threshold"
    assert told["model"]["made_only"] == []  # it has learned nothing
    assert "dicom-seg" in told["formats"]
    assert told["notice"].startswith("Not a medical device")
    assert server.client.get("/").status_code == 200
    assert server.client.get("/openapi.json").json()["info"]["title"] == "medsegr"
    assert server.client.get("/docs").status_code == 404
