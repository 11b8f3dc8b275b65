"""Model cards of folders written here: every figure read by other means, and nothing claimed that is not recorded."""

import hashlib
import importlib.metadata
import json
import math
import re
import shutil

import pytest
from safetensors.numpy import load as load_tensors

from captioner.__main__ import main
from captioner.config import ADAPTED, FIRST, LITE2, REWARD, SHIPPED, VARIANTS
from captioner.errors import CheckpointError
from captioner.figures.limits import LIMITS
from captioner.model.checkpoints import EncoderMark, load_all, save
from captioner.model.stage_folders import stages_in
from captioner.reports import model_card
from captioner.reports.model_card import CARD, TEXT, licence_of, markdown, read_card
from captioner.reports.readme import README
from captioner.vision.keras_networks import ENCODERS
from support.factories import write_scores
from support.fakes import MARK, small_checkpoint

DATA = {
    "name": "flickr8k",
    "photographs": {"train": 6000, "dev": 1000},
    "captions": {"train": 30000, "dev": 4998},
    "left_out": 2,
    "captions_sha256": "c" * 64,
    "pictures_sha256": "b" * 64,
    "files": [{"role": "corpus", "name": "more.txt", "bytes": 1234, "sha256": "f" * 64}],
}
CODE = [{"source": "a" * 64, "commit": "0123456789abcdef0123", "changed": True}, {"source": "d" * 64}]


def epoch(number, **more):
    return {"epoch": number, "train_loss": 3.0, "dev_loss": 2.5, "seconds": 90.5, "learning_rate": 0.001, "cores": 2} | more


def history(variant, **more):
    epochs = [epoch(1), epoch(2, dev_loss=2.25), epoch(3)]
    own = {"variant": variant, "seed": 3, "state": "finished", "epochs": epochs, "earlier": 0, "best_epoch": 2}
    return own | {"made_with": f"mark of {variant}"} | more


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Three decoders of today's version, scored on dev and on test."""
    folder = tmp_path_factory.mktemp("written") / "run"
    for name in VARIANTS:
        save(folder / name, small_checkpoint(name), history(name, data=DATA, code=CODE))
    for split, change in (("dev", 0.01), ("test", 0.0)):
        write_scores(folder, split, {name: 0.5 + change + number / 8 for number, name in enumerate(VARIANTS)})
    return folder


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "run")


def rewrite(folder, name, **changes):
    """Change a decoder's history; None takes an entry away."""
    path = folder / name / "history.json"
    stored = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in stored.items() if value is not None}))


def rows(text, title):
    """The cells of the table under a heading, as a reader of the text finds them."""
    section = text.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def values(text, title):
    return {row[0]: row[1] for row in rows(text, title)}


def test_the_card_says_what_the_files_say(folder):
    card = read_card(folder)
    assert (card["stage"], list(card["decoders"])) == (FIRST, list(VARIANTS))
    for name, told in card["decoders"].items():
        files = {file: (folder / name / file).read_bytes() for file in ("manifest.json", "config.json", "scores.json")}
        config, scores = json.loads(files["config.json"]), json.loads(files["scores.json"])
        assert told["manifest_sha256"] == hashlib.sha256(files["manifest.json"]).hexdigest()
        assert (told["seed"], told["preset"], told["vocabulary"]) == (config["seed"], config["preset"], config["vocabulary"])
        assert told["words"] == len(json.loads((folder / name / "vocabulary.json").read_bytes())) - 4
        assert told["vectors"] == json.loads((folder / name / "table.json").read_bytes())["source"]
        assert told["scores"] == scores and list(told["scores"]) == ["test", "dev"]
        counted = [sum(math.prod(tensor.shape) for tensor in load_tensors((folder / name / file).read_bytes()).values())
                   for file in ("decoder.safetensors", "table.safetensors")]  # fmt: skip
        trained = counted if VARIANTS[name].frozen else [sum(counted), 0]
        assert [told["parameters"][part] for part in ("trainable", "frozen")] == trained
        assert (told["data"], told["code"], told["made_with"]) == (DATA, CODE, f"mark of {name}")
        assert told["training"] == {"epochs": 3, "earlier": 0, "best_epoch": 2, "dev_loss": 2.25, "dev_cider": None,
                                    "seconds": 3 * 90.5, "cores": 2}  # fmt: skip
    assert card == json.loads(json.dumps(card))


