"""`pseudo-caption`: what it refuses before it captions."""


def test_only_decoders_with_word_slots_can_be_told_and_nothing_is_overwritten(run, data, tiny_run, tmp_path):
    (tmp_path / "labelled").mkdir()
    (tmp_path / "labels.tsv").write_text("a.png\tcircle\n")
    (tmp_path / "labelled" / "a.png").write_bytes(next((data / "Flicker8k_Dataset").glob("train*")).read_bytes())
    command = ["pseudo-caption", "--labels", tmp_path, "--checkpoints", tiny_run]
    status, output, errors = run(*command, "--out", tmp_path / "new")
    assert status == 2 and not output and "Decoders without word slots cannot be told a label" in errors
    status, output, errors = run(*command, "--out", tmp_path)
    assert status == 2 and not output and "already; give another name." in errors and not (tmp_path / "new").exists()
