"""Report + image -> Result -> folder: the arrows of the house on one string.

Command line, server and Python call only this.

The rule of the whole: a finding gets a mask or a reason, and a finding that the report denies never gets a
mask.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from medsegr import checks, likeness, supposing
from medsegr.errors import Cancelled, GeometryError, InputError, MedsegrError, UsageError
from medsegr.measure import measure, with_structures
from medsegr.options import Options
from medsegr.record import save
from medsegr.report.lexicon import concepts
from medsegr.turns import Turn, turns_of
from medsegr.types import (
    Finding,
    FindingResult,
    Image,
    Location,
    Progress,
    Prompt,
    Report,
    Result,
    Segmentation,
    Segmenter,
    Shape,
    Texture,
)
from medsegr.verdicts import Verdict, cautions, decide, knowledge_of, marked, model_of, one_line, threshold
from medsegr.words import report_of_phrases, report_of_text

Follow = Callable[[Progress], None]
LARGEST_CALL = 2**28  # probabilities asked for in one call, at most 1 GiB; longer lists go in turns
__all__ = ["Options", "ask", "decide", "propose", "read_words", "run", "save", "side_failures"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said of one target."""

    mask: np.ndarray  # bool "*grid"
    score: float | None
    presence: float | None
    attention: np.ndarray | None
    prob: np.ndarray | None = None  # as in Segmentation; kept only for fractional objects


Free = dict[tuple[str, str | None], Answer | Exception]  # report-free answers, by what they share


def run(
    image: Image,
    segmenter: Segmenter,
    *,
    report: Report | str | None = None,
    phrases: Sequence[str] = (),
    options: Options | None = None,
    follow: Follow | None = None,
) -> Result:
    """Everything that the words ask of the image; with no words the model proposes.

    ``report`` is a whole report or one sentence of it (or one already parsed), ``phrases`` are direct
    prompts: one of the two. Each finding of the result has a mask or a reason. An error inside the model
    makes findings ``failed``, it is not raised. ``follow`` is told how far it is, and each finding once it is
    judged, in order: of a picture one by one, of a volume up to the first that is drawn, then the rest.
    ``Cancelled`` raised by it ends the run, also inside a volume.
    """
    options = options or Options()
    clock = {"start": time.perf_counter()}
    image, words, warnings = _understood(image, segmenter, (report, phrases, options))
    clock["parse"] = time.perf_counter()
    findings = words.findings if words else propose(image, segmenter, warnings)
    _tell(follow, "parse", len(findings), len(findings))
    results: list[FindingResult] = []
    answers: list[Answer | Exception] = []
    free: Free = {}
    verdicts = [decide(image, finding, segmenter, options) for finding in findings]
    for turn in turns_of(findings, verdicts, len(image.grid) == 2, follow is not None):
        judged, said = _turn((image, segmenter, options), turn, (free, words is not None), follow)
        results += judged
        answers += said
    clock["segment"] = time.perf_counter()
    _tell(follow, "checks", 0, len(findings))
    results = with_structures(image, results)
    warnings += [*(words.warnings if words else ()), *likeness.mismatches(image, words)]
    warnings += [*cautions(image, results, answers, segmenter, options), *checks.one_region(results)]
    warnings += _as_negative(image, results, segmenter)
    clock["checks"] = time.perf_counter()
    stamps = list(clock.items())
    timing = {name: then - before for (_, before), (name, then) in pairwise(stamps)}
    return Result(image, words, tuple(results), model_of(segmenter), tuple(dict.fromkeys(warnings)), timing)


def _as_negative(
    image: Image, results: Sequence[FindingResult], segmenter: Segmenter
) -> list[tuple[str, str]]:
    """A warning where what is not seen in a radiograph is seen in its negative. It is never drawn there: who
    knows which of both is right has not said so."""
    missed = [r.finding for r in results if r.reason == "presence_low"]
    other = likeness.negative(image) if missed else None
    if other is None:
        return []
    aside = getattr(segmenter, "aside", lambda: segmenter)()
    said, limit = ask(aside, other, missed), threshold(segmenter)
    seen = ", ".join(f.id for f, answer in zip(missed, said, strict=False) if _seen(answer, limit))
    text = f"{seen}: seen in this picture's negative only: if bone is dark in it, invert it and ask again"
    return [("looks_negative", text)] if seen else []


