"""Lists of what somebody asks for: each member is a finding, also the part of an organ behind an organ
("heart and left lower lobe") and a word that nothing is known of ("liver, spleen and omentum")."""

from collections.abc import Sequence

from medsegr.findings import Span
from medsegr.report import lexicon
from medsegr.report.heads import INTO, WITHIN, heads, loose
from medsegr.report.sentence import Sentence

WORDY = (("as", "well", "as"), ("along", "with"), ("together", "with"), ("and",), ("plus",), ("&",), ("+",))
SHORT = ((",",), ("/",), (";",), ("|",))  # behind these a place may be told, too: "nodule, left lung"
MOST = 4  # words of a thing that nothing is known of
Member = tuple[int, int, bool]  # first word, last word (exclusive), whether a word joins it to what is before


def asked_apart(sentence: Sentence) -> list[Span]:
    """Where the statements of a direct phrase or request stand that are to be read one by one; its own span
    alone where no member of a list would be lost in it."""
    members = _members(sentence.words.norms)
    if len(members) < 2 or sentence.scopes:
        return [sentence.span]
    named = _named(sentence)
    lost = [i for i in range(len(members)) if _is_lost(sentence, members, i, named)]
    if not lost:
        return [sentence.span]
    runs: list[list[Member]] = []
    for i, member in enumerate(members):
        if runs and i not in lost and i - 1 not in lost:
            runs[-1].append(member)
        else:
            runs.append([member])
    return [sentence.words.span(run[0][0], run[-1][1]) for run in runs]


def one_by_one(sentence: Sentence) -> list[Span]:
    """Where each member of a list stands; nothing where the sentence holds none, or denies."""
    members = [] if sentence.scopes else _members(sentence.words.norms)
    return [sentence.words.span(low, high) for low, high, _ in members] if len(members) > 1 else []


def _members(norms: Sequence[str]) -> list[Member]:
    found: list[Member] = []
    low, at, wordy = 0, 0, False
    while at < len(norms):
        joint = next((j for j in (*WORDY, *SHORT) if tuple(norms[at : at + len(j)]) == j), None)
        if joint is None:
            at += 1
            continue
        if at > low:
            found.append((low, at, wordy))
            wordy = False
        wordy = wordy or joint in WORDY
        low = at = at + len(joint)
    if low < len(norms):
        found.append((low, len(norms), wordy))
    return found


def _named(sentence: Sentence) -> frozenset[int]:
    """The first words of all that is found in the sentence as a whole."""
    real = [c.first for c in sentence.candidates if c.concept.kind != "statement"]
    return frozenset(real or [first for _, first, _ in heads(sentence)])


def _is_lost(sentence: Sentence, members: Sequence[Member], i: int, named: frozenset[int]) -> bool:
    low, high, wordy = members[i]
    if named & {*range(low, high)}:
        return False
    organs = _organs(sentence, low, high)
    findings = [c for c in sentence.candidates if c.concept.kind != "statement"]
    beside = [members[k] for k in (i - 1, i + 1) if 0 <= k < len(members)]
    joined = wordy if i else members[1][2]
    places = any(e.place is not None and low <= e.first < high for e in sentence.elements)
    if not (organs or (places and joined)):
        return _is_unknown(sentence, low, high)
    if not findings:
        own = {organ for one in beside for organ in _organs(sentence, one[0], one[1])}
        return joined or not organs & own
    placed = (WITHIN | INTO) & {*sentence.words.norms[:low]}
    whole = any(low <= c.first < high for c in sentence.anatomy)
    shared = not whole and any(low < c.first and _of_organs(sentence, c.first, c.last) for c in findings)
    near = any(named & {*range(*one[:2])} for one in (beside[:1] if i else beside))
    listed = _bare(sentence, members, named)
    return (listed or (joined and near)) and not placed and not shared


def _bare(sentence: Sentence, members: Sequence[Member], named: frozenset[int]) -> bool:
    """True for "gallstone, liver and spleen", of which nothing is a place with a side or height, and for "the
    heart, the left lung and any effusion", where each is a thing of its own."""
    free = [(low, high) for low, high, _ in members if not named & {*range(low, high)}]
    told = {e.field for e in sentence.elements for low, high in free if low <= e.first < high}
    organs = {c.first for c in sentence.anatomy}
    whole = all(organs & {*range(low, high)} for low, high in free)
    apart = all(low == 0 or sentence.words.norms[low] == "the" for low, _ in free)
    return len(members) > 2 and members[-1][2] and whole and (apart or not told & {"side", "rows", "cols"})


def _organs(sentence: Sentence, low: int, high: int) -> frozenset[str]:
    """The organs that are named there, or of which a part is."""
    told = [e.place.of for e in sentence.elements if e.place is not None and low <= e.first < high]
    told += [c.concept.name for c in sentence.anatomy if low <= c.first < high]
    return frozenset(told) & lexicon.concepts().keys()


def _is_unknown(sentence: Sentence, low: int, high: int) -> bool:
    words = loose(sentence) & {*range(low, high)}
    told = any(low <= e.first < high for e in sentence.elements)
    return bool(words) and not told and high - low <= MOST


def _of_organs(sentence: Sentence, first: int, last: int) -> bool:
    """True for the "liver lesions" of "spleen and liver lesions": the organ before may share them."""
    many = sentence.words.tokens[last - 1].raw.lower().endswith("s")
    led = sentence.words.norms[max(0, first - 1) : first + 1]
    return many and any((norm,) in lexicon.places() for norm in led)
