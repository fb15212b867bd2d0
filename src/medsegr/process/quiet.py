"""The silence of the libraries, whose warnings and log lines may quote a file; it belongs to the process."""

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

CHATTY = (
    "highdicom",
    "pydicom",
    "pylibjpeg",
    "openjpeg",
    "libjpeg",
    "rle",
    "nibabel",
    "nibabel.global",
    "PIL",
)


class Together:
    """A change of what belongs to the process, such as its loggers, for as long as any thread is inside.

    Each thread for itself would in the end put back what another had begun, and it would stay for ever.
    """

    def __init__(self, change: Callable[[], AbstractContextManager[None]]) -> None:
        self._change = change
        self._lock, self._inside, self._ends = threading.Lock(), 0, ExitStack()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Inside, the change holds."""
        with self._lock:
            if not self._inside:
                self._ends.enter_context(self._change())
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._ends.close()


@Together
@contextmanager
def silent() -> Iterator[None]:
    """Without warnings, and without log lines of the libraries."""
    loggers = [logging.getLogger(name) for name in CHATTY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
