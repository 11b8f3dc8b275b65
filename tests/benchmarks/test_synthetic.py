"""Synthetic data against what it stands for: a cache that the cache itself opens, and a COCO folder read by hand."""

import json
import os

import numpy as np
import pytest

from captioner.data.datasets import load
from captioner.errors import DatasetError, FeatureError
from captioner.vision.feature_cache import FeatureCache
from captioner.vocabulary import tokenize
from support import synthetic
from support.synthetic import VIEW_NAMES, SilentEncoder, records, write_cache, write_coco


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coco")
    write_coco(folder, 300, 40)
    return folder


def test_a_synthetic_cache_is_a_cache(tmp_path, monkeypatch):
    encoder = SilentEncoder(3, 3, 6)
    monkeypatch.setattr(synthetic, "SHARD_ROWS", 7)
    write_cache(tmp_path, 10, encoder)
    cache, pictures = FeatureCache(tmp_path, encoder), records(10)
    assert len(cache) == 10 * len(VIEW_NAMES) and cache.fill(pictures, VIEW_NAMES) == {}
    assert cache.rows(pictures).shape == (10, 9, 6) and not cache.rows(pictures).any()
    assert encoder.photograph_bytes == len(VIEW_NAMES) * cache.row_bytes


def test_it_takes_no_room(tmp_path):
    encoder = SilentEncoder()
    write_cache(tmp_path, 300, encoder)
    files = list(tmp_path.rglob("*.npy"))
    assert sum(path.stat().st_size for path in files) > 300 * encoder.photograph_bytes
    assert sum(path.stat().st_blocks * 512 for path in files) < 10**6
    with (tmp_path / "full.npy").open("wb") as file:
        file.write(os.urandom(10**6))
        os.fsync(file.fileno())
    with pytest.raises(FeatureError, match="stores zeros in full, .* TMPDIR"):
        synthetic._check_sparse(tmp_path / "full.npy")


def test_captions_are_alike_in_length_and_differ_in_how_often_their_words_occur():
    words = [tokenize(caption) for record in records(500) for caption in record.captions]
    assert {len(caption) for caption in words} == {8, 9, 10, 11}
    counts = sorted(np.unique([word for caption in words for word in caption], return_counts=True)[1])
    assert counts[-1] > 50 * np.median(counts) and [record.captions for record in records(2)] == [
        record.captions for record in records(3)[:2]
    ]


def test_a_coco_folder_says_what_json_says(coco):
    """Read by the standard library alone, photograph by photograph."""
    dataset = load(coco)
    said = {}
    for path in (coco / "annotations").glob("*.json"):
        content = json.loads(path.read_text())
        names = {image["id"]: image["file_name"] for image in content["images"]}
        assert len(names) == len(content["images"])
        for annotation in content["annotations"]:
            said.setdefault(names[annotation["image_id"]], []).append(annotation["caption"])
    found = {record.name: list(record.captions) for split in dataset.splits.values() for record in split}
    assert found == said and len(said) == 340 and {len(captions) for captions in said.values()} == {5}
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 300, "dev": 20, "test": 20}
    assert dataset.notes == ()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda text: text[: len(text) // 2], "captions_train2017.json, line 1: not JSON"),
        (lambda text: text.replace('"caption"', '"said"', 1), "captions_train2017.json is not a COCO captions file: .*'caption'"),
        (lambda text: "[" * 200_000, "captions_train2017.json is not a COCO captions file"),
    ],
)
def test_damage_is_told_in_a_sentence(coco, damage, sentence):
    path = coco / "annotations" / "captions_train2017.json"
    text = path.read_text()
    try:
        path.write_text(damage(text))
        with pytest.raises(DatasetError, match=sentence):
            load(coco)
    finally:
        path.write_text(text)
