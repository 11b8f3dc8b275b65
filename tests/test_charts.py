"""Histories from disk to figure and table, against values written by hand."""

import json
import math

import pytest

from captioner.charts import History, loss_curves, loss_rows, loss_table, read_histories, read_history, summary
from captioner.config import VARIANTS
from captioner.errors import CheckpointError

LOSSES = {"learned": [(4.0, 3.5), (3.0, 3.0), (2.5, 3.1)], "word2vec": [(4.2, 3.6), (3.2, 3.2)], "fasttext": [(4.1, 3.4)]}


def history(name: str) -> dict:
    epochs = [
        {"epoch": number, "train_loss": train, "dev_loss": dev, "seconds": 10.0 * number, "learning_rate": 0.001}
        for number, (train, dev) in enumerate(LOSSES[name], 1)
    ]
    best = min(epochs, key=lambda epoch: epoch["dev_loss"])["epoch"]
    return {"variant": name, "seed": 1, "state": "finished", "epochs": epochs, "best_epoch": best}


def write(folder, name, data):
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "history.json").write_text(data if isinstance(data, str) else json.dumps(data))


@pytest.fixture
def folder(tmp_path):
    for name in LOSSES:
        write(tmp_path, name, history(name))
    return tmp_path


@pytest.fixture
def histories(folder) -> list[History]:
    found, problems = read_histories(folder)
    assert not problems
    return found


def test_histories_come_in_the_order_of_the_variants(histories):
    assert [found.variant.name for found in histories] == list(VARIANTS)
    assert histories[0].best_epoch == 2 and histories[0].best.dev_loss == 3.0
    assert histories[0].seconds_per_epoch == 20.0


def test_a_missing_history_is_told_and_the_others_are_read(folder):
    (folder / "word2vec" / "history.json").unlink()
    found, problems = read_histories(folder)
    assert [one.variant.name for one in found] == ["learned", "fasttext"]
    assert "Word2Vec has no curve yet" in str(problems[0]) and len(problems) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": []},
        {"epochs": [{"epoch": 1}]},
        {"epochs": "none"},
        {"epochs": [{"epoch": 1, "train_loss": math.nan, "dev_loss": 3.0, "seconds": 1.0}]},
        {"epochs": [{"epoch": 1, "train_loss": None, "dev_loss": 3.0, "seconds": 1.0}]},
        {"best_epoch": 9},
        {"best_epoch": None},
        {"state": "asleep"},
    ],
    ids=str,
)
def test_a_partial_history_is_a_sentence(folder, change):
    write(folder, "learned", history("learned") | change)
    with pytest.raises(CheckpointError, match="history.json of Learned is not complete"):
        read_history(folder / "learned" / "history.json")


@pytest.mark.parametrize("text", ["[1, 2]", "null", "7"])
def test_json_that_is_no_history_is_a_sentence(folder, text):
    write(folder, "fasttext", text)
    with pytest.raises(CheckpointError, match="history.json of FastText is not complete"):
        read_history(folder / "fasttext" / "history.json")


def test_half_a_file_is_a_sentence(folder):
    write(folder, "fasttext", '{"variant": "fasttext", "epo')
    with pytest.raises(CheckpointError, match="not readable JSON"):
        read_history(folder / "fasttext" / "history.json")


def test_rows_hold_every_loss_once_and_the_best_epoch(histories):
    rows = loss_rows(histories)
    assert len(rows) == 2 * sum(map(len, LOSSES.values()))
    learned = rows[(rows.decoder == "Learned") & (rows.split == "dev")]
    assert learned.loss.tolist() == [3.5, 3.0, 3.1] and learned.best.tolist() == [False, True, False]


def test_the_table_has_an_epoch_per_row_and_gaps_where_training_was_shorter(histories):
    table = loss_table(histories)
    assert table.index.tolist() == [1, 2, 3] and table.index.name == "epoch"
    assert table["Word2Vec, dev"].tolist()[:2] == [3.6, 3.2] and math.isnan(table["Word2Vec, dev"][3])
    assert list(table)[:2] == ["Learned, training", "Learned, dev"]


def test_the_chart_gives_each_decoder_its_colour_and_dash(histories):
    layers = loss_curves(histories).to_dict()["layer"]
    colour, dash = layers[0]["encoding"]["color"]["scale"], layers[0]["encoding"]["strokeDash"]["scale"]
    assert colour["domain"] == dash["domain"] == ["Learned", "Word2Vec", "FastText"]
    assert colour["range"] == [variant.colour for variant in VARIANTS.values()]
    assert dash["range"] == [list(variant.dash) for variant in VARIANTS.values()]


def test_dev_is_drawn_stronger_than_training_and_the_best_epoch_as_a_dot(histories):
    training, dev, best, hover = loss_curves(histories).to_dict()["layer"]
    assert training["mark"]["strokeWidth"] < dev["mark"]["strokeWidth"] and training["mark"]["opacity"] < 1
    assert best["mark"]["type"] == "point" and "datum.best" in best["transform"][0]["filter"]
    told = [item["field"] for item in hover["encoding"]["tooltip"]]
    assert told == ["epoch", *(f"{variant.title}, {split}" for variant in VARIANTS.values() for split in ("training", "dev"))]


def test_the_curves_can_start_later(histories):
    data = loss_curves(histories, first_epoch=2).to_dict()["datasets"]
    assert {row["epoch"] for rows in data.values() for row in rows} == {2, 3}


def test_one_history_alone_can_be_drawn(histories):
    assert loss_curves(histories[:1]).to_dict()["layer"]


def test_the_summary_says_what_the_chart_shows(histories):
    assert "Learned: dev loss from 3.50 to its best, 3.00, in epoch 2 of 3." in summary(histories)
