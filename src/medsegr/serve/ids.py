"""Ids that we make: 128 random bits, a letter for the kind in front. Nothing else becomes part of a path."""

import re
import secrets
from typing import Literal

from medsegr.serve.refusal import Refusal

Kind = Literal["i", "j", "s"]  # image, job, session
NAMES = {"i": "image", "j": "job", "s": "session"}
PATTERN = r"^[ijs][A-Za-z0-9_-]{22}$"
_WHOLE = re.compile(r"[A-Za-z0-9_-]{22}")


def new_id(kind: Kind) -> str:
    """A new id, for example ``iX7...`` of an image."""
    return kind + secrets.token_urlsafe(16)


def checked(kind: Kind, value: str) -> str:
    """The id, where it has the form of one of ours of this kind; Refusal ``not_found`` otherwise."""
    if value[:1] != kind or not _WHOLE.fullmatch(value[1:]):
        raise Refusal("not_found", f"there is no such {NAMES[kind]}")
    return value
