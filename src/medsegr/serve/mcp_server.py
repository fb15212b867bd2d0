"""The functions of :class:`medsegr.serve.agent.Agent` as tools of the Model Context Protocol, over stdio.

By the protocol's own SDK. A tool that fails says so in one line; what the SDK or a library would log or tell
with names and values in it is not passed on.
"""

import inspect
import json
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from medsegr.errors import MedsegrError, MissingExtra
from medsegr.report.document import LIMIT
from medsegr.serve.agent import MOST_PHRASES, Agent

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from medsegr.types import Progress

LOG = logging.getLogger("medsegr")
LONGEST_ERROR = 500
INSTRUCTIONS = """Draws masks on medical images for the findings that a report names, and measures them.
Not a medical device. For research. Paths are relative to the opened folders; list_files shows what is there.
A usual way: parse the report, segment the image with it, look at the overlay. A finding that the report
denies gets no mask; one that the model does not know, or does not see, gets a reason instead of a mask."""

Path = Annotated[str, Field(max_length=4096, description="Path as list_files or segment tells it.")]
Report = Annotated[str, Field(max_length=LIMIT, description="Text of the whole report, or one sentence.")]
Phrase = Annotated[str, Field(max_length=10_000)]
Words = Annotated[
    Annotated[str, Field(max_length=LIMIT)] | Annotated[list[Phrase], Field(max_length=MOST_PHRASES)],
    Field(description="A report or sentence as one text; or a list of direct phrases, as ['right lung']."),
]
Modality = Annotated[str | None, Field(max_length=64, description="DICOM code or name: CR, CT, MR, US ...")]
Frame = Annotated[str | None, Field(description="Whose left the words mean: patient or viewer.")]


def server_of(agent: Agent) -> "MCPServer[Any]":
    """The server with its tools. MissingExtra where the SDK is not installed."""
    try:
        from mcp.server import MCPServer
        from mcp_types import CallToolResult, TextContent, ToolAnnotations
    except ImportError as error:
        raise MissingExtra("the agent server needs the extra 'mcp': pip install 'medsegr[mcp]'") from error
    from medsegr.results.record import package_version

    tools = {tool.__name__: tool for tool in tools_of(agent)}

    async def answer(ctx: Any, call_next: Callable[[Any], Any]) -> Any:
        asked = ctx.params if ctx.method == "tools/call" else {}
        tool = tools.get(str(asked.get("name")))
        wrong = None if tool is None else _wrong_names(tool, asked.get("arguments") or {})
        if wrong is not None:
            return CallToolResult(content=[TextContent(type="text", text=_short(wrong))], is_error=True)
        return _one_line(await call_next(ctx))

    server: MCPServer[Any] = MCPServer(
        "medsegr",
        title="medsegr",
        version=package_version("medsegr") or "0",
        instructions=INSTRUCTIONS,
        log_level="CRITICAL",
        middleware=[answer],
    )
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    writes = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
    for name, tool in tools.items():
        hints = writes if name == "segment" else reads
        server.add_tool(tool, annotations=hints, structured_output=False)
    return server


