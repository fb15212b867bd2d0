"""``medsegr segment --jobs --cluster``: what a batch on one machine writes, whatever becomes of the workers.

One private Ray with two processors serves all tests but those marked slow.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from medsegr import machines
from medsegr.cli import batch, cluster
from medsegr.cli.cluster import Terms, check_address, connected, finish_on
from medsegr.cli.jobs import Job
from medsegr.errors import ClusterError, MissingExtra, UsageError
from medsegr.options import Options
from ray_head import swept

pytest.importorskip("ray", reason="the extra 'ray' is not installed")
MODEL = ("--model", "place")
COUNT = 6


@pytest.fixture(scope="module")
def crowd() -> Iterator[None]:
    """A private Ray for two workers, which is gone afterwards."""
    import ray

    with swept(), connected("local", 2):
        yield
    assert not ray.is_initialized()


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).integers(0, 255, (40, 60), dtype=np.uint8)
    Picture.fromarray(values).save(tmp_path / "a.png")
    told = [
        {"id": f"j{n}", "image": "a.png", "text": "Opacity in the left lung.", "modality": "CR"}
        for n in range(COUNT)
    ]
    told[2]["image"] = "none.png"
    path = tmp_path / "jobs.jsonl"
    path.write_text("".join(json.dumps(job) + "\n" for job in told), encoding="utf-8")
    return path


def rows(out: Path) -> list[dict[str, Any]]:
    """The rows of a batch without their times."""
    told = [json.loads(line) for line in (out / "jobs.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in told]


def files(out: Path) -> dict[str, bytes]:
    """Every file that a batch wrote; in manifests without their times."""
    found = {p.relative_to(out).as_posix(): p for p in out.rglob("*") if p.is_file()}
    del found["jobs.jsonl"]
    read = {name: path.read_bytes() for name, path in found.items()}
    for name, content in read.items():
        if name.endswith("manifest.json"):
            told = {k: v for k, v in json.loads(content).items() if k not in ("seconds", "created")}
            read[name] = json.dumps(told).encode()
    return read


def todo(count: int = COUNT) -> list[batch.Task]:
    return [(n, Job(id=f"j{n}", image="x"), "", "") for n in range(count)]


def plan(out: Path) -> batch.Plan:
    out.mkdir(exist_ok=True)
    return batch.Plan(out, Options(), "place", "cpu", 1, False)


def counting(out: Path) -> Callable[..., Any]:
    """A job that notes its process and that it was begun. A closure: it travels to workers by value."""

    def work(task: Any, _plan: Any) -> Any:
        import os
        import time

        with open(out / f"begun-{task[0]}", "a", encoding="utf-8") as stream:
            stream.write(f"{os.getpid()}\n")
        time.sleep(0.02)
        return {"id": task[1].id, "status": "done", "code": None}

    return work


def test_a_cluster_writes_what_one_machine_writes(run: Any, jobs: Path, tmp_path: Path, crowd: None) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    base = ("segment", "--jobs", jobs, "-q", *MODEL)
    assert run(*base, "-o", one).code == 4
    ran = run(*base, "-o", two, "--cluster", "local", "--workers", "2")
    assert ran.code == 4, ran.err
    assert rows(one) == rows(two)
    assert [row["status"] for row in rows(two)] == ["done", "done", "failed", "done", "done", "done"]
    assert files(one) == files(two)
    assert len(files(two)) > 5 * 3
    (two / "j1" / "masks" / "f1.png").unlink()
    again = run(*base, "-o", two, "--cluster", "local", "--workers", "2", "--resume")
    assert again.code == 4
    assert [row.get("resumed", False) for row in rows(two)] == [True, False, False, True, True, True]
    assert files(one) == files(two)


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_doubles_nothing(
    run: Any, jobs: Path, tmp_path: Path, crowd: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle of job j1, and after job j4 was written but before anybody heard of it."""
    one, two = tmp_path / "one", tmp_path / "two"
    base = ("segment", "--jobs", jobs, *MODEL)
    assert run(*base, "-q", "-o", one).code == 4

    def work(task: Any, plan: Any) -> Any:
        import os
        import signal

        from medsegr.cli import batch

        half, note = plan.out / f".part-12ab-{task[1].id}", plan.out.parent / f"killed-{task[1].id}"
        first = not note.exists()
        if first and task[1].id == "j1":
            note.touch()
            half.mkdir()
            os.kill(os.getpid(), signal.SIGKILL)
        row = batch.do(task, plan)
        if first and task[1].id == "j4":
            note.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return row

    real = cluster.finish_on
    monkeypatch.setattr(cluster, "finish_on", lambda address: real(address, Terms(do=work)))
    ran = run(*base, "-o", two, "--cluster", "local", "--workers", "2")
    assert ran.code == 4
    assert {p.name for p in tmp_path.glob("killed-*")} == {"killed-j1", "killed-j4"}
    assert ran.err.count("a worker was lost") == 2
    assert rows(one) == rows(two)
    assert files(one) == files(two)
    assert {p.name for p in two.iterdir()} == {"jobs.jsonl", "j0", "j1", "j3", "j4", "j5"}


