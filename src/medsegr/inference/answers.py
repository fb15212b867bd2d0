"""What a model says of findings: all in one prompt, an answer each, and one finding's error stays its own.

The report-free twin of a finding, with which its mask is compared, is made here too. Numpy only.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import numpy as np

from medsegr.errors import Cancelled, InputError
from medsegr.options import Options
from medsegr.report.lexicon import concepts
from medsegr.types import Finding, Image, Location, Prompt, Segmentation, Segmenter, Shape, Texture

LARGEST_CALL = 2**28  # probabilities asked for in one call, at most 1 GiB; longer lists go in turns


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said of one target."""

    mask: np.ndarray  # bool "*grid"
    score: float | None
    presence: float | None
    attention: np.ndarray | None
    prob: np.ndarray | None = None  # as in Segmentation; kept only for fractional objects


def target_of(finding: Finding) -> str:
    """What a finding is asked for as: its concept, or its words where it has none."""
    return finding.name or finding.phrase


def name_only(finding: Finding) -> Finding:
    """The same target asked by its name alone: no place, texture or shape.

    An organ keeps its side, which is part of its name.
    """
    concept = concepts().get(finding.name)
    side = finding.location.side if concept is not None and concept.kind == "anatomy" else None
    return replace(
        finding,
        id=f"{finding.id}_free",
        phrase=target_of(finding),
        location=Location(side=side, side_frame=finding.location.side_frame),
        texture=Texture(),
        shape=Shape(),
        mentions=(),
    )


def alone_of(finding: Finding) -> tuple[str, str | None]:
    """What two findings share when their report-free masks are the same."""
    return target_of(finding), name_only(finding).location.side


def was_seen(answer: Answer | Exception, limit: float) -> bool:
    """Whether the model says that it is there; one without a presence score always does."""
    return isinstance(answer, Answer) and (answer.presence is None or answer.presence >= limit)


def at_once(image: Image) -> int:
    """Of how many findings of an image the memory holds the probabilities, so that one call may ask them."""
    return max(1, LARGEST_CALL // max(1, math.prod(image.grid)))


def ask(
    segmenter: Segmenter,
    image: Image,
    findings: Sequence[Finding],
    options: Options = Options(),  # noqa: B008 - frozen
    tick: Callable[[int, int], None] | None = None,
    beside: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> list[Answer | Exception]:
    """One answer a finding, in order. All findings go in one prompt (in turns for large volumes).

    Where that call fails each finding is asked alone, so that one finding's error stays its own; the error
    stands in its place. ``tick`` as in Prompt; ``beside``: ids of findings that are only compared with
    others, and the ids of these.
    """
    turn = at_once(image)
    answers: list[Answer | Exception] = []
    starts = range(0, len(findings), turn)
    for n, start in enumerate(starts):
        group = findings[start : start + turn]
        told = None if tick is None else partial(_part, tick, n, len(starts))
        try:
            answers += _segment(segmenter, image, group, options, told, beside)
        except Cancelled:
            raise
        except MemoryError as error:
            answers += [error] * len(group)
        except Exception as error:
            alone = ([f] for f in group if len(group) > 1)
            answers += [a for one in alone for a in ask(segmenter, image, one, options, told, beside)] or [
                error
            ]
    return answers


def _part(tick: Callable[[int, int], None], n: int, of: int, done: int, total: int) -> None:
    """What turn ``n`` of several tells, as a part of the whole."""
    tick(n * total + done, of * total)


def _segment(
    segmenter: Segmenter,
    image: Image,
    findings: Sequence[Finding],
    options: Options,
    tick: Callable[[int, int], None] | None,
    beside: Mapping[str, Sequence[str]],
) -> Iterator[Answer]:
    # What is asked for is asked as if it were there: the network knows no other way.
    told = tuple(replace(finding, polarity="present") for finding in findings)
    keep = ("attention",) if options.explain else ()  # of probabilities only the masks are read, or bytes
    at = {finding.id: n for n, finding in enumerate(told)}
    whom = tuple(
        tuple(at[own] for own in beside[f.id] if own in at) if f.id in beside else None for f in told
    )
    prompt = Prompt(tuple(map(target_of, told)), told, beside=whom, keep=keep, tick=tick)
    if tick is not None:
        tick(0, 1)
    said = segmenter.segment(image, prompt)
    if said.prob.shape != (len(findings), *image.grid):
        expected = (len(findings), *image.grid)
        raise InputError(f"the model gave {said.prob.shape}, expected {expected}: it is not a Segmenter")
    low, high = said.prob.min(initial=0), said.prob.max(initial=0)
    if said.prob.dtype != np.uint8 and not -0.001 <= low <= high <= 1.001:  # also where they are not finite
        raise InputError(f"the model gave {low:.3g} to {high:.3g} for this image, expected values in [0, 1]")
    return iter([answer_of(said, k, options.fractional) for k in range(len(findings))])


def answer_of(said: Segmentation, k: int, keep: bool = False) -> Answer:
    """What was said of target ``k``; ``keep``: its probabilities, too."""
    prob = said.prob[k]
    half, full = (128, 255.0) if prob.dtype == np.uint8 else (0.5, 1.0)
    mask = prob >= half
    quality, presence, attention = (said.extras.get(name) for name in ("quality", "presence", "attention"))
    score = float(quality[k]) if quality is not None else None
    if score is None and mask.any():
        score = float(prob[mask].mean()) / full
    seen = float(presence[k]) if presence is not None else None
    seen_at = attention[k] if attention is not None else None
    return Answer(mask, score, seen, seen_at, prob.copy() if keep else None)
