"""What the server costs: ``make bench-serve``. Seconds over HTTP beside the same work in Python, the first
mask beside the last, many clients at once, memory over many jobs. Numbers are of the machine it runs on.

The server is a process of its own on loopback, as people run it; the local call runs in another process,
which has the same threads.
"""

import argparse
import io
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture

from medsegr.phantom.write import case_of

SIDE = 512  # px of the picture
SENTENCE = "Hazy opacity in the left lung."
REPORT = "Hazy opacity in the left lung. Small nodule in the right upper lobe. Mass in the right lung."
PAGE = Path(__file__).resolve().parents[3] / "web" / "tests" / "ready.mjs"


@dataclass(frozen=True)
class Server:
    """A server that runs, and how to ask it."""

    client: Any  # httpx.Client
    pid: int
    address: str

    def image(self, data: bytes, modality: str = "CR") -> str:
        """Send a picture; its id."""
        answer = self.client.post(
            "/v1/images", files=[("files", ("a.png", data))], data={"modality": modality}
        )
        answer.raise_for_status()
        return str(answer.json()["id"])

    def job(self, image: str, **words: Any) -> str:
        """Ask for masks; the job's id. Comes again as it is told where the queue is full."""
        while True:
            answer = self.client.post("/v1/jobs", json={"image": image, **words})
            if answer.status_code != 429:
                answer.raise_for_status()
                return str(answer.json()["id"])
            time.sleep(float(answer.headers.get("Retry-After", 1)))

    def events(self, job: str) -> Iterator[tuple[str, float]]:
        """(event, when) until the end."""
        with self.client.stream("GET", f"/v1/jobs/{job}/events") as told:
            for line in told.iter_lines():
                if line.startswith("event: "):
                    yield line.removeprefix("event: "), time.perf_counter()

    def findings(self, job: str) -> dict[str, Any]:
        """findings.json of a job that is done."""
        answer = self.client.get(f"/v1/jobs/{job}/result")
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told


@contextmanager
def running(model: str, *flags: str) -> Iterator[Server]:
    """A server in a process of its own, ready; it ends with the block."""
    import httpx

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="medsegr-bench-")
    words = [
        "serve",
        "--data-dir",
        folder,
        "--model",
        model,
        "--port",
        str(port),
        "--rate",
        "0",
        "-q",
        *flags,
    ]
    process = subprocess.Popen([sys.executable, "-m", "medsegr", *words])
    address = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=address, timeout=600) as client:
            _wait(client, process)
            yield Server(client, process.pid, address)
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(client: Any, process: "subprocess.Popen[bytes]") -> None:
    import httpx

    while process.poll() is None:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit("the server did not begin")


def png(seed: int, side: int = SIDE) -> bytes:
    """A made chest X-ray as a file; another one for each seed."""
    out = io.BytesIO()
    Picture.fromarray(case_of("chest", seed, 0, side).image).save(out, format="PNG")
    return out.getvalue()


def noise(seed: int, side: int = 64) -> bytes:
    """A small picture that is another one for each seed."""
    out = io.BytesIO()
    values = np.random.default_rng(seed).integers(0, 255, (side, side), dtype=np.uint8)
    Picture.fromarray(values).save(out, format="PNG")
    return out.getvalue()


LOCAL = """
import pathlib, sys, tempfile, time
import medsegr
from medsegr import pipeline
from medsegr.io.read import read_image
model = medsegr.load(sys.argv[1], threads=int(sys.argv[2]) or None)
print("ready", flush=True)
for line in sys.stdin:
    with tempfile.TemporaryDirectory() as out:
        begun = time.perf_counter()
        image = read_image(line.strip(), modality="CR")
        result = pipeline.run(image, model.segmenter, report=sys.argv[3])
        pipeline.save(result, pathlib.Path(out) / "out")
        print(time.perf_counter() - begun, flush=True)
"""


