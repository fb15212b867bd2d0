"""The whole report of a phantom: it describes some lesions, and denies and doubts only what is not there."""

from collections.abc import Sequence

import numpy as np

from medsegr.phantom import sentences as s
from medsegr.phantom.scene import Spot
from medsegr.phantom.words import Said

SOLID = {"nodule", "calcified granuloma", "mass"}
LUNG_LIKE = {"opacity", "consolidation", "ground-glass opacity", *SOLID}
# Words of a denial, and the concepts of which none may lie where it is said.
CHEST_DENIED = {
    "nodule": SOLID,
    "mass": SOLID,
    "consolidation": {"opacity", "consolidation", "ground-glass opacity"},
    "nodule or mass": SOLID,
    "opacity": LUNG_LIKE,
}


def _pick(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _fill(pattern: str, one: Said, two: Said | None = None) -> str:
    first = one.article + one.phrase
    second = two.article + two.phrase if two else ""
    return pattern.replace("{A}", _capital(first)).replace("{a}", first).replace("{b}", second)


def present(rng: np.random.Generator, said: Sequence[Said]) -> list[str]:
    """Sentences that describe the lesions, in order, now and then two in one."""
    out, i = [], 0
    while i < len(said):
        if i + 1 < len(said) and rng.random() < 0.2:
            out.append(_fill(_pick(rng, s.TWO), said[i], said[i + 1]))
            i += 2
            continue
        pattern = _pick(rng, s.PRESENT)
        if i == 0 and ("also" in pattern.lower() or "addition" in pattern):
            pattern = s.PRESENT[0]
        out.append(_fill(pattern, said[i]))
        i += 1
    return out


def _placed(rng: np.random.Generator, kind: str, spots: Sequence[Spot]) -> list[str]:
    """Denials with a place, only where the concept (or one that could be meant by it) has no lesion."""
    if kind == "chest":
        side = _pick(rng, ("right", "left"))
        there = {p.name for p in spots if p.place.location["side"] == side}
        free = [word for word, names in CHEST_DENIED.items() if not names & there]
        clear = [f"The {side} lung is clear."] if not there else []
        texts = (
            [t.replace("{c}", _pick(rng, free)).replace("{p}", f"{side} lung") for t in s.CHEST_PLACED]
            if free
            else []
        )
        return [_pick(rng, [*clear, *texts])] if texts else []
    organs = ("liver", "spleen", "right kidney", "left kidney")
    taken = {str(p.place.location["organ"]) for p in spots}
    empty = [o for o in organs if o not in taken]
    if not empty:
        return []
    organ = _pick(rng, empty)
    thing = _pick(rng, ("cyst", "mass") if "kidney" in organ else ("lesion", "mass"))
    return [_pick(rng, s.ABDOMEN_PLACED).replace("{c}", thing).replace("{p}", organ)]


def _some(rng: np.random.Generator, pool: Sequence[str], low: int, high: int) -> list[str]:
    count = min(len(pool), int(rng.integers(low, high + 1)))
    return [pool[i] for i in rng.permutation(len(pool))[:count]]


def _findings(rng: np.random.Generator, kind: str, spots: Sequence[Spot], said: Sequence[Said]) -> list[str]:
    if kind in s.OTHERS:
        rest = _some(rng, s.OTHERS[kind], 0, 3)
    else:
        absent, normal, doubt = (
            (s.CHEST_ABSENT, s.CHEST_NORMAL, s.CHEST_UNCERTAIN)
            if kind == "chest"
            else (s.ABDOMEN_ABSENT, s.ABDOMEN_NORMAL, s.ABDOMEN_UNCERTAIN)
        )
        concepts = list(dict.fromkeys(c for c, _ in absent))
        chosen = _some(rng, concepts, 1, 3)
        rest = [_pick(rng, [t for c, t in absent if c == concept]) for concept in chosen]
        rest += _some(rng, normal, 0, 3)
        if rng.random() < 0.25:
            free = [t for t in doubt if not any(c in t.lower() for c in chosen)]
            rest += _some(rng, free, 1, 1)
        if rng.random() < 0.5:
            rest += _placed(rng, kind, spots)
    told = present(rng, said) if spots else [_pick(rng, s.NORMAL[kind])]
    whole = [rest[i] for i in rng.permutation(len(rest))]
    for sentence in told[::-1]:
        cut = int(rng.integers(len(whole) + 1)) if rng.random() < 0.5 else 0
        whole.insert(cut, sentence)
    return whole


def write(rng: np.random.Generator, kind: str, spots: Sequence[Spot], said: Sequence[Said]) -> str:
    """The report's text. Sections for chest and abdomen, free sentences for the other kinds."""
    findings = _findings(rng, kind, spots, said)
    if kind in s.OTHERS:
        return " ".join(findings)
    lines = _some(rng, s.HEADERS[kind], 0, 2)
    lines.append("FINDINGS: " + " ".join(findings))
    if rng.random() < 0.75:
        closing = _some(rng, s.CLOSING[kind], 1, 1)
        if rng.random() < 0.4:
            closing.insert(0, _capital(said[int(rng.integers(len(said)))].phrase) + ".")
        lines.append("IMPRESSION: " + " ".join(closing))
    return _pick(rng, ("\n", "\n\n")).join(lines)