def _turn(
    place: tuple[Image, Segmenter, Options], turn: Turn, known: tuple[Free, bool], follow: Follow | None
) -> tuple[list[FindingResult], list[Answer | Exception]]:
    """Ask for the findings of one turn and judge them. ``known``: report-free answers so far, which are added
    to, and whether words asked at all."""
    (image, segmenter, options), (free, said) = place, known
    asked = [
        f
        for f, verdict in zip(turn.findings, turn.verdicts, strict=True)
        if verdict is None or _verify(f, verdict, options)
    ]
    drawn = [f for f in asked if f.polarity != "absent"] if options.report_mask and said else []
    alone = {_alone(f): name_only(f) for f in drawn if _alone(f) not in free}
    beside = {twin.id: [f.id for f in drawn if _alone(f) == key] for key, twin in alone.items()}
    pieces = turn.count

    def tick(done: int, total: int) -> None:
        nonlocal pieces
        pieces = total
        _tell(follow, "segment", *turn.far(done, total))

    answers = ask(segmenter, image, [*asked, *alone.values()], options, tick if follow else None, beside)
    guided = {finding.id: answer for finding, answer in zip(asked, answers, strict=False)}
    rules = (threshold(segmenter), options)
    for (key, twin), answer in zip(alone.items(), answers[len(asked) :], strict=True):
        if any(_seen(guided[own], rules[0]) for own in beside[twin.id]):  # else it was not asked
            free[key] = answer
    judged = []
    for n, (finding, verdict) in enumerate(zip(turn.findings, turn.verdicts, strict=True), 1):
        pair = (guided.get(finding.id), free.get(_alone(finding)))
        item = judge(image, finding, verdict, pair, rules)
        judged.append(marked(item, segmenter, image) if options.force else item)
        _tell(follow, "segment", *turn.judged(n, pieces), judged[-1])
    return judged, answers


def _tell(
    follow: Follow | None, stage: str, done: int, total: int, finding: FindingResult | None = None
) -> None:
    if follow is not None:
        follow(Progress(stage, done, total, finding))


def read_words(
    image: Image,
    report: Report | str | None,
    phrases: Sequence[str] = (),
    options: Options | None = None,
) -> Report | None:
    """The report in the image's modality (or the one that it names) and the frame that was told, phrases one
    a line; None where nothing was said."""
    if report is not None and phrases:
        raise UsageError("a report or text came together with phrases: give one of them")
    if report is None and not phrases:
        return None
    frame, sections = image.frame_told, options.sections if options else ()
    if isinstance(report, str):
        read = report_of_text(report, image.modality, frame, sections)
        code = supposing.titled(image, read) if image.modality is None else None
        return read if code is None else report_of_text(report, code, frame, sections)
    if report is None:
        return report_of_phrases(phrases, image.modality, frame)
    if not sections:
        return report
    kept = tuple(f for f in report.findings if f.section in sections)
    left_out = len(report.findings) - len(kept)
    note = (
        (("sections_left_out", f"{left_out} findings stand in sections that were not asked for"),)
        if left_out
        else ()
    )
    return replace(report, findings=kept, warnings=(*report.warnings, *note))


def _understood(
    image: Image, segmenter: Segmenter, said: tuple[Report | str | None, Sequence[str], Options]
) -> tuple[Image, Report | None, list[tuple[str, str]]]:
    """The image with what nobody said of it, the words as they are read in such an image, and warnings."""
    words = read_words(image, *said)
    if words is None:
        return image, None, list(image.source.warnings)
    warnings = [w for w in image.source.warnings if w[0] != "frame_assumed"]  # words know it
    taken = supposing.supposed(image, words, knowledge_of(segmenter))
    if taken is None:
        return supposing.framed(image, words), words, warnings
    image, note = taken
    if not isinstance(said[0], Report):
        words = read_words(image, *said)
    return image, words, [*warnings, note]


def propose(image: Image, segmenter: Segmenter, warnings: list[tuple[str, str]]) -> tuple[Finding, ...]:
    """Findings guessed from the image alone, with ids f1, f2, ....

    An error of the model becomes a warning.
    """
    guess = getattr(segmenter, "propose", None)
    if guess is None:
        raise UsageError("this model cannot propose findings: give a report, a text or a phrase")
    try:
        found = guess(image)
    except MedsegrError as error:
        warnings.append(("error", f"the model could not propose findings: {one_line(error)}"))
        return ()
    return tuple(replace(finding, id=f"f{n}") for n, finding in enumerate(found, 1))


def _target(finding: Finding) -> str:
    return finding.name or finding.phrase


def _verify(finding: Finding, verdict: Verdict, options: Options) -> bool:
    """A denied finding that the model is asked about, without drawing it."""
    return (
        verdict == ("skipped", "absent")
        and "absent" in options.polarity
        and finding.drawable
        and bool(finding.name)
    )


def name_only(finding: Finding) -> Finding:
    """The same target asked by its name alone: no place, texture or shape.

    An organ keeps its side, which is part of its name.
    """
    concept = concepts().get(finding.name)
    side = finding.location.side if concept is not None and concept.kind == "anatomy" else None
    return replace(
        finding,
        id=f"{finding.id}_free",
        phrase=_target(finding),
        location=Location(side=side, side_frame=finding.location.side_frame),
        texture=Texture(),
        shape=Shape(),
        mentions=(),
    )


def _alone(finding: Finding) -> tuple[str, str | None]:
    """What two findings share when their report-free masks are the same."""
    return _target(finding), name_only(finding).location.side


def _seen(answer: Answer | Exception, limit: float) -> bool:
    return isinstance(answer, Answer) and (answer.presence is None or answer.presence >= limit)


