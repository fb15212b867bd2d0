"""The maker is told by its program text."""

import shutil
from pathlib import Path

from medsegr import phantom
from medsegr.modality import synthetic
from medsegr.phantom import maker


def test_another_maker_or_mark_is_another_fingerprint(tmp_path: Path) -> None:
    folder, mark = tmp_path / "phantom", tmp_path / "synthetic.py"
    shutil.copytree(maker.HERE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(synthetic.__file__), mark)
    same = phantom.fingerprint()
    assert phantom.fingerprint(folder, mark) == same  # it does not hang on where the program lies
    told = {same}
    parts = sorted(folder.rglob("*.py"))
    assert folder / "bodies" / "skin.py" in parts  # what draws lies in a folder of its own
    for path in (*parts, mark):
        path.write_bytes(path.read_bytes() + b"\n")
        told.add(phantom.fingerprint(folder, mark))
    assert len(told) == len(parts) + 2
