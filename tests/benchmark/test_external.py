"""Programs as generators: what they are given, and what is said of those that give nothing back."""

import sys

import pytest

from twinseq.benchmark.external import CommandError, twin_by_command
from twinseq.datasets import simulate_cohort

PYTHON = sys.executable


@pytest.fixture(scope="module")
def train():
    return simulate_cohort(n_cases=10, n_controls=10, n_genes=30)


@pytest.fixture
def program(tmp_path):
    def write(text):
        path = tmp_path / "a program.py"
        path.write_text(text)
        return f"{PYTHON} '{path}' {{train}} {{twin}} {{seed}}"

    return write


def test_a_program_reads_the_training_data_and_writes_a_twin(program, train, tmp_path):
    command = program(
        "import sys, anndata\n"
        "train, twin, seed = sys.argv[1:]\n"
        "a = anndata.read_h5ad(train)\n"
        "assert a.uns['twinseq']['label'] == 'condition'\n"
        "a.X = a.X + int(seed)\n"
        "del a.obs['donor'], a.uns['truth']\n"
        "a.obs_names = [f't{i}' for i in range(a.n_obs)]\n"
        "a.write_h5ad(twin)\n"
    )
    twin = twin_by_command(command, train, 3, 60.0, tmp_path)
    assert (twin.dense() == train.dense() + 3).all()
    assert (twin.label, twin.covariates) == (train.label, train.covariates)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import sys; sys.exit('out of luck')", "ended with 1; it said: out of luck"),
        ("pass", "wrote no twin"),
        ("import sys; open(sys.argv[2], 'w').write('no')", "its twin cannot be used.*not a readable .h5ad"),
        ("import time; time.sleep(60)", "stopped after 1 seconds"),
        ("input()", "ended with 1; it said: .*EOF"),
    ],
)
def test_what_goes_wrong_is_told(program, train, tmp_path, text, words):
    with pytest.raises(CommandError, match=words):
        twin_by_command(program(text), train, 0, 1.0 if "sleep" in text else 60.0, tmp_path)


def test_a_program_that_is_not_there(train, tmp_path):
    with pytest.raises(CommandError, match="no-such-program: cannot be run"):
        twin_by_command("no-such-program {train} {twin}", train, 0, 5.0, tmp_path)


def test_no_shell_reads_the_command(train, tmp_path):
    with pytest.raises(CommandError, match="wrote no twin"):
        twin_by_command(f"echo {{train}} {{twin}} ; touch {tmp_path / 'made'}", train, 0, 5.0, tmp_path)
    assert not (tmp_path / "made").exists()
