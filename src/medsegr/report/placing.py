"""Whose place is whose: the places of each finding of a sentence."""

from dataclasses import dataclass, replace

from medsegr.findings import Frame
from medsegr.report import lexicon
from medsegr.report.beside import LIMBS, caused, of_eye_with, on_side, with_it
from medsegr.report.builds import Candidate
from medsegr.report.clauses import HALVES
from medsegr.report.eyes import is_picture
from medsegr.report.homes import is_elsewhere
from medsegr.report.lexicon import Place
from medsegr.report.match import Words
from medsegr.report.sentence import Sentence
from medsegr.report.side import PICTURE, SIDE_WORDS, Element, Spot, side_of, spots
from medsegr.report.titled import fits

MIDLINE = frozenset(  # the side of the catheter told beside them is not theirs
    ["endotracheal tube", "nasogastric tube", "nasojejunal tube", "tracheostomy tube", "sternal wire"]
)
STATES = frozenset([":", "-", "no", "normal", "unremarkable", "without"])  # behind what is told of
PARTING = frozenset([";", ",", "and", "while", "wherea", "but"])
HAVING = frozenset(["contain", "contains", "show", "shows", "has", "demonstrates", "demonstrate", "have"])
WITH_PARTS = frozenset(["eye", "breast"])  # what lies in them may stand under a mere side, too
AROUND = frozenset(["surrounding", "perilesional", "adjacent"])
DENYING = frozenset(["no", "without"])
FREE = frozenset(["ascites", "pneumoperitoneum", "haemoperitoneum"])  # no part of an organ of one side
POUCHES = frozenset(["pouch of douglas", "cul de sac", "pelvis", "abdomen", "morison pouch"])
WITHIN = frozenset(["in", "of", "within", "inside"])
HELD = 4  # words behind an organ up to the "with" of what it holds
HOLDING = frozenset(  # organs that hold what they are told to be changed with; no diaphragm does
    [
        *("gallbladder", "bladder", "uterus", "ovary", "testis", "epididymis", "prostate", "kidney"),
        *("ureter", "thyroid", "gland", "pancrea", "spleen", "liver", "stomach", "appendix", "bowel"),
        *("breast", "tendon", "muscle", "joint", "bursa", "disc", "vein"),
    ]
)
NEAR = 4  # words between a finding and the organ that it is "of"
HALF = frozenset(["left", "right"])  # of the picture; "central" fits either side of the body
HEMISPHERE = frozenset(["white matter", "lateral ventricle", "thalamus", "basal ganglia", "caudate nucleus"])
SPINAL = frozenset(["spinal cord", "intervertebral disc"])  # at the level that a heading tells


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of the image: ``by_flag`` is True when the frame was asked for in words. ``about``: the
    part of the body that most of the report speaks of ("neuro", "heart", "chest"; "" if none)."""

    modality: str | None
    frame: Frame
    by_flag: bool
    about: str = ""
    organ: str = ""  # the one organ that the title of the report names ("THYROID ULTRASOUND")
    whole: bool = False  # a whole report of an ultrasound, whose sides are the patient's
    bodily: bool = False  # a whole report of the eyes, the airways or the bladder: a mere side is no third

    @property
    def sides(self) -> Frame:
        """The frame of a mere word of side. Of a short text about an ultrasound picture it is the picture's,
        of a whole report the patient's, as radiologists write."""
        return "patient" if self.whole and not self.by_flag else self.frame


