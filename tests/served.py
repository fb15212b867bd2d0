"""What the tests of the server share: pictures, a model that waits, a server as its client sees it."""

import io
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from fastapi.testclient import TestClient
from PIL import Image as Picture

from medsegr.serve.service import Service
from medsegr.types import Image, Prompt, Segmentation

PATIENCE = 180.0  # seconds to wait for anything on a machine that others use; what is right comes much sooner
REPORT = (
    "FINDINGS: Hazy opacity in the left lung. No pneumothorax. Possible nodule in the right upper lobe.\n"
)


def png(seed: int = 0, side: int = 48) -> bytes:
    """A picture with a bright square at a place that hangs on the seed."""
    values = np.random.default_rng(seed).integers(0, 60, (side, side), dtype=np.uint8)
    at = 4 + seed % (side // 2)
    values[at : at + 10, at : at + 10] = 200 + seed % 50
    out = io.BytesIO()
    Picture.fromarray(values).save(out, format="PNG")
    return out.getvalue()


def nifti(grid: tuple[int, int, int], spacing: float = 2.0) -> bytes:
    """A volume with a gradient as ``.nii.gz``, voxels of so many millimetres."""
    import gzip

    import nibabel as nib

    values = np.arange(np.prod(grid)).reshape(grid).astype(np.int16)
    return gzip.compress(nib.Nifti1Image(values, np.diag([spacing] * 3 + [1.0])).to_bytes(), 1)


@dataclass
class Slow:
    """A segmenter that waits in each call until it is let go; ``calls`` counts how often it was asked."""

    gate: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    begun: threading.Event = field(default_factory=threading.Event)
    calls: int = 0

    def go(self, calls: int = 1000) -> None:
        """Let so many calls go on."""
        self.gate.release(calls)

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        """The same corner for every target, after a while."""
        self.calls += 1
        self.begun.set()
        for step in range(36_000):
            if prompt.tick is not None:
                prompt.tick(step, 36_000)
            if self.gate.acquire(timeout=0.005):
                break
        prob = np.zeros((len(prompt.targets), *image.grid), np.float32)
        prob[..., :10, :10] = 1.0
        return Segmentation(prob, prompt.targets, image.affine)


@dataclass(frozen=True)
class Asked:
    """A server with a client in front of it."""

    client: TestClient
    service: Service

    def image(self, data: bytes | None = None, name: str = "a.png", **fields: str) -> dict[str, Any]:
        sent = [("files", (name, png() if data is None else data, "application/octet-stream"))]
        answer = self.client.post("/v1/images", files=sent, data=fields)
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def job(self, image: str, **words: Any) -> dict[str, Any]:
        answer = self.client.post("/v1/jobs", json={"image": image, **(words or {"report": REPORT})})
        assert answer.status_code == 202, answer.text
        told: dict[str, Any] = answer.json()
        assert answer.headers["location"] == f"/v1/jobs/{told['id']}"
        return told

    def ended(self, job: str, seconds: float = PATIENCE) -> dict[str, Any]:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            told: dict[str, Any] = self.client.get(f"/v1/jobs/{job}").json()
            if told["state"] in ("done", "failed", "cancelled"):
                return told
            time.sleep(0.01)
        raise AssertionError(f"the job is still {told['state']} after {seconds} s")

    def done(self, **words: Any) -> str:
        """The id of a job that was done on a small picture."""
        job: str = self.job(self.image()["id"], **words)["id"]
        assert self.ended(job)["state"] == "done"
        return job

    def events(self, job: str, last: int | None = None) -> list[tuple[int, str, dict[str, Any]]]:
        """Events until the end of the stream."""
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        with self.client.stream("GET", f"/v1/jobs/{job}/events", headers=headers) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            return parsed(answer.read().decode())


def parsed(text: str) -> list[tuple[int, str, dict[str, Any]]]:
    """(number, event, data) of a stream of events, comments left out."""
    found = []
    for block in text.split("\n\n"):
        told = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if told:
            found.append((int(told["id"]), told["event"], json.loads(told["data"])))
    return found


Serve = Callable[..., Asked]
