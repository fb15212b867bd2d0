"""A session on one image: every call that changes something is a step that can be undone and replayed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medsegr.errors import UsageError
from medsegr.measure import with_structures
from medsegr.pipeline import Follow
from medsegr.prompts.ask import Asked, Candidate, answer, candidates
from medsegr.prompts.door import Rows, checked
from medsegr.prompts.door import plane as plane_of
from medsegr.prompts.offers import chosen, offers
from medsegr.prompts.redraw import Desk, asked_of, disagreement, new_finding, painted, redone
from medsegr.prompts.slices import Stack, get, stack_of
from medsegr.prompts.steps import (
    Accepted,
    Chosen,
    Drawn,
    Painted,
    Saved,
    Step,
    Words,
    hashes_of,
    same_report,
    write,
)
from medsegr.results.outcome import Outcome, outcome_of
from medsegr.results.record import image_json
from medsegr.results.standing import standing
from medsegr.results.verdicts import model_of
from medsegr.reviews import Hints, Review
from medsegr.types import Finding, FindingResult, Image, Report, Result

if TYPE_CHECKING:
    from medsegr.session import Model


@dataclass(frozen=True, slots=True)
class State:
    """Where a session stands after a step. ``words``: what words alone drew of each finding; ``asked``: what
    the last prompts were put as, for other answers to them."""

    step: Step
    outcome: Outcome
    words: Mapping[str, np.ndarray | None]
    asked: Asked | None = None


class Session:
    """One image, encoded once, and what was drawn on it so far.

    Every call that changes something is one step: ``undo`` takes it back, ``redo`` does it again, ``save``
    writes all steps for :meth:`medsegr.session.Model.replay`. A call that is refused changes nothing.
    """

    def __init__(self, model: "Model", image: Image, result: Result | None = None) -> None:
        """``image`` is held for as long as the session lives. ``result``: what was drawn on it earlier."""
        self.model = model
        self.image = image
        self._stack: Stack | None = None
        self._begin = None if result is None else outcome_of(result, model.options)
        self._states: list[State] = []
        self._at = 0  # so many states count; those behind it can be done again

    @property
    def result(self) -> Outcome | None:
        """The newest state; None before the first step."""
        return self._states[self._at - 1].outcome if self._at else self._begin

    @property
    def steps(self) -> tuple[Step, ...]:
        """What was done, undone steps left out."""
        return tuple(state.step for state in self._states[: self._at])

    @property
    def history(self) -> tuple[Outcome, ...]:
        """Every state that is remembered, undone ones and the result that it began with among them."""
        begin = () if self._begin is None else (self._begin,)
        return (*begin, *(state.outcome for state in self._states))

    @property
    def asked(self) -> Asked | None:
        """What the newest step put before the model; None where it gave no prompts."""
        return self._states[self._at - 1].asked if self._at else None

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Whether an undone step can be done again."""
        return self._at < len(self._states)

    def segment(
        self,
        words: Sequence[Finding] | Sequence[str] | str | None = None,
        *,
        report: Report | str | None = None,
    ) -> Outcome:
        """Findings, phrases ("right lung"), or ``report=``; nothing at all: the model proposes.

        Begins anew: what was drawn before is no longer in the result (``undo`` brings it back).
        """
        if words is not None and report is not None:
            raise UsageError("words and a report came together: give one of them")
        step = _words(words, report)
        given = Report(text="", findings=step.findings) if step.findings is not None else report
        outcome = self.model.segment(self.image, report=given, phrases=step.phrases)
        return self._do(State(step, outcome, {item.finding.id: item.mask for item in outcome.findings}))

    def draw(
        self,
        phrase: str = "",
        *,
        points: Rows | None = None,
        box: Rows | Sequence[float | int] | None = None,
        mask: np.ndarray | None = None,
        slice: int | None = None,
        follow: Follow | None = None,
    ) -> Outcome:
        """A further finding out of prompts, with a phrase ("polyp") or without a word. See :meth:`refine`."""
        hints, start = self._checked(points, box, mask, slice)
        return self._drawn(Drawn(None, hints, start, phrase), follow)

    def refine(
        self,
        finding_id: str | None = None,
        *,
        points: Rows | None = None,
        box: Rows | Sequence[float | int] | None = None,
        mask: np.ndarray | None = None,
        slice: int | None = None,
        follow: Follow | None = None,
    ) -> Outcome:
        """Draw one finding again with a person's help; the other findings stay.

        ``points``: rows of ``x y 1`` (inside) or ``x y 0`` (outside), px; ``box``: ``x0 y0 x1 y1``, px, upper
        edge exclusive, or rows of these for several pieces; ``mask``: ``h w``, what to start from (else the
        last mask). Points gather from call to call, boxes are those of the newest call that has any. On a
        volume all of it is on ``slice`` (counted along the axis that is cut across, see
        :mod:`medsegr.prompts.slices`), and is carried to the slices beside it; ``follow`` is told of each,
        and ``Cancelled`` raised by it ends the call, with nothing changed. ``finding_id`` may be left out
        where only one could be meant. The mask keeps to every point; where the words say otherwise the points
        win, and a warning ``words_and_clicks_disagree`` tells.

        Raises:
            UsageError: a prompt that is refused, a finding that is not there, denied, accepted or of no
                place, or nothing was drawn yet.
        """
        item = self._chosen(finding_id)
        hints, start = self._checked(points, box, mask, slice)
        return self._drawn(Drawn(item.finding.id, hints, start), follow)

    def paint(self, finding_id: str | None, mask: np.ndarray, slice: int | None = None) -> Outcome:
        """Keep one finding's mask exactly as a person painted it: brush and eraser.

        ``mask``: bool (or 0 and 1) ``h w``, the whole plane as it shall be; on a volume it replaces the one
        slice ``slice`` and no other. The model is not asked. Prompts given on that plane before are
        forgotten, later ones correct what was painted. The review tells ``edited``. An empty plane erases:
        a mask without any pixel is told as ``not_found``, ``empty``. ``finding_id`` None: the only one that
        could be meant.

        Raises:
            UsageError: another shape, other values than yes and no, a slice that does not fit, a finding that
                is not there, denied, accepted or of no place, or nothing was drawn yet.
        """
        item = self._chosen(finding_id)
        desk = self._desk()
        number = desk.number(slice)
        plane = plane_of(desk.flat, mask)
        step = Painted(item.finding.id, plane, number)
        words = self._words()
        new = painted(desk, item, plane, number, self._before().options)
        note = disagreement(new, words.get(item.finding.id))
        return self._do(State(step, _swapped(self._before(), new, note), words))

    def candidates(self, finding_id: str | None = None) -> tuple[Candidate, ...]:
        """Other answers to the newest prompts, those of the model first, best first; ``choose`` takes one.

        Only such as differ from the mask and from each other: at most five, or none
        (:mod:`medsegr.prompts.offers`). On a volume these are masks of the slice. UsageError where the last
        step gave no prompts.
        """
        asked = self._asked(finding_id)
        return offers(self.model.segmenter, asked, self._plane(asked))

    def choose(self, which: int | str, finding_id: str | None = None) -> Outcome:
        """Take a candidate, by its number from 0 or by its ``how``, in place of the mask as it is."""
        asked = self._asked(finding_id)
        found = offers(self.model.segmenter, asked, self._plane(asked))
        number = chosen(found, which)
        step = Chosen(asked.finding.id, number, found[number].how)
        return self._redone(step, asked, found[number])

    def accept(self, finding_id: str | None = None) -> Outcome:
        """Mark a finding's mask as accepted by a person: it is locked until the step is undone."""
        before, item = self._before(), self._chosen(finding_id)
        if item.mask is None:
            raise UsageError(f"{item.finding.id} has no mask that could be accepted; refine it first")
        review = replace(item.review or Review(), accepted=True)
        outcome = _swapped(before, replace(item, review=review))
        return self._do(State(Accepted(item.finding.id), outcome, self._words()))

    def undo(self) -> Outcome | None:
        """One step back; returns the state before it, or None at the start."""
        self._at = max(0, self._at - 1)
        return self.result

    def redo(self) -> Outcome | None:
        """Do again the step that was undone last; UsageError where none was."""
        if self._at == len(self._states):
            raise UsageError("there is nothing to do again: no step was undone, or another was done since")
        self._at += 1
        return self.result

    def save(self, path: Path | str, keep_text: bool = False) -> Path:
        """Write all steps as JSON; :meth:`medsegr.session.Model.replay` gives the same masks again.

        A whole report is written by its hash only, unless ``keep_text``; so are the masks of a result that
        the session began with.
        """
        outcome = self._before()
        masks = hashes_of(outcome.findings)
        begin = None if self._begin is None else hashes_of(self._begin.findings)
        model = dict(model_of(self.model.segmenter))
        saved = Saved(image_json(self.image), model, self.model.options, self.steps, masks, begin)
        return write(saved, Path(path), keep_text)

    def do(self, step: Step, report: Report | str | None = None) -> Outcome:
        """One step as a value. ``report`` is the text of a step that holds it by its hash."""
        match step:
            case Words():
                text = same_report(step, report)
                return self.segment(step.findings or step.phrases or None, report=text)
            case Drawn(finding=finding):
                if finding is not None:
                    self._chosen(finding)
                return self._drawn(step)
            case Painted():
                return self.paint(step.finding, step.mask, step.slice)
            case Chosen(how=str(how)):
                return self.choose(how, step.finding)
            case Chosen():  # of a file from before answers had names
                asked = self._asked(step.finding)
                found = candidates(self.model.segmenter, asked)
                return self._redone(step, asked, found[chosen(found, step.number)])
        return self.accept(step.finding)

    def compared(self, masks: Mapping[str, str]) -> "Session":
        """Itself, with a warning in the newest state for masks whose hashes differ from these."""
        outcome = self._before()
        have = hashes_of(outcome.findings)
        other = sorted(key for key in {*have, *masks} if have.get(key) != masks.get(key))
        if other and self._at:
            said = f"{', '.join(other)}: the mask is not that of the saved session, bit for bit"
            noted = replace(outcome, warnings=(*outcome.warnings, ("replayed_differently", said)))
            self._states[self._at - 1] = replace(self._states[self._at - 1], outcome=noted)
        return self

    def _do(self, state: State) -> Outcome:
        self._states[self._at :] = [state]
        self._at += 1
        return state.outcome

    def _before(self) -> Outcome:
        if self.result is None:
            raise UsageError("there is nothing to work on yet: call segment first")
        return self.result

    def _words(self) -> Mapping[str, np.ndarray | None]:
        if self._at:
            return self._states[self._at - 1].words
        return {item.finding.id: item.mask for item in self._begin.findings} if self._begin else {}

    def _desk(self, follow: Follow | None = None) -> Desk:
        image = self._taken()
        if len(image.grid) == 3 and (self._stack is None or self._stack.image.modality != image.modality):
            self._stack = stack_of(image)
        return Desk(self.model.segmenter, image, self._stack, follow)

    def _taken(self) -> Image:
        """The image as the newest state takes it: what nobody said of its kind, the words may have told."""
        if self.result is None:
            return self.image
        told = self.result.image
        return replace(self.image, modality=told.modality, frame=told.frame)

    def _plane(self, asked: Asked) -> np.ndarray | None:
        """The mask of what was asked as it is now, on a volume its slice."""
        mask, number = self._before()[asked.finding.id].mask, asked.hints.slice
        stack = self._desk().stack
        return mask if mask is None or stack is None or number is None else get(mask, stack, number)

    def _checked(
        self,
        points: Rows | None,
        box: Rows | Sequence[float | int] | None,
        mask: np.ndarray | None,
        number: int | None,
    ) -> tuple[Hints, np.ndarray | None]:
        desk = self._desk()
        return checked(desk.flat, points, box, mask, desk.number(number))

    def _chosen(self, finding_id: str | None) -> FindingResult:
        item = _chosen(self._before(), finding_id)
        if item.review is not None and item.review.accepted:
            raise UsageError(f"{item.finding.id} is accepted, and so locked: undo that step to change it")
        return item

    def _drawn(self, step: Drawn, follow: Follow | None = None) -> Outcome:
        before = self.result or outcome_of(
            Result(self.image, None, (), model_of(self.model.segmenter)), self.model.options
        )
        if step.finding is None:
            item = new_finding(before, step.phrase, self._taken())
            before = replace(before, findings=(*before.findings, item))
        else:
            item = _chosen(before, step.finding)
        desk = self._desk(follow)
        asked = asked_of(desk, item, step.hints, step.mask)
        return self._redone(step, asked, answer(self.model.segmenter, asked), desk, before)

    def _redone(
        self,
        step: Step,
        asked: Asked,
        found: Candidate,
        desk: Desk | None = None,
        before: Outcome | None = None,
    ) -> Outcome:
        before = before or self._before()
        item = redone(desk or self._desk(), before[asked.finding.id], asked, found, before.options)
        words = self._words()
        note = disagreement(item, words.get(item.finding.id))
        return self._do(State(step, _swapped(before, item, note), words, asked))

    def _asked(self, finding_id: str | None) -> Asked:
        item = self._chosen(finding_id)
        asked = self.asked
        if asked is None or asked.finding.id != item.finding.id:
            raise UsageError(f"the last step gave no prompts for {item.finding.id}: refine it first")
        return asked


