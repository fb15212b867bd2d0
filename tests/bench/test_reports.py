"""The reading bench: its counting, against a second implementation where the real reports are here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from medsegr.bench import reports as bench
from medsegr.bench.reports import Coded, Row, Said, gold_of, keywords, ours, predicted_of, read_rows, score
from medsegr.errors import InputError

SHARED = Path(__file__).resolve().parents[3] / "shared"
SCORER = SHARED / "tools" / "score_reports.py"
REPORTS = SHARED / "data" / "text_reports" / "indiana_reports.csv"

HEAD = "uid,MeSH,findings,impression\n"


def written(folder: Path, body: str) -> Path:
    path = folder / "reports.csv"
    path.write_text(body, encoding="utf-8")
    return path


def row(codes: str, text: str = "words") -> Row:
    return Row("1", text, gold_of(codes), codes == "normal")


def test_codes_become_concepts_with_side_and_zone():
    gold = gold_of("Opacity/lung/base/bilateral;Lung/hypoinflation;Nonsense/left")
    assert gold["opacity"] == Coded(frozenset({"left", "right"}), frozenset({"lower"}), True)
    assert set(gold) == {"opacity", "low lung volume"}


@pytest.mark.parametrize(
    ("said", "counted"),
    [
        (Said(("Opacity",), "present"), {"opacity": True}),
        (Said(("consolidation", "opacity"), "uncertain"), {"opacity": False, "consolidation": False}),
        (Said(("opacity",), "absent"), {}),
        (Said(("opacity",), "present", gone=True), {}),
        (Said(("unheard of",), "present"), {}),
        (Said((), "present"), {}),
    ],
)
def test_what_counts(said, counted):
    assert {name: one.sure for name, one in predicted_of([said]).items()} == counted


def test_a_perfect_reader_scores_one_and_a_silent_one_nothing():
    rows = [row("Opacity/lung/base/left"), row("normal")]
    right = [[Said(("opacity",), "present", side="left", rows=("lower",))], []]
    told = score(rows, right)
    assert [told[key] for key in ("f1", "side", "zone", "clean")] == [1.0, 1.0, 1.0, 1.0]
    silent = score(rows, [[], []])
    assert silent["recall"] == 0
    assert silent["clean"] == 1
    assert silent["side"] != silent["side"], "no side was told: not a number, not 1"


def test_faults_lower_the_scores():
    rows = [row("Opacity/lung/base/left"), row("normal")]
    wrong = [[Said(("opacity",), "present", side="right", rows=("upper",))], [Said(("opacity",), "present")]]
    told = score(rows, wrong)
    assert (told["side"], told["zone"], told["clean"], told["precision"]) == (0, 0, 0, 0.5)


def test_one_report_has_no_interval():
    told = score([row("Opacity/lung/left")], [[Said(("opacity",), "present")]])
    assert told["f1"] == 1
    assert set(told["interval"].values()) == {None}
    from medsegr.cli.bench import lines

    speed = {"seconds": 1.0, "median_ms": 1.0, "p99_ms": 1.0}
    assert "1.000  [one report]" in "\n".join(lines({"medsegr": told | speed}, False))


def test_uncertain_is_no_fault_and_the_interval_holds_the_value():
    rows = [row("Opacity/lung/left"), row("normal"), row("Scoliosis")] * 10
    said = [[Said(("opacity",), "present")], [Said(("opacity",), "uncertain")], []] * 10
    told = score(rows, said)
    assert told["precision"] == 1
    assert told["clean"] == 1
    low, high = told["interval"]["f1"]
    assert low < told["f1"] < high
    assert score(rows, said)["interval"] == told["interval"], "the same draws each time"


def test_rows_without_words_or_codes_are_left_out(tmp_path):
    path = written(tmp_path, HEAD + "1,normal,Clear lungs.,\n2,No Indexing,Nodule.,\n3,normal,,\n")
    assert [(r.uid, r.normal, r.text) for r in read_rows(path)] == [("1", True, "FINDINGS: Clear lungs.")]


@pytest.mark.parametrize("body", ["", "a,b\n1,2\n", HEAD, HEAD + "3,normal,,\n"])
def test_a_csv_of_something_else_is_refused(tmp_path, body):
    with pytest.raises(InputError, match="expected"):
        read_rows(written(tmp_path, body))


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "reports.csv"
    path.write_bytes(b"uid,MeSH,findings,impression\n1,\xff\xfe,\xff,\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_rows(path)


def test_readers_read():
    text = "FINDINGS: Small left pleural effusion. No nodule."
    for reader in (ours, keywords):
        assert {n: one.sides for n, one in predicted_of(reader(text)).items()} == {
            "pleural effusion": frozenset({"left"})
        }


def test_the_keyword_matcher_denies_only_what_follows():
    assert set(predicted_of(keywords("Nodule, no effusion."))) == {"nodule"}


def test_negspacy_reads_negation():
    pytest.importorskip("negspacy", reason="negspacy is not installed (the dev extra)")
    read = predicted_of(bench.negspacy()("There is a nodule. There is no pleural effusion."))
    assert set(read) == {"nodule"}


@pytest.mark.skipif(not (SCORER.exists() and REPORTS.exists()), reason="needs ../shared: reports and scorer")
def test_counts_as_the_scorer_of_the_collection(tmp_path):
    rows = read_rows(REPORTS)
    said = [keywords(r.text) for r in rows]
    parsed = tmp_path / "parsed.jsonl"
    with parsed.open("w", encoding="utf-8") as out:
        for r, found in zip(rows, said, strict=True):
            findings = [
                {
                    "name": one.names[0],
                    "parents": one.names[1:],
                    "polarity": one.polarity,
                    "location": {"side": one.side, "rows": one.rows},
                }
                for one in found
            ]
            out.write(json.dumps({"id": r.uid, "findings": findings}) + "\n")
    ran = subprocess.run(
        [sys.executable, str(SCORER), "score", str(REPORTS), str(parsed), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    theirs, own = json.loads(ran.stdout), score(rows, said)
    names = {"f1": "f1", "macro_f1": "macro_f1", "side": "side_accuracy", "zone": "zone_accuracy"}
    names |= {"clean": "normal_clean", "uncertain_share": "uncertain_share", "side_n": "side_n"}
    assert {key: own[key] for key in names} == pytest.approx(
        {key: theirs[name] for key, name in names.items()}
    )
    assert {c: one["f1"] for c, one in own["concepts"].items()} == pytest.approx(
        {c: one["f1"] for c, one in theirs["concepts"].items()}
    )
