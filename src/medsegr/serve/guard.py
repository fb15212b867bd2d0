"""The door of the server: from where a request may come, what every answer says, and what goes wrong.

Plain ASGI, without a framework. :func:`guarded` puts the pieces around an app in their order: nothing of a
request is looked at before its host is known, nothing of its body before its key.
"""

import logging
import re
from collections.abc import Iterable

from medsegr.errors import UsageError
from medsegr.serve.asgi import App, Message, Receive, Scope, Send, header, refuse
from medsegr.serve.auth import Keys
from medsegr.serve.bodies import Bodies, Sizes
from medsegr.serve.keys import Keyring
from medsegr.serve.rates import Rates
from medsegr.serve.refusal import is_full
from medsegr.serve.settings import Settings

LOG = logging.getLogger("medsegr")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")
CHANGING = ("POST", "PUT", "PATCH", "DELETE")
METHODS = "GET, POST, DELETE"
READS = "Authorization, Content-Type, Last-Event-ID"
SHOWS = "Content-Disposition, Location, Retry-After"
# The page has no inline script and no inline style. NiiVue makes pictures out of data: and blob: addresses,
# and compiles nothing while it runs, so neither 'unsafe-eval' nor 'wasm-unsafe-eval' is needed.
CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
ALWAYS = {
    b"content-security-policy": CSP.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
}


def host_of(text: str | None) -> str | None:
    """The name in a Host header, lower case and without port and brackets; None where it is none."""
    match = HOST.fullmatch(text or "")
    return match[1].strip("[]").lower().rstrip(".") if match else None


class Hosts:
    """Lets in requests for this server only, by their Host header: a page of a foreign name that is made to
    lead here (DNS rebinding) is refused. ``allowed`` empty: any well-formed name, for servers behind keys."""

    def __init__(self, app: App, allowed: Iterable[str] = LOOPBACK) -> None:
        self.app = app
        self.allowed = frozenset(name.strip("[]").lower() for name in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            name = host_of(header(scope, b"host"))
            if name is None or (self.allowed and name not in self.allowed):
                return await refuse(send, "bad_host")
        await self.app(scope, receive, send)


class Origins:
    """Keeps pages of other sites out: neither may they change anything, nor read what is below ``/v1``.
    ``allowed`` are origins as browsers write them (``https://viewer.example.org``), none by default."""

    def __init__(self, app: App, allowed: Iterable[str] = ()) -> None:
        self.app = app
        self.allowed = frozenset(origin.lower().rstrip("/") for origin in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        origin = header(scope, b"origin")
        known = origin is not None and origin.lower() in self.allowed
        if not known and self._foreign(scope, origin):
            return await refuse(send, "bad_origin", {"vary": "Origin"})
        if scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method"):
            return await self._preflight(origin if known else None, send)
        if not known or origin is None:
            return await self.app(scope, receive, send)

        async def shared(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_cors(origin)]
            await send(message)

        await self.app(scope, receive, shared)

    @staticmethod
    def _foreign(scope: Scope, origin: str | None) -> bool:
        """Whether a page of another site is behind the request, as far as its browser says so."""
        place = header(scope, b"sec-fetch-site")
        if place in ("cross-site", "same-site"):  # another port or name of one site is another server, too
            return scope["method"] in CHANGING or scope["path"].startswith("/v1")
        if origin is None or place == "same-origin":
            return False
        there = origin.lower().partition("://")[2]
        return there != (header(scope, b"host") or "").lower()

    @staticmethod
    async def _preflight(origin: str | None, send: Send) -> None:
        if origin is None:  # of this server itself: browsers do not ask then
            return await refuse(send, "method_not_allowed")
        more = ((b"access-control-allow-methods", METHODS.encode()), (b"access-control-max-age", b"600"))
        lines = [*_cors(origin), *more, (b"access-control-allow-headers", READS.encode())]
        await send({"type": "http.response.start", "status": 204, "headers": lines})
        await send({"type": "http.response.body", "body": b""})


def _cors(origin: str) -> tuple[tuple[bytes, bytes], ...]:
    """Only latin-1 comes in headers, and the origin is one of those that were allowed."""
    return (
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", SHOWS.encode()),
        (b"cross-origin-resource-policy", b"cross-origin"),
        (b"vary", b"Origin"),
    )


class Headers:
    """What every answer says to browsers: nothing but our own scripts, in no foreign frame, nothing guessed,
    and that images and results are not kept on the way (``no-store``). ``tls``: come by TLS from now on."""

    def __init__(self, app: App, tls: bool = False) -> None:
        self.app = app
        self.always = {**ALWAYS, **({b"strict-transport-security": b"max-age=31536000"} if tls else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        kept = scope["path"].startswith("/assets/")  # the page's own files: their names hold their hash

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                lines = [pair for pair in message["headers"] if pair[0].lower() != b"server"]
                have = {key.lower() for key, _ in lines}
                lines += [pair for pair in self.always.items() if pair[0] not in have]
                if not kept or message["status"] != 200:
                    lines = [pair for pair in lines if pair[0].lower() != b"cache-control"]
                    lines.append((b"cache-control", b"no-store"))
                message["headers"] = lines
            await send(message)

        await self.app(scope, receive, told)


class Failures:
    """The last net: an error that nobody caught becomes ``error`` without a word of it. The log names its
    kind, and at its level ``debug`` where it happened; a message may quote a path or a name. An answer that
    had begun already is cut off: the server ends its connection."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begun = False

        async def seen(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, seen)
        except Exception as error:
            number = scope.get("state", {}).get("request", "-")
            LOG.error("request %s failed: %s", number, type(error).__name__)
            LOG.debug("where it failed", exc_info=error)
            if not begun:
                await refuse(send, failure_of(error))


def failure_of(error: Exception) -> str:
    """The code of an error that nobody caught."""
    if is_full(error):
        return "no_room"
    return "out_of_memory" if isinstance(error, MemoryError) else "error"


def guarded(app: App, settings: Settings, keyring: Keyring | None) -> App:
    """An app behind its whole door, as ``settings`` say. ``keyring`` None: nobody is asked for a key, which a
    server that others can reach refuses (UsageError)."""
    if keyring is None and not settings.loopback:
        raise UsageError("a server that other machines can reach asks for keys: give it a key file")
    names = settings.allow_hosts or (LOOPBACK if settings.loopback else ())
    sizes = Sizes(upload=settings.upload_bytes)
    inner: App = Bodies(app, sizes)
    inner = Keys(inner, keyring, Rates(settings.rate))
    inner = Origins(inner, settings.allow_origins)
    inner = Hosts(inner, (*names, *(LOOPBACK if settings.allow_hosts and settings.loopback else ())))
    return Headers(Failures(inner), settings.tls)