def ask(
    segmenter: Segmenter,
    image: Image,
    findings: Sequence[Finding],
    options: Options = Options(),  # noqa: B008 - frozen
    tick: Callable[[int, int], None] | None = None,
    beside: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> list[Answer | Exception]:
    """One answer a finding, in order. All findings go in one prompt (in turns for large volumes).

    Where that call fails each finding is asked alone, so that one finding's error stays its own; the error
    stands in its place. ``tick`` as in Prompt; ``beside``: ids of findings that are only compared with
    others, and the ids of these.
    """
    turn = max(1, LARGEST_CALL // max(1, math.prod(image.grid)))
    answers: list[Answer | Exception] = []
    starts = range(0, len(findings), turn)
    for n, start in enumerate(starts):
        group = findings[start : start + turn]
        told = None if tick is None else partial(_part, tick, n, len(starts))
        try:
            answers += _segment(segmenter, image, group, options, told, beside)
        except Cancelled:
            raise
        except MemoryError as error:
            answers += [error] * len(group)
        except Exception as error:
            alone = ([f] for f in group if len(group) > 1)
            answers += [a for one in alone for a in ask(segmenter, image, one, options, told, beside)] or [
                error
            ]
    return answers


def _part(tick: Callable[[int, int], None], n: int, of: int, done: int, total: int) -> None:
    """What turn ``n`` of several tells, as a part of the whole."""
    tick(n * total + done, of * total)


def _segment(
    segmenter: Segmenter,
    image: Image,
    findings: Sequence[Finding],
    options: Options,
    tick: Callable[[int, int], None] | None,
    beside: Mapping[str, Sequence[str]],
) -> Iterator[Answer]:
    # What is asked for is asked as if it were there: the network knows no other way.
    told = tuple(replace(finding, polarity="present") for finding in findings)
    keep = ("attention",) if options.explain else ()  # of probabilities only the masks are read, or bytes
    at = {finding.id: n for n, finding in enumerate(told)}
    whom = tuple(
        tuple(at[own] for own in beside[f.id] if own in at) if f.id in beside else None for f in told
    )
    prompt = Prompt(tuple(map(_target, told)), told, beside=whom, keep=keep, tick=tick)
    if tick is not None:
        tick(0, 1)
    said = segmenter.segment(image, prompt)
    if said.prob.shape != (len(findings), *image.grid):
        expected = (len(findings), *image.grid)
        raise InputError(f"the model gave {said.prob.shape}, expected {expected}: it is not a Segmenter")
    low, high = said.prob.min(initial=0), said.prob.max(initial=0)
    if said.prob.dtype != np.uint8 and not -0.001 <= low <= high <= 1.001:  # also where they are not finite
        raise InputError(f"the model gave {low:.3g} to {high:.3g} for this image, expected values in [0, 1]")
    return iter([answer_of(said, k, options.fractional) for k in range(len(findings))])


def answer_of(said: Segmentation, k: int, keep: bool = False) -> Answer:
    prob = said.prob[k]
    half, full = (128, 255.0) if prob.dtype == np.uint8 else (0.5, 1.0)
    mask = prob >= half
    quality, presence, attention = (said.extras.get(name) for name in ("quality", "presence", "attention"))
    score = float(quality[k]) if quality is not None else None
    if score is None and mask.any():
        score = float(prob[mask].mean()) / full
    seen = float(presence[k]) if presence is not None else None
    seen_at = attention[k] if attention is not None else None
    return Answer(mask, score, seen, seen_at, prob.copy() if keep else None)


def judge(
    image: Image,
    finding: Finding,
    verdict: Verdict | None,
    answers: tuple[Answer | Exception | None, Answer | Exception | None],
    rules: tuple[float, Options],
) -> FindingResult:
    """What becomes of one finding.

    ``answers`` are the guided and the report-free one, ``rules`` the threshold and options.
    """
    guided, free = answers
    limit, options = rules
    if verdict is not None:
        seen = guided.presence if isinstance(guided, Answer) else None
        check = checks.presence_check(seen, limit, finding.polarity)
        return FindingResult(finding, *verdict, presence=seen, checks=(check,) if check else ())
    if not isinstance(guided, Answer):
        refused = isinstance(guided, GeometryError)
        return FindingResult(finding, "refused" if refused else "failed", "geometry" if refused else "error")
    if guided.presence is not None and guided.presence < limit:
        return FindingResult(finding, "not_found", "presence_low", presence=guided.presence)
    if not guided.mask.any():
        return FindingResult(finding, "not_found", "empty", presence=guided.presence)
    free_mask = free.mask if isinstance(free, Answer) else None
    found = checks.all_checks(image, finding, guided.mask, free_mask, (guided.presence, limit))
    if options.side_check == "off":
        found = tuple(check for check in found if check.name != "side")
    return FindingResult(
        finding,
        "segmented",
        mask=guided.mask,
        free_mask=free_mask,
        attention=guided.attention if options.explain else None,
        prob=guided.prob,
        score=guided.score,
        presence=guided.presence,
        measurements=measure(image, guided.mask),
        checks=found,
    )


def side_failures(result: Result) -> list[str]:
    """Ids of the findings whose side check failed: what ``--side-check strict`` ends with exit code 5 for."""
    return [
        r.finding.id
        for r in result.findings
        if any(c.name == "side" and c.outcome == "fail" for c in r.checks)
    ]
