"""What a page leaves to its reader: time for a search, and a person in front of a browser."""

import os
import re
import signal
import threading
import urllib.request

import pytest

from twinseq import serve_command
from twinseq.sharing import candidates, tune, tuning

TITLE = re.compile(r"<title>(.*?)</title>")
PATIENCE = 30


def hurried(patch: pytest.MonkeyPatch) -> None:
    """Have searches try two settings on one deal of each kind: all of the search, in seconds."""
    patch.setattr(tuning, "usual", lambda basis: candidates(basis)[::9])
    for deals in ("inner", "outer"):
        patch.setitem(tune.__kwdefaults__, deals, 1)


def visiting(patch: pytest.MonkeyPatch) -> list[str]:
    """Have somebody read the page that the app opens in a browser, and press Ctrl-C then; return the titles read."""
    titles: list[str] = []
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def read(address: str) -> None:
        try:
            with direct.open(address, timeout=PATIENCE) as answer:
                titles.extend(TITLE.findall(answer.read().decode()))
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    patch.setattr(
        serve_command.webbrowser, "open", lambda address: threading.Thread(target=read, args=[address]).start()
    )
    return titles
