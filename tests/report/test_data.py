"""Against real reports and captions beside the repository; nothing of them is kept here."""

import csv
import importlib.util
import re
from types import ModuleType

import pytest

from medsegr.report import lexicon
from medsegr.report.parse import parse, parse_phrase, skip_reason

# target of a sample table -> concept, where the two are not called the same
TARGETS = {
    "autochthon": "back muscle",
    "cord level": "spinal cord",
    "cord lesion": "lesion",
    "ms lesions": "multiple sclerosis lesion",
    "glioma flair abnormality": "glioma",
    "lower-grade glioma": "glioma",
    "postcava": "inferior vena cava",
    "tubings": "tube",
    "central venous line": "central venous catheter",
    "breast tumour malignant": "breast tumour",
    "nuclei": "nucleus",
    "hippocampus anterior": "anterior hippocampus",
    "hippocampus posterior": "posterior hippocampus",
    "vertebrae": "vertebra",
    "portal vein and splenic vein": "portal vein",
    "ground glass opacities": "ground-glass opacity",
    "costal cartilages": "costal cartilage",
    "monitoring probes": "monitoring probe",
    "intervertebral discs": "intervertebral disc",
    "lung lower lobe": "lung",
    "lung upper lobe": "lung",
    "iliopsoas": "iliopsoas muscle",
    "lower lobe of the lung": "lung",
    "upper lobe of the lung": "lung",
    "middle lobe of the lung": "lung",
    "autochthonous back muscle": "back muscle",
    "ninth rib": "rib",
    "ninth thoracic vertebra": "vertebra",
    "tumor": "tumour",
    "breast tumor": "breast tumour",
    "left atrium of the heart": "left atrium",
    "right atrium of the heart": "right atrium",
    "left ventricle of the heart": "left ventricle",
    "right ventricle of the heart": "right ventricle",
}


def expected(target: str) -> str:
    plain = re.sub(r"[ ](?:[CTL]?\d+)$", "", target.replace("_", " "))
    for name in (plain, re.sub(r"\s*\b(left|right)\b", "", plain).strip()):
        if name in TARGETS:
            return TARGETS[name]
        if name in lexicon.concepts():
            return name
    raise AssertionError(f"no expectation for {target}")


def rows_of(folder, pattern):
    for path in sorted(folder.glob(pattern)):
        with path.open(newline="", encoding="utf-8") as handle:
            for row in csv.DictReader(handle):
                yield path.parent.name, row


def test_every_sample_text_names_its_target(shared_data):
    seen = set()
    for name, row in rows_of(shared_data, "*/samples.csv"):
        target = expected(row["target"])
        texts = [row["target"]] + ([] if name == "cxr_covid_gb" else [row["text"]])
        for text in texts:
            if (text, row["modality"]) in seen:
                continue
            seen.add((text, row["modality"]))
            for read in (parse_phrase, parse):
                found = [f for f in read(text, modality=row["modality"]).findings if f.drawable]
                assert len(found) == 1, (name, text, found)
                names = (found[0].name, *found[0].parents)
                assert target in names, (name, text, found[0].name)
    assert len(seen) >= 100


def test_absent_tumours_are_not_drawn(shared_data):
    texts = {
        row["text"] for _, row in rows_of(shared_data, "us_busi/samples.csv") if row["text"].startswith("No ")
    }
    assert texts
    for text in texts:
        assert all(skip_reason(f) == "absent" for f in parse(text, modality="US").findings)


def test_captions_give_their_thirds(shared_data):
    for _, row in rows_of(shared_data, "text_reports/qata_captions.csv"):
        text = row["caption"]
        wanted = {}
        for rows, side in re.findall(r"((?:(?:upper|middle|lower|all) )+)(left|right) lung", text):
            wanted[side] = tuple(r for r in ("upper", "middle", "lower") if r in rows or "all" in rows)
        if set(wanted) == {"left", "right"} and wanted["left"] == wanted["right"]:
            wanted = {"bilateral": wanted["left"]}
        found = parse(text, modality="CR", frame="viewer").findings
        assert {f.location.side: f.location.rows for f in found} == wanted, text
        assert {f.location.side_frame for f in found} == {"viewer"}


@pytest.fixture(scope="module")
def scorer(shared_data) -> ModuleType:
    path = shared_data.parent / "tools" / "score_reports.py"
    if not path.is_file():
        pytest.skip("the scorer is not here: ../shared/tools/score_reports.py is absent")
    spec = importlib.util.spec_from_file_location("score_reports", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plain(finding):
    place = {"side": finding.location.side, "rows": list(finding.location.rows)}
    reason = None if finding.whose == "patient" else "not_this_patient"
    return {
        "name": finding.name,
        "polarity": finding.polarity,
        "time": finding.time,
        "parents": list(finding.parents),
        "reason": reason,
        "location": place,
    }


def test_real_reports_reach_the_floor(shared_data, scorer):
    rows = [row for _, row in rows_of(shared_data, "text_reports/indiana_reports.csv")]
    rows = [row for row in rows if scorer.sections(row) and row["MeSH"].strip().lower() != "no indexing"][::8]
    parsed = {
        row["uid"]: [plain(f) for f in parse(scorer.sections(row), modality="DX").findings] for row in rows
    }
    result = scorer.score(rows, parsed)
    assert len(rows) >= 300
    assert result["precision"] >= 0.94
    assert result["recall"] >= 0.94
    assert result["f1"] >= 0.945
    assert result["side_accuracy"] >= 0.965
    assert result["zone_accuracy"] >= 0.965
    assert result["normal_clean"] >= 0.96
    assert result["uncertain_share"] <= 0.12
