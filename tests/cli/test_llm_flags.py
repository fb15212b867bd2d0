"""``--llm-url``: off by default, on for parse and segment, the key from file or environment."""

import json
from pathlib import Path
from typing import Any

import pytest

from llm_server import finding, saying, send, serving
from medsegr.cli.llm_flags import KEY, LlmFlags, endpoint_of
from medsegr.errors import InputError

TEXT = "Nodule in the left lung. A glimmering at the right base."
SAID = [
    finding("Nodule", "Nodule in the left lung.", "nodule", side="right"),
    finding("glimmering", "A glimmering at the right base.", "opacity", side="right"),
]


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY, raising=False)


def test_nothing_is_asked_without_the_flag() -> None:
    assert endpoint_of(LlmFlags()) is None


def test_parse_adds_and_warns(run: Any) -> None:
    with serving(saying(SAID)) as server:
        told = run(
            "parse", "-t", TEXT, "--modality", "CR", "--llm-url", server.url, "--llm-model", "m", "--json"
        ).json
    assert [(f["name"], f["location"]["side"]) for f in told["findings"]] == [
        ("nodule", "left"),
        ("opacity", "right"),
    ]
    assert [w["code"] for w in told["warnings"]] == ["llm_disagrees", "llm_added"]


def test_a_dead_server_is_a_warning(run: Any) -> None:
    with serving(lambda handler, _: send(handler, b"", 404)) as server:
        ran = run("parse", "-t", TEXT, "--llm-url", server.url, "--llm-model", "m")
    assert ran.code == 0
    assert "nodule" in ran.out
    assert "llm_silent" in ran.err


def test_many_reports(run: Any, tmp_path: Path) -> None:
    jobs = tmp_path / "jobs.jsonl"
    jobs.write_text("".join(json.dumps({"id": n, "text": TEXT}) + "\n" for n in range(2)), encoding="utf-8")
    with serving(saying(SAID)) as server:
        ran = run(
            "parse",
            "--jobs",
            jobs,
            "--llm-url",
            server.url,
            "--llm-model",
            "m",
            "--llm-cache",
            tmp_path / "c",
        )
        assert len(server.bodies) == 1  # the second is the same report
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert [[f["name"] for f in row["findings"]] for row in rows] == [["nodule", "opacity"]] * 2
    assert "llm_added" in [w["code"] for w in rows[0]["warnings"]]


def test_a_server_that_stays_silent_is_asked_no_more(run: Any, tmp_path: Path) -> None:
    jobs = tmp_path / "jobs.jsonl"
    jobs.write_text("".join(json.dumps({"id": n, "text": TEXT}) + "\n" for n in range(6)), encoding="utf-8")
    with serving(lambda handler, _: send(handler, b"", 404)) as server:
        ran = run("parse", "--jobs", jobs, "--llm-url", server.url, "--llm-model", "m")
        assert len(server.bodies) == 3
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 6
    assert "llm_stopped" in ran.err


def test_segment_reads_with_it(run: Any, image: Path, tmp_path: Path) -> None:
    words = (
        "segment",
        "-i",
        image,
        "-t",
        TEXT,
        "--modality",
        "CR",
        "-o",
        tmp_path / "out",
        "--model",
        "otsu",
        "-q",
    )
    with serving(saying(SAID)) as server:
        assert run(*words, "--llm-url", server.url, "--llm-model", "m").code == 0
    told = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert [f["name"] for f in told["findings"]] == ["nodule", "opacity"]
    assert {"llm_added", "llm_disagrees"} <= {w["code"] for w in told["warnings"]}


def batch(folder: Path, image: Path, *words: dict[str, Any]) -> tuple[Any, ...]:
    """The command for a batch over one image, once for each of these words."""
    jobs = folder / "jobs.jsonl"
    told = [{"id": f"j{n}", "image": str(image), "modality": "CR", **said} for n, said in enumerate(words)]
    jobs.write_text("".join(json.dumps(job) + "\n" for job in told), encoding="utf-8")
    return ("segment", "--jobs", jobs, "-o", folder / "out", "--model", "otsu", "--llm-model", "m")


def read_back(folder: Path, job: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "out" / job / "findings.json").read_text(encoding="utf-8"))
    return found


