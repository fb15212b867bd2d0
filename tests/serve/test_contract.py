"""The OpenAPI document and the server say the same: requests made out of the document, right ones and wrong
ones, never end in a 5xx, and every answer has a status, a type and a form that the document tells.
"""

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from PIL import Image as Picture
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation import GenerationMode

from medsegr.serve.refusal import CODES

EXAMPLES = 3  # requests of each kind for each operation
LOOKED_AT = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
STREAMS = ("/v1/jobs/{job}/events",)  # answered for as long as a job runs
PATIENT = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class Away:
    """A server in a process of its own: what it does with chance does not disturb the making of requests."""

    url: str


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Away]:
    data = tmp_path_factory.mktemp("data")
    flags = ["--port", "0", "--data-dir", str(data), "--model", "threshold", "--workers", "0", "--rate", "0"]
    command = [sys.executable, "-m", "medsegr", "serve", *flags, "--queue", "1000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            first = server.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", first)
            assert found, first
            yield Away(found[0])
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def document(live: Away) -> dict[str, Any]:
    return dict(httpx.get(f"{live.url}/openapi.json", trust_env=False).json())


def things(live: Away) -> dict[str, str]:
    """An image, a job that is done and a session, for requests that shall find something."""
    out = io.BytesIO()
    values = np.random.default_rng(0).integers(0, 255, (24, 32)).astype(np.uint8)
    Picture.fromarray(values).save(out, "PNG")
    with httpx.Client(base_url=live.url, trust_env=False, timeout=120) as http:
        image = http.post("/v1/images", files=[("files", ("a.png", out.getvalue()))]).json()["id"]
        session = http.post("/v1/sessions", json={"image": image}).json()["id"]
        http.post(f"/v1/sessions/{session}/segment", json={"phrases": ["nodule"]})
        http.post(f"/v1/sessions/{session}/refine", json={"points": [[3, 3, 1]]})
        job = http.post(f"/v1/sessions/{session}/save").json()["id"]
    return {"image": image, "job": job, "session": session, "name": "f1"}


def operations(document: dict[str, Any]) -> list[Any]:
    schema = schemathesis.openapi.from_dict(document)
    found = [one.ok() for one in schema.get_all_operations()]
    return sorted(found, key=lambda operation: operation.method.upper() == "DELETE")  # what is gone is gone


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
def test_answers_are_as_the_document_tells(
    live: Away, document: dict[str, Any], mode: GenerationMode
) -> None:
    load_all_checks()
    checks = CHECKS.get_by_names(list(LOOKED_AT))
    known = things(live)
    for operation in operations(document):
        if operation.path not in STREAMS:
            _ask(live, operation, mode, known, checks)


def _ask(live: Away, operation: Any, mode: GenerationMode, known: dict[str, str], checks: Any) -> None:
    cases = operation.as_strategy(generation_mode=mode)

    @PATIENT
    @given(cases, st.integers(0, 3))
    def play(case: Any, dice: int) -> None:
        if dice and case.path_parameters:  # most requests find something
            for name in case.path_parameters:
                if name in known:
                    case.path_parameters[name] = known[name]
        if dice and isinstance(case.body, dict) and isinstance(case.body.get("image"), str):
            case.body["image"] = known["image"]
        answer = case.call(base_url=live.url, timeout=120)
        case.validate_response(answer, checks=checks)
        if answer.status_code >= 400:
            told = answer.json()["error"]
            assert set(told) == {"code", "message"}, operation.label
            assert CODES[told["code"]][0] == answer.status_code, operation.label
            assert "\n" not in told["message"]

    with suppress(*((Unsatisfiable,) if mode == GenerationMode.NEGATIVE else ())):  # nothing can be wrong
        play()
