"""Store and forward: new studies of a DICOMweb server get their masks (SEG) and numbers (SR) put beside them.

    python examples/store_and_forward.py --dicomweb dicomweb.toml --server archive --work state/

What is asked of an image is, in this order: the words of a DICOM SR in the study, the text file
``REPORTS/<accession number>.txt``, the phrases given by ``--phrase``; with nothing of it the study is left
alone. ``work/done.sqlite`` holds what was done, so that nothing is done twice, whenever this program is
stopped. Ctrl-C or SIGTERM ends it after the study at hand. Without arguments it says how it is called.
"""

import argparse
import re
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from medsegr.errors import MedsegrError
from medsegr.io.read import read_image
from medsegr.options import Options
from medsegr.report.read import read_report
from medsegr.serve.archives import Archive, archive_named, read_archives
from medsegr.serve.dicomweb import push, search_series, search_studies
from medsegr.serve.fetch import pull
from medsegr.session import Model, load

TRIES = 3  # of a study that fails; then it is left alone
PAGE = 100
FILES = ("segmentation.dcm", "report.dcm")


def remembered(folder: Path) -> sqlite3.Connection:
    """What was done: one row a study. Only its owner may read the file: it holds UIDs."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "done.sqlite").touch(mode=0o600)
    db = sqlite3.connect(folder / "done.sqlite", isolation_level=None)
    db.execute(
        "CREATE TABLE IF NOT EXISTS studies (uid TEXT PRIMARY KEY, state TEXT, tries INTEGER, "
        "instances INTEGER, since REAL)"
    )
    return db


def waiting(db: sqlite3.Connection, archive: Archive, since: str, settle: float) -> Iterator[dict]:
    """Studies to do now: not done before, and of the same size for ``settle`` seconds (all of it has
    come).
    """
    seen: set[str] = set()
    while True:
        rows = search_studies(archive, {"StudyDate": f"{since}-"}, PAGE, len(seen))
        new = [row for row in rows if row["study"] not in seen]
        if not new:  # also where a server knows no offset
            return
        seen |= {row["study"] for row in new}
        for row in new:
            old = db.execute(
                "SELECT state, tries, instances, since FROM studies WHERE uid = ?", (row["study"],)
            )
            state, tries, instances, first = old.fetchone() or ("new", 0, None, 0.0)
            if state in ("done", "nothing", "failed"):
                continue
            if instances != row["instances"] and settle > 0:
                mark(db, row, "new", tries)
            elif time.time() - first >= settle:
                yield {**row, "tries": tries}


def mark(db: sqlite3.Connection, row: dict, state: str, tries: int) -> None:
    """Write down what became of a study."""
    told = (row["study"], state, tries, row["instances"], time.time())
    db.execute("INSERT OR REPLACE INTO studies VALUES (?, ?, ?, ?, ?)", told)


def words(archive: Archive, row: dict, series: list[dict], place: Path, reports: Path | None) -> str | None:
    """The report of a study: of an SR that others wrote, or of a file called like its accession number."""
    for one in series:
        if one["modality"] == "SR" and not str(one["description"] or "").startswith("medsegr"):
            pull(archive, row["study"], one["series"], place / "sr")
            return read_report(next((place / "sr").iterdir()))[0]
    name = str(row["accession"] or "")
    if reports is not None and re.fullmatch(r"[\w.-]{1,64}", name) and (reports / f"{name}.txt").is_file():
        return read_report(reports / f"{name}.txt")[0]
    return None


def forward(archive: Archive, model: Model, row: dict, told: argparse.Namespace) -> str:
    """One study there and back; "done", or "nothing" where nobody said what to look for."""
    series = search_series(archive, row["study"])
    if any(str(one["description"] or "").startswith("medsegr SEG") for one in series):
        return "done"  # by an earlier life of this program that could not write it down
    with tempfile.TemporaryDirectory(dir=told.work) as name:
        place = Path(name)
        report = words(archive, row, series, place, told.reports)
        if report is None and not told.phrase:
            return "nothing"
        pull(archive, row["study"], None, place / "images")
        options = Options(formats=("dicom-seg", "dicom-sr"))
        asked = {"report": report} if report is not None else {"phrases": tuple(told.phrase)}
        result = model.segment(read_image(place / "images"), **asked, options=options)
        result.save(place / "out")
        files = [place / "out" / file for file in FILES if (place / "out" / file).exists()]
        stored = push(archive, files)
    if bad := [one.reason for one in stored if one.outcome == "failed"]:
        raise MedsegrError(f"not stored: {'; '.join(str(reason) for reason in bad)}")
    return "done"


def look(
    archive: Archive, model: Model, told: argparse.Namespace, db: sqlite3.Connection, stop: threading.Event
):
    """Do once all that is to be done now."""
    for number, row in enumerate(list(waiting(db, archive, told.since, told.settle)), 1):
        if stop.is_set():
            return
        tries = row.pop("tries") + 1
        try:
            state, why = forward(archive, model, row, told), ""
        except MedsegrError as error:
            state, why = ("failed" if tries >= TRIES else "again"), f": {error}"
        mark(db, row, state, tries)
        print(f"study {number}: {state}{why}", flush=True)  # no UID, no name


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """Set by Ctrl-C and SIGTERM while the block runs."""
    stop = threading.Event()
    signs = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(sign, lambda *_: stop.set()) for sign in signs]
    try:
        yield stop
    finally:
        for sign, handler in zip(signs, before, strict=True):
            signal.signal(sign, handler)


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dicomweb", type=Path, help="TOML file of the DICOMweb servers")
    parser.add_argument("--server", help="name of one of them; it needs push = true")
    parser.add_argument("--work", type=Path, help="folder for what is remembered, and for files on their way")
    parser.add_argument("--reports", type=Path, help="folder of <accession number>.txt")
    parser.add_argument("--phrase", action="append", default=[], help="what to draw where there is no report")
    parser.add_argument("--since", default="19000101", help="first study date, YYYYMMDD")
    parser.add_argument("--every", type=float, default=30.0, help="seconds between two looks")
    parser.add_argument("--settle", type=float, default=60.0, help="seconds in which a study may not grow")
    parser.add_argument("--model", default="medsegr-tiny")
    parser.add_argument("--once", action="store_true", help="look once and end")
    told = parser.parse_args(words)
    if not (told.dicomweb and told.server and told.work):
        parser.print_help()
        return 0
    archive = archive_named(read_archives(told.dicomweb), told.server)
    model = load(told.model)
    often = "once" if told.once else f"every {told.every:g} s; Ctrl-C ends it"
    print(f"looking at {told.server} {often}", file=sys.stderr, flush=True)
    with closing(remembered(told.work)) as db, told_to_stop() as stop:
        while not stop.is_set():
            try:
                look(archive, model, told, db, stop)
            except MedsegrError as error:
                print(f"the look failed: {error}", flush=True)
            if told.once or stop.wait(told.every):
                break
    return 0


if __name__ == "__main__":
    main()
