"""Seconds and memory of the main job on this machine, with peers measured in the same run: ``make
bench-speed``.

Every number is the least of several repeats, since other work on a machine only ever adds: seconds by the
clock, and beside them seconds of processor time of all threads, which other work disturbs least. Cold numbers
are whole processes. A peer that is not installed is left out.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from medsegr.bench import speed_peers
from medsegr.bench.clock import Least, least
from medsegr.bench.svg import lines

SENTENCE = "Patchy opacity in the right lower lobe."
PHRASES = (
    "left lung",
    "heart",
    "right lung",
    "nodule in the left upper lobe",
    "mass in the right upper lobe",
)
EIGHT = (*PHRASES, "opacity in the right lower lobe", "consolidation in the left lower lobe", "airways")
ORGANS = (
    *("liver", "spleen", "left kidney", "right kidney", "kidney cyst"),
    *("kidney tumour", "liver lesion in the right lobe", "lesion"),
)
REPORT = """EXAMINATION: Chest radiograph, frontal view.
COMPARISON: Radiograph of last year.
FINDINGS: The heart is of normal size. There is a hazy opacity in the right lower lobe, possibly with a small
effusion. A round nodule of 12 mm is seen in the left upper lobe. No pneumothorax. The previously seen
atelectasis has resolved. A central venous catheter projects over the right atrium. No acute bone abnormality.
IMPRESSION: Right lower lobe opacity. Left upper lobe nodule, new. No pneumothorax.
"""


Row = tuple[str, float | None, str]  # of other tables: a name, a number, a target


@dataclass(frozen=True, slots=True)
class Timing:
    """One line: ``wall`` and ``cpu`` seconds, or another number in ``wall`` with its ``unit``; None: not
    told."""

    name: str
    wall: float | None
    cpu: float | None = None
    unit: str = "s"
    target: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: repeats of warm and of cold numbers, slices of the CT, threads, backends beside
    torch. On a busy machine take one thread: several wait for each other, and that is processor time, too."""

    repeats: int = 7
    cold: int = 3
    slices: int = 128
    threads: int = 2
    backends: tuple[str, ...] = ("onnx fp32", "openvino fp32", "onnx int8", "openvino int8")


def of(name: str, found: Least, target: str = "") -> Timing:
    """A row of seconds."""
    return Timing(name, found.wall, found.cpu, "s", target)


@contextmanager
def picture() -> Iterator[Path]:
    """A made 512 px chest X-ray as a PNG in a folder of its own."""
    from PIL import Image as Pillow

    from medsegr.phantom import make

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chest.png"
        Pillow.fromarray(make("chest", np.random.default_rng(0), size=512).image).save(path)
        yield path


def volume(slices: int) -> np.ndarray:
    """Made abdominal slices as a CT ``d h w`` of ``slices`` x 256 x 256 in Hounsfield units."""
    from medsegr.phantom import make

    planes = [make("abdomen", np.random.default_rng(n), size=256).image for n in range(4)]
    grey = np.stack([np.asarray(one, np.float32).reshape(256, 256, -1)[..., 0] for one in planes])
    return np.asarray(grey[np.arange(slices) % 4] * 460 / 255 - 260, np.float32)


