"""Who may ask what: the key of a request, the role that its route needs, and the door that compares them."""

import re
from typing import Any

from medsegr.serve.asgi import App, Receive, Scope, Send, header, refuse
from medsegr.serve.keys import LOCAL, Caller, Keyring
from medsegr.serve.rates import Rates, place_of
from medsegr.serve.refusal import Refusal

PULSE = ("/healthz", "/readyz")
OPEN = re.compile(r"/|/healthz|/readyz|/favicon\.ico|/assets/[^/\0]+")  # no word about anybody's images
PUSH = re.compile(r"/v1/jobs/[^/]+/push")
SEARCH = re.compile(r"/v1/dicomweb/.+")  # names of patients come back: more than looking at what is here
LOOKS = ("GET", "HEAD", "OPTIONS")
BEARER = re.compile(r"[Bb]earer +([\x21-\x7e]+)")


def needed(method: str, path: str) -> str | None:
    """The role that a request needs, None where it is open to everybody. ``path`` is decoded.

    What is not listed as open needs a key, also where there is no such route. Deleting needs ``write`` here;
    that it is one's own is checked where the owner is known (:func:`may_change`).
    """
    if method in LOOKS:
        if OPEN.fullmatch(path):
            return None
        return "write" if SEARCH.fullmatch(path) else "read"
    if PUSH.fullmatch(path):
        return "admin"
    return "read" if path == "/v1/parse" else "write"


def may_change(caller: Caller, owner: str) -> bool:
    """Whether a caller may delete, cancel or change what ``owner`` (a key's name) made: its own, or anything
    as admin."""
    return caller.may("admin") or (caller.may("write") and caller.name == owner)


class Keys:
    """ASGI middleware: lets a request in by its key, and not too often.

    ``keyring`` None: nobody is asked for a key, which is for loopback only. The app finds the caller under
    ``scope["state"]`` as ``key`` (its name) and ``role``.
    """

    def __init__(self, app: App, keyring: Keyring | None, rates: Rates | None = None) -> None:
        self.app = app
        self.keyring = keyring
        self.rates = rates or Rates(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"] in PULSE:
            return await self.app(scope, receive, send)
        role = needed(scope["method"], scope["path"])
        caller = LOCAL if self.keyring is None else self._caller(scope, role)
        named = isinstance(caller, Caller) and caller.name
        place = place_of((scope.get("client") or ("",))[0])
        wait = self.rates.wait(f"key {named}" if named else f"from {place}")
        if wait:
            return await refuse(send, "too_many_requests", {"retry-after": str(wait)})
        if isinstance(caller, str):
            asked = {"www-authenticate": "Bearer"} if caller in ("unauthorized", "key_expired") else {}
            return await refuse(send, caller, asked)
        if role is not None and not caller.may(role):
            return await refuse(send, "forbidden")
        scope.setdefault("state", {}).update(key=caller.name, role=caller.role)
        await self.app(scope, receive, send)

    def _caller(self, scope: Scope, role: str | None) -> Caller | str:
        """Who asks, or the code that says why nobody."""
        assert self.keyring is not None
        given = header(scope, b"authorization")
        if role is None:
            return Caller("", "read")
        match = BEARER.fullmatch(given or "")
        return self.keyring.caller(match[1]) if match else "unauthorized"


def own(request: Any, owner: str) -> None:
    """Refusal ``forbidden`` where who asks may not change what ``owner`` made. ``request`` has the door's
    ``state``; without one nobody is let in."""
    caller = Caller(str(request.state.key), str(request.state.role))
    if not may_change(caller, owner):
        raise Refusal("forbidden", "only the key that made it, or an admin's, may change it")
