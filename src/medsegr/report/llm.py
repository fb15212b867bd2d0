"""A language model as a second reader behind the rules: off unless an address is given, and never believed
alone.

``consult`` asks an OpenAI-compatible server for the findings of a report that the rules have read, checks
the answer word by word (``llm_answer``) and joins the two (``llm_merge``). Whatever goes wrong, the rules'
report stands, with a warning. Why so: ``docs/decisions/0010-llm-behind-the-rules.md``.
"""

import hashlib
import ipaddress
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from medsegr.errors import ReportError, UsageError
from medsegr.findings import Frame, Report
from medsegr.report import llm_answer, llm_merge
from medsegr.report.llm_http import NoAnswer, ask

SILENT = "llm_silent"
LONGEST_TEXT = 100_000  # characters of a report that is sent
_PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that speaks ``/v1/chat/completions``, and how it may be asked.

    ``url``: its address; ``remote`` must be True for any other machine than this one, since the report goes
    there. ``timeout``: seconds for one whole answer. ``retries``: further tries while it is busy, the first
    after ``pause`` seconds. ``cache``: a folder that keeps answers (they quote the report).

    Raises UsageError for values that do not make sense.
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    remote: bool = False
    timeout: float = 60.0
    retries: int = 2
    pause: float = 0.5
    cache: Path | None = None

    def __post_init__(self) -> None:
        """Refuses addresses that are none, and other machines unless they were asked for."""
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port = "", None
        plain = self.url.isascii() and self.url.isprintable() and " " not in self.url
        if not (plain and host and port != 0 and parts.scheme in ("http", "https")):
            raise UsageError("--llm-url: an address such as http://127.0.0.1:8080 was expected")
        if parts.username is not None or parts.query or parts.fragment:
            raise UsageError("--llm-url: no user, ? or # may stand in it; give the key by --llm-key-file")
        if not self.remote and not is_loopback(host):
            raise UsageError(
                "--llm-url: it is another machine, and reports would go there; allow it by --llm-remote"
            )
        if not self.model.strip() or len(self.model) > 200:
            raise UsageError("--llm-model: the name under which the server knows the model was expected")
        if not all("!" <= c <= "~" for c in self.key):
            raise UsageError("the key of the language model holds blanks or signs that no key has")
        if not (0 < self.timeout <= 3600 and 0 <= self.retries <= 10 and 0 <= self.pause <= 60):
            raise UsageError("the language model's timeout, retries or pause are out of range")

    @property
    def address(self) -> str:
        """The whole address: ``/v1/chat/completions`` is added where the path does not name it."""
        bare = self.url.rstrip("/")
        if bare.endswith("/chat/completions"):
            return bare
        return bare + (_PATH.removeprefix("/v1") if bare.endswith("/v1") else _PATH)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: ``localhost`` or a loopback address in full."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def consult(
    report: Report,
    endpoint: Endpoint,
    *,
    modality: str | None = None,
    frame: Frame | None = None,
    sections: tuple[str, ...] = (),
) -> Report:
    """The report with what a language model adds to it, and warnings about all that it would have otherwise.

    Polarity, side and time are always those of the rules. ``modality``, ``frame`` and ``sections`` are those
    with which the report was parsed. Raises nothing for what the server does: a warning ``llm_silent`` says
    that the rules stand alone.
    """
    if not report.text.strip():
        return report
    if len(report.text) > LONGEST_TEXT:
        return _silent(report, f"the report has more than {LONGEST_TEXT:,} characters and was not sent")
    body = llm_answer.request(report.text, endpoint.model, modality)
    try:
        checked = _answer(endpoint, body, report.text)
    except (NoAnswer, ReportError) as error:
        return _silent(report, str(error))
    return llm_merge.merge(report, checked, llm_merge.Setting(modality, frame, sections))


def unanswered(report: Report) -> bool:
    """Whether a language model was asked about this report and gave nothing that could be used."""
    return any(code == SILENT for code, _ in report.warnings)


def _silent(report: Report, reason: str) -> Report:
    message = f"the language model added nothing ({reason}); the findings are those of the rules"
    return replace(report, warnings=(*report.warnings, (SILENT, message)))


def _answer(endpoint: Endpoint, body: Mapping[str, Any], text: str) -> llm_answer.Checked:
    """The checked answer, out of the cache where it is there; only answers of the schema are kept."""
    key = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    kept = endpoint.cache / f"{key}.json" if endpoint.cache is not None else None
    if kept is not None:
        with suppress(OSError, UnicodeDecodeError, ReportError):
            return llm_answer.check(kept.read_text(encoding="utf-8"), text)
    content = ask(endpoint, body)
    try:
        checked = llm_answer.check(content, text)
    except ReportError as error:
        raise NoAnswer(f"its answer was refused: {error}") from None
    if kept is not None:
        _keep(kept, content)
    return checked


def _keep(path: Path, content: str) -> None:
    """Write whole or not at all, readable for the owner only: the answer quotes a report. A full disk or a
    missing right costs the cache and not the run."""
    part = path.with_name(f".part-{secrets.token_hex(6)}")
    with suppress(OSError, UnicodeEncodeError):
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
                handle.write(content.encode("utf-8"))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
