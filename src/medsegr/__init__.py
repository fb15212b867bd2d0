"""medsegr: a medical image and its report in, a mask for every finding the report says is there out.

``import medsegr`` imports nothing else until a name is used::

    import medsegr
    model = medsegr.load()
    result = model.segment("chest.png", report=open("report.txt").read())
    result.save("out/")

Not a medical device. For research.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medsegr.findings import Finding as Finding
    from medsegr.findings import Report as Report
    from medsegr.options import Options as Options
    from medsegr.report.parse import parse as parse
    from medsegr.sam_predictor import SamPredictor as SamPredictor
    from medsegr.session import load as load
    from medsegr.types import Image as Image
    from medsegr.types import Prompt as Prompt
    from medsegr.types import Result as Result
    from medsegr.types import Segmentation as Segmentation

_HOMES = {
    "load": "medsegr.session",
    "SamPredictor": "medsegr.sam_predictor",
    "parse": "medsegr.report.parse",
    "Options": "medsegr.options",
    **dict.fromkeys(("Finding", "Report"), "medsegr.findings"),
    **dict.fromkeys(("Image", "Prompt", "Result", "Segmentation"), "medsegr.types"),
}
__all__ = [
    "Finding",
    "Image",
    "Options",
    "Prompt",
    "Report",
    "Result",
    "SamPredictor",
    "Segmentation",
    "__version__",
    "load",
    "parse",
]


def __getattr__(name: str) -> Any:
    """The public names, imported when first asked for (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("medsegr")
        except PackageNotFoundError:
            return "0+uninstalled"
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'medsegr' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
