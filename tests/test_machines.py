"""Reaching a Ray cluster: the secret it may ask for, and one that was really started and is reached by
``ray://``, by a batch and by the server.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medsegr import machines
from served import PATIENCE, png

MODEL = ("--model", "place")


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with no token in it."""
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_token_is_looked_for_where_ray_looks(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not machines.has_token()
    (nowhere / ".ray").mkdir()
    (nowhere / ".ray" / "auth_token").write_text("x")
    assert machines.has_token()
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(nowhere / "none"))
    assert not machines.has_token()
    monkeypatch.setenv("RAY_AUTH_TOKEN", "x")
    assert machines.has_token()


MODES = [(1, None, "token"), (1, "disabled", "disabled"), (0, None, "None")]


@pytest.mark.parametrize(("has", "before", "after"), MODES)
def test_ray_is_told_to_send_it(nowhere: Path, has: int, before: str | None, after: str) -> None:
    """Before it is imported: it looks once. Something that is called ray stands in for it."""
    (nowhere / "ray.py").write_text('import os\nprint(os.environ.get("RAY_AUTH_MODE"))\n')
    given = {"RAY_AUTH_TOKEN": "x" if has else None, "RAY_AUTH_MODE": before}
    env = {name: value for name, value in {**os.environ, "RAY_AUTH_MODE": None, **given}.items() if value}
    env["PYTHONPATH"] = os.pathsep.join([str(nowhere), str(Path(machines.__file__).parents[1])])
    line = [sys.executable, "-c", "from medsegr import machines; machines.imported()"]
    ran = subprocess.run(line, env=env, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == after


def test_a_ray_that_is_there_already_is_told_nothing(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    monkeypatch.setenv("RAY_AUTH_MODE", "kept")  # so that it is as it was afterwards
    monkeypatch.delenv("RAY_AUTH_MODE")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "x")
    machines.imported()
    assert "RAY_AUTH_MODE" not in os.environ


@pytest.fixture(scope="module")
def far() -> Iterator[str]:
    """The address of a Ray with its client server; it asks for a token."""
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    from ray_head import head

    with head(2) as address:
        yield address


def rows(out: Path) -> list[dict[str, Any]]:
    told = [json.loads(line) for line in (out / "jobs.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in told]


def command(*words: object) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own: Ray connects a process once, and for good."""
    line = [sys.executable, "-m", "medsegr", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, timeout=2 * PATIENCE, check=False)


@pytest.mark.slow
def test_a_batch_by_ray_client_is_a_batch_of_this_machine(far: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(3))
    told = [{"id": f"j{n}", "image": "a.png", "text": "Opacity in the left lung."} for n in range(5)]
    told[2]["image"] = "none.png"
    jobs = tmp_path / "jobs.jsonl"
    jobs.write_text("".join(json.dumps(job) + "\n" for job in told), encoding="utf-8")
    one, two = tmp_path / "one", tmp_path / "two"
    assert command("segment", "--jobs", jobs, "-q", "-o", one, *MODEL).returncode == 4
    base = ("segment", "--jobs", jobs, "-o", two, *MODEL, "--cluster", far, "--workers", "2")
    ran = command(*base, "-q")
    assert ran.returncode == 4, ran.stderr
    assert rows(two) == rows(one)
    masks = [path.relative_to(one) for path in one.rglob("*.png")]
    assert len(masks) >= 4 * 2
    assert all((two / path).read_bytes() == (one / path).read_bytes() for path in masks)
    again = command(*base, "--resume", "-q")
    assert again.returncode == 4, again.stderr
    assert [row.get("resumed", False) for row in rows(two)] == [True, True, False, True, True]


@pytest.mark.slow
def test_a_server_has_its_jobs_done_by_ray_client(far: str, tmp_path: Path) -> None:
    import httpx

    flags = ["--port", "0", "--data-dir", tmp_path / "data", "--model", "threshold", "--workers", "1"]
    line = [sys.executable, "-m", "medsegr", "serve", *map(str, flags), "--rate", "0", "--cluster", far]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(line, stdout=subprocess.PIPE, stderr=log, text=True) as server,
    ):
        assert server.stdout is not None
        try:
            found = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
            assert found, (tmp_path / "log").read_text()
            with httpx.Client(base_url=found[0], trust_env=False, timeout=PATIENCE) as http:
                image = http.post("/v1/images", files=[("files", ("a.png", png(3)))]).json()["id"]
                asked = {"image": image, "report": "Nodule in the left lung. No pneumothorax."}
                job = http.post("/v1/jobs", json=asked).json()["id"]
                events = http.get(f"/v1/jobs/{job}/events", timeout=2 * PATIENCE).text  # ends with the job
                assert '"state":"done"' in events.replace(" ", ""), (tmp_path / "log").read_text()
                items = http.get(f"/v1/jobs/{job}/result").json()["findings"]
                assert [one["status"] for one in items] == ["segmented", "skipped"]
        finally:
            server.terminate()


@pytest.mark.slow
def test_without_its_token_a_cluster_is_one_line(far: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(3))
    jobs = tmp_path / "jobs.jsonl"
    jobs.write_text('{"id": "a", "image": "a.png", "text": "Nodule."}\n', encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        ran = command("segment", "--jobs", jobs, "-o", tmp_path / "out", *MODEL, "--cluster", far)
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"error: {far}: no Ray cluster answers there")
    assert "RAY_AUTH_TOKEN" in ran.stderr
    assert ran.stderr.count("\n") == 1
