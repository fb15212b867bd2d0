"""From cases to batches without end: which case comes next, what one step needs, and who makes it while the
network works.

Samples are made in ``workers`` processes (0: in a thread beside the network), at the size that the clock of
the run asks for, and put on the network's device one thread ahead of it.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from medsegr.batches import Sample, draw, render
from medsegr.composite import joined
from medsegr.config import FitConfig, size_at
from medsegr.data import Case
from medsegr.objectives import Truth
from medsegr.reasoning.attributes import Words, encode_words
from medsegr.reasoning.codes import Vocabulary
from medsegr.sam.sam import Clicks

SMALL = 140  # pixels below which a batch holds half as many again


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step needs."""

    pixels: Tensor
    words: Words
    clicks: Clicks
    truth: Truth


def collate(samples: Sequence[Sample], words: Vocabulary) -> Batch:
    """Samples of one size to tensors."""
    table = words.index()
    groups = [code.partition(":")[0] for code in words.codes]
    codes = torch.zeros(len(samples), len(words.codes))
    known = torch.zeros_like(codes, dtype=torch.bool)
    for row, sample in enumerate(samples):
        if sample.codes:
            continue  # the image-only head must not learn to read the words back
        told = {code.group for code in sample.known}
        known[row] = torch.tensor([g in told and g not in ("extent", "count") for g in groups])
        for code in sample.known:
            if code.text in table:
                codes[row, table[code.text]] = 1
    points = torch.stack([s.points for s in samples])
    kinds = torch.stack([s.kinds for s in samples])
    clicked, hinted = bool((kinds < 4).any()), torch.tensor([s.hint is not None for s in samples])
    blank = torch.zeros_like(samples[0].mask)
    hints = torch.stack([blank if s.hint is None else s.hint for s in samples])[:, None]
    return Batch(
        pixels=torch.stack([s.pixels for s in samples]),
        words=encode_words([s.codes for s in samples], words),
        clicks=Clicks(
            points if clicked else None,
            kinds if clicked else None,
            hints if hinted.any() else None,
            hinted if hinted.any() else None,
        ),
        truth=Truth(
            torch.stack([s.mask for s in samples]), torch.tensor([s.presence for s in samples]), codes, known
        ),
    )


def samples_of(
    cases: Sequence[Case], config: FitConfig, seed: int | Sequence[int]
) -> Iterator[tuple[Case, np.random.Generator]]:
    """An endless stream of training cases, sets by weight, cases of a set in shuffled rounds."""
    rng = np.random.default_rng(seed)
    weight = {**config.sets, **{f"phantom-{kind}": w for kind, w in config.phantoms.items()}}
    pools = {name: [c for c in cases if c.set == name and not c.validation] for name in weight}
    names = [name for name in weight if pools[name]]
    odds = np.array([weight[name] for name in names]) / sum(weight[name] for name in names)
    rounds: dict[str, list[int]] = {name: [] for name in names}
    while True:
        name = names[int(rng.choice(len(names), p=odds))]
        pool = pools[name]
        rounds[name] = rounds[name] or rng.permutation(len(pool)).tolist()
        case = pool[rounds[name].pop()]
        if rng.random() < config.recipe.joined:
            case = joined(case, pool[int(rng.integers(len(pool)))], rng) or case
        yield case, rng


T = TypeVar("T")


def moved(value: T, device: str | torch.device) -> T:
    """A batch, or any frozen dataclass of tensors, on ``device``."""
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)  # type: ignore[return-value]
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: moved(getattr(value, f.name), device) for f in fields(value)})
    return value


class Feed(IterableDataset[Batch]):
    """Batches of ``count`` samples without end. ``part`` [] is the share of the time that is used, in memory
    that all processes see: it sets the size. Each worker draws its own stream from ``seed``."""

    def __init__(
        self,
        cases: Sequence[Case],
        config: FitConfig,
        words: Vocabulary,
        seed: Sequence[int],
        part: Tensor,
        count: int,
    ) -> None:
        self.cases = cases
        self.config = config
        self.words = words
        self.seed = tuple(seed)
        self.part = part
        self.count = count

    def __iter__(self) -> Iterator[Batch]:
        """Never ends."""
        worker = get_worker_info()
        stream = samples_of(self.cases, self.config, (*self.seed, worker.id if worker else 0))
        training = [c for c in self.cases if not c.validation]
        recipe = self.config.recipe
        while True:
            size = size_at(float(self.part), self.config.sizes)
            count = self.count * 3 // 2 if size <= SMALL else self.count
            picked = [next(stream) for _ in range(count)]
            yield collate([render(c, draw(c, training, recipe, rng), size) for c, rng in picked], self.words)

    def ahead(self, device: str, stop: threading.Event) -> Iterator[Batch]:
        """The batches on ``device``, made by ``config.workers`` processes and fetched one thread ahead, until
        ``stop`` is set."""
        workers = self.config.workers
        loader = DataLoader(
            self, batch_size=None, num_workers=workers, prefetch_factor=3 if workers else None
        )
        made = iter(loader)  # workers start here, not in the thread
        return prefetch((moved(batch, device) for batch in made), stop)


def prefetch(made: Iterator[Batch], stop: threading.Event, depth: int = 3) -> Iterator[Batch]:
    """Batches made one thread ahead of the network. An error in the thread is raised here."""
    line: queue.Queue[Batch | BaseException] = queue.Queue(depth)

    def work() -> None:
        try:
            while not stop.is_set():
                item = next(made)
                while not stop.is_set():
                    try:
                        line.put(item, timeout=0.5)
                        break
                    except queue.Full:
                        continue
        except BaseException as error:
            line.put(error)

    threading.Thread(target=work, daemon=True).start()
    while True:
        item = line.get()
        if isinstance(item, BaseException):
            raise item
        yield item
