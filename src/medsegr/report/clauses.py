"""Where the statements of a sentence begin, and which of its words speak of something else.

A clause ends at a stop word ("but"), at strong punctuation, and at a comma or "and" behind which a new
statement begins; a plain list goes on ("no consolidation, effusion or pneumothorax").
"""

from collections.abc import Sequence

from medsegr.report.anew import DENIERS, begun
from medsegr.report.elided import EXCEPTING
from medsegr.report.lexicon import Concept, Cue, word_list
from medsegr.report.link import ORDERED
from medsegr.report.match import Hit, Words
from medsegr.report.side import NUMBERS

IN_FRONT = (*EXCEPTING, ("beside",), ("but", "for"))  # an exception that a sentence begins with
AGED = frozenset(["old", "chronic", "healed", "healing", "remote", "known", "subacute"])
SIZES = frozenset(["small", "mild", "moderate", "minimal", "trace", "tiny", "stable", "unchanged"])
HARD = frozenset([";", "!", "?", ".", "-", "–", "—", "(", ")", "•", "negmark", "posmark"])
ASKING = frozenset([":", "?", "=", "-", "–", "—", "("])
DENIALS = frozenset(["no", "none", "nil", "negative", "neg", "absent", "0", "n", "not"])
ANSWERS = DENIALS | {"yes", "positive", "present", "seen", "pos", "y"}
EDGES = frozenset([",", "and", "with", "plus", "&"])
AGREEING = frozenset(["compatible", "consistent"])
GONE = frozenset(["removed", "withdrawn", "extracted", "resolved", "cleared", "replaced"])
VERBS = frozenset(["is", "are", "was", "were", "remain", "remains"])
FINITE = VERBS | {
    *("has", "have", "had", "cannot", "can", "should", "may", "might", "could", "persist", "persists"),
    *("show", "shows", "contain", "contains", "appear", "appears", "measure", "measures"),
    *("lie", "lies", "end", "ends", "terminate", "terminates", "sit", "sits", "project", "projects"),
}
RELATIVE = frozenset(["which", "that", "who", "not"])
PLURAL = frozenset(["are", "were", "have"])
PARTICIPLES = frozenset(["with", "showing", "containing", "causing"])
NONE = frozenset(
    ["none", "no", "nil", "absent", "negative", "neg", "clear", "normal", "unremarkable", "spared"]
)
STATES = frozenset(  # told of an organ behind its size: "SPLEEN: 14 cm, mildly enlarged"
    [
        *("enlarged", "dilated", "tortuous", "thickened", "atrophic", "distended", "calcified", "narrowed"),
        "bulky",
    ]
)
DEGREES = frozenset(
    ["mildly", "moderately", "slightly", "markedly", "minimally", "severely", "mild", "moderate", "marked"]
)
COUNTED = frozenset([*"23456789", *NUMBERS[1:]])  # nobody counts what is not there
LIST = 12  # words in which the "or" of a list is looked for
HALVES = {"left": "left", "l": "left", "lt": "left", "os": "left"}
HALVES |= {"right": "right", "r": "right", "rt": "right", "od": "right"}
ASIDES = (
    ("not", "to", "be", "confused", "with"),
    ("not", "to", "be", "mistaken", "for"),
    ("not", "be", "confused", "with"),
    ("not", "be", "mistaken", "for"),
    ("in", "contrast", "to"),
    ("in", "contrast", "with"),
    ("unlike",),
    ("previously", "reported", "as"),
    ("previously", "described", "as"),
    ("originally", "reported", "as"),
    ("reported", "as"),
    ("previously", "called"),
    ("previously", "thought"),
    ("formerly", "called"),
    ("formerly",),
)
ASIDE_FIRST = frozenset(said[0] for said in ASIDES)
IMPERATIVES = frozenset(  # "ignore the heart, segment the lungs"
    ["segment", "show", "draw", "delineate", "highlight", "find", "locate", "detect", "extract", "annotate"]
)
IMAGED = frozenset(
    [
        *("imaged", "photographed", "measured", "examined", "assessed", "evaluated", "included", "scanned"),
        *("documented", "recorded", "assessable", "measurable", "covered", "sampled"),
    ]
)
SEEN = frozenset(["seen", "identified", "noted", "demonstrated", "visualized", "evident", "detected"])


