"""Words as given -> a Report: a whole text within the limits, or direct phrases, one a line."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from medsegr.errors import ReportError, UsageError
from medsegr.findings import Finding, Frame, Report, Span, modality_code
from medsegr.report import lexicon
from medsegr.report.document import LIMIT, sentences
from medsegr.report.parse import parse, parse_phrase

MOST_FINDINGS = 1000  # of one report; each may become a mask of the image's size


def report_of_text(
    text: str, modality: str | None, frame: Frame | None, sections: tuple[str, ...] = ()
) -> Report:
    """A report, or one sentence of it, read. ``sections`` empty: those that speak of the image.

    Raises ReportError beyond the limit of report files or of findings, UsageError for a section or modality
    that does not exist.
    """
    if len(text) > LIMIT:
        raise ReportError(f"the report has more than {LIMIT:,} characters; give one report at a time")
    if modality is not None and modality_code(modality) is None:
        raise UsageError(f"modality '{modality[:40]}' is not known; expected a DICOM code or a common name")
    report = parse(text, modality=modality, frame=frame, sections=sections or None)
    if (not sections or "findings" in sections) and _said_plainly(text, report):
        report = parse_phrase(text, modality=modality, frame=frame)
    if len(report.findings) > MOST_FINDINGS:
        raise ReportError(
            f"the report tells {len(report.findings):,} findings where at most {MOST_FINDINGS:,} were "
            "expected; give one report at a time"
        )
    if not report.findings:
        has = tuple(dict.fromkeys(section.name for section in report.sections))
        why = "no finding was recognised in these words; ask by a phrase, such as 'right lung'"
        if has and sections and not set(sections) & set(has):
            why = (
                f"these words have no section {' or '.join(sections)}, they have {', '.join(has)}: ask for "
                "one of these, or for no section"
            )
        note = ("nothing_read", why)
        return replace(report, warnings=(*report.warnings, note))
    return report


def _said_plainly(text: str, report: Report) -> bool:
    """Whether a text is one sentence that tells a finding in everyday words only ("there is a lump in the
    breast"): these are read where somebody asks, and not in reports, where "lump" is a complaint."""
    known = lexicon.concepts()
    named = any(f.name not in known or known[f.name].kind != "anatomy" for f in report.findings)
    words = {word.strip(".,;:!?") for word in text.lower().split()}
    if named or words.isdisjoint(lexicon.everyday()) or [s.name for s in report.sections] != ["findings"]:
        return False
    return len(sentences(text, report.sections[0].span)) == 1


def report_of_phrases(phrases: Sequence[str], modality: str | None, frame: Frame | None) -> Report:
    """``phrases`` -> a report whose text holds them one a line.

    A phrase that names no concept stays, with the name "".

    Raises UsageError for an empty phrase.
    """
    found: list[Finding] = []
    warnings: list[tuple[str, str]] = []
    start = 0
    for phrase in phrases:
        if not phrase.strip():
            raise UsageError("a phrase is empty; write what is meant, for example -p 'right lung'")
        said = parse_phrase(phrase, modality=modality, frame=frame)
        known = said.findings or (Finding("f1", phrase, (0, len(phrase)), ""),)
        found += [shifted(finding, start) for finding in known]
        warnings += said.warnings
        start += len(phrase) + 1
    numbered = tuple(replace(finding, id=f"f{n}") for n, finding in enumerate(found, 1))
    return Report("\n".join(phrases), (), numbered, tuple(dict.fromkeys(warnings)))


def read_again(
    report: Report, modality: str | None, frame: Frame | None, sections: tuple[str, ...] = ()
) -> Report:
    """A report that was read before anybody knew the kind of image, read in an image of ``modality``.

    One that holds anything else than what the rules find in it without a kind (somebody added to it, or read
    it otherwise) stays. Warnings that are not the rules' are kept, in front.
    """
    lines = report.text.split("\n")
    ways: list[Callable[[str | None], Report]] = [
        lambda code: report_of_text(report.text, code, frame, sections)
    ]
    if all(line.strip() for line in lines):
        ways.append(lambda code: report_of_phrases(lines, code, frame))
    for read in ways:
        before = read(None)
        if before.findings == report.findings:
            after = read(modality)
            kept = tuple(note for note in report.warnings if note not in before.warnings)
            return replace(after, warnings=(*kept, *after.warnings))
    return report


def shifted(finding: Finding, start: int) -> Finding:
    """The finding with every span moved by ``start`` characters."""
    if not start:
        return finding

    def all_of(spans: tuple[Span, ...]) -> tuple[Span, ...]:
        return tuple(_moved(span, start) for span in spans)

    return replace(
        finding,
        span=_moved(finding.span, start),
        sentence=None if finding.sentence is None else _moved(finding.sentence, start),
        polarity_span=None if finding.polarity_span is None else _moved(finding.polarity_span, start),
        location=replace(finding.location, spans=all_of(finding.location.spans)),
        texture=replace(finding.texture, spans=all_of(finding.texture.spans)),
        shape=replace(finding.shape, spans=all_of(finding.shape.spans)),
        mentions=all_of(finding.mentions),
    )


def _moved(span: Span, start: int) -> Span:
    return span[0] + start, span[1] + start
