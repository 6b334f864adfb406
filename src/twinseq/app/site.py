"""The pages of the app. Every address begins with a secret token; without it there is nothing."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, MutableHeaders, UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import ConfigError, TwinseqError
from .orders import PRESETS, policies, roles_and_settings
from .workplace import Workplace

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
REPORT_POLICY = "sandbox allow-scripts allow-downloads; frame-ancestors 'none'"
"""A report may run its own scripts, and cannot reach the app with them; it forbids itself any request."""
HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
ASSETS = {"app.css": "text/css", "app.js": "text/javascript"}

Handler = Callable[[Request], Awaitable[Response]]


class Site:
    """The pages over one workplace.

    Parameters
    ----------
    workplace
        What the pages show and change.
    home
        Address of the first page, with the slash at its end.
    most_bytes
        Largest upload, all files together.
    """

    def __init__(self, workplace: Workplace, home: str, most_bytes: int) -> None:
        self.workplace = workplace
        self.home = home
        self.most_bytes = most_bytes
        loader = jinja2.PackageLoader("twinseq.app")
        self.templates = jinja2.Environment(
            loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )

    def routes(self) -> list[Route]:
        """Return the addresses below the token."""
        return [
            Route("/", self.start),
            Route("/files", self.receive, methods=["POST"]),
            Route("/columns", self.columns),
            Route("/runs", self.begin, methods=["POST"]),
            Route("/run", self.run),
            Route("/run/state", self.state),
            Route("/run/stop", self.stop, methods=["POST"]),
            Route("/result", self.result),
            Route("/result/report.html", self.report),
            Route("/result/files/{name}", self.file),
            Route("/forget", self.forget, methods=["POST"]),
            *(Route(f"/{name}", self._asset(name, kind)) for name, kind in ASSETS.items()),
        ]

    async def start(self, request: Request) -> Response:
        """Choose a file."""
        return self._page("start.html.j2", most_bytes=self.most_bytes, came=self.workplace.arrived)

    async def receive(self, request: Request) -> Response:
        """Take the files of a cohort."""
        length = request.headers.get("content-length", "")
        if not length.isdigit():
            raise HTTPException(HTTPStatus.LENGTH_REQUIRED)
        if int(length) > self.most_bytes:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The files are larger than the {self.most_bytes / 1e9:g} GB that this app takes. Start it with a "
                "larger --max-upload, or use the command line.",
            )
        async with request.form(max_files=3, max_fields=0) as form:
            cohort = _upload(form, "cohort")
            if cohort is None:
                raise ConfigError("No file was chosen.")
            await self.workplace.take(cohort, _upload(form, "samples"), _upload(form, "basis"))
        return self._to("columns")

    async def columns(self, request: Request) -> Response:
        """State the roles of the columns."""
        came = self.workplace.arrived
        if came is None:
            return self._to("")
        return self._page("columns.html.j2", came=came, presets=PRESETS, policies=policies())

    async def begin(self, request: Request) -> Response:
        """Begin a release."""
        async with request.form(max_files=0) as form:
            came = self.workplace.arrived
            if came is None:
                return self._to("")
            chosen = [(str(key), str(value)) for key, value in form.multi_items()]
            roles, settings = roles_and_settings(chosen, came)
        self.workplace.start(roles, settings)
        return self._to("run")

    async def run(self, request: Request) -> Response:
        """Watch the release being made."""
        state = self.workplace.state()
        if state is None:
            return self._to("")
        if state.phase == "done":
            return self._to("result")
        return self._page("run.html.j2", state=state, came=self.workplace.arrived)

    async def state(self, request: Request) -> Response:
        """Say how far the release is, to the page's script."""
        state = self.workplace.state()
        if state is None:
            return JSONResponse({"phase": "none"})
        return JSONResponse({name: getattr(state, name) for name in ("phase", "text", "done", "total", "seconds")})

    async def stop(self, request: Request) -> Response:
        """End the release that is being made."""
        if self.workplace.job is not None:
            await run_in_threadpool(self.workplace.job.stop)
        return self._to("run")

    async def result(self, request: Request) -> Response:
        """Show the verdict, and what there is to download."""
        if not self._finished():
            return self._to("run")
        return self._page(
            "result.html.j2",
            came=self.workplace.arrived,
            verdict=self.workplace.verdict(),
            files=self.workplace.files(),
        )

    async def report(self, request: Request) -> Response:
        """Hand over the report, to be read in the browser."""
        if not self._finished():
            raise HTTPException(HTTPStatus.NOT_FOUND)
        path = self.workplace.outgoing / "report.html"
        return FileResponse(path, headers={"Content-Security-Policy": REPORT_POLICY})

    async def file(self, request: Request) -> Response:
        """Hand over a file of the release."""
        name = request.path_params["name"]
        if not self._finished() or name not in {file.name for file in self.workplace.files()}:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return FileResponse(self.workplace.outgoing / name, filename=name)

    async def forget(self, request: Request) -> Response:
        """Delete everything."""
        await run_in_threadpool(self.workplace.forget)
        return self._to("")

    def _finished(self) -> bool:
        state = self.workplace.state()
        return state is not None and state.phase == "done"

    def _asset(self, name: str, kind: str) -> Handler:
        source = Path(__file__).parent / "templates" / name

        async def asset(request: Request) -> Response:
            return FileResponse(source, media_type=kind)

        return asset

    def _to(self, page: str) -> Response:
        """Send the browser to another page of the app."""
        return RedirectResponse(f"{self.home}{page}", HTTPStatus.SEE_OTHER)

    def _page(self, template: str, status: int = 200, **content: Any) -> Response:
        return HTMLResponse(self.templates.get_template(template).render(home=self.home, **content), status)

    async def refused(self, request: Request, error: Exception) -> Response:
        """Say what is wrong with what was sent; what was there is kept."""
        text, status = str(error), HTTPStatus.BAD_REQUEST
        if isinstance(error, HTTPException):
            text, status = error.detail, HTTPStatus(error.status_code)
        for path in (self.workplace.folder / "incoming", self.workplace.folder):
            text = text.replace(f"{path}/", "")
        return self._page("refused.html.j2", status, text=text)


def _upload(form: FormData, name: str) -> UploadFile | None:
    """Return a file of a form; a field that was left empty is none."""
    value = form.get(name)
    return value if isinstance(value, UploadFile) and value.filename else None


class Guard:
    """Lets through what knows the token, and puts the headers on every answer.

    Parameters
    ----------
    app
        The app behind it.
    token
        Secret that every address begins with.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":  # the server's own start and end
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        given = scope["path"].split("/")[1].encode()
        known = secrets.compare_digest(given, self.token)
        app = self.app if known else PlainTextResponse("Not found.", HTTPStatus.NOT_FOUND)
        await app(scope, receive, with_headers)


def site(workplace: Workplace, token: str, most_bytes: int, hosts: Sequence[str]) -> Starlette:
    """Return the app.

    Parameters
    ----------
    workplace
        Where files go.
    token
        Secret that every address begins with.
    most_bytes
        Largest upload, all files together.
    hosts
        Names under which it is asked for; ``"*"``: any.
    """
    pages = Site(workplace, f"/{token}/", most_bytes)
    return Starlette(
        routes=[Mount(f"/{token}", routes=pages.routes())],
        exception_handlers={TwinseqError: pages.refused, HTTPException: pages.refused},
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
            Middleware(Guard, token=token),
        ],
    )
