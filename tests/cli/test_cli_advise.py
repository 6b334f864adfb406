"""``twinseq advise`` on the command line."""


def test_options_are_ranked_with_reasons(twinseq, files):
    ended = twinseq("advise", files / "c.h5ad", "--task", "classify", "--no-rehearse")
    assert ended.code == 0, ended.err
    assert "under the policy 'internal'" in ended.out
    assert "twinseq release REAL --generator" in ended.out
    assert "An audit of 40 donors" in ended.out


def test_json_is_json_and_a_wrong_task_is_told(twinseq, files):
    found = twinseq("advise", files / "c.h5ad", "--task", "share", "--no-rehearse", "--json").json
    assert found["policy"] == "partner"
    assert found["options"][0]["expected"][0]["source"].startswith("benchmarks/results/")
    ended = twinseq("advise", files / "c.h5ad", "--task", "dee")
    assert ended.code == 2
    assert "did you mean 'de'" in ended.err
