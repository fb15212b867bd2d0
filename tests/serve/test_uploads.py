"""Multipart bodies, however they are cut: the files arrive as they were sent, under names of ours."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.serve.refusal import Refusal
from medsegr.serve.uploads import Upload, ending

BOUNDARY = b"----line"


def body(files: list[tuple[str, bytes]], fields: dict[str, str] | None = None) -> bytes:
    parts = [
        b'Content-Disposition: form-data; name="files"; filename="%s"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n%s" % (name.encode(), data)
        for name, data in files
    ]
    parts += [
        f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
        for name, value in (fields or {}).items()
    ]
    return b"".join(b"--%s\r\n%s\r\n" % (BOUNDARY, part) for part in parts) + b"--%s--\r\n" % BOUNDARY


def fed(folder: Path, data: bytes, cuts: list[int], most: tuple[int, int] = (10**6, 10)) -> Upload:
    upload = Upload(folder, BOUNDARY, most)
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    try:
        for start, end in pairwise(places):
            upload.feed(data[start:end])
    finally:
        upload.close()
    return upload


@given(
    files=st.lists(st.binary(max_size=300), min_size=1, max_size=5),
    cuts=st.lists(st.integers(0, 5000), max_size=12),
    field=st.text("abcdef 1", max_size=20),
)
def test_files_arrive_as_they_were_sent_however_the_body_is_cut(
    tmp_path_factory: pytest.TempPathFactory, files: list[bytes], cuts: list[int], field: str
) -> None:
    folder = tmp_path_factory.mktemp("up")
    sent = body([(f"../x{n}.DCM", data) for n, data in enumerate(files)], {"series": field})
    upload = fed(folder, sent, cuts)
    assert upload.ended
    assert upload.fields == {"series": field.strip()}
    assert [path.name for path in sorted(folder.iterdir())] == [
        f"{n:04d}.dcm" for n in range(1, len(files) + 1)
    ]
    assert [path.read_bytes() for path in sorted(folder.iterdir())] == files


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.PNG", ".png"),
        ("b.nii.gz", ".nii.gz"),
        ("IM0001", ""),
        ("x.exe", ""),
        ("../../etc/passwd", ""),
        ("C:\\scans\\a.dcm", ".dcm"),
        ("folder/sub/1.2.840.dcm", ".dcm"),
        ("1.2.840.113619", ""),
        ("a.html.png", ".png"),
        ("a.png\x00.sh", ""),
        ("", ""),
    ],
)
def test_only_endings_that_readers_know_are_kept(name: str, expected: str) -> None:
    assert ending(name) == expected


@pytest.mark.parametrize(
    ("data", "most", "code"),
    [
        (body([("a.png", b"x" * 2000)]), (1000, 10), "too_large"),
        (body([("a.png", b"x")] * 3), (10**6, 2), "too_large"),
        (body([("a.png", b"x")], {"path": "/etc/passwd"}), (10**6, 2), "bad_request"),
        (body([], {"series": "x" * 5000}), (10**6, 2), "too_large"),
        (b"no multipart at all", (10**6, 2), "bad_request"),
        (b"--" + BOUNDARY + b"\r\nContent-Type: text/plain\r\n\r\nx", (10**6, 2), "bad_request"),
        (b"--" + BOUNDARY + b"\r\nX: " + b"y" * 40000, (10**6, 2), "bad_request"),
    ],
)
def test_what_is_refused(tmp_path: Path, data: bytes, most: tuple[int, int], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        fed(tmp_path, data, [500], most)
    assert refused.value.code == code


def test_as_many_files_and_bytes_as_are_allowed_are_taken(tmp_path: Path) -> None:
    data = body([("a.png", b"x"), ("b.png", b"y")])
    upload = fed(tmp_path, data, [], (len(data), 2))
    assert (upload.ended, upload.files) == (True, 2)


def test_a_field_that_comes_twice_is_refused(tmp_path: Path) -> None:
    twice = body([("a.png", b"x")], {"frame": "viewer"})[: -len(BOUNDARY) - 6]
    twice += body([], {"frame": "patient"})
    with pytest.raises(Refusal):
        fed(tmp_path, twice, [])


def test_a_body_that_is_cut_short_has_not_ended(tmp_path: Path) -> None:
    assert not fed(tmp_path, body([("a.png", b"x" * 99)])[:150], []).ended
