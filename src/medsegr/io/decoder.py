"""Compressed DICOM frames, decoded in a child process with a limit on its memory and its time."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from medsegr.errors import InputError
from medsegr.io.limits import Limits

WHAT = "DICOM file"
KILLED = -9  # exit code of a process that the system stops, as it does where memory runs out


class Decoder:
    """A child process, started with the first frame and used for all further ones. Close it at the end."""

    def __init__(self, limits: Limits) -> None:
        """``limits.decode_seconds`` hold for one frame, ``limits.decode_bytes`` for the child as a whole."""
        self._limits = limits
        self._child: subprocess.Popen[bytes] | None = None
        self._late = False

    def frame(self, data: bytes, options: dict[str, Any]) -> tuple[np.ndarray, str]:
        """One frame's codestream -> (array ``h w`` or ``h w 3``, photometric interpretation of it).

        ``options`` are those of pydicom's decoder, with the transfer syntax. Raises InputError where the
        bytes cannot be decoded, or not within the limits.
        """
        child = self._child = self._child or self._start()
        self._late = False
        clock = threading.Timer(self._limits.decode_seconds, self._stop_late)
        clock.daemon = True
        clock.start()
        try:
            head, body = _ask(child, data, options)
        except (OSError, ValueError):  # it died: by our clock, by a limit or by itself
            self.close()
            raise self._died(child) from None
        finally:
            clock.cancel()
        if "error" in head:
            raise self._refused(str(head["error"]))
        array = np.frombuffer(body, np.dtype(head["dtype"])).reshape(head["shape"])
        return array, str(head["photometric"])

    def _start(self) -> subprocess.Popen[bytes]:
        home = str(Path(__file__).resolve().parents[2])
        paths = [home, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        one = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, "-m", "medsegr.io.decoder_child", str(self._limits.decode_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **one, "PYTHONPATH": os.pathsep.join(paths)},
        )

    def _stop_late(self) -> None:
        self._late = True
        if self._child is not None:
            self._child.kill()

    def _died(self, child: subprocess.Popen[bytes]) -> InputError:
        if self._late:
            limit = self._limits.decode_seconds
            return InputError(
                f"{WHAT}: decoding one frame took more than {limit} seconds; it is damaged, or raise the "
                f"limit with --limits decode_seconds={limit * 10}"
            )
        if child.returncode == KILLED:
            return InputError(
                f"{WHAT}: the decoder was killed, most likely for lack of memory; use a smaller image or a "
                "machine with more memory"
            )
        return InputError(
            f"{WHAT}: the decoder stopped (exit code {child.returncode}) on its compressed pixels; they are "
            "damaged, copy it again"
        )

    def _refused(self, error: str) -> InputError:
        if error == "MemoryError":
            limit = self._limits.decode_bytes
            return InputError(
                f"{WHAT}: decoding one frame needs more than {limit:,} bytes of memory; it is damaged, or "
                f"raise the limit with --limits decode_bytes={limit * 4}"
            )
        return InputError(
            f"{WHAT}: it cannot be decoded ({error}); it is truncated or damaged; open it in another program "
            "and save it again"
        )

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is None:
            return
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        try:
            child.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _ask(
    child: subprocess.Popen[bytes], data: bytes, options: dict[str, Any]
) -> tuple[dict[str, Any], bytes]:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps({**options, "bytes": len(data)}).encode() + b"\n")
    child.stdin.write(data)
    child.stdin.flush()
    head: dict[str, Any] = json.loads(child.stdout.readline())
    body = child.stdout.read(int(head["bytes"]))
    if len(body) != head["bytes"]:
        raise ValueError("the answer ends too early")
    return head, body


@contextmanager
def decoding(limits: Limits) -> Iterator[Decoder]:
    """A decoder for the frames of one image; its child ends with the block."""
    decoder = Decoder(limits)
    try:
        yield decoder
    finally:
        decoder.close()
