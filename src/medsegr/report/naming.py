"""Which names of a sentence name a finding: not tools, titles, mere looks or what a clinic is called by."""

from collections.abc import Mapping, Sequence

from medsegr.report import lexicon
from medsegr.report.clauses import STATES
from medsegr.report.lexicon import Concept, Descriptor, Place, word_list
from medsegr.report.match import Hit, Words, find_concepts
from medsegr.report.senses import other_sense

ACTS = frozenset(
    ["removed", "resected", "retrieved", "biopsied", "sampled", "obtained", "excised", "ablated", "taken"]
)
SEEN = frozenset(["seen", "visible", "view", "lumen", "visualized", "noted", "present", "image", "picture"])
MEANS = frozenset(["with", "using", "by", "via"])
JOINTS = frozenset(["or", "and", "nor", "/", "&", ","])
TISSUES = frozenset(["interstitial", "alveolar", "airspace", "reticular", "nodular"])
SIDED = frozenset(["the", "left", "right", "both", "bilateral"])
OF_ORGAN = STATES | {"on", "normal", "unremarkable", "large", "fatty", "shrunken", "absent"}
KINDS_OF = TISSUES | {  # tell a second look, no second thing
    *("acute", "chronic", "old", "active", "benign", "malignant"),
    *("inflammatory", "infectious", "neoplastic", "fibrotic"),
}
PURPOSES = frozenset(  # "glaucoma clinic", "epilepsy protocol": nobody is said to have it
    [
        *("clinic", "protocol", "service", "screening", "surveillance", "team", "unit", "program"),
        *("programme", "pathway", "board", "meeting", "mdt", "registry", "ward"),
    ]
)
LOOKS = frozenset(
    ["increased uptake", "signal abnormality", "enhancing lesion"]
)  # of a thing, where one is named
PICTURES = frozenset(["image", "picture", "photo", "photograph", "dataset"])
WHERE = frozenset(["in", "within", "of", "at", "involving", "throughout", "along", "around"])
MEANING = frozenset(["corresponding", "consistent", "compatible", "representing", "keeping", "matching"])
MATCHING = frozenset(["corresponding", "correlating", "corresponds", "correlates", "correspond"])
FELT = frozenset(["mammographic", "palpable", "palpated", "clinical", "tomosynthesis", "scintigraphic"])
STUDIES = frozenset(
    [
        *("mammogram", "mammography", "tomosynthesis", "mri", "mr", "ct", "pet", "film", "radiograph"),
        *("xray", "study", "examination", "screening", "ultrasound", "cxr"),
    ]
)  # on which a thing has been seen
MOST_STUDY = 6  # words behind a thing in which it is told where it has been seen
LAYERS = frozenset(["smooth muscle", "stroma"])
REACHING = frozenset(["into", "through", "reaching", "beyond", "involving", "invading", "infiltrating"])
MADE_OF = frozenset(["composition", "attenuation", "consistency", "density", "type"])
EXTENDING = frozenset(["extend", "extends", "extending", "spread", "spreads", "spreading", "radiating"])
MOST = frozenset(["most", "many", "all", "some", "few", "several", "the", "these", "scattered", "rare"])
SAMPLES = frozenset(["biopsy", "biopsies", "aspiration", "cytology", "localisation", "localization"])
SAMPLES |= {"bx", "fna", "fnac", "vab"}
SHOWING = frozenset(["show", "shows", "demonstrate", "demonstrates", "exhibit", "exhibits"])
BARE = {  # what they mean where they are denied
    "fluid": "fluid collection",
    "growth": "endoscopic growth",
    "cleft": "facial cleft",
    "regression": "regression structure",
    "defect": "acute abnormality",
}
BARE_IN = {"growth": ("ES",), "cleft": ("US",), "regression": ("DMS",)}
HOLDING = dict.fromkeys(("pleura", "pleural", "costophrenic", "hemithorax"), "pleural effusion")
HOLDING |= dict.fromkeys(("pericardium", "pericardial"), "pericardial effusion")
HOLDING |= dict.fromkeys(("joint", "knee", "elbow", "ankle", "glenohumeral"), "joint effusion")
HOLDING |= dict.fromkeys(("pelvis", "douglas", "morison", "abdomen", "peritoneum"), "ascites")
NIL = frozenset(["no", "without", "nil"])
DENYING = frozenset(["no", "without", "nil", "any", "or", "nor", "/"])
ENDING = frozenset(
    [
        *(".", ",", ";", ")", "/", "and", "or", "seen", "is", "was", "in", "on", "at"),
        *("identified", "noted", "present", "visible", "detected"),
    ]
)
GENERIC = frozenset(["tube", "catheter", "implant"])
MOST_TITLE = 3  # words before the last name of a heading ("Lines, drains and tubes: ...")
NEAR = 5  # words between a look and the thing that it is the look of
ACTING = frozenset(  # what a thing does, where these stand between it and what it acts on
    ["infiltrates", "drains", "scars", "coils", "shunts"]
)
ACTED_ON = frozenset(
    ["the", "into", "through", "to", "towards", "from", "its", "this", "onto", "both", "around"]
)
ACTORS = frozenset(
    [
        *("it", "which", "that", "tract", "catheter", "tissue", "component", "process", "disease", "vein"),
        *("artery", "collateral", "cavity", "also", "directly", "focally", "diffusely", "locally", "clearly"),
    ]
)