def test_folders_of_a_model_and_of_graphs_are_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "graphs").mkdir()
    monkeypatch.chdir(tmp_path)
    assert cluster._found_from_anywhere("graphs") == str(tmp_path / "graphs")
    assert cluster._found_from_anywhere("onnx") == "onnx"


def test_a_worker_that_others_kill_is_replaced(tmp_path: Path, crowd: None) -> None:
    out = tmp_path / "out"
    work = counting(out)
    running = finish_on("local", Terms(do=work))(todo(20), plan(out), 2)
    done = dict([next(running)])
    os.kill(int((out / "begun-0").read_text(encoding="utf-8").split()[0]), signal.SIGKILL)
    for number, row in running:
        assert number not in done
        done[number] = row
    assert [done[n]["id"] for n in range(20)] == [f"j{n}" for n in range(20)]
    used = {pid for note in out.glob("begun-*") for pid in note.read_text(encoding="utf-8").split()}
    assert len(used) >= 2


@pytest.mark.slow
def test_a_job_that_kills_every_worker_fails_and_the_others_do_not(tmp_path: Path, crowd: None) -> None:
    out = tmp_path / "out"

    def work(task: Any, plan: Any) -> Any:
        import os

        with open(plan.out / f"begun-{task[0]}", "a", encoding="utf-8") as stream:
            stream.write("x")
        if task[1].id == "j1":
            os._exit(9)
        return {"id": task[1].id, "status": "done", "code": None}

    done = list(finish_on("local", Terms(do=work, tries=2))(todo(4), plan(out), 2))
    assert sorted(number for number, _ in done) == [0, 1, 2, 3]
    row = dict(done)[1]
    assert row == batch.failure("j1", "out_of_memory", batch.DIED)
    assert (out / "begun-1").read_text(encoding="utf-8") == "xx"
    assert {dict(done)[n]["status"] for n in (0, 2, 3)} == {"done"}


def test_jobs_are_read_as_workers_get_free(tmp_path: Path, crowd: None) -> None:
    """Not more than two jobs a worker are given and not reported; a batch that stops begins no other."""
    out, read, over = tmp_path / "out", [], []

    def source() -> Iterator[batch.Task]:
        for task in todo(30):
            read.append(task[0])
            yield task

    running = finish_on("local", Terms(do=counting(out)))(source(), plan(out), 2)
    assert read == []
    for number, _ in running:
        over.append(number)
        assert len(read) - len(over) < 2 * batch.IN_FLIGHT
        if len(over) == 8:
            break
    running.close()
    assert len(read) < 8 + 2 * batch.IN_FLIGHT
    assert not list(out.glob(".part-*"))


