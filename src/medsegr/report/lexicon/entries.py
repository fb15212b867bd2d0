"""What the lexicon holds: its entries as values, and the table in which their words are looked up."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

from medsegr.findings import Code

T = TypeVar("T")
Kind = Literal["finding", "anatomy", "device", "statement"]
KINDS: tuple[Kind, ...] = ("finding", "anatomy", "device", "statement")


@dataclass(frozen=True, slots=True)
class Concept:
    """One thing a report can name.

    ``words`` are all phrases that mean it (the name first). ``parents`` are wider concepts, nearest first.
    ``modalities``
    are DICOM codes; empty means any. ``sided`` False: a side said beside it is not its own ("cardiomegaly").
    ``lasting`` True: "old" or "prior" before it does not mean that it is gone ("old rib fracture").
    ``apart`` True: its nearest parent is no answer to who asks for it: a picture shows others of that, too
    ("retinal vein"), or something else by that name ("anal papilla").
    """

    name: str
    kind: Kind
    words: tuple[str, ...]
    parents: tuple[str, ...] = ()
    code: Code | None = None
    drawable: bool = True
    modalities: tuple[str, ...] = ()
    sided: bool = True
    lasting: bool = False
    field: str = ""  # the file that tells of it: "neuro", "heart", "chest", ...
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A named place. ``side`` and ``rows`` are implied by the word itself; ``of`` is the concept it is a
    part of."""

    name: str
    side: str | None = None
    rows: tuple[str, ...] = ()
    cols: tuple[str, ...] = ()
    of: str = ""
    implied: bool = (
        False  # the side follows from the body (liver: right), not from a word: only for findings inside it
    )


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A describing word: ``value`` of ``field`` (density, uniformity, colour, form, margin, size_class,
    count, rows, cols, side)."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Cue:
    """A word that changes what a statement claims.

    ``kind``: negation, pseudo, uncertain, time, other, advice or stop. ``direction``: pre (acts on what
    follows), post (on what precedes) or both. ``value`` is the time for kind time, "removed" or "operated";
    "own" lets a cue act even as one of the words that name the finding ("borderline heart size"). ``reach``:
    words it acts on at most.
    """

    kind: str
    direction: str
    value: str = ""
    reach: int = 60


@dataclass(frozen=True, slots=True)
class Build:
    """A concept said in two places of a clause: each of ``parts`` is a set of phrases, at most ``window``
    words apart."""

    name: str
    parts: tuple[frozenset[tuple[str, ...]], ...]
    window: int
    unless: frozenset[str] = frozenset()  # concepts that say the same better when the sentence names them


@dataclass(frozen=True, slots=True)
class Refine:
    """A concept that becomes a narrower one at a place (none: anywhere): ``tumour`` in the ``lung`` is a
    ``lung tumour``."""

    name: str
    base: str
    places: frozenset[str]
    modalities: tuple[str, ...] = ()
    unless: frozenset[str] = frozenset()  # places that keep the wide name ("the spine and both shoulders")
    about: frozenset[str] = frozenset()  # fields that sentence or report speak of; empty: any
    bare: bool = False  # only for a name of one word: "oedema", not "pulmonary oedema"


@dataclass(frozen=True, slots=True, eq=False)
class Terms(Mapping[tuple[str, ...], T], Generic[T]):
    """Phrases as words in normal form -> entries, kept as a tree by words so that the longest one is found in
    one walk.

    ``tree``: word -> index into ``entries`` where no longer phrase goes on, else a tree of the words that may
    follow, in which "" holds the index of the phrase that ends here. ``size``: number of phrases.
    """

    tree: Mapping[str, Any]
    entries: Sequence[T]
    size: int

    def __getitem__(self, words: tuple[str, ...]) -> T:
        node: Any = self.tree
        for word in words or ("",):
            node = node.get(word) if isinstance(node, dict) and word else None
        if isinstance(node, dict):
            node = node.get("")
        if not isinstance(node, int):
            raise KeyError(words)
        return self.entries[node]

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        stack: list[tuple[tuple[str, ...], Any]] = [((), self.tree)]
        while stack:
            words, node = stack.pop()
            if not isinstance(node, dict):
                yield words
                continue
            stack += [((*words, word) if word else words, below) for word, below in reversed(node.items())]

    def __len__(self) -> int:
        return self.size

    def longest(self, norms: tuple[str, ...], at: int) -> tuple[int, T] | None:
        """Number of words of the longest phrase that begins at a word, and its entry; None without one."""
        node, size, found = self.tree.get(norms[at]), 1, None
        while isinstance(node, dict):
            if "" in node:
                found = size, self.entries[node[""]]
            if at + size == len(norms):
                return found
            node = node.get(norms[at + size])
            size += 1
        return found if node is None else (size, self.entries[node])


def terms(found: Iterable[tuple[tuple[str, ...], T]]) -> Terms[T]:
    """The table of some phrases: the first entry of a phrase that comes twice, none of an empty one."""
    tree: dict[str, Any] = {}
    entries: dict[T, int] = {}
    for words, entry in found:
        node = tree
        for word in words[:-1]:
            below = node.get(word)
            if not isinstance(below, dict):
                below = node[word] = {} if below is None else {"": below}
            node = below
        if words and isinstance(node.get(words[-1]), dict):
            node[words[-1]].setdefault("", entries.setdefault(entry, len(entries)))
        elif words:
            node.setdefault(words[-1], entries.setdefault(entry, len(entries)))
    table = Terms(tree, tuple(entries), 0)
    return replace(table, size=sum(1 for _ in table))


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All of it. ``known``: words that are no typing errors; ``meant``: words that a typing error may have
    meant; ``whole``: words that two glued ones may be, all in normal form."""

    concepts: Mapping[str, Concept]
    concept_terms: Terms[tuple[str, ...]]
    places: Terms[Place]
    descriptors: Terms[Descriptor]
    cues: Terms[tuple[Cue, ...]]
    builds: tuple[Build, ...]
    refines: tuple[Refine, ...]
    paired: frozenset[str]
    plain: frozenset[str]
    lists: Mapping[str, frozenset[str]]
    typos: Mapping[str, str]
    everyday: Mapping[str, str]
    known: frozenset[str] = frozenset()
    meant: tuple[str, ...] = ()
    whole: frozenset[str] = frozenset()
