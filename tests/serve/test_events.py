"""Events: their order, findings as they come, a stream that goes on where it was broken off."""

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medsegr.serve import partial, shown
from medsegr.types import Finding, FindingResult
from served import PATIENCE, REPORT, Asked, Serve, Slow, nifti, parsed

THREE = "Opacity in the left lung. Nodule in the right lung. Mass in the left lung. No pneumothorax."


def test_the_story_of_a_job_is_told_in_order(server: Asked) -> None:
    job = server.done(report=THREE)
    events = server.events(job)
    assert [number for number, _, _ in events] == list(range(1, len(events) + 1))
    kinds = [kind for _, kind, _ in events]
    assert kinds[:2] == ["state", "state"]
    assert kinds[-1] == "end"
    assert [data["state"] for _, kind, data in events if kind == "state"] == ["queued", "running"]
    assert events[-1][2] == {"state": "done", "error": None}
    stages = [data["stage"] for _, kind, data in events if kind == "progress"]
    assert list(dict.fromkeys(stages)) == ["read", "parse", "segment", "checks", "write"]
    found = [data for _, kind, data in events if kind == "finding"]
    assert [one["finding"]["id"] for one in found] == ["f1", "f2", "f3", "f4"]
    assert [bool(one["layer"]) for one in found] == [True, True, True, False]
    assert found[0]["layer"] == f"/v1/jobs/{job}/layers/f1.nii.gz"
    result = server.client.get(f"/v1/jobs/{job}/result").json()
    assert [one["finding"] for one in found] == result["findings"]  # once it is done: as in the file


def test_the_first_mask_is_there_while_the_second_is_drawn(serve: Serve, slow: Slow) -> None:
    server = serve()
    job = server.job(server.image()["id"], report=THREE, options={"report_mask": False})["id"]
    slow.go(1)
    until = time.monotonic() + PATIENCE
    while not (found := [e for e in server.service.store.events(job) if e.event == "finding"]):
        assert time.monotonic() < until
        time.sleep(0.005)
    assert found[0].data == {"finding": "f1"}
    assert server.client.get(f"/v1/jobs/{job}").json()["state"] == "running"
    (item,) = partial.read(server.service.folders.job(job))
    assert item.mask is not None
    assert item.mask[:10, :10].all()
    assert item.mask.sum() == 100
    while slow.calls < 2:
        assert time.monotonic() < until
        time.sleep(0.005)
    slow.go()
    assert server.ended(job)["state"] == "done"
    assert slow.calls == 3
    assert partial.read(server.service.folders.job(job)) == ()


def test_the_first_mask_of_a_volume_is_served_while_the_others_are_drawn(serve: Serve, slow: Slow) -> None:
    """A page that follows sees it: the event comes, then the view names its layer, and the layer is there."""
    server = serve()
    told = server.image(nifti((6, 20, 20)), "a.nii.gz", modality="CT")
    words = {"report": f"No effusion. {THREE}", "options": {"report_mask": False}}
    job = server.job(told["id"], **words)["id"]
    slow.go(1)
    until = time.monotonic() + PATIENCE
    while len([e for e in server.service.store.events(job) if e.event == "finding"]) < 2 or slow.calls < 2:
        assert time.monotonic() < until
        time.sleep(0.005)
    assert server.client.get(f"/v1/jobs/{job}").json()["state"] == "running"
    view = server.client.get(f"/v1/jobs/{job}/view").json()
    assert [(one["id"], one["status"]) for one in view["findings"]] == [
        ("f1", "skipped"),
        ("f2", "segmented"),
    ]
    assert [one["id"] for one in view["waiting"]] == ["f3", "f4", "f5"]
    layer = server.client.get(view["findings"][1]["layer"])
    assert layer.status_code == 200
    slow.go()
    assert server.ended(job)["state"] == "done"
    assert slow.calls == 2
    whole = server.client.get(f"/v1/jobs/{job}/view").json()
    assert whole["findings"][1]["layer"] == view["findings"][1]["layer"]
    assert server.client.get(view["findings"][1]["layer"]).content == layer.content


