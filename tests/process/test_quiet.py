"""The silence of the libraries ends with the last that is inside, in whatever order they leave."""

import logging
import warnings
from contextlib import ExitStack

import pytest

from medsegr.process.quiet import silent


def test_the_last_that_leaves_ends_the_silence(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("pydicom")
    before = [*warnings.filters], logger.level
    first, second = ExitStack(), ExitStack()
    first.enter_context(silent())
    second.enter_context(silent())
    first.close()
    logger.error("NAME^OF")
    second.close()
    logger.error("after")
    assert [record.message for record in caplog.records] == ["after"]
    assert ([*warnings.filters], logger.level) == before


def test_an_error_inside_ends_it_too() -> None:
    before = logging.getLogger("PIL").level
    with pytest.raises(KeyError), silent():
        raise KeyError
    assert logging.getLogger("PIL").level == before
