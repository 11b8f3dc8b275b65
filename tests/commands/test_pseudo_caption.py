"""`pseudo-caption`: what it refuses, and how it continues and chooses among the captions that are in its folder already."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from captioner.captioning.captioner import Captioner
from captioner.data.datasets import load as load_dataset
from captioner.data.labels import load_labels
from captioner.model.checkpoints import save
from captioner.vocabulary import END
from support.fakes import COLOURS, Recogniser, slotted_checkpoints


def test_only_decoders_with_word_slots_can_be_told_and_nothing_is_overwritten(run, data, tiny_run, tmp_path):
    (tmp_path / "labelled").mkdir()
    (tmp_path / "labels.tsv").write_text("a.png\tcircle\n")
    (tmp_path / "labelled" / "a.png").write_bytes(next((data / "Flicker8k_Dataset").glob("train*")).read_bytes())
    command = ["pseudo-caption", "--labels", tmp_path, "--checkpoints", tiny_run]
    status, output, errors = run(*command, "--out", tmp_path / "new")
    assert status == 2 and not output and "Decoders without word slots cannot be told a label" in errors
    status, output, errors = run(*command, "--out", tmp_path)
    assert status == 2 and not output and "already, from other decoders, labels or settings; give another name." in errors
    assert not (tmp_path / "new").exists()


@pytest.fixture
def pseudo_caption(cli, tmp_path, monkeypatch):
    """The command with decoders that say what they are told and end, and twelve photographs, five of them at once."""
    for name, checkpoint in slotted_checkpoints().items():
        checkpoint.weights["words/bias"][END] += 2
        save(tmp_path / "run" / name, checkpoint, {})
    monkeypatch.setattr("captioner.captioning.captioner.load_encoder", lambda *_, **__: Recogniser())
    monkeypatch.setattr("captioner.training.pseudo_captions._SHORTEST", 1)
    monkeypatch.setattr("captioner.training.pseudo_captions._AT_ONCE", 5)
    (tmp_path / "labelled").mkdir()
    rows = [(f"{number}.png", noun) for number in range(6) for noun in ("dog", "cat")]
    for number, (name, noun) in enumerate(rows):
        Image.new("RGB", (40, 40 + number), COLOURS[noun]).save(tmp_path / "labelled" / f"{noun}-{name}")
    (tmp_path / "labels.tsv").write_text("".join(f"{noun}-{name}\t{noun}\n" for name, noun in rows))
    command = ["pseudo-caption", "--labels", tmp_path, "--checkpoints", tmp_path / "run", "--cache", tmp_path / "cache"]
    return lambda out, *more: cli(*command, "--out", tmp_path / out, *more)


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def together(monkeypatch):
    """How many photographs were captioned at once, each time."""
    caption, counts = Captioner.caption_seen, []

    def count(self, seen, *rest, **more):
        counts.append(len(seen.features))
        return caption(self, seen, *rest, **more)

    monkeypatch.setattr(Captioner, "caption_seen", count)
    return counts


def test_an_interrupted_folder_is_continued(pseudo_caption, together, tmp_path, monkeypatch):
    """A line that was cut off is written again."""
    status, output, errors = pseudo_caption("whole")
    photographs = len(load_labels(tmp_path).train)
    assert status == 0 and f"of {photographs} of {photographs} photographs" in output, errors
    assert load_dataset(tmp_path / "whole").split("train")[0].captions
    with monkeypatch.context() as patch:
        caption = Captioner.caption_seen

        def stop(self, *rest, **more):
            if (tmp_path / "broken" / "written.jsonl").stat().st_size:
                raise KeyboardInterrupt
            return caption(self, *rest, **more)

        patch.setattr(Captioner, "caption_seen", stop)
        status, output, errors = pseudo_caption("broken")
        assert status == 130 and not output and "Re-run the command to continue." in errors
    written = tmp_path / "broken" / "written.jsonl"
    assert len(written.read_text().splitlines()) == 5 and not (tmp_path / "broken" / "captions.train.txt").exists()
    written.write_bytes(written.read_bytes()[:-9])
    together.clear()
    assert pseudo_caption("broken")[0] == 0 and sum(together) == photographs - 4
    both = [files(tmp_path / name) for name in ("whole", "broken")]
    names = [[json.loads(line)["image"] for line in found.pop(Path("written.jsonl")).splitlines()] for found in both]
    assert both[0] == both[1] and names[0] == names[1] and len(names[0]) == photographs


def test_another_bound_chooses_among_the_same_captions(pseudo_caption, together, tmp_path):
    assert pseudo_caption("made")[0] == 0
    captions, how = tmp_path / "made" / "captions.train.txt", tmp_path / "made" / "how.json"
    every, made = captions.read_text().splitlines(), json.loads(how.read_text())
    together.clear()
    status, output, errors = pseudo_caption("made", "--most", 1, "--json")
    kept = captions.read_text().splitlines()
    assert status == 0 and not together, errors
    assert len(kept) == json.loads(output)["captions"] == len({one.label for one in load_labels(tmp_path).train}) < len(every)
    assert json.loads(how.read_text()) == made | {"most": 1} and made["most"] == 12


def test_captions_of_other_decoders_labels_or_settings_are_not_mixed(pseudo_caption, tmp_path):
    assert pseudo_caption("made")[0] == 0
    before, refused = files(tmp_path / "made"), "from other decoders, labels or settings; give another name."
    status, output, errors = pseudo_caption("made", "--beam", 1)
    assert status == 2 and not output and refused in errors
    labels = (tmp_path / "labels.tsv").read_text()
    (tmp_path / "labels.tsv").write_text(labels.replace("dog-1.png\tdog", "dog-1.png\tcat"))
    assert refused in pseudo_caption("made")[2]
    (tmp_path / "labels.tsv").write_text(labels)
    shutil.rmtree(tmp_path / "run" / "learned")
    assert refused in pseudo_caption("made")[2]
    checkpoint = slotted_checkpoints()["learned"]
    save(tmp_path / "run" / "learned", checkpoint, {})
    assert refused in pseudo_caption("made")[2] and files(tmp_path / "made") == before
