"""What a name means where it is said: the narrower concept at a place, in a kind of image, or in a report of
a part of the body."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from medsegr.report import lexicon
from medsegr.report.builds import Candidate
from medsegr.report.lexicon import Concept, Place, Refine
from medsegr.report.match import ENDS, Words, find_concepts, prostate_end
from medsegr.report.parts import wholes
from medsegr.report.placing import Setting
from medsegr.report.poles import POLED, is_pole, pole_of
from medsegr.report.sentence import BRAIN, Sentence
from medsegr.report.side import Spot

BODIES = ("chest", "neuro", "heart", "limb")  # parts whose words ("oedema", "effusion") mean different things
INTO = frozenset(  # in normal form
    ["infiltrate", "abut", "displace", "contact", "indent", "compress"]
)
GROWING = frozenset(
    [
        *("involve", "involves", "involving", "extend", "extends", "extending", "invade", "invades"),
        *("invading", *INTO, "abut", "abuts", "abutting", "encases", "encasing", "reaches"),
        *("reaching", "crosses", "crossing", "contacting", "contacts", "displacing", "displaces"),
    ]
)
SPOTS = {"white matter lesion": "signal abnormality"}
LARGE_MM = 20.0  # plaques and spots of old age are smaller
LIMBS = frozenset(["arm", "leg", "shoulder", "hip bone", "femur", "humerus", "tibia", "joint"])


def refined(item: Candidate, spot: Spot, sentence: Sentence, setting: Setting) -> Concept:
    """The narrower concept at a place, in a kind of image, or in a report of a part of the body."""
    own = _where_it_is(item, spot, sentence.words)
    names = {p.name for p in own} | {p.of for p in own}
    if not names & lexicon.concepts().keys():  # "LEFT BREAST: ... A mass at 2 o'clock."
        names |= {sentence.under or setting.organ}
    names |= {whole for name in names for whole in wholes(name)}
    sign = sentence.sign_of(item)
    narrower = {rule.name for rule in _refines_of(item.concept.name)}
    if sign is not None and sign.concept.name in narrower:
        return sign.concept  # an adrenal nodule "in keeping with an adenoma"
    for rule in _refines_of(item.concept.name):
        if (
            (names & rule.places or not rule.places)
            and not names & rule.unless
            and _in_image(rule, setting.modality)
            and _shown(rule, setting.modality)
            and (not rule.about or (_told_beside(item, sentence) or setting.about) in rule.about)
            and not (rule.bare and any(last - first > 1 for first, last in item.parts))
        ):
            return lexicon.concepts()[rule.name]
    return item.concept


def _in_image(rule: Refine, modality: str | None) -> bool:
    """Whether the rule holds in a kind of image; where nobody told that, the words around may tell enough."""
    known = modality is None and bool(rule.about) and "" not in rule.about
    return not rule.modalities or modality in rule.modalities or known


def _shown(rule: Refine, modality: str | None) -> bool:
    """False where an endoscopy would lose what it shows: a tumour in a bronchus is no "lung tumour"."""
    shown = lexicon.concepts()[rule.name].modalities
    return modality != "ES" or not shown or modality in shown


def _where_it_is(item: Candidate, spot: Spot, words: Words) -> tuple[Place, ...]:
    """The places without those that it only reaches: a mass in the liver "extending into the kidney" is none
    of the kidney."""
    grown = (i for i in range(item.last, len(words.norms)) if words.norms[i] in GROWING)
    ends = next((words.tokens[i].start for i in grown), None)
    if ends is None:
        return spot.places
    own = tuple(p for p, head in zip(spot.places, spot.heads, strict=True) if head[0] < ends)
    reached = INTO & {*words.norms[item.last : item.last + 1]}  # "the mass infiltrates the bladder"
    return own if own or reached else spot.places


@lru_cache(maxsize=4096)
def _refines_of(base: str) -> tuple[Refine, ...]:
    return tuple(rule for rule in lexicon.refines() if rule.base == base)


def _told_beside(item: Candidate, sentence: Sentence) -> str:
    """Part of the body of the nearest other name in the sentence: the brain for "glioma with oedema"."""
    others = [(c.first, c.concept) for c in (*sentence.candidates, *sentence.anatomy)]
    if len(others) < 2:  # what a request names as a landmark only is none of these
        others = [(hit.first, hit.value) for hit in find_concepts(sentence.words, None)]
    told = [(abs(at - item.first), concept.field) for at, concept in others if at != item.first]
    return min((one for one in told if one[1] in BODIES), default=(0, ""))[1]


def most_told(sentences: Sequence[Sentence], modality: str | None) -> str:
    """The part of the body that most of the report speaks of; "" for none of those that matter.

    A chest film may tell of a shoulder: in radiographs and CT only a title or heading makes it a limb's.
    """
    loose = {rule.base for rule in lexicon.refines() if rule.about}
    named = [c.concept for s in sentences for c in (*s.candidates, *s.anatomy)]
    fields = [concept.field for concept in named if concept.name not in loose and concept.modalities]
    fields += ["neuro" for s in sentences for e in s.elements if e.place and e.place.name in BRAIN]
    telling = [s for s in sentences if not s.candidates or modality in ("MR", "US")]
    places = [e.place for s in telling for e in s.elements if e.place]
    fields += ["limb" for place in places if {place.name, place.of} & LIMBS]
    return max(BODIES, key=fields.count) if set(BODIES) & set(fields) else ""


def fitting(spot: Spot, item: Candidate, setting: Setting) -> Spot:
    """Without the lung's apex and base where these are the heart's: an "apical aneurysm" of the ventricle."""
    spot = _in_organ(spot, setting.organ)
    bare = setting.about == "heart" and {p.name for p in spot.places} & ENDS
    if not (item.concept.field == "heart" or bare) or all(p.of != "lung" for p in spot.places):
        return spot
    kept = [i for i, p in enumerate(spot.places) if p.of != "lung"]
    places, heads = tuple(spot.places[i] for i in kept), tuple(spot.heads[i] for i in kept)
    return replace(spot, places=places, heads=heads, rows=())


def _in_organ(spot: Spot, organ: str) -> Spot:
    """With the poles of the organ of the title, where they were taken for those of a kidney, and the ends of
    the prostate, where they were taken for the lung's."""
    if organ == "prostate" and ENDS & {p.name for p in spot.places}:
        made = {p: prostate_end(p.name) for p in spot.places if p.name in ENDS}
        places = tuple(made.get(p, p) for p in spot.places)
        return replace(spot, places=places, rows=tuple(row for p in places for row in p.rows))
    if organ not in POLED.values():
        return spot
    places = tuple(pole_of(p, organ) if is_pole(p) else p for p in spot.places)
    return replace(spot, places=places)


def of_size(concept: Concept, size_mm: tuple[float, ...] | None) -> Concept:
    """The concept, or what it is where it is large: a "FLAIR hyperintensity" of 33 mm is no spot in the white
    matter, as which plaques may be drawn, but an abnormal signal, as of a glioma."""
    large = SPOTS.get(concept.name) if size_mm and max(size_mm) >= LARGE_MM else None
    return lexicon.concepts()[large] if large else concept


def of_density(item: Candidate, words: Words) -> bool:
    """Whether it is told where more of them are than elsewhere: "nuclei density in the left is high"."""
    return item.concept.name == "nucleus" and "density" in words.norms[item.first : item.last]


def kept(spot: Spot, concept: Concept) -> Spot:
    """Without the side where a side beside the concept is not its own; of a limb it is: "arthritis of the
    right hip"."""
    limb = concept.kind == "finding" and any({p.name, p.of} & LIMBS for p in spot.places)
    return spot if concept.sided or limb else replace(spot, side=None)