def test_a_batch_reads_with_it(run: Any, image: Path, tmp_path: Path) -> None:
    words = batch(tmp_path, image, {"text": TEXT}, {"phrases": ["nodule"]}, {"text": TEXT})
    cache = ("--llm-cache", tmp_path / "c")
    with serving(saying(SAID)) as server:
        ran = run(*words, "--llm-url", server.url, *cache)
        assert ran.code == 0, ran.err
        assert len(server.bodies) == 1  # phrases are no report, and the third is the same as the first
        for job in ("j0", "j2"):
            told = read_back(tmp_path, job)
            assert [f["name"] for f in told["findings"]] == ["nodule", "opacity"]
            assert {"llm_added", "llm_disagrees"} <= {w["code"] for w in told["warnings"]}
        assert [f["name"] for f in read_back(tmp_path, "j1")["findings"]] == ["nodule"]
        rows = [json.loads(line) for line in (tmp_path / "out" / "jobs.jsonl").read_text().splitlines()]
        assert not any("resumed" in row for row in rows)
        assert run(*words, "--llm-url", server.url, *cache, "--resume").code == 0
        rows = [json.loads(line) for line in (tmp_path / "out" / "jobs.jsonl").read_text().splitlines()]
        assert all(row["resumed"] for row in rows)
        # another reader is another result
        assert run(*words[:-1], "other", "--llm-url", server.url, *cache, "--resume").code == 0
        rows = [json.loads(line) for line in (tmp_path / "out" / "jobs.jsonl").read_text().splitlines()]
        assert not any("resumed" in row for row in rows)
        assert len(server.bodies) == 2


def test_a_batch_goes_on_by_rules_where_it_stays_silent(run: Any, image: Path, tmp_path: Path) -> None:
    words = batch(tmp_path, image, *[{"text": TEXT}] * 5)
    with serving(lambda handler, _: send(handler, b"", 404)) as server:
        ran = run(*words, "--llm-url", server.url)
        assert len(server.bodies) == 3
    assert ran.code == 0, ran.err
    assert "llm_stopped" in ran.err
    silent = [
        any(w["code"] == "llm_silent" for w in read_back(tmp_path, f"j{n}")["warnings"]) for n in range(5)
    ]
    assert silent == [True] * 3 + [False] * 2


def test_workers_read_with_it(run: Any, image: Path, tmp_path: Path) -> None:
    words = batch(tmp_path, image, {"text": TEXT}, {"text": f"{TEXT} No effusion."})
    with serving(saying(SAID)) as server:
        assert run(*words, "--llm-url", server.url, "--workers", "2").code == 0
    assert [f["name"] for f in read_back(tmp_path, "j0")["findings"]] == ["nodule", "opacity"]
    assert {f["name"] for f in read_back(tmp_path, "j1")["findings"]} >= {"nodule", "opacity"}


LOCAL = ("--llm-url", "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("parse", "-t", "x", "--llm-model", "m"), "--llm-url is missing"),
        (("parse", "-t", "x", "--llm-remote"), "--llm-url is missing"),
        (("parse", "-t", "x", *LOCAL), "--llm-model is missing"),
        (("parse", "-t", "x", "--llm-url", "http://example.org", "--llm-model", "m"), "--llm-remote"),
        (("parse", "-t", "x", "--llm-url", "localhost", "--llm-model", "m"), "--llm-url"),
        (("segment", "-i", "x.png", "-p", "x", "-o", "out", *LOCAL, "--llm-model", "m"), "-r or -t"),
        (("segment", "--jobs", "x.jsonl", "-o", "out", *LOCAL), "--llm-model is missing"),
    ],
)
def test_arguments_that_do_not_fit(run: Any, words: tuple[str, ...], told: str) -> None:
    run(*words).fails(2, told)


def test_the_key_comes_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, " from-environment\n")
    file = tmp_path / "key"
    file.write_text("from-file\n")
    with serving(saying([])) as server:
        flags = LlmFlags(llm_url=server.url, llm_model="m")
        for given, key in ((flags, "from-environment"), (LlmFlags(server.url, "m", file), "from-file")):
            endpoint = endpoint_of(given)
            assert endpoint is not None
            assert endpoint.key == key


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"k" * 5000])
def test_a_key_file_that_holds_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(InputError, match="key file"):
        endpoint_of(LlmFlags("http://localhost", "m", tmp_path / "key"))


def test_a_missing_key_file_is_named_to_the_person_only(run: Any, tmp_path: Path) -> None:
    words = ("parse", "-t", "x", *LOCAL, "--llm-model", "m", "--llm-key-file", tmp_path / "nowhere")
    run(*words).fails(3, "nowhere")
    assert "nowhere" not in run(*words, "--log-json").err
