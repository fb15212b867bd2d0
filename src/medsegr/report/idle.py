"""Where a cue does not act: on what stands before an adjective, behind a comparison, in an explanation."""

from collections.abc import Collection, Sequence

from medsegr.report import lexicon
from medsegr.report.lexicon import Concept, Cue
from medsegr.report.match import Hit, Words

COMPARING = frozenset(["compared", "comparison", "than", "since", "versus", "vs"])
TOLD = frozenset(["identified", "seen", "noted", "visible", "present"])
DOUBTING = (("suspicious", "for"), ("concerning", "for"), ("worrisome", "for"), ("suggestive", "of"))
BACK = 7  # words in which a comparison is looked for
OPEN_ENDS = frozenset(["excluded", "out"])  # of "cannot be excluded", "cannot be ruled out"
SEEING = frozenset(
    [
        *("seen", "present", "visible", "identified", "found", "noted", "evident", "detected", "visualized"),
        *("apparent", "demonstrated", "there", "depicted", "recognized", "appreciated"),
    ]
)
TO_BE = frozenset(["is", "are", "was", "were", "can", "could", "be", "any", "longer", "now", "still"])
AROUND = frozenset(
    [
        *("around", "about", "surrounding", "near", "beside", "along", "beneath", "underneath", "behind"),
        *("within", "inside", "in", "at", "adjacent", "throughout"),
    ]
)
CHANGES = frozenset(  # "no rupture of the aneurysm": who says so sees the aneurysm
    [
        *("loosening", "migration", "displacement", "kinking", "fracture", "breakage", "infection"),
        *("dislocation", "subsidence", "enlargement", "expansion", "extension", "worsening", "progression"),
        *(
            "rupture",
            "torsion",
            "dehiscence",
            "leakage",
            "thrombosis",
            "growth",
            "hemorrhage",
            "enhancement",
            *("calcification", "occlusion", "obstruction", "necrosis"),
        ),
    ]
)
ENDS = frozenset(["tip", "end", "course", "termination", "sidehole"])  # of a tube or line
DEFINITE = frozenset(["the", "this", "these", "that", "known", "existing", "previous", "prior", "old"])
PARTING = frozenset(["or", "and", "nor", ",", ";", ":", ".", "/", "&", "of", "to"])
WIDE = frozenset(["lesion", "mass", "abnormality"])  # mostly what has been named before by another word
AHEAD = 7  # words behind "around the" in which the thing is named
HEALED = frozenset(["healed", "resolved", "eradicated"])
LEADS = frozenset(["and", "with", "an", "the", ","])
UNREAL = frozenset(  # what a thing that seems to be there is instead
    [
        *("artifact", "artefact", "artifactual", "artefactual", "summation", "superimposition", "stool"),
        *("faece", "feces", "faecal", "fecal", "residue", "mucu", "bubble", "spurious", "technical"),
        *("averaging", "underdistension", "nondistension", "peristalsis", "pseudolesion", "overlap"),
    ]
)
NO_MEANING = frozenset(  # after which it may be nothing, too: "the opacity is likely positional"
    [
        *("real", "typical", "normal", "positional", "projectional", "rotational", "vascular", "external"),
        *("extrinsic", "artificial", "clinical", "variant"),
    ]
)
MEANINGS = (  # ends of words that tell what a thing is due to or how grave it is: "infective", "reactive"
    *("ive", "ous", "ic", "ary", "ory", "ign", "ant", "al"),
    *("related", "induced", "secondary", "physiological", "incidental"),
)
ENDING = frozenset([".", ",", ";", ")", ":", "and", "but", "on", "in", "at", "/"])  # behind an answer


def acts_back(words: Words, hit: Hit[Cue]) -> bool:
    """False for a cue that says nothing of what stands before it: the "healed" of "skin tags, a healed
    fissure", the "last week" of "new compared to the scan of last week", what is not seen of a tube's tip."""
    before = words.norms[max(0, hit.first - BACK) : hit.first]
    if hit.value.kind == "negation" and _of_part(before):
        return False
    if hit.value.value == "prior":
        return not COMPARING & {*before}
    alone = hit.last - hit.first == 1
    if words.norms[hit.first : hit.last] == ("n",):
        return False  # it is an answer, or no cue
    if alone and words.norms[hit.first] in ("neg", "negative", "nil"):
        behind = words.norms[hit.last : hit.last + 1]  # "full of stones, neg Murphy", "erosions, nil ulcer"
        return not behind or behind[0] in ENDING
    if alone and words.norms[hit.first] == "absent" and before[-1:] and before[-1] in LEADS:
        behind = words.norms[hit.last : hit.last + 1]  # "clips, and absent right breast shadow"
        return not behind or behind[0] in ("on", "in", "at", ".", ",", ";", "and")
    one = alone and hit.value.value in ("resolved", "removed")
    return not (one and before[-1:] in (("a",), ("an",), ("old",)))


