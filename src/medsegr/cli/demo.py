"""``medsegr demo``: the main job twice, on a photograph of an eye and on a made chest X-ray."""

import csv
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from medsegr.cli.flags import RunFlags, grouped, naming, option
from medsegr.cli.logs import set_up
from medsegr.cli.segment import stay_offline
from medsegr.errors import InputError

if TYPE_CHECKING:
    from medsegr.session import Model

FUNDUS_REPORT = """FUNDUS PHOTOGRAPH
FINDINGS:
Outline the retinal vessels.
Optic disc with a sharp margin.
No haemorrhage and no exudate. Possible small drusen.
IMPRESSION: No sign of retinopathy.
"""
SIZE = 512  # px of the made chest X-ray


@dataclass(frozen=True)
class DemoFlags:
    """Where it goes."""

    output: Annotated[
        Path, option("--output", "-o", help="Folder to write; new, empty or an older demo.")
    ] = Path("demo")
    seed: Annotated[int, option("--seed", min=0, help="Seed of the made chest X-ray.")] = 18


@grouped
def command(flags: DemoFlags, run: RunFlags) -> int:
    """Run the main job on two images and say where to look. Needs no file of yours."""
    set_up(run)
    stay_offline()
    out = flags.output
    with naming(out):
        if out.is_dir() and any(out.iterdir()) and not (out / "input").is_dir():
            raise InputError(
                "the output folder holds files that no demo wrote; give -o a new or empty folder"
            )
    from medsegr.session import check_model, load

    check_model(run.model, run.device, run.threads)
    with naming(out):
        cases = [
            ("retina", *_retina(out / "input"), "OP"),
            ("chest", *_chest(out / "input", flags.seed), "CR"),
        ]
    model = load(run.model, run.device, run.threads, backend=run.backend, precision=run.precision)
    for name, image, report, modality in cases:
        _one(model, out / name, (image, report, modality), quiet=run.quiet)
    if not run.quiet:
        print(f"Look at {out / 'retina' / 'overlay.png'} and {out / 'chest' / 'overlay.png'}.")
        print("Not a medical device. For research.")
    return 0


def _retina(folder: Path) -> tuple[Path, Path]:
    """The public-domain fundus photograph of scikit-image and our report on it, copied into ``folder``."""
    spec = find_spec("skimage")
    photo = Path(spec.origin).parent / "data" / "retina.jpg" if spec and spec.origin else None
    if photo is None or not photo.is_file():
        raise InputError("the demo's photograph is missing: install scikit-image (pip install scikit-image)")
    folder.mkdir(parents=True, exist_ok=True)
    image, report = folder / "retina.jpg", folder / "retina.txt"
    image.write_bytes(photo.read_bytes())
    report.write_text(FUNDUS_REPORT, encoding="utf-8")
    return image, report


def _chest(folder: Path, seed: int) -> tuple[Path, Path]:
    """A made chest X-ray with its whole report, as a set of one image in ``folder/chest``."""
    from medsegr.phantom import write_set

    table = write_set("chest", seed, 1, SIZE, folder / "chest")
    with table.open(newline="", encoding="utf-8") as handle:
        row = next(iter(csv.DictReader(handle)), None)
    if row is None:
        raise InputError(
            f"the chest made from seed {seed} has a report without findings; choose another --seed"
        )
    report = folder / "chest.txt"
    report.write_text(row["text"], encoding="utf-8")
    return table.parent / row["image"], report


def _one(model: "Model", out: Path, given: tuple[Path, Path, str], quiet: bool) -> None:
    from medsegr import pipeline
    from medsegr.io.read import read_image
    from medsegr.options import Options
    from medsegr.results.overlay import clean

    image, report, modality = given
    text = report.read_text(encoding="utf-8")
    result = pipeline.run(read_image(image, modality=modality), model.segmenter, report=text)
    pipeline.save(result, out, Options(), model.ran_on)
    if quiet:
        return
    print(f"{out.name}: {image} with {report}")
    for item in result.findings:
        state = item.status if item.reason is None else f"{item.status} ({item.reason})"
        print(f"  {item.finding.id:4s} {state:30s} {clean(item.finding.phrase, 70)}")
    print(f"  -> {out}/findings.json, masks, overlay.png, manifest.json")