def tools_of(agent: Agent) -> list[Callable[..., Any]]:
    """One function a tool; its docstring is what an agent reads of it."""
    from mcp.server.mcpserver import Context

    def list_files(folder: Path = ".") -> str:
        """List the files below the opened folders, or below one folder in them. A folder of DICOM slices is
        one image: give the folder."""
        return _said(lambda: agent.list_files(folder))

    def read_report(file: Path) -> str:
        """Read a report file (plain text, FHIR JSON, DICOM SR) as text."""
        return _said(lambda: agent.read_report(file))

    def parse(report: Report, modality: Modality = None, frame: Frame = None) -> str:
        """Read a report: its findings with phrase, concept, polarity (present, absent, uncertain), side,
        place and look, and the reason why one would not be drawn; unread: passages that state something by
        no known name. Needs no image."""
        return _said(lambda: agent.parse(report, modality, frame))

    def segment(
        image: Path,
        words: Words,
        ctx: Context,
        modality: Modality = None,
        frame: Frame = None,
        series: Annotated[str, Field(max_length=64, description="Which DICOM series of several.")] = "",
    ) -> str:
        """Draw a mask for every finding of a report, or for each phrase, on an image (PNG, JPEG, TIFF, NIfTI,
        NRRD, MHA, DICOM file or folder, zip). Writes a result folder, tells status, reason, numbers and
        checks of each finding, and the folder's name as `result`. Takes seconds for a picture, minutes for a
        volume."""
        return _said(lambda: agent.segment(image, words, modality, frame, series, _telling(ctx)))

    def measure(mask: Path, image: Path | None = None) -> str:
        """Measure every label of a mask file, DICOM SEG or RT structure set: area or volume, axes, centre,
        box, pieces; with the image also intensity."""
        return _said(lambda: agent.measure(mask, image))

    def overlay(result: Path) -> Any:
        """Show the image of a result with its masks and their names drawn on it."""
        from mcp.server.mcpserver import Image

        return Image(data=_guarded(lambda: agent.overlay(result)), format="png")

    def list_models() -> str:
        """Tell which model is used, its licence, which concepts it was trained on in which modality, and
        which of them made images alone taught (`made_only`: in real images refused, or not to be relied
        on)."""
        return _said(agent.list_models)

    return [list_files, read_report, parse, segment, measure, overlay, list_models]


def _telling(ctx: Any) -> Callable[["Progress"], None]:
    """Tell the client how far it is, so that it does not take a volume for a server that hangs."""
    import anyio.from_thread

    def tell(progress: "Progress") -> None:
        if progress.stage == "segment":
            anyio.from_thread.run(ctx.report_progress, progress.done, progress.total)

    return tell


def _said(call: Callable[[], Any]) -> str:
    return json.dumps(_guarded(call), ensure_ascii=False)


def _guarded(call: Callable[[], Any]) -> Any:
    """What ``call`` gives; its errors in one line for the agent. Of foreign ones only the kind is told."""
    from mcp.server.mcpserver.exceptions import ToolError

    try:
        return call()
    except MedsegrError as error:
        raise ToolError(f"{type(error).__name__}: {error}") from None
    except MemoryError:
        raise ToolError("out of memory: use a smaller image, or one slice of it") from None
    except Exception as error:
        LOG.error("%s inside medsegr, in a tool", type(error).__name__)
        raise ToolError(f"{type(error).__name__} inside medsegr") from None


def _wrong_names(tool: Callable[..., Any], told: Mapping[str, Any]) -> str | None:
    """What is wrong with the names of a tool's arguments, in one line: the SDK lets unknown ones fall."""
    taken = {name: p for name, p in inspect.signature(tool).parameters.items() if name != "ctx"}
    missing = [name for name, p in taken.items() if p.default is p.empty and name not in told]
    unknown = [str(name)[:64] for name in told if name not in taken]
    if not missing and not unknown:
        return None
    wrong = f"{missing[0]} is missing" if missing else f"{unknown[0]!r} is no argument"
    return f"{tool.__name__}: {wrong}; it takes {', '.join(taken) or 'none'}"


def _one_line(answer: Any) -> Any:
    """Errors of tools in one line of bounded length: what validation says repeats the values that came."""
    if isinstance(answer, dict) and answer.get("isError"):
        parts = [{**p, "text": _short(p["text"])} if "text" in p else p for p in answer["content"]]
        return {**answer, "content": parts}
    return answer


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_ERROR else line[: LONGEST_ERROR - 3] + "..."


def serve(agent: Agent) -> None:
    """Answer on stdin and stdout until stdin ends. Whatever else prints goes to stderr."""
    server_of(agent).run("stdio")