def clause_starts(words: Words, cues: Sequence[Hit[Cue]], named: Sequence[Hit[Concept]]) -> tuple[int, ...]:
    """Indices of the words with which a clause begins, 0 first. ``named`` are the concepts, for text
    without punctuation."""
    norms = words.norms
    stops = {hit.first for hit in cues if hit.value.kind == "stop"}
    hard = ({i + 1 for i, norm in enumerate(norms) if norm in HARD} - _between(norms, named)) | stops
    edges = sorted({i for i, norm in enumerate(norms) if norm in EDGES} | hard | {len(norms)})
    inside = {i for hit in cues if hit.last - hit.first > 1 for i in range(hit.first, hit.last)}
    starts = {0} | {s for s in hard if s < len(norms)}
    ends = [_behind(norms, hit.last) for hit in named]
    starts |= {
        e for e in ends if norms[e : e + 1] and norms[e] in SIZES and any(e < h.first <= e + 5 for h in named)
    }
    starts |= {i for i in range(1, len(norms) - 1) if _asks_apart(words, i, named)}
    starts |= {i + 1 for i in range(1, len(norms) - 1) if answers(norms, i)}
    starts |= {i + 1 for i, norm in enumerate(norms) if norm == ":" and _there(norms, i + 1)}
    starts |= {i + 1 for i, norm in enumerate(norms) if norm == ":" and _is_told(norms, i, named)}
    starts |= {e for e in ends if _runs_on(norms, e)} | {
        i + 2 for i in range(len(norms) - 2) if _list_over(norms, i)
    }
    starts |= {i + 1 for i in range(len(norms) - 3) if _next_of_them(norms, i)}
    starts |= _behind_exception(norms) | begun(words, cues, named)
    held = {hit.last for hit in cues if hit.value.direction == "pre"}  # "possibly with a small effusion"
    for i, norm in enumerate(norms):
        # "compatible with mild edema"
        bound = norm == "with" and (i in held or (i and norms[i - 1] in AGREEING))
        if norm in EDGES and i not in inside and not bound:
            after = i + 1
            while after < len(norms) and norms[after] in EDGES:
                after += 1
            end = next((e for e in edges if e > after), len(norms))
            begin = max(s for s in starts if s <= i)
            before, part = norms[begin:i], norms[after:end]
            opens = not _describes(before, part, norms[end : end + 1]) and (
                _stated(before, part, norm)
                or (_opens(norms, after, end, norm) and not _shares_verb(norms, begin, i, after))
            )
            if opens or (norm == "," and _turns(norms, (begin, i, after, end), named)):
                plural = opens and bool(PLURAL & set(norms[after:end]))
                starts.add(_subjects(norms, (begin, i, after), named) if plural else after)
    return tuple(sorted(starts))


def _between(norms: tuple[str, ...], named: Sequence[Hit[Concept]]) -> set[int]:
    """Indices behind the brackets that stand between a denial and the name that it denies: "no active
    (enhancing) lesion"."""
    out: set[int] = set()
    for at in (i for i, norm in enumerate(norms) if norm == "("):
        end = next((i for i in range(at + 1, min(at + LIST, len(norms))) if norms[i] == ")"), None)
        denied = next((i for i in range(at - 1, max(-1, at - 5), -1) if norms[i] in DENIERS), None)
        if end is None or denied is None:
            continue
        before = any(denied < hit.first and hit.last <= end for hit in named)
        behind = any(hit.first <= end + 1 < hit.last for hit in named)
        out |= {at + 1, end + 1} if behind and not before else set()
    return out


def asides(words: Words, starts: tuple[int, ...]) -> frozenset[int]:
    """Words that speak of something else: "an effusion, not to be confused with the fold on the left"."""
    norms = words.norms
    out: set[int] = set()
    for i in (i for i, norm in enumerate(norms) if norm in ASIDE_FIRST):
        said = next((a for a in ASIDES if norms[i : i + len(a)] == a), None)
        if said is not None:
            begin = i + len(said)
            ends = (
                k
                for k in range(begin, len(norms))
                if (k in starts and k > begin) or norms[k] in (",", ";", ".")
            )
            out |= {*range(begin, next(ends, len(norms)))}
    return frozenset(out)


