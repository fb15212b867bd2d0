"""Which rows of the network the questions about an image take. Numpy only.

A row is one question about one picture or slice. Of a picture each question takes one, and a second for the
mirror image where both answers are averaged; a question that is only compared with others (the report-free
twin) is asked where one of these was answered with yes. Rows of a volume are the matter of ``slices.py``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medsegr.backends.backend import Backend, Clicked, Heard, Maps, Said, rows_of, sigmoid
from medsegr.grid import planes
from medsegr.grid.resize import resized
from medsegr.grid.seen import Seen
from medsegr.reasoning.codes import Code, Vocabulary, coded, mirror
from medsegr.types import Prompt

CHUNK = 8  # rows (findings, or slices) a pass: bounds memory
SEVERAL = 4  # rows from which on they are dealt out: lanes need a graph of their own, loaded once
PADDING = 4  # the kind of a point that does not count (sam/prompt_encoder.py)
FAINT = 0.05  # presence below which the mirror image is not asked: it would have to be at 0.95 or above
SURE = 0.06  # doubt (:func:`doubt_of`) up to which neither, since it hardly changes a mask (decision 0037)
Codes = tuple[Code, ...]
Ways = list[tuple[Said, int]]  # an answer and the row in it: that of the picture, and of its mirror image


@dataclass(frozen=True, slots=True)
class View:
    """One image before one network. ``maps(first)`` is the network before the words: of a picture, and after
    it of its mirror image where that may be asked; of a volume the slices from ``first``. ``threshold`` is
    that of presence."""

    seen: Seen
    backend: Backend
    words: Vocabulary
    maps: Callable[[int], Maps]
    threshold: float

    def hear(self, codes: Sequence[Codes]) -> Heard:
        """What the network needs of these codes, one row each."""
        return self.backend.hear(coded(codes, self.words))


@dataclass(frozen=True, slots=True)
class Asked:
    """``codes`` of all questions, ``own`` the numbers of those that differ, ``turned`` those of them whose
    mirror image is asked, too. ``beside``: those that are only compared with, each with the questions that it
    is compared with; where none of these is seen, it is not asked (none named: it always is)."""

    codes: Sequence[Codes]
    own: Sequence[int]
    turned: Sequence[int]
    beside: Mapping[int, Sequence[int]]
    prompt: Prompt

    @property
    def guided(self) -> list[int]:
        """Questions whose answers count for themselves."""
        return [k for k in self.own if k not in self.beside]

    def compared(self, seen: np.ndarray) -> list[int]:
        """Questions to be compared with, given which questions ``seen`` [k] bool were answered with yes."""
        return [k for k, whom in self.beside.items() if not whom or any(seen[one] for one in whom)]


@dataclass(frozen=True, slots=True)
class Answers:
    """What is filled in, one entry a question: views of the results, turned as the network sees the image."""

    prob: np.ndarray  # [k h w] or [k n h w]
    attention: np.ndarray | None  # [k h w]
    presence: np.ndarray  # [k]
    quality: np.ndarray  # [k]
    best: np.ndarray  # [k] number of the slice that shows it best

    def again(self, first: Sequence[int]) -> None:
        """Questions that were asked before get the answer of the first time, ``first`` [k]."""
        for k, own in enumerate(first):
            for values in (self.prob, self.attention, self.presence, self.quality, self.best):
                if own != k and values is not None:
                    values[k] = values[own]


def answers_in(prob: np.ndarray, extras: Mapping[str, np.ndarray], plane: planes.Plane) -> Answers:
    """Where answers are filled in: views of ``prob`` [k *grid] and ``extras`` (``presence``, ``quality``,
    perhaps ``attention``), turned to the usual view ``plane``."""
    drawn = extras.get("attention")
    turned = None if drawn is None else planes.to_slices(drawn, plane)
    best = np.zeros(len(prob), int)
    return Answers(planes.to_slices(prob, plane), turned, extras["presence"], extras["quality"], best)


def asked_of(codes: Sequence[Codes], mirrored: Sequence[bool], prompt: Prompt) -> tuple[Asked, list[int]]:
    """What is asked, and for every question the first one [k] that asks the same. ``mirrored``: whose mirror
    image is to be asked, too; none with clicks, which make each question stand for itself."""
    n = range(len(codes))
    clicked = not (prompt.points is None and prompt.boxes is None and prompt.mask is None)
    first = list(n) if clicked else [codes.index(one) for one in codes]
    whom = prompt.beside or (None,) * len(codes)
    counts = {first[k] for k in n if whom[k] is None}
    beside: dict[int, tuple[int, ...]] = {}
    for k in n:
        if (named := whom[k]) is not None and first[k] not in counts:
            before = beside.get(first[k])
            more = (*(before or ()), *(first[one] for one in named))
            beside[first[k]] = more if named and before != () else ()
    own = sorted({*first})
    return Asked(codes, own, [k for k in own if mirrored[k] and not clicked], beside, prompt), first


def picture(view: View, asked: Asked, answers: Answers) -> None:
    """Answer the questions of a picture, as many at once as fit a pass; then those that these are compared
    with."""
    words = view.hear([asked.codes[k] for k in asked.own] + [mirror(asked.codes[k]) for k in asked.turned])
    _ask(view, asked, answers, (asked.guided, words, 0))
    drawn = asked.compared(answers.presence >= view.threshold)
    _ask(view, asked, answers, (drawn, words, len(asked.guided)))


def _ask(view: View, asked: Asked, answers: Answers, what: tuple[Sequence[int], Heard, int]) -> None:
    """Ask some questions, and once more about the mirror image those that are to be and that may be seen at
    all. ``what``: the questions, the words of all, and how many were asked before."""
    own, words, before = what
    plain_rows = {k: row for row, k in enumerate(asked.own)}
    mirror_rows = {k: row for row, k in enumerate(asked.turned, len(asked.own))}

    def unsure(said: Said, row: int) -> bool:
        seen = sigmoid(said.presence[[row]])[0] >= FAINT
        return bool(seen) and doubt_of(sigmoid(view.backend.numbers(said.logits[row]))) > SURE

    for start in range(0, len(own), CHUNK):
        part = own[start : start + CHUNK]
        tell(asked.prompt, before + start, len(asked.own))
        clicks = _clicks(asked.prompt, part, view.seen, answers.prob.shape[1:])
        plain = _said(view, words, [(plain_rows[k], 0) for k in part], clicks)
        ways = {k: [one] for k, one in zip(part, plain, strict=True)}
        more = [k for k in part if k in mirror_rows and unsure(*ways[k][0])]
        turned = _said(view, words, [(mirror_rows[k], 1) for k in more], Clicked())
        for k, one in zip(more, turned, strict=True):
            ways[k].append(one)
        for k in part:
            _put(view.backend, answers, k, ways[k])


def _said(view: View, words: Heard, asked: Sequence[tuple[int, int]], clicks: Clicked) -> Ways:
    """Answers to questions, each the row of its words and 0 for the picture, 1 for its mirror image. Without
    clicks several are dealt out to the backend's lanes (decision 0043)."""
    backend, clicked = view.backend, clicks.points is not None or clicks.mask is not None
    if not asked:
        return []
    dealt = not clicked and backend.lanes > 1 and len(asked) >= SEVERAL
    most = min(backend.rows, -(-len(asked) // backend.lanes)) if dealt else CHUNK
    maps = view.maps(0)  # once: what is too large to be kept is computed again each time
    given = []
    for start in range(0, len(asked), most):
        rows, ways = zip(*asked[start : start + most], strict=True)
        given.append((tuple(one[list(ways)] for one in maps), rows_of(words, rows)))
    said = backend.many(given) if dealt else [backend.decode(*one, clicks) for one in given]
    return [(one, row) for one in said for row in range(len(one.presence))]


def doubt_of(prob: np.ndarray) -> float:
    """How much a map of probabilities leaves open, in parts of what it draws: 0 where all are 0 or 1."""
    return float(np.minimum(prob, 1 - prob).sum()) / max(1, int(np.count_nonzero(prob >= 0.5)))


def _put(backend: Backend, answers: Answers, k: int, ways: Ways) -> None:
    """The answer to question ``k`` out of one row, and that of the mirror image if there is a second."""
    for values, name in ((answers.presence, "presence"), (answers.quality, "quality")):
        values[k] = np.mean([sigmoid(getattr(said, name)[[row]]) for said, row in ways], dtype=np.float32)
    backend.fill(answers.prob[k], [said.logits[row] for said, row in ways], True)
    acted = [said.attention[row] for said, row in ways if said.attention is not None]
    if answers.attention is not None and acted:
        backend.fill(answers.attention[k], acted, False)


def _clicks(prompt: Prompt, part: Sequence[int], seen: Seen, view: tuple[int, ...]) -> Clicked:
    """Points and boxes from pixels of the image to [0, 1] of the view ``h w``; boxes have their upper edge
    exclusive."""
    plane, extent = seen.plane, np.array(view[::-1], float)
    grid = tuple(view[plane.order.index(axis)] for axis in range(2))
    points, kinds = [], []
    if prompt.points is not None:
        given = np.asarray(prompt.points[list(part)], float)
        points.append((planes.points_to_view(given[..., :2], plane, grid) + 0.5) / extent)
        kinds.append(np.where(given[..., 2] < 0, PADDING, given[..., 2]))
    if prompt.boxes is not None:  # corners as points at pixel edges: half a pixel before the centre
        corners = np.asarray(prompt.boxes[list(part)], float).reshape(-1, 2, 2) - 0.5
        turned = planes.points_to_view(corners, plane, grid) + 0.5
        points.append(np.stack([turned.min(1), turned.max(1)], 1) / extent)
        kinds.append(np.broadcast_to([2.0, 3.0], (len(corners), 2)))
    mask = None
    if prompt.mask is not None:
        turned = planes.to_slices(np.asarray(prompt.mask[list(part)], np.float32), plane)
        prob = turned.clip(1e-4, 1 - 1e-4)
        mask = resized(np.log(prob / (1 - prob)), seen.size)[:, None]
    if not points:
        return Clicked(mask=mask)
    at, kind = (np.concatenate(part, 1).astype(np.float32) for part in (points, kinds))
    return Clicked(at, kind, mask)


def tell(prompt: Prompt, done: int, total: int) -> None:
    """Say how many of how many steps are done, to whoever asked to be told."""
    if prompt.tick is not None:
        prompt.tick(done, total)
