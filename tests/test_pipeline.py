"""Report + image -> Result -> folder: every row of the table of statuses, and what is written."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image as Picture

from medsegr import pipeline
from medsegr.errors import GeometryError, InputError, UsageError, WeightsError
from medsegr.inference import answers
from medsegr.inference.answers import ask
from medsegr.modality.synthetic import marked
from medsegr.options import Options
from medsegr.report.lexicon import concepts
from medsegr.results import record
from medsegr.results.export import Written
from medsegr.results.schema import STATUSES, findings_schema
from medsegr.session import Model, load
from medsegr.types import (
    Finding,
    Image,
    Location,
    Prompt,
    Report,
    Result,
    Segmentation,
    Shape,
    Source,
    Texture,
)

GRID = (40, 60)


class Fake:
    """A model that draws the named half of the picture, the whole where no side is told (patient's frame)."""

    def __init__(self, presence: float = 0.9, fail_on: str = "", error: Exception | None = None) -> None:
        self.presence, self.fail_on, self.error = presence, fail_on, error or RuntimeError("inside")
        self.card: Mapping[str, Any] = {
            "name": "fake",
            "sha256": "ab",
            "licence": "Apache-2.0",
            "presence_threshold": 0.5,
            "concepts": {"cyst": {"trained_on": ["phantom"]}, "tube": {"trained_on": ["real"]}},
        }
        self.asked: list[tuple[Finding, ...]] = []

    def knows(self, finding: Finding, modality: str | None = None) -> bool:
        able = ("opacity", "nodule", "lung", "polyp", "cyst", "tube", "chest tube")
        return finding.name in able and modality != "MR"

    def propose(self, image: Image) -> tuple[Finding, ...]:
        return (Finding("x", "", (0, 0), "opacity"),)

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        self.asked.append(prompt.findings)
        prob = np.zeros((len(prompt.targets), *image.grid), np.float32)
        for k, finding in enumerate(prompt.findings):
            if self.fail_on and finding.phrase == self.fail_on:
                raise self.error
            width = image.grid[-1]
            low = width // 2 if finding.location.side == "left" else 2
            high = width // 2 if finding.location.side == "right" else width - 2
            prob[k, ..., 2:-2, low:high] = 0.8 if finding.phrase != "invisible nodule" else 0.2
        count = len(prompt.targets)
        extras = {
            "presence": np.full(count, self.presence, np.float32),
            "attention": np.ones((count, *image.grid), np.float32),
        }
        return Segmentation(prob, prompt.targets, image.affine, extras)


def picture(**more: Any) -> Image:
    values: dict[str, Any] = {"spacing": (0.5, 0.5), "modality": "CR", **more}
    data = values.pop("data", np.random.default_rng(0).random((1, *GRID), np.float32) * 255)
    source = values.pop("source", Source(kind="png", sha256="cd", frame_from="modality"))
    return Image(data, source=source, **values)


def finding(n: int = 1, phrase: str = "hazy opacity", name: str = "opacity", **more: Any) -> Finding:
    return Finding(f"f{n}", phrase, (0, len(phrase)), name, **more)


def told(*findings: Finding) -> Report:
    return Report(" ".join(f.phrase for f in findings), (), findings)


def run(item: Finding, image: Image | None = None, model: Fake | None = None, **options: Any) -> Any:
    result = pipeline.run(image or picture(), model or Fake(), report=told(item), options=Options(**options))
    return result.findings[0]


# --- the table


def test_segmented() -> None:
    found = run(finding(location=Location(side="left")))
    assert (found.status, found.reason, found.presence) == ("segmented", None, pytest.approx(0.9))
    assert found.mask.dtype == bool
    assert found.mask.shape == GRID
    assert found.score == pytest.approx(0.8)
    assert not found.mask[:, :30].any()
    assert {c.name: c.outcome for c in found.checks}["side"] == "pass"


PART = Location(side="left", anatomy=("left lower lobe of lung",))
TABLE = [
    (finding(polarity="absent"), {}, "skipped", "absent"),
    (finding(polarity="uncertain"), {}, "skipped", "uncertain"),
    (finding(time="prior"), {}, "skipped", "prior"),
    (finding(time="resolved"), {}, "skipped", "prior"),
    (finding(whose="other"), {}, "skipped", "not_this_patient"),
    (finding(drawable=False), {}, "skipped", "no_place"),
    (
        finding(name="polyp"),
        {"modality": "OP"},
        "segmented",
        None,
    ),  # the model knows it there: not turned away
    (finding(name="optic disc"), {"modality": "CR"}, "skipped", "not_in_image"),
    (finding(name="retinal vessels"), {"modality": "CT"}, "skipped", "not_in_image"),
    (finding(name="cardiomegaly"), {}, "refused", "unknown_concept"),
    (finding(name=""), {}, "refused", "unknown_concept"),
    (finding(), {"modality": "MR"}, "refused", "unknown_concept"),
    (finding(name="cyst"), {}, "refused", "made_only"),
    (finding(name="lung", location=PART), {}, "refused", "part_unknown"),
    (finding(name="chest tube", parents=("tube",)), {}, "refused", "kind_unknown"),
    (finding(name="tube"), {}, "segmented", None),
    (finding(name="opacity", location=PART), {}, "segmented", None),
    (finding(name="lung", location=Location(anatomy=("left lung",))), {}, "segmented", None),
    (finding(), {"affine": np.zeros((4, 4))}, "refused", "geometry"),
    (finding(), {"data": np.ones((1, 7, 90), np.float32)}, "refused", "too_small"),
    (finding(), {"data": np.ones((1, 8, 90), np.float32)}, "segmented", None),
    (finding(shape=Shape(size_mm=(0.3,))), {}, "refused", "too_small"),
    (finding(shape=Shape(size_mm=(0.3, 0.5))), {"spacing": (0.5, 2.0)}, "segmented", None),
    (finding(phrase="invisible nodule", name="nodule"), {}, "not_found", "empty"),
]


@pytest.mark.parametrize(("item", "image", "status", "reason"), TABLE)
def test_table(item: Finding, image: dict[str, Any], status: str, reason: str | None) -> None:
    found = run(item, picture(**image))
    assert (found.status, found.reason) == (status, reason)
    assert (found.mask is None) == (status != "segmented")


def test_presence_low_is_told_with_its_value() -> None:
    found = run(finding(), model=Fake(presence=0.3))
    assert (found.status, found.reason, found.mask) == ("not_found", "presence_low", None)
    assert found.presence == pytest.approx(0.3)


def test_the_card_of_a_model_tells_from_which_presence_on_a_finding_counts() -> None:
    strict = Fake(presence=0.9)
    strict.card = {**strict.card, "presence_threshold": 0.95}
    assert run(finding(), model=strict).reason == "presence_low"
    strict.card = {"name": "tells none"}
    assert run(finding(), model=strict).status == "segmented"


def test_the_table_covers_every_reason_of_the_schema() -> None:
    told_here = {reason for *_, reason in TABLE} | {"presence_low", "error"}
    assert told_here == {reason for reasons in STATUSES.values() for reason in reasons}


def test_an_error_stays_with_its_finding() -> None:
    bad, good = finding(1, "breaks it"), finding(2)
    result = pipeline.run(picture(), Fake(fail_on="breaks it"), report=told(bad, good))
    assert [(r.status, r.reason) for r in result.findings] == [("failed", "error"), ("segmented", None)]
    assert ("error", "the model failed: RuntimeError") in result.warnings


@pytest.mark.parametrize(
    ("error", "expected"),
    [(GeometryError("tilted"), ("refused", "geometry")), (MemoryError(), ("failed", "error"))],
)
def test_errors_of_the_model_by_kind(error: Exception, expected: tuple[str, str]) -> None:
    found = run(finding(1, "breaks it"), model=Fake(fail_on="breaks it", error=error))
    assert (found.status, found.reason) == expected


def test_a_model_that_gives_nan_or_a_wrong_grid_fails_the_finding_only() -> None:
    class Broken(Fake):
        def segment(self, image: Image, prompt: Prompt) -> Segmentation:
            prob = np.full((1, *image.grid), np.nan, np.float32)
            return Segmentation(prob, prompt.targets)

    assert run(finding(), model=Broken(), report_mask=False).status == "failed"


def test_uncertain_findings_are_drawn_when_asked_for() -> None:
    found = run(finding(polarity="uncertain"), polarity=("present", "uncertain"))
    assert found.status == "segmented"


def test_a_denied_finding_never_gets_a_mask_even_when_asked_about() -> None:
    model = Fake()
    found = run(finding(polarity="absent"), model=model, polarity=("present", "uncertain", "absent"))
    assert (found.status, found.reason, found.mask, found.free_mask) == ("skipped", "absent", None, None)
    assert found.presence == pytest.approx(0.9)
    assert [(c.name, c.outcome) for c in found.checks] == [("presence", "warn")]
    assert len(model.asked) == 1


def test_the_model_is_not_asked_when_nothing_is_to_be_drawn() -> None:
    model = Fake()
    run(finding(polarity="absent"), model=model)
    assert model.asked == []


def test_force_draws_the_unknown_and_marks_it() -> None:
    result = pipeline.run(
        picture(), Fake(), report=told(finding(name="cardiomegaly")), options=Options(force=True)
    )
    assert result.findings[0].status == "segmented"
    assert [(c.name, c.outcome) for c in result.findings[0].checks if c.name == "concept"] == [
        ("concept", "warn")
    ]
    assert "forced" in {code for code, _ in result.warnings}
    unseen = run(finding(name="cardiomegaly"), model=Fake(presence=0.3), force=True)
    assert (unseen.status, unseen.checks) == ("not_found", ()), "nothing was drawn: nothing to mark"


# --- what is asked of the model


def test_all_findings_go_in_one_prompt_with_each_name_once_alone() -> None:
    model = Fake()
    items = (
        finding(1, "left hazy opacity", location=Location(side="left"), texture=Texture(density="mixed")),
        finding(2, "right opacity", location=Location(side="right")),
        finding(3, "left lung", "lung", location=Location(side="left", rows=("upper",))),
    )
    result = pipeline.run(picture(), model, report=told(*items))
    assert len(model.asked) == 1
    asked = model.asked[0]
    assert [f.name for f in asked] == ["opacity", "opacity", "lung", "opacity", "lung"]
    assert asked[3].location == Location()
    assert asked[3].texture == Texture()
    assert asked[4].location == Location(side="left")  # an organ keeps its side: it is part of the name
    first, second, third = result.findings
    assert np.array_equal(first.free_mask, second.free_mask)
    assert first.free_mask.sum() > first.mask.sum()
    assert np.array_equal(third.free_mask, third.mask)
    assert "agreement" in {c.name for c in first.checks}


@pytest.mark.parametrize(
    ("parts", "outcome"), [(["ground-glass opacity"], "pass"), (["ground-glass opacity", "x"], "warn")]
)
def test_what_is_drawn_as_several_must_agree_more(
    parts: list[str], outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shifted(self: Fake, image: Image, prompt: Prompt) -> Segmentation:
        prob = np.zeros((len(prompt.targets), *image.grid), np.float32)
        for k, asked in enumerate(prompt.findings):
            low = 10 if asked.location.side else 14  # 6 of 10 columns in common
            prob[k, 5:15, low : low + 10] = 1
        return Segmentation(prob, prompt.targets, image.affine, {"presence": np.ones(len(prob), np.float32)})

    monkeypatch.setattr(Fake, "segment", shifted)
    model = Fake()
    model.card = {**model.card, "parts": {"opacity": parts}}
    found = run(finding(location=Location(side="left")), model=model)
    assert {c.name: c.outcome for c in found.checks}["agreement"] == outcome


def test_a_twin_is_told_whom_it_is_compared_with(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts: list[Prompt] = []
    plain = Fake.segment
    monkeypatch.setattr(
        Fake, "segment", lambda self, image, prompt: (prompts.append(prompt), plain(self, image, prompt))[1]
    )
    left, right = (
        finding(n, f"{s} opacity", location=Location(side=s)) for n, s in ((1, "left"), (2, "right"))
    )
    nodule = finding(3, "nodule", "nodule")
    pipeline.run(picture(), Fake(), report=told(left, nodule, right))
    assert prompts[0].beside == (None, None, None, (0, 2), (1,))


class Lazy(Fake):
    """Sees nothing on the left, and asks no twin where none of those that it is compared with is seen."""

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        said = super().segment(image, prompt)
        there = [f.location.side != "left" for f in prompt.findings]
        for k, whom in enumerate(prompt.beside):
            if whom is not None and not any(there[one] for one in whom):
                said.prob[k] = 0
        presence = np.where(there, np.float32(0.9), np.float32(0.1))
        return replace(said, extras={**said.extras, "presence": presence})


@pytest.mark.parametrize("follow", [None, lambda _: None])
def test_a_twin_that_was_not_needed_is_asked_when_it_is(follow: Any) -> None:
    left, right = (
        finding(n, f"{s} opacity", location=Location(side=s)) for n, s in ((1, "left"), (2, "right"))
    )
    first, second = pipeline.run(picture(), Lazy(), report=told(left, right), follow=follow).findings
    assert (first.status, first.reason) == ("not_found", "presence_low")
    assert second.free_mask is not None
    assert second.free_mask.sum() > second.mask.sum()


def test_without_report_mask_names_are_not_asked_alone() -> None:
    model = Fake()
    found = run(finding(), model=model, report_mask=False)
    assert found.free_mask is None
    assert len(model.asked[0]) == 1


def test_large_volumes_go_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "LARGEST_CALL", 3 * GRID[0] * GRID[1])
    model = Fake()
    items = [finding(n) for n in range(7)]
    assert len(ask(model, picture(), items)) == 7
    assert [len(group) for group in model.asked] == [3, 3, 1]


def test_the_input_is_left_as_it_was() -> None:
    image = picture()
    before = image.data.copy()
    pipeline.run(image, Fake(), report=told(finding()))
    assert np.array_equal(image.data, before)


def test_attention_is_kept_only_when_asked_for() -> None:
    assert run(finding()).attention is None
    assert run(finding(), explain=True).attention.shape == GRID


def test_a_model_without_maps_says_so_where_one_was_asked_for_and_something_drawn() -> None:
    class Mapless(Fake):
        def segment(self, image: Image, prompt: Prompt) -> Segmentation:
            said = super().segment(image, prompt)
            return replace(said, extras={"presence": said.extras["presence"]})

    def noted(item: Finding, model: Fake, explain: bool) -> bool:
        result = pipeline.run(picture(), model, report=told(item), options=Options(explain=explain))
        return "no_attention" in {code for code, _ in result.warnings}

    assert noted(finding(), Mapless(), explain=True)
    assert not noted(finding(), Mapless(), explain=False)
    assert not noted(finding(), Fake(), explain=True)
    assert not noted(finding(polarity="absent"), Mapless(), explain=True)


def test_report_free_the_model_proposes() -> None:
    result = pipeline.run(picture(), Fake())
    assert result.report is None
    assert [(r.finding.id, r.finding.phrase, r.status) for r in result.findings] == [("f1", "", "segmented")]


def test_where_nothing_is_proposed_it_is_told_what_was_looked_for() -> None:
    class Blind(Fake):
        def propose(self, image: Image) -> tuple[Finding, ...]:
            return ()

    def told(card: dict[str, Any], modality: str | None = "CR") -> tuple[tuple[str, str], ...]:
        model = Blind()
        model.card = {**model.card, "concepts": card}
        return pipeline.run(replace(picture(), modality=modality), model).warnings

    real = {"trained_on": ["real"]}
    made = {"trained_on": ["phantom"]}
    ((code, text),) = told({"nodule": real, "cyst": made, "glioma": {**real, "modalities": ["MR"]}})
    assert code == "nothing_proposed"
    assert "CR images for nodule: none of these was seen" in text
    assert "CR images for nothing" in told({"cyst": made})[0][1]
    assert "of a kind that nobody told for glioma" in told({"glioma": real}, None)[0][1]
    assert ", n7 and 4 more: none" in told({f"n{n}": real for n in range(12)})[0][1]
    assert not [code for code, _ in pipeline.run(picture(), Fake()).warnings if code == "nothing_proposed"]
    words = pipeline.run(picture(), Blind(), report="Thank you.").warnings  # words came: they hold nothing
    assert [code for code, _ in words] == ["nothing_read"]


def test_a_model_that_cannot_propose_is_told_so() -> None:
    class Mute:
        def segment(self, image: Image, prompt: Prompt) -> Segmentation:
            raise AssertionError

    with pytest.raises(UsageError, match="cannot propose"):
        pipeline.run(picture(), Mute())


# --- words


def test_words_are_read_in_the_image_s_frame() -> None:
    read = pipeline.read_words(picture(), "Opacity in the left lung.")
    assert read is not None
    assert read.findings[0].location.side_frame == "patient"
    viewed = pipeline.read_words(picture(modality="ES", frame="viewer"), "Polyp on the left.")
    assert viewed is not None
    assert viewed.findings[0].location.cols == ("left",)


@pytest.mark.parametrize(
    ("frame_from", "whose"), [("modality", "patient"), ("assumed", "patient"), ("flag", "viewer")]
)
def test_the_left_breast_is_the_picture_s_left_only_where_somebody_asked_for_the_viewer_s_frame(
    frame_from: str, whose: str
) -> None:
    """An ultrasound shows one breast: "left" says which, and not where in the picture."""
    image = picture(modality="US", frame="viewer", source=Source(kind="png", frame_from=frame_from))
    for said in ({"report": "A mass in the left breast."}, {"report": None, "phrases": ["left breast mass"]}):
        words = pipeline.read_words(image, **said)  # type: ignore[arg-type]
        assert words is not None
        assert (words.findings[0].location.side, words.findings[0].location.side_frame) == ("left", whose)


def test_an_assumed_frame_follows_the_words() -> None:
    image = picture(modality=None, source=Source(kind="png", frame_from="assumed"))
    result = pipeline.run(image, Fake(), report="A red polyp on the left.")
    assert result.image.frame == "viewer"
    assert pipeline.run(image, Fake(), report="Nodule in the left lung.").image.frame == "patient"


def test_phrases_stand_one_a_line_and_every_span_counts_in_the_whole() -> None:
    phrases = ("hazy opacity in the left lung", "flurb", "small round nodule in the right upper lobe")
    read = pipeline.read_words(picture(), None, phrases)
    assert read is not None
    assert read.text == "\n".join(phrases)
    assert [f.id for f in read.findings] == [f"f{n}" for n in range(1, len(read.findings) + 1)]
    for item in read.findings:
        assert read.text[slice(*item.span)] == item.phrase
    last = read.findings[-1]
    assert last.name == "nodule"
    words = [read.text[slice(*span)] for span in last.location.spans + last.shape.spans]
    assert "right" in " ".join(words)
    result = pipeline.run(picture(), Fake(), phrases=phrases)
    assert [r.reason for r in result.findings] == [None, "unknown_concept", None]


@pytest.mark.parametrize(
    ("value", "told"), [(7.0, "0 to 7"), (-2.0, "-2 to 0"), (np.nan, "nan to nan"), (np.inf, "0 to inf")]
)
def test_values_that_are_no_probabilities_are_no_mask(value: float, told: str) -> None:
    class Logits(Fake):
        def segment(self, image: Image, prompt: Prompt) -> Segmentation:
            said = super().segment(image, prompt)
            return replace(said, prob=np.full_like(said.prob, value))

    result = pipeline.run(picture(), Logits(), phrases=("opacity",))
    assert [item.status for item in result.findings] == ["failed"]
    assert (
        f"the model gave {told} for this image, expected values in [0, 1]" in dict(result.warnings)["error"]
    )


def test_words_that_do_not_go_together() -> None:
    with pytest.raises(UsageError, match="one of them"):
        pipeline.run(picture(), Fake(), report="nodule", phrases=("mass",))
    with pytest.raises(UsageError, match="empty"):
        pipeline.run(picture(), Fake(), phrases=(" ",))


@pytest.mark.parametrize(
    "values", [{"polarity": ("absent",)}, {"side_check": "maybe"}, {"formats": ("bmp",)}]
)
def test_options_refuse_nonsense(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"expected|write for example"):
        Options(**values)


NEGATED = (
    "No pneumothorax.",
    "No evidence of opacity or nodule.",
    "The lungs are without nodules.",
    "Negative for polyp.",
    "Lungs are clear of opacity.",
)


@pytest.mark.parametrize("text", NEGATED)
def test_negated_sentences_give_no_mask(text: str) -> None:
    result = pipeline.run(picture(), Fake(), report=text, options=Options(polarity=("present", "uncertain")))
    assert all(item.mask is None and item.reason for item in result.findings)


# --- what is written


def full_result(keep: bool = False) -> Result:
    items = [replace(item, id=f"f{n}") for n, (item, *_) in enumerate(TABLE, 1)]
    return pipeline.run(picture(), Fake(), report=told(*items), options=Options(explain=True, keep_text=keep))


def test_the_folder_is_whole_and_valid(tmp_path: Path) -> None:
    result = full_result()
    out = pipeline.save(result, tmp_path / "out", Options(explain=True), {"device": "cpu"})
    told_json = json.loads((out / "findings.json").read_text())
    jsonschema.validate(told_json, findings_schema())
    assert "text" not in told_json["report"]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["notice"] == "Not a medical device. For research."
    for item in manifest["files"]:
        assert record.file_hash(out / item["path"]) == item["sha256"]
    on_disk = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert on_disk == {item["path"] for item in manifest["files"]} | {"manifest.json"}
    for row, item in zip(told_json["findings"], result.findings, strict=True):
        assert (row["mask"] is None) == (item.mask is None)
        if row["mask"]:
            with Picture.open(out / row["mask"]) as opened:
                mask = np.asarray(opened).copy()
            assert np.array_equal(mask > 0, item.mask)
            assert (out / f"masks/{row['id']}_free.png").is_file()
            assert (out / f"explain/{row['id']}.png").is_file()
        assert row["mask"] or row["reason"]


def test_report_free_results_are_valid_too(tmp_path: Path) -> None:
    out = pipeline.save(pipeline.run(picture(), Fake()), tmp_path / "out")
    told_json = json.loads((out / "findings.json").read_text())
    jsonschema.validate(told_json, findings_schema())
    assert told_json["report"] is None
    assert told_json["findings"][0]["span"] == [0, 0]


def test_the_schema_refuses_a_mask_without_segmentation_and_a_reason_of_another_row() -> None:
    good = record.findings_json(full_result(), Written({"f7": "masks/f7.png"}))
    jsonschema.validate(good, findings_schema())
    for change in ({"mask": "masks/f1.png"}, {"reason": "presence_low"}, {"status": "segmented"}):
        bad = {**good, "findings": [{**good["findings"][0], **change}]}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, findings_schema())


def test_text_is_written_only_when_asked_for(tmp_path: Path) -> None:
    result = full_result()
    kept = pipeline.save(result, tmp_path / "kept", Options(keep_text=True))
    told_json = json.loads((kept / "findings.json").read_text())
    assert told_json["report"]["text"] == result.report.text
    jsonschema.validate(told_json, findings_schema())


def test_the_manifest_holds_no_name_no_path_and_no_report_text(tmp_path: Path) -> None:
    secret = tmp_path / "Mustermann_Erika_19700101"
    secret.mkdir()
    image = picture(source=Source(path=secret / "Mustermann.png", sha256="cd", kind="png"))
    report = "Erika Mustermann, born 1970. Hazy opacity in the left lung."
    result = pipeline.run(image, Fake(), report=report)
    out = pipeline.save(result, secret / "out", Options())
    for name in ("manifest.json", "findings.json"):
        text = (out / name).read_text()
        assert "Mustermann" not in text
        assert str(tmp_path) not in text
    assert "opacity" not in (out / "manifest.json").read_text()


def test_a_second_run_replaces_ours_and_leaves_no_old_mask(tmp_path: Path) -> None:
    out = tmp_path / "out"
    pipeline.save(pipeline.run(picture(), Fake(), report=told(finding(1), finding(2))), out)
    (out / "note.txt").write_text("mine")
    assert (out / "masks" / "f2.png").is_file()
    pipeline.save(pipeline.run(picture(), Fake(), report=told(finding(1))), out)
    assert not (out / "masks" / "f2.png").exists()
    assert (out / "masks" / "f1.png").is_file()
    assert (out / "note.txt").read_text() == "mine"


def test_a_hostile_manifest_cannot_make_us_delete_elsewhere(tmp_path: Path) -> None:
    out, victim = tmp_path / "out", tmp_path / "victim.txt"
    victim.write_text("keep")
    out.mkdir()
    files = [{"path": "../victim.txt"}, {"path": str(victim)}, {"path": "masks/../../victim.txt"}, "x"]
    (out / "manifest.json").write_text(json.dumps({"schema": "medsegr.manifest/1", "files": files}))
    pipeline.save(pipeline.run(picture(), Fake(), report=told(finding())), out)
    assert victim.read_text() == "keep"


def test_a_foreign_folder_or_a_file_is_refused(tmp_path: Path) -> None:
    result = pipeline.run(picture(), Fake(), report=told(finding()))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    for name in ("mine", "file"):
        with pytest.raises(InputError):
            pipeline.save(result, tmp_path / name)
    assert sorted(p.name for p in (tmp_path / "mine").iterdir()) == ["thesis.txt"]


def test_a_failure_while_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(result: Result) -> None:
        raise RuntimeError

    monkeypatch.setattr(record, "draw", broken)
    with pytest.raises(RuntimeError):
        pipeline.save(pipeline.run(picture(), Fake(), report=told(finding())), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ids", [("../f1",), ("a/b",), ("f1", "F1"), ("",)])
def test_ids_that_are_no_file_names_are_refused(ids: tuple[str, ...], tmp_path: Path) -> None:
    items = tuple(replace(finding(), id=name) for name in ids)
    result = pipeline.run(picture(), Fake(), report=told(*items))
    with pytest.raises(UsageError):
        pipeline.save(result, tmp_path / "out")


def volume() -> Image:
    data = np.random.default_rng(1).random((1, 20, 24, 6), np.float32)
    affine = np.diag([2.0, 2.0, 5.0, 1.0])
    return Image(data, affine, (2.0, 2.0, 5.0), "CT", "patient", ("R", "A", "S"), Source(kind="nifti"))


def test_volumes_are_written_as_nifti_on_their_own_grid(tmp_path: Path) -> None:
    import nibabel

    result = pipeline.run(volume(), Fake(), report=told(finding()))
    out = pipeline.save(result, tmp_path / "out")
    written = nibabel.load(out / "masks" / "f1.nii.gz")
    assert np.array_equal(np.asarray(written.dataobj) > 0, result.findings[0].mask)
    assert np.allclose(written.affine, volume().affine)
    with pytest.raises(UsageError, match="png"):
        pipeline.save(result, tmp_path / "other", Options(formats=("png",)))
    both = pipeline.save(result, tmp_path / "both", Options(formats=("nrrd", "nifti")))
    assert (both / "masks" / "f1.nrrd").is_file()
    assert json.loads((both / "findings.json").read_text())["findings"][0]["mask"] == "masks/f1.nrrd"


def test_json_alone_writes_no_masks(tmp_path: Path) -> None:
    result = pipeline.run(picture(), Fake(), report=told(finding()))
    out = pipeline.save(result, tmp_path / "out", Options(formats=("json",)))
    assert list((out / "masks").iterdir()) == []
    assert json.loads((out / "findings.json").read_text())["findings"][0]["mask"] is None


# --- the Python front


def test_the_python_front(tmp_path: Path) -> None:
    model = Model(Fake())
    outcome = model.segment(picture(), report="Hazy opacity in the left lung. No nodule.")
    assert {r.status for r in outcome.findings} == {"segmented", "skipped"}
    assert outcome["f1"].mask is not None
    with pytest.raises(KeyError, match="f1"):
        outcome["zz"]
    assert (outcome.save(tmp_path / "out") / "masks" / "f1.png").is_file()
    assert model.parse("No nodule.")[0].polarity == "absent"
    assert model.card["name"] == "fake"
    array = np.zeros((32, 32), np.float32)
    assert model.segment(array, phrases=("left lung",)).findings[0].mask is not None


def test_a_session_refines_and_undoes() -> None:
    class Hinted(Fake):
        def segment(self, image: Image, prompt: Prompt) -> Segmentation:
            said = super().segment(image, prompt)
            if prompt.points is not None:
                x, y, _ = prompt.points[0, 0]
                said.prob[:] = 0
                said.prob[0, int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2] = 1
            return said

    session = Model(Hinted()).open(picture())
    with pytest.raises(UsageError, match="segment first"):
        session.refine(points=[[1, 1, 1]])
    first = session.segment("hazy opacity")
    second = session.refine(points=[[20, 10, 1]])
    assert (second["f1"].mask == first["f1"].mask).all(), "a click that is followed already changes nothing"
    assert second["f1"].mask[10, 20]
    assert not session.refine(points=[[20, 10, 0]])["f1"].mask[10, 20]
    assert session.undo() is second
    assert session.undo() is first
    assert session.undo() is None
    assert session.segment([finding()])["f1"].mask is not None
    assert session.segment(["left lung", "nodule"]).findings[1].finding.name == "nodule"


@pytest.mark.parametrize(
    "hints",
    [
        {"points": [[999, 1, 1]]},
        {"points": [[1, 1, 7]]},
        {"points": [[1, 1]]},
        {"box": (5, 5, 5, 9)},
        {"mask": np.ones((3, 3), bool)},
    ],
)
def test_refine_refuses_hints_outside_the_picture(hints: dict[str, Any]) -> None:
    session = Model(Fake()).open(picture())
    session.segment("hazy opacity")
    with pytest.raises(UsageError):
        session.refine(**hints)


def test_refine_never_draws_a_denied_finding() -> None:
    session = Model(Fake()).open(picture())
    session.segment(report="No nodule.")
    with pytest.raises(UsageError, match="denies"):
        session.refine("f1", points=[[5, 5, 1]])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"device": "cuda"}, "--device cuda is for checkpoints; 'place' runs on the processor"),
        ({"threads": 2}, "--threads is for checkpoints; 'place' is a method that runs as it is"),
    ],
)
def test_a_method_without_a_network_refuses_what_could_not_act(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load("place", **given)
    assert load("place", device="cpu").segmenter is not None


def test_load_knows_methods_and_says_what_is_missing() -> None:
    assert load("place").segment(picture(), phrases=("left lung",)).findings[0].mask is not None
    with pytest.raises((WeightsError, UsageError), match="no-such-model"):
        load("no-such-model")


def of_made_images() -> Fake:
    """A model that learned a lesion and an organ from made images only."""
    model = Fake()
    concepts = {"opacity": {"trained_on": ["phantom"]}, "lung": {"trained_on": ["phantom"]}}
    model.card = {**model.card, "concepts": concepts}
    return model


LEARNED = told(finding(), finding(2, "left lung", "lung"))


def test_a_lesion_learned_from_made_images_only_is_refused_in_a_real_one_and_an_organ_drawn() -> None:
    result = pipeline.run(picture(), of_made_images(), report=LEARNED)
    assert [(f.status, f.reason) for f in result.findings] == [("refused", "made_only"), ("segmented", None)]
    assert [(code, text[:2]) for code, text in result.warnings if code == "phantom_only"] == [
        ("phantom_only", "f2")
    ]


def test_that_an_organ_learned_from_made_images_was_not_seen_is_doubted_too() -> None:
    model = of_made_images()
    model.presence = 0.1
    result = pipeline.run(picture(), model, report=LEARNED)
    assert [f.reason for f in result.findings] == ["made_only", "presence_low"]
    assert [text[:2] for code, text in result.warnings if code == "phantom_only"] == ["f2"]


def test_it_is_drawn_in_a_made_image_without_a_word() -> None:
    grey = np.full((96, 96), 100, np.uint8)
    result = pipeline.run(
        picture(data=marked(grey)[None].astype(np.float32)), of_made_images(), report=LEARNED
    )
    assert [f.status for f in result.findings] == ["segmented", "segmented"]
    assert {"phantom_only", "forced"}.isdisjoint(dict(result.warnings))


def test_it_is_drawn_by_force_and_marked_so() -> None:
    result = pipeline.run(picture(), of_made_images(), report=LEARNED, options=Options(force=True))
    drawn, _ = result.findings
    assert drawn.status == "segmented"
    assert ("concept", "warn") in {(check.name, check.outcome) for check in drawn.checks}
    (text,) = [text for code, text in result.warnings if code == "forced"]
    assert text == "f1: the model learned this concept from made images only; drawn because of --force"


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ({"opacity": [0.49, 3]}, "f1: its masks of opacity reached a Dice of 0.49 on 3 validation targets"),
        (
            {"opacity": [0.49, 1]},
            "f1: its masks of opacity reached a Dice of 0.49 on 1 validation target: look",
        ),
        ({"opacity": [0.5, 3]}, None),
        (
            {"left opacity": [0.1, 1], "right opacity": [0.3, 1]},
            "f1: its masks of opacity reached a Dice of 0.20",
        ),
        ({"lung": [0.1, 9]}, None),
    ],
)
def test_a_concept_that_was_drawn_poorly_is_told(targets: dict[str, list[float]], said: str | None) -> None:
    model = Fake()
    learned = {"shadow": {"trained_on": ["real"]}}
    model.card = {
        **model.card,
        "concepts": learned,
        "validation": {"sets": {"films": {"by target": targets}}},
    }
    result = pipeline.run(picture(), model, report=told(replace(finding(), parents=("shadow",))))
    assert result.findings[0].mask is not None
    text = dict(result.warnings).get("measured_low")
    assert text is None if said is None else text is not None and text.startswith(said)
    model.presence = 0.1
    missed = pipeline.run(picture(), model, report=told(finding()))
    assert "measured_low" not in dict(missed.warnings)


