"""A finding followed through a volume by its host's memory: numpy outside, torch inside, as ``predict.py``.

Slices are encoded with the words, as when they are asked for one by one; the memory acts on what comes out.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from medsegr.backends.backend import Maps
from medsegr.grid import planes
from medsegr.grid.seen import look
from medsegr.inference.passes import CHUNK
from medsegr.reasoning.attributes import words_of
from medsegr.reasoning.codes import Code, coded
from medsegr.sam.hosts.memory import Bank, Turn, remembers, through
from medsegr.types import Image

if TYPE_CHECKING:
    from medsegr.predict import Predictor


class Tracker:
    """One finding in one volume. Slices are numbered, and masks turned, as the volume is stored, along the
    axis that is cut across."""

    def __init__(self, predictor: "Predictor", image: Image, codes: Sequence[Code]) -> None:
        self.predictor = predictor
        network: Any = predictor.model  # MedSegR, on a host with a memory
        self.network = network
        self.seen = look(image, predictor.base)
        self.named = any(code.group == "concept" for code in codes)
        with torch.inference_mode():
            words = words_of(coded([codes], predictor.words), str(predictor.device))
            self.heard: Tensor = self.network.priors(words)
        self._maps = predictor._view(self.seen, image).maps
        self._newest: tuple[int, Maps] | None = None
        self._bank = Bank(self.seen.count)
        self._plane = self.seen.plane.slice

    def show(self, number: int, mask: np.ndarray) -> None:
        """Remember ``mask`` (bool ``h w``) as what is on slice ``number``."""
        turned = np.ascontiguousarray(planes.to_slices(np.asarray(mask, np.float32), self._plane))
        drawn = torch.from_numpy(turned).to(self.predictor.device)[None, None]
        with torch.inference_mode():
            drawn = F.interpolate(drawn, self.seen.size, mode="bilinear", antialias=True)
            self._said(self._view(number), drawn, backward=False)

    def follow(self, number: int, before: int, flat: tuple[int, int]) -> tuple[np.ndarray, float]:
        """Probabilities ``h w`` (= ``flat``, as stored) on slice ``number``, coming from ``before``, and in
        [0, 1] whether it is there: as the words alone see it, without words as the host's memory does."""
        at, past = self._view(number), self._view(before)
        with torch.inference_mode():
            logits, words, memory = self._said(at, None, backward=at < past)
            view = (flat[self._plane.order[0]], flat[self._plane.order[1]])
            fine = F.interpolate(logits[:, None].float(), view, mode="bilinear", align_corners=False)
            prob = fine[0, 0].sigmoid().cpu().numpy()
        there = words if self.named else memory
        return planes.from_slices(prob, self._plane), float(1 / (1 + np.exp(-there)))

    def _view(self, number: int) -> int:
        return self.seen.count - 1 - number if self.seen.plane.flips[0] else number

    def _said(self, at: int, drawn: Tensor | None, backward: bool) -> tuple[Tensor, float, float]:
        """Logits [1 h w], and logits of presence as the words and as the memory see it."""
        first = at // CHUNK * CHUNK
        if self._newest is None or self._newest[0] != first:
            self._newest = (first, self._maps(first))
        maps = tuple(one[[at - first]] for one in self._newest[1])
        view, following = through(self.network, self._bank, Turn(at, drawn, backward))
        decoded = view(maps, self.heard).decoded
        return decoded.logits, float(decoded.presence), following.there


def tracker_of(predictor: "Predictor", image: Image, codes: Sequence[Code]) -> Tracker | None:
    """A tracker of what ``codes`` say, None where the predictor's network stands on no host with a memory.

    Codes without a concept count as no words.
    """
    host = getattr(predictor.model, "host", None)
    return Tracker(predictor, image, codes) if remembers(host) else None
