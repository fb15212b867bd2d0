"""One sentence: which concepts it names, and which of its words belong to which of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from medsegr.findings import Span
from medsegr.report import lexicon
from medsegr.report.again import Told, again
from medsegr.report.anew import spared
from medsegr.report.builds import Candidate, whole, with_builds
from medsegr.report.clauses import asides, clause_starts, unseen
from medsegr.report.context import DENYING_TIMES, Scope, scopes
from medsegr.report.either import offered, seeming
from medsegr.report.elided import leaves_out
from medsegr.report.holding import resolved
from medsegr.report.identity import identified
from medsegr.report.idle import denying
from medsegr.report.lettered import TISSUE, is_radiotherapy
from medsegr.report.lexicon import Concept, Cue, Descriptor, Place, word_list
from medsegr.report.match import Hit, Words, find_cues, find_descriptors, find_places, words_of
from medsegr.report.naming import is_named_as_tool, is_over, is_technique, names, of_each
from medsegr.report.parts import is_place, landmark, portion
from medsegr.report.regions import PARTING, explains, regions
from medsegr.report.senses import of_picture
from medsegr.report.side import SIDE_WORDS, Element, elements
from medsegr.report.sided import with_coming, without_title
from medsegr.report.tokens import tokens

BRAIN = frozenset(["frontal lobe", "parietal lobe", "temporal lobe", "occipital lobe"])
HOLLOW = frozenset(["urinary bladder", "prostate", "trachea", "bronchus", "airways"])
UNSURE = frozenset(
    [".", ";", "possible", "possibly", "probable", "probably", "likely", "may", "could", "not"]
)
LOOKS = (("hypodensity",), ("hyperdensity",))
VIEWS = frozenset(["view", "projection", "radiograph", "film", "image", "examination"])
LIMITED = frozenset(["limited", "obscured", "suboptimal", "poor", "incomplete", "inadequate", "restricted"])
MOST_LEAD = 5  # words of a heading before a request, its colon included
CHAMBERS = frozenset(["right atrium", "left atrium", "right ventricle", "left ventricle"])
NO_HEART = frozenset(["cyst", "cystic", "collection", "nasal", "deviated", "concha", "turbinate"])
MOVED = frozenset(["pulled", "pull", "moved", "move", "come", "called", "dating", "going", "drawn", "put"])
PERSONS = frozenset(["patient", "patients", "sufferer", "sufferers"])
ASKING = frozenset(["?"])
CONDITIONS = ASKING | {"if"}  # of who asks: "is there a polyp?", "if there is a polyp, segment it"
SEEING = frozenset(["see", "view", "get", "have"])  # asks for a mask behind one of these:
ASKERS = frozenset(["i", "you", "we", "us", "i'd"])
NO_WORDS = Words((), ())


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence read: its words, the concepts named, the organs named, words of place, describing words
    and scopes of cues."""

    span: Span
    words: Words
    candidates: tuple[Candidate, ...]
    anatomy: tuple[Candidate, ...]
    elements: tuple[Element, ...]
    descriptors: tuple[Hit[Descriptor], ...]
    scopes: tuple[Scope, ...]
    starts: tuple[int, ...]
    under: str = ""  # organ of the heading that it stands under ("KIDNEYS: ..."), or that it begins with
    over: tuple[Element, ...] = ()  # place that it stands under: a heading's, or of "On the right, ..."
    over_words: Words = NO_WORDS  # the words that ``over`` counts in
    exam: str = ""  # organ of the report's title, or that is spoken of, where that is what it stands under
    titled: bool = False  # part of a longer text, where a line with a mere name ("LEFT BREAST") is a title

    def sign_of(self, item: Candidate) -> Candidate | None:
        """The finding that ``item`` is said to be: the shadow of "a shadow, in keeping with pneumonia"."""
        sign = next((c for c in reversed(self.candidates) if c.last <= item.first), None)
        return sign if sign is not None and explains(self.words.norms[sign.last : item.first]) else None


