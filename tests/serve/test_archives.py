"""Who may be asked stands in a file that is read strictly: no secret in it, no address from elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from medsegr.errors import InputError, UsageError
from medsegr.serve.archives import Archive, archive_named, read_archives

HTTPS = {"name": "a", "url": "https://pacs.example.org/dicom-web"}


def config(folder: Path, *servers: dict[str, Any], extra: str = "") -> Path:
    rows = [
        "[[server]]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in server.items())
        for server in servers
    ]
    path = folder / "dicomweb.toml"
    path.write_text(extra + "\n".join(rows), encoding="utf-8")
    return path


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("geheim\nsecond line\n", encoding="utf-8")
    login = {"user": "me", "password_file": "secret"}
    path = config(tmp_path, {**HTTPS, **login, "timeout_s": 5, "push": True}, {**HTTPS, "name": "b"})
    found = read_archives(path)
    assert list(found) == ["a", "b"]
    assert (found["a"].user, found["a"].password(), found["a"].token()) == ("me", "geheim", None)
    assert (found["a"].timeout_s, found["a"].push, found["b"].push) == (5.0, True, False)
    assert "geheim" not in repr(found)
    assert archive_named(found, "b").name == "b"


def test_a_slash_at_the_end_is_no_other_address(tmp_path: Path) -> None:
    path = config(tmp_path, {**HTTPS, "url": HTTPS["url"] + "/"})
    assert read_archives(path)["a"].url == HTTPS["url"]


def test_a_credential_is_read_each_time_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACS_TOKEN", "one")
    archive = read_archives(config(tmp_path, {**HTTPS, "token_env": "PACS_TOKEN"}))["a"]
    monkeypatch.setenv("PACS_TOKEN", "two")
    assert archive.token() == "two"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"uri": "x"}, "'uri' is not known"),
    "a password in the file": ({"user": "me", "password": "geheim"}, "secrets are not written here"),
    "a token in the file": ({"token": "geheim"}, "secrets are not written here"),
    "no name": ({"name": ""}, "name"),
    "a name that is a path": ({"name": "../x"}, "name"),
    "no url": ({"url": ""}, "url"),
    "another scheme": ({"url": "file:///etc/passwd"}, "https://"),
    "no host": ({"url": "https:///x"}, "https://"),
    "credentials in the url": ({"url": "https://me:geheim@pacs.example.org"}, "holds credentials"),
    "a query": ({"url": "https://pacs.example.org/?x=1"}, "query"),
    "a bad port": ({"url": "https://pacs.example.org:99999/"}, "url"),
    "user without password": ({"user": "me"}, "user goes with"),
    "password without user": ({"password_env": "HOME"}, "user goes with"),
    "user with a colon": ({"user": "me:you", "password_env": "HOME"}, "user"),
    "two credentials": ({"token_env": "HOME", "token_file": "x"}, "give one of"),
    "credentials without TLS": (
        {"url": "http://pacs.example.org/rs", "token_env": "HOME"},
        "plain_http = true",
    ),
    "verify and ca_file": ({"verify": False, "ca_file": "x"}, "give one"),
    "ca_file that is not there": ({"ca_file": "nothing.pem"}, "no such file"),
    "a file that is not there": ({"token_file": "nothing"}, "cannot be read"),
    "a variable that is not set": ({"token_env": "MEDSEGR_NOT_SET"}, "is empty"),
    "no time": ({"timeout_s": 0}, "timeout_s"),
    "endless time": ({"timeout_s": 1e9}, "timeout_s"),
    "a word where a number was expected": ({"max_bytes": "many"}, "max_bytes"),
    "no attempt": ({"attempts": 0}, "attempts"),
}


@pytest.mark.parametrize(("more", "word"), REFUSED.values(), ids=REFUSED.keys())
def test_nonsense_is_refused_in_one_line(more: dict[str, Any], word: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_archives(config(tmp_path, {**HTTPS, **more}))
    told = str(caught.value)
    assert word in told
    assert "\n" not in told
    assert "geheim" not in told
    assert "example.org" not in told


def test_credentials_may_go_over_loopback_or_where_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACS_TOKEN", "x")
    near = {"name": "a", "url": "http://127.0.0.1:8042/dicom-web", "token_env": "PACS_TOKEN"}
    far = {"name": "b", "url": "http://orthanc:8042/rs", "token_env": "PACS_TOKEN", "plain_http": True}
    assert list(read_archives(config(tmp_path, near, far))) == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    ["", "[[server]]\nname = ", "[server]\nname='a'", "title = 'x'\n[[server]]\nname='a'", "server = 3"],
)
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="--dicomweb"):
        read_archives(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--dicomweb: the file cannot be read"):
        read_archives(tmp_path / "none.toml")


def test_two_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two servers are called 'a'"):
        read_archives(config(tmp_path, HTTPS, HTTPS))


def test_an_unknown_name_lists_the_known(tmp_path: Path) -> None:
    archives = read_archives(config(tmp_path, HTTPS))
    for name in ("b", "https://evil.example", ""):
        with pytest.raises(UsageError, match=r"there are: a$"):
            archive_named(archives, name)


def test_loopback_is_told_by_the_address_alone() -> None:
    told = {"https://x.example": True, "http://127.0.0.1:1/x": True, "http://[::1]/x": True}
    told |= {"http://localhost/x": True, "http://127.0.0.1.evil.example/": False, "http://10.0.0.1/": False}
    assert {url: Archive(name="a", url=url).secure for url in told} == told
