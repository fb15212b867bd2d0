"""``medsegr mcp`` as an agent's program meets it: a process, spoken to by the protocol's own client."""

import base64
import json
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from PIL import Image as Picture

from medsegr.cli.main import main

pytest.importorskip("mcp", reason="the extra 'mcp' is not installed")
ROOT = Path(__file__).resolve().parents[2]
NAMES = ["list_files", "read_report", "parse", "segment", "measure", "overlay", "list_models"]
REPORT = "Small nodule in the left lung. No pneumothorax. Geheim^Planted."


@pytest.fixture
def room(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    values = np.random.default_rng(0).integers(0, 255, (40, 60), dtype=np.uint8)
    Picture.fromarray(values).save(tmp_path / "images" / "image.png")
    (tmp_path / "secret.png").write_bytes((tmp_path / "images" / "image.png").read_bytes())
    return tmp_path


Call = tuple[str, dict[str, Any]]


def talk(room: Path, calls: list[Call]) -> tuple[list[Any], list[Any], str, list[Any]]:
    """Tools as listed, the answers to some calls, what the process wrote to stderr, and the progress."""
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    words = ["-m", "medsegr", "mcp", "--root", "images", "-o", "out", "--model", "threshold"]
    progress: list[tuple[float, float | None]] = []
    server = StdioServerParameters(
        command=sys.executable, args=words, cwd=room, env={"PYTHONPATH": str(ROOT / "src")}
    )

    async def tell(done: float, total: float | None, _message: str | None) -> None:
        progress.append((done, total))

    async def session() -> tuple[list[Any], list[Any]]:
        with (room / "stderr.txt").open("w", encoding="utf-8") as log:
            async with Client(stdio_client(server, log), read_timeout_seconds=120) as client:
                listed = (await client.list_tools()).tools
                return listed, [await client.call_tool(n, told, progress_callback=tell) for n, told in calls]

    listed, answers = anyio.run(session)
    return listed, answers, (room / "stderr.txt").read_text(encoding="utf-8"), progress


def said(answer: Any) -> Any:
    assert not answer.is_error, answer
    return json.loads(answer.content[0].text)


def test_a_whole_conversation(room: Path) -> None:
    listed, answers, log, progress = talk(
        room,
        [
            ("list_files", {}),
            ("list_models", {}),
            ("parse", {"report": REPORT}),
            ("segment", {"image": "image.png", "words": REPORT}),
            ("segment", {"image": "image.png", "words": ["right lung"]}),
        ],
    )
    assert [tool.name for tool in listed] == NAMES
    assert all(tool.description and tool.input_schema["type"] == "object" for tool in listed)
    reading = {tool.name for tool in listed if tool.annotations.read_only_hint}
    assert reading == set(NAMES) - {"segment"}
    files, models, parsed, drawn, phrase = map(said, answers)
    assert files == {"files": ["image.png"], "more": False}
    assert models["model"] == "threshold"
    assert [f["polarity"] for f in parsed["findings"]] == ["present", "absent"]
    assert [f["status"] for f in drawn["findings"]] == ["segmented", "skipped"]
    assert (room / "out" / phrase["result"] / "overlay.png").is_file()
    assert log == ""
    assert progress
    assert all(total is not None and done <= total for done, total in progress)
    mask = next(name for name in drawn["files"] if "/masks/" in name)
    later: list[Call] = [("measure", {"mask": mask}), ("overlay", {"result": drawn["result"]})]
    _, (numbers, shown), _, _ = talk(room, later)
    assert said(numbers)["labels"][0]["measurements"]
    assert shown.content[0].mime_type == "image/png"
    with Picture.open(BytesIO(base64.b64decode(shown.content[0].data))) as overlay:
        assert overlay.width > 40


def test_errors_are_one_line_and_the_server_goes_on(room: Path) -> None:
    calls: list[Call] = [
        ("segment", {"image": "../secret.png", "words": ["lung"]}),
        ("segment", {"image": "/etc/passwd", "words": ["lung"]}),
        ("segment", {"image": "image.png"}),
        ("segment", {"image": "image.png", "words": "nodule", "frame": "other"}),
        ("segment", {"image": "image.png", "words": {"x": "Geheim " * 500}}),
        ("segment", {"words": [3]}),
        ("parse", {"report": "Geheim " * 400_000}),
        ("read_report", {"file": "image.png"}),
        ("overlay", {"result": "."}),
        ("nothing", {}),
        ("parse", {"report": "nodule"}),
    ]
    _, answers, log, _ = talk(room, calls)
    for (name, _), answer in zip(calls[:-1], answers[:-1], strict=True):
        assert answer.is_error, name
        text = answer.content[0].text
        assert len(text.splitlines()) == 1
        assert len(text) <= 500
        assert "Traceback" not in text
        assert str(room) not in text
    assert said(answers[-1])["findings"]
    assert "Geheim" not in log
    assert not (room / "out").exists() or list((room / "out").iterdir()) == []


def test_arguments_that_are_missing_or_unknown_are_named(room: Path) -> None:
    calls: list[Call] = [
        ("segment", {"image": "image.png", "report": REPORT}),
        ("segment", {"image": "image.png", "words": ["lung"], "side": "left"}),
        ("list_models", {"name": "x"}),
        ("list_files", {}),
    ]
    _, answers, _, _ = talk(room, calls)
    assert [answer.content[0].text for answer in answers[:-1]] == [
        "segment: words is missing; it takes image, words, modality, frame, series",
        "segment: 'side' is no argument; it takes image, words, modality, frame, series",
        "list_models: 'name' is no argument; it takes none",
    ]
    assert all(answer.is_error for answer in answers[:-1])
    assert said(answers[-1])["files"] == ["image.png"]


def test_without_output_nothing_stays(room: Path) -> None:
    from medsegr.cli.mcp import command

    assert command.__doc__
    before = set(room.rglob("*"))
    words = ["mcp", "--root", str(room / "images"), "--model", "nobody"]
    assert main(words) == 2
    assert set(room.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["mcp"], "--root is missing"),
        (["mcp", "--root", "none"], "existing folder"),
        (["mcp", "--rot"], "--rot"),
    ],
)
def test_wrong_flags(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert told in capsys.readouterr().err
