"""What this server does: its model, formats, limits, examples. No torch, no model is asked."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request

import medsegr
from medsegr import registry, weights
from medsegr.findings import MODALITIES
from medsegr.modality.kinds import made_only
from medsegr.options import POLARITIES
from medsegr.results.overlay import NOTICE
from medsegr.serve.examples import EXAMPLES
from medsegr.serve.refusal import Refusal
from medsegr.serve.results import FORMATS
from medsegr.serve.service import Service
from medsegr.serve.settings import Settings
from medsegr.serve.wire import (
    MOST_CHARACTERS,
    MOST_PHRASES,
    Capabilities,
    Example,
    Health,
    ModelInfo,
    problems,
    role_of,
)


def model_info(settings: Settings) -> ModelInfo:
    """The card of the server's model in short."""
    name = settings.model
    if Path(name).is_dir() or name in weights.names():
        card = weights.read_card(name)
        known: dict[str, Any] = card.get("concepts", {})
        return ModelInfo(
            name=str(card.get("name", weights.DEFAULT)),
            sha256=str(card.get("sha256", "")),
            licence=str(card.get("licence", "unknown")),
            concepts={concept: list(about.get("modalities", ())) for concept, about in sorted(known.items())},
            made_only=[concept for concept in sorted(known) if made_only(card, concept)],
        )
    method = registry.cards().get(name)
    licence = method.licence if method else "unknown"
    return ModelInfo(name=name, sha256="", licence=licence, concepts={}, made_only=[])


def limits_of(settings: Settings) -> dict[str, float]:
    """What a request and a job may cost."""
    return {
        "upload_bytes": settings.upload_bytes,
        "files": settings.limits.folder_files,
        "pixels": settings.limits.pixels,
        "voxels": settings.limits.voxels,
        "report_characters": MOST_CHARACTERS,
        "phrases": MOST_PHRASES,
        "queue": settings.queue,
        "job_seconds": settings.job_seconds,
        "keep_hours": settings.keep_hours,
        "rate_per_minute": settings.rate,
    }


def router(service: Service) -> APIRouter:
    """Health, readiness, capabilities."""
    routes = APIRouter(tags=["server"])
    model = model_info(service.settings)

    @routes.get("/healthz")
    async def healthz() -> Health:
        """The server lives."""
        return Health(status="ok")

    @routes.get("/readyz", responses=problems("not_ready"))
    async def readyz() -> Health:
        """A worker has the model loaded (or none is needed)."""
        if service.crew is not None and not service.crew.ready:
            code = service.crew.broken
            raise Refusal("not_ready", f"the model cannot be loaded ({code[0]})" if code else "")
        return Health(status="ready")

    @routes.get("/v1/capabilities")
    def capabilities(request: Request) -> Capabilities:
        """What this server does, and within which limits."""
        return Capabilities(
            version=medsegr.__version__,
            notice=NOTICE,
            model=model,
            formats=list(FORMATS),
            polarities=list(POLARITIES),
            modalities=list(MODALITIES),
            frames=["patient", "viewer"],
            limits=limits_of(service.settings),
            read_only=service.settings.read_only,
            role="read" if service.settings.read_only else role_of(request),
            dicomweb=list(service.archives),
            examples=[Example(id=name, title=one.title) for name, one in EXAMPLES.items()],
        )

    return routes
