"""``medsegr export``: the model as graphs for OpenVINO or ONNX Runtime, in a folder with a manifest."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from medsegr.cli.flags import LogFlags, grouped, naming, option
from medsegr.cli.logs import set_up
from medsegr.errors import UsageError


@dataclass(frozen=True)
class Graph:
    """What is written."""

    to: Annotated[str, option("--to", metavar="onnx|openvino", help="For which runtime.")]
    output: Annotated[
        Path | None,
        option(
            "--output",
            "-o",
            help="Folder to write; new, empty or of an export. Without it the graphs are kept in the user's "
            "cache, where --backend finds them.",
        ),
    ] = None
    precision: Annotated[
        str, option("--precision", help="fp32, or int8: smaller, and masks that differ.")
    ] = "fp32"
    calibrate: Annotated[
        Path | None,
        option("--calibrate", help="Folder of images to set int8's ranges with; default: made images."),
    ] = None
    model: Annotated[str, option("--model", help="Name of a model or a folder that holds one.")] = (
        "medsegr-tiny"
    )


@grouped
def command(graph: Graph, logs: LogFlags) -> int:
    """Write the model as graphs that run without torch's kernels: segment --backend FOLDER uses them."""
    set_up(logs)
    from medsegr.backends.names import NAMES, check
    from medsegr.session import check_model, has_network

    if graph.to not in NAMES[1:]:
        raise UsageError(f"--to: '{graph.to[:40]}' is not known; expected onnx or openvino")
    if graph.calibrate is not None and graph.precision != "int8":
        raise UsageError("--calibrate belongs to --precision int8")
    check(graph.to, graph.precision)
    check_model(graph.model)
    if not has_network(graph.model):
        raise UsageError(f"--model: checkpoints are exported; '{graph.model}' is a method that runs as it is")
    from medsegr import conversion, weights
    from medsegr.backends.store import size_of

    if graph.output is None:
        if graph.calibrate is not None:
            raise UsageError("--calibrate needs -o: only models that made images calibrated are kept")
        kept = conversion.prepare(graph.model, graph.to, graph.precision)
        if not logs.quiet:
            auto = " or auto" if (graph.to, graph.precision) == ("onnx", "fp32") else ""
            print(
                f"{graph.to} {graph.precision}, {size_of(kept.folder) / 1e6:.1f} MB, kept for --backend "
                f"{graph.to}{auto}"
            )
        return 0
    questions = None
    if graph.calibrate is not None:
        if not graph.calibrate.is_dir():
            raise UsageError("--calibrate is no folder: give one that holds images")
        questions = conversion.images_below(graph.calibrate, weights.read_card(graph.model))
    with naming(graph.output):
        conversion.export(graph.model, graph.output, graph.to, graph.precision, questions)
    if not logs.quiet:
        held = size_of(graph.output) / 1e6
        print(f"{graph.to} {graph.precision}, {held:.1f} MB: use it by --backend {graph.output}")
    return 0
