"""The commands as a typer application: help, mistakes, and flags that are more than words and switches."""

import functools
import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any, get_args

import typer

from medsegr.cli.direct import COMMANDS
from medsegr.cli.flags import Option

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


def build(asked: str = "") -> typer.Typer:
    """The application with all its commands; with one alone where its name is ``asked``."""
    app = typer.Typer(
        name="medsegr",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help=HELP,
        epilog=EPILOG,
    )
    app.callback(help=HELP, epilog=EPILOG)(_root)
    for name in (asked,) if asked in COMMANDS else COMMANDS:
        app.command(name)(typed(import_module(f"medsegr.cli.{name}").command))
    if asked not in COMMANDS:
        app.add_typer(_sets(), name="sets")
        app.add_typer(_benches(), name="bench")
    return app


def _sets() -> typer.Typer:
    from medsegr.cli.sets import HELP, referring, reports

    app = typer.Typer(add_completion=False, rich_markup_mode=None, help=HELP)
    app.callback(help=HELP)(lambda: None)
    app.command("reports")(typed(reports))
    app.command("referring")(typed(referring))
    return app


def _benches() -> typer.Typer:
    from medsegr.cli import bench_clicks, bench_compare, bench_peers, bench_run
    from medsegr.cli.bench import HELP, reports

    app = typer.Typer(add_completion=False, rich_markup_mode=None, help=HELP)
    app.callback(help=HELP)(lambda: None)
    app.command("reports")(typed(reports))
    app.command("run")(typed(bench_run.command))
    app.command("compare")(typed(bench_compare.command))
    app.command("peers")(typed(bench_peers.command))
    app.command("clicks")(typed(bench_clicks.command))
    return app


def typed(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same command with its flags in typer's words."""
    told = [
        item.replace(annotation=_told(item.annotation))
        for item in inspect.signature(command).parameters.values()
    ]

    @functools.wraps(command)
    def call(**given: Any) -> Any:
        return command(**given)

    call.__signature__ = inspect.Signature(told)  # type: ignore[attr-defined]
    call.__annotations__ = {item.name: item.annotation for item in told}
    del call.__wrapped__  # typer would look through to our own words
    return call


def _told(annotation: Any) -> Any:
    kind, flag = get_args(annotation)
    if not isinstance(flag, Option):
        raise TypeError(f"a parameter of a command is {annotation}; expected Annotated[type, option(...)]")
    made = typer.Option(*flag.names, **flag.about) if flag.names else typer.Argument(**flag.about)
    return Annotated[kind, made]
