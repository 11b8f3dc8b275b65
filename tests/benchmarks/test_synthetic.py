"""Synthetic data against what it stands for: a cache that the cache itself opens, and a COCO folder read by hand."""

import json
import os

import numpy as np
import pytest

from captioner.data.datasets import load
from captioner.errors import FeatureError
from captioner.model.packing import STEP_BUCKET
from captioner.vision.feature_cache import FeatureCache
from captioner.vocabulary import tokenize
from support import synthetic
from support.synthetic import VIEW_NAMES, SilentEncoder, records, write_cache, write_coco


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


def test_captions_fill_one_bucket_of_steps_and_a_few_of_their_words_are_frequent():
    words = [tokenize(caption) for record in records(500) for caption in record.captions]
    assert len({-(-(len(caption) + 1) // STEP_BUCKET) for caption in words}) == 1  # With the end: training needs one loop.
    assert {len(caption) for caption in words} == {8, 9, 10, 11}
    counts = sorted(np.unique([word for caption in words for word in caption], return_counts=True)[1])
    assert counts[-1] > 50 * np.median(counts) and [record.captions for record in records(2)] == [
        record.captions for record in records(3)[:2]
    ]


def test_a_coco_folder_says_what_json_says(tmp_path):
    write_coco(tmp_path, 30, 4)
    dataset, said = load(tmp_path), {}
    for path in (tmp_path / "annotations").glob("*.json"):
        content = json.loads(path.read_text())
        names = {image["id"]: image["file_name"] for image in content["images"]}
        for annotation in content["annotations"]:
            said.setdefault(names[annotation["image_id"]], []).append(annotation["caption"])
    found = {record.name: list(record.captions) for split in dataset.splits.values() for record in split}
    assert found == said and len(said) == 34 and {len(captions) for captions in said.values()} == {5}
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 30, "dev": 2, "test": 2}
