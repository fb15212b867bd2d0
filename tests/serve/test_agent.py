"""An agent reads below the opened folders and writes below the output, and nowhere else."""

import json
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture

from dicom_files import MAKER, segment, write_ct
from medsegr.errors import InputError, MedsegrError, UsageError
from medsegr.io.dicom_objects import save_object
from medsegr.io.dicom_rt import make_rt
from medsegr.io.dicom_source import sources_of
from medsegr.io.read import read_image
from medsegr.serve.agent import LONGEST_SIDE, MOST_FILES, MOST_FINDINGS, Agent, fence_of

GRID = np.array([[0, 0, 1.0, 0], [0, 1.0, 0, 0], [2.0, 0, 0, 0], [0, 0, 0, 1]])


def picture(path: Path, width: int = 60, height: int = 40) -> Path:
    values = np.random.default_rng(0).integers(0, 255, (height, width), dtype=np.uint8)
    Picture.fromarray(values).save(path)
    return path


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    """A root with an image and a report, a neighbour with a secret, and links from the one to the other."""
    root, secret = tmp_path / "root", tmp_path / "root-secret"
    (root / "sub").mkdir(parents=True)
    secret.mkdir()
    picture(root / "image.png")
    picture(root / "sub" / "other.png")
    (root / ".hidden").write_text("x", encoding="utf-8")
    picture(secret / "image.png")
    (root / "report.txt").write_text("Small nodule in the left lung. No pneumothorax.", encoding="utf-8")
    (root / "out-file.png").symlink_to(secret / "image.png")
    (root / "out-folder").symlink_to(secret)
    (root / "in-file.png").symlink_to(root / "image.png")
    return Agent(fence_of([root], tmp_path / "results"), model="threshold")


def test_what_is_inside_is_found(agent: Agent, tmp_path: Path) -> None:
    for told in ("image.png", "sub/other.png", "sub/../image.png", str(tmp_path / "root" / "image.png")):
        assert agent.fence.inside(told).name in ("image.png", "other.png")
    assert agent.fence.inside("in-file.png") == tmp_path / "root" / "image.png"
    assert agent.fence.shown(agent.fence.inside("sub/other.png")) == "sub/other.png"


OUTSIDE = ["../root-secret/image.png", "/etc/passwd", "..", "/", "out-file.png", "out-folder"]
OUTSIDE += ["out-folder/image.png"]
OUTSIDE += ["none.png", "image.png/x", "\0", "a" * 5000, "~", "sub/../../root-secret", "file:///etc/passwd"]


@pytest.mark.parametrize("told", OUTSIDE)
def test_what_is_outside_is_refused_with_the_same_words(told: str, agent: Agent) -> None:
    calls = (
        lambda: agent.list_files(told),
        lambda: agent.read_report(told),
        lambda: agent.segment(told, ["lung"]),
        lambda: agent.measure(told),
        lambda: agent.measure("image.png", told),
        lambda: agent.overlay(told),
    )
    lines = set()
    for call in calls:
        with pytest.raises(InputError) as caught:
            call()
        lines.add(str(caught.value))
    assert len(lines) == 1
    assert "secret" not in lines.pop()


def test_a_folder_with_a_link_to_the_outside_is_no_image(agent: Agent, tmp_path: Path) -> None:
    folder = write_ct(tmp_path / "root" / "ct", np.zeros((3, 8, 9), np.int16), GRID)
    assert agent.fence.inside("ct") == folder
    (folder / "slice").symlink_to(tmp_path / "root-secret" / "image.png")
    with pytest.raises(InputError, match="no such file"):
        agent.segment("ct", ["liver"])


