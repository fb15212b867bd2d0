"""From cases to batches: which case comes next, what one step needs, and who makes it while the network
works.

Samples are made in ``workers`` processes (0: in a thread beside the network) and put on the network's device
one thread ahead of it. A run of so many minutes is fed by :class:`Feed`, at the size that its clock asks for;
a run of so many steps by :class:`Numbered`, where a batch hangs on nothing but its number.
"""

import queue
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from medsegr.data import Case
from medsegr.errors import InputError
from medsegr.fitting.config import FitConfig, size_at
from medsegr.objectives import Truth
from medsegr.reasoning.attributes import Words, encode_words
from medsegr.reasoning.codes import Vocabulary
from medsegr.sam.host import Clicks
from medsegr.samples.asking import Recipe
from medsegr.samples.batches import Sample, by_set, draw, render
from medsegr.samples.composite import joined
from medsegr.samples.panels import panels
from medsegr.samples.windows import covered

FEWEST = 2  # samples a batch of one process
THREAD = "medsegr-feed"  # name of the one that fetches ahead
PATIENCE = 60.0  # seconds that it is waited for
SMALL = 140  # pixels below which a batch holds half as many again


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step needs; ``cases`` are the ids of the pictures in it. ``calm`` is what a teacher is shown
    (:mod:`medsegr.fitting.teaching`)."""

    pixels: Tensor
    words: Words
    clicks: Clicks
    truth: Truth
    cases: tuple[str, ...] = ()
    calm: Tensor | None = None  # [b 3 h w], of rows in which nobody drew
    share: float = 1.0  # of its samples in the step, over that of equal batches


def collate(samples: Sequence[Sample], words: Vocabulary, cases: Sequence[str] = ()) -> Batch:
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
    drawn = torch.tensor([s.calm is None for s in samples])
    calm = None if drawn.all() else torch.stack([s.pixels if s.calm is None else s.calm for s in samples])
    hints = torch.stack([blank if s.hint is None else s.hint for s in samples])[:, None]
    whole = all(s.weight is None for s in samples)
    weights = [torch.ones_like(blank) if s.weight is None else s.weight for s in samples]
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
            torch.stack([s.mask for s in samples]),
            torch.tensor([s.presence for s in samples]),
            codes,
            known,
            None if drawn.all() else drawn,
            None if whole else torch.stack(weights),
        ),
        cases=tuple(cases),
        calm=calm,
    )


def pools_of(cases: Sequence[Case], config: FitConfig) -> tuple[list[list[Case]], np.ndarray]:
    """Training cases of every set that has some, and the odds of the sets, in the configuration's order."""
    made = {f"phantom-{kind}": w for kind, w in config.phantoms.items()}
    weight = {**config.sets, **made, **config.unlabelled}
    pools = {name: [c for c in cases if c.set == name and not c.validation] for name in weight}
    names = [name for name in weight if pools[name] and weight[name] > 0]
    if not set(names) - set(config.unlabelled):
        raise InputError(
            "there is no case to train on: every set is empty, has the weight 0 or is held out for validation"
        )
    odds = np.array([weight[name] for name in names])
    return [pools[name] for name in names], odds / odds.sum()


def samples_of(
    cases: Sequence[Case], config: FitConfig, seed: int | Sequence[int]
) -> Iterator[tuple[Case, np.random.Generator]]:
    """An endless stream of training cases, sets by weight, cases of a set in shuffled rounds."""
    rng = np.random.default_rng(seed)
    pools, odds = pools_of(cases, config)
    rounds: list[list[int]] = [[] for _ in pools]
    while True:
        which = int(rng.choice(len(pools), p=odds))
        pool = pools[which]
        rounds[which] = rounds[which] or rng.permutation(len(pool)).tolist()
        yield _perhaps_changed(pool[rounds[which].pop()], pool, pools, config.recipe, rng), rng


def _perhaps_changed(
    case: Case,
    pool: Sequence[Case],
    pools: Sequence[Sequence[Case]],
    recipe: Recipe,
    rng: np.random.Generator,
) -> Case:
    if recipe.panels and rng.random() < recipe.panels:
        return panels(case, pools, rng) or case
    if rng.random() < recipe.joined:
        return joined(case, pool[int(rng.integers(len(pool)))], rng) or case
    if recipe.covered and rng.random() < recipe.covered and not case.made and case.drawn:
        which = int(rng.integers(len(case.targets)))
        return covered(case, which, bool(rng.random() < 0.5), rng) or case
    return case


T = TypeVar("T")


def moved(value: T, device: str | torch.device | torch.dtype) -> T:
    """A batch, or any frozen dataclass or tuple of tensors, on ``device`` (or in a type of number)."""
    made: Any = value
    if isinstance(value, Tensor):
        made = value.to(device, non_blocking=True)
    elif is_dataclass(value) and not isinstance(value, type):
        made = replace(value, **{f.name: moved(getattr(value, f.name), device) for f in fields(value)})
    elif type(value) is tuple:
        made = tuple(moved(part, device) for part in made)
    return made  # type: ignore[no-any-return]


def batch_of(batch: int, processes: int) -> int:
    """Samples a batch of all processes together: ``batch``, but so many that each has ``FEWEST``."""
    return max(FEWEST * processes, batch)


