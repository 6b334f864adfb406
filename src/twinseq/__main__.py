"""``python -m twinseq`` is ``twinseq``."""

from .cli import main

main()
