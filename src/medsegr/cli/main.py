"""``medsegr``: the commands, and how an error ends: one line on stderr and an exit code.

0 done, 1 our failure, 2 wrong arguments, 3 input refused, 4 some jobs of a batch failed, 5 a strict check
failed.
"""

import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from medsegr.cli import bench, convert, demo, doctor, info, measure, models, parse, phantom, segment
from medsegr.cli.logs import LOG, say_error

INTERRUPTED = 130  # as shells count: 128 + SIGINT
HELP = """Reads a medical image and its report, and draws a mask for every finding the report says is there.

    medsegr segment -i chest.png -r report.txt -o out/

Not a medical device. For research."""
EPILOG = (
    "Exit codes: 0 done, 1 our failure, 2 wrong arguments, 3 input refused, 4 some jobs of a batch failed, "
    "5 a strict check failed; 130 interrupted."
)


def _version(wanted: bool) -> bool:
    if wanted:
        import medsegr

        print(f"medsegr {medsegr.__version__}")
        raise typer.Exit
    return wanted


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""


def build() -> typer.Typer:
    """The application with all its commands."""
    app = typer.Typer(
        name="medsegr",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help=HELP,
        epilog=EPILOG,
    )
    app.callback(help=HELP, epilog=EPILOG)(_root)
    for name, command in (
        ("segment", segment.command),
        ("parse", parse.command),
        ("measure", measure.command),
        ("convert", convert.command),
        ("phantom", phantom.command),
        ("info", info.command),
        ("models", models.command),
        ("doctor", doctor.command),
        ("demo", demo.command),
    ):
        app.command(name)(command)
    app.add_typer(bench.group(), name="bench")
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; ``arguments`` default to those of the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    LOG.handlers.clear()  # until the command sets it up
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal of another encoding gets escapes, not an error
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = build()(args=given or ["--help"], prog_name="medsegr", standalone_mode=False)
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
        return error.format_message(), code
    if isinstance(error, OSError):
        return f"the system refused to read or write: {error.strerror or type(error).__name__}", 1
    return f"{type(error).__name__} inside medsegr; run it again with --debug and report what it shows", 1


def _end(message: str, code: int, debug: bool, typed: str = "") -> int:
    if debug:
        traceback.print_exc()
    say_error(" ".join(message.split()), typed)
    return code


if __name__ == "__main__":
    sys.exit(main())