def read(
    text: str,
    span: Span,
    modality: str | None,
    before: Told | None = None,
    asked: bool = False,
    side: str = "",
) -> Sentence:
    """Read the sentence at ``span``. ``before``: what the sentence before it named last, ``side``: the only
    side told there, "" for none. ``asked``: it is a direct phrase, whose questions and conditions doubt
    nothing."""
    words = words_of(tokens(text, span), text)
    if asked:
        words = _in_reports_words(words, modality)
    describing = tuple(
        d for d in find_descriptors(words) if not is_radiotherapy(words.tokens, words.norms, d.first)
    )
    hits = names(words, modality, describing)
    places = _places(words, modality, asked)
    if modality in TISSUE:
        describing = of_picture(describing, words, asked)
    all_cues = _heard_cues(words, hits, asked)
    if asked or is_request(words):
        stated = not asked and _tells(words)
        hits = tuple(_lesion(h, words, modality) for h in hits if stated or not _other(h, words))
    else:
        hits = of_each(hits, places, words)
    hits = _things(hits, all_cues, words, asked or is_request(words))
    out = unseen(words, _sites(hits, places, describing))
    cues = _free_cues([c for c in all_cues if c.first not in out], (*hits, *describing))
    starts = clause_starts(words, cues, hits)
    named = [Candidate(h.value, ((h.first, h.last),)) for h in hits if h.value.kind != "anatomy"]
    named = identified(_merge(with_builds(named, words, starts), words), words)
    named = _meant(named, words)
    told = {d.first for d in _sides(describing)}
    named = again(named, words, starts, frozenset(told | {p.first for p in places}), before)
    loose = _loose(describing, hits)
    organs = [
        Candidate(h.value, ((h.first, h.last),), (0, len(words.norms)))
        for h in hits
        if h.value.kind == "anatomy"
    ]
    anchors = [i for c in named for part in c.parts for i in range(*part)]
    acting = scopes(
        words,
        cues,
        starts,
        anchors,
        [d for d in describing if d.value.field not in ("size_class", "count", "side", "rows", "cols")],
    )
    acting = (*acting, *offered(named, words, acting), *seeming(named, words))
    told_of = without_title(elements(places, loose, frozenset(anchors)), words, frozenset(anchors))
    where = resolved(with_coming(told_of, named, words, before), words, side)
    where = tuple(e for e in where if not _of_none(e, anchors, acting, starts, len(words.norms)))
    none = _denied_unknown(acting, anchors, words) | asides(words, starts) | out | spared(words.norms, hits)
    where = tuple(e for e in where if e.first not in none)
    loose = [d for d in loose if d.first not in none]
    placed = frozenset(i for e in where for i in range(e.first, e.last))
    parts = regions(named, words, starts, placed)
    return Sentence(span, words, parts, tuple(organs), where, tuple(loose), acting, starts)


def _loose(describing: Sequence[Hit[Descriptor]], hits: Sequence[Hit[Concept]]) -> list[Hit[Descriptor]]:
    """The describing words without the sides that are part of the name of an organ or of what has none."""
    fixed = [h for h in hits if h.value.kind == "anatomy" or not h.value.sided]
    words = {i for h in fixed for i in range(h.first, h.last)}
    sides = _sides(describing)
    return [d for d in describing if not (d in sides and set(range(d.first, d.last)) <= words)]


def _things(
    hits: tuple[Hit[Concept], ...], cues: Sequence[Hit[Cue]], words: Words, asking: bool
) -> tuple[Hit[Concept], ...]:
    """The names without those of tools, of times, of what is only lain over and, unless somebody is
    ``asking``, of techniques."""
    return tuple(
        h
        for h in hits
        if not (
            any(_tells_time(cue, h) for cue in cues)
            or is_over(h, hits, words)
            or is_named_as_tool(h, words)
            or (not asking and is_technique(h, words))
        )
    )


