"""`caption`: its formats, files that are resumed, stages, and what it refuses."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from captioner.captioning.bulk import MANY
from captioner.commands.caption import FORMS
from captioner.config import VARIANTS
from captioner.model.checkpoints import save
from support.fakes import COLOURS, Recogniser, slotted_checkpoints

ROOT = Path(__file__).resolve().parents[2]
LINE = re.compile(r"(\d)\) (.+) \(p=(\d\.\d{6})\)")


def test_a_bad_file_is_skipped(run, pictures, copied):
    arguments = ["caption", pictures / "b.png", pictures / "gone.png", pictures, "--checkpoints", copied, "--json"]
    status, output, errors = run(*arguments)
    entries = json.loads(output)
    names = [pictures / name for name in ("b.png", "gone.png", "a.JPG", "b.png", "broken.png")]
    assert status == 1 and [entry["image"] for entry in entries] == [str(name) for name in names]
    assert [entry["image"] for entry in entries if "error" in entry] == [str(names[1]), str(names[4])]
    captioned = {"image", "stage", "told", "words_seen", "notes", "captions"}
    assert all(set(entry) in ({"image", "error"}, captioned) for entry in entries)
    assert list(entries[0]["captions"]) == list(VARIANTS)
    caption, again = (entry["captions"]["learned"][0] for entry in (entries[0], entries[3]))
    assert caption["words"] == again["words"] and caption["log_probability"] == pytest.approx(again["log_probability"])


def test_the_probabilities_of_a_caption_add_up(run, pictures, copied):
    picture = pictures / "b.png"
    status, output, _ = run("caption", picture, "--checkpoints", copied, "--top", 4, "--variant", "word2vec", "--json")
    (entry,) = json.loads(output)
    captions = entry["captions"]["word2vec"]
    assert status == 0 and list(entry["captions"]) == ["word2vec"] and len(captions) == 4
    for caption in captions:
        assert set(caption) == {"text", "log_probability", "words", "word_log_probabilities", "end_log_probability"}
        assert caption["text"] == " ".join(caption["words"]) and len(caption["words"]) == len(caption["word_log_probabilities"])
        total = math.fsum(caption["word_log_probabilities"]) + (caption["end_log_probability"] or 0)
        assert total == pytest.approx(caption["log_probability"])


def test_the_lines_and_the_errors(run, pictures, copied, tmp_path):
    status, output, errors = run("caption", pictures / "b.png", pictures / "broken.png", "--checkpoints", copied)
    assert status == 1 and errors.startswith("triptych: 'broken.png' is not a")
    assert output.splitlines()[0] == str(pictures / "b.png")
    assert [line.split()[0] for line in output.splitlines()[1:]] == ["Learned", "Word2Vec", "FastText"]
    status, output, _ = run("caption", tmp_path, "--checkpoints", copied, "--variant", "learned", "--json")
    assert status == 1 and "no supported images" in json.loads(output)[0]["error"]
    status, output, errors = run("caption", pictures, "--checkpoints", tmp_path)
    assert status == 2 and output == "" and "There is no trained decoder" in errors
    status, _, errors = run("caption", pictures, "--checkpoints", copied, "--beam", 2, "--top", 3)
    assert status == 2 and "give a beam of 3" in errors


@pytest.mark.parametrize("name", ["gone.png", "broken.png"])
def test_wrong_files_are_reported_before_the_decoders_are_loaded(cli, pictures, monkeypatch, name):
    events = []
    monkeypatch.setattr("captioner.commands.choices.captioner", lambda *_: events.append("loaded"))
    monkeypatch.setattr("captioner.commands.caption.note", events.append)
    assert cli("caption", pictures / name)[0] == 1
    with pytest.raises(AttributeError):  # There is no decoder.
        cli("caption", pictures / name, pictures / "b.png")
    assert [name in event for event in events] == [True, True, False] and events[-1] == "loaded"


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_captions_are_written_to_a_file_and_resumed(run, pictures, copied, tmp_path):
    out, folder = tmp_path / "captions.jsonl", shutil.copytree(pictures, tmp_path / "pictures")
    command = ["caption", folder, "--checkpoints", copied, "--variant", "learned", "--out", out]
    status, output, _ = run(*command)
    whole, others = out.read_bytes(), read_lines(out)
    assert (status, output) == (1, "") and json.loads(run("caption", folder, *command[2:-2], "--json")[1]) == others
    assert [Path(entry["image"]).name for entry in others] == ["a.JPG", "b.png", "broken.png"]
    status, _, errors = run(*command)
    assert status == 2 and "add --skip-done" in errors and out.read_bytes() == whole
    out.write_bytes(whole[: whole.index(b"b.png") + 9])
    status, _, errors = run(*command, "--skip-done")
    entries = read_lines(out)
    assert status == 1 and "1 pictures are in" in errors and entries[0] == others[0] and entries[2] == others[2]
    (caption,), (other,) = (found[1].pop("captions")["learned"] for found in (entries, others))
    assert entries[1] == others[1] and caption["words"] == other["words"]
    assert caption["log_probability"] == pytest.approx(other["log_probability"])  # It came in another batch.
    shutil.copy(folder / "b.png", folder / "broken.png")
    status, _, errors = run(*command, "--skip-done")  # Only the picture that failed is captioned again.
    assert status == 0 and "2 pictures are in" in errors
    assert [("captions" in entry, Path(entry["image"]).name) for entry in read_lines(out)[2:]] == [
        (False, "broken.png"), (True, "broken.png"),
    ]  # fmt: skip


def test_a_file_of_other_captions_is_not_resumed(run, pictures, staged, tmp_path):
    out = tmp_path / "captions.jsonl"
    command = ["caption", pictures / "b.png", "--checkpoints", staged, "--out", out]
    assert run(*command)[0] == 0
    whole = out.read_bytes()
    for other in (["--stage", "first"], ["--variant", "learned"], ["--top", 2]):
        status, _, errors = run(*command, "--skip-done", *other)
        assert status == 2 and "give another name" in errors and out.read_bytes() == whole
    status, _, errors = run("caption", pictures / "b.png", "--checkpoints", staged, "--skip-done")
    assert status == 2 and "--out FILE" in errors


@pytest.fixture
def slotted(cli, tmp_path, monkeypatch):
    """The command line with decoders that have word slots, and a picture of a dog for them."""
    for name, checkpoint in slotted_checkpoints().items():
        save(tmp_path / "run" / name, checkpoint, {})
    monkeypatch.setattr("captioner.captioning.captioner.load_encoder", lambda *_, **__: Recogniser())
    monkeypatch.setattr("captioner.model.stage_folders.picture_size", lambda _: Recogniser.size)
    Image.new("RGB", (40, 40), COLOURS["dog"]).save(tmp_path / "dog.png")
    return lambda *more: cli("caption", tmp_path / "dog.png", "--checkpoints", tmp_path / "run", *more)


NOTE = "Learned has no vector for 'zebra' and captions without it."


def test_a_word_can_be_told(slotted):
    status, output, errors = slotted("--tell", "Zebra", "--json")
    (entry,) = json.loads(output)
    assert status == 0 and NOTE in errors and entry["notes"] == [NOTE] and entry["told"] == ["Zebra"]
    assert [word["word"] for word in entry["words_seen"]] == ["zebra", "dog"] and entry["words_seen"][0]["probability"] == 1
    assert "zebra" in entry["captions"]["word2vec"][0]["words"] and "zebra" not in entry["captions"]["learned"][0]["words"]
    (entry,) = json.loads(slotted("--tell", "", "--json")[1])
    assert entry["words_seen"] == entry["notes"] == [] and entry["told"] == [""]
    (entry,) = json.loads(slotted("--json", "--variant", "word2vec", "--tell", "zebra")[1])
    assert entry["notes"] == []
    status, output, errors = slotted("--tell", "a dog")
    assert status == 2 and not output and "holds one word" in errors


def test_captions_with_other_told_words_are_written_again(slotted, tmp_path):
    out = tmp_path / "captions.jsonl"
    command = ["--out", out, "--skip-done"]
    for told in ([], ["--tell", "zebra"], ["--tell", ""], ["--tell", "zebra"], []):
        assert slotted(*command, *told)[0] == 0
    assert [entry["told"] for entry in read_lines(out)] == [[], ["zebra"], [""]]
    older = [{key: value for key, value in entry.items() if key != "told"} for entry in read_lines(out)[:1]]
    out.write_text(json.dumps(older[0]) + "\n")
    assert slotted(*command)[0] == 0 and read_lines(out) == older, "Earlier versions did not write the told words."


@pytest.mark.slow
@pytest.mark.process
def test_a_killed_captioning_is_resumed(run, copied, tmp_path):
    """Killed in a later batch than the first, where it waits for a picture that does not come."""
    out, folder, names = tmp_path / "captions.jsonl", tmp_path / "pictures", [f"{number:03}.png" for number in range(MANY + 2)]
    folder.mkdir()
    for number, name in enumerate(names):
        Image.new("RGB", (60, 40), (number, 99, 255 - number)).save(folder / name)
    (folder / names[-1]).unlink()
    os.mkfifo(folder / names[-1])
    command = ["caption", folder, "--checkpoints", copied, "--variant", "learned", "--out", out]
    with subprocess.Popen([sys.executable, "-m", "captioner", *map(str, command)], cwd=ROOT, stderr=subprocess.DEVNULL) as killed:
        while not (out.exists() and out.stat().st_size) and killed.poll() is None:
            time.sleep(0.01)
        killed.kill()
    assert killed.returncode < 0
    (folder / names[-1]).unlink()
    shutil.copy(folder / names[0], folder / names[-1])
    status, _, errors = run(*command, "--skip-done")
    assert status == 0 and [Path(entry["image"]).name for entry in read_lines(out)] == names
    assert 0 < int(errors.split()[1]) < len(names)


def test_the_format_of_show_and_tell(run, pictures, copied, tmp_path):
    """Each picture has a heading and three captions below it, the most likely first; the probabilities equal those of JSON."""
    given = pictures / "b.png", pictures / "a.JPG"
    arguments = ["caption", *given, "--checkpoints", copied, "--variant", "learned"]
    status, output, _ = run(*arguments, "--format", "show-and-tell")
    blocks = [block.splitlines() for block in output.split("Captions for image ")[1:]]
    assert status == 0 and [block[0] for block in blocks] == ["b.png:", "a.JPG:"]
    assert run(*arguments, "--top", 3, "--out", tmp_path / "entries.jsonl")[0] == 0
    entries = read_lines(tmp_path / "entries.jsonl")
    for block, entry in zip(blocks, entries, strict=True):
        found = [LINE.fullmatch(line).groups() for line in block[1:]]
        captions = entry["captions"]["learned"]
        assert [number for number, _, _ in found] == ["0", "1", "2"] and len(captions) == 3
        for (_, text, probability), caption in zip(found, captions, strict=True):
            assert text == caption["text"] + " ." * (caption["end_log_probability"] is not None)
            assert float(probability) == pytest.approx(math.exp(caption["log_probability"]), abs=1e-6)
    status, output, _ = run(*arguments[:2], "--checkpoints", copied, "--format", "show-and-tell", "--top", 1)
    assert [line for line in output.splitlines() if line.startswith("Captions")] == [
        f"Captions for image b.png by {variant.title}:" for variant in VARIANTS.values()
    ]
    status, _, errors = run(*arguments, "--format", "show-and-tell", "--json")
    assert status == 2 and "--format show-and-tell is not JSON" in errors
    status, output, errors = run("caption", tmp_path / "gone.png", "--checkpoints", copied, "--format", "show-and-tell")
    assert status == 1 and not output and "gone.png" in errors


def test_the_probabilities_of_show_and_tell_have_six_digits(capsys):
    words = "a group of people sitting at tables in a room".split()
    caption = {"words": words, "log_probability": math.log(0.000306), "end_log_probability": -0.1}
    cut = {"words": ["a", "man"], "log_probability": math.log(0.25), "end_log_probability": None}
    FORMS["show-and-tell"]({"image": "in/room.jpg", "captions": {"learned": [caption, cut]}})
    assert capsys.readouterr().out == (
        "Captions for image room.jpg:\n0) a group of people sitting at tables in a room . (p=0.000306)\n1) a man (p=0.250000)\n"
    )


def test_the_decoders_of_a_stage_caption(run, pictures, staged, copied):
    found = {}
    for stage in ([], ["--stage", "first"], ["--stage", "reward"]):
        status, output, _ = run("caption", pictures / "b.png", "--checkpoints", staged, *stage, "--json")
        (entry,) = json.loads(output)
        assert status == 0
        found[" ".join(stage)] = entry["stage"], entry["captions"]["learned"][0]["log_probability"]
    assert found[""] == found["--stage reward"] and found[""][0] == "reward" and found["--stage first"][0] == "first"
    assert found[""][1] != found["--stage first"][1]
    status, output, errors = run("caption", pictures / "b.png", "--checkpoints", copied, "--stage", "reward")
    assert status == 2 and output == "" and "'reward'" in errors
    status, _, errors = run("caption", pictures / "b.png", "--stage", "third")
    assert status == 2 and "invalid choice: 'third'" in errors
