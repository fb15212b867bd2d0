"""The command as a process: what it prints, how it is killed and begun again, what it logs, what it loads."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from served import PATIENCE, parsed, png

SRC = Path(__file__).resolve().parents[2] / "src"
NAME = "Quellmaltz"
REPORT = f"Patient: {NAME}, MRN QX77341.\nFINDINGS: Nodule in the left lung of {NAME}. No pneumothorax.\n"


@dataclass
class Running:
    process: "subprocess.Popen[str]"
    client: httpx.Client
    log: Path

    def job(self, image: str, **words: Any) -> str:
        answer = self.client.post("/v1/jobs", json={"image": image, **(words or {"report": REPORT})})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def image(self, data: bytes) -> str:
        answer = self.client.post("/v1/images", files=[("files", (f"{NAME}.png", data))])
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def ended(self, job: str) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            told: dict[str, Any] = self.client.get(f"/v1/jobs/{job}").json()
            if told["state"] in ("done", "failed", "cancelled"):
                return told
            time.sleep(0.02)
        raise AssertionError(told)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    begun: list[Running] = []

    def run(*flags: str) -> Running:
        log = tmp_path / f"log{len(begun)}"
        words = ["serve", "--data-dir", str(tmp_path / "data"), "--model", "threshold", "--port", "0"]
        with log.open("w") as to:
            process = subprocess.Popen(
                [sys.executable, "-m", "medsegr", *words, "--rate", "0", *flags],
                stdout=to,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, "PYTHONPATH": str(SRC)},
                start_new_session=True,
            )
        running = Running(process, httpx.Client(timeout=PATIENCE), log)
        begun.append(running)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and process.poll() is None:
            if said := re.search(r"http://127\.0\.0\.1:\d+(?=/)", log.read_text()):  # it listens: say where
                running.client.base_url = said[0]
                assert running.client.get("/healthz").status_code == 200
                return running
            time.sleep(0.05)
        raise AssertionError(log.read_text())

    yield run
    for running in begun:
        running.client.close()
        if running.process.poll() is None:
            os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait()


def test_nothing_that_was_accepted_is_lost_by_a_kill(start: Start) -> None:
    """Everything dies at once, in the middle of a job; the next start does the rest, and streams go on."""
    first = start("--workers", "1")
    image = first.image(png(3, side=600))
    jobs = [first.job(image) for _ in range(4)]
    until = time.monotonic() + PATIENCE
    while first.client.get(f"/v1/jobs/{jobs[1]}").json()["state"] != "running" and time.monotonic() < until:
        time.sleep(0.005)
    os.killpg(first.process.pid, signal.SIGKILL)
    first.process.wait()

    second = start("--workers", "1")
    assert [second.ended(job)["state"] for job in jobs] == ["done"] * 4
    listed = second.client.get("/v1/jobs?limit=200").json()["jobs"]
    assert [one["id"] for one in listed] == jobs[::-1]
    for job in jobs:
        found = second.client.get(f"/v1/jobs/{job}/result").json()
        assert [item["status"] for item in found["findings"]] == ["segmented", "skipped"]
    text = second.client.get(f"/v1/jobs/{jobs[1]}/events", headers={"Last-Event-ID": "2"}).text
    numbers = [number for number, _, _ in parsed(text)]
    assert numbers == list(range(3, 3 + len(numbers)))
    assert parsed(text)[-1][1:] == ("end", {"state": "done", "error": None})


def test_the_server_ends_well_and_says_nothing_that_names_somebody(start: Start) -> None:
    running = start("--workers", "1", "-v", "--log-json")
    image = running.image(png(3))
    job = running.job(image)
    assert running.ended(job)["state"] == "done"
    running.client.get(f"/v1/jobs/{job}/{NAME}?name={NAME}")
    running.client.get(f"/{NAME}", headers={"Authorization": f"Bearer {NAME}", "User-Agent": NAME})
    running.client.post("/v1/jobs", json={"image": image, NAME: NAME, "report": REPORT})
    running.client.post("/v1/images", files=[("files", (f"{NAME}.pdf", f"%PDF {NAME}".encode()))])
    mapped = Path(f"/proc/{running.process.pid}/maps")
    if mapped.is_file():  # the process that serves HTTP loads no torch
        assert "libtorch" not in mapped.read_text()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(PATIENCE) == 0
    log = running.log.read_text()
    for word in (NAME, "QX77341", "odule", str(running.log.parent), "Traceback"):
        assert word not in log
    lines = [json.loads(line) for line in log.splitlines()[2:]]
    told = [line["message"] for line in lines]
    assert any(f"job {job}: done" in one for one in told)
    assert any("GET /v1/jobs/{job}/result" in one or "POST /v1/images 422" in one for one in told), told
    assert any(one.startswith("request ") and "GET /v1/jobs/{job} 200" in one for one in told)


def test_a_stream_does_not_hold_up_the_end(start: Start) -> None:
    running = start("--workers", "1", "--job-seconds", "3600")
    job = running.job(running.image(png(1, side=700)))
    with running.client.stream("GET", f"/v1/jobs/{job}/events") as told:
        next(told.iter_raw())
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(PATIENCE) == 0
    again = start("--workers", "1")
    assert again.ended(job)["state"] == "done"