def test_an_error_of_a_job_is_its_row(tmp_path: Path, crowd: None) -> None:
    def work(task: Any, plan: Any) -> Any:
        raise ZeroDivisionError("Mustermann")

    ((number, row),) = finish_on("local", Terms(do=work))(todo(1), plan(tmp_path / "out"), 1)
    assert (number, row["status"], row["code"]) == (0, "failed", "error")
    assert "ZeroDivisionError" in row["message"]
    assert "Mustermann" not in row["message"]


def test_a_cluster_without_room_is_told_in_time(tmp_path: Path, crowd: None) -> None:
    from dataclasses import replace

    wide = replace(plan(tmp_path / "out"), threads=64)
    with pytest.raises(ClusterError, match=r"too few free processors.*--threads 64"):
        list(finish_on("local", Terms(patience=0.5))(todo(1), wide, 1))


@pytest.mark.parametrize(
    ("hello", "word"),
    [
        (("0.0.1", machines.python(), True), "medsegr 0.0.1"),
        (("OURS", "2.7", True), "Python 2.7"),
        (("OURS", machines.python(), False), "does not see the output folder"),
    ],
)
def test_a_worker_that_does_not_fit_is_refused(hello: tuple[str, str, bool], word: str) -> None:
    import medsegr

    version = hello[0].replace("OURS", medsegr.__version__)
    with pytest.raises(ClusterError, match=word):
        machines.check_hello(version, *hello[1:])
    machines.check_hello(medsegr.__version__, machines.python(), True)


class Stillborn:
    """Ends the process that unpacks it."""

    def __reduce__(self) -> Any:
        return os._exit, (1,)


@pytest.mark.slow
def test_workers_that_never_begin_end_the_batch(
    tmp_path: Path, crowd: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "TRIES", 1)
    with pytest.raises(ClusterError, match="end before they begin"):
        list(finish_on("local", Terms(do=Stillborn()))(todo(1), plan(tmp_path / "out"), 1))


def test_a_cluster_that_does_not_answer_is_one_line(run: Any, jobs: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    out = tmp_path / "out"
    ran = run("segment", "--jobs", jobs, "-o", out, *MODEL, "--cluster", f"ray://127.0.0.1:{port}")
    ran.fails(1, "no Ray cluster answers")
    assert f"ray://127.0.0.1:{port}: " in ran.err
    assert {p.name for p in out.iterdir()} == {"jobs.jsonl"}
    assert rows(out) == []


@pytest.mark.slow
def test_something_else_that_answers_is_no_cluster(jobs: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"ray://127.0.0.1:{other.getsockname()[1]}"
        words = ("segment", "--jobs", str(jobs), "-o", str(tmp_path / "out"), *MODEL, "--cluster", address)
        ran = subprocess.run(
            [sys.executable, "-m", "medsegr.cli.main", *words], capture_output=True, text=True, check=False
        )
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"error: {address}: no Ray cluster answers there")
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "word", ["", "here", "ray://", "http://a:1", "ray://a:99999", "ray://a:b", "a:10001"]
)
def test_another_address_is_refused(run: Any, jobs: Path, tmp_path: Path, word: str) -> None:
    with pytest.raises(UsageError, match="ray://HOST:PORT"):
        check_address(word)
    if word:
        ran = run("segment", "--jobs", jobs, "-o", tmp_path / "out", *MODEL, "--cluster", word)
        ran.fails(2, "--cluster")
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("word", ["local", "auto", "ray://host", "ray://10.0.0.7:10001", "ray://[::1]:9000/"])
def test_addresses(word: str) -> None:
    check_address(word)


def test_without_ray_the_install_line_is_given(
    run: Any, jobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"medsegr\[ray\]"):
        finish_on("local")
    ran = run("segment", "--jobs", jobs, "-o", tmp_path / "out", *MODEL, "--cluster", "local")
    ran.fails(1, "medsegr[ray]")
    assert not (tmp_path / "out").exists()


def test_a_cluster_belongs_to_jobs(run: Any, tmp_path: Path) -> None:
    run("segment", "-i", "x.png", "-o", tmp_path / "out", "--cluster", "local").fails(2, "--cluster")
