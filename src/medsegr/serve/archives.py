"""The DICOMweb servers that may be asked, read from a TOML file: nobody else names an address.

A request names one of them, never a URL. Credentials are not in the file but in the environment or in files
of their own, and are read when a connection is made, so that they can be changed while the server runs::

    [[server]]
    name = "archive"
    url = "https://pacs.example.org/dicom-web"
    user = "medsegr"
    password_file = "pacs-password"
    push = true
"""

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from medsegr.errors import InputError, UsageError

MOST_BYTES = 4 * 2**30
MOST_SECRET = 64 * 2**10  # a bearer token is shorter
Text = Annotated[str, Field(min_length=1, max_length=1024)]
Seconds = Annotated[float, Field(gt=0, le=86400)]


class Archive(BaseModel):
    """One DICOMweb server: where it is, how one logs in, and what one pull may cost.

    ``url`` is the root below which ``/studies`` lies. ``timeout_s`` is the longest silence, ``total_s`` the
    longest pull. ``push``: whether objects may be stored there. ``plain_http``: credentials may go to another
    machine without TLS.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
    url: Text
    user: Annotated[str, Field(pattern=r"^[!-9;-~]{1,256}$")] | None = None
    password_env: Text | None = None
    password_file: Text | None = None
    token_env: Text | None = None
    token_file: Text | None = None
    verify: bool = True
    ca_file: Text | None = None
    plain_http: bool = False
    push: bool = False
    connect_s: Seconds = Field(5.0, strict=False)
    timeout_s: Seconds = Field(60.0, strict=False)
    total_s: Seconds = Field(900.0, strict=False)
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    max_instances: Annotated[int, Field(ge=1)] = 20_000
    max_bytes: Annotated[int, Field(ge=1)] = MOST_BYTES

    @field_validator("url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an address that begins with https:// or http:// was expected")
        if parts.username or parts.password:
            raise ValueError("it holds credentials; give user and password_file or password_env")
        if parts.query or parts.fragment or any(c.isspace() for c in value):
            raise ValueError("it holds a query, a fragment or a space; give the root of the service")
        _ = parts.port  # ValueError where it is no number
        return value.rstrip("/")

    @model_validator(mode="after")
    def _one_way_in(self) -> "Archive":
        passwords = [v for v in (self.password_env, self.password_file) if v is not None]
        tokens = [v for v in (self.token_env, self.token_file) if v is not None]
        if len(passwords) + len(tokens) > 1:
            raise ValueError("give one of password_env, password_file, token_env and token_file")
        if bool(passwords) != (self.user is not None):
            raise ValueError("user goes with password_env or password_file, and these with user")
        if (passwords or tokens) and not (self.secure or self.plain_http):
            raise ValueError(
                "credentials would go to another machine without TLS; use https, or set plain_http = true"
            )
        if not self.verify and self.ca_file is not None:
            raise ValueError("ca_file says whom to trust, verify = false trusts everybody: give one")
        return self

    @property
    def secure(self) -> bool:
        """Whether what is sent cannot be read on the way: TLS, or it does not leave this machine."""
        return self.url.startswith("https://") or _is_loopback(urlsplit(self.url).hostname or "")

    def password(self) -> str | None:
        """The password as it is now; None where there is none. InputError where it cannot be read."""
        return _secret(self.name, self.password_env, self.password_file)

    def token(self) -> str | None:
        """The bearer token as it is now; None where there is none. InputError where it cannot be read."""
        return _secret(self.name, self.token_env, self.token_file)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _secret(name: str, variable: str | None, path: str | None) -> str | None:
    if variable is None and path is None:
        return None
    value = os.environ.get(variable or "", "") if path is None else _first_line(name, Path(path))
    if not value or len(value) > MOST_SECRET or not value.isprintable() or not value.isascii():
        raise InputError(
            f"DICOMweb server '{name}': its credential is empty, too long or not plain text; "
            f"put it on the first line of {'the file' if path else 'the environment variable'} that is named"
        )
    return value


def _first_line(name: str, path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(MOST_SECRET + 1).partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"DICOMweb server '{name}': the file of its credential cannot be read "
            f"({getattr(error, 'strerror', None) or type(error).__name__}); check password_file or token_file"
        ) from error


def read_archives(path: Path) -> Mapping[str, Archive]:
    """The servers of a configuration file by name, in its order. Paths in it are relative to the file.

    Credentials are read once, so that a missing one shows now, and are not kept. Raises InputError for a file
    that cannot be read, an unknown key, a value that does not fit or two servers of one name.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no TOML"
        raise InputError(
            f"--dicomweb: the file cannot be read ({why}); a TOML file with [[server]] was expected"
        ) from error
    if set(told) != {"server"} or not isinstance(told["server"], list):
        others = ", ".join(sorted(set(told) - {"server"})) or "none"
        raise InputError(f"--dicomweb: [[server]] and nothing else was expected; other keys: {others[:80]}")
    found: dict[str, Archive] = {}
    for number, row in enumerate(told["server"], 1):
        archive = _archive(row, number, path.parent)
        if archive.name in found:
            raise InputError(f"--dicomweb: two servers are called '{archive.name}'; each needs its own name")
        found[archive.name] = archive
        _ = archive.password(), archive.token()
    return found


def _archive(row: Any, number: int, folder: Path) -> Archive:
    try:
        archive = Archive.model_validate(row)
    except ValidationError as error:
        raise InputError(f"--dicomweb: server {number}: {_why(error)}") from error
    files = {
        name: str(folder / value)
        for name in ("password_file", "token_file", "ca_file")
        if (value := getattr(archive, name)) is not None
    }
    if "ca_file" in files and not Path(files["ca_file"]).is_file():
        raise InputError(f"--dicomweb: server {number}: ca_file: there is no such file; check the path")
    return archive.model_copy(update=files)


def _why(error: ValidationError) -> str:
    """The first mistake in one line, without the value: it may be a secret in the wrong place."""
    first = error.errors(include_url=False, include_input=False)[0]
    key = ".".join(map(str, first["loc"]))[:40]
    if first["type"] == "extra_forbidden":
        known = ", ".join(Archive.model_fields)
        hint = "secrets are not written here; " if key in ("password", "token") else ""
        return f"the key '{key}' is not known; {hint}known are {known}"
    told = first["msg"].removeprefix("Value error, ")
    return f"{key}: {told}" if key else told


def archive_named(archives: Mapping[str, Archive], name: str) -> Archive:
    """The configured server of that name; UsageError lists those that there are."""
    if name not in archives:
        known = ", ".join(archives) or "none"
        raise UsageError(f"no DICOMweb server is configured by that name; there are: {known}")
    return archives[name]
