"""A server and its client in one script: image and report are sent, events followed, a mask corrected."""

import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import uvicorn

from medsegr.phantom import make
from medsegr.serve.app import create_app
from medsegr.serve.client import Client, Event
from medsegr.serve.settings import Settings


def main() -> None:
    case = make("chest", np.random.default_rng(5), size=128)
    with tempfile.TemporaryDirectory() as place:
        app = create_app(Settings(data_dir=Path(place), workers=0))
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            with Client(f"http://127.0.0.1:{port}") as client:
                ask(client, case.image, case.report)
        finally:
            server.should_exit = True
            thread.join()


def tell(event: Event) -> None:
    told = event["data"]
    if event["event"] == "progress":
        print(f"{told['stage']} {told['done']} of {told['total']}")
    elif event["event"] == "finding":
        print(f"{told['finding']['id']} is judged")


def ask(client: Client, image: np.ndarray, report: str) -> None:
    answer = client.segment(image, report=report, follow=tell)
    for item in answer.findings:
        size = 0 if item.mask is None else int(item.mask.sum())
        print(f"{item.finding.id} {item.finding.phrase!r}: {item.status}, {size} pixels")
    session = client.resume(answer.job)
    drawn = next(item.finding.id for item in session.result.findings if item.mask is not None)
    after = session.refine(drawn, points=[(64.0, 64.0, 1)])
    print(f"{drawn} holds the click:", bool(after[drawn].mask[64, 64]))
    session.undo()
    print("steps:", session.steps)


if __name__ == "__main__":
    main()
