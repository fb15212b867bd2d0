"""An image that lies below the data folder, read as its sender meant it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medsegr.io.choices import Choices
from medsegr.io.limits import Limits
from medsegr.io.read import read_image
from medsegr.types import Image

Asked = Mapping[str, str]  # modality, frame, series, as far as they were said


def source_of(image_folder: Path) -> Path:
    """What ``read_image`` is given of an uploaded image: its one file, or the folder of its files."""
    files = image_folder / "files"
    found = sorted(files.iterdir())
    return found[0] if len(found) == 1 else files


def choices_of(asked: Asked) -> Choices:
    """What the sender settled of what his files leave open."""
    return Choices(series=asked.get("series", ""))


def read_again(image_folder: Path, limits: Limits, asked: Asked) -> Image:
    """The image of a folder, read as its first reading was told. Errors as of ``read_image``."""
    frame: Any = asked.get("frame") or None
    return read_image(
        source_of(image_folder),
        modality=asked.get("modality") or None,
        frame=frame,
        limits=limits,
        choices=choices_of(asked),
    )
