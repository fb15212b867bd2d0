"""Text -> findings: the one entry of this package.

A report gives one finding for every statement and place; what is denied, doubted, of another study or of
another person is kept and marked so. Organs named as places are not findings; a text that is only a name
("left lung", "polyp") asks for it.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, TypeVar

from medsegr.findings import MODALITIES, Finding, Frame, Report, Section, Shape, Span, Texture, modality_code
from medsegr.report import document, lexicon
from medsegr.report.asked import check
from medsegr.report.builds import Candidate
from medsegr.report.claims import claim
from medsegr.report.context import Claim
from medsegr.report.correcting import corrected, reread
from medsegr.report.eyes import bodily, of_one_eye
from medsegr.report.headings import read_all, read_answers
from medsegr.report.heads import Head, asked_for, border, heads
from medsegr.report.language import foreign
from medsegr.report.limbs import under_titles
from medsegr.report.link import link
from medsegr.report.listed import asked_apart, one_by_one
from medsegr.report.measured import own_words
from medsegr.report.parts import facing, portion
from medsegr.report.placing import Setting, places_of
from medsegr.report.refining import fitting, kept, most_told, of_density, of_size, refined
from medsegr.report.sentence import Sentence, is_name_only, is_request, read
from medsegr.report.several import by_place, in_all, of_part, of_signs, outlines, shares
from medsegr.report.side import Spot, location, spots
from medsegr.report.titled import organ_of_title, under_title
from medsegr.report.unread import passages, warning
from medsegr.report.values import shape, texture

if TYPE_CHECKING:
    from medsegr.report.llm import Endpoint

Look = TypeVar("Look", Texture, Shape)
WHOLE = 4  # sentences that make a whole report
UNKNOWN_MODALITY = "is no known modality; give a DICOM code such as CR, CT, MR, US or ES"


def parse(
    text: str,
    *,
    modality: str | None = None,
    frame: Frame | None = None,
    sections: tuple[str, ...] | None = None,
    llm: "Endpoint | None" = None,
) -> Report:
    """Read a report, a sentence or a name.

    Args:
        text: the report; every span of the answer is a pair of indices into it (start, end exclusive).
        modality: DICOM code or common words ("chest X-ray"); None if not known.
        frame: whose left is meant; None: by modality, else by what is named, else patient with a warning.
        sections: canonical names of the sections to read; None: findings, impression and addendum, and text
        without heading.
        llm: a language model that reads too (``report.llm``); None: nothing is asked of anybody.

    Returns:
        The sections found, and the findings f1, f2 ... in text order. ``warnings`` holds (code, message)
        pairs.

    Raises:
        UsageError: no text, or a section or frame that does not exist.
    """
    check(text, frame, sections)
    plain = document.plain(text)
    found_sections = document.sections(plain)
    wanted, code = sections if sections is not None else document.READ, modality_code(modality)
    read_in = _in_sections([s for s in found_sections if s.name in wanted], plain, code)
    read_in, notes = _english(read_in, plain)
    read_in = [(s, part) for s, sentence in read_in for part in _one_by_one(sentence, plain, code)]
    said = [sentence for _, sentence in read_in]
    setting, warnings = _setting(said, code, frame)
    techniques = [s for s in found_sections if s.name == "technique" and s.name not in wanted]
    exams = [sentence for _, sentence in _in_sections(techniques, plain, code)]
    setting = _of_report(setting, said, exams)
    below = of_one_eye(under_title(said, exams), code)
    read_in = [(s, one) for (s, _), one in zip(read_in, below, strict=True)]
    each = [_findings(sentence, section, setting) for section, sentence in read_in]
    found = under_titles(below, each, exams, setting)
    found = corrected(reread(found, plain, found_sections), plain)
    if found_sections and modality and code is None:
        warnings = (*warnings, ("modality_unknown", f"'{modality}' {UNKNOWN_MODALITY}"))
    left = tuple(span for _, sentence in read_in for span in passages(sentence))
    told = (*notes, *warnings, *warning(left))
    report = Report(text, found_sections, _numbered(link(found, plain), text), told, left)
    if llm is None:
        return report
    from medsegr.report.llm import consult  # it reads with this function, too

    return consult(report, llm, modality=modality, frame=frame, sections=sections or ())


def _in_sections(of: Sequence[Section], plain: str, code: str | None) -> list[tuple[Section, Sentence]]:
    return [(s, one) for s in of for one in read_all(plain, document.sentences(plain, s.span), code)]


def parse_phrase(text: str, *, modality: str | None = None, frame: Frame | None = None) -> Report:
    """Read a direct phrase ("polyp", "lower lobe of the left lung"): at least one finding comes back.

    A phrase that names findings asks for these, else for its organs. A phrase in which nothing is known gives
    a finding with the name "" and the whole phrase as its span.
    """
    code = modality_code(modality)
    start, stop = _stripped(text)
    plain = document.plain(text)
    sentence = read(plain, (start, stop), code, asked=True)
    setting, warnings = _setting([sentence], code, frame)
    section = Section("findings", (start, stop))
    if foreign(text, [(start, stop)]):
        found = [_unknown(text, (start, stop))]
    elif answers := read_answers(plain, (start, stop), code):
        found = [f for part in answers for f in _findings(part, section, setting)]
    elif len(spans := asked_apart(sentence)) > 1:
        parts = [read(plain, span, code, asked=True) for span in spans]
        found = [f for part in parts for f in _asked(part, section, setting)]
    else:
        found = _asked(sentence, section, setting)
        if not any(f.name for f in found):
            parts = [read(plain, span, code, asked=True) for span in one_by_one(sentence)]
            each = [f for part in parts for f in _asked(part, section, setting)]
            found = each if any(f.name for f in each) else found
    return Report(text, (section,), _numbered(found, text), warnings)


def _asked(sentence: Sentence, section: Section, setting: Setting) -> list[Finding]:
    """What a direct phrase or a member of it asks for; a finding without a name where nothing is known."""
    known = lexicon.concepts()
    found = [f for f in _findings(sentence, section, setting) if known[f.name].kind != "statement"]
    if all(f.polarity == "absent" and known[f.name].kind != "anatomy" for f in found):
        found = [*_organs(sentence, section, setting, asked_for(sentence)), *found]
    return found or [_unknown(sentence.words.text, sentence.span)]


def _unknown(text: str, span: Span) -> Finding:
    return Finding("", text[slice(*span)], span, "", "findings", span)


def _one_by_one(sentence: Sentence, plain: str, code: str | None) -> list[Sentence]:
    """A sentence, or the members of the list that a request asks for."""
    spans = asked_apart(sentence) if is_request(sentence.words) else ()
    if len(spans) < 2:
        return [sentence]
    parts = [read(plain, span, code, asked=i > 0) for i, span in enumerate(spans)]
    return [replace(part, titled=sentence.titled and i == 0) for i, part in enumerate(parts)]


def _english(
    read_in: Sequence[tuple[Section, Sentence]], text: str
) -> tuple[list[tuple[Section, Sentence]], tuple[tuple[str, str], ...]]:
    """The sentences without those of another language, whose denials are unknown here, and a note of them."""
    left = foreign(text, [sentence.span for _, sentence in read_in])
    kept = [item for i, item in enumerate(read_in) if i not in left]
    many = f"{len(left)} of {len(read_in)} sentences are"
    what = f"{many} not in English and were not read; give the report in English"
    return kept, (("report_language", what),) if left else ()


def skip_reason(finding: Finding, polarity: Sequence[str] = ("present",)) -> str | None:
    """Reason code of a finding that its own words keep from being drawn; None: it may be drawn.

    ``polarity`` holds what is asked for. A denied finding is never drawn, whatever was asked for.
    """
    rules = (
        (finding.polarity == "absent", "absent"),
        (finding.whose == "other", "not_this_patient"),
        (finding.time in ("prior", "resolved"), "prior"),
        (finding.polarity == "uncertain" and "uncertain" not in polarity, "uncertain"),
        (not finding.drawable, "no_place"),
    )
    return next((reason for holds, reason in rules if holds), None)


def _stripped(text: str) -> Span:
    start = len(text) - len(text.lstrip())
    return start, max(start, len(text.rstrip()))


def _numbered(found: Sequence[Finding], text: str) -> tuple[Finding, ...]:
    return tuple(replace(f, id=f"f{i}", phrase=text[f.span[0] : f.span[1]]) for i, f in enumerate(found, 1))


def _setting(
    sentences: Sequence[Sentence], code: str | None, frame: Frame | None
) -> tuple[Setting, tuple[tuple[str, str], ...]]:
    if frame is not None:
        return Setting(code, frame, True), ()
    if code is not None:
        return Setting(code, MODALITIES[code][0], False), ()
    named = [c.concept for s in sentences for c in (*s.candidates, *s.anatomy) if c.concept.modalities]
    frames = [MODALITIES[m][0] for c in named for m in c.modalities[:1] if m in MODALITIES]
    guess: Frame = "viewer" if frames.count("viewer") > frames.count("patient") else "patient"
    sided = any(e.field == "side" for s in sentences for e in s.elements)
    if not sided:
        return Setting(None, guess, False), ()
    message = f"left and right are read as the {guess}'s; give the modality or the frame to be sure"
    return Setting(None, guess, False), (("frame_assumed", message),)


def _of_report(setting: Setting, said: Sequence[Sentence], exams: Sequence[Sentence]) -> Setting:
    """The setting with what the sentences of a report tell together."""
    organ, whole, code = organ_of_title(said, exams), len(said) >= WHOLE, setting.modality
    setting = replace(setting, about=most_told(said, code), whole=whole and code == "US", organ=organ)
    return replace(setting, bodily=whole and bodily(said, code))


def _findings(sentence: Sentence, section: Section, setting: Setting) -> list[Finding]:
    real = [c for c in sentence.candidates if c.concept.kind != "statement"]
    if not real and sentence.words.norms and (is_name_only(sentence) or is_request(sentence.words)):
        organs = _organs(sentence, section, setting, heads(sentence))
        if organs:
            return organs
    places = places_of(sentence, setting)
    out: list[Finding] = []
    for candidate, own in zip(sentence.candidates, places, strict=True):
        said = claim(sentence.scopes, candidate.parts, candidate.concept, sentence.words)
        told = _of_candidate(sentence, candidate, own, said, section, setting)
        told = _shared(sentence, candidate, told[0], setting) or told
        same = sentence.sign_of(candidate) and [f.name for f in out[-1:]] == [f.name for f in told]
        if same and out[-1].polarity == told[0].polarity:  # a nodule "in keeping with an adenoma"
            out[-1] = replace(out[-1], mentions=(*out[-1].mentions, told[0].span))
            continue
        out += told
    return of_signs(out)


def _shared(sentence: Sentence, item: Candidate, whole: Finding, setting: Setting) -> list[Finding]:
    """A finding for each place of a list with a size each; nothing where the sentence holds no such list."""
    out: list[Finding] = []
    parts = shares(sentence.words, item.region, sentence.elements)
    until = parts[0][0] if parts else 0
    lead = [e for e in sentence.elements if item.region[0] <= e.first and e.last <= until and in_all(e)]
    for low, high in parts:
        mine = [*lead, *of_part((low, high), sentence.elements)]
        told = [d for d in sentence.descriptors if low <= d.first and d.last <= high]
        own = shape(told, sentence.words, (low, high), low)
        for spot in spots(mine, sentence.words, setting.sides, setting.by_flag):
            concept = refined(item, spot, sentence, setting)
            place = location(kept(spot, concept), concept.name, setting.frame)
            outline = replace(whole.shape, size_mm=own.size_mm, size_class=own.size_class, count=None)
            outline = replace(outline, spans=own.spans)
            head = sentence.words.span(item.first, item.last)
            ends = max([head[1], *(s[1] for s in place.spans)])
            made = replace(whole, name=concept.name, code=concept.code, parents=concept.parents)
            span = head if out else (whole.span[0], ends)
            out.append(replace(made, span=span, location=place, shape=outline))
    return out


def _of_candidate(
    sentence: Sentence,
    item: Candidate,
    own: tuple[Spot, ...],
    said: Claim,
    section: Section,
    setting: Setting,
) -> list[Finding]:
    look, told, core = _look(sentence, item)
    out = []
    found = _spread(sentence, item, own, setting)
    for i, (spot, outline) in enumerate(zip(found, outlines(told, found, sentence.words), strict=True)):
        concept = of_size(refined(item, spot, sentence, setting), outline.size_mm)
        place = location(kept(spot, concept), concept.name, setting.frame)
        parts = [core, *(s for s in place.spans if i == 0 and _inside(s, sentence, item))]
        span = min(p[0] for p in parts), max(p[1] for p in parts)
        out.append(
            Finding(
                "",
                sentence.words.text[span[0] : span[1]],
                span,
                concept.name,
                section.name,
                sentence.span,
                concept.code,
                concept.parents,
                said.polarity,
                said.span,
                said.time,
                said.whose,
                concept.drawable and not said.advice,
                place,
                look,
                outline,
            )
        )
    return out


def _spread(sentence: Sentence, item: Candidate, own: tuple[Spot, ...], setting: Setting) -> tuple[Spot, ...]:
    """The places, a list of them taken apart where it makes different findings: clavicle and ribs of a
    fracture."""
    out: list[Spot] = []
    if of_density(item, sentence.words):
        return (Spot(),)
    for spot in (fitting(s, item, setting) for s in own or (Spot(),)):
        each = by_place(spot, sentence.words.text) if len(spot.heads) > 1 else (spot,)
        names = [refined(item, one, sentence, setting).name for one in each]
        out += each if len(set(names)) > 1 else [spot]
    return tuple(out)


def _inside(span: Span, sentence: Sentence, item: Candidate) -> bool:
    low, high = item.region
    return sentence.words.tokens[low].start <= span[0] and span[1] <= sentence.words.tokens[high - 1].end


def _look(sentence: Sentence, item: Candidate) -> tuple[Texture, Shape, Span]:
    low, high = own_words(sentence, item)
    denied = {
        i
        for s in sentence.scopes
        if s.cue.kind == "negation" and s.last - s.first <= 3
        for i in range(s.first, s.last)
    }
    core_words = {i for part in item.parts for i in range(*part)}
    mine = [
        d
        for d in sentence.descriptors
        if low <= d.first and d.last <= high and (d.first not in denied or d.first in core_words)
    ]
    look = texture(mine, sentence.words)
    outline = shape(mine, sentence.words, (low, high), item.last)
    spans = [sentence.words.span(item.first, item.last), *look.spans, *outline.spans]
    core = min(s[0] for s in spans), max(s[1] for s in spans)
    sign = sentence.sign_of(item)
    if sign is None:
        return look, outline, core
    low, high = sign.region
    seen = [d for d in sentence.descriptors if low <= d.first and d.last <= high and d.first not in denied]
    of_sign = shape(seen, sentence.words, sign.region, sign.last)
    return _filled(look, texture(seen, sentence.words)), _filled(outline, replace(of_sign, count=None)), core


def _filled(own: Look, sign: Look) -> Look:
    """What is told of a finding with what is told of the sign that it explains: size and colour of "a pink
    nodule of 11 mm, consistent with a carcinoma"."""
    names = [f.name for f in fields(own) if f.name != "spans"]
    told = {name: getattr(own, name) or getattr(sign, name) for name in names}
    taken = any(getattr(own, name) != value for name, value in told.items())
    return replace(own, **told, spans=tuple(sorted({*own.spans, *sign.spans}))) if taken else own