def test_the_text_says_what_the_card_says(folder):
    text = markdown(read_card(folder))
    head, *scored = rows(text, "Scores")
    assert head[3] == "CIDEr" and [row[:3] for row in scored[:1]] == [["1,000 of flickr8k, test", "Learned", "3, 0.7"]]
    for row in scored:
        split, name = row[0].rpartition(", ")[2], next(name for name in VARIANTS if VARIANTS[name].title == row[1])
        stored = json.loads((folder / name / "scores.json").read_text())[split]
        told = [float(number) for number in re.findall(r"\d\.\d+", row[3])]
        assert told == pytest.approx([stored["metrics"]["cider"], *stored["intervals"]["cider"]], abs=5e-4)
    assert len(scored) == 6
    data = values(text, "Data")
    assert data["Data set"] == "flickr8k" and data["Captions"] == "train 30,000, dev 4,998"
    assert data["sha256 of names and captions"] == f"`{'c' * 64}`" and data["sha256 of names and pictures"] == f"`{'b' * 64}`"
    assert data["Files of text and word vectors"] == f"corpus more.txt, 1,234 bytes, sha256 `{'f' * 64}`"
    assert data["Fingerprint of settings, data, extra text and encoder"].startswith("Learned: `mark of learned`; Word2Vec: ")
    code = values(text, "Code")["Trained with"]
    assert code.startswith("commit `0123456789ab` with later changes; source files sha256 `aaa")
    assert ", resumed with commit unknown; source files sha256 `ddd" in code
    training = values(text, "Training and seeds")
    assert (training["Seed"], training["Epochs"], training["Started from"]) == ("3", "3", "nothing")
    assert training["Best epoch"] == "2, dev loss 2.250" and training["Minutes, cores"] == "4.5, 2"
    settings = values(text, "Settings")
    assert settings["Memory (LSTM units)"] == "8" and "Otherwise than usual" not in settings


def test_a_further_data_set_has_its_scores(folder):
    for name in VARIANTS:
        stored = json.loads((folder / name / "scores.json").read_text())
        wide = stored["test"] | {"data": "wide", "images": 120}
        (folder / name / "scores.json").write_text(json.dumps(stored | {"wide test": wide, "labelled": {"named": 0.5}}))
    card = read_card(folder)
    assert list(card["decoders"]["learned"]["scores"]) == ["test", "wide test", "dev"]
    _, *scored = rows(markdown(card), "Scores")
    assert [row[0] for row in scored[::3]] == ["1,000 of flickr8k, test", "120 of wide, test", "1,000 of flickr8k, dev"]


def test_the_switches_of_older_recipes_are_told(tmp_path):
    for name in VARIANTS:
        older = {"image_entry": "merge", "pooling": "blocks", "activation": "relu", "dropout_at": "words", "layers": 2}
        save(tmp_path / name, small_checkpoint(name, **older), history(name))
    found = values(markdown(read_card(tmp_path)), "Settings")
    assert found["Memory (LSTM units)"] == "8 in each of 2 layers"
    for part in ("9 blocks of the photograph", "ReLU in place of tanh", "dropout of the words’ vectors"):
        assert part in found["Otherwise than usual"]


def test_nothing_is_chosen_on_dev_where_dev_was_trained_on(folder):
    assert "Settings are chosen on dev; test is only reported." in markdown(read_card(folder))
    for name in VARIANTS:
        rewrite(folder, name, data=DATA | {"name": "flickr8k-7000-1000", "photographs": {"train": 7000, "dev": 1000}})
    text = markdown(read_card(folder))
    assert "Dev was part of training" in text and "chosen on dev" not in text
    assert "trained on 7,000 photographs of the data set flickr8k-7000-1000" in text


