"""The viewer's page and what it is made of, where it was built; else a page that says what is missing."""

from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).with_name("static")
MISSING = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>medsegr</title>
<h1>medsegr</h1>
<p>The server runs. The viewer was not built: run <code>make viewer</code> (it needs Node.js and npm), then
reload this page.</p>
<p>The interface for programs is described in <a href="/openapi.json">openapi.json</a>.</p>
<p>Not a medical device. For research.</p>
</html>
"""


def mount(app: FastAPI, static: Path = STATIC) -> None:
    """Put ``/`` and ``/assets`` into the app."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    def page() -> Response:
        """The viewer."""
        index = static / "index.html"
        if index.is_file():
            return FileResponse(index, media_type="text/html; charset=utf-8")
        return HTMLResponse(MISSING)

    app.include_router(routes)
    if (static / "assets").is_dir():
        app.mount("/assets", StaticFiles(directory=static / "assets"), name="assets")
