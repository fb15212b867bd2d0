"""What a job was asked, kept in its folder for this user alone, and gone with it."""

from dataclasses import asdict
from pathlib import Path

from medsegr.options import Options
from medsegr.serve import folders
from medsegr.serve.service import Service
from medsegr.serve.wire import Words

FILE = "words.json"


def write(folder: Path, words: Words, options: Options) -> None:
    """Keep the words and options of a job."""
    told = {"report": words.report, "text": words.text, "phrases": words.phrases, "options": asdict(options)}
    folders.write_private(told, folder / FILE)


def words_of(service: Service, job: str) -> Words:
    """The words of a job; of one that is gone, none. ``.said`` is the text that spans refer to."""
    told = folders.read_json(service.folders.job(job) / FILE) or {}
    return Words(report=told.get("report"), text=told.get("text"), phrases=told.get("phrases") or None)
