"""What evaluation stores beside the scores: against the parts called by hand, and read back as it was written."""

import json
import math
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from captioner.config import SearchConfig
from captioner.data.datasets import shapes
from captioner.errors import CheckpointError
from captioner.scoring import baselines
from captioner.scoring.caption_style import rare_recall, style_of
from captioner.scoring.comparison import (
    COMPARISON,
    CONSTANT,
    PEOPLE,
    Subject,
    compare,
    complete,
    fingerprint,
    load_comparison,
    save_comparison,
)
from captioner.scoring.evaluation import Evaluation, Subjects
from captioner.scoring.metrics import Scorer
from captioner.storage import read_json, write_json
from support.factories import comparison

DATA = shapes(40, 12, 12)
RECORDS, TRAINING = DATA.split("dev"), DATA.split("train")
SAID = {"learned": [record.captions[0] for record in RECORDS], "fasttext": ["a red circle"] * len(RECORDS)}


@pytest.fixture(scope="module")
def found():
    scorer = Scorer([record.captions for record in RECORDS])
    captions = {name: dict(zip([record.name for record in RECORDS], texts, strict=True)) for name, texts in SAID.items()}
    evaluation = Evaluation(SearchConfig(), captions, {name: scorer.score(texts) for name, texts in SAID.items()})
    return compare({"data": "shapes"}, evaluation, Subjects(RECORDS, None, scorer, {}), TRAINING), evaluation


def test_the_parts_are_those_called_by_hand(found):
    compared, evaluation = found
    sides = baselines.folds(RECORDS)
    assert compared.differences == evaluation.differences
    assert compared.yardsticks[PEOPLE] == baselines.people(sides)
    assert compared.against_fewer == {name: baselines.against_fewer(texts, sides) for name, texts in SAID.items()}
    constant = Scorer([record.captions for record in RECORDS]).score([baselines.constant_caption(TRAINING)] * len(RECORDS))
    assert compared.yardsticks[CONSTANT].metrics == constant.metrics


def test_the_wording_of_decoders_and_of_people(found):
    compared, _ = found
    known = {tuple(caption.split()) for record in TRAINING for caption in record.captions}
    assert list(compared.wording) == ["learned", "fasttext", PEOPLE]
    said, counts = compared.wording["fasttext"], Counter(" ".join(c for one in TRAINING for c in one.captions).split())
    rare = rare_recall(SAID["fasttext"], [record.captions for record in RECORDS], counts)
    assert said == replace(style_of(SAID["fasttext"], known), **rare) and said.distinct_captions == 1
    sets = [[record.captions[place] for record in RECORDS] for place in range(len(RECORDS[0].captions))]
    assert compared.wording[PEOPLE].mean_words == pytest.approx(np.mean([style_of(one).mean_words for one in sets]))
    left = [[[*record.captions[:place], *record.captions[place + 1 :]] for record in RECORDS] for place in range(len(sets))]
    shares = [rare_recall(one, others, counts)["rare"] for one, others in zip(sets, left, strict=True)]
    assert None not in shares and compared.wording[PEOPLE].rare == pytest.approx(np.mean(shares))


def test_an_older_file_lacks_what_was_not_measured_then(found, tmp_path):
    compared, _ = found
    of = Subject("shapes", 12, 3, 0.7, {"learned": "1f", "fasttext": "2f"})
    save_comparison(tmp_path, "dev", replace(compared, of=of))
    stored = read_json(tmp_path / COMPARISON)
    for held in stored["dev"]["wording"].values():
        for name in ("cut", "flawed", "rare", "rare_5_9", "rare_10_19", "rare_20_49"):
            del held[name]
    write_json(tmp_path / COMPARISON, stored)
    again = load_comparison(tmp_path, "dev").wording["learned"]
    assert again.repeating == compared.wording["learned"].repeating
    assert again.cut is again.flawed is again.rare is again.rare_5_9 is None


def test_it_is_read_back_as_it_was_written(found, tmp_path):
    compared, _ = found
    of = Subject("shapes", 12, 3, 0.7, {"learned": "1f", "fasttext": "2f"})
    for split in ("dev", "test"):
        save_comparison(tmp_path, split, replace(compared, of=of))
    for split in ("dev", "test"):
        again = load_comparison(tmp_path, split)
        assert again.of == of and vars(again) | {"of": 0} == vars(compared) | {"of": 0}


def test_no_caption_is_written_down(found, tmp_path, tiny_run):
    save_comparison(tmp_path, "dev", comparison(tiny_run))
    compared, _ = found
    of = comparison(tiny_run).of
    save_comparison(tmp_path, "test", replace(compared, of=of))
    text = (tmp_path / COMPARISON).read_text()
    assert not any(caption in text for record in (*RECORDS, *TRAINING) for caption in record.captions)


