"""What a DICOMweb server may do wrongly, and what becomes of it: one line, no half folder, no other host."""

import gzip
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_files import PLANTED, write_ct
from dicomweb_stub import Answer, Asked, Rule, Stub, answering, holding, parts, rows
from medsegr.errors import InputError, RemoteError, UsageError
from medsegr.serve.archives import Archive, read_archives
from medsegr.serve.dicomweb import (
    FILTERS,
    STUDY_FIELDS,
    checked_uid,
    fields_of,
    push,
    search_series,
    search_studies,
)
from medsegr.serve.fetch import Fetched, pull

STUDY, SERIES = "2.25.4711001", "2.25.31"
GRID = np.array([[0, 0, 1.0, 0], [0, 1.0, 0, 0], [2.0, 0, 0, 0], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """SOP instance UID -> bytes of three slices."""
    folder = write_ct(tmp_path_factory.mktemp("ct"), np.zeros((3, 8, 9), np.int16), GRID)
    bodies = [path.read_bytes() for path in sorted(folder.iterdir())]
    return {str(pydicom.dcmread(BytesIO(body)).SOPInstanceUID): body for body in bodies}


@contextmanager
def asked(rule: Rule, folder: Path, **more: Any) -> Iterator[tuple[Archive, Stub]]:
    with answering(rule) as stub:
        yield read_archives(stub.config(folder, **more))["stub"], stub


def refused(code: str, rule: Rule, folder: Path, **more: Any) -> str:
    """The line with which a pull ends; nothing is left of it."""
    with asked(rule, folder, **more) as (archive, _), pytest.raises(RemoteError) as caught:
        pull(archive, STUDY, None, folder / "got", sleep=lambda _: None)
    assert caught.value.code == code
    assert not (folder / "got").exists()
    assert [path for path in folder.iterdir() if "part" in path.name] == []
    told = str(caught.value)
    assert "\n" not in told
    assert not [word for word in (STUDY, SERIES, "127.0.0.1", *PLANTED) if word in told]
    return told


def test_a_study_comes_bit_for_bit(files: dict[str, bytes], tmp_path: Path) -> None:
    with asked(holding(STUDY, SERIES, files), tmp_path) as (archive, _):
        fetched = pull(archive, STUDY, None, tmp_path / "got")
    assert fetched == Fetched(3, sum(map(len, files.values())), 1)
    assert [path.read_bytes() for path in sorted((tmp_path / "got").iterdir())] == list(files.values())


def test_a_stop_in_the_middle_leaves_nothing(files: dict[str, bytes], tmp_path: Path) -> None:
    whole = parts(*files.values())
    cut = Answer(200, whole.body, whole.headers, cut=len(whole.body) // 2)
    told = refused("unreachable", holding(STUDY, SERIES, files, fetch=lambda _: cut), tmp_path)
    assert "broke off" in told


def test_an_answer_without_its_last_boundary_is_no_whole_answer(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    short = parts(*files.values(), end=False)
    refused("unreachable", holding(STUDY, SERIES, files, fetch=lambda _: short), tmp_path)


def test_a_stop_that_passes_is_tried_again(files: dict[str, bytes], tmp_path: Path) -> None:
    whole = parts(*files.values())
    answers = [Answer(503), Answer(200, whole.body, whole.headers, cut=900), whole]
    rule = holding(STUDY, SERIES, files, fetch=lambda _: answers.pop(0))
    waits: list[float] = []
    with asked(rule, tmp_path, attempts=3) as (archive, _):
        assert pull(archive, STUDY, SERIES, tmp_path / "got", waits.append).instances == 3
    assert len(list((tmp_path / "got").iterdir())) == 3
    assert waits == [0.5, 1.0]


def test_the_server_says_how_long_to_wait(files: dict[str, bytes], tmp_path: Path) -> None:
    answers = [Answer(429, headers={"Retry-After": "7"}), Answer(429, headers={"Retry-After": "99999"})]
    rule = holding(
        STUDY, SERIES, files, fetch=lambda _: answers.pop(0) if answers else parts(*files.values())
    )
    waits: list[float] = []
    with asked(rule, tmp_path, attempts=3) as (archive, _):
        pull(archive, STUDY, SERIES, tmp_path / "got", waits.append)
    assert waits == [7.0, 30.0]


def test_half_a_study_is_not_taken(files: dict[str, bytes], tmp_path: Path) -> None:
    some = list(files.values())[:2]
    told = refused("incomplete", holding(STUDY, SERIES, files, fetch=lambda _: parts(*some)), tmp_path)
    assert "1 of 3 objects" in told


def test_another_patients_study_is_not_taken(files: dict[str, bytes], tmp_path: Path) -> None:
    ds = pydicom.dcmread(BytesIO(next(iter(files.values()))))
    ds.StudyInstanceUID = "2.25.666"
    made = BytesIO()
    ds.save_as(made)
    rule = holding(STUDY, SERIES, files, fetch=lambda _: parts(*files.values(), made.getvalue()))
    assert "another study" in refused("foreign", rule, tmp_path)


def test_what_is_no_dicom_is_not_taken(files: dict[str, bytes], tmp_path: Path) -> None:
    rule = holding(STUDY, SERIES, files, fetch=lambda _: parts(b"<html>login</html>"))
    assert "no DICOM" in refused("foreign", rule, tmp_path)


def test_limits_hold_while_it_comes(files: dict[str, bytes], tmp_path: Path) -> None:
    rule = holding(STUDY, SERIES, files)
    assert "max_instances = 2" in refused("too_large", rule, tmp_path, max_instances=2)
    assert "max_bytes = 2,000" in refused("too_large", rule, tmp_path, max_bytes=2000)
    liar = holding(
        STUDY, SERIES, files, instances=lambda a: rows() if "offset" in a.path else rows({"00080018": "1.2"})
    )
    assert "max_instances = 1" in refused("too_large", liar, tmp_path, max_instances=1)


def test_a_fetch_that_takes_too_long_ends(files: dict[str, bytes], tmp_path: Path) -> None:
    assert "total_s" in refused("failed", holding(STUDY, SERIES, files), tmp_path, total_s=1e-6)


@pytest.mark.parametrize("status", [400, 500, 501, 503])
def test_a_server_in_trouble(status: int, files: dict[str, bytes], tmp_path: Path) -> None:
    rule = holding(STUDY, SERIES, files, fetch=lambda _: Answer(status, b"Geheim^Trace " + STUDY.encode()))
    assert f"status {status}" in refused("failed", rule, tmp_path)


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_credentials(status: int, files: dict[str, bytes], tmp_path: Path) -> None:
    assert "check user" in refused("refused", lambda _: Answer(status), tmp_path, attempts=3)


def test_nobody_there(tmp_path: Path) -> None:
    with answering(lambda _: Answer()) as stub:
        path = stub.config(tmp_path)
    with pytest.raises(RemoteError, match="cannot be reached") as caught:
        search_studies(read_archives(path)["stub"], {})
    assert caught.value.code == "unreachable"


def test_an_unknown_study(files: dict[str, bytes], tmp_path: Path) -> None:
    refused("not_found", holding(STUDY, SERIES, files, series=lambda _: rows()), tmp_path)
    refused("not_found", holding(STUDY, SERIES, files, instances=lambda _: rows()), tmp_path)
    refused("not_found", lambda _: Answer(404), tmp_path)


def test_series_without_images_are_left_out(files: dict[str, bytes], tmp_path: Path) -> None:
    def series(asked: Asked) -> Answer:
        ours = {"0020000E": "1.3", "00080060": "OT", "0008103E": "medsegr SC. Not a medical device."}
        others = ({"0020000E": "1.2", "00080060": "SEG"}, ours)
        return rows() if "offset" in asked.path else rows(*others, {"0020000E": SERIES, "00080060": "CT"})

    with asked(holding(STUDY, SERIES, files, series=series), tmp_path) as (archive, stub):
        assert pull(archive, STUDY, None, tmp_path / "got").series == 1
    assert not [one for one in stub.seen if "/series/1." in one.path]
    shutil.rmtree(tmp_path / "got")
    only = holding(STUDY, SERIES, files, series=lambda _: rows({"0020000E": "1.2", "00080060": "SR"}))
    assert "no series of images" in refused("not_found", only, tmp_path)


def test_what_inflates_is_not_taken(files: dict[str, bytes], tmp_path: Path) -> None:
    whole = parts(*files.values())
    small = Answer(200, gzip.compress(whole.body), {**whole.headers, "Content-Encoding": "gzip"})
    told = refused("failed", holding(STUDY, SERIES, files, fetch=lambda _: small), tmp_path)
    assert "compressed" in told


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody has signed but itself, with its key."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "made")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    place = x509.IPAddress(ip_address("127.0.0.1"))
    made = made.add_extension(x509.SubjectAlternativeName([place]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    path = tmp_path_factory.mktemp("tls") / "made.pem"
    private = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = serialization.Encoding.PEM
    path.write_bytes(key.private_bytes(pem, *private) + made.sign(key, hashes.SHA256()).public_bytes(pem))
    return path


def test_a_certificate_has_to_be_trusted(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))  # what the environment trusts does not count
    with answering(lambda _: rows(), certificate) as stub:
        with pytest.raises(RemoteError, match="certificate is not trusted") as caught:
            search_studies(read_archives(stub.config(tmp_path, attempts=3))["stub"], {})
        assert caught.value.code == "unreachable"
        assert stub.seen == []
        for more in ({"ca_file": str(certificate)}, {"verify": False}):
            assert search_studies(read_archives(stub.config(tmp_path, **more))["stub"], {}) == []


def test_another_host_is_not_followed(files: dict[str, bytes], tmp_path: Path) -> None:
    with answering(lambda _: Answer(200, b"[]")) as other:
        for place in (other.url, "//127.0.0.2/x", "http://169.254.169.254/latest", "https://127.0.0.1/"):
            away = Answer(302, headers={"Location": place})
            assert "another host" in refused("redirected", lambda _, away=away: away, tmp_path)
        assert other.seen == []


def test_another_path_of_the_same_host_is(tmp_path: Path) -> None:
    def rule(asked: Asked) -> Answer:
        if asked.path.startswith("/rs/studies"):
            return Answer(307, headers={"Location": "/moved/studies"})
        return rows({"0020000D": STUDY})

    with asked(rule, tmp_path) as (archive, _):
        assert [row["study"] for row in search_studies(archive, {})] == [STUDY]


def test_credentials_go_to_the_server_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login planted password planted", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("PACS_TOKEN", "made-token")
    for more, head in (
        ({"token_env": "PACS_TOKEN"}, "Bearer made-token"),
        ({"user": "me", "password_env": "PACS_TOKEN"}, "Basic bWU6bWFkZS10b2tlbg=="),
        ({}, None),
    ):
        with asked(lambda _: rows(), tmp_path, **more) as (archive, stub):
            search_studies(archive, {})
        assert [one.headers.get("Authorization") for one in stub.seen] == [head]


BAD_UIDS = [
    "",
    "1",
    "..",
    "1.2/../../x",
    "1.2?x=1",
    "1.2#",
    "1.2%2f",
    "a.b",
    "1..2",
    ".1",
    "1.2 ",
    "1.2\n",
    "9" * 65,
]


@pytest.mark.parametrize("uid", BAD_UIDS)
def test_ids_that_are_none_are_not_sent(uid: str, tmp_path: Path) -> None:
    with asked(lambda _: rows(), tmp_path) as (archive, stub):
        for call in (
            lambda: pull(archive, uid, None, tmp_path / "got"),
            lambda: pull(archive, STUDY, uid, tmp_path / "got"),
            lambda: search_series(archive, uid),
        ):
            with pytest.raises(UsageError, match="DICOM UID"):
                call()
    assert stub.seen == []


@given(st.text(max_size=80))
def test_a_uid_is_safe_in_a_path(text: str) -> None:
    try:
        assert set(checked_uid(text, "study")) <= set("0123456789.")
        assert ".." not in text
    except UsageError:
        pass


@pytest.mark.parametrize(
    "filters", [{"url": "x"}, {"PatientID": ""}, {"PatientID": "x" * 65}, {"PatientID": "a\nb"}]
)
def test_searches_that_are_not_offered(filters: dict[str, str], tmp_path: Path) -> None:
    with asked(lambda _: rows(), tmp_path) as (archive, stub), pytest.raises(UsageError):
        search_studies(archive, filters)
    assert stub.seen == []


def test_a_value_of_a_search_stays_a_value(tmp_path: Path) -> None:
    with asked(lambda _: rows(), tmp_path) as (archive, stub):
        search_studies(archive, {"PatientID": "a&limit=9#?*/.."}, limit=2)
    path = stub.seen[0].path
    assert path.startswith("/rs/studies?PatientID=a?limit?9??*?..&")
    assert path.endswith("&limit=2")
    assert set(FILTERS) >= {"PatientID", "StudyDate"}


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[1]", b'"x"', b"\xff\xfe", b'{"a": [}'])
def test_nonsense_in_answer_to_a_search(body: bytes, tmp_path: Path) -> None:
    with (
        asked(lambda _: Answer(200, body), tmp_path) as (archive, _),
        pytest.raises(RemoteError, match="search"),
    ):
        search_studies(archive, {})


def test_nothing_found_is_an_empty_list(tmp_path: Path) -> None:
    for answer in (Answer(204), Answer(200, b"[]")):
        with asked(lambda _, answer=answer: answer, tmp_path) as (archive, _):
            assert search_studies(archive, {"PatientID": "nobody"}) == []


def test_a_server_that_knows_no_offset_ends_the_search(tmp_path: Path) -> None:
    with asked(lambda _: rows({"0020000E": SERIES}, {"0020000E": "1.2"}), tmp_path) as (archive, stub):
        assert len(search_series(archive, STUDY)) == 2
    assert len(stub.seen) == 2


@given(
    st.dictionaries(
        st.sampled_from(["0020000D", "00100010", "00080061"]),
        st.none()
        | st.integers()
        | st.lists(st.none() | st.text())
        | st.fixed_dictionaries(
            {
                "Value": st.none()
                | st.integers()
                | st.lists(st.none() | st.text() | st.dictionaries(st.text(), st.text()))
            }
        ),
    )
)
def test_any_row_gives_the_fields(row: dict[str, Any]) -> None:
    told = fields_of(row, STUDY_FIELDS)
    assert set(told) == set(STUDY_FIELDS)
    json.dumps(told)


def stored(status: int, folder: Path, files: dict[str, bytes], body: Any = None, **more: Any) -> list[Any]:
    path = folder / "segmentation.dcm"
    path.write_bytes(next(iter(files.values())))
    raw = b"" if body is None else json.dumps(body).encode()
    answer = Answer(status, raw, {"Content-Type": "application/dicom+json"})
    with asked(lambda _: answer, folder, **more) as (archive, _):
        return [(one.name, one.outcome, one.reason) for one in push(archive, [path, path])]


def failure(uid: str, reason: int) -> dict[str, Any]:
    item = {
        "00081155": {"vr": "UI", "Value": [uid]},
        "00081197": {"vr": "US", "Value": [reason]},
    }
    return {"00081198": {"vr": "SQ", "Value": [item]}}


def test_each_object_has_its_own_outcome(files: dict[str, bytes], tmp_path: Path) -> None:
    uid = next(iter(files))
    name = "segmentation.dcm"
    assert stored(200, tmp_path, files) == [(name, "stored", None)] * 2
    full = (name, "failed", "the server has no room left")
    assert stored(202, tmp_path, files, failure(uid, 0xA700)) == [full] * 2
    assert stored(409, tmp_path, files, failure(uid, 0xA700)) == [full] * 2
    assert (
        stored(409, tmp_path, files, failure(uid, 0x1234)) == [(name, "failed", "failure reason 1234H")] * 2
    )
    assert stored(409, tmp_path, files) == [(name, "failed", "the server refused it with status 409")] * 2
    warned = {"00081155": {"vr": "UI", "Value": [uid]}, "00081196": {"vr": "US", "Value": [0xB000]}}
    changed = stored(202, tmp_path, files, {"00081199": {"vr": "SQ", "Value": [warned]}})
    assert [outcome for _, outcome, _ in changed] == ["changed"] * 2


def test_nothing_is_pushed_where_it_was_not_set_up(files: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="push = true"):
        stored(200, tmp_path, files, push=False)
    with pytest.raises(RemoteError, match="check user"):
        stored(401, tmp_path, files)
    with pytest.raises(RemoteError, match="status 500"):
        stored(500, tmp_path, files)


def test_only_dicom_is_pushed(tmp_path: Path) -> None:
    (tmp_path / "x.dcm").write_bytes(b"no")
    with asked(lambda _: Answer(), tmp_path) as (archive, stub), pytest.raises(InputError, match="no DICOM"):
        push(archive, [tmp_path / "x.dcm"])
    assert stub.seen == []


def test_no_log_line_names_anything(
    files: dict[str, bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    warning = {"Warning": f'299 host "{STUDY}"', "Content-Type": "application/dicom+json"}
    caplog.set_level("DEBUG")
    with asked(lambda _: Answer(200, b"[]", warning), tmp_path) as (archive, _):
        search_studies(archive, {"PatientID": "Planted"})
    assert stored(409, tmp_path, files, failure(next(iter(files)), 0x0110))
    told = " ".join(record.getMessage() for record in caplog.records)
    assert not [word for word in (STUDY, next(iter(files)), "Planted", "127.0.0.1") if word in told]