@contextmanager
def local(model: str, threads: int) -> Iterator[Callable[[Path], float]]:
    """The same work in Python, warm, in a process of its own: read, segment, write; gives its seconds."""
    given = [sys.executable, "-c", LOCAL, model, str(threads), SENTENCE]
    process = subprocess.Popen(given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    asked, told = process.stdin, process.stdout
    told.readline()

    def once(path: Path) -> float:
        asked.write(f"{path}\n")
        asked.flush()
        return float(told.readline())

    try:
        yield once
    finally:
        asked.close()
        process.wait(60)
        told.close()


def over_http(server: Server, path: Path) -> float:
    """Seconds from the first byte of the upload to the last of findings.json."""
    data = path.read_bytes()
    begun = time.perf_counter()
    job = server.job(server.image(data), text=SENTENCE)
    for _ in server.events(job):
        pass
    server.findings(job)
    return time.perf_counter() - begun


def beside(server: Server, model: str, times: int, threads: int) -> dict[str, float]:
    """HTTP and Python in turn on the same new pictures, so that both meet the same machine; medians, and the
    median of the differences."""
    pairs = []
    with tempfile.TemporaryDirectory() as folder, local(model, threads) as once:
        for n in range(times + 2):
            path = Path(folder) / f"{n}.png"
            path.write_bytes(png(n))
            ways = {"http": partial(over_http, server, path), "local": partial(once, path)}
            took = {name: ways[name]() for name in sorted(ways, reverse=bool(n % 2))}
            pairs.append((took["http"], took["local"]))
    http, own = zip(*pairs[2:], strict=True)
    adds = statistics.median(a - b for a, b in pairs[2:])
    return {"http s": statistics.median(http), "local s": statistics.median(own), "adds ms": 1000 * adds}


def streaming(server: Server, example: str = "") -> dict[str, float]:
    """When the first finding of a report was told, the last, and the end; seconds after the job was asked. Of
    a picture, or of the server's own ``example``."""
    if example:
        given = server.client.post(f"/v1/images/example/{example}").raise_for_status().json()
        image, report = given["id"], given["report"]
    else:
        image, report = server.image(png(100)), REPORT
    begun = time.perf_counter()
    told = list(server.events(server.job(image, report=report)))
    found = [when - begun for event, when in told if event == "finding"]
    return {
        "first mask": found[0],
        "last mask": found[-1],
        "end": told[-1][1] - begun,
        "findings": len(found),
    }


def load(server: Server, requests: int, clients: int) -> dict[str, float]:
    """So many whole requests by so many clients at once: seconds of each, lost ones, and mixed up ones."""
    import httpx

    took: list[float] = []
    wrong = 0
    lock = threading.Lock()

    def one(seed: int) -> None:
        nonlocal wrong
        with httpx.Client(base_url=server.address, timeout=600) as client:
            asked = Server(client, server.pid, server.address)
            begun = time.perf_counter()
            answer = client.post(
                "/v1/images", files=[("files", ("a.png", noise(seed)))], data={"modality": "CR"}
            )
            job = asked.job(answer.json()["id"], text=SENTENCE)
            for _ in asked.events(job):
                pass
            same = asked.findings(job)["image"]["sha256"] == answer.json()["sha256"]
            with lock:
                took.append(time.perf_counter() - begun)
                wrong += not same

    begun = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(one, range(requests)))
    whole = time.perf_counter() - begun
    p95 = statistics.quantiles(took, n=20)[-1]
    return {
        "requests": requests,
        "clients": clients,
        "lost": requests - len(took),
        "mixed up": wrong,
        "seconds": whole,
        "median": statistics.median(took),
        "p95": p95,
    }


def memory(server: Server, jobs: int) -> dict[str, float]:
    """Resident megabytes of server and workers after the first twenty jobs and after the last."""
    import psutil

    def megabytes() -> float:
        whole = psutil.Process(server.pid)
        return float(sum(p.memory_info().rss for p in (whole, *whole.children(recursive=True))) / 2**20)

    early = 0.0
    for n in range(jobs):
        job = server.job(server.image(noise(1000 + n, 256)), text=SENTENCE)
        for _ in server.events(job):
            pass
        if n == min(20, jobs - 1):
            early = megabytes()
    return {"jobs": jobs, "early MB": early, "late MB": megabytes()}


def page(server: Server, example: str = "") -> dict[str, float] | None:
    """Median milliseconds from DOMContentLoaded until a case that is done shows its image in a browser, and
    how often it was opened, as the viewer's own script measures it; None without viewer or browser. The case
    is a picture, or the server's own ``example``."""
    node = shutil.which("node")
    if node is None or not PAGE.is_file():
        return None
    if example:
        given = server.client.post(f"/v1/images/example/{example}").raise_for_status().json()
        job = server.job(given["id"], report=given["report"])
    else:
        job = server.job(server.image(noise(0, 512)), text=SENTENCE)
    for _ in server.events(job):  # until it is done
        pass
    words = [node, str(PAGE), f"{server.address}/#/job/{job}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return opened(done.stdout) if done.returncode == 0 else None


def opened(printed: str) -> dict[str, float] | None:
    """The median of what the script printed, a JSON object an opening; None where it printed nothing."""
    times = [float(json.loads(row)["ready_ms"]) for row in printed.splitlines()]
    return {"ready ms": statistics.median(times), "times": len(times)} if times else None


def line(name: str, told: dict[str, float] | None) -> str:
    """One line of the table."""
    if told is None:
        return f"{name:26s} not measured: the viewer or its browser is missing"
    return f"{name:26s} " + "  ".join(f"{key} {value:.4g}" for key, value in told.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="medsegr.bench.serve", description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="calls over HTTP and in Python")
    parser.add_argument(
        "--threads", type=int, default=0, help="processor threads of the model; 0: its own choice"
    )
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=300, help="jobs over which memory is watched")
    parser.add_argument("--page", action="store_true", help="also how soon the viewer is ready")
    asked = parser.parse_args(arguments)
    print(f"processors {os.cpu_count()}, load {os.getloadavg()[0]:.1f}")
    threads = ("--threads", str(asked.threads)) if asked.threads else ()
    with running("medsegr-tiny", *threads) as server:
        told = beside(server, "medsegr-tiny", asked.times, asked.threads)
        print(line("picture and sentence", told), flush=True)
        print(line("streaming", streaming(server)), flush=True)
        print(line("streaming, a volume", streaming(server, "volume")), flush=True)
        if asked.page:
            print(line("page", page(server)), flush=True)
            print(line("page, a volume", page(server, "volume")), flush=True)
    with running("threshold", "--queue", "500") as server:
        told = beside(server, "threshold", asked.times, 0)
        print(line("the same, stand-in model", told), flush=True)
        print(line("load, stand-in model", load(server, asked.requests, asked.clients)), flush=True)
        print(line("memory, stand-in model", memory(server, asked.jobs)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