def _sites(
    hits: Sequence[Hit[Concept]], places: Sequence[Hit[Place]], describing: Sequence[Hit[Descriptor]]
) -> frozenset[int]:
    """Indices of all words of place: sides, places and organs."""
    spans = [(d.first, d.last) for d in _sides(describing)] + [(p.first, p.last) for p in places]
    spans += [(h.first, h.last) for h in hits if h.value.kind == "anatomy"]
    return frozenset(i for span in spans for i in range(*span))


def _sides(describing: Sequence[Hit[Descriptor]]) -> list[Hit[Descriptor]]:
    return [d for d in describing if d.value.field in ("side", "rows", "cols")]


def _in_reports_words(words: Words, modality: str | None) -> Words:
    """A direct phrase in the words of reports: a "lump" is a mass, where nothing else is named ("cotton
    wool spot")."""
    said = lexicon.everyday()
    if said.keys().isdisjoint(words.norms):
        return words
    hits = names(words, modality, ())
    if any(h.value.kind != "anatomy" for h in hits):
        return words
    return replace(words, norms=tuple(said.get(norm, norm) for norm in words.norms))


def _places(words: Words, modality: str | None, asked: bool) -> list[Hit[Place]]:
    """The named places, in a report those that such an image can show."""
    return [
        p
        for p in find_places(words, modality)
        if (asked or _visible(p.value.of or p.value.name, modality) or _inside(p.value, modality))
        and not (_of_view(p, words) or _of_cyst(p, words) or _of_side(p, words))
    ]


def _heard_cues(words: Words, hits: Sequence[Hit[Concept]], asked: bool) -> tuple[Hit[Cue], ...]:
    """The cues, but those by which somebody asks: the question mark of a request or behind an organ, in a
    direct phrase also conditions and advice ("look for polyps")."""
    organs = bool(hits) and all(h.value.kind == "anatomy" for h in hits)
    marks = CONDITIONS if asked else ASKING if organs or is_request(words) else frozenset()
    cues = (c for c in denying(find_cues(words), hits, words) if words.norms[c.first] not in marks)
    if not asked and "excluding" in words.norms:
        cues = (_leaving_out(c, words) for c in cues)
    return tuple(c for c in cues if not (asked and c.value.kind == "advice"))


def _leaving_out(cue: Hit[Cue], words: Words) -> Hit[Cue]:
    """The cue, one that ends a clause for the "excluding" of an exception."""
    if words.norms[cue.first : cue.last] != ("excluding",) or not leaves_out(words.norms, cue.first):
        return cue
    return replace(cue, value=replace(cue.value, kind="stop"))


def _lesion(hit: Hit[Concept], words: Words, modality: str | None) -> Hit[Concept]:
    """What somebody means who asks for "the abnormality" or, but of a slide, "all pathology"."""
    said = words.norms[hit.first : hit.last]
    led = words.norms[max(0, hit.first - 1) : hit.first] in (("the",), ("all",), ("any",))
    pathology = said == ("pathology",) and led and modality not in ("SM", "GM")
    asks = hit.value.kind == "statement" and ("abnormality" in said or pathology)
    return replace(hit, value=lexicon.concepts()["lesion"]) if asks else hit


def _tells(words: Words) -> bool:
    """Whether a sentence begins with what a study shows ("Shows a nodule beside the mass"): the normal form
    of the verb is that of a request, but both things are there."""
    first = words.tokens[_lead(words)]
    return first.raw.lower().endswith("s") and first.norm in word_list("asks")


def _other(hit: Hit[Concept], words: Words) -> bool:
    """Whether somebody asks for what lies beside a thing, for a part of one that is no organ (of organs,
    whose parts have names, that is told later: :mod:`medsegr.report.parts`), or says by it whose picture it
    is: "the optic disc of this glaucoma patient"."""
    if hit.value.kind != "anatomy" and PERSONS & {*words.norms[hit.last : hit.last + 1]}:
        return True
    part = portion(words.norms, hit.first, hit.last) if hit.value.kind != "anatomy" else None
    placed = part is not None and is_place(part, words.norms[hit.first])  # "base of the left lung opacity"
    return (part is not None and not placed) or landmark(words.norms, hit.first)