def test_without_other_captions_or_training_there_are_no_yardsticks(found):
    _, evaluation = found
    alone = tuple(type(record)(record.name, record.captions[:1], record.source) for record in RECORDS)
    compared = compare({}, evaluation, Subjects(alone, None, Scorer([record.captions for record in alone]), {}), ())
    assert compared.yardsticks == compared.against_fewer == {} and list(compared.wording) == ["learned", "fasttext"]
    assert compared.wording["learned"].copied is None


def test_it_is_bound_to_the_manifests(tiny_run, tmp_path):
    folder = shutil.copytree(tiny_run, tmp_path / "run")
    assert comparison(folder).of == comparison(tiny_run).of
    (folder / "learned" / "manifest.json").write_text("{}")
    assert comparison(folder).of != comparison(tiny_run).of
    assert fingerprint(folder / "learned") == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_it_takes_all_decoders_of_the_folder_and_two_or_more(tiny_run, tmp_path):
    folder = shutil.copytree(tiny_run, tmp_path / "run")
    assert complete(folder, ("learned", "word2vec", "fasttext")) and not complete(folder, ("learned", "word2vec"))
    for name in ("word2vec", "fasttext"):
        shutil.rmtree(folder / name)
    assert not complete(folder, ("learned",))


@pytest.mark.parametrize(
    "content", ["[]", '{"dev": {}}', '{"dev": 3}', '{"dev": {"data": 1, "images": 1, "beam": 1, "length_preference": 1, '
    '"decoders": {}, "differences": [{"first": "a", "second": "b", "metrics": {"cider": {"value": "x"}}}]}}', "no"]
)  # fmt: skip
def test_a_damaged_file_is_a_sentence(content, tmp_path):
    (tmp_path / COMPARISON).write_text(content)
    with pytest.raises(CheckpointError, match=COMPARISON):
        load_comparison(tmp_path, "dev")


def pair(second: str) -> dict:
    return {"first": "learned", "second": second, "metrics": {"cider": {"value": 0.1, "low": 0.0, "high": 0.2}}}


ROD = {"metrics": {"cider": 0.5}, "intervals": {}}
SAYS = {"mean_words": 9.0, "distinct_captions": 5, "different_words": 7, "repeating": 0.0, "copied": None}


@pytest.mark.parametrize(
    "change",
    [
        {"differences": [pair("transformer")]},
        {"differences": [pair("fasttext") | {"metrics": {"cider": {"value": math.nan, "low": 0.0, "high": 0.2}}}]},
        {"wording": {"learned": SAYS, "transformer": SAYS}},
        {"wording": {PEOPLE: SAYS}},
        {"wording": {"learned": SAYS | {"mean_words": None}, "fasttext": SAYS}},
        {"wording": {"learned": SAYS | {"copied": "0.1"}, "fasttext": SAYS}},
        {"yardsticks": {"the moon": ROD}},
        {"yardsticks": {PEOPLE: ROD | {"metrics": {"cider": math.inf}}}},
        {"yardsticks": {CONSTANT: ROD}},
        {"yardsticks": {PEOPLE: {"metrics": {"bleu1": 0.5}, "intervals": {}}}},
        {"against_fewer": {"transformer": ROD}},
        {"decoders": {"learned": "1f", "transformer": "2f"}},
    ],
    ids=str,
)
def test_a_file_whose_names_or_numbers_make_no_sense_is_a_sentence(tmp_path, change):
    whole = {
        **{"data": "shapes", "images": 12, "beam": 3, "length_preference": 0.7, "decoders": {"learned": "1f", "fasttext": "2f"}},
        **{"differences": [pair("fasttext")], "yardsticks": {PEOPLE: ROD}, "wording": {"learned": SAYS, "fasttext": SAYS}},
        **{"against_fewer": {"learned": ROD, "fasttext": ROD}},
    }
    write_json(tmp_path / COMPARISON, {"test": whole, "dev": whole | change})
    assert load_comparison(tmp_path, "test").differences["learned", "fasttext"]["cider"].value == 0.1
    with pytest.raises(CheckpointError, match="comparison.json, dev"):
        load_comparison(tmp_path, "dev")


def test_what_was_never_compared_is_none(tmp_path):
    assert load_comparison(tmp_path, "dev") is None
    (tmp_path / COMPARISON).write_text(json.dumps({"test": {}}))
    assert load_comparison(tmp_path, "dev") is None