def body(slices: int) -> np.ndarray:
    """As :func:`volume`, but of slices that change little by little, as those of a body do: four made ones,
    each shrinking and growing by a tenth over its quarter of the volume."""
    from scipy import ndimage

    still, quarter = volume(4), max(1, -(-slices // 4))
    found = []
    for z in range(slices):
        scale = 1 + 0.1 * np.sin(2 * np.pi * z / quarter)
        shift = 128 * (1 - scale)
        found.append(
            ndimage.affine_transform(still[z // quarter], [scale, scale], shift, order=1, mode="nearest")
        )
    return np.stack(found)


def warm(path: Path, plan: Plan) -> Iterator[Timing]:
    """A new image with a sentence, each further phrase, and eight findings, the model being loaded, on every
    backend."""
    import medsegr
    from medsegr.io.read import image_from_array, read_image
    from medsegr.options import Options

    seen = read_image(path, modality="CR").data
    counter = itertools.count()
    for name in ("torch fp32", *plan.backends):
        backend, precision = name.split()
        try:
            model = medsegr.load(
                options=Options(report_mask=False), threads=plan.threads, backend=backend, precision=precision
            )
        except Exception as error:  # not installed: the other rows count all the same
            yield Timing(f"{name}: left out, {type(error).__name__}", None)
            continue

        def fresh(model: object = model) -> object:
            # Other pixels each time: nothing that was kept for the last image may help.
            data = seen[0].copy()
            data[0, 0] = next(counter) % 256
            return model.segment(image_from_array(data, modality="CR"), text=SENTENCE)  # type: ignore[attr-defined]

        yield of(f"{name}: 512 px image and a sentence", least(fresh, plan.repeats), "<= 0.25")
        session = model.open(path, modality="CR")
        all_phrases = least(partial(_each, session.segment, PHRASES), plan.repeats)
        mean = Least(all_phrases.wall / len(PHRASES), all_phrases.cpu / len(PHRASES))
        yield of(f"{name}: each further phrase on it, mean of {len(PHRASES)}", mean, "<= 0.06")
        held = read_image(path, modality="CR")
        eight = partial(model.segment, held, phrases=EIGHT, options=Options())
        yield of(f"{name}: eight findings with report-free masks", least(eight, plan.repeats), "<= 0.8")


def _each(ask: Callable[[str], object], phrases: Sequence[str]) -> None:
    """All of them: some take one row of the network, some four, and the least of several is that of one."""
    for phrase in phrases:
        ask(phrase)


def volumes(plan: Plan) -> Iterator[Timing]:
    """A CT with eight findings, guided masks only, on torch and the first other backend. No two of its slices
    are alike and their distance is not told, so all are asked."""
    import medsegr
    from medsegr.io.read import image_from_array
    from medsegr.options import Options

    image = image_from_array(volume(plan.slices), modality="CT")
    for name in ("torch fp32", *plan.backends[:1]):
        backend, precision = name.split()
        model = medsegr.load(
            options=Options(report_mask=False), threads=plan.threads, backend=backend, precision=precision
        )
        ask = partial(model.segment, image, phrases=ORGANS)
        found = least(ask, 1, before=False)
        yield of(f"{name}: CT {plan.slices} x 256 x 256, eight findings", found, "<= 25")


def growth(plan: Plan) -> dict[str, list[tuple[float, float]]]:
    """Processor seconds against findings of a picture (1 to 16) and slices of a volume (8 to 128, one
    finding)."""
    from medsegr import predict
    from medsegr.io.read import image_from_array
    from medsegr.types import Finding, Location, Prompt

    model = predict.load(device="cpu", threads=plan.threads)
    flat = image_from_array(volume(1)[0], modality="CT")
    deep = volume(128)
    names = ("liver", "spleen", "kidney", "lesion")
    rows, cols = ("upper", "lower"), ("left", "right")
    asked = [
        Finding(
            f"f{n}",
            "",
            (0, 0),
            names[n % 4],
            location=Location(rows=(rows[n // 4 % 2],), cols=(cols[n // 8],)),
        )
        for n in range(16)
    ]
    found: dict[str, list[tuple[float, float]]] = {"findings": [], "slices": []}
    for count in (1, 2, 4, 8, 12, 16):
        part = tuple(asked[:count])
        prompt = Prompt(tuple(f.name for f in part), part, keep=())
        best = least(partial(model.segment, flat, prompt), max(1, plan.repeats // 2))
        found["findings"].append((count, best.cpu))
    for count in (8, 32, 64, 128):
        image = image_from_array(deep[:count], modality="CT")
        prompt = Prompt(("liver",), (asked[0],), keep=())
        found["slices"].append((count, least(partial(model.segment, image, prompt), 1, before=False).cpu))
    return found


def cold(path: Path, plan: Plan) -> Iterator[Timing]:
    """Whole processes, from the command line."""
    out = path.parent / "out"
    segment = ["segment", "-i", str(path), "-t", SENTENCE, "--modality", "CR", "-o", str(out), "-q"]
    segment += ["--threads", str(plan.threads)]
    runs = [("medsegr --help", ["--help"], "<= 0.5"), ("medsegr info", ["info"], "<= 0.5")]
    ran = dict.fromkeys(("torch", *(backend.split()[0] for backend in plan.backends)))
    runs += [
        (f"cold: medsegr segment --backend {name}", [*segment, "--backend", name], "<= 3.5") for name in ran
    ]
    for name, words, target in runs:
        yield of(name, least(partial(command, words), plan.cold), target)
    for name in ran:
        held = peak([*segment, "--backend", name])
        yield Timing(f"peak memory of that, --backend {name}", held, None, "MB", "<= 800")


def deep(path: Path, plan: Plan) -> Iterator[Timing]:
    """The command on a CT with eight findings, report-free masks and files included, on the first backend
    beside torch, or on torch alone. Its slices are 2 mm apart and change little by little."""
    import nibabel as nib

    source = path.parent / "ct.nii.gz"
    nib.save(nib.Nifti1Image(body(plan.slices).transpose(2, 1, 0), np.diag([-1.4, -1.4, 2.0, 1.0])), source)  # type: ignore[no-untyped-call]
    asked = [word for organ in ORGANS for word in ("-p", organ)]
    out = path.parent / "ct"
    words = ["segment", "-i", str(source), *asked, "--modality", "CT", "-o", str(out), "-q"]
    words += ["--threads", str(plan.threads), "--backend", *(plan.backends or ("torch fp32",))[0].split()[:1]]
    held: list[float | None] = []
    spent = least(lambda: held.append(peak(words)), 1, before=False)
    name = f"CT {plan.slices} x 256 x 256, eight findings"
    yield of(f"cold: medsegr segment, {name}", spent)
    yield Timing(f"peak memory of that {name}", held[0], None, "MB", "<= 1500")


def command(words: Sequence[str]) -> None:
    """Run ``medsegr`` in a process of its own; RuntimeError where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "medsegr", *words], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"medsegr {words[0]} ended with {done.returncode}: {done.stderr.strip()[-200:]}")


def peak(words: Sequence[str]) -> float | None:
    """Largest resident memory of one command in MB; None where the system does not tell."""
    code = (
        "import sys; from medsegr.bench.clock import memory; from medsegr.cli.main import main; "
        "main(sys.argv[1:]); print(memory())"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1e6 or None


def imports(_path: Path) -> Iterator[Timing]:
    """What is imported by a run, slowest first (``python -X importtime``; a package with all that it
    brings)."""
    code = "from medsegr import pipeline, predict, record; predict.load(device='cpu')"  # brings torch
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = {}
    for told in done.stderr.splitlines():
        parts = told.partition("import time:")[2].split("|")
        if len(parts) == 3 and parts[1].strip().isdigit():
            top = parts[2].strip().partition(".")[0]
            found[top] = found.get(top, 0.0) + int(parts[0]) / 1e6  # own time, without what it brings
    for name, seconds in sorted(found.items(), key=lambda item: -item[1])[:8]:
        yield Timing(f"  import of {name}", seconds)


def size() -> Iterator[Timing]:
    """Parameters and file of the embedded checkpoint."""
    from medsegr import weights

    yield Timing("parameters, millions", weights.read_card()["parameters"] / 1e6, None, "M")
    yield Timing("checkpoint file", weights.find(weights.DEFAULT)[0].stat().st_size / 1e6, None, "MB")


def parsing(plan: Plan) -> Iterator[Timing]:
    """One report through the reader, and through negspacy's negation alone."""
    from medsegr.report.parse import parse

    yield of("parse a report of eight findings", least(lambda: parse(REPORT, modality="CR"), 20), "<= 0.02")
    yield from (of(name, found) for name, found in speed_peers.negation(REPORT, plan.repeats))


def show(rows: Iterator[Timing] | Iterator[Row]) -> list[Timing]:
    """One line a number. What cannot run says why, and the rest goes on."""
    shown: list[Timing] = []
    try:
        for one in rows:
            row = one if isinstance(one, Timing) else Timing(one[0], one[1], None, "", one[2])
            told = (
                "not told" if row.wall is None else f"{row.wall:.4f}" if row.wall < 10 else f"{row.wall:.1f}"
            )
            cpu = "" if row.cpu is None else f"{row.cpu:.4f}"
            print(f"{row.name:62s} {told:>9s} {row.unit:2s} {cpu:>9s}  {row.target}", flush=True)
            shown.append(row)
    except Exception as error:
        print(f"  left out: {type(error).__name__}: {' '.join(str(error).split())[:160]}", flush=True)
    return shown


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; ``--plot`` draws how cost grows."""
    parser = argparse.ArgumentParser(prog="python -m medsegr.bench.speed", description=main.__doc__)
    parser.add_argument("--plot", type=Path, help="SVG: processor seconds against findings and slices")
    parser.add_argument("--json", type=Path, help="the rows as JSON")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--backends", default=",".join(Plan().backends), help="beside torch, with commas")
    parser.add_argument("--slices", type=int, default=128, help="of the CT")
    parser.add_argument("--threads", type=int, default=2, help="of the models; 1 on a busy machine")
    parser.add_argument("--only", default="", help="parts, with commas: " + ", ".join(PARTS))
    given = parser.parse_args(arguments)
    backends = tuple(name for name in given.backends.split(",") if name)
    plan = Plan(given.repeats, min(given.repeats, 3), given.slices, given.threads, backends)
    wanted = given.only.split(",") if given.only else list(PARTS)
    print(f"{os.cpu_count()} processors; least of repeats: seconds, processor seconds; targets for two cores")
    rows: list[Timing] = []
    with picture() as path:
        for name in wanted:
            rows += show(PARTS[name](path, plan))
    if given.plot:
        given.plot.write_text(plot(growth(plan)), encoding="utf-8")
    if given.json:
        told = [asdict(row) for row in rows]
        given.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0


def plot(found: dict[str, list[tuple[float, float]]]) -> str:
    """Both curves as one SVG document."""
    first = lines("Cost against findings", "findings of one picture", "processor s", {"": found["findings"]})
    second = lines("Cost against slices", "slices of a CT, one finding", "processor s", {"": found["slices"]})
    style = (
        "<style>.box,.bar{fill:none;stroke:#444}text{font:12px sans-serif;fill:#222}.dot{fill:#246}</style>"
    )
    moved = second.replace("<svg ", '<svg y="300" ', 1)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 600" width="680" height="600">'
        f'{style}<rect width="680" height="600" fill="#fff"/>{first}{moved}</svg>\n'
    )


PARTS: dict[str, Callable[[Path, Plan], Iterator[Timing]]] = {
    "parse": lambda _path, plan: parsing(plan),
    "warm": warm,
    "peers": lambda path, plan: (of(*found) for found in speed_peers.networks(path, plan.repeats)),
    "cold": cold,
    "imports": lambda path, _plan: imports(path),
    "size": lambda _path, _plan: size(),
    "volume": lambda _path, plan: volumes(plan),
    "deep": deep,
}

if __name__ == "__main__":
    sys.exit(main())
