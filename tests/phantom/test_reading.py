"""The report parser reads the made reports as they were meant."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from medsegr import phantom
from medsegr.report.parse import parse
from medsegr.types import Finding

COUNT = 40
# Where a place stands for the organ, the parser may keep the wider concept.
WIDER = {"liver lesion": {"lesion"}, "kidney cyst": {"cyst"}, "kidney tumour": {"tumour"}}


@cache
def cases(kind: str) -> tuple[phantom.PhantomCase, ...]:
    return tuple(phantom.make(kind, np.random.default_rng([13, i]), 96) for i in range(COUNT))


def agrees(finding: Finding, stated: dict[str, Any], anywhere: bool = False) -> bool:
    """Same concept and place. A side that only the anatomy implies (spleen, liver lobe) may stay unsaid."""
    where = stated["location"]
    names = {stated["name"], *WIDER.get(stated["name"], ())}
    implied = {"spleen", "liver"} & set(where["anatomy"])
    sides = {where["side"], None} if implied and where["side"] != "right" else {where["side"]}
    place = finding.location
    same = (
        place.side in sides
        and set(place.rows) == set(where["rows"])
        and set(place.cols) == set(where["cols"])
    )
    return finding.name in names and (same or anywhere)


@pytest.mark.parametrize("kind", phantom.KINDS)
def test_phrases_and_reports_are_read_back(kind: str) -> None:
    total, failed = 0, []
    for case in cases(kind):
        whole = parse(case.report, modality=case.modality, frame=case.frame).findings
        for lesion in case.lesions:
            if lesion.phrase is None:
                continue
            total += 1
            alone = parse(lesion.phrase, modality=case.modality, frame=case.frame).findings
            for findings in (alone, whole):
                if not any(
                    f.polarity == "present" and agrees(f, dict(lesion.stated or {})) for f in findings
                ):
                    failed.append(lesion.phrase)
    assert total >= sum(bool(case.lesions) for case in cases(kind)) >= COUNT / 2
    assert len(set(failed)) <= 0.03 * total, failed


@pytest.mark.parametrize("kind", phantom.KINDS)
def test_no_finding_is_present_that_no_phrase_tells(kind: str) -> None:
    false = []
    for case in cases(kind):
        told = [dict(x.stated or {}) for x in case.lesions if x.phrase is not None]
        for finding in parse(case.report, modality=case.modality, frame=case.frame).findings:
            ours = any(agrees(finding, stated, anywhere=True) for stated in told)
            if finding.polarity == "present" and finding.drawable and not ours:
                false.append((finding.name, finding.phrase))
    assert not false


@pytest.mark.parametrize("kind", phantom.KINDS)
def test_nothing_that_is_there_is_read_as_denied(kind: str) -> None:
    denied = 0
    for case in cases(kind):
        for finding in parse(case.report, modality=case.modality, frame=case.frame).findings:
            if finding.polarity == "absent":
                denied += 1
                assert not any(
                    finding.name == x.attributes["name"]
                    and finding.location.side in (None, x.attributes["location"]["side"])
                    and set(finding.location.anatomy) <= set(x.attributes["location"]["anatomy"])
                    for x in case.lesions
                ), finding.phrase
    assert denied > 0
