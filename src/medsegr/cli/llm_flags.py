"""``--llm-...``: a language model as a second reader. Without ``--llm-url`` nothing is asked of anybody."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from medsegr.cli.flags import naming, option
from medsegr.errors import InputError, UsageError

if TYPE_CHECKING:
    from medsegr.report.llm import Endpoint

KEY = "MEDSEGR_LLM_KEY"
LONGEST_KEY = 4096


@dataclass(frozen=True)
class LlmFlags:
    """Which language model is asked, and how."""

    llm_url: Annotated[
        str | None,
        option(
            "--llm-url",
            metavar="URL",
            help="Let a language model (OpenAI-compatible server) read too; the rules keep the last word.",
        ),
    ] = None
    llm_model: Annotated[
        str | None, option("--llm-model", metavar="NAME", help="Its name on that server.")
    ] = None
    llm_key_file: Annotated[
        Path | None,
        option("--llm-key-file", help=f"File with the server's key; else {KEY} of the environment."),
    ] = None
    llm_remote: Annotated[
        bool, option("--llm-remote", help="Allow a server on another machine: reports are sent there.")
    ] = False
    llm_timeout: Annotated[
        float, option("--llm-timeout", min=0.1, max=3600, help="Seconds for one whole answer.")
    ] = 60.0
    llm_cache: Annotated[
        Path | None,
        option("--llm-cache", help="Folder that keeps its answers; they quote the reports."),
    ] = None


def endpoint_of(flags: LlmFlags) -> "Endpoint | None":
    """The server that the flags name; None without ``--llm-url``. Raises UsageError or InputError."""
    if flags.llm_url is None:
        if flags.llm_model or flags.llm_key_file or flags.llm_remote or flags.llm_cache:
            raise UsageError("--llm-url is missing: the other --llm flags belong to it")
        return None
    if flags.llm_model is None:
        raise UsageError("--llm-model is missing: give the name under which the server knows the model")
    from medsegr.report.llm import Endpoint

    return Endpoint(
        flags.llm_url,
        flags.llm_model,
        _key(flags.llm_key_file),
        remote=flags.llm_remote,
        timeout=flags.llm_timeout,
        cache=flags.llm_cache,
    )


def _key(path: Path | None) -> str:
    if path is None:
        return os.environ.get(KEY, "").strip()
    with naming(path), path.open("rb") as handle:
        data = handle.read(LONGEST_KEY + 1)
    try:
        key = data.decode("ascii").strip()
    except UnicodeDecodeError:
        key = ""
    if not key or len(data) > LONGEST_KEY:
        refused = InputError("the key file is empty or no key; one line of plain text was expected")
        refused.add_note(str(path))
        raise refused
    return key
