"""`pseudo-caption`: what it refuses, and the data set it makes."""

import json
from collections import Counter

import pytest
from PIL import Image

from captioner.data.datasets import load as load_dataset
from captioner.data.labels import load_labels
from captioner.model.checkpoints import save
from support.fakes import COLOURS, Recogniser, slotted_checkpoints, write_captioned

TEXT = [f"the {noun} {verb} on grass" for noun in ("dog", "cat", "zebra", "bird") for verb in ("sits", "runs", "the grass")]


@pytest.fixture
def pseudo_caption(cli, tmp_path, monkeypatch):
    """The command with small decoders, twelve photographs of dogs and cats, and a text."""
    for name, checkpoint in slotted_checkpoints().items():
        save(tmp_path / "run" / name, checkpoint, {})
    monkeypatch.setattr("captioner.captioning.captioner.load_encoder", lambda *_, **__: Recogniser())
    monkeypatch.setattr("captioner.training.pseudo_captions._AT_ONCE", 5)
    monkeypatch.setattr("captioner.training.pseudo_captions._LEAST", -99)  # Untrained decoders find nothing fitting.
    (tmp_path / "labelled").mkdir()
    rows = [(f"{noun}-{number}.png", noun) for number in range(6) for noun in ("dog", "cat")]
    for number, (name, noun) in enumerate(rows):
        Image.new("RGB", (40, 40 + number), COLOURS[noun]).save(tmp_path / "labelled" / name)
    (tmp_path / "labels.tsv").write_text("".join(f"{name}\t{noun}\n" for name, noun in rows))
    (tmp_path / "text.txt").write_text("\n".join(TEXT))
    write_captioned(tmp_path / "captioned")
    command = ["pseudo-caption", "--labels", tmp_path, "--data", tmp_path / "captioned"]
    command += ["--checkpoints", tmp_path / "run", "--cache", tmp_path / "cache"]
    return lambda out, *more, text="text.txt": cli(*command, "--corpus", tmp_path / text, "--out", tmp_path / out, *more)


def test_every_photograph_gets_a_sentence_of_its_own_that_names_its_object(pseudo_caption, tmp_path):
    status, output, errors = pseudo_caption("made", "--json")
    labels = {one.name: one for one in load_labels(tmp_path).train}
    found = {one.name: one for one in load_dataset(tmp_path / "made").split("train")}
    assert status == 0 and json.loads(output)["kept"] == len(found), errors
    assert Counter(labels[name].label for name in found) == {"dog": 2, "cat": 2}, "the grass is said twice in the third"
    texts = [(labels[name].label, *one.captions) for name, one in found.items()]
    assert all(text in TEXT and label in text for label, text in texts) and len(set(texts)) == 4
    assert all(one.read() == labels[name].read() for name, one in found.items())


def test_fewer_of_every_object_are_the_same_best(pseudo_caption, tmp_path):
    assert pseudo_caption("two")[0] == pseudo_caption("one", "--most", 1)[0] == 0
    two, one = ((tmp_path / name / "captions.train.txt").read_text().splitlines() for name in ("two", "one"))
    assert len(one) == 2 and set(one) < set(two)
    how = json.loads((tmp_path / "one" / "how.json").read_text())
    assert how["most"] == 1 and how["text"][0][1] == "text.txt" and set(how["decoders"]) == {"learned", "word2vec"}


def test_another_folder_and_a_text_without_the_objects_are_refused(pseudo_caption, tmp_path):
    status, output, errors = pseudo_caption("run")
    assert status == 2 and not output and "already; give another name." in errors
    (tmp_path / "none.txt").write_text("a bird sits on grass\n")
    status, output, errors = pseudo_caption("new", text="none.txt")
    assert status == 2 and not output and "No sentence of the text names an object of the labels" in errors
    assert "There is no file" in pseudo_caption("new", text="lacking.txt")[2] and not (tmp_path / "new").exists()


def test_decoders_without_word_slots_cannot_be_told(run, data, tiny_run, tmp_path):
    (tmp_path / "labelled").mkdir()
    (tmp_path / "labels.tsv").write_text("a.png\tcircle\n")
    (tmp_path / "labelled" / "a.png").write_bytes(next((data / "Flicker8k_Dataset").glob("train*")).read_bytes())
    (tmp_path / "text.txt").write_text("a red circle is in the centre\n")
    command = ["pseudo-caption", "--labels", tmp_path, "--data", data, "--checkpoints", tiny_run]
    status, output, errors = run(*command, "--corpus", tmp_path / "text.txt", "--out", tmp_path / "new")
    assert status == 2 and not output and "Decoders without word slots cannot be told a label" in errors
    assert not (tmp_path / "new").exists()