def names(
    words: Words, modality: str | None, describing: Sequence[Hit[Descriptor]]
) -> tuple[Hit[Concept], ...]:
    """The concepts that a sentence names, in text order, what only describes another one left out."""
    found = _shared(_without_denied(find_concepts(words, modality), words), words)
    found = (*found, *_denied_bare(found, words, modality))
    found = tuple(sorted(found, key=lambda h: h.first))
    found = tuple(h for h in found if not _is_verb(h, found, words))
    found = _nouns(found, describing, words)
    if len(found) > 1 and not PICTURES.isdisjoint(words.norms):
        found = tuple(h for i, h in enumerate(found) if not (i and _is_pictured(h, words)))
    if not PURPOSES.isdisjoint(words.norms):
        found = tuple(h for h in found if not _is_purpose(h, words))
    if not MATCHING.isdisjoint(words.norms):
        found = tuple(h for h in found if not _is_matched(h, found, words))
    if not (EXTENDING | SAMPLES).isdisjoint(words.norms):
        found = tuple(h for i, h in enumerate(found) if not (i and _is_origin(h, words)))
    if modality in ("SM", "GM"):
        found = tuple(h for i, h in enumerate(found) if not (i and _is_reached(h, words)))
        found = tuple(h for i, h in enumerate(found) if not (i and _is_holder(h, words)))
    found = tuple(h for i, h in enumerate(found) if not (i and _is_answer(h, words)))
    found = tuple(h for h in found if not other_sense(h, found, words, modality))
    return tuple(h for h in found if not (h.value.name in LOOKS and _is_look(h, found, words)))


def of_each(
    hits: tuple[Hit[Concept], ...], places: Sequence[Hit[Place]], words: Words
) -> tuple[Hit[Concept], ...]:
    """The concepts, the lesions of "spleen and liver lesions" as those of either organ: a radiologist who
    tells of them means both. Who asks for them is shown the spleen (:mod:`medsegr.report.listed`)."""
    ends = {p.last: p for p in places}
    return tuple(
        Hit(*bare)
        if hit.first > 1 and words.norms[hit.first - 1] in JOINTS and (bare := _bare(hit, ends, words))
        else hit
        for hit in hits
    )


def _bare(hit: Hit[Concept], ends: Mapping[int, Hit[Place]], words: Words) -> tuple[Concept, int, int] | None:
    """A finding without the organ of its name, with its first and last word; None where no other organ stands
    before it in a list, or that is where something else lies ("a cyst of the spleen and liver lesions")."""
    norms, known = words.norms, lexicon.concepts()
    for at in range(hit.first + 1, hit.last):
        place = lexicon.places().get(norms[hit.first : at])
        terms = lexicon.concept_terms().get(norms[at : hit.last], ())
        organ = place.of or place.name if place else ""
        rules = [r for r in lexicon.refines() if r.name == hit.value.name and organ in r.places]
        base = next((r.base for r in rules if r.base in terms), None)
        start = hit.first
        while norms[start - 1] in JOINTS and start - 1 in ends and _is_other(ends[start - 1].value, organ):
            start = ends[start - 1].first
        begin = start
        while begin and norms[begin - 1] in SIDED:
            begin -= 1
        apart = begin > 0 and norms[begin - 1] in WHERE | OF_ORGAN
        if base is not None and start < hit.first and not apart:
            return known[base], at, hit.last
    return None