def test_equal_names_of_several_roots_are_told_apart(agent: Agent, tmp_path: Path) -> None:
    for place in ("more", "deep/root"):
        (tmp_path / place).mkdir(parents=True)
    other = picture(tmp_path / "more" / "image.png")
    third = picture(tmp_path / "deep" / "root" / "only.png")
    roots = [tmp_path / "root", tmp_path / "more", tmp_path / "deep" / "root", tmp_path / "root" / "sub"]
    agent.fence = fence_of(roots, tmp_path / "results")
    told = agent.list_files()["files"]
    own = ["root/image.png", "root/in-file.png", "root/report.txt", "root/sub/other.png"]
    assert told == [*own, "more/image.png", "root-2/only.png"]
    assert agent.list_files("more")["files"] == ["more/image.png"]
    assert agent.fence.inside("more/image.png") == other
    assert agent.fence.inside("only.png") == agent.fence.inside("root-2/only.png") == third
    with pytest.raises(InputError, match=r"which is meant: root/image\.png, more/image\.png$"):
        agent.segment("image.png", ["lung"])


PARTS = st.sampled_from(["..", ".", "sub", "root", "out-folder", "x", ""])


@given(told=st.text(max_size=30) | st.lists(PARTS).map("/".join))
def test_no_words_lead_out(told: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.mktemp("fence")
    (base / "root" / "sub").mkdir(parents=True)
    (base / "root" / "out-folder").symlink_to(base)
    (base / "more").mkdir()
    fence = fence_of([base / "root", base / "more"][: 1 + len(told) % 2], base / "results")
    try:
        path = fence.inside(told)
    except InputError:
        return
    assert any(path.is_relative_to(base / name) for name in ("root", "more", "results"))


def test_files_are_listed_and_counted(agent: Agent, tmp_path: Path) -> None:
    told = agent.list_files()
    assert told["files"] == ["image.png", "in-file.png", "report.txt", "sub/other.png"]
    assert not told["more"]
    for number in range(MOST_FILES):
        (tmp_path / "root" / "sub" / f"{number:03d}.txt").touch()
    assert (len(agent.list_files()["files"]), agent.list_files()["more"]) == (MOST_FILES, True)
    with pytest.raises(InputError, match="folder was expected"):
        agent.list_files("image.png")


def test_segment_writes_a_folder_of_ours_and_tells_of_it(agent: Agent, tmp_path: Path) -> None:
    report = agent.read_report("report.txt")["text"]
    before = sorted((tmp_path / "root").rglob("*"))
    told = agent.segment("image.png", report)
    assert {item["name"]: item["status"] for item in told["findings"]} == {
        "nodule": "segmented",
        "pneumothorax": "skipped",
    }
    folder = tmp_path / "results" / told["result"]
    assert json.loads((folder / "findings.json").read_text())["findings"][0]["id"] == "f1"
    assert f"{told['result']}/overlay.png" in told["files"]
    assert "text" not in json.loads((folder / "findings.json").read_text())["report"]
    assert sorted((tmp_path / "root").rglob("*")) == before
    assert agent.segment("image.png", ["lung"])["result"] != told["result"]


def test_what_was_written_can_be_measured_and_shown(agent: Agent, tmp_path: Path) -> None:
    picture(tmp_path / "root" / "wide.png", 3000, 100)
    told = agent.segment("wide.png", ["lung"])
    mask = next(name for name in told["files"] if name.startswith(f"{told['result']}/masks/"))
    numbers = agent.measure(mask)["labels"][0]["measurements"]
    assert "mean_intensity" not in numbers
    lit = agent.measure(mask, "wide.png")["labels"][0]["measurements"]
    assert lit["mean_intensity"]["value"] > 0
    with Picture.open(BytesIO(agent.overlay(told["result"]))) as shown:
        assert 500 < max(shown.size) <= LONGEST_SIDE
    with pytest.raises(InputError):
        agent.overlay("sub")
    with pytest.raises(InputError, match="same grid"):
        agent.measure("image.png", "wide.png")


def test_a_dicom_seg_is_measured_by_segment(agent: Agent, tmp_path: Path) -> None:
    plane = np.add.outer(np.arange(12), np.arange(14)).astype(np.int16)
    write_ct(tmp_path / "root" / "ct", np.stack([plane * 20 + z for z in range(4)]), GRID)
    told = agent.segment("ct", ["liver"])
    seg = f"{told['result']}/segmentation.dcm"
    assert seg in told["files"]
    (label,) = agent.measure(seg, "ct")["labels"]
    assert label["name"]
    assert label["measurements"]["volume"]["value"] > 0


def test_a_structure_set_is_measured_by_roi(agent: Agent, tmp_path: Path) -> None:
    plane = np.add.outer(np.arange(12), np.arange(14)).astype(np.int16)
    write_ct(tmp_path / "root" / "ct", np.stack([plane * 20 + z for z in range(4)]), GRID)
    image = read_image(tmp_path / "root" / "ct")
    found = [segment(1, image.data[0] > 200), segment(2, image.data[0] > 300)]
    ds = make_rt(image, found, sources_of(image), MAKER)
    ds.ROIContourSequence[1].ContourSequence[0].ContourGeometricType = "POINT"
    save_object(ds, tmp_path / "root" / "rt.dcm")
    told = agent.measure("rt.dcm", "ct")
    assert [label["name"] for label in told["labels"]] == ["thing 1", "thing 2"]
    assert told["labels"][0]["measurements"]["pixels"]["value"] == int((image.data > 200).sum())
    assert [one["code"] for one in told["warnings"]] == ["outlines_open"]


def test_many_findings_are_told_in_part(agent: Agent) -> None:
    text = "Nodule in the left lung. " * (MOST_FINDINGS + 7)
    told = agent.parse(text)
    assert (len(told["findings"]), told["left_out"]) == (MOST_FINDINGS, 7)


def test_passages_by_no_known_name_are_told(agent: Agent) -> None:
    told = agent.parse("The right hilum is wrongled. Nodule in the left lung.")
    assert told["unread"] == [{"phrase": "The right hilum is wrongled", "span": [0, 27]}]


def test_wrong_arguments(agent: Agent, tmp_path: Path) -> None:
    for call, word in (
        (lambda: agent.segment("image.png", " "), "words are empty"),
        (lambda: agent.segment("image.png", []), "words are empty"),
        (lambda: agent.segment("image.png", ["x"] * 201), "201 phrases"),
        (lambda: agent.segment("image.png", "nodule", frame="other"), "patient or viewer"),
        (lambda: agent.parse("nodule", "XX"), "modality"),
    ):
        with pytest.raises(MedsegrError, match=word):
            call()
    assert list((tmp_path / "results").iterdir()) == []
    with pytest.raises(UsageError, match="--root"):
        fence_of([], tmp_path)
    with pytest.raises(UsageError, match="--root"):
        fence_of([tmp_path / "none"], tmp_path)


def test_the_model_is_told(agent: Agent, tmp_path: Path) -> None:
    from medsegr import weights

    assert agent.list_models()["model"] == "threshold"
    if weights.names():
        told = Agent(agent.fence).list_models()
        assert told["concepts"]["nodule"]
        assert "kidney" in told["made_only"]
        assert not {"polyp", "nucleus"} & set(told["made_only"])
        assert set(told["made_only"]) < set(told["concepts"])
        assert told["licence"]
        for part in weights.find(weights.DEFAULT):
            shutil.copy(part, tmp_path)
        folder = str(tmp_path)
        assert Agent(agent.fence, model=folder).list_models() == told | {"model": folder}


def test_a_mask_with_many_values_is_refused(agent: Agent) -> None:
    assert len(np.unique(read_image(agent.fence.inside("image.png")).data)) > 50
    with pytest.raises(InputError, match="at most 50"):
        agent.measure("image.png")


def test_it_tells_how_far_it_is_and_ends_in_time(agent: Agent, tmp_path: Path) -> None:
    told: list[str] = []
    agent.segment("image.png", ["lung", "heart"], follow=lambda progress: told.append(progress.stage))
    assert told.count("segment") >= 2
    agent.seconds = -1.0
    before = list((tmp_path / "results").iterdir())
    with pytest.raises(InputError, match="took longer"):
        agent.segment("image.png", ["lung"])
    assert list((tmp_path / "results").iterdir()) == before
