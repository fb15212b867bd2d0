"""``medsegr``: the commands, and how an error ends: one line on stderr and an exit code.

0 done, 1 our failure, 2 wrong arguments, 3 input refused, 4 some jobs of a batch failed, 5 a strict check
failed.
"""

import io
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from medsegr.cli.direct import COMMANDS, read, refuse_twice
from medsegr.cli.logs import LOG, say_error

INTERRUPTED = 130  # as shells count: 128 + SIGINT


def _run(given: Sequence[str]) -> Any:
    """Run a command: directly where its flags are plain, through typer for all else."""
    if given and given[0] in COMMANDS:
        command = import_module(f"medsegr.cli.{given[0]}").command
        refuse_twice(command, given[1:])
        flags = read(command, given[1:])
        if flags is not None:
            return command(**flags)
    from medsegr.cli.app import build

    asked = given[0] if given else ""
    return build(asked)(args=[*given] or ["--help"], prog_name="medsegr", standalone_mode=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; ``arguments`` default to those of the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    LOG.handlers.clear()  # until the command sets it up
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal of another encoding gets escapes, not an error
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run(given)
        if sys.stdout is not None:  # who closed it wants no output
            sys.stdout.flush()
        if code == INTERRUPTED:  # typer has caught it
            raise KeyboardInterrupt
        return code if isinstance(code, int) and given else 0 if given else 2
    except BrokenPipeError:  # the reader of our output has gone, as in "medsegr info | head"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _end("interrupted", INTERRUPTED, debug)
    except MemoryError:
        return _end(
            "out of memory: use a smaller image, fewer workers or a machine with more memory", 1, debug
        )
    except Exception as error:
        return _end(*_told(error), debug, ": ".join(getattr(error, "__notes__", ())))


def _told(error: Exception) -> tuple[str, int]:
    """Message and exit code of an error. Foreign messages may quote names, so only their kind is told."""
    from medsegr.errors import MedsegrError

    if isinstance(error, MedsegrError):
        return str(error), error.exit_code
    code = getattr(error, "exit_code", None)
    if isinstance(code, int) and hasattr(error, "format_message"):  # typer's own errors: wrong arguments
        return error.format_message() + _help_hint(error), code
    if isinstance(error, OSError):
        return f"the system refused to read or write: {error.strerror or type(error).__name__}", 1
    return f"{type(error).__name__} inside medsegr; run it again with --debug and report what it shows", 1


def _help_hint(error: Any) -> str:
    """What typer leaves unsaid where files came without flags (``medsegr segment chest.png``), or none."""
    message, command = error.format_message(), getattr(getattr(error, "ctx", None), "command_path", "medsegr")
    if message.startswith("Got unexpected extra argument"):
        return f"; files and words come behind flags (-i IMAGE -r REPORT): see '{command} --help'"
    return f" See '{command} --help'." if message.startswith("Missing argument") else ""


def _end(message: str, code: int, debug: bool, typed: str = "") -> int:
    if debug:
        traceback.print_exc()
    say_error(" ".join(message.split()), typed)
    return code


if __name__ == "__main__":
    sys.exit(main())
