"""A result that knows how it was made, and can be saved: what the Python front gives."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from medsegr import pipeline
from medsegr.options import Options
from medsegr.types import FindingResult, Result


@dataclass(frozen=True, slots=True)
class Outcome(Result):
    """A Result that knows with which options it was made and can write itself."""

    options: Options = field(default_factory=Options)

    def save(self, out_dir: Path | str, formats: Sequence[str] = ()) -> Path:
        """Write findings.json, masks/, overlay.png and manifest.json into a new, empty or own folder.

        Returns it.
        """
        options = replace(self.options, formats=tuple(formats)) if formats else self.options
        return pipeline.save(_plain(self), out_dir, options)

    def __getitem__(self, finding_id: str) -> FindingResult:
        """The result of one finding by its id; KeyError lists the ids."""
        for item in self.findings:
            if item.finding.id == finding_id:
                return item
        raise KeyError(f"no finding '{finding_id}'; there are {[item.finding.id for item in self.findings]}")


def _plain(result: Result) -> Result:
    return Result(**{f.name: getattr(result, f.name) for f in fields(Result)})


def outcome_of(result: Result, options: Options) -> Outcome:
    """A result with the options that it was made with."""
    return Outcome(**{f.name: getattr(result, f.name) for f in fields(Result)}, options=options)
