"""A server in this process, asked as a client asks it; its model is the stand-in, which needs no torch."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from medsegr.serve import work
from medsegr.serve.app import create_app
from medsegr.serve.settings import Settings
from medsegr.session import Model
from served import Asked, Serve, Slow


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", model="threshold", workers=0, rate=0)


@pytest.fixture
def serve(settings: Settings) -> Iterator[Serve]:
    """Start a server with other settings than the usual ones; all are ended with the test."""
    open_clients: list[TestClient] = []

    def start(**changes: Any) -> Asked:
        app = create_app(replace(settings, **changes))
        client = TestClient(app, base_url="http://127.0.0.1")
        client.__enter__()
        open_clients.append(client)
        return Asked(client, client.app.state.service)  # type: ignore[attr-defined]

    yield start
    for client in open_clients:
        client.__exit__(None, None, None)


@pytest.fixture
def server(serve: Serve) -> Asked:
    return serve()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """One server for a file of tests: for those that leave nothing behind."""
    folder = tmp_path_factory.mktemp("shared")
    app = create_app(Settings(data_dir=folder, model="threshold", workers=0, rate=0))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield Asked(client, app.state.service)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    """A model that waits until the test lets it go; servers that start after this have it."""
    model = Slow()
    monkeypatch.setattr(work, "load", lambda _settings: Model(model))
    yield model
    model.go()