def qualifies(words: Words, hit: Hit[Cue], named: Collection[int]) -> bool:
    """True for the "healed" of "atrophy, suggestive of healed chorioretinitis": it is said of the name that
    follows, not of what stands before it. ``named``: indices of the words that name findings."""
    alone = hit.last - hit.first == 1 and words.norms[hit.first] in HEALED
    return alone and hit.last in named and hit.first - 1 not in named


def _of_part(before: Sequence[str]) -> bool:
    """True where only a part of a thing is what a denial behind it speaks of: "the tip of the tube is not
    seen", "NG tube, tip not visualised"."""
    bare = [norm for norm in before if norm not in TO_BE | {"the", "its"}]
    if bare[-1:] and bare[-1] in ENDS:
        return True
    begins = max((i for i, norm in enumerate(bare) if norm in (",", ";", ".", "and", "but")), default=-1) + 1
    return bare[begins + 1 : begins + 2] == ["of"] and bare[begins] in ENDS


def presumed(norms: Sequence[str], first: int, end: int, named: Collection[int]) -> tuple[int, int] | None:
    """First and last (exclusive) word of what a denial of something else takes for there: the prosthesis of
    "no fluid around the left hip prosthesis", the aneurysm of "no rupture of the aneurysm"; None for nothing.

    ``first`` and ``end``: the words that are denied; ``named``: indices of the words that name findings.
    """
    for i in range(first + 1, end - 1):
        led = norms[i] in AROUND or (norms[i] == "of" and norms[i - 1] in CHANGES)
        if not led or norms[i + 1] not in DEFINITE:
            continue
        at = next((k for k in range(i + 2, min(end, i + AHEAD)) if k in named), None)
        if at is None or PARTING & {*norms[i + 1 : at]} or norms[at] in WIDE:
            continue
        return i, next((k for k in range(at, end) if k not in named), end)
    return None


def of_them(norms: Sequence[str], last: int, end: int, named: Collection[int]) -> int:
    """Index of the first word that "none of the ..." denies: what is told of the things, which are there
    ("none of the lesions enhances"), unless it is that they are seen. ``last``: the word behind the cue."""
    at = next((k for k in range(last, end) if k in named), None)
    if at is None:
        return last
    behind = next((k for k in range(at, end) if k not in named), end)
    told = [norm for norm in norms[behind:end] if norm not in TO_BE]
    return behind if told and told[0].isalpha() and told[0] not in SEEING else last


def is_meaning(norms: Sequence[str], first: int, end: int) -> bool:
    """True for the "infective or drug related" of "the opacity is likely infective or drug related": the
    opacity is there. ``first`` and ``end``: the words behind "likely"; what is no more than an appearance
    ("artefactual") is not there for sure."""
    told = norms[first : first + 1] if first < end else ()
    return bool(told) and told[0].endswith(MEANINGS) and told[0] not in UNREAL | NO_MEANING


def explained_at(norms: Sequence[str], first: int, end: int) -> int:
    """Index of the comma with which a denial ends, since the words behind it say what it may mean: "does not
    opacify, suspicious for thrombosis"; ``end`` where there is none."""
    commas = [i for i in range(first, end) if norms[i] == ","]
    told = (i for i in commas if _tells_anew(norms, first, i, end))
    return next((i for i in commas if tuple(norms[i + 1 : i + 3]) in DOUBTING), next(told, end))


def _tells_anew(norms: Sequence[str], first: int, comma: int, end: int) -> bool:
    """True for the comma of "no polyp seen at the scar, tattoo identified": what is behind it is there."""
    behind = [norm for norm in norms[comma + 1 : end] if norm != "."]
    alone = "," not in behind and not {"or", "nor", "and"} & {*behind}
    return alone and bool(behind) and behind[-1] in TOLD and bool(TOLD & {*norms[first:comma]})


def denying(cues: Sequence[Hit[Cue]], hits: Sequence[Hit[Concept]], words: Words) -> tuple[Hit[Cue], ...]:
    """The cues, with the mere denial for one that speaks of the technique by the first word of a finding: the
    "no contrast" of "no contrast extravasation"."""
    out = list[Hit[Cue]]()
    for cue in cues:
        masked = cue.value.kind == "pseudo" and words.norms[cue.first] in ("no", "without")
        if masked and any(h.first == cue.first + 1 and h.last > cue.last for h in hits):
            plain = lexicon.cues()[words.norms[cue.first : cue.first + 1]]
            out += [Hit(one, cue.first, cue.first + 1) for one in plain]
        else:
            out.append(cue)
    return tuple(out)
