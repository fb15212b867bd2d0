import inspect

import pytest

from medsegr import errors
from medsegr.errors import MedsegrError

CODES = {
    "MedsegrError": 1,
    "InputError": 3,
    "GeometryError": 3,
    "SeriesError": 3,
    "ReportError": 3,
    "UsageError": 2,
    "WeightsError": 1,
    "MissingExtra": 1,
    "ClusterError": 1,
    "Cancelled": 1,
    "RemoteError": 1,
    "CheckFailed": 5,
}


def classes() -> dict[str, type[MedsegrError]]:
    return {
        name: c for name, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__
    }


def test_exit_codes() -> None:
    assert {name: c.exit_code for name, c in classes().items()} == CODES


@pytest.mark.parametrize("name", CODES)
def test_one_tree(name: str) -> None:
    assert issubclass(classes()[name], MedsegrError)
    assert name in (errors.__doc__ or "")


def test_geometry_is_an_input_matter() -> None:
    assert issubclass(errors.GeometryError, errors.InputError)
