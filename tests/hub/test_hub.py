"""The store of hosts: what is known, what is here, and how it comes here whole or not at all."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from medsegr import hub
from medsegr.errors import UsageError, WeightsError
from medsegr.hub import Entry
from medsegr.hub import pull as pulling
from medsegr.hub.pull import from_hub, pull, settled


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDSEGR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def no_convert(_file: Path, _row: Entry, _folder: Path) -> None:
    raise AssertionError("nothing to convert here")


def fetched(row: Entry, folder: Path) -> str:
    (folder / hub.CONFIG).write_text('{"model_type": "sam"}')
    (folder / hub.WEIGHTS).write_bytes(b"weights of " + row.name.encode())
    return "a" * 40


def folder_of(path: Path, content: bytes = b"mine") -> Path:
    path.mkdir(parents=True)
    (path / hub.CONFIG).write_text('{"model_type": "sam"}')
    (path / hub.WEIGHTS).write_bytes(content)
    return path


def test_the_table_names_every_host_with_licence_and_gate() -> None:
    table = hub.table()
    assert {"sam-vit-b", "medsam", "sam-hq-vit-b", "sam2-hiera-tiny", "medsam2", "edgetam", "sam3"} <= set(
        table
    )
    assert all(row.repo.count("/") == 1 and row.licence and row.seen for row in table.values())
    assert [name for name, row in table.items() if row.gated] == ["sam3"]
    assert table["medsam"].normal == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert table["sam-vit-b"].normal is None
    with pytest.raises(UsageError, match="no host is called 'sam-vit-x'; known are sam-vit-b"):
        hub.entry("sam-vit-x")


def test_home_is_told_or_the_cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub.home() == home
    monkeypatch.delenv("MEDSEGR_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert hub.home() == Path("/cache/medsegr")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert hub.home() == Path.home() / ".cache" / "medsegr"


def test_what_is_not_here_tells_how_to_bring_it() -> None:
    with pytest.raises(WeightsError, match=r"'sam-vit-b' are not here: medsegr models pull sam-vit-b"):
        hub.find("sam-vit-b")
    with pytest.raises(WeightsError, match="neither a folder nor a host"):
        hub.find("nobody")
    with pytest.raises(
        WeightsError, match=r"SHA-256 abcabcabcabc\.\.\.\) is not here: medsegr models add FOLDER"
    ):
        hub.find("mine", "abc" * 20)


def test_a_pull_is_recorded_verified_and_not_repeated(home: Path) -> None:
    calls: list[str] = []

    def fetch(row: Entry, folder: Path) -> str:
        calls.append(row.repo)
        return fetched(row, folder)

    found = pull("sam-vit-b", no_convert, fetch)
    sha256 = hashlib.sha256(b"weights of sam-vit-b").hexdigest()
    assert found.sha256 == hub.verify(found) == sha256
    told = json.loads((home / "hosts" / "sam-vit-b" / hub.RECORD).read_text())
    assert told["revision"] == "a" * 40
    assert told["repo"] == "facebook/sam-vit-base"
    assert told["licence"] == "Apache-2.0"
    assert pull("sam-vit-b", no_convert, fetch) == found
    assert calls == ["facebook/sam-vit-base"]
    assert hub.find("sam-vit-b") == hub.find("whatever", sha256) == found
    with pytest.raises(WeightsError, match="here with other weights than"):
        hub.find("sam-vit-b", "0" * 64)
    found.weights.write_bytes(b"changed")
    with pytest.raises(WeightsError, match="recorded is"):
        hub.verify(found)
    with pytest.raises(WeightsError, match="recorded is"):
        pull("sam-vit-b", no_convert, fetch)


def test_a_pull_cut_short_leaves_nothing(home: Path) -> None:
    def cut(row: Entry, folder: Path) -> str:
        fetched(row, folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull("sam-vit-b", no_convert, cut)
    assert list((home / "hosts").iterdir()) == []

    def half(row: Entry, folder: Path) -> str:
        fetched(row, folder)
        (folder / hub.WEIGHTS).unlink()
        return "b"

    with pytest.raises(WeightsError, match=r"holds no model\.safetensors"):
        pull("sam-vit-b", no_convert, half)
    assert list((home / "hosts").iterdir()) == []


def test_a_killed_pull_is_not_taken_for_whole(home: Path) -> None:
    folder_of(home / "hosts" / ".part-sam-vit-b-1")
    (home / "hosts" / ".part-sam-vit-b-1" / hub.RECORD).write_text("{}")
    assert list(hub.here()) == []
    assert pull("sam-vit-b", no_convert, fetched).name == "sam-vit-b"


def test_what_a_killed_pull_left_goes_with_the_next_and_a_running_one_stays(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A process that was killed holds no lock any more; one that runs does."""
    filling = (
        "import os, pathlib, sys; from medsegr.hub.pull import settled\n"
        "with settled(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'half').write_bytes(b'x'); print(folder.name, flush=True); sys.stdin.read()"
    )
    target = home / "hosts" / "sam-vit-b"

    def begin() -> tuple[subprocess.Popen[str], Path]:
        one = subprocess.Popen(
            [sys.executable, "-c", filling, str(target)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert one.stdout is not None
        return one, target.parent / one.stdout.readline().strip()

    killed, left = begin()
    killed.kill()
    killed.communicate()
    assert (left / "half").is_file()
    running, busy = begin()
    assert not left.exists()
    old = target.parent / ".part-sam-vit-b-1"  # of a version that had no locks
    other = target.parent / ".part-sam-vit-l-1"
    for folder in (old, other):
        folder.mkdir()
    found = pull("sam-vit-b", no_convert, fetched)
    assert {path.name for path in target.parent.iterdir()} == {"sam-vit-b", busy.name, other.name}
    assert sorted(path.name for path in found.folder.iterdir()) == sorted(
        [hub.CONFIG, hub.RECORD, hub.WEIGHTS]
    )
    running.kill()
    running.communicate()
    pull("sam-vit-b", no_convert, fetched)  # which is there already
    assert not busy.exists()
    assert capsys.readouterr() == ("", "")


def test_a_folder_that_is_swept_before_it_is_locked_is_given_up(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, seen = pulling._held, []

    def late(folder: Path) -> int:
        seen.append(folder)
        if len(seen) == 1:
            folder.rmdir()
        return plain(folder)

    monkeypatch.setattr(pulling, "_held", late)
    with settled(home / "one") as folder:
        assert folder == seen[1] != seen[0]
    assert [path.name for path in home.iterdir() if path.name != "hosts"] == ["one"]


def test_without_locks_nothing_is_swept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    (home / ".part-one-1").mkdir(parents=True)
    with settled(home / "one"):
        pass
    assert {path.name for path in home.iterdir()} >= {".part-one-1", "one"}


def test_weights_that_are_not_the_known_ones_are_not_kept(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = hub.entry("sam-vit-b")
    pinned = Entry(row.name, row.family, row.repo, row.licence, row.size, row.width, sha256="f" * 64)
    monkeypatch.setattr("medsegr.hub.pull.entry", lambda _name: pinned)
    with pytest.raises(WeightsError, match=r"known is ffffffffffff\.\.\.: nothing was kept"):
        pull("sam-vit-b", no_convert, fetched)
    assert list((home / "hosts").iterdir()) == []


def test_a_file_of_its_authors_is_converted_on_the_way() -> None:
    def fetch(row: Entry, folder: Path) -> str:
        (folder / row.file).write_bytes(b"foreign")
        return "c"

    def convert(file: Path, row: Entry, folder: Path) -> None:
        assert file.read_bytes() == b"foreign"
        fetched(row, folder)

    found = pull("medsam2", convert, fetch)
    assert not (found.folder / "MedSAM2_latest.pt").exists()
    assert found.weights.is_file()


def test_a_folder_is_remembered_and_found_by_its_hash(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "mine")
    found = hub.find(str(folder))
    assert found.name == "mine"
    assert found.sha256 == ""
    sha256 = hub.digest(found.weights)
    assert hub.verify(found) == sha256, "nothing is recorded that it could differ from"
    hub.remember(found, sha256)
    hub.remember(found, sha256)
    hub.remember(hub.Found("the same by another name", folder), sha256)
    assert len(list(hub.here())) == 1
    again = hub.find("another name", sha256)
    assert again.folder == folder.resolve()
    assert hub.verify(again) == sha256


def test_how_pictures_are_shown_comes_from_the_table_or_the_folder(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "mine")
    found = hub.find(str(folder))
    assert hub.normal_of(found) is None
    (folder / hub.PROCESSOR).write_text('{"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 1, 1]}')
    assert hub.normal_of(found) == ((0.1, 0.2, 0.3), (1, 1, 1))
    (folder / hub.PROCESSOR).write_text("[]")
    with pytest.raises(WeightsError, match="holds no JSON object"):
        hub.normal_of(found)
    assert hub.normal_of(hub.Found("medsam", folder)) == hub.table()["medsam"].normal


def test_settled_refuses_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(WeightsError, match="is there already"), settled(tmp_path / "out"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


class Answers:
    """The hub, answering with an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def model_info(self, _repo: str) -> None:
        raise self.error


def refused(kind: str) -> Exception:
    errors = pytest.importorskip("huggingface_hub.errors")
    made: Exception = getattr(errors, kind).__new__(getattr(errors, kind))
    return made


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        (
            "GatedRepoError",
            "sam3",
            r"are gated: log in .* https://huggingface.co/facebook/sam3, then pull again",
        ),
        (
            "RepositoryNotFoundError",
            "sam-vit-b",
            "the hub has no facebook/sam-vit-base, or shows it after a login",
        ),
        ("OfflineModeIsEnabled", "sam-vit-b", "could not be fetched from .* HF_HUB_OFFLINE unset"),
    ],
)
def test_what_the_hub_refuses_is_one_line(
    kind: str, name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = refused(kind)
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: Answers(error))
    with pytest.raises(WeightsError, match=said) as caught:
        from_hub(hub.entry(name), tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("number", "said"), [(28, "the disk is full: .* MEDSEGR_HOME"), (104, "a network and")]
)
def test_a_full_disk_is_not_taken_for_a_missing_network(
    number: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: Answers(OSError(number, "told by the system")))
    with pytest.raises(WeightsError, match=said):
        from_hub(hub.entry("sam-vit-b"), tmp_path)
