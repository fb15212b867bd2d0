"""Report + image -> Result -> folder: the arrows of the house on one string.

Command line, server and Python call only this.

The rule of the whole: a finding gets a mask or a reason, and a finding that the report denies never gets a
mask.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from medsegr import checks
from medsegr.errors import GeometryError, MedsegrError, UsageError
from medsegr.inference.answers import Answer, alone_of, ask, name_only, was_seen
from medsegr.measure import measure, with_structures
from medsegr.modality import likeness, supposing
from medsegr.options import Options
from medsegr.results.otherwise import otherwise
from medsegr.results.record import save
from medsegr.results.turns import Turn, turns_of
from medsegr.results.unfollowed import unfollowed
from medsegr.results.verdicts import (
    Verdict,
    cautions,
    decide,
    drawn_in_parts,
    knowledge_of,
    marked,
    model_of,
    one_line,
    threshold,
    unproposed,
)
from medsegr.types import (
    Finding,
    FindingResult,
    Image,
    Progress,
    Report,
    Result,
    Segmenter,
)
from medsegr.words import read_again, report_of_phrases, report_of_text

Follow = Callable[[Progress], None]
__all__ = ["Options", "ask", "decide", "propose", "read_words", "run", "save"]


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
    warnings += unfollowed(image, words, results, segmenter)
    warnings += otherwise(image, results, segmenter, options)
    clock["checks"] = time.perf_counter()
    stamps = list(clock.items())
    timing = {name: then - before for (_, before), (name, then) in pairwise(stamps)}
    return Result(image, words, tuple(results), model_of(segmenter), tuple(dict.fromkeys(warnings)), timing)


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
    alone = {alone_of(f): name_only(f) for f in drawn if alone_of(f) not in free}
    beside = {twin.id: [f.id for f in drawn if alone_of(f) == key] for key, twin in alone.items()}
    pieces = turn.count

    def tick(done: int, total: int) -> None:
        nonlocal pieces
        pieces = total
        _tell(follow, "segment", *turn.far(done, total))

    answers = ask(segmenter, image, [*asked, *alone.values()], options, tick if follow else None, beside)
    guided = {finding.id: answer for finding, answer in zip(asked, answers, strict=False)}
    limit = threshold(segmenter)
    for (key, twin), answer in zip(alone.items(), answers[len(asked) :], strict=True):
        if any(was_seen(guided[own], limit) for own in beside[twin.id]):  # else it was not asked
            free[key] = answer
    judged = []
    for n, (finding, verdict) in enumerate(zip(turn.findings, turn.verdicts, strict=True), 1):
        pair = (guided.get(finding.id), free.get(alone_of(finding)))
        item = judge(image, finding, verdict, pair, (limit, options, drawn_in_parts(segmenter, finding)))
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
    a line; None where nothing was said. ``options.sections`` are those of a report: phrases stand in none."""
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
    if not sections or not report.sections:  # phrases have none
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
    if isinstance(said[0], Report):
        words = read_again(words, image.modality, image.frame_told, said[2].sections)
    else:
        words = read_words(image, *said)
    return image, words, [*warnings, note]


def propose(image: Image, segmenter: Segmenter, warnings: list[tuple[str, str]]) -> tuple[Finding, ...]:
    """Findings guessed from the image alone, with ids f1, f2, ....

    An error of the model becomes a warning, and so does that it sees nothing.
    """
    guess = getattr(segmenter, "propose", None)
    if guess is None:
        raise UsageError("this model cannot propose findings: give a report, a text or a phrase")
    try:
        found = guess(image)
    except MedsegrError as error:
        warnings.append(("error", f"the model could not propose findings: {one_line(error)}"))
        return ()
    if not found:
        warnings.append(unproposed(image, segmenter))
    return tuple(replace(finding, id=f"f{n}") for n, finding in enumerate(found, 1))


def _verify(finding: Finding, verdict: Verdict, options: Options) -> bool:
    """A denied finding that the model is asked about, without drawing it."""
    return (
        verdict == ("skipped", "absent")
        and "absent" in options.polarity
        and finding.drawable
        and bool(finding.name)
    )


def judge(
    image: Image,
    finding: Finding,
    verdict: Verdict | None,
    answers: tuple[Answer | Exception | None, Answer | Exception | None],
    rules: tuple[float, Options, bool],
) -> FindingResult:
    """What becomes of one finding.

    ``answers`` are the guided and the report-free one, ``rules`` the threshold, the options, and whether the
    model draws it as several concepts.
    """
    guided, free = answers
    limit, options, in_parts = rules
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
    found = checks.all_checks(image, finding, guided.mask, free_mask, (guided.presence, limit), in_parts)
    if options.side_check == "off":
        found = tuple(check for check in found if check.name not in ("side", "anatomy"))
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
