"""``import twinseq as ts``: what is there, how it loads, and that its example runs."""

import doctest
import subprocess
import sys

import pytest

import twinseq as ts


def fresh(code: str) -> str:
    """Run ``code`` in a Python that has imported nothing; return what it printed."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_the_public_names():
    assert ts.__all__ == [
        "Cohort",
        "advise",
        "attacks",
        "audit",
        "audit_procedure",
        "build_basis",
        "camda",
        "datasets",
        "de",
        "generators",
        "metrics",
        "plan",
        "read",
        "release",
        "write",
    ]
    assert dir(ts) == sorted(ts.__all__)
    assert ts.generators.names()[0]
    assert callable(ts.de.NumbaInference)
    assert callable(ts.datasets.simulate_cohort)
    assert isinstance(ts.Cohort, type)
    assert callable(ts.build_basis)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ts.nothing  # noqa: B018


@pytest.mark.parametrize(
    "lines",
    [
        "from twinseq.audit import audit; import twinseq as ts; assert ts.audit is audit",
        "import twinseq as ts; ts.audit; from twinseq.audit import audit; assert ts.audit is audit",
        "import twinseq as ts; from twinseq import audit; import twinseq.audit; assert ts.audit is audit",
        "import twinseq.cli; import twinseq.io; import twinseq as ts; assert ts.read is twinseq.io.read",
    ],
)
def test_audit_is_the_function_whatever_is_imported_first(lines):
    assert fresh(f"{lines}; print(type(ts.audit).__name__, ts.audit.__module__)") == "function twinseq.audit"


def test_importing_twinseq_is_light():
    heavy = "{'numpy', 'pandas', 'anndata', 'scipy', 'sklearn', 'numba', 'plotly', 'torch', 'jax', 'opacus', 'mbi'}"
    assert fresh(f"import sys, twinseq; print(*({heavy} & set(sys.modules)))") == ""


def test_importing_twinseq_is_quick():
    """In seconds of the processor, the interpreter's own start included: a busy machine must not fail it."""
    assert float(fresh("import time, twinseq; print(time.process_time())")) < 1.5


def test_listing_generators_loads_no_extra():
    rows = "[generators.defaults(name) for name in generators.names()]"
    extras = "{'torch', 'jax', 'opacus', 'mbi'}"
    assert fresh(f"import sys; from twinseq import generators; {rows}; print(*({extras} & set(sys.modules)))") == ""


def test_nothing_loads_a_deep_learning_library():
    """Not even in full use; torch and jax take seconds and gigabytes."""
    code = (
        "import sys, twinseq as ts\n"
        "ts.audit, ts.read, ts.write, ts.generators, ts.metrics, ts.datasets, ts.de.fit_deseq2\n"
        "import twinseq.report, twinseq.cli\n"
        "print(*({'torch', 'jax', 'tensorflow'} & set(sys.modules)))"
    )
    assert fresh(code) == ""


def test_the_example_in_the_documentation_runs():
    results = doctest.testmod(ts, raise_on_error=False)
    assert results.attempted >= 6
    assert results.failed == 0
