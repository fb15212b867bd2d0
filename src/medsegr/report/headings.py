"""The sentences of a section, and what stands over them: a heading, a side that a sentence begins with."""

from collections.abc import Sequence
from dataclasses import replace

from medsegr.findings import Span
from medsegr.report.again import told_last
from medsegr.report.correcting import taken_back
from medsegr.report.match import Words
from medsegr.report.sentence import NO_WORDS, Sentence, is_name_only, is_request, read
from medsegr.report.side import SIDE_WORDS, Element

SHORT = 4  # words of a sentence that may stand in a list of names


def read_all(text: str, spans: Sequence[Span], modality: str | None) -> tuple[Sentence, ...]:
    """Read the sentences of one section.

    An organ with a colon ("LIVER: Normal size. A cyst ...") is the organ of those behind it too, up to the
    next such heading or an empty line.
    """
    out: list[Sentence] = []
    under, end = "", 0
    over: tuple[tuple[Element, ...], Words] = ((), NO_WORDS)
    for span in spans:
        before = told_last(out[-1].candidates, out[-1].words.norms) if out else None
        sentence = read(text, span, modality, before)
        if text[end : span[0]].count("\n") > 1:
            under, over = "", ((), sentence.words)
        subject = next((c.concept.name for c in sentence.anatomy if c.first <= 1), "")
        if ":" in sentence.words.norms[:6]:
            under = _heading_organ(sentence)
            over = _heading_place(sentence), sentence.words
        elif subject and subject not in {e.place.of for e in over[0] if e.place is not None}:
            over = (), sentence.words
        front = _fronted(sentence) or _trailing(sentence)
        told = (front, sentence.words) if front else over
        out[-1:] = [taken_back(one, sentence) for one in out[-1:]]
        out.append(replace(sentence, under=under or subject, over=told[0], over_words=told[1]))
        end = span[1]
    around = (
        text[max(0, spans[0][0] - 20) : spans[0][0]] + text[spans[-1][1] : spans[-1][1] + 20]
        if spans
        else "none"
    )
    whole = not any(c.isalpha() for c in around)
    names = all(is_name_only(s) or is_request(s.words) or len(s.words.norms) <= SHORT for s in out)
    if whole and names:
        return tuple(out)
    return tuple(replace(s, titled=True) for s in out)


def _heading_organ(sentence: Sentence) -> str:
    colon = sentence.words.norms.index(":")
    names = [c.concept.name for c in sentence.anatomy if c.last <= colon]
    names += [e.place.of for e in sentence.elements if e.place is not None and e.last <= colon]
    return names[0] if names else ""


def _heading_place(sentence: Sentence) -> tuple[Element, ...]:
    """The place in a heading that tells a side and names no finding ("LEFT BREAST: ...")."""
    colon = sentence.words.norms.index(":")
    told = tuple(e for e in sentence.elements if e.last <= colon)
    return told if _sided(told) and not any(c.first < colon for c in sentence.candidates) else ()


def _fronted(sentence: Sentence) -> tuple[Element, ...]:
    """The side that a sentence begins with: "On the right there is an opacity and a small effusion"."""
    led = sentence.words.norms[:1] in (("on",), ("in",), ("at",))
    first = min((c.first for c in sentence.candidates), default=0)
    told = tuple(e for e in sentence.elements if e.last <= min(first, 5))
    others = any(e.field == "side" or e.place for e in sentence.elements if e not in told and e.first <= 1)
    return told[:2] if led and _sided(told[:2]) and not others and told[0].first <= 2 else ()


def _trailing(sentence: Sentence) -> tuple[Element, ...]:
    """The only side of a sentence, behind a last comma: "haemorrhages and cotton wool spots, OS"."""
    norms, told = sentence.words.norms, sentence.elements[-1:]
    sides = [e for e in sentence.elements if _sided((e,)) or e.value == "bilateral"]
    last = bool(told) and told[0].last >= len(norms) - 1 and norms[max(0, told[0].first - 1)] in (",", "(")
    return told if last and sides == list(told) else ()


def _sided(found: Sequence[Element]) -> bool:
    return any(
        e.value in SIDE_WORDS if e.place is None else e.place.side in SIDE_WORDS and not e.place.implied
        for e in found
    )