def unseen(words: Words, placed: frozenset[int]) -> frozenset[int]:
    """Words that tell only that a place was not looked at: "a cyst in the left kidney, right not imaged".

    ``placed``: indices of the words of place, organs among them. That a mere side was "not seen" may deny a
    finding, that an organ was not seen denies none.
    """
    norms = words.norms
    out: set[int] = set()
    for i in (i for i, norm in enumerate(norms) if norm == "not" and norms[i + 1 : i + 2]):
        closed = norms[i + 2 : i + 3] in ((), (".",), (",",), (";",), (")",))
        begin = i
        while begin and (begin - 1 in placed or norms[begin - 1] in VERBS | {"the"}):
            begin -= 1
        said = [norms[k] for k in range(begin, i) if norms[k] not in VERBS | {"the"}]
        organ = any(norm not in HALVES for norm in said)
        apart = begin > 0 and norms[begin - 1] in (",", ";", "(", "and", "but")
        looked = norms[i + 1] in IMAGED or (organ and norms[i + 1] in SEEN)
        if closed and apart and looked and said and said[0] in HALVES:
            out |= {*range(begin, i + 2)}
    return frozenset(out)


def _turns(norms: tuple[str, ...], at: tuple[int, int, int, int], named: Sequence[Hit[Concept]]) -> bool:
    """True where a comma ends a denial and the words behind it state something.

    By a verb or size of their own ("no effusion, cardiomegaly is present") or by the other side ("no infarct
    on the right, microbleeds on the left"). ``at``: where the clause, the comma, the words behind it and the
    next edge stand. An "or" makes it a list; so does a second comma, unless sides are told.
    """
    begin, comma, after, end = at
    if not DENIERS & set(norms[begin:comma]) or {"or", "nor"} & set(norms[begin : end + LIST]):
        return False
    if {"normal", "unremarkable"} & set(norms[after:end]):
        return True
    items = [
        [hit for hit in named if low <= hit.first < high] for low, high in ((begin, comma), (after, end))
    ]
    if {"clear", "intact"} & set(norms[after:end]) and all(hit.value.kind != "finding" for hit in items[1]):
        return True  # "no pneumothorax, lungs clear, heart enlarged"
    if not all(items):
        return False
    if _is_sized(norms[items[1][0].last : end]) or norms[after] in COUNTED:
        return True  # "no hydronephrosis, perinephric fluid 3 cm", "no mass, 3 benign calcifications"
    if norms[after] in AGED and _alike(items[0], items[1][0]):
        return True  # "no acute fracture, old fracture of the clavicle"
    last = norms[end : end + 1] in ((), (".",), (";",)) or norms[end - 1] in HARD
    end -= norms[end - 1] in HARD
    if (
        last
        and norms[end - 2 : end] in (("is", "present"), ("are", "present"))
        and "," not in norms[begin:comma]
    ):
        return True
    since = begin if _alike(items[0], items[1][0]) else items[0][0].last  # no list names a thing twice
    told = [HALVES[norm] for norm in norms[since:comma] if norm in HALVES]
    here = [HALVES[norm] for norm in norms[after:end] if norm in HALVES]
    return bool(told and here) and not set(told) & set(here)


def _is_sized(behind: Sequence[str]) -> bool:
    """True where words begin with a size, which nobody tells of what is not there."""
    return len(behind) > 1 and behind[0][0].isdigit() and bool({"mm", "cm"} & {*behind[1:4]})


def denied_half(norms: tuple[str, ...], at: int) -> bool:
    """True for the "left" of "effusions: right small, left none", the "OS" of "OD yes, OS no": it alone is
    denied."""
    before = norms[at - 2 : at - 1] if at > 1 and norms[at - 1] == "the" else norms[max(0, at - 1) : at]
    said = at + 1 + (norms[at + 1 : at + 2] in (("one",), ("side",)))  # "the right one normal"
    closed = norms[said + 1 : said + 2] in ((), (".",), (",",), (";",))
    led = before in ((",",), (";",), (":",), ("-",))
    if norms[at] not in HALVES or not led or not closed or norms[said : said + 1] == ():
        return False
    others = (i for i, norm in enumerate(norms) if norm in HALVES and HALVES[norm] != HALVES[norms[at]])
    told = [norms[i + 1 : i + 2] for i in others]
    return norms[said] in NONE and any(one and one[0] not in NONE for one in told)


