import subprocess
import sys

import pytest

import twinseq.de


def test_importing_the_package_loads_no_compiler():
    code = (
        "import sys, twinseq; before = set(sys.modules); import twinseq.de; "
        "print(sorted({'numba', 'numpy', 'pandas', 'pydeseq2'} & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_load_on_demand_and_others_do_not():
    assert set(dir(twinseq.de)) == {"NumbaInference", "fit_deseq2", "fit_model"}
    for name in dir(twinseq.de):
        assert callable(getattr(twinseq.de, name))
    with pytest.raises(AttributeError, match="fit_deseq3"):
        twinseq.de.fit_deseq3  # noqa: B018