def test_what_is_heard_as_a_wider_concept_is_told_by_what_was_measured_of_that() -> None:
    model = Fake()
    known = {"skin lesion": {"trained_on": ["real"], "modalities": []}}
    model.card = {
        **model.card,
        "concepts": known,
        "validation": {"sets": {"moles": {"by target": {"skin lesion": [0.3, 4]}}}},
    }
    wart = replace(finding(), name="wart", parents=concepts()["wart"].parents)
    result = pipeline.run(picture(), model, report=told(wart), options=Options(force=True))
    assert "measured_low" not in dict(result.warnings), "what is forced is told as that alone"
    model.knows = lambda *_: True  # type: ignore[method-assign]
    said = dict(pipeline.run(picture(), model, report=told(wart)).warnings)["measured_low"]
    assert said.startswith("f1: its masks of skin lesion reached a Dice of 0.30 on 4 validation targets")


def test_what_is_drawn_by_its_own_name_is_no_other_thing() -> None:
    """As in made pictures, of what real ones are asked for by another name."""
    model = Fake()
    model.card = {**model.card, "also": {"nodule": ["opacity"]}, "concepts": {"nodule": {"cases": 9}}}
    result = pipeline.run(picture(), model, report=told(finding()))
    assert result.findings[0].mask is not None
    assert "drawn_as" not in dict(result.warnings)


