"""A session on a server: the methods of :class:`medsegr.prompts.session.Session`, the steps elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medsegr.errors import UsageError
from medsegr.prompts.door import Rows
from medsegr.prompts.door import plane as plane_of
from medsegr.prompts.runs import runs_of
from medsegr.serve.answers import Answer, answer_of, mask_at
from medsegr.serve.remote import Remote


@dataclass(frozen=True, slots=True)
class Offer:
    """Another answer to the newest prompts: as :class:`medsegr.prompts.ask.Candidate`, without the
    probabilities. ``mask`` bool ``h w``: of the picture, or of the slice that the prompts were on."""

    how: str
    mask: np.ndarray
    score: float | None
    followed: float


class RemoteSession:
    """One image on a server, and what was drawn on it so far. A call that is refused changes nothing."""

    def __init__(self, remote: Remote, told: Mapping[str, Any]) -> None:
        self._remote = remote
        self._take(told)

    def _take(self, told: Mapping[str, Any]) -> Answer:
        self._told = told
        self._result: Answer | None = None
        return self.result

    @property
    def id(self) -> str:
        """The session's name on the server; :meth:`medsegr.serve.client.Client.session` finds it again."""
        return str(self._told["id"])

    @property
    def result(self) -> Answer:
        """The newest state, with its masks; without findings before the first step."""
        if self._result is None:
            self._result = answer_of(self._remote, self._told["view"], self._saved)
        return self._result

    @property
    def steps(self) -> int:
        """How many steps were done, undone ones left out."""
        return int(self._told["steps"])

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._told["can_undo"])

    @property
    def can_redo(self) -> bool:
        """Whether an undone step can be done again."""
        return bool(self._told["can_redo"])

    def segment(self, words: Sequence[str] | str | None = None, *, report: str | None = None) -> Answer:
        """Phrases ("right lung"), or ``report=``; nothing at all: the model proposes. Begins anew."""
        if words is not None and report is not None:
            raise UsageError("words and a report came together: give one of them")
        phrases = None if words is None else [words] if isinstance(words, str) else list(words)
        return self._do("segment", {"phrases": phrases, "report": report})

    def draw(
        self,
        phrase: str = "",
        *,
        points: Rows | None = None,
        box: Rows | Sequence[float | int] | None = None,
        mask: np.ndarray | None = None,
        slice: int | None = None,
    ) -> Answer:
        """A further finding out of prompts, with a phrase or without a word. ``mask`` is bool."""
        return self._do("draw", {"phrase": phrase, **_clicks(points, box, mask), "slice": slice})

    def refine(
        self,
        finding_id: str | None = None,
        *,
        points: Rows | None = None,
        box: Rows | Sequence[float | int] | None = None,
        mask: np.ndarray | None = None,
        slice: int | None = None,
    ) -> Answer:
        """Draw one finding again with a person's help. ``mask`` is bool."""
        return self._do("refine", {"finding": finding_id, **_clicks(points, box, mask), "slice": slice})

    def paint(self, finding_id: str | None, mask: np.ndarray, slice: int | None = None) -> Answer:
        """Keep one plane of a finding's mask exactly as it was painted."""
        return self._do("paint", {"finding": finding_id, "rle": _runs(mask), "slice": slice})

    def candidates(self, finding_id: str | None = None) -> tuple[Offer, ...]:
        """Other answers to the newest prompts, best first, or none; ``choose`` takes one."""
        told = self._remote.json("POST", self._path("candidates"), _given({"finding": finding_id}))
        self._told = told
        return tuple(self._offer(one) for one in told["candidates"])

    def choose(self, which: int | str, finding_id: str | None = None) -> Answer:
        """Take a candidate, by its number from 0 or by its ``how``, in place of the mask as it is."""
        key = "how" if isinstance(which, str) else "number"
        return self._do("choose", {"finding": finding_id, key: which})

    def accept(self, finding_id: str | None = None) -> Answer:
        """Mark a finding's mask as accepted by a person."""
        return self._do("accept", {"finding": finding_id})

    def undo(self) -> Answer:
        """One step back."""
        return self._do("undo", None)

    def redo(self) -> Answer:
        """Do again the step that was undone last; UsageError where none was."""
        return self._do("redo", None)

    def save(self, path: Path | str) -> Path:
        """Write all steps as JSON; :meth:`medsegr.session.Model.replay` gives the same masks again."""
        return self._remote.download(self._path("steps"), Path(path))

    def close(self) -> None:
        """Forget the session on the server."""
        self._remote.json("DELETE", f"/v1/sessions/{self.id}")

    def _do(self, what: str, asked: Mapping[str, Any] | None) -> Answer:
        body = None if asked is None else _given(asked)
        return self._take(self._remote.json("POST", self._path(what), body))

    def _path(self, what: str) -> str:
        return f"/v1/sessions/{self.id}/{what}"

    def _saved(self) -> str:
        return str(self._remote.json("POST", self._path("save"))["id"])

    def _offer(self, told: Mapping[str, Any]) -> Offer:
        image = self._told["view"]["image"]
        mask = mask_at(self._remote, told["layer"], tuple(image["grid"]))
        if told["slice"] is not None:
            mask = np.take(mask, told["slice"], axis=image["cut"])
        return Offer(str(told["how"]), mask, told["score"], float(told["followed"]))


def _given(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None}


def _clicks(
    points: Rows | None, box: Rows | Sequence[float | int] | None, mask: np.ndarray | None
) -> dict[str, Any]:
    """Prompts as JSON; what they must be is checked by the server."""
    boxes = None if box is None else np.asarray(box, object)
    several = boxes is not None and boxes.ndim == 2
    return {
        "points": None if points is None else np.asarray(points, object).tolist(),
        "box": None if boxes is None or several else boxes.tolist(),
        "boxes": boxes.tolist() if boxes is not None and several else None,
        "mask": None if mask is None else _runs(mask),
    }


def _runs(mask: np.ndarray) -> dict[str, Any]:
    values = np.asarray(mask)
    if values.ndim != 2:
        raise UsageError(f"the mask has the grid {values.shape}: one plane, h w, was expected")
    return runs_of(plane_of((values.shape[0], values.shape[1]), values))
