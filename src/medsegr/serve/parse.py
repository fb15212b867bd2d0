"""Reading a report without an image, as ``medsegr parse --json`` does."""

import anyio
from fastapi import APIRouter

from medsegr.results.schema import parse_json
from medsegr.serve.service import Service
from medsegr.serve.wire import ParseInfo, ParseRequest, problems
from medsegr.words import report_of_phrases, report_of_text

READERS = 2  # reports that are read at once: a long one takes seconds of a processor


def router(service: Service) -> APIRouter:
    """The one route. It needs nothing of the service: no model, no image."""
    routes = APIRouter(prefix="/v1", tags=["reports"])
    turnstile = anyio.CapacityLimiter(READERS)

    @routes.post("/parse", responses=problems("invalid", "wrong_arguments", "report_refused"))
    async def parse(asked: ParseRequest) -> ParseInfo:
        """The findings of a report: present, absent, uncertain, where and how."""
        return await anyio.to_thread.run_sync(_read, asked, limiter=turnstile)

    return routes


def _read(asked: ParseRequest) -> ParseInfo:
    if asked.phrases:
        report = report_of_phrases(asked.phrases, asked.modality, asked.frame)
    else:
        report = report_of_text(asked.said or "", asked.modality, asked.frame)
    return ParseInfo.model_validate(parse_json(report))