def _describes(before: tuple[str, ...], part: tuple[str, ...], behind: tuple[str, ...]) -> bool:
    """True for the "mildly enlarged" of "SPLEEN: 14 cm, mildly enlarged", said of what stands before."""
    bare = part[:-1] if part[-1:] and part[-1] in HARD else part
    bare = bare[1:] if bare[:1] and bare[0] in VERBS else bare
    bare = bare[2:] if bare[:2] == ("no", "longer") else bare[bare[:1] == ("not",) :]
    told = bare[1:] if bare[:1] and bare[0] in DEGREES else bare
    alone = len(told) == 1 and told[0] in STATES and behind not in (("and",), ("with",), ("&",))
    return alone and not DENIERS & {*before}


def _stated(before: tuple[str, ...], part: tuple[str, ...], edge: str) -> bool:
    """True where both sides of a comma or "and" have a verb of their own: "A is equivocal, and B was not
    identified", "A is in place, B has been removed"."""
    if edge == "," and GONE & {*part} and VERBS & {*before}:
        return True
    if part[:1] in (("a",), ("an",)) and FINITE & {*part} and edge != "with" and not {"or", "nor"} & {*part}:
        return True  # "no pneumothorax and a nodule is seen": no list of what is denied has an article
    if edge not in (",", "and") or not FINITE & {*before} or not FINITE & {*part}:
        return False
    if edge == "and" and before[-1] in SEEN and not {"or", "nor"} & {*part}:
        return True  # "no pneumothorax is seen and consolidation is present"
    if edge == "and" and before[-1] == "," and "or" in before and not {"or", "nor"} & {*part}:
        return True  # "no pneumothorax or effusion, and consolidation is seen"
    return not (DENIERS | RELATIVE) & {*before}


def _subjects(norms: tuple[str, ...], at: tuple[int, int, int], named: Sequence[Hit[Concept]]) -> int:
    """Index of the first of several subjects of a verb in the plural: the effusion of "a mass is seen,
    effusion and pneumothorax are absent". ``at``: where the clause, the "and" before the last of them and the
    last of them stand."""
    begin, end, first = at
    while end > begin:
        cut = next((k for k in range(end - 1, begin - 1, -1) if norms[k] in EDGES), begin - 1)
        part = norms[cut + 1 : end]
        bare = not (word_list("verbs") | DENIERS | PARTICIPLES) & {*part}
        own = any(cut < h.first and h.last <= end and h.value.kind in ("finding", "device") for h in named)
        if part and not (bare and own):
            break
        first, end = (max(cut + 1, begin), cut) if part else (first, cut)
    return first


def _alike(ones: Sequence[Hit[Concept]], other: Hit[Concept]) -> bool:
    """True where a finding has the name of one of the others, or a narrower or wider one."""
    names = {other.value.name, *other.value.parents}
    return any(one.value.name in names or other.value.name in one.value.parents for one in ones)


def _asks_apart(words: Words, at: int, named: Sequence[Hit[Concept]]) -> bool:
    """True for the mark of "opacity right base ? infection": only what follows is asked, and the base is the
    opacity's. In "drusen, left ? haemorrhage" the left is where that is asked of. A mark without a blank
    behind it asks of the word ("nodule ?calcified", "fracture ?left"), so a finding must be named there."""
    norms = words.norms
    if norms[at] != "query":
        return False
    begin = max((i + 1 for i in range(at) if norms[i] in EDGES | HARD), default=0)
    end = next((i for i in range(at + 1, len(norms)) if norms[i] in EDGES | HARD), len(norms))
    told = [hit.first for hit in named if hit.value.kind != "anatomy"]
    if words.tokens[at].end == words.tokens[at + 1].start and not any(at < first < end for first in told):
        return False
    return any(begin <= first < at for first in told)


def answers(norms: tuple[str, ...], at: int) -> bool:
    """True for the answer of a form: "effusion: no, nodule: yes"."""
    ends = norms[at + 1 : at + 2] in ((), (",",), (";",), (".",), ("and",), (")",))
    return ends and norms[at] in ANSWERS and norms[at - 1] in ASKING


def _behind(norms: tuple[str, ...], at: int) -> int:
    """Index behind the verb of a finding: "effusion is seen", "effusion identified"."""
    to_be = norms[at : at + 1] in (("is",), ("are",))
    seen = norms[at + to_be : at + to_be + 1]
    return at + to_be + 1 if seen and (seen[0] in SEEN or (to_be and seen[0] == "present")) else at


def _runs_on(norms: tuple[str, ...], at: int) -> bool:
    """True for a new sentence without a stop before it: "no pneumothorax the lungs are hyperinflated"."""
    if norms[at : at + 1] == ("there",):
        return _there(norms, at)
    return norms[at : at + 1] == ("the",) and bool({"is", "are"} & set(norms[at + 2 : at + 5]))