def test_a_folder_of_an_earlier_version_claims_nothing(folder):
    for name in VARIANTS:
        rewrite(folder, name, data=None, code=None, made_with=None, epochs=[epoch(1), epoch(2), {**epoch(3), "cores": None}])
        (folder / name / "scores.json").unlink()
    card = read_card(folder)
    for told in card["decoders"].values():
        assert (told["data"], told["code"], told["made_with"], told["scores"]) == (None, [None], None, {})
    text = markdown(card)
    assert "Not scored yet" in text
    assert values(text, "Data") == dict.fromkeys(
        ("what", "Data set", "Fingerprint of settings, data, extra text and encoder"), "not recorded"
    ) | {"what": "value"}
    assert values(text, "Code")["Trained with"] == "not recorded"
    assert "an unrecorded data set" in card["limits"][0]


def test_a_run_that_started_from_another_tells_of_both(folder):
    start = {"seed": 7, "stage": FIRST, "made_with": "the first", "data": DATA, "code": CODE[1:]}
    for name in VARIANTS:
        more = epoch(4, stage=REWARD, dev_cider=0.5, reward=0.6)
        rewrite(folder, name, epochs=[epoch(1), epoch(2), epoch(3), more], earlier=3, best_epoch=4, started_from=start)
    text = markdown(read_card(folder))
    training = values(text, "Training and seeds")
    assert training["Started from"] == "a run with seed 7, fingerprint `the first`"
    assert training["Epochs"] == "4, 3 of them in the run it started from" and training["Minutes, cores"] == "1.5, 2"
    assert training["Best epoch"] == "4, dev loss 2.500, greedy dev CIDEr 0.500"
    assert values(text, "Code")["The run it started from"].startswith("commit unknown")
    rewrite(folder, "learned", started_from=None)
    told = values(markdown(read_card(folder)), "Training and seeds")["Started from"]
    assert told.startswith("Learned: another run (not recorded which); Word2Vec: a run with seed 7")


def test_nothing_out_of_a_file_is_more_than_text(folder):
    for name in VARIANTS:
        rewrite(folder, name, data=DATA | {"name": "<b>|`x`\n## Limits [a](b)"})
    text = markdown(read_card(folder))
    assert values(text, "Data")["Data set"] == "&lt;b&gt;&#124;&#96;x&#96; ## Limits &#91;a&#93;(b)"
    assert "<b>" not in text and "[a]" not in text and text.count("\n## Limits") == 1


def put(folder, **entries):
    rewrite(folder, "learned", **entries)


def score(folder, text):
    (folder / "learned" / "scores.json").write_text(text)


def replace_decoder(folder):
    """By one that was trained on another encoder."""
    other = EncoderMark("vgg16", "another", 3, 3, 6)
    save(folder / "learned", small_checkpoint("learned", mark=other), history("learned"))


