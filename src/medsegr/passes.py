"""Which rows of the network the questions about an image take. Numpy only.

A row is one question about one picture or slice. Of a picture each question takes one, and a second for the
mirror image where both answers are averaged; a question that is only compared with others (the report-free
twin) is asked where one of these was answered with yes. Rows of a volume are the matter of ``slices.py``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medsegr import planes
from medsegr.backends.backend import Backend, Clicked, Heard, Maps, Said, rows_of, sigmoid
from medsegr.reasoning.codes import Code, Vocabulary, coded, mirror
from medsegr.resize import resized
from medsegr.seen import Seen
from medsegr.types import Prompt

CHUNK = 8  # rows (findings, or slices) a pass: bounds memory
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

    def again(self, first: Sequence[int]) -> None:
        """Questions that were asked before get the answer of the first time, ``first`` [k]."""
        for k, own in enumerate(first):
            for values in (self.prob, self.attention, self.presence, self.quality):
                if own != k and values is not None:
                    values[k] = values[own]


def is_clicked(prompt: Prompt) -> bool:
    """Whether points, boxes or a mask stand beside the words."""
    return not (prompt.points is None and prompt.boxes is None and prompt.mask is None)


def asked_of(codes: Sequence[Codes], mirrored: Sequence[bool], prompt: Prompt) -> tuple[Asked, list[int]]:
    """What is asked, and for every question the first one [k] that asks the same. ``mirrored``: whose mirror
    image is to be asked, too; none with clicks, which make each question stand for itself."""
    n = range(len(codes))
    clicked = is_clicked(prompt)
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
    """Answer the questions of a picture, as many at once as fit a pass.

    Those that are only compared with come after the others, for it hangs on these whether they are needed;
    where a processor thread would be idle they are asked beside them (decision 0043).
    """
    words = view.hear([asked.codes[k] for k in asked.own] + [mirror(asked.codes[k]) for k in asked.turned])
    guided, backend = asked.guided, view.backend
    idle = bool(guided) and len(asked.own) <= backend.lanes and not is_clicked(asked.prompt)
    early = list(asked.beside) if idle else []
    grid = answers.prob.shape[1:]
    found: dict[int, Ways] = {}
    for start in range(0, len(guided), CHUNK):
        tell(asked.prompt, start, len(asked.own))
        part = guided[start : start + CHUNK]
        found |= _ask(view, asked, words, (part if start else part + early, grid))
        for k in part:
            _put(backend, answers, k, found.pop(k))
    drawn = asked.compared(answers.presence >= view.threshold)
    for start in range(0, len(drawn), CHUNK):
        tell(asked.prompt, len(guided) + start, len(asked.own))
        part = drawn[start : start + CHUNK]
        said = found if early else _ask(view, asked, words, (part, grid))
        for k in part:
            _put(backend, answers, k, said[k])


def _ask(
    view: View, asked: Asked, words: Heard, what: tuple[Sequence[int], tuple[int, ...]]
) -> dict[int, Ways]:
    """What is said to some questions, and once more of the mirror image where that is to be asked and
    something may be seen at all. ``words`` are those of all questions; ``what``: the questions, and h w."""
    part, grid = what
    plain_rows = {k: row for row, k in enumerate(asked.own)}
    mirror_rows = {k: row for row, k in enumerate(asked.turned, len(asked.own))}

    def unsure(said: Said, row: int) -> bool:
        seen = sigmoid(said.presence[[row]])[0] >= FAINT
        return bool(seen) and doubt_of(sigmoid(view.backend.numbers(said.logits[row]))) > SURE

    clicks = _clicks(asked.prompt, part, view.seen, grid) if is_clicked(asked.prompt) else None
    turned = [k for k in part if k in mirror_rows]
    idle = view.backend.lanes - len(part) >= len(turned)  # threads with nothing else to do
    ahead = turned if clicks is None and idle else []
    rows = [*((plain_rows[k], 0) for k in part), *((mirror_rows[k], 1) for k in ahead)]
    said = _said(view, words, rows, clicks)
    found = {k: [one] for k, one in zip(part, said[: len(part)], strict=True)}
    more = [k for k in turned if unsure(*found[k][0])]
    other = said[len(part) :] if ahead else _said(view, words, [(mirror_rows[k], 1) for k in more], None)
    for k, one in zip(ahead or more, other, strict=True):
        if k in more:
            found[k].append(one)
    return found


def _said(view: View, words: Heard, asked: Sequence[tuple[int, int]], clicks: Clicked | None) -> Ways:
    """Answers to questions, each the row of its words and 0 for the picture, 1 for its mirror image. Without
    clicks they are dealt out to the backend's lanes."""
    backend = view.backend
    most = CHUNK
    if clicks is None and backend.lanes > 1:
        most = max(1, min(backend.rows, -(-len(asked) // backend.lanes)))
    given = []
    for start in range(0, len(asked), most):
        rows, ways = zip(*asked[start : start + most], strict=True)
        given.append((tuple(one[list(ways)] for one in view.maps(0)), rows_of(words, rows)))
    said = backend.many(given) if clicks is None else [backend.decode(*one, clicks) for one in given]
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
