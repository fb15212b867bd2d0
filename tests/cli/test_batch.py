"""``medsegr segment --jobs``: every job ends with a status, whatever the others do.

Hostile job files stop at the door.
"""

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture
from pydantic import ValidationError

from medsegr.cli import batch, pool
from medsegr.cli.jobs import Job, jobs_in
from medsegr.errors import InputError

MODEL = ("--model", "place")


def write_jobs(folder: Path, *jobs: Any) -> Path:
    path = folder / "jobs.jsonl"
    path.write_text("".join(json.dumps(job) + "\n" for job in jobs), encoding="utf-8")
    return path


def rows(out: Path) -> dict[str, dict[str, Any]]:
    lines = (out / "jobs.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["id"]: row for row in map(json.loads, lines)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    values = np.random.default_rng(0).integers(0, 255, (40, 60), dtype=np.uint8)
    Picture.fromarray(values).save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "r.txt").write_text("Opacity in the left lung. No nodule.", encoding="utf-8")
    (tmp_path / "in" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n rubbish")
    return tmp_path


GOOD = (
    {"id": "one", "image": "in/a.png", "report": "in/r.txt", "modality": "CR"},
    {"id": "two", "image": "in/a.png", "text": "Nodule in the right lung.", "modality": "CR"},
    {
        "id": "three",
        "image": "in/a.png",
        "phrases": ["left lung", "right lung"],
        "modality": "CR",
        "frame": "viewer",
    },
)
BAD = (
    {"id": "gone", "image": "in/none.png", "text": "nodule"},
    {"id": "broken", "image": "in/bad.png", "text": "nodule"},
    {"id": "silent", "image": "in/a.png", "report": "in/none.txt"},
    {"id": "odd", "image": "in/a.png", "text": "nodule", "modality": "crystal"},
)


def test_a_batch_of_good_jobs(run: Any, folder: Path) -> None:
    out = folder / "out"
    ran = run("segment", "--jobs", write_jobs(folder, *GOOD), "-o", out, *MODEL)
    assert ran.code == 0, ran.err
    assert list(rows(out)) == ["one", "two", "three"]
    assert {row["status"] for row in rows(out).values()} == {"done"}
    assert [f["status"] for f in rows(out)["one"]["findings"]] == ["segmented", "skipped"]
    assert [f["reason"] for f in rows(out)["one"]["findings"]] == [None, "absent"]
    assert (out / "three" / "masks" / "f2.png").is_file()
    assert "3 of 3" in ran.out


def test_sections_are_those_of_reports_and_phrases_stand_in_none(run: Any, folder: Path) -> None:
    (folder / "in" / "r.txt").write_text(
        "FINDINGS: Left opacity.\nIMPRESSION: Right nodule.", encoding="utf-8"
    )
    words = ("--jobs", write_jobs(folder, *GOOD), "--section", "impression", "-o", folder / "out", *MODEL)
    assert run("segment", *words).code == 0
    told = {job: json.loads((folder / "out" / job / "findings.json").read_text()) for job in ("one", "three")}
    assert [f["name"] for f in told["one"]["findings"]] == ["nodule"]
    assert [f["name"] for f in told["three"]["findings"]] == ["lung", "lung"]


def test_bad_jobs_do_not_stop_the_others(run: Any, folder: Path) -> None:
    out = folder / "out"
    ran = run("segment", "--jobs", write_jobs(folder, BAD[0], GOOD[0], *BAD[1:], GOOD[1]), "-o", out, *MODEL)
    assert ran.code == 4
    told = rows(out)
    assert [told[j["id"]]["status"] for j in GOOD[:2]] == ["done", "done"]
    codes = {name: told[name]["code"] for name in ("gone", "broken", "silent", "odd")}
    assert codes == {
        "gone": "input_refused",
        "broken": "input_refused",
        "silent": "report_refused",
        "odd": "wrong_arguments",
    }
    for name in codes:
        assert told[name]["message"]
        assert not (out / name).exists()
        assert "none" not in told[name]["message"].split()
    assert not list(out.glob("**/.part-*"))


def test_an_unexpected_error_is_a_failed_job(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from medsegr import pipeline

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("Mustermann")

    monkeypatch.setattr(pipeline, "run", broken)
    ran = run("segment", "--jobs", write_jobs(folder, GOOD[0]), "-o", folder / "out", "-v", *MODEL)
    assert ran.code == 4
    row = rows(folder / "out")["one"]
    assert (row["code"], "ZeroDivisionError" in row["message"]) == ("error", True)
    assert "Mustermann" not in json.dumps(row) + ran.err


def test_resume_skips_what_is_complete_and_only_that(
    run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medsegr import pipeline

    out, jobs = folder / "out", write_jobs(folder, *GOOD)
    base = ("segment", "--jobs", jobs, "-o", out, "-q", *MODEL)
    assert run(*base).code == 0
    calls: list[int] = []
    real = pipeline.run
    monkeypatch.setattr(pipeline, "run", lambda *a, **k: calls.append(1) or real(*a, **k))
    assert run(*base, "--resume").code == 0
    assert calls == []
    assert all(row["resumed"] for row in rows(out).values())
    assert [f["reason"] for f in rows(out)["one"]["findings"]] == [None, "absent"]
    (out / "two" / "masks" / "f1.png").unlink()  # incomplete
    (folder / "in" / "r.txt").write_text("Nodule in the left lung.", encoding="utf-8")  # another input
    assert run(*base, "--resume").code == 0
    assert len(calls) == 2
    assert (out / "two" / "masks" / "f1.png").is_file()
    assert run(*base, "--resume", "--polarity", "present,uncertain").code == 0  # other options
    assert len(calls) == 5
    assert run(*base).code == 0  # without --resume all are done again
    assert len(calls) == 8


def test_an_interrupted_batch_keeps_what_was_done(
    run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medsegr import pipeline

    real, seen = pipeline.run, []

    def second_stops(*a: Any, **k: Any) -> Any:
        seen.append(1)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return real(*a, **k)

    monkeypatch.setattr(pipeline, "run", second_stops)
    assert run("segment", "--jobs", write_jobs(folder, *GOOD), "-o", folder / "out", *MODEL).code == 130
    assert list(rows(folder / "out")) == ["one"]


def test_strict_side_failures_end_a_batch_with_5(
    run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medsegr.results import verdicts

    monkeypatch.setattr(verdicts, "side_failures", lambda result: ["f1"])
    jobs = write_jobs(folder, GOOD[0])
    assert run("segment", "--jobs", jobs, "-o", folder / "a", "--side-check", "strict", *MODEL).code == 5
    assert rows(folder / "a")["one"]["side_failed"] == ["f1"]
    assert run("segment", "--jobs", jobs, "-o", folder / "b", *MODEL).code == 0


def test_two_workers_do_the_same(run: Any, folder: Path) -> None:
    jobs = write_jobs(folder, *GOOD, BAD[0])
    assert run("segment", "--jobs", jobs, "-o", folder / "one", "-q", *MODEL).code == 4
    assert run("segment", "--jobs", jobs, "-o", folder / "two", "-q", "--workers", "2", *MODEL).code == 4
    told = {row["id"]: row["message"] for row in rows(folder / "two").values() if row["status"] == "failed"}
    assert set(told) == {"gone"}, told
    for job in GOOD:
        name = str(job["id"])
        for file in ("findings.json", "masks/f1.png"):
            assert (folder / "one" / name / file).read_bytes() == (folder / "two" / name / file).read_bytes()
    strip = [{k: v for k, v in row.items() if k != "seconds"} for row in rows(folder / "one").values()]
    assert strip == [
        {k: v for k, v in row.items() if k != "seconds"} for row in rows(folder / "two").values()
    ]


@pytest.mark.parametrize(
    ("cores", "workers", "asked", "expected"),
    [(2, 2, None, 1), (8, 2, None, 4), (2, 4, None, 1), (8, 1, None, None), (8, 2, 3, 3)],
)
def test_workers_share_the_processors(
    folder: Path, monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, asked: int | None, expected: Any
) -> None:
    from medsegr.options import Options

    seen: list[int | None] = []

    def look(todo: Any, plan: batch.Plan, _workers: int) -> Any:
        seen.append(plan.threads)
        yield from ()

    monkeypatch.setattr(batch, "finished", look)
    monkeypatch.setattr(batch.processors.os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    plan = batch.Plan(folder / "out", Options(), "medsegr-tiny", "cpu", asked, False)
    assert batch.run(write_jobs(folder, GOOD[0]), plan, workers, show=False) == 0
    assert seen == [expected]


def test_a_foreign_output_folder_is_refused(run: Any, folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "thesis.txt").write_text("mine", encoding="utf-8")
    run("segment", "--jobs", write_jobs(folder, *GOOD), "-o", folder / "out", *MODEL).fails(
        3, "output folder"
    )


@pytest.mark.parametrize("extra", [("-i", "x.png"), ("-t", "x"), ("--modality", "CR")])
def test_jobs_stand_alone(run: Any, folder: Path, extra: tuple[str, ...]) -> None:
    jobs = write_jobs(folder, *GOOD)
    run("segment", "--jobs", jobs, "-o", folder / "out", *extra, *MODEL).fails(2, "jobs file")


HOSTILE_IDS = [
    "../up",
    "a/b",
    "a\\b",
    "",
    ".hidden",
    "..",
    "x" * 101,
    "nul",
    "CON",
    "jobs.jsonl",
    "a\n",
    "a\x00",
    "é",
    "a.",
]


@pytest.mark.parametrize("name", HOSTILE_IDS)
def test_ids_that_would_leave_the_folder_are_refused(run: Any, folder: Path, name: str) -> None:
    jobs = write_jobs(folder, {"id": name, "image": "in/a.png", "text": "nodule"})
    run("segment", "--jobs", jobs, "-o", folder / "out", *MODEL).fails(3, "line 1")
    assert not (folder / "out").exists()
    assert not (folder / "up").exists()


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[1, 2]",
        "null",
        "{" * 5000,
        '{"id": "a"}',
        '{"id": "a", "image": 3}',
        '{"id": "a", "image": "x", "text": "y", "phrases": ["z"]}',
        '{"id": "a", "image": "x", "phrase": ["z"]}',
        '{"id": "a", "image": "x\\u0000y", "text": "z"}',
        '{"id": "a", "image": "x", "frame": "doctor"}',
        '{"id": "ok", "image": "again"}',
        '{"id": "OK", "image": "same folder on some systems"}',
        '{"id": 7, "image": "x"}',
    ],
)
def test_a_bad_line_refuses_the_file_and_names_the_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "jobs.jsonl"
    path.write_text('{"id": "ok", "image": "x"}\n\n' + line + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 3"):
        list(jobs_in(path))


def test_a_refusal_does_not_quote_the_line(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    path.write_text('{"id": "ok", "image": "x", "frame": "Mustermann"}\n', encoding="utf-8")
    with pytest.raises(InputError) as caught:
        list(jobs_in(path))
    assert "Mustermann" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00{"])
def test_files_that_hold_no_jobs_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(InputError, match="jobs file"):
        list(jobs_in(tmp_path / "j"))


TABLE = """id,image,report,text,phrases,modality,film_frame
p1,images/p 1.png,reports/p 1.txt,,,CR,
,images/größe.png,,"Nodule, left lung.
No effusion.",,,
p3,images/p3.dcm,,,left lung; right lung,,3
"""


@pytest.mark.parametrize(("name", "sign"), [("jobs.csv", ","), ("jobs.csv", ";"), ("jobs.tsv", "\t")])
def test_a_table_is_a_jobs_file(tmp_path: Path, name: str, sign: str) -> None:
    rows = csv.reader(TABLE.splitlines(keepends=True))
    with (tmp_path / name).open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=sign).writerows(rows)
    first, second, third = jobs_in(tmp_path / name)
    assert first == Job(id="p1", image="images/p 1.png", report="reports/p 1.txt", modality="CR")
    assert second == Job(id="2", image="images/größe.png", text="Nodule, left lung.\nNo effusion.")
    assert third == Job(id="p3", image="images/p3.dcm", phrases=("left lung", "right lung"), film_frame=3)


def test_a_table_of_a_spreadsheet_may_have_capitals_and_empty_rows(tmp_path: Path) -> None:
    table = 'ID,Image,Film Frame,Text\na,x.png,3,nodule\n,,,\n ,\n""\nb,y.png,,polyp\n,,,\n'
    (tmp_path / "jobs.csv").write_text(table, encoding="utf-8")
    assert list(jobs_in(tmp_path / "jobs.csv")) == [
        Job(id="a", image="x.png", film_frame=3, text="nodule"),
        Job(id="b", image="y.png", text="polyp"),
    ]


def test_a_json_array_is_a_jobs_file_and_one_text_one_phrase(tmp_path: Path) -> None:
    (tmp_path / "jobs.json").write_text('[{"id": "a", "image": "x", "phrases": "left lung"}]', "utf-8")
    assert list(jobs_in(tmp_path / "jobs.json")) == [Job(id="a", image="x", phrases=("left lung",))]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("image,modalty\nx,CR\n", "line 2: modalty: a job has no such field; it has id, image, report"),
        ("id,text\na,x\n", "line 2: image: it is missing; a job has id, image, report"),
        ("image,text\nx\n", "line 2: it has 1 cells and the first row has 2"),
        ("id,image\na,x\nA,y\n", "line 3: its id stands in line 2 already"),
        ("id,image\nä b,x\n", "line 2: id: it names a folder"),
        ("image,film_frame\nx,one\n", "line 2: film_frame: Input should be a valid integer"),
    ],
)
def test_a_bad_row_of_a_table_is_named(tmp_path: Path, table: str, told: str) -> None:
    (tmp_path / "jobs.csv").write_text(table, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(told)):
        list(jobs_in(tmp_path / "jobs.csv"))


def test_a_missing_jobs_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        list(jobs_in(tmp_path / "Mustermann.jsonl"))


@given(st.text(max_size=60))
def test_an_accepted_id_is_a_plain_name(name: str) -> None:
    try:
        job = Job(id=name, image="x")
    except ValidationError:
        return
    assert Path(job.id).name == job.id
    assert not set(job.id) & set('/\\:*?"<>|\0\n')
    assert job.id not in (".", "..")


def test_a_key_changes_with_everything_that_a_result_depends_on(folder: Path) -> None:
    from dataclasses import replace

    from medsegr.options import Options

    plan = batch.Plan(folder, Options(), "place", "cpu", None, False)
    job, image = Job(id="a", image="in/a.png"), folder / "in" / "a.png"
    keys = {
        batch.job_key(job, image, "text", (plan, "m")),
        batch.job_key(job, image, "other", (plan, "m")),
        batch.job_key(job, image, "text", (plan, "m2")),
        batch.job_key(job, image, "text", (replace(plan, options=Options(force=True)), "m")),
        batch.job_key(job.model_copy(update={"modality": "CR"}), image, "text", (plan, "m")),
        batch.job_key(job, folder / "in" / "bad.png", "text", (plan, "m")),
    }
    assert len(keys) == 6
    assert batch.job_key(job, image, "text", (replace(plan, out=folder / "x"), "m")) in keys


def test_the_hash_of_a_folder_knows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "1").write_bytes(b"a")
    first = batch.path_hash(tmp_path / "s")
    (tmp_path / "s" / "1").rename(tmp_path / "s" / "2")
    assert batch.path_hash(tmp_path / "s") != first
    with pytest.raises(InputError):
        batch.path_hash(tmp_path / "none")


def die(task: Any, plan: Any) -> Any:
    import os

    if task[1].id == "killer":
        os._exit(9)
    return {"id": task[1].id, "status": "done", "code": None}


def test_a_worker_that_dies_fails_its_own_job_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from medsegr.options import Options

    jobs = [Job(id=name, image="x") for name in ("a", "killer", "b")]
    plan = batch.Plan(folder, Options(), "place", "cpu", None, False)
    monkeypatch.setattr(batch, "do", die)
    monkeypatch.setattr(pool, "get_context", lambda _: __import__("multiprocessing").get_context("fork"))
    done = dict(batch.finished([(n, job, "", "") for n, job in enumerate(jobs)], plan, 2))
    assert [done[n]["status"] for n in range(3)] == ["done", "failed", "done"]
    assert done[1]["code"] == "out_of_memory"


def test_the_jobs_file_is_never_written_over(run: Any, folder: Path) -> None:
    jobs = write_jobs(folder, GOOD[0])
    before = jobs.read_bytes()
    run("segment", "--jobs", jobs, "-o", folder, *MODEL).fails(3, "over the jobs file")
    assert jobs.read_bytes() == before


def test_what_a_killed_batch_left_half_is_cleared(run: Any, folder: Path) -> None:
    jobs, out = write_jobs(folder, GOOD[0]), folder / "out"
    assert run("segment", "--jobs", jobs, "-o", out, *MODEL).code == 0
    (out / ".part-12ab-one" / "masks").mkdir(parents=True)
    (out / ".part-34cd-jobs.jsonl").write_text("{", encoding="utf-8")
    assert run("segment", "--jobs", jobs, "-o", out, "--resume", *MODEL).code == 0
    assert {p.name for p in out.iterdir()} == {"jobs.jsonl", "one"}


def test_an_unknown_model_stops_a_batch_at_the_door(run: Any, folder: Path) -> None:
    jobs = write_jobs(folder, GOOD[0])
    run("segment", "--jobs", jobs, "-o", folder / "out", "--model", "nobody").fails(2, "nobody")
    assert not (folder / "out").exists()


def test_the_typed_paths_stand_in_the_error_and_not_in_the_rows(run: Any, folder: Path) -> None:
    run("segment", "--jobs", folder / "no.jsonl", "-o", folder / "out", *MODEL).fails(3, "no.jsonl: ")
    (folder / "full").mkdir()
    (folder / "full" / "x").write_text("x", encoding="utf-8")
    run("segment", "--jobs", write_jobs(folder, GOOD[0]), "-o", folder / "full", *MODEL).fails(3, "full: ")
    run("segment", "--jobs", write_jobs(folder, BAD[1]), "-o", folder / "out", *MODEL)
    assert "bad.png" not in (folder / "out" / "jobs.jsonl").read_text(encoding="utf-8")


def test_a_job_does_not_write_into_its_own_input(run: Any, folder: Path) -> None:
    jobs = write_jobs(folder, {"id": "a", "image": ".", "text": "nodule"})
    assert run("segment", "--jobs", jobs, "-o", folder / "out", *MODEL).code == 4
    assert "inside the input folder" in rows(folder / "out")["a"]["message"]
    assert not (folder / "out" / "a").exists()


def slow(task: Any, plan: Any) -> Any:
    import time

    (plan.out / task[1].id).touch()
    time.sleep(0.05)
    return {"id": task[1].id, "status": "done", "code": None}


def test_a_batch_that_stops_begins_no_other_job(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from medsegr.options import Options

    (folder / "begun").mkdir()
    todo = [(n, Job(id=f"j{n}", image="x"), "", "") for n in range(40)]
    plan = batch.Plan(folder / "begun", Options(), "place", "cpu", None, False)
    monkeypatch.setattr(batch, "do", slow)
    monkeypatch.setattr(pool, "get_context", lambda _: __import__("multiprocessing").get_context("fork"))
    running = batch.finished(todo, plan, 2)
    next(running)
    running.close()  # what Ctrl-C does to it
    assert len(list((folder / "begun").iterdir())) < 20
