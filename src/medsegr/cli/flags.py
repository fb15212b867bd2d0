"""Flags as frozen dataclasses: a command takes a few groups of them, a command line has them flat."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

from medsegr.errors import InputError, ReportError, UsageError

if TYPE_CHECKING:
    from medsegr.io.choices import Choices
    from medsegr.options import Options
    from medsegr.samples.layouts import Hints

CACHE_GB = 10.0  # of --feature-cache


@dataclass(frozen=True, slots=True)
class Option:
    """A flag by its ``names``, or an argument by its place where it has none; ``about``: for typer."""

    names: tuple[str, ...]
    about: Mapping[str, Any]


def option(*names: str, **about: Any) -> Option:
    """A flag, as ``typer.Option`` has it; typer is loaded only where it has to read the command line."""
    return Option(names, MappingProxyType(about))


def argument(**about: Any) -> Option:
    """An argument by its place, as ``typer.Argument`` has it."""
    return Option((), MappingProxyType(about))


def check_folder(folder: Path) -> None:
    """InputError where no folder is, of which a result was asked for."""
    if not folder.is_dir():
        there = "a file came where a folder was expected" if folder.exists() else "there is no such folder"
        refused = InputError(f"{there}; give the -o of 'medsegr segment'")
        refused.add_note(str(folder))
        raise refused


@contextmanager
def naming(typed: object) -> Iterator[None]:
    """Note on a refusal which file or folder it is about, as the person typed it.

    Only the last line on stderr shows it: the message itself stays free of names, for logs and jobs.jsonl.
    """
    shown = "".join(c if c.isprintable() else "?" for c in str(typed))
    try:
        yield
    except (InputError, ReportError) as error:
        if not hasattr(error, "__notes__"):  # who refused it may know better what it is about
            error.add_note(shown)
        raise
    except BrokenPipeError:  # the reader of our output has gone: no file is at fault
        raise
    except OSError as error:
        refused = InputError(
            f"it cannot be read or written ({error.strerror or type(error).__name__}); check the path"
        )
        refused.add_note(shown)
        raise refused from error


def frame_of(text: str | None) -> Literal["patient", "viewer"] | None:
    """The frame that a flag names; UsageError for another word."""
    frames: dict[str | None, Literal["patient", "viewer"] | None]
    frames = {None: None, "patient": "patient", "viewer": "viewer"}
    if text in frames:
        return frames[text]
    raise UsageError(f"--frame: '{str(text)[:40]}' is not known; expected patient or viewer")


def check_used(options: "Options", formats: Sequence[str]) -> None:
    """UsageError for a flag about a format that is not among those that are written."""
    if options.subject and "fhir" not in formats:
        raise UsageError("--subject is whom a FHIR bundle is about: ask for the format fhir, or leave it out")
    if options.seg_type != "binary" and "dicom-seg" not in formats:
        raise UsageError("--seg-type is the kind of a DICOM SEG: ask for dicom-seg, or leave it out")


def hints_of(sets: "SetFlags") -> "Hints":
    """What the flags tell of sets that do not say it themselves."""
    from medsegr.samples.layouts import Hints

    return Hints(sets.target, sets.modality)


def choices_of(image: "FileFlags") -> "Choices":
    """What the flags settle of an input that leaves it open."""
    from medsegr.io.choices import Choices

    if image.series == "list":
        raise UsageError(
            "--series list came, a number or a UID was expected; 'medsegr segment -i FILE --series list' "
            "prints the numbers"
        )
    return Choices(image.series, image.accept_gaps, image.use, image.film_frame)


def grouped(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """A command whose parameters are dataclasses of flags -> the same command with every flag as its own
    parameter.

    A parameter that is no dataclass stays as it is. Field annotations are
    ``Annotated[type, option(...)]``.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    flat: dict[str, inspect.Parameter] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        if name in groups:
            for part in _flags_of(groups[name]):
                flat[part.name] = part
        else:
            flat[name] = parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)

    @functools.wraps(command)
    def call(**given: Any) -> int | None:
        values: dict[str, Any] = {}
        for name, kind in groups.items():
            names = [f.name for f in fields(kind)]
            values[name] = kind(**{n: given.pop(n) for n in names})
        return command(**values, **given)

    call.__signature__ = inspect.Signature(list(flat.values()))  # type: ignore[attr-defined]
    call.__annotations__ = {name: part.annotation for name, part in flat.items()}
    del call.__wrapped__  # else it would be looked through to the groups
    return call


