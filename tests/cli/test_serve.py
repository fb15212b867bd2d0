"""What ``medsegr serve`` refuses before it listens: one line, a documented exit code."""

import importlib.util
import socket
from pathlib import Path
from typing import Any

import pytest

from medsegr.cli.flags import CachedRunFlags
from medsegr.cli.serve import BindFlags, QueueFlags, settings_of
from medsegr.errors import UsageError
from medsegr.serve.folders import Folders
from medsegr.serve.settings import Settings, data_home


def test_another_address_needs_keys(run: Any, tmp_path: Path) -> None:
    run("serve", "--host", "0.0.0.0", "--data-dir", tmp_path).fails(2, "--api-key-file")


@pytest.mark.parametrize(
    ("flags", "code", "word"),
    [
        (["--model", "nonsense"], 2, "nonsense"),
        (["--backend", "nonsense"], 2, "nonsense"),
        (["--tls-cert", "a.pem"], 2, "--tls-key"),
        (["--limits", "pixels=x"], 2, "pixels"),
        (["--cluster", "http://x"], 2, "--cluster"),
    ],
)
def test_mistakes_are_told_at_once(run: Any, tmp_path: Path, flags: list[str], code: int, word: str) -> None:
    run("serve", "--data-dir", tmp_path, *flags).fails(code, word)


def test_a_port_that_is_taken(run: Any, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        run("serve", "--data-dir", tmp_path, "--port", port, "--model", "threshold").fails(2, "--port")


def test_what_is_wrong_with_the_file_of_servers_is_told_of_that_file(run: Any, tmp_path: Path) -> None:
    told = tmp_path / "dicomweb.toml"
    told.write_text(
        '[[server]]\nname = "archive"\nurl = "https://pacs/dicom-web"\nusr = "me"\n', encoding="utf-8"
    )
    data = tmp_path / "data"
    ran = run("serve", "--data-dir", data, "--model", "threshold", "--port", "0", "--dicomweb", told)
    ran.fails(3, "dicomweb.toml: ")
    assert not data.exists()


def test_a_data_folder_that_cannot_be(run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    run("serve", "--data-dir", tmp_path / "file", "--model", "threshold").fails(3, "--data-dir")


def test_a_data_folder_has_one_server(run: Any, tmp_path: Path) -> None:
    give_back = Folders(tmp_path).make().hold()
    run("serve", "--data-dir", tmp_path, "--model", "threshold", "--port", "0").fails(3, "another server")
    give_back()
    Folders(tmp_path).hold()()


def test_without_its_extra(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr("medsegr.cli.serve.find_spec", lambda name: None if name == "fastapi" else real(name))
    run("serve").fails(1, "pip install 'medsegr[serve]'")


def test_flags_become_settings(tmp_path: Path) -> None:
    bind = BindFlags(host="::1", port=0, allow_host=["a.example, b.example"], rate=7)
    work = QueueFlags(data_dir=tmp_path, workers=3, keep=2, limits="pixels=1e6")
    made = settings_of(bind, work, CachedRunFlags(model="threshold", threads=2))
    assert (made.host, made.workers, made.keep_seconds, made.threads) == ("::1", 3, 7200, 2)
    assert made.allow_hosts == ("a.example", "b.example")
    assert made.limits.pixels == 1_000_000
    assert made.loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_needs_no_key(host: str) -> None:
    assert Settings(host=host).loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.org", "127.example.org"])
def test_any_other_does(host: str) -> None:
    with pytest.raises(UsageError, match="api-key-file"):
        Settings(host=host)


def test_a_key_that_has_ended_already_is_not_made(run: Any, tmp_path: Path) -> None:
    told = ("serve", "--new-key", "old", "read", tmp_path / "keys.txt", "--key-until")
    run(*told, "2020-01-31").fails(2, "2020-01-31 is past")
    assert not (tmp_path / "keys.txt").exists()


def test_values_that_make_no_server_are_refused() -> None:
    for wrong in ({"queue": 0}, {"keep_hours": -1.0}, {"job_seconds": float("nan")}, {"workers": -1}):
        with pytest.raises(UsageError):
            Settings(**wrong)  # type: ignore[arg-type]


def test_data_lie_in_the_users_own_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert data_home() == tmp_path / "medsegr" / "serve"
