"""The child process that decodes compressed pixels: frames come in on stdin, arrays go out on stdout.

Native decoders read bytes of strangers; a crash, a hang or an endless allocation of theirs ends this process
and nothing else. One request: a line of JSON (options of pydicom's decoder, ``bytes``), then that many bytes.
One answer: a line of JSON (``dtype``, ``shape``, ``photometric``, ``bytes``; or ``error``), then the bytes.
"""

import json
import logging
import sys
import warnings
from typing import Any, BinaryIO

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID


def main(memory: int) -> None:
    """Answer requests until stdin ends; ``memory``: bytes of address space above what is mapped now."""
    _limit(memory)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever a library prints must not mix with the answers
    while line := source.readline():
        asked = json.loads(line)
        frame = source.read(int(asked.pop("bytes")))
        _answer(sink, asked, frame)


def _limit(memory: int) -> None:
    try:
        import resource

        with open("/proc/self/statm", "rb") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):  # no such limits on this system: the parent's time limit holds
        return
    resource.setrlimit(resource.RLIMIT_AS, (now + memory, now + memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(sink: BinaryIO, options: dict[str, Any], frame: bytes) -> None:
    try:
        array, told = decoded(frame, options)
        data = np.ascontiguousarray(array)
        head = {"dtype": data.dtype.str, "shape": data.shape, "photometric": told, "bytes": data.nbytes}
        body: bytes | memoryview = data.data.cast("B") if data.nbytes else b""
    except MemoryError:
        head, body = {"error": "MemoryError", "bytes": 0}, b""
    except BaseException as error:  # a panic in Rust is no Exception
        head, body = {"error": type(error).__name__, "bytes": 0}, b""
    sink.write(json.dumps(head).encode() + b"\n")
    sink.write(body)
    sink.flush()


def decoded(frame: bytes, options: dict[str, Any]) -> tuple[np.ndarray, str]:
    """One compressed frame -> (array ``h w`` or ``h w 3``, photometric interpretation of it)."""
    syntax = UID(options["transfer_syntax_uid"])
    told = {**options, "transfer_syntax_uid": syntax, "number_of_frames": 1}
    array, meta = get_decoder(syntax).as_array(encapsulate([frame]), index=0, **told)
    return array, str(meta["photometric_interpretation"])


if __name__ == "__main__":
    main(int(sys.argv[1]))