def _words(words: Sequence[Finding] | Sequence[str] | str | None, report: Report | str | None) -> Words:
    if isinstance(report, Report) and not report.text:  # made of findings: there is no text to read again
        return Words(findings=report.findings)
    if report is not None:
        return Words(report=report if isinstance(report, str) else report.text)
    if words is None or isinstance(words, str):
        return Words(phrases=() if words is None else (words,))
    findings = tuple(item for item in words if isinstance(item, Finding))
    if findings and len(findings) == len(words):
        return Words(findings=findings)
    return Words(phrases=tuple(str(item) for item in words))


def _swapped(before: Outcome, item: FindingResult, note: tuple[str, str] | None = None) -> Outcome:
    """The same outcome with one finding's new result, its warning, and those of before that still hold."""
    results = [item if old.finding.id == item.finding.id else old for old in before.findings]
    warnings = (*standing(before.warnings, item, results), *(() if note is None else (note,)))
    return replace(before, findings=tuple(with_structures(before.image, results)), warnings=warnings)


def _chosen(outcome: Outcome, finding_id: str | None) -> FindingResult:
    if finding_id is not None:
        there = [item.finding.id for item in outcome.findings]
        if finding_id not in there:
            raise UsageError(f"no finding '{finding_id[:40]}': one of {', '.join(there)} was expected")
        item = outcome[finding_id]
        if item.finding.polarity == "absent":
            raise UsageError(
                "the report denies this finding: it is not drawn; ask by a phrase of your own if you see it"
            )
        if not item.finding.drawable:
            raise UsageError("this finding names nothing that lies in one place: ask by a phrase of your own")
        return item
    drawn = [item for item in outcome.findings if item.status in ("segmented", "not_found")]
    if len(drawn) != 1:
        raise UsageError(f"{len(drawn)} findings could be meant: say which, for example refine('f1', ...)")
    return drawn[0]
