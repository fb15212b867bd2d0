"""Compressed DICOM frames, decoded in child processes with a limit on their memory and their time."""

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from medsegr.errors import InputError
from medsegr.io.limits import Limits

WHAT = "DICOM file"
MOST, EACH = 4, 8  # children at a time; frames that are worth the start of a further one
Found = TypeVar("Found")
KILLED = -9  # exit code of a process that the system stops, as it does where memory runs out


class Decoder:
    """Child processes, started when a frame finds none idle and used for all further ones. Close it at the
    end. Several threads may ask at a time: each gets a child of its own.
    """

    def __init__(self, limits: Limits) -> None:
        """``limits.decode_seconds`` hold for one frame, ``limits.decode_bytes`` for each child as a whole."""
        self._limits = limits
        self._lock = threading.Lock()
        self._idle: list[subprocess.Popen[bytes]] = []

    def frame(self, data: bytes, options: dict[str, Any]) -> tuple[np.ndarray, str]:
        """One frame's codestream -> (array ``h w`` or ``h w 3``, photometric interpretation of it).

        ``options`` are those of pydicom's decoder, with the transfer syntax. Raises InputError where the
        bytes cannot be decoded, or not within the limits.
        """
        with self._lock:
            child = self._idle.pop() if self._idle else None
        child = child or self._start()
        late = threading.Event()
        clock = threading.Timer(self._limits.decode_seconds, _stop, (child, late))
        clock.daemon = True
        clock.start()
        try:
            head, body = _ask(child, data, options)
        except (OSError, ValueError):  # it died: by our clock, by a limit or by itself
            _end(child)
            raise self._died(child, late.is_set()) from None
        except BaseException:
            child.kill()
            _end(child)
            raise
        finally:
            clock.cancel()
        with self._lock:
            self._idle.append(child)
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

    def _died(self, child: subprocess.Popen[bytes], late: bool) -> InputError:
        if late:
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
        """End the children. No thread may ask any more."""
        while self._idle:
            _end(self._idle.pop())


def _stop(child: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    child.kill()


def _end(child: subprocess.Popen[bytes]) -> None:
    """Close its pipes, which ends it, and wait for that."""
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
    """A decoder for the frames of one image; its children end with the block."""
    decoder = Decoder(limits)
    try:
        yield decoder
    finally:
        decoder.close()


def workers_for(frames: int) -> int:
    """How many frames are decoded at a time: up to four, as there are processors and frames enough."""
    return max(1, min(MOST, os.cpu_count() or 1, frames // EACH))


def ahead(work: Iterable[Callable[[], Found]], workers: int) -> Generator[Found, None, None]:
    """Results in the order of ``work``, each item done in a thread, at most twice ``workers`` of them begun.

    ``work`` is drawn from in this thread. Close the generator where it is left early. An error is raised
    where its result would have come. With one worker nothing runs beside this thread.
    """
    if workers < 2:
        for task in work:
            yield task()
        return
    waiting: deque[Future[Found]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for task in work:
            waiting.append(pool.submit(task))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
