"""What the report says of attackers who hold a few cells."""

import pytest

from twinseq.report.attack_tables import _known


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"genes": 100, "share": 0.1}, "100 (10 %)"),
        ({"genes": 1000, "share": 1.0, "cells": 10}, "1,000 (100 %), 10 cell(s)"),
        ({"genes": 1000, "share": 1.0, "unseen": True}, "1,000 (100 %), cells that were not used"),
    ],
)
def test_cells_and_genes_that_are_known_are_told(row, words):
    assert _known(row).replace("\u202f", " ").replace("\xa0", " ") == words