def places_of(sentence: Sentence, setting: Setting) -> list[tuple[Spot, ...]]:
    """Places of each candidate. One without a place takes that of a neighbour it is joined with
    ("atelectasis or scar")."""
    own, bare = [], []
    for item in sentence.candidates:
        others, shared = _of_others(item, sentence)
        mine = [
            e
            for e in sentence.elements
            if (item.region[0] <= e.first and e.last <= item.region[1] and e.first not in others)
            or e.first in shared
            or _leads(e, item, sentence)
        ]
        bare.append(all(map(_is_bare, mine)))
        own.append(
            spots(mine, sentence.words, setting.sides, setting.by_flag)
            if item.concept.sided or item.concept.kind != "statement"
            else ()
        )
    own = [
        tuple(s for s in mine if s.places or item.concept.name not in MIDLINE)
        for item, mine in zip(sentence.candidates, own, strict=True)
    ]
    own = [tuple(_of_pair(s, sentence) for s in mine) for mine in own]
    own = [
        tuple(_of_body(s, item, sentence, setting) for s in mine)
        for item, mine in zip(sentence.candidates, own, strict=True)
    ]
    own = [_under(item, mine, sentence, setting) for item, mine in zip(sentence.candidates, own, strict=True)]
    out = list(own)
    for i in range(len(own) - 2, -1, -1):  # "scarring or atelectasis in the right base"
        behind = sentence.candidates[i + 1]
        led = i > 0 and sentence.candidates[i].joined and out[i - 1] and not _closer(sentence, i)
        if not led and _may_take(sentence.candidates[i], out[i], behind, out[i + 1], behind.joined):
            ends = sentence.words.span(behind.first, behind.last)[1]
            if out[i + 1][0].spans and out[i + 1][0].spans[0][0] >= ends:
                out[i] = out[i + 1]
    for i in range(1, len(own)):  # "right basilar scarring or atelectasis"
        here = sentence.candidates[i]
        over = bare[i] and not bare[i - 1] and out[i] is own[i]
        taken = () if over else out[i]  # nearer than what is told over all of them
        if _may_take(here, taken, sentence.candidates[i - 1], out[i - 1], here.joined):
            out[i] = out[i - 1]
        elif not out[i] and here.concept.sided and _surrounds(here, sentence):
            out[i] = next((spot for spot in reversed(out[:i]) if spot), ())
        elif here.joined and caused(sentence, i):
            out[i] = tuple(on_side(spot, out[i - 1]) for spot in out[i])
        else:
            out[i] = with_it(i, out, sentence)
    return of_eye_with(sentence, out) if setting.modality == "OP" else out


def _of_others(item: Candidate, sentence: Sentence) -> tuple[set[int], set[int]]:
    """Indices of the words that name other findings alone, and of those that are this one's place, too:
    "infraspinatus tendinosis without tear" tells two things of one tendon."""
    parts = [(c, part) for c in sentence.candidates if c is not item for part in c.parts]
    both = [part for c, part in parts if len(c.parts) > 1 and _beside(part, item, sentence)]
    shared = {i for part in both for i in range(*part)}
    begun = {part[0] for part in both}
    shared |= {e.first for e in sentence.elements if e.field == "side" and e.last in begun}
    return {i for _, part in parts for i in range(*part)} - shared, shared


def _leads(element: Element, item: Candidate, sentence: Sentence) -> bool:
    """True for the side of what another thing lies in: "a calcification in the left hydrocele"."""
    led = sentence.words.norms[max(0, element.first - 2) : element.first]
    inside = len(led) == 2 and led[0] in WITHIN and led[1] == "the"
    return inside and element.field == "side" and element.last == item.first


def _beside(part: tuple[int, int], item: Candidate, sentence: Sentence) -> bool:
    """True for the tendon right before a finding or behind its "of" or "in", the organ that is told to hold
    it."""
    between = sentence.words.norms[item.last : part[0]]
    held = sentence.words.norms[part[1] : item.first] if part[1] < item.first else ()
    holds = bool(HOLDING & {*sentence.words.norms[slice(*part)]})
    if holds and "with" in held[:HELD] and not {",", ";", "."} & {*held}:
        return True  # "the gallbladder is contracted with a polyp"
    return part[1] == item.first or (0 < len(between) <= NEAR and between[0] in ("of", "in"))


def _is_bare(element: Element) -> bool:
    """True for the kidney that is part of the name "renal cell carcinoma": it tells no side."""
    place = element.place
    paired = place is not None and bool({place.name, place.of} & lexicon.paired())
    return element.own and paired and side_of(element) not in SIDE_WORDS


def _surrounds(item: Candidate, sentence: Sentence) -> bool:
    """True for the oedema of "a lesion on the right has a rim with surrounding oedema"."""
    before = sentence.words.norms[max(0, item.first - 2) : item.first]
    begin = max(start for start in sentence.starts if start <= item.first)
    led = {"with", "and"} & {*sentence.words.norms[max(0, item.first - 4) : item.first]}
    return bool(AROUND & {*before}) and bool(led) and sentence.words.norms[begin] not in DENYING