def _is_other(place: Place, organ: str) -> bool:
    name = place.of or place.name
    return name != organ and name in lexicon.concepts()


def _denied_bare(
    hits: Sequence[Hit[Concept]], words: Words, modality: str | None
) -> tuple[Hit[Concept], ...]:
    """What a word too general for a name denies: the effusion of "no fluid on the left", the tumour of "no
    polyp, ulcer or growth" in an endoscopy."""
    norms = words.norms
    out = []
    for i in (i for i, norm in enumerate(norms) if norm in BARE):
        nil = NIL & {*norms[max(0, i - 8) : i]}
        led = i > 0 and norms[i - 1] in DENYING and bool(nil)
        led = led or (norms[i + 1 : i + 2] == (":",) and norms[i + 2 : i + 3] in (("no",), ("none",)))
        led = led or (norms[i] == "defect" and _is_denied(norms, i, hits))
        closed = norms[i + 1 : i + 2] == () or norms[i + 1] in ENDING or norms[i + 1] == ":"
        free = not any(h.first <= i < h.last for h in hits)
        if led and closed and free and modality in BARE_IN.get(norms[i], (modality,)):
            name = BARE[norms[i]]
            if norms[i] == "fluid":
                places = (HOLDING[norm] for norm in norms if norm in HOLDING)
                name = next(places, "pleural effusion" if modality == "CR" else name)
            out.append(Hit(lexicon.concepts()[name], i, i + 1))
    return tuple(out)


def _is_denied(norms: Sequence[str], at: int, hits: Sequence[Hit[Concept]]) -> bool:
    """True for the defect of "no defect", "no evidence of a bony defect", "without any focal defect"."""
    begin = max((h.last for h in hits if h.value.kind != "anatomy" and h.last <= at), default=0)
    run = norms[max(begin, at - NEAR) : at]
    parted = max((i for i, norm in enumerate(run) if norm in ENDING - {"is", "seen"}), default=-1)
    return bool(NIL & {*run[parted + 1 :]})


def _is_verb(hit: Hit[Concept], hits: Sequence[Hit[Concept]], words: Words) -> bool:
    """True for what a thing does: "the nodule infiltrates the bladder", "a tract drains to the skin"."""
    if hit.last - hit.first > 1 or words.tokens[hit.first].raw not in ACTING or not hit.first:
        return False
    onto = words.norms[hit.last : hit.last + 1]
    led = words.norms[hit.first - 1] in ACTORS or any(h.last == hit.first for h in hits)
    return led and bool(onto) and (onto[0] in ACTED_ON or any(h.first == hit.last for h in hits))


def _is_answer(hit: Hit[Concept], words: Words) -> bool:
    """True for the ground glass of "Nodule 2: size 5 mm, composition: ground glass": it tells the look."""
    before = [n for n in words.norms[max(0, hit.first - 3) : hit.first] if n not in (":", "pure")]
    return hit.value.name == "ground-glass opacity" and before[-1:] != [] and before[-1] in MADE_OF


def _is_reached(hit: Hit[Concept], words: Words) -> bool:
    """True for the muscle of "a tumour infiltrating through the muscularis propria": it tells how far."""
    before = [n for n in words.norms[max(0, hit.first - 3) : hit.first] if n != "the"]
    return hit.value.name in LAYERS and before[-1:] != [] and before[-1] in REACHING


def _is_holder(hit: Hit[Concept], words: Words) -> bool:
    """True for the cells of "puncta in most cells": they hold what is told of."""
    led = words.norms[max(0, hit.first - 2) : hit.first]
    return hit.value.name == "cell" and len(led) == 2 and led[0] in ("in", "within") and led[1] in MOST


def _is_origin(hit: Hit[Concept], words: Words) -> bool:
    """True for the mass of "enhancement extends from the mass towards the nipple", and for the lesion of
    "biopsy of the lesion": it has been told of."""
    before = range(max(0, hit.first - 4), hit.first)
    led = [i for i in before if words.norms[i] in EXTENDING | SAMPLES]
    between = words.norms[led[-1] + 1 : hit.first] if led else ()
    joint = "of" if led and words.norms[led[-1]] in SAMPLES else "from"
    return between[:2] in ((joint, "the"), (joint, "this"))


