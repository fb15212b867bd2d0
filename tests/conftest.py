"""What all tests share. No test needs a network, a download or a GPU; real data is optional and never in the
repository.
"""

import atexit
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

# Two threads at most, whatever the machine: results must not hang on the number of cores, and runs side by
# side are usual. One where processes of one run share the cores: threads that wait for a busy one are slow.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # who waits sleeps, and takes no core from others
# The graphs that the user's cache may hold must not answer for a checkpoint here.
CACHE = tempfile.mkdtemp(prefix="medsegr-tests-")
os.environ["MEDSEGR_CACHE"] = CACHE
atexit.register(shutil.rmtree, CACHE, ignore_errors=True)
THREADS = int(os.environ["OMP_NUM_THREADS"].split(",")[0])
# Examples are drawn the same way each time: a red build must be red again. No deadline, since machines
# differ.
settings.register_profile(
    "house", deadline=None, derandomize=True, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    """Slow tests and those that need a network run when they are asked for by ``-m``."""
    config.option.markexpr = config.option.markexpr or "not slow and not network"


@pytest.fixture(autouse=True)
def usual_arithmetic() -> Iterator[None]:
    """Commands let small numbers be zero and say how many threads there are, in the whole process; the next
    test must not see that."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)
        if torch.get_num_threads() != THREADS:
            torch.set_num_threads(THREADS)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our log reaches the test: a command that ran before in this process keeps it to itself."""
    monkeypatch.setattr(logging.getLogger("medsegr"), "propagate", True)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real sets beside the repository; the test is skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real data is not here: ../shared/data is absent")
    return folder