def _of_pair(spot: Spot, sentence: Sentence) -> Spot:
    """The "left" of "oedema in the right eye and drusen in the left": an eye, no part of the picture."""
    bare = spot.cols or ((spot.side,) if spot.side else ())
    if spot.places or spot.rows or len(bare) != 1 or bare[0] not in SIDE_WORDS:
        return spot
    start = min(s[0] for s in spot.spans)
    alone = _alone(start, sentence)
    if not spot.cols and not alone:
        return spot
    for told in sentence.elements:
        place = told.place
        if place is None or told.own or sentence.words.tokens[told.first].start >= start:
            continue
        beside = next((e.value for e in sentence.elements if e.last == told.first), None)
        side, organ = place.side or beside, place.of or place.name
        if side in (*SIDE_WORDS, "bilateral") and side != bare[0] and organ in lexicon.paired():
            own = Place(organ, side=bare[0], of=organ)
            if alone:
                return replace(spot, side=bare[0], cols=(), places=(own,), heads=spot.spans[:1])
            return replace(spot, side=bare[0], cols=())
    return spot


def _alone(start: int, sentence: Sentence) -> bool:
    """True for a side that stands for an organ named before: "the right contains a cyst", "a cyst in the
    left"."""
    tokens, norms = sentence.words.tokens, sentence.words.norms
    at = next(i for i, token in enumerate(tokens) if token.start == start)
    begins = norms[at - 1 : at] == ("the",) and norms[at - 2] in PARTING
    if begins and norms[at + 1 : at + 2] and norms[at + 1] in HAVING:
        return True
    ends = norms[at + 1 : at + 2] in ((), (".",), (",",), (";",))
    return ends and norms[max(0, at - 2) : at] in (("in", "the"), ("of", "the"))


def _of_body(spot: Spot, item: Candidate, sentence: Sentence, setting: Setting) -> Spot:
    """The "left" of "hydronephrosis on the left": of a finding of a paired organ, no part of the picture."""
    if setting.bodily and not setting.by_flag and not spot.side:
        return _bodily(spot, sentence)
    bare = not spot.side and len(spot.cols) == 1 and spot.cols[0] in SIDE_WORDS and not spot.rows
    if not bare or item.concept.name not in lexicon.paired() or PICTURE & {*sentence.words.norms}:
        return spot
    return replace(spot, side=spot.cols[0], cols=())


def _bodily(spot: Spot, sentence: Sentence) -> Spot:
    """The "R" of "thinning R inferior sector" in a whole report of eyes, which is no third of the picture as
    in "to the right of the disc"."""
    tokens, norms = sentence.words.tokens, sentence.words.norms
    of_hours = {col for place in spot.places for col in place.cols}
    told = [i for i, t in enumerate(tokens) if any(a <= t.start and t.end <= b for a, b in spot.spans)]
    bare = {HALVES[norms[i]] for i in told if norms[i] in HALVES and not is_picture(norms, i)}
    if PICTURE & {*norms} or len(bare & {*spot.cols}) != 1 or len(bare) != 1:
        return spot
    side = next(iter(bare))
    left = tuple(col for col in spot.cols if col != side or col in of_hours)
    return replace(spot, side=side, cols=left)


def _under(item: Candidate, own: tuple[Spot, ...], sentence: Sentence, setting: Setting) -> tuple[Spot, ...]:
    """The places with the side of the heading that they stand under, where they tell none."""
    over, over_words = (sentence.over, sentence.over_words) if sentence.over else _subject(item, sentence)
    told = spots(over, over_words, setting.sides, setting.by_flag)
    apart = LIMBS | {"eye"}  # all under it lies in it, spurs and narrowed joints, too
    parts = {part for spot in told for place in spot.places for part in (place.name, place.of)}
    sided = item.concept.sided or bool(apart & parts)
    if len(told) != 1 or not sided or item.concept.kind == "statement":
        return own
    if item.concept.name in MIDLINE | FREE:
        return own
    where = [place for spot in own for place in spot.places]
    if sentence.exam and not fits(item.concept.name, where, sentence.exam):
        return own
    level = [place for place in where if place.of != "vertebra"]  # "ureters joining at L4"
    if any(_elsewhere(place, told[0]) for place in level or where):
        return own
    if not own:
        return told
    head = told[0]
    own = tuple(_at_site(s, head) for s in own)
    return tuple(
        _at_level(
            replace(
                s, side=head.side, side_frame=head.side_frame, spans=tuple(sorted({*head.spans, *s.spans}))
            )
            if head.side and s.side is None and (not HALF & {*s.cols} or _is_hour(s, head))
            else s,
            head,
        )
        for s in own
    )


