"""``twinseq serve``: the web app, started from the command line."""

from __future__ import annotations

import contextlib
import secrets
import socket
import tempfile
import webbrowser
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from .errors import ConfigError, OutputError
from .options import QUIET
from .terminal import say, warn

EXAMPLES = """\b
twinseq serve
twinseq serve --port 8321 --no-browser --max-upload 20"""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
GRACE = 2
"""Seconds that open answers are given when the app ends."""


def serve(
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", help="Port; 0: any free one.", min=0, max=65535)] = 0,
    max_upload: Annotated[
        float, typer.Option("--max-upload", metavar="GB", help="Largest upload, all files together.", min=0.001)
    ] = 4.0,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", metavar="DIR", help="Where files lie until the end. [the system's temporary folder]"),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    quiet: QUIET = False,
) -> None:
    """Make and judge a twin in the browser, no shell needed.

    Listens on this computer only. The address holds a secret; who does not know it sees nothing. Files are deleted when
    the app ends (Ctrl-C).
    """
    try:
        uvicorn = import_module("uvicorn")
        import_module("starlette.applications")
        import_module("python_multipart")
    except ImportError as error:
        raise ConfigError("The web app needs two more packages. Install: pip install 'twinseq[app]'") from error
    from .app.site import site
    from .app.workplace import Workplace

    listening = _listen(host, port)
    token = secrets.token_urlsafe(24)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}/{token}/"
    hosts = LOOPBACK if _is_loopback(host) else ("*",)
    if hosts == ("*",):
        warn(
            "Others in the network can reach this address, and nothing is encrypted on the way. Use it behind a proxy."
        )
    with listening, _private_folder(folder) as place:
        workplace = Workplace(Path(place))
        say(address)
        if not quiet:
            say("Ctrl-C ends it and deletes all files.")
        if browser:
            webbrowser.open(address)
        settings = uvicorn.Config(
            site(workplace, token, int(max_upload * 1e9), hosts),
            log_level="warning",
            access_log=False,  # addresses hold the secret
            server_header=False,
            timeout_graceful_shutdown=GRACE,
        )
        try:
            with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C is how it ends
                uvicorn.Server(settings).run(sockets=[listening])
        finally:
            workplace.forget()
    if not quiet:
        say("Ended. All files are deleted.")


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(
            f"Cannot listen at {host}, port {port} ({error.strerror or error}). Choose another --port, or 0 for any."
        ) from error


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _private_folder(folder: Path | None) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="twinseq-", dir=folder, ignore_cleanup_errors=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot write there ({error.strerror or error}). Choose another folder."
        ) from error
