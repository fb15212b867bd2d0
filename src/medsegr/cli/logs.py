"""Log lines on stderr. They carry ids that we made and counts: no names, paths, UIDs or report text."""

import json
import logging
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medsegr.cli.flags import LogFlags

LOG = logging.getLogger("medsegr")


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, message."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        return json.dumps({"time": stamp, "level": record.levelname.lower(), "message": record.getMessage()})


def say_error(message: str, typed: str = "") -> None:
    """The one line of an error on stderr: ``typed`` is the input as the person wrote it, for their eyes only.

    With ``--log-json`` it is a line of the log, which carries no names.
    """
    if _as_json():
        LOG.error("%s", message)
    else:
        print(f"error: {typed}{': ' if typed else ''}{message}", file=sys.stderr)


def say_warning(message: str, typed: str) -> None:
    """As :func:`say_error` of what stops nothing: silent with ``--quiet``."""
    if _as_json():
        LOG.warning("%s", message)
    elif LOG.isEnabledFor(logging.WARNING):
        shown = "".join(c if c.isprintable() else "?" for c in typed)
        print(f"WARNING {shown}: {message}", file=sys.stderr)


def _as_json() -> bool:
    return bool(LOG.handlers) and isinstance(LOG.handlers[0].formatter, JsonLines)


def set_up(flags: "LogFlags") -> None:
    """Send our log to stderr at the level that the flags ask for. Called once a command."""
    level = (
        logging.DEBUG
        if flags.debug
        else logging.INFO
        if flags.verbose
        else logging.ERROR
        if flags.quiet
        else logging.WARNING
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if flags.log_json else logging.Formatter("%(levelname)s %(message)s"))
    LOG.handlers[:] = [handler]
    LOG.setLevel(level)
    LOG.propagate = False
