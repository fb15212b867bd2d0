"""Organs that a text asks for by name ("left lung, right lung and heart"), and names that only tell where
something else lies: who asks for a node in the mediastinum is not shown the mediastinum."""

from medsegr.report import lexicon
from medsegr.report.lexicon import plain_words, word_list
from medsegr.report.parts import SHAPES, landmark
from medsegr.report.sentence import Sentence

JOINTS = frozenset(["and", ",", "&", ";", "/", "+", "plus", "or", "but", ".", "|"])
INTO = frozenset(["of", "in", "within"])  # an organ behind one of these is the place of the one before it
WITHIN = INTO - {"of"} | {"on", "at", "near", "inside", "behind", "over", "beside", "around", "into"}
WITHIN |= {"surrounding"}
STRUCTURES = frozenset(["artery", "vein", "duct", "nerve", "ligament", "node", "valve"])  # named by an organ
CLOSE = frozenset(["close", "closely", "tightly", "contour"])  # "a contour closely around the left lung"
Head = tuple[str, int, int]  # concept, first word, last word (exclusive)


def heads(sentence: Sentence) -> list[Head]:
    """Each organ that is asked for; none that only holds something ("liver, fluid in the spleen")."""
    return [head for head in _named(sentence) if not _holds(sentence, head)]


def _named(sentence: Sentence) -> list[Head]:
    norms = sentence.words.norms
    found: list[Head] = []
    for organ in sentence.anatomy:
        between = norms[found[-1][2] : organ.first] if found else ()
        joints = [i for i, norm in enumerate(between) if norm in JOINTS]
        near = bool(joints) and (len(between) - joints[-1] <= 3 or not INTO & {*between[joints[-1] :]})
        if not found or near or _apart(sentence, found[-1][2], organ.first):
            found.append((organ.concept.name, organ.first, organ.last))
    if found:
        return found
    known = lexicon.concepts()
    return [
        (e.place.of, e.first, e.last)
        for e in sentence.elements
        if e.place is not None and e.place.of in known and not landmark(sentence.words.norms, e.first)
    ][:1]


def border(sentence: Sentence, end: int, begin: int) -> int:
    """Index of the first word that belongs to the later of two organs: the one behind the last "and", comma
    or line end."""
    joints = [i for i in range(end, begin) if sentence.words.norms[i] in JOINTS]
    lines = [i for i in range(end, begin + 1) if _begins_line(sentence, i)]
    return max([*(i + 1 for i in joints), *lines], default=begin)


def _begins_line(sentence: Sentence, at: int) -> bool:
    tokens = sentence.words.tokens
    return at > 0 and "\n" in sentence.words.text[tokens[at - 1].end : tokens[at].start]


def _apart(sentence: Sentence, end: int, begin: int) -> bool:
    """True for the next of a list without joints: on its own line, behind a number ("1) liver 2) spleen"), or
    of at least three names and nothing else ("liver spleen kidney")."""
    if any(_begins_line(sentence, i) for i in range(end, begin + 1)):
        return True
    between = sentence.words.norms[end:begin]
    if between:
        return any(norm.isdecimal() for norm in between) and not any(norm.isalpha() for norm in between)
    return len(sentence.anatomy) > 2 and sum(c.last - c.first for c in sentence.anatomy) == len(
        sentence.words.norms
    )


def asked_for(sentence: Sentence) -> list[Head]:
    """The organs that a direct phrase asks for itself: those before what it denies ("vessels, no
    haemorrhage"), and none that tells the place of a thing unknown here ("node in the mediastinum") or that
    such a thing is named by ("heart valve")."""
    until = min((c.first for c in sentence.candidates), default=len(sentence.words.norms))
    found = [head for head in heads(sentence) if head[1] < until]
    if sentence.candidates and ":" in sentence.words.norms[:until]:
        return []  # "liver: no lesion"
    return [] if found and _of_other(sentence, found[0]) else found


def _holds(sentence: Sentence, head: Head) -> bool:
    """True where a substance or a look is told to lie in an organ ("fluid in the liver", "a dark area in the
    lung"): the organ is its place, and not what is meant."""
    norms = sentence.words.norms
    for at in range(max(1, head[1] - 3), head[1]):
        spot = norms[at - 1] in word_list("spots") and norms[at - 2 : at - 1]
        shade = bool(spot) and norms[at - 2] in word_list("shades")
        if norms[at] in WITHIN and (norms[at - 1] in word_list("substances") or shade):
            return True
    return False


def _of_other(sentence: Sentence, head: Head) -> bool:
    norms, (_, first, last) = sentence.words.norms, head
    free = loose(sentence)
    before = [i for i in range(first) if norms[i] in WITHIN]
    led = (
        bool(before) and any(i in free for i in range(before[-1])) and not free & {*range(before[-1], first)}
    )
    named = last in free and norms[last] in lexicon.known_words() and norms[last] not in WITHIN
    named = named or (norms[last : last + 1] != () and norms[last] in STRUCTURES)
    return led or named


def loose(sentence: Sentence) -> frozenset[int]:
    """Words that name something, as far as can be told, and nothing that was read."""
    told = {i for e in sentence.elements for i in range(e.first, e.last)}
    told |= {i for d in sentence.descriptors for i in range(d.first, d.last)}
    told |= {i for c in (*sentence.anatomy, *sentence.candidates) for i in range(c.first, c.last)}
    told |= {
        i
        for s in sentence.scopes
        for i, token in enumerate(sentence.words.tokens)
        if s.span[0] <= token.start < s.span[1]
    }
    listed = SHAPES.union(
        *map(word_list, ("glue", "asks", "polite", "verbs", "list_verb")), plain_words(), CLOSE
    )
    norms = sentence.words.norms
    return frozenset(
        i
        for i, norm in enumerate(norms)
        if i not in told and norm.isalpha() and len(norm) > 2 and norm not in listed
    )
