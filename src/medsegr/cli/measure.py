"""``medsegr measure``: the numbers of a mask file, each with unit and status."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from medsegr.cli.flags import ImageFlags, Json, LogFlags, frame_of, grouped
from medsegr.cli.logs import set_up
from medsegr.errors import InputError

MOST_LABELS = 1000


@dataclass(frozen=True)
class MeasureFlags:
    """What is measured."""

    mask: Annotated[
        Path,
        typer.Option(
            "--mask", "-m", help="Mask or label map on the image's grid: each value above 0 is one."
        ),
    ]
    input: Annotated[
        Path | None,
        typer.Option("--input", "-i", help="The image, for spacing and intensity; the mask's own without."),
    ] = None
    json: Json = False


@grouped
def command(flags: MeasureFlags, image: ImageFlags, logs: LogFlags) -> int:
    """Area or volume, largest diameter, centre, box and mean intensity of every label of a mask."""
    set_up(logs)
    import numpy as np

    from medsegr.io.read import read_image
    from medsegr.measure import measure

    labels = read_image(flags.mask, modality=image.modality, frame=frame_of(image.frame))
    picture = (
        read_image(flags.input, modality=image.modality, frame=frame_of(image.frame))
        if flags.input
        else labels
    )
    if labels.grid != picture.grid:
        raise InputError(
            f"the mask has grid {labels.grid}, the image {picture.grid}: the same grid was expected"
        )
    values = [float(v) for v in np.unique(labels.data[0]) if v > 0]
    if len(values) > MOST_LABELS:
        raise InputError(f"the mask holds {len(values)} values, at most {MOST_LABELS} were expected")
    told: list[dict[str, Any]] = [
        {
            "label": int(value) if value.is_integer() else value,
            "measurements": {
                name: {"value": m.value, "unit": m.unit, "status": m.status}
                for name, m in measure(picture, labels.data[0] == value).items()
            },
        }
        for value in values
    ]
    if flags.json:
        print(json.dumps({"schema": "medsegr.measure/1", "labels": told}, indent=1))
        return 0
    if not told:
        print("the mask is empty")
    for item in told:
        print(f"label {item['label']}")
        for name, m in item["measurements"].items():
            value = "-" if m["value"] is None else f"{m['value']:.2f}"
            status = "" if m["status"] == "ok" else m["status"]
            print(f"  {name:16s} {value:>12s} {m['unit']:4s} {status}".rstrip())
    return 0