def _behind_exception(norms: tuple[str, ...]) -> set[int]:
    """Index of the statement behind the exception that a sentence begins with: "apart from a polyp in the
    sigmoid the colon was normal"."""
    if not any(norms[: len(said)] == said for said in IN_FRONT):
        return set()
    for i in range(2, len(norms) - 2):
        led = norms[i - 1] not in word_list("prepositions") | EDGES
        states = norms[i] in ("the", "there") and bool(VERBS & {*norms[i + 1 : i + 6]})
        if led and (norms[i] == "no" or states):
            return {i}
    return set()


def _next_of_them(norms: tuple[str, ...], at: int) -> bool:
    """True for the comma of "the larger lies on the left, the smaller on the right"."""
    return (
        norms[at] in (",", "and", "while")
        and norms[at + 1] == "the"
        and norms[at + 2] in ORDERED
        and bool(ORDERED & {*norms[:at]})
        and norms[at + 3] in word_list("prepositions") | word_list("verbs")
    )


def _is_told(norms: tuple[str, ...], at: int, named: Sequence[Hit[Concept]]) -> bool:
    """True for the colon of "no transition point: ileus is favoured": what is denied stands before it. What
    the colon of "no evidence of: mass, effusion" leads to is denied."""
    begin = max((i for i in range(at) if norms[i] in DENIERS), default=at)
    return any(begin < hit.first < at for hit in named if hit.value.kind != "anatomy")


def _there(norms: tuple[str, ...], at: int) -> bool:
    return norms[at : at + 2] in (("there", "is"), ("there", "are"))


def _list_over(norms: tuple[str, ...], at: int) -> bool:
    """True for the "seen," that closes a denied list: "no effusion seen, hilar calcification"."""
    denied = norms[at - 1] == "not" or bool(DENIERS & set(norms[max(0, at - 12) : at]))
    closed = norms[at] in SEEN | {"observed"} and norms[at + 1] == "," and denied
    return closed and not {"or", "nor"} & set(norms[at + 2 : at + 10])


def _shares_verb(norms: tuple[str, ...], begin: int, at: int, after: int) -> bool:
    """True for "consolidation and atelectasis have developed": two subjects of one verb, no new statement."""
    before = norms[begin:at]
    one = [norm for norm in norms[after : after + 8] if norm in ("is", "has", "was")]
    sides = (
        {HALVES[n] for n in before if n in HALVES},
        {HALVES[n] for n in norms[after : after + 2] if n in HALVES},
    )
    if one and all(sides) and not sides[0] & sides[1]:
        return False  # "left consolidation and right pneumothorax has resolved"
    plain = norms[after] not in (
        DENIERS | word_list("openers") | {"there", "which", "but", "it", "this", "the"}
    )
    return norms[at] == "and" and plain and not word_list("verbs") & set(before) and not DENIERS & set(before)


def _opens(norms: tuple[str, ...], start: int, end: int, edge: str) -> bool:
    """True when the words behind a comma or "and" begin a new statement instead of the next item of a
    list."""
    part = norms[start:end]
    if not part or part[0] in ("or", "nor"):
        return False
    if part[0] in DENIERS or part[0] in IMPERATIVES or part[0] in ("there", "which", "but", "it", "this"):
        return True
    if edge == "with":
        return part[0] in word_list("openers")
    if part[:2] in (("on", "the"), ("in", "the"), ("at", "the")) and part[2:3] and part[2] in HALVES:
        fronted = part[3 + (part[3:4] == ("side",)) :][:1]
        if fronted and fronted[0] in ("there", "no", "is", "are"):
            return True  # "... and on the right there is an effusion"
    side = part[part[0] == "the" :][:2]  # "the right effusion is smaller, the left larger"
    than = "than" in part[:5]  # "opacities, left worse than right"
    if len(side) == 2 and side[0] in HALVES and side[1] in word_list("changed") and not than:
        return True
    verbs = [i for i, norm in enumerate(part) if norm in word_list("verbs") and part[i - 1] != "to"]
    if verbs:
        behind = part[verbs[0] + 1 : verbs[0] + 3]
        return not (word_list("list_verb") & set(behind))
    return part[0] in word_list("openers") and "or" not in norms[start : start + 12]
