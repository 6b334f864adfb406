"""The runner of pages finds what it is there to find."""

from pathlib import Path

import pytest

from docs.blocks import Block, blocks
from docs.runner import run, shown

PRINTED = "part     samples  donors\ntrain         30      29\nWritten to parts, 3 files\n"


@pytest.fixture
def play(tmp_path: Path):
    """Run a page that is given as text."""

    def played(text: str) -> list[str]:
        page, folder, talk = tmp_path / "page.md", tmp_path / "folder", tmp_path / "talk"
        page.write_text(text, encoding="utf-8")
        for place in (folder, talk):
            place.mkdir()
        return run(blocks(page), folder, talk, "page.md")

    return played


def test_programs_run_in_order_in_one_folder_and_one_namespace(play):
    page = """
```text
# names.txt
case
```
```bash
D=names; cat $D.txt | tr a-z A-Z > upper.txt
```
```python
from pathlib import Path

text = Path("upper.txt").read_text()
```
```python
text.strip()
```
```text
CASE
```
"""
    assert play(page) == ["", "", "CASE\n"]


def test_the_command_line_is_at_hand_with_its_exit_code_and_its_output(play):
    page = "```bash\ntwinseq --version | wc -l\ntwinseq generate none.h5ad -o twin.h5ad || echo ended with $?\n```\n"
    out = play(page)[0]
    assert out.splitlines()[:2] == ["1", "ended with 2"]
    assert "none.h5ad" in out


@pytest.mark.parametrize(
    "program", ["```bash\nfalse | cat\n```", "```bash\ntwinseq nonsense\n```", "```bash\npip install twins\n```"]
)
def test_a_command_that_fails_is_found(play, program):
    with pytest.raises(AssertionError, match=r"page\.md:1 ended with"):
        play(program)


def test_python_that_fails_is_found(play):
    with pytest.raises(NameError):
        play("```python\nunknown\n```")


def test_output_that_was_not_printed_is_found(play):
    with pytest.raises(AssertionError, match="shows what was not printed"):
        play('```bash\necho "3 donors"\n```\n```text\n3 samples\n```')


def test_what_is_not_to_run_does_not(play):
    assert play('```bash title="not run by the tests: it fails"\nfalse\n```\n```text\nanything\n```') == []


@pytest.mark.parametrize(
    ("line", "is_shown"),
    [
        ("train  28  27", True),
        ("train 30", False),
        ("train 30 …", True),
        ("Written to parts, 3 files", True),
        ("Written to …", True),
        ("Written to elsewhere", False),
        ("", False),
    ],
)
def test_words_count_and_numbers_only_in_kind(line, is_shown):
    assert shown(line, PRINTED) is is_shown


def test_a_block_without_reason_runs():
    assert Block("bash", "true\n", 1, None).runs
    assert not Block("bash", "true\n", 1, "a reason").runs
    assert not Block("yaml", "true\n", 1, None).runs