def _within(finding: Finding, place: str) -> Finding:
    return replace(finding, location=replace(finding.location, anatomy=(*finding.location.anatomy, place)))


def _organs(sentence: Sentence, section: Section, setting: Setting, asked: Sequence[Head]) -> list[Finding]:
    """Organs asked for by name; one behind "of" or "in" is the place of the one before it."""
    found: list[Finding] = []
    for i, (name, first, last) in enumerate(asked):
        low = border(sentence, asked[i - 1][2], first) if i else 0
        high = border(sentence, last, asked[i + 1][1]) if i + 1 < len(asked) else len(sentence.words.norms)
        item = Candidate(lexicon.concepts()[name], ((first, last),), (low, high))
        mine = [e for e in sentence.elements if item.region[0] <= e.first and e.last <= item.region[1]]
        own = spots(mine, sentence.words, setting.sides, setting.by_flag)
        said = claim(sentence.scopes, item.parts, item.concept, sentence.words)
        made = _of_candidate(sentence, item, own, said, section, setting)
        norms = sentence.words.norms
        if (part := portion(norms, first, last) or facing(norms, first)) is not None:
            made = [_within(f, f"{part} of {name}") for f in made]
        found += [replace(f, name=name, code=item.concept.code, parents=item.concept.parents) for f in made]
    return found