def _of_none(
    element: Element, anchors: Sequence[int], acting: Sequence[Scope], starts: Sequence[int], size: int
) -> bool:
    """True for a place of what is denied: the "right" of "the left effusion is larger, the right has
    resolved"."""
    begin = max((s for s in starts if s <= element.first), default=0)
    end = next((s for s in starts if s > element.first), size)
    if begin == 0 or any(begin <= a < end for a in anchors):
        return False
    denied = (s for s in acting if s.cue.kind == "negation" or s.cue.value in DENYING_TIMES)
    return any(begin <= s.first and s.last <= end and s.first <= element.first < s.last for s in denied)


def _denied_unknown(acting: Sequence[Scope], anchors: Sequence[int], words: Words) -> frozenset[int]:
    """Words that speak of a denied thing without a name here: "an apical cap without rib destruction"."""
    out: set[int] = set()
    for scope in acting:
        whole = range(scope.first, scope.last)
        until = next((i for i in whole if words.norms[i] in ("at", "in", "on", "within")), scope.last)
        said = words.text[slice(*scope.span)].lower().split()
        bare = scope.cue.kind == "negation" and said[:1] and said[0] in PARTING
        if bare and min(anchors, default=scope.first) < scope.first and not set(anchors) & {*whole}:
            out |= {*range(scope.first, until)}
    return frozenset(out)


def _tells_time(cue: Hit[Cue], hit: Hit[Concept]) -> bool:
    """True for the "snare" of "was removed with a snare", not for the "lobectomy" of "after lobectomy"."""
    inside = cue.first < hit.first and hit.last <= cue.last
    return cue.value.kind == "time" and inside and hit.value.drawable


def _of_view(place: Hit[Place], words: Words) -> bool:
    """True for the "frontal" of "frontal view", and for the fundus of "views of the fundus limited"."""
    before = [norm for norm in words.norms[max(0, place.first - 3) : place.first] if norm != "the"]
    limited = before[-2:] == ["view", "of"] and bool(LIMITED & {*words.norms})
    return limited or bool(VIEWS & set(words.norms[place.last : place.last + 1]))


def _of_side(place: Hit[Place], words: Words) -> bool:
    """True for the hand of "on the right hand side" and the back of "could be pulled back"."""
    led = words.norms[max(0, place.first - 1) : place.first]
    if led and led[0] in MOVED and place.value.name == "back":
        return True
    hand = words.norms[place.first : place.last + 1] in (("hand", "side"), ("hand", "sided"))
    return hand and led in (("left",), ("right",))


def _of_cyst(place: Hit[Place], words: Words) -> bool:
    """True for the septum of "a cyst with a thick septum", of a nose: it is none of the heart."""
    bare = words.norms[place.first : place.last] in (("septum",), ("septal",))
    line = words.norms[place.last : place.last + 1] == ("line",)  # "septal lines" of the lung
    return bare and (line or bool(NO_HEART & {*words.norms}))


def _inside(place: Place, modality: str | None) -> bool:
    """True for what an endoscope looks into, the bladder, the airways and the lobes that these lead to, and
    for the chambers of the heart in a film, in which lines and leads end."""
    if modality == "CR":
        return place.name in CHAMBERS
    return modality == "ES" and (bool({place.name, place.of} & HOLLOW) or "lobe of lung" in place.name)


def _visible(name: str, modality: str | None) -> bool:
    if name in BRAIN and modality not in (None, "MR", "CT", "PT", "US"):
        return False
    known = lexicon.concepts()
    return (
        not modality or name not in known or not known[name].modalities or modality in known[name].modalities
    )


def _free_cues(
    cues: Sequence[Hit[Cue]], others: Sequence[Hit[Concept] | Hit[Descriptor]]
) -> tuple[Hit[Cue], ...]:
    """Cues that are not just part of a longer name ("free air", "non calcified")."""
    return tuple(
        cue
        for cue in cues
        if not any(
            o.first <= cue.first and cue.last <= o.last and o.last - o.first > cue.last - cue.first
            for o in others
        )
    )


