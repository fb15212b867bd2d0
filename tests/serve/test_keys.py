"""The key file: what a line is, who is let in, and what a change of the file does."""

import hashlib
import os
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.errors import InputError, UsageError
from medsegr.serve.auth import may_change, needed
from medsegr.serve.keys import LOCAL, ROLES, Caller, Key, Keyring, find, new_key, read_keys

HASH = hashlib.sha256(b"secret").hexdigest()


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_a_new_key_lets_in_and_is_in_no_file(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "keys"
    first = new_key("ward-7", "write", path)
    second = new_key("nightly", "read", path, date(2030, 1, 31))
    assert first != second
    assert first not in path.read_text(encoding="utf-8")
    assert len(first) > 40
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
    ring = Keyring(path, lambda: date(2030, 1, 31))
    assert ring.caller(first) == Caller("ward-7", "write")
    assert ring.caller(second) == Caller("nightly", "read"), "good on its last day"
    assert Keyring(path, lambda: date(2030, 2, 1)).caller(second) == "key_expired"
    for wrong in ("", "x", first[:-1], first + " ", first * 99, HASH, "\udc80"):
        assert ring.caller(wrong) == "unauthorized"


def test_other_lines_stay_as_they_are(tmp_path: Path) -> None:
    path = written(tmp_path / "keys", f"# ours\n\n  old admin {HASH.upper()} 2031-12-01", 0o640)
    new_key("new", "read", path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[:3] == ["# ours", "", f"  old admin {HASH.upper()} 2031-12-01"]
    assert path.stat().st_mode & 0o777 == 0o640
    assert read_keys(path)[0] == Key("old", "admin", HASH, date(2031, 12, 1))
    assert Keyring(path).caller("secret") == Caller("old", "admin")
    before = path.read_bytes()
    for name, role in (("new", "read"), ("a b", "read"), ("", "read"), ("-x", "read"), ("x", "root")):
        with pytest.raises(UsageError):
            new_key(name, role, path)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["keys"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no key"),
        ("# only words\n", "holds no key"),
        ("a read", "line 1"),
        (f"a root {HASH}", "one of read, write, admin"),
        (f"a read {HASH[:-1]}", "line 1"),
        (f"# x\na read {HASH}\nb/c read {HASH}", "line 3"),
        (f"a read {HASH} tomorrow", "must be a day"),
        (f"a read {HASH} 2030-01-01 more", "line 1"),
        (f"a read {HASH}\na write {HASH}", "the name a twice"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path / "keys", text)
    with pytest.raises(InputError, match=told) as refused:
        read_keys(path)
    assert HASH[:12] not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
def test_a_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    for mode in (0o620, 0o602, 0o666):
        with pytest.raises(InputError, match="chmod go-w"):
            read_keys(written(tmp_path / "keys", f"a read {HASH}", mode))
    assert read_keys(written(tmp_path / "keys", f"a read {HASH}", 0o444)), "as secrets of containers are"
    with pytest.raises(InputError, match="no plain file"):
        read_keys(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_keys(tmp_path / "none")


def test_the_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = written(tmp_path / "keys", f"a read {HASH}\n")
    ring = Keyring(path)
    key = new_key("b", "admin", path)
    assert ring.caller(key) == Caller("b", "admin"), "without a restart"
    written(path, f"a read {HASH}\n")
    assert ring.caller(key) == "unauthorized", "a line taken away"
    written(path, "damaged")
    assert ring.caller("secret") == "keys_unreadable", "nobody, not everybody"
    path.unlink()
    assert ring.caller("secret") == "keys_unreadable"
    written(path, f"a write {HASH}\n")
    assert ring.caller("secret") == Caller("a", "write")


@given(st.lists(st.text(max_size=8), min_size=1, max_size=6, unique=True), st.text(max_size=8))
def test_a_key_is_found_by_its_own_line_only(known: list[str], asked: str) -> None:
    keys = tuple(
        Key(f"k{n}", "read", hashlib.sha256(text.encode("utf-8")).hexdigest()) for n, text in enumerate(known)
    )
    found = find(keys, asked)
    assert (found.name if found else None) == (f"k{known.index(asked)}" if asked in known else None)


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/", None),
        ("GET", "/healthz", None),
        ("GET", "/readyz", None),
        ("GET", "/assets/index-1a2b.js", None),
        ("GET", "/assets/../v1/jobs", "read"),
        ("GET", "/assets//v1", "read"),
        ("POST", "/", "write"),
        ("GET", "/openapi.json", "read"),
        ("GET", "/v1/jobs", "read"),
        ("HEAD", "/v1/jobs/j1/result", "read"),
        ("POST", "/v1/parse", "read"),
        ("POST", "/v1/images", "write"),
        ("POST", "/v1/jobs/j1/cancel", "write"),
        ("DELETE", "/v1/jobs/j1", "write"),
        ("BREW", "/v1/jobs", "write"),
        ("GET", "/v1/dicomweb", "read"),
        ("GET", "/v1/dicomweb/pacs/studies", "write"),
        ("POST", "/v1/jobs/j1/push", "admin"),
        ("GET", "/no/such/place", "read"),
        ("GET", "//v1/jobs", "read"),
    ],
)
def test_roles_of_routes(method: str, path: str, role: str | None) -> None:
    assert needed(method, path) == role


def test_roles_reach_down_and_own_things_may_be_changed() -> None:
    for at, role in enumerate(ROLES):
        assert [Caller("x", role).may(other) for other in ROLES] == [n <= at for n in range(3)]
    assert may_change(Caller("a", "write"), "a")
    assert not may_change(Caller("a", "write"), "b")
    assert not may_change(Caller("a", "read"), "a")
    assert may_change(Caller("a", "admin"), "b")
    assert may_change(LOCAL, "anybody")