class Radiologist(Fake):
    """Sees what it is asked for where the middle of the picture is bright, as in a film with white bone."""

    def segment(self, image: Image, prompt: Prompt) -> Segmentation:
        rows, cols = (slice(n // 3, 2 * n // 3) for n in image.grid)
        bright = image.data[..., rows, cols].mean() > image.data.mean()
        self.presence = 0.9 if bright else 0.1
        return super().segment(image, prompt)


def film(bone: float, **more: Any) -> Image:
    """A picture whose middle is as bright as told, of 0 to 255; around it the reverse."""
    data = np.full((1, *GRID), 255 - bone, np.float32)
    data[:, 10:30, 15:45] = bone
    return picture(data=data, **more)


def test_a_film_given_as_its_negative_is_told_and_nothing_is_drawn_in_it() -> None:
    report = told(finding(), finding(2, "left lung", "lung"))
    result = pipeline.run(film(20), Radiologist(), report=report)
    assert [(f.status, f.reason) for f in result.findings] == [("not_found", "presence_low")] * 2
    (text,) = [text for code, text in result.warnings if code == "looks_negative"]
    assert text.startswith("f1, f2: ")


@pytest.mark.parametrize("shown", [film(230), film(20, modality="US"), film(128)])
def test_other_pictures_are_not_called_negatives(shown: Image) -> None:
    model = Radiologist()
    result = pipeline.run(shown, model, report=told(finding()))
    assert "looks_negative" not in dict(result.warnings)


def test_what_is_seen_is_not_asked_of_the_negative() -> None:
    model = Radiologist()
    pipeline.run(film(230), model, report=told(finding()))
    assert len(model.asked) == 1


def test_the_negative_is_asked_aside_where_a_model_knows_how() -> None:
    model, beside = Radiologist(), Radiologist()
    model.aside = lambda: beside  # type: ignore[attr-defined]
    result = pipeline.run(film(20), model, report=told(finding()))
    assert "looks_negative" in dict(result.warnings)
    assert (len(model.asked), len(beside.asked)) == (1, 1)


def test_a_model_that_fails_on_the_negative_changes_nothing() -> None:
    model = Radiologist(error=MemoryError("inside"))
    calls = []

    def segment(image: Image, prompt: Prompt) -> Segmentation:
        calls.append(image)
        if len(calls) > 1:
            raise MemoryError("inside")
        return Radiologist.segment(model, image, prompt)

    model.segment = segment  # type: ignore[method-assign]
    result = pipeline.run(film(20), model, report=told(finding()))
    assert len(calls) > 1
    assert result.findings[0].reason == "presence_low"
    assert "looks_negative" not in dict(result.warnings)


def test_an_assumed_frame_is_warned_of_once_and_by_the_words() -> None:
    note = ("frame_assumed", "nobody said whose left is meant: the patient's was assumed")
    image = picture(modality=None, source=Source(kind="png", frame_from="assumed", warnings=(note,)))
    codes = [c for c, _ in pipeline.run(image, Fake(), report="Nodule in the left lung.").warnings]
    assert codes.count("frame_assumed") == 1
    assert "frame_assumed" not in [c for c, _ in pipeline.run(image, Fake(), report="Nodule.").warnings]
    assert note in pipeline.run(image, Fake()).warnings


def test_the_report_is_read_in_the_kind_of_image_that_it_names() -> None:
    image = picture(modality=None, source=Source(kind="png", frame_from="assumed"))
    result = pipeline.run(image, Fake(), report="COLONOSCOPY\nFINDINGS: A nodule on the left.")
    assert (result.image.modality, result.image.frame) == ("ES", "viewer")
    assert result.findings[0].finding.location.side is None, "the left of the picture is no patient's left"
    assert [code for code, _ in result.warnings].count("modality_supposed") == 1
    chest = pipeline.run(image, Fake(), report="CHEST RADIOGRAPH\nFINDINGS: A nodule on the left.")
    assert chest.findings[0].finding.location.side == "left"
    assert chest.image.modality == "CR"


def test_a_report_read_beforehand_was_read_in_the_kind_that_it_names() -> None:
    image = picture(modality=None, source=Source(kind="png", frame_from="assumed"))
    words = pipeline.read_words(image, "COLONOSCOPY\nFINDINGS: A nodule on the left.")
    assert words is not None
    assert words.findings[0].location.side is None
    result = pipeline.run(image, Fake(), report=words)
    assert (result.image.modality, result.report) == ("ES", words)


def test_a_kind_that_was_told_is_kept_and_not_warned_of() -> None:
    result = pipeline.run(picture(modality="US"), Fake(), report="CHEST RADIOGRAPH\nFINDINGS: A nodule.")
    assert result.image.modality == "US"
    assert "modality_supposed" not in dict(result.warnings)


def test_a_refusal_names_what_is_known_of_the_kind() -> None:
    model = Fake()
    told = {"trained_on": ["real"], "modalities": ["US"]}
    made = {"trained_on": ["phantom"], "modalities": ["US"]}
    model.card = {**model.card, "concepts": {"breast tumour": told, "kidney tumour": made, "polyp": told}}
    said = dict(pipeline.run(picture(modality="US"), model, phrases=["tumour"]).warnings)
    assert "breast tumour" in said["narrower_known"]
    assert "kidney" not in said["narrower_known"]
    elsewhere = pipeline.run(picture(modality="CR"), model, phrases=["tumour"])
    assert elsewhere.findings[0].reason == "unknown_concept"
    assert "narrower_known" not in dict(elsewhere.warnings)


class InFilms(Fake):
    """Knows nodules, in films and CT alone."""

    def knows(self, finding: Finding, modality: str | None = None) -> bool:
        return finding.name == "nodule" and modality in (None, "CR", "CT")


def test_a_refusal_names_the_kinds_of_image_in_which_a_concept_is_known() -> None:
    wrong = pipeline.run(picture(modality="MR"), InFilms(), phrases=["nodule", "kidney stone"])
    assert [item.reason for item in wrong.findings] == ["unknown_concept"] * 2
    (note,) = [text for code, text in wrong.warnings if code == "known_elsewhere"]
    assert note.startswith("f1: known in CR, CT, and this image is taken as MR")
    right = pipeline.run(picture(modality="CT"), InFilms(), phrases=["nodule"])
    assert "known_elsewhere" not in dict(right.warnings)


def test_of_a_part_the_organ_is_drawn_by_force_only_and_marked() -> None:
    refused = pipeline.run(picture(), Fake(), phrases=["left lower lobe"])
    told = dict(refused.warnings)["whole_known"]
    assert "left lower lobe of lung is a part of the lung" in told
    forced = pipeline.run(picture(), Fake(), phrases=["left lower lobe"], options=Options(force=True))
    assert forced.findings[0].mask is not None
    check = {c.name: c for c in forced.findings[0].checks}["concept"]
    assert check.outcome == "warn"
    assert "the whole lung" in check.detail
    assert "whole_known" not in dict(forced.warnings)


def test_of_a_kind_all_kinds_are_drawn_by_force_only_and_marked() -> None:
    refused = pipeline.run(picture(), Fake(), phrases=["chest tube"])
    assert "chest tube is a kind or part of tube" in dict(refused.warnings)["whole_known"]
    forced = pipeline.run(picture(), Fake(), phrases=["chest tube"], options=Options(force=True))
    assert forced.findings[0].mask is not None
    check = {c.name: c for c in forced.findings[0].checks}["concept"]
    assert (check.outcome, "tube of any kind only, not the chest tube" in check.detail) == ("warn", True)


class Looking(Fake):
    """A model that takes every picture for one of a breast, in which a tumour is."""

    def __init__(self) -> None:
        super().__init__()
        told = {"modalities": ["US"], "trained_on": ["real"]}
        kinds = {"breast": ["breast tumour"], "neck": ["carotid artery"]}
        names = {name: told for names in kinds.values() for name in names}
        self.card = {**self.card, "concepts": names, "kinds": kinds, "kinds_below": 0.1}

    def knows(self, finding: Finding, modality: str | None = None) -> bool:
        return finding.name == "breast tumour" and modality in (None, "US")

    def chances(self, image: Image) -> dict[str, float]:
        return {"breast tumour": 0.99}

    def meant(self, finding: Finding, image: Image) -> Finding:
        return replace(finding, name="breast tumour") if finding.name == "lesion" else finding


def test_what_a_loose_word_is_drawn_as_is_said_and_the_report_keeps_its_word() -> None:
    result = pipeline.run(picture(modality="US"), Looking(), phrases=["lesion", "spleen"])
    lesion, spleen = result.findings
    assert (lesion.status, lesion.finding.name) == ("segmented", "lesion")
    assert (spleen.status, spleen.reason) == ("refused", "unknown_concept")
    assert "f1: drawn as breast tumour" in dict(result.warnings)["drawn_as"]
    forced = pipeline.run(picture(modality="US"), Looking(), phrases=["lesion"], options=Options(force=True))
    assert "forced" not in dict(forced.warnings)
    named = pipeline.run(picture(modality="US"), Looking(), phrases=["breast tumour"])
    assert "drawn_as" not in dict(named.warnings)


def test_a_picture_that_nobody_spoke_of_is_taken_for_what_it_looks_like() -> None:
    image = picture(modality=None, source=Source(kind="png", frame_from="assumed"))
    result = pipeline.run(image, Looking(), phrases=["lesion"])
    assert (result.image.modality, result.findings[0].status) == ("US", "segmented")
    assert "looks" in dict(result.warnings)["modality_supposed"]
    volume = picture(modality=None, data=np.zeros((1, 9, *GRID), np.float32), spacing=(1.0, 1.0, 1.0))
    assert pipeline.run(volume, Looking(), phrases=["spleen"]).image.modality is None


def test_words_read_beforehand_are_read_again_in_the_kind_that_the_picture_looks_like() -> None:
    image = picture(modality=None, source=Source(kind="png", frame_from="assumed"))
    words = pipeline.read_words(image, None, ("lesion", "hyperemia"))
    assert words is not None
    assert words.findings[1].name == "erythema"
    at_once = pipeline.run(image, Looking(), phrases=("lesion", "hyperemia"))
    beforehand = pipeline.run(image, Looking(), report=words)
    assert beforehand.report == at_once.report
    assert beforehand.findings[1].finding.name == "hypervascularity"


def test_a_model_that_fails_on_the_look_of_a_picture_says_so_where_it_draws() -> None:
    class Broken(Looking):
        def meant(self, finding: Finding, image: Image) -> Finding:
            raise MemoryError

        def chances(self, image: Image) -> dict[str, float]:
            raise MemoryError

        def segment(self, image: Image, prompt: Prompt) -> Segmentation:
            raise MemoryError

    image = picture(modality=None)
    result = pipeline.run(image, Broken(), phrases=["breast tumour"])
    assert result.findings[0].status == "failed"


def test_masks_that_json_alone_leaves_out_are_said(tmp_path: Path) -> None:
    result = pipeline.run(picture(), Fake(), report=told(finding()))
    pipeline.save(result, tmp_path / "out", Options(formats=("json",)))
    written = json.loads((tmp_path / "out" / "findings.json").read_text(encoding="utf-8"))
    assert [w["code"] for w in written["warnings"]] == ["masks_not_written"]


@pytest.mark.parametrize(("side", "told"), [(47, True), (48, False)])
def test_a_picture_of_few_pixels_is_told(side: int, told: bool) -> None:
    small = picture(data=np.zeros((1, 30, side), np.float32))
    result = pipeline.run(small, Fake(), phrases=["opacity"])
    assert ("few_pixels" in dict(result.warnings)) == told
    nothing = pipeline.run(small, Fake(), phrases=["unheard of"])
    assert "few_pixels" not in dict(nothing.warnings)


def test_findings_drawn_as_one_region_are_told() -> None:
    both = pipeline.run(picture(), Fake(), phrases=["opacity", "nodule"])
    assert dict(both.warnings)["one_region"].startswith("f1, f2: ")
    apart = pipeline.run(picture(), Fake(), phrases=["left opacity", "right opacity"])
    assert "one_region" not in dict(apart.warnings)
