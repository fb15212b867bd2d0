"""What the first bytes of a file say, without the libraries that read the rest of it."""

import zlib

NIFTI_HEAD = 540  # bytes that hold the longer of the two headers


def is_dicom(head: bytes) -> bool:
    """Whether the first bytes are those of a DICOM file: the mark at 128, or a data set without it."""
    if head[128:132] == b"DICM":
        return True
    if len(head) < 12 or head[:2] not in (b"\x08\x00", b"\x02\x00") or head[3] != 0:
        return False
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    return explicit or int.from_bytes(head[4:8], "little") < 65536


def nifti_version(head: bytes) -> int:
    """1, 2, or 0 where the bytes are no NIfTI header; -1 for Analyze 7.5 or a header without its voxels
    (``.hdr``).
    """
    if len(head) < 348:
        return 0
    size = {head[:4]: 1, head[:4][::-1]: 1}  # either byte order
    if (348).to_bytes(4, "little") in size:
        return 1 if head[344:348] == b"n+1\0" else -1
    if (540).to_bytes(4, "little") in size:
        return 2 if head[4:8] == b"n+2\0" else -1
    return 0


def inflated_head(data: bytes) -> bytes:
    """The first bytes inside a gzip stream; empty where it cannot be inflated."""
    try:
        return zlib.decompressobj(wbits=31).decompress(data[:65536], NIFTI_HEAD)
    except zlib.error:
        return b""
