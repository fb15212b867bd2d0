"""What a server is told when it starts: one frozen value that also travels to the workers."""

import ipaddress
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from medsegr.errors import UsageError
from medsegr.io.limits import DEFAULT_LIMITS, Limits


def data_home() -> Path:
    """The usual place for the server's data of this user."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "medsegr" / "serve"


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a server. ``workers`` 0: jobs run in a thread of the server itself (tests, the viewer);
    else in so many processes. ``tries``: how often a job is begun again whose worker died. ``host`` decides
    with ``api_key_file`` whether a key is asked for. ``read_only``: what is there is shown, nothing is taken.
    """

    data_dir: Path = field(default_factory=data_home)
    host: str = "127.0.0.1"
    port: int = 1527
    model: str = "medsegr-tiny"
    device: str = "auto"
    threads: int | None = None
    backend: str = "torch"
    precision: str = "fp32"
    features: tuple[Path, float] | None = None
    limits: Limits = DEFAULT_LIMITS
    workers: int = 1
    keep_hours: float = 24.0
    queue: int = 100
    job_seconds: float = 600.0
    tries: int = 2
    max_upload_mb: int = 2048
    api_key_file: Path | None = None
    allow_hosts: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    rate: int = 600  # requests a minute of one key or address; 0: no limit
    dicomweb: Path | None = None
    cluster: str | None = None
    tls: bool = False
    read_only: bool = False
    heartbeat: float = 15.0  # seconds between two signs of life on an idle stream of events
    grace: float = 5.0  # seconds that a worker has to stop by itself before it is ended

    def __post_init__(self) -> None:
        """Refuses values that make no server."""
        for name, value, least in (
            ("--workers", self.workers, 0),
            ("--keep", self.keep_hours, 0.0),
            ("--queue", self.queue, 1),
            ("--job-seconds", self.job_seconds, 0.1),
            ("--max-upload-mb", self.max_upload_mb, 1),
            ("--rate", self.rate, 0),
        ):
            if not value >= least:
                raise UsageError(f"{name}: {value} came; {least:g} or more was expected")
        if not self.loopback and self.api_key_file is None:
            raise UsageError(
                f"--host {self.host[:80]} can be reached from other machines: give --api-key-file FILE "
                "(medsegr serve --new-key NAME ROLE FILE makes one), or bind to 127.0.0.1"
            )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name: it may lead anywhere
            return False

    @property
    def keep_seconds(self) -> float:
        """How long a result is kept after its job has ended."""
        return self.keep_hours * 3600.0

    @property
    def upload_bytes(self) -> int:
        """Largest body of an upload."""
        return self.max_upload_mb * 2**20