def is_named_as_tool(hit: Hit[Concept], words: Words) -> bool:
    """True for the "snare" of "resected with a cold snare": it tells how something was done."""
    before = words.norms[max(0, hit.first - 4) : hit.first]
    done = hit.value.kind == "device" and ACTS & set(words.norms[: hit.first])
    at = {"at"} if hit.value.name == "instrument" else frozenset()
    means = [i for i, norm in enumerate(before) if norm in MEANS | at]
    return bool(done and means) and not {"and", ","} & set(before[means[-1] :])


def is_technique(hit: Hit[Concept], words: Words) -> bool:
    """True for the snare of "Hot snare, one clip placed": it tells how a polyp was removed, where nobody
    sees it."""
    led = hit.first > 0 and words.norms[hit.first - 1] in ("hot", "cold", "jumbo")
    return led and hit.value.name == "instrument" and SEEN.isdisjoint(words.norms)


def is_over(hit: Hit[Concept], hits: Sequence[Hit[Concept]], words: Words) -> bool:
    """True for the "tubes" of "Tubes and lines: endotracheal tube": a heading over narrower concepts."""
    colon = next(
        (i for i in range(hit.last, min(hit.last + 4, len(words.norms))) if words.norms[i] == ":"), None
    )
    name = hit.value.name
    if colon is None:
        return False
    if name in GENERIC and hit.first <= MOST_TITLE and words.tokens[hit.last - 1].raw.lower().endswith("s"):
        behind = any(h.first > colon and h.value.kind == "device" for h in hits)
        return behind or colon == len(words.norms) - 1
    told = [h for h in hits if h.first > colon and not _tells_look(h, words)]
    return any(name in (h.value.name, *h.value.parents) for h in told)


def _tells_look(hit: Hit[Concept], words: Words) -> bool:
    """True for the enhancement of "Lesion 1: 13 mm, early enhancement": it is no narrower name."""
    look = hit.value.name in LOOKS or hit.value.name == "restricted diffusion"
    return look and "lesion" not in words.norms[hit.first : hit.last]


def _without_denied(hits: Sequence[Hit[Concept]], words: Words) -> tuple[Hit[Concept], ...]:
    """A name whose first word alone is denied becomes what is left: a "non-polypoid lesion" is a lesion."""
    known = lexicon.concepts()
    out = []
    for h in hits:
        rest = lexicon.concept_terms().get(words.norms[h.first + 1 : h.last])
        denied = h.last - h.first > 1 and words.norms[max(0, h.first - 1)] == "non"
        out.append(Hit(known[rest[0]], h.first + 1, h.last) if denied and rest else h)
    return tuple(out)


def _shared(hits: Sequence[Hit[Concept]], words: Words) -> tuple[Hit[Concept], ...]:
    """With the names that share their last words with a name behind them: the pleural one of "no pleural or
    pericardial effusion", the stones of "no renal, ureteric or bladder calculi"."""
    known, table, looks = lexicon.concepts(), lexicon.concept_terms(), lexicon.descriptors()
    out: list[Hit[Concept]] = []
    for h in hits:
        if h.last - h.first < 2 or words.norms[h.first - 1] not in JOINTS:
            out.append(h)
            continue
        before: list[Hit[Concept]] = []
        at, free = h.first, out[-1].last if out else 0
        ends = [words.norms[begin : h.last] for begin in range(h.first + 1, h.last)]
        while ends and at - 2 >= 0 and words.norms[at - 1] in JOINTS:
            head = at - 2 - (words.norms[at - 2] == ",")
            norm = words.norms[head]
            site = len(ends) > 1 and bool(out) and out[-1].value.kind == "anatomy" and out[-1].first == head
            free_word = (head >= free or site) and norm not in KINDS_OF and (norm,) not in looks
            told = next((t for e in ends if (t := table.get((norm, *e)))), None) if free_word else None
            alike = told and {known[told[0]].kind, h.value.kind} in ({"finding"}, {"device"}, {"anatomy"})
            if told is None or not (alike or known[told[0]].kind in ("finding", "device")):
                break
            before.insert(0, Hit(known[told[0]], head, head + 1))
            at = head
        for one in before:
            if one.value.name != h.value.name and one.value.name not in {b.value.name for b in out[-3:]}:
                out.append(one)
        out.append(h)
    return tuple(out)