DAMAGES = {
    "a weight file of other bytes": lambda folder: (folder / "learned" / "decoder.safetensors").write_bytes(b"other"),
    "settings that are gone": lambda folder: (folder / "fasttext" / "config.json").unlink(),
    "no history": lambda folder: (folder / "learned" / "history.json").unlink(),
    "a history that is no JSON": lambda folder: (folder / "learned" / "history.json").write_text("{"),
    "a history without epochs": lambda folder: put(folder, epochs=[]),
    "cores that are a list": lambda folder: put(folder, epochs=[epoch(1), epoch(2, cores=[]), epoch(3)]),
    "a CIDEr that is a text": lambda folder: put(folder, epochs=[epoch(1), epoch(2, dev_cider="high"), epoch(3)]),
    "a mark that is a number": lambda folder: put(folder, made_with=7),
    "data that is a list": lambda folder: put(folder, data=[]),
    "data with more to it": lambda folder: put(folder, data=DATA | {"more": 1}),
    "a hash that is a number": lambda folder: put(folder, data=DATA | {"captions_sha256": 7}),
    "code that is a text": lambda folder: put(folder, code="main"),
    "a start without a seed": lambda folder: put(folder, started_from={"stage": FIRST}),
    "a start that is a list": lambda folder: put(folder, started_from=[1]),
    "scores that are a list": lambda folder: score(folder, "[]"),
    "scores that are no numbers": lambda folder: score(folder, '{"dev": {"metrics": {"cider": "x"}}}'),
    "two runs in one folder": replace_decoder,
    "no decoders": shutil.rmtree,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_folder_is_a_sentence(folder, capsys, damage):
    damage(folder)
    with pytest.raises(CheckpointError):
        read_card(folder)
    assert main(["card", "--checkpoints", str(folder), "--write"]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("triptych: ") and told.err.count("\n") == 1 and told.err.endswith(".\n")
    assert not (folder / CARD).exists()


def test_the_command_prints_and_on_request_writes(folder, capsys):
    whole = load_all(folder)
    assert main(["card", "--checkpoints", str(folder)]) == 0
    printed = capsys.readouterr()
    assert printed.out == markdown(read_card(folder)) and printed.err == "" and not (folder / TEXT).exists()
    assert main(["card", "--checkpoints", str(folder), "--json", "--write"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == json.loads((folder / CARD).read_text()) == read_card(folder)
    assert (folder / TEXT).read_text(encoding="utf-8") == markdown(read_card(folder)) and "card.md" in printed.err
    assert list(load_all(folder)) == list(whole)  # A card is no damage.


def test_decoders_that_others_are_held_against_have_a_card_too(folder):
    save(folder / "random", small_checkpoint("random"), history("random"))
    text = markdown(read_card(folder))
    assert text.startswith("# Model card: Learned, Word2Vec, FastText and Random\n")


def test_the_licence_is_the_one_in_the_installed_package():
    installed = importlib.metadata.distribution(model_card.PACKAGE)
    text = next(file for file in installed.files if file.name == "LICENSE").read_text()
    told = licence_of(LITE2)
    assert text.startswith("Apache Software License 2.0") and told.name == "Apache-2.0"
    assert f"Copyright (c) 2020, {model_card.OWNER}" in text and f"copyright 2020 {model_card.OWNER}" in told.source
    assert installed.version == model_card.VERSION and f"{model_card.PACKAGE} {model_card.VERSION}" in told.source
    adapted = licence_of(ADAPTED)
    assert adapted.name == told.name and adapted.source.startswith(told.source) and "modified" in adapted.source
    assert all(licence_of(name).name is None for name in ENCODERS if name not in (LITE2, ADAPTED))
    assert f"`{model_card.PACKAGE}` ({told.name})" in README.read_text(encoding="utf-8")


def test_no_licence_is_made_up(folder):
    """Nor where the weights come from: that of a network of Keras is not put down, and a file may have been named."""
    for name in VARIANTS:
        save(folder / name, small_checkpoint(name, mark=MARK), history(name))
    card = read_card(folder)
    text = markdown(card)
    assert card["encoder"]["licence"]["name"] is None and "vgg16: unknown. The weights come from Keras or from" in text
    assert "fetches" not in text


@pytest.mark.parametrize("stage", stages_in(SHIPPED))
def test_the_cards_that_ship_say_what_the_files_say(stage):
    card = read_card(SHIPPED / stage)
    again = f"run python -m captioner card --stage {stage} --write"
    assert (SHIPPED / stage / CARD).is_file() and json.loads((SHIPPED / stage / CARD).read_text()) == card, again
    assert (SHIPPED / stage / TEXT).read_text(encoding="utf-8") == markdown(card), again
    assert card["encoder"]["adapted"]["data"] == "flickr8k" and tuple(card["limits"]) == LIMITS
