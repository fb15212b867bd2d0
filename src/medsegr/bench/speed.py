"""Seconds and memory of the main job on this machine, with peers measured in the same run: ``make
bench-speed``.

Warm numbers are medians in this process, cold ones medians of fresh processes. Peers give the scale of the
machine: MONAI's BasicUNet forward at 256 px, negspacy on the same reports. A peer that is not installed is
left out.
"""

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

REPEATS = 7
COLD = 3
SENTENCE = "Patchy opacity in the right lower lobe."
PHRASES = ("left lung", "heart", "right lung", "nodule in the left upper lobe", "right pleural effusion")
REPORT = """EXAMINATION: Chest radiograph, frontal view.
COMPARISON: Radiograph of last year.
FINDINGS: The heart is of normal size. There is a hazy opacity in the right lower lobe, possibly with a small
effusion. A round nodule of 12 mm is seen in the left upper lobe. No pneumothorax. The previously seen
atelectasis has resolved. A central venous catheter projects over the right atrium. No acute bone abnormality.
IMPRESSION: Right lower lobe opacity. Left upper lobe nodule, new. No pneumothorax.
"""
Row = tuple[str, float | None, str]


def timed(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median seconds of ``call`` after one call that does not count."""
    call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


@contextmanager
def picture() -> Iterator[Path]:
    """A made 512 px chest X-ray as a PNG in a folder of its own."""
    from PIL import Image as Pillow

    from medsegr.phantom import make

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chest.png"
        Pillow.fromarray(make("chest", np.random.default_rng(0), size=512).image).save(path)
        yield path


def warm(path: Path) -> Iterator[Row]:
    """A new image with a sentence, and each further phrase on it, the model being loaded."""
    import medsegr
    from medsegr.io.read import image_from_array, read_image
    from medsegr.options import Options

    model = medsegr.load(options=Options(report_mask=False))
    seen = read_image(path, modality="CR").data

    counter = itertools.count()

    def fresh() -> object:
        # Other pixels each time: nothing that was kept for the last image may help.
        data = seen[0].copy()
        data[0, 0] = next(counter) % 256
        return model.segment(image_from_array(data, modality="CR"), text=SENTENCE)

    yield "warm: 512 px image and a sentence", timed(fresh), "<= 0.5"
    session = model.open(path, modality="CR")
    session.segment(SENTENCE)
    phrases = iter(PHRASES * REPEATS)
    yield "each further phrase on it", timed(lambda: session.segment(next(phrases))), "<= 0.15"
    both = medsegr.load(options=Options(report_mask=True))
    held = read_image(path, modality="CR")
    yield (
        "a report of eight findings on it, with report-free masks",
        timed(lambda: both.segment(held, report=REPORT), 3),
        "",
    )


def cold(path: Path) -> Iterator[Row]:
    """Whole processes, from the command line."""
    out = path.parent / "out"
    segment = ["segment", "-i", str(path), "-t", SENTENCE, "--modality", "CR", "-o", str(out), "-q"]
    for name, words, target in (
        ("medsegr --help", ["--help"], "<= 0.5"),
        ("medsegr info", ["info"], "<= 0.5"),
        ("cold: medsegr segment", segment, "<= 5"),
    ):
        yield name, timed(lambda words=words: command(words), COLD), target  # type: ignore[misc]
    yield "peak memory of medsegr segment, MB", peak(segment), "<= 1000"


def command(words: list[str]) -> None:
    """Run ``medsegr`` in a process of its own; RuntimeError where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "medsegr", *words], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"medsegr {words[0]} ended with {done.returncode}: {done.stderr.strip()[-200:]}")


def peak(words: list[str]) -> float | None:
    """Largest resident memory of one command in MB; None where the system does not tell."""
    if sys.platform == "win32":
        return None
    code = (
        "import resource, sys; from medsegr.cli.main import main; main(sys.argv[1:]); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return int(done.stdout.split()[-1]) * unit / 1e6


def parsing() -> Iterator[Row]:
    """One report through the reader, and through negspacy's negation alone."""
    from medsegr.report.parse import parse

    yield "parse a report of eight findings", timed(lambda: parse(REPORT, modality="CR"), 50), "<= 0.02"
    peer = negspacy()
    if peer is not None:
        yield "  peer: negspacy, concepts given, negation only", timed(lambda: peer(REPORT), 50), ""


def negspacy() -> Callable[[str], object] | None:
    """Blank English with entities by rule and negspacy's negation; None where it is not installed."""
    try:
        import spacy
        from negspacy.negation import Negex
    except ImportError:
        return None
    pipe = spacy.blank("en")
    pipe.add_pipe("sentencizer")
    ruler = pipe.add_pipe("entity_ruler")
    words = ("opacity", "effusion", "nodule", "pneumothorax", "atelectasis", "catheter", "heart")
    ruler.add_patterns([{"label": "FINDING", "pattern": [{"LOWER": word}]} for word in words])
    pipe.add_pipe("negex", config={"ent_types": ["FINDING"]})
    assert Negex is not None  # importing it is what registers "negex"
    call: Callable[[str], object] = pipe
    return call


def network() -> Iterator[Row]:
    """MONAI's BasicUNet, one grey 256 px image forward: how fast this machine is."""
    try:
        import torch
        from monai.networks.nets import BasicUNet
    except ImportError:
        return
    net = BasicUNet(spatial_dims=2, in_channels=1, out_channels=1).eval()
    image = torch.zeros(1, 1, 256, 256)
    with torch.inference_mode():
        yield "  peer: MONAI BasicUNet forward, 256 px", timed(lambda: net(image)), ""


def show(rows: Iterator[Row]) -> None:
    """One line a number. What cannot run says why, and the rest goes on."""
    try:
        for name, value, target in rows:
            told = "not told" if value is None else f"{value:.4f}" if value < 10 else f"{value:.0f}"
            print(f"{name:62s} {told:>9s}  {target}", flush=True)
    except Exception as error:
        print(f"  left out: {type(error).__name__}: {' '.join(str(error).split())[:160]}", flush=True)


def main() -> int:
    """Print the table."""
    print(f"{os.cpu_count()} processors; seconds, medians; targets are for two cores")
    with picture() as path:
        for rows in (parsing(), warm(path), network(), cold(path)):
            show(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