def _flags_of(kind: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for item in fields(kind):
        default: Any = item.default_factory() if item.default_factory is not MISSING else item.default
        default = inspect.Parameter.empty if default is MISSING else default
        found.append(
            inspect.Parameter(
                item.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[item.name]
            )
        )
    return found


@dataclass(frozen=True)
class LogFlags:
    """How much is said on stderr."""

    quiet: Annotated[bool, option("--quiet", "-q", help="Say nothing but errors.")] = False
    verbose: Annotated[bool, option("--verbose", "-v", help="Say what is being done.")] = False
    debug: Annotated[bool, option("--debug", help="Show tracebacks; these may name files.")] = False
    log_json: Annotated[bool, option("--log-json", help="Log lines as JSON, one object a line.")] = False


@dataclass(frozen=True)
class ModelFlags:
    """Which model runs where."""

    model: Annotated[str, option("--model", help="Name of a model or a folder that holds one.")] = (
        "medsegr-tiny"
    )
    device: Annotated[str, option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto"
    threads: Annotated[int | None, option("--threads", min=1, help="Processor threads of the model.")] = None
    backend: Annotated[
        str,
        option(
            "--backend",
            metavar="NAME|FOLDER",
            help="auto (onnx on the processor once the model was exported for it, else torch), torch, "
            "openvino, onnx, or a folder of medsegr export.",
        ),
    ] = "auto"
    precision: Annotated[
        str, option("--precision", help="fp32; int8 with openvino or onnx: masks differ.")
    ] = "fp32"
    offline: Annotated[bool, option("--offline", help="Refuse every download; this is also the default.")] = (
        True
    )


@dataclass(frozen=True)
class ExportFlags:
    """How results are written."""

    format: Annotated[
        str,
        option(
            "--format",
            "--to",
            metavar="FORMATS",
            help="png, nifti, nrrd, dicom-seg, rtstruct, dicom-sr, dicom-sc, fhir, json; several with "
            "commas. Default: the kind of the input.",
        ),
    ] = ""
    seg_type: Annotated[
        str, option("--seg-type", help="Kind of DICOM SEG: binary, labelmap or fractional.")
    ] = "binary"
    combined: Annotated[
        bool,
        option("--combined", help="Also one label map of all masks; overlaps are listed beside it."),
    ] = False
    subject: Annotated[
        str,
        option(
            "--subject", metavar="REFERENCE", help="Whom the FHIR bundle is about, for example Patient/123."
        ),
    ] = ""


@dataclass(frozen=True)
class SeenFlags:
    """What the words speak of, where nothing says it."""

    frame: Annotated[str | None, option("--frame", help="Whose left the words mean: patient or viewer.")] = (
        None
    )
    modality: Annotated[
        str | None, option("--modality", help="DICOM code or name: CR, CT, MR, US, ES, OP ...")
    ] = None


@dataclass(frozen=True)
class FileFlags:
    """What a file leaves open about the image in it."""

    series: Annotated[
        str,
        option(
            "--series",
            metavar="NUMBER|UID",
            help="Which DICOM series of several; 'medsegr segment -i FILE --series list' prints them.",
        ),
    ] = ""
    accept_gaps: Annotated[
        bool,
        option(
            "--accept-gaps",
            help="Go on with slices that are missing, doubled or unevenly spaced, and note it.",
        ),
    ] = False
    use: Annotated[
        str | None, option("--use", help="Geometry of a NIfTI whose two disagree: sform or qform.")
    ] = None
    film_frame: Annotated[
        int | None, option("--film-frame", min=1, help="Frame of a film (ultrasound, angiography).")
    ] = None


@dataclass(frozen=True)
class ImageFlags(FileFlags, SeenFlags):
    """What the image is, where the file does not say."""


@dataclass(frozen=True)
class WordFlags:
    """What is asked for: one of the three, or nothing."""

    report: Annotated[
        str | None, option("--report", "-r", metavar="FILE|-", help="A whole report; - reads stdin.")
    ] = None
    text: Annotated[str | None, option("--text", "-t", metavar="TEXT", help="One sentence of a report.")] = (
        None
    )
    prompt: Annotated[
        list[str],
        option("--prompt", "-p", metavar="PHRASE", help="A direct phrase; give -p again for more."),
    ] = field(default_factory=list)


@dataclass(frozen=True)
class SetFlags:
    """What folders of images and masks do not say themselves."""

    target: Annotated[
        str | None, option("--target", help="What the masks show, where the folder does not say.")
    ] = None
    modality: Annotated[
        str | None, option("--modality", help="Of the images, where the folder does not say.")
    ] = None


Limit = Annotated[
    str,
    option("--limits", help="Raise what an input may cost: pixels=2e8, voxels=1e9; several with commas."),
]
OutFolder = Annotated[
    Path | None, option("--output", "-o", help="Folder to write; new, empty or one of ours.")
]
Json = Annotated[bool, option("--json", help="Print JSON.")]


def listed(text: str) -> tuple[str, ...]:
    """``"a,b c"`` -> ``("a", "b", "c")``, each once."""
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


@dataclass(frozen=True)
class RunFlags(ModelFlags, LogFlags):
    """Model and log together: for commands that run a model."""


@dataclass(frozen=True)
class CachedRunFlags(RunFlags):
    """A model that may keep on disk what it makes of an image before the words."""

    feature_cache: Annotated[
        Path | None,
        option("--feature-cache", help="Folder to keep on disk what no word can change; of torch alone."),
    ] = None
    feature_cache_gb: Annotated[
        float | None,
        option(
            "--feature-cache-gb",
            min=0,
            help="Size of that folder, 10 where nothing is said; the oldest go first.",
        ),
    ] = None

    @property
    def runtime(self) -> str:
        """The backend. Where features are kept on disk, auto is torch: nothing else has them."""
        return "torch" if self.backend == "auto" and self.feature_cache is not None else self.backend

    @property
    def features(self) -> tuple[Path, float] | None:
        """Folder and gigabytes of the cache, None without one. UsageError where nothing would be kept."""
        if self.feature_cache is None:
            if self.feature_cache_gb is not None:
                raise UsageError(
                    "--feature-cache-gb is the size of a cache: give its folder, --feature-cache"
                )
            return None
        from medsegr.session import has_network

        if self.runtime != "torch":
            raise UsageError(
                f"--feature-cache came together with --backend {self.backend[:60]}, which keeps nothing: "
                "torch was expected; leave one of the two out"
            )
        if not has_network(self.model):
            raise UsageError(
                f"--feature-cache is for checkpoints; '{self.model}' is a method that keeps nothing: leave "
                "it out"
            )
        size = self.feature_cache_gb
        return self.feature_cache, CACHE_GB if size is None else size
