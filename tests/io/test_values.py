import logging
import threading
import warnings

import numpy as np
import pytest

from medsegr.errors import GeometryError, InputError
from medsegr.io.values import checked, checked_affine, corners_apart, guarded


class Panic(BaseException):
    """What a decoder written in Rust raises: no Exception."""


@pytest.mark.parametrize(
    "error", [ValueError("NAME^OF"), Panic("NAME^OF"), RecursionError(), MemoryError(), OSError(5, "x")]
)
def test_whatever_a_library_raises_becomes_one_line_without_its_words(error: BaseException) -> None:
    with pytest.raises(InputError, match="PNG picture: ") as caught, guarded("PNG picture"):
        raise error
    assert "NAME" not in str(caught.value)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), GeometryError("ours")])
def test_what_is_not_the_librarys_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, guarded("PNG picture"):
        raise error
    assert caught.value is error


def test_the_libraries_are_silent_inside_and_heard_again_after(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("pydicom.values")
    with guarded("DICOM file"):
        logger.error("NAME^OF")
    logger.error("after")
    assert [record.message for record in caplog.records] == ["after"]


def test_threads_that_are_silent_at_a_time_are_heard_again_after() -> None:
    """The first to begin ends first: the second must not keep what it found for ever."""
    before = [*warnings.filters], logging.getLogger("pydicom").level
    both, first_left = threading.Barrier(2, timeout=10), threading.Event()

    def first() -> None:
        with guarded("DICOM file"):
            both.wait()
        first_left.set()

    def second() -> None:
        with guarded("DICOM file"):
            both.wait()
            first_left.wait(10)
            assert not logging.getLogger("pydicom.values").isEnabledFor(logging.CRITICAL)

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ([*warnings.filters], logging.getLogger("pydicom").level) == before


def test_values_become_float32_and_the_bad_ones_are_refused() -> None:
    data, notes = checked(np.array([[[True, False]]]), "array")
    assert (data.dtype, data.tolist(), notes) == (np.float32, [[[1.0, 0.0]]], ())
    for bad in (
        np.ones((2, 2, 2)),
        np.ones((1, 0, 2)),
        np.ones((1, 2, 2), complex),
        np.full((1, 2, 2), 1e300),
    ):
        with pytest.raises(InputError, match="array: "):
            checked(bad, "array")


def test_corners_are_centres_of_voxels_and_their_distance_is_the_whole_one() -> None:
    wider = np.diag([1.01, 1.01, 1.0, 1.0])
    assert corners_apart(np.eye(4), wider, (11, 1)) == pytest.approx(0.1)
    assert corners_apart(np.eye(4), wider, (11, 11, 3)) == pytest.approx(0.1 * np.sqrt(2))
    assert corners_apart(wider, wider, (11, 11)) == 0


def test_axes_in_one_plane_are_refused() -> None:
    flat = np.array([[1.0, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]])
    for bad in (flat, np.full((4, 4), np.nan), np.eye(3)):
        with pytest.raises(GeometryError, match="affine"):
            checked_affine(bad, "file")