def count_at(size: int, count: int) -> int:
    """Samples a batch at ``size`` pixels."""
    return count * 3 // 2 if size <= SMALL else count


class Feed(IterableDataset[Batch]):
    """Batches of ``count`` samples without end. ``part`` [] is the share of the time that is used, in memory
    that all processes see: it sets the size, or the dice do where sizes are mixed. Each worker draws its own
    stream from ``seed``, whose last number is that of the process."""

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
        training = by_set([c for c in self.cases if not c.validation])
        recipe = self.config.recipe
        # without the last number, that of the process: all of them take the same size in a step
        dice = np.random.default_rng((*self.seed[:-1], worker.id if worker else 0, 1, 1))
        while True:
            at = dice.random() if self.config.mixed else float(self.part)
            size = size_at(at, self.config.sizes)
            picked = [next(stream) for _ in range(count_at(size, self.count))]
            made = [render(c, draw(c, training, recipe, rng), size) for c, rng in picked]
            yield collate(made, self.words, [c.id for c, _ in picked])


class Numbered(Dataset[Batch]):
    """The batches of a run of ``config.steps`` steps that one process takes, ``config.accumulate`` a step.
    Batch i is a function of the cases, the configuration, ``rank`` and i, whoever makes it and whenever.

    The samples of a step hang on nothing but its number and how many they are: ``config.batch`` times
    ``config.accumulate`` (half as many again where pictures are small), whether one process takes them at
    once, in several batches one after the other, or ``processes`` share them. Sets come by weight, cases of
    a set in shuffled rounds.
    """

    def __init__(
        self, cases: Sequence[Case], config: FitConfig, words: Vocabulary, rank: int = 0, processes: int = 1
    ) -> None:
        self.config = config
        self.words = words
        self.rank = rank
        self.processes = processes
        self.training = by_set([c for c in cases if not c.validation])
        self.pools, odds = pools_of(cases, config)
        over = np.arange(config.steps) / config.steps
        when = np.random.default_rng([config.seed, 3]).permutation(over) if config.mixed else over
        self.sizes = [size_at(float(part), config.sizes) for part in when]
        count = batch_of(config.batch, processes) * config.accumulate
        self.ends = np.cumsum([count_at(size, count) for size in self.sizes])
        rng = np.random.default_rng([config.seed, 0, 1])
        self.which = rng.choice(len(odds), size=int(self.ends[-1]), p=odds).astype(np.int32)
        self.case = np.zeros_like(self.which)
        for number, pool in enumerate(self.pools):
            at = np.flatnonzero(self.which == number)
            rounds = [rng.permutation(len(pool)) for _ in range(-(-len(at) // len(pool)))]
            self.case[at] = np.concatenate(rounds)[: len(at)] if rounds else 0

    def __len__(self) -> int:
        return len(self.sizes) * self.config.accumulate

    def __getitem__(self, index: int) -> Batch:
        """Batch ``index`` of the run."""
        parts = self.config.accumulate
        step, part = divmod(index, parts)
        first, end = int(self.ends[step - 1]) if step else 0, int(self.ends[step])
        low, high = (first + (end - first) * cut // parts for cut in (part, part + 1))
        own = range(low, high)[self.rank :: self.processes]
        made, ids = [], []
        for at in own:
            rng = np.random.default_rng([self.config.seed, 0, 2, at])
            pool = self.pools[self.which[at]]
            recipe = self.config.recipe
            case = _perhaps_changed(pool[self.case[at]], pool, self.pools, recipe, rng)
            made.append(render(case, draw(case, self.training, recipe, rng), self.sizes[step]))
            ids.append(case.id)
        share = len(own) * parts * self.processes / (end - first)
        return replace(collate(made, self.words, ids), share=share)


def ahead(
    source: Dataset[Batch],
    workers: int,
    device: str | torch.device,
    numbers: Iterable[int] | None = None,
) -> Generator[Batch, None, None]:
    """The batches on ``device`` in their order, made by ``workers`` processes and fetched one thread ahead,
    until the generator is closed. ``numbers``: which ones of a :class:`Numbered`."""
    loader = DataLoader(
        source,
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        prefetch_factor=3 if workers else None,
        generator=torch.Generator(),  # its own, so that the dice of the process are left alone
    )
    made = iter(loader)  # workers start here, not in the thread
    return prefetch(moved(batch, device) for batch in made)


def prefetch(made: Iterator[Batch]) -> Generator[Batch, None, None]:
    """Batches made one thread ahead of the network. An error in the thread is raised here. Whoever stops
    before the end closes the generator: it then waits for the batch in the making, since a process that ends
    while a thread is in torch is aborted."""
    line: queue.Queue[Batch | BaseException] = queue.Queue(3)
    stop = threading.Event()

    def hand(item: Batch | BaseException) -> None:
        while not stop.is_set():
            try:
                line.put(item, timeout=0.5)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            while not stop.is_set():
                hand(next(made))
        except BaseException as error:
            hand(error)

    thread = threading.Thread(target=work, name=THREAD, daemon=True)
    thread.start()
    try:
        while True:
            item = line.get()
            if isinstance(item, StopIteration):
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join(PATIENCE)