def _merge(named: list[Candidate], words: Words) -> list[Candidate]:
    """One statement said twice in a row ("bilateral infection, five infected areas") is one candidate."""
    out: list[Candidate] = []
    for item in named:
        beside = (item, *out[-1:])  # "ACL tear, PCL intact", "the ACL is intact, the PCL is torn"
        apart = any(whole(c.parts, words.norms) for c in beside)
        same = out and out[-1].concept == item.concept and not (apart or _sides_differ(out[-1], item, words))
        if same and _again(words.norms[out[-1].last : item.first]):
            out[-1] = Candidate(item.concept, (*out[-1].parts, *item.parts))
        elif not (out and item.first < out[-1].last and item.concept == out[-1].concept):
            out.append(item)
    return out


def _sides_differ(one: Candidate, two: Candidate, words: Words) -> bool:
    """True for "a left nodule, nodule on the right"."""
    near = words.norms[max(0, one.first - 5) : one.first], words.norms[two.last : two.last + 8]
    sides = [{*SIDE_WORDS} & {*part} for part in near]
    return all(sides) and not sides[0] & sides[1]


def _meant(named: list[Candidate], words: Words) -> list[Candidate]:
    """Without a mere look of a thing that is named behind it: a "hypodensity, consistent with infarct"."""
    ends = [words.norms[c.last : d.first] for c, d in pairwise(named)]
    looks = [
        words.norms[c.first : c.last] in LOOKS and explains(end) for c, end in zip(named, ends, strict=False)
    ]
    return [c for c, bare in zip(named, [*looks, False], strict=True) if not bare] if named else named


def _again(between: Sequence[str]) -> bool:
    """True for the words between a name and the same name again: a comma ("infection, five infected areas"),
    or an explanation ("striated nephrogram, in keeping with pyelonephritis")."""
    if {"no", "not", "without"} & {*between}:
        return False
    if {"left", "right", "l", "r"} & set(between[-2:] if len(between) > 2 else between):
        return False
    explained = explains(between) and not UNSURE & set(between)
    return ("," in between and len(between) <= 2) or (explained and len(between) <= 18)


def _lead(words: Words) -> int:
    """The word behind a heading of its own ("Biometry: measure ..."), else the first."""
    return next((i + 1 for i, norm in enumerate(words.norms[:MOST_LEAD]) if norm in (":", "-")), 0)


def is_request(words: Words) -> bool:
    """True for a sentence that asks for a mask: "segment the liver", "could you show me the polyp?", also
    behind a heading of its own ("Biometry: measure the fetal head")."""
    start = _lead(words)
    polite = start
    while words.norms[polite : polite + 1] and words.norms[polite] in word_list("polite"):
        polite += 1
    asks = words.norms[polite : polite + 1]
    said = set(words.norms[start:polite])
    wanted = {"want", "need"} & said or ("like" in said and ASKERS & said)
    seeing = bool(ASKERS & said) and asks[:1] and asks[0] in SEEING
    return bool(asks) and (asks[0] in word_list("asks") or bool(wanted) or bool(seeing))


def is_name_only(sentence: Sentence) -> bool:
    """True for a sentence that is only a name with its side and place ("left lung.", "segment the liver")."""
    covered = {i for e in sentence.elements for i in range(e.first, e.last)}
    covered |= {i for d in sentence.descriptors for i in range(d.first, d.last)}
    covered |= {i for c in sentence.anatomy for i in range(c.first, c.last)}
    norms = sentence.words.norms
    tells = {"is", "are"} & set(norms) and "where" not in norms and norms[:2] != ("this", "is")
    if sentence.titled or norms[-1:] == (":",) or tells:
        return False  # "the trachea is midline" says something of it
    rest = [
        n for i, n in enumerate(norms) if i not in covered and n not in word_list("glue") and not n.isdigit()
    ]
    return not rest