def test_a_job_that_ends_while_it_is_looked_at_is_shown_whole(
    serve: Serve, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    job = server.job(server.image()["id"], report=THREE, options={"report_mask": False})["id"]
    slow.go(1)
    read = shown.so_far
    looks = []

    def late(*given: Any) -> Any:
        looks.append(given)
        slow.go()
        assert server.ended(job)["state"] == "done"
        until = time.monotonic() + PATIENCE
        while partial.read(server.service.folders.job(job)):
            assert time.monotonic() < until
            time.sleep(0.005)
        return read(*given)

    monkeypatch.setattr(shown, "so_far", late)
    view = server.client.get(f"/v1/jobs/{job}/view").json()
    assert looks
    assert [one["id"] for one in view["findings"]] == ["f1", "f2", "f3", "f4"]
    assert view["manifest"] is not None


@pytest.mark.parametrize(("name", "status"), [("f1", 200), ("f9", 404)])
def test_a_layer_of_a_job_that_ends_meanwhile_is_there(
    serve: Serve, slow: Slow, monkeypatch: pytest.MonkeyPatch, name: str, status: int
) -> None:
    server = serve()
    job = server.job(server.image()["id"], report=THREE, options={"report_mask": False})["id"]
    read = shown.so_far

    def late(*given: Any) -> Any:
        slow.go()
        assert server.ended(job)["state"] == "done"
        return replace(read(*given), findings=())

    monkeypatch.setattr(shown, "so_far", late)
    assert server.client.get(f"/v1/jobs/{job}/layers/{name}.nii.gz").status_code == status


def test_a_stream_goes_on_after_the_last_number_that_was_seen(server: Asked) -> None:
    job = server.done(report=THREE)
    events = server.events(job)
    for last in (0, 1, len(events) - 1):
        assert server.events(job, last) == events[last:]
    assert server.events(job, len(events)) == []


def test_an_odd_last_number_is_no_reason_to_fail(server: Asked) -> None:
    job = server.done()
    for header in ("x", "-1", "9" * 30, "1e3", ""):
        with server.client.stream("GET", f"/v1/jobs/{job}/events", headers={"Last-Event-ID": header}) as told:
            assert parsed(told.read().decode())[0][0] == 1


def test_a_stream_ends_when_the_job_is_removed(serve: Serve, slow: Slow) -> None:
    server = serve()
    job = server.job(server.image()["id"])["id"]
    assert slow.begun.wait(PATIENCE)
    later = threading.Timer(0.2, lambda: server.client.delete(f"/v1/jobs/{job}"))
    later.start()
    kinds = [kind for _, kind, _ in server.events(job)]
    later.join()  # its answer must come before the server goes
    assert "end" not in kinds


def test_a_quiet_stream_shows_that_it_lives(serve: Serve, slow: Slow) -> None:
    server = serve(heartbeat=0.05)
    job = server.job(server.image()["id"])["id"]
    threading.Timer(0.5, slow.go).start()
    with server.client.stream("GET", f"/v1/jobs/{job}/events") as told:
        text = told.read().decode()
    assert text.count(": alive") >= 2
    assert parsed(text)[-1][1] == "end"


def test_no_events_of_what_is_not_there(server: Asked) -> None:
    assert server.client.get("/v1/jobs/jAAAAAAAAAAAAAAAAAAAAAA/events").status_code == 404


def test_words_reach_the_stream_from_the_folder_only(server: Asked) -> None:
    job = server.done(report=REPORT)
    for row in server.service.store.events(job):
        data: dict[str, Any] = row.data
        assert "opacity" not in json.dumps(data).lower()
    assert any("opacity" in json.dumps(data).lower() for _, _, data in server.events(job))


def test_findings_that_came_so_far_stand_in_their_order(tmp_path: Path) -> None:
    for number in (10, 2, 1, 11):
        partial.write(
            tmp_path, FindingResult(Finding(f"f{number}", "", (0, 0), "nodule"), "skipped", "absent")
        )
    assert [item.finding.id for item in partial.read(tmp_path)] == ["f1", "f2", "f10", "f11"]
