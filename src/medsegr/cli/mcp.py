"""``medsegr mcp``: the same functions for agents, over the Model Context Protocol on stdin and stdout."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from medsegr.cli.flags import Limit, LogFlags, grouped, option
from medsegr.cli.logs import set_up


@dataclass(frozen=True)
class McpFlags:
    """What an agent may touch."""

    root: Annotated[
        list[Path], option("--root", help="A folder that may be read, with all below it; give it again.")
    ] = field(default_factory=list)
    output: Annotated[
        Path | None,
        option("--output", "-o", help="Folder to write results below; without it they go when this ends."),
    ] = None
    model: Annotated[str, option("--model", help="Name of a model or a folder that holds one.")] = (
        "medsegr-tiny"
    )
    device: Annotated[str, option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto"
    threads: Annotated[int | None, option("--threads", min=1, help="Processor threads of the model.")] = None
    limits: Limit = ""


@grouped
def command(flags: McpFlags, logs: LogFlags) -> int:
    """Serve agents over stdio: tools to parse, segment, measure and show overlays.

    Reads below --root only, writes below --output only, opens no network.
    """
    set_up(logs)
    from medsegr.io.limits import limits_from_text
    from medsegr.serve.agent import Agent, fence_of
    from medsegr.serve.mcp_server import serve
    from medsegr.session import check_model

    check_model(flags.model, flags.device, flags.threads)
    limits = limits_from_text(flags.limits)
    with tempfile.TemporaryDirectory(prefix="medsegr-mcp-") as spare:
        fence = fence_of(flags.root, flags.output or Path(spare))
        serve(Agent(fence, flags.model, flags.device, flags.threads, limits))
    return 0