def _at_site(spot: Spot, head: Spot) -> Spot:
    """The "central" of "R nasal ala - a nodule, central ulcer": of what lies at the site of the heading."""
    bare = not spot.places and not spot.side and bool(spot.rows or spot.cols) and not HALF & {*spot.cols}
    return replace(spot, places=head.places, heads=head.heads) if bare else spot


def _subject(item: Candidate, sentence: Sentence) -> tuple[tuple[Element, ...], Words]:
    """The place with a side of which the statement around a finding is told: the left kidney of "the right
    kidney is normal, the left kidney shows no stone, small cyst"; nothing where none is told or it cannot
    lie there."""
    norms = sentence.words.norms
    sided = [e for e in sentence.elements if e.last <= item.first and not e.own]
    last = next((i for i in reversed(range(len(sided))) if side_of(sided[i]) in SIDE_WORDS), None)
    if last is None:
        return (), sentence.words
    run = sided[last : last + 1]
    run += [e for e in sided[last + 1 :] if e.first == run[-1].last][:1]
    behind = norms[run[-1].last : run[-1].last + 1]
    before = [norm for norm in norms[max(0, run[0].first - 2) : run[0].first] if norm != "the"][-1:]
    tells = behind and (behind[0] in HAVING or behind[0] in STATES)
    place = run[-1].place
    organ = (place.of or place.name) if place else sentence.under
    begins = not before or before[0] in PARTING or before[0] in (":", "-", ".")
    return (tuple(run) if tells and begins and fits(item.concept.name, (), organ) else ()), sentence.words


def _is_hour(spot: Spot, head: Spot) -> bool:
    """True for a part of the picture that an hour tells, or its centre, in an eye: "7 o'clock" under "RIGHT
    EYE"."""
    told = {col for place in spot.places for col in place.cols if place.name.endswith("o'clock")}
    return {*spot.cols} - {"centre"} <= told and any(p.name == "eye" or p.of == "eye" for p in head.places)


def _at_level(spot: Spot, head: Spot) -> Spot:
    """The spot with the level of the spine that it stands under ("L4/5: ..."), where it tells none."""
    levels = [i for i, place in enumerate(head.places) if place.of == "vertebra"]
    if not levels or any(place.of == "vertebra" for place in spot.places):
        return spot
    heads = tuple(head.heads[i] for i in levels)
    return replace(
        spot,
        places=(*spot.places, *(head.places[i] for i in levels)),
        heads=(*spot.heads, *heads),
        spans=tuple(sorted({*spot.spans, *heads})),
    )


def _elsewhere(place: Place, head: Spot) -> bool:
    """True for an organ that is no part of the heading's: the bladder under "LEFT KIDNEY", but not the macula
    under "RIGHT EYE"."""
    known = lexicon.concepts()
    name = place.of or place.name
    if name == "bronchus" and not head.places:
        return False  # under "RIGHT:"
    if name == "resection cavity":
        return False  # it is where the surgery was
    if name in POUCHES:
        return True
    if name == "joint" and any({p.name, p.of} & LIMBS for p in head.places):
        return False
    if name in SPINAL and all(p.of == "vertebra" for p in head.places):
        return False
    if name not in known or name in lexicon.paired():
        return False
    if name in HEMISPHERE and not head.places:  # "R: ... Periventricular flare"
        return False
    parts = {known[p.of].field if p.of in known else p.of for p in head.places}
    return known[name].field not in ((parts or WITH_PARTS) & WITH_PARTS)


def _closer(sentence: Sentence, at: int) -> bool:
    """True where "or" binds a candidate to the next one and "and" to the one before it: "pneumonia and
    scarring or atelectasis on the right"."""
    before, here, behind = sentence.candidates[at - 1 : at + 2]
    norms = sentence.words.norms
    led, leads = set(norms[before.last : here.first]), set(norms[here.last : behind.first])
    return "and" in led and bool({"or", "/", "versus", "vs"} & leads) and not {"or", "/"} & led


def _may_take(
    taker: Candidate, own: tuple[Spot, ...], giver: Candidate, given: tuple[Spot, ...], joined: bool
) -> bool:
    told = [p for s in given for p in s.places if p.name not in SPINAL | {"facet joint"}]
    levels = bool(told) and all(p.of == "vertebra" for p in told)
    sided = taker.concept.sided and giver.concept.sided and taker.concept.name not in MIDLINE
    if taker.concept.name in FREE or is_elsewhere(taker.concept, giver.concept, given):
        return False
    return joined and not own and bool(given) and (sided or levels)  # a level is no side