def _nouns(
    hits: Sequence[Hit[Concept]], describing: Sequence[Hit[Descriptor]], words: Words
) -> tuple[Hit[Concept], ...]:
    """Without concepts that only describe another one: the density of a "fluid density cyst", of "collections
    of mixed density"."""
    if "density" not in {d.value.field for d in describing}:
        return tuple(hits)
    known = [h for h in hits if h.value.kind == "finding"]
    looks = {d.last: d.first for d in reversed(describing) if d.value.field == "density"}
    inside = [h for h in known if looks.get(h.last, h.first) < h.first and _describes(h, known, looks, words)]
    begun = {d.first for d in describing if d.value.field == "density" and d.last - d.first > 1}
    inside += [h for h in known if h.first in begun and words.norms[h.first : h.last] == ("density",)]
    return tuple(h for h in hits if h not in inside)


def _describes(
    hit: Hit[Concept], known: Sequence[Hit[Concept]], looks: Mapping[int, int], words: Words
) -> bool:
    """True where a name stands before it ("of mixed density") or right behind it ("fluid density cyst")."""
    beside = any(hit.last <= other.first <= hit.last + 1 for other in known)
    leads = beside and words.norms[hit.last] not in word_list("joiners")
    return leads or words.norms[looks[hit.last] - 1] == "of"


def _is_matched(hit: Hit[Concept], hits: Sequence[Hit[Concept]], words: Words) -> bool:
    """True for the mass of "a cyst, corresponding to the mass on mammography": the same thing once more."""
    low = max(0, hit.first - 4)
    at = next((i for i in range(low, hit.first) if words.norms[i] in MATCHING), hit.first)
    between = words.norms[at : hit.first]
    told = hits[0].first < at or (at == 0 and hits[-1].first > hit.last)  # before it, or in this sentence
    told = told or _of_other_study(words.norms[at : hit.last + MOST_STUDY])
    return "the" in between and not {",", ";"} & {*between} and told


def _of_other_study(norms: Sequence[str]) -> bool:
    """True for "corresponds to the mammographic finding", "the mass seen on CT", which is no further one."""
    behind = (norms[i + 1 : i + 4] for i, norm in enumerate(norms) if norm in ("on", "at", "in", "by"))
    return bool(FELT & {*norms}) or any(STUDIES & {*words} for words in behind)


def _is_pictured(hit: Hit[Concept], words: Words) -> bool:
    """True for the lesion of "melanoma in a skin lesion image": it tells what kind of picture this is."""
    led = {"in", "of", "from", "on"} & {*words.norms[max(0, hit.first - 2) : hit.first]}
    behind = words.norms[hit.last : hit.last + 1]
    return bool(led) and behind != () and behind[0] in PICTURES and hit.value.kind == "finding"


def _is_purpose(hit: Hit[Concept], words: Words) -> bool:
    return words.norms[hit.last : hit.last + 1] != () and words.norms[hit.last] in PURPOSES


def _is_look(hit: Hit[Concept], hits: Sequence[Hit[Concept]], words: Words) -> bool:
    """True for the uptake of "a node with increased uptake" and of "increased uptake in a nodule"."""
    if hit.value.name == "enhancing lesion":  # "a tonsil with striated enhancement"
        led = words.norms[max(0, hit.first - 4) : hit.first]
        named = any(h.last < hit.first and h.value.kind == "finding" for h in hits)
        shown = named and SHOWING & {*led} and not {"no", "not", ".", ";"} & {*led}
        return "with" in led[-2:] or bool(shown) or (named and _is_listed_look(hit, words))
    others = [h for h in hits if h is not hit and h.value.kind in ("finding", "device")]
    behind = min((h.first for h in others if h.first >= hit.last), default=None)
    between = words.norms[hit.last : behind]
    near = len(between) <= NEAR or MEANING & {*between}
    if behind is not None and near and not {",", ";", "."} & {*between}:
        return True
    before = max((h.last for h in others if h.last <= hit.first), default=None)
    if before is None:
        return False
    apart = {",", ";"} & {*words.norms[before : hit.first]}
    return not (apart and words.norms[hit.last : hit.last + 1] and words.norms[hit.last] in WHERE)


def _is_listed_look(hit: Hit[Concept], words: Words) -> bool:
    """True for the enhancement of "a 13 mm lesion, low signal, early enhancement, PI-RADS 4"."""
    norms = words.norms
    comma = next((i for i in range(hit.first - 1, max(-1, hit.first - 4), -1) if norms[i] == ","), None)
    closed = norms[hit.last : hit.last + 1] in ((), (",",), (".",), (";",))
    return comma is not None and closed and not {"no", "without", "not"} & {*norms[comma : hit.first]}
