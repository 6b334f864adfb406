"""What a page leaves to its reader: time for a search."""

import pytest

from twinseq.sharing import candidates, tune, tuning


def hurried(patch: pytest.MonkeyPatch) -> None:
    """Have searches try two settings on one deal of each kind: all of the search, in seconds."""
    patch.setattr(tuning, "usual", lambda basis: candidates(basis)[::9])
    for deals in ("inner", "outer"):
        patch.setitem(tune.__kwdefaults__, deals, 1)
