"""The feature cache against the encoder itself; damaged files, interruptions and several writers."""

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from captioner.data.datasets import Record
from captioner.data.images import read, resize
from captioner.errors import FeatureError, ImageError
from captioner.vision import feature_cache
from captioner.vision.encoder import Seen
from captioner.vision.feature_cache import VIEWS, FeatureCache, View, default_folder
from support.fakes import StubEncoder


def write_picture(path, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return Record(path.name, ("a picture",), path)


@pytest.fixture
def records(tmp_path):
    return [write_picture(tmp_path / f"{number}.png", number) for number in range(9)]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(feature_cache, "SHARD_ROWS", 4)
    monkeypatch.setattr(feature_cache, "_BATCH", 2)


def direct(record, view=lambda picture: picture):
    encoder = StubEncoder()
    return encoder.encode(view(resize(read(record.read()), encoder.size))[None])[0]


def leftovers(cache):
    return [path.name for path in cache.folder.iterdir() if path.suffix == ".part" or path.name.startswith(".")]


def test_rows_are_the_features_of_the_encoder(folder, records):
    """A second cache in the same folder encodes only what is missing."""
    first, second = (FeatureCache(folder, StubEncoder()) for _ in range(2))
    assert first.fill(records) == {} and len(first) == 9
    second.reload()
    assert second.fill(records) == {} and (first.encoder.pictures, second.encoder.pictures) == (9, 0)
    for cache in (first, second):
        rows = cache.rows(records[::-1])
        assert rows.shape == (9, 9, 6) and rows.dtype == np.float16
        np.testing.assert_allclose(rows, [direct(record) for record in records[::-1]], atol=1e-3)
    second.fill(records[:2], ["whole", "mirrored"])
    assert second.encoder.pictures == 2


class Classifying(StubEncoder):
    """Three classes, whose probabilities are made of the mean colours."""

    class_count = 3

    def see(self, pictures):
        features = self.encode(pictures)
        classes = features.mean(axis=1)[:, :3]
        return Seen(features, classes, classes / 2)


def test_the_classes_of_a_network_with_a_classifier_are_kept_beside_the_features(folder, records):
    """Shards of an earlier version, without them, are computed again."""
    FeatureCache(folder, StubEncoder()).fill(records)
    cache = FeatureCache(folder, Classifying())
    assert len(cache) == 0 and cache.fill(records, ["whole", "mirrored"]) == {} and len(cache) == 18
    again = FeatureCache(folder, Classifying())
    seen = again.seen(records[::-1], ["whole"] * 9)
    features = np.array([direct(record) for record in records[::-1]])
    np.testing.assert_allclose(seen.features, features, atol=1e-3)
    np.testing.assert_allclose(seen.classes, features.mean(axis=1)[:, :3], atol=1e-3)
    np.testing.assert_allclose(seen.regional, features.mean(axis=1)[:, :3] / 2, atol=1e-3)
    assert FeatureCache(folder, StubEncoder()).seen(records).classes is None


def test_views(folder, records):
    cache = FeatureCache(folder, StubEncoder())
    cache.fill(records[:1], list(VIEWS))
    mirrored = cache.rows(records[:1], ["mirrored"])[0]
    np.testing.assert_allclose(mirrored, direct(records[0], lambda picture: picture[:, ::-1]), atol=1e-3)
    assert len({cache.rows(records[:1], [name]).tobytes() for name in VIEWS}) == len(VIEWS)


def test_a_crop_shows_its_part_only():
    picture = np.zeros((20, 10, 3), np.uint8)
    picture[:10, 5:] = (200, 100, 50)  # the upper right quarter
    assert (View((0.5, 0.0, 1.0, 0.5)).apply(picture, 8) == (200, 100, 50)).all()
    assert not View((0.0, 0.0, 0.5, 1.0)).apply(picture, 8).any()
    mirrored = View((0.0, 0.0, 1.0, 0.5), mirrored=True).apply(picture, 10)
    assert (mirrored[:, :5] == (200, 100, 50)).all() and not mirrored[:, 5:].any()
    assert VIEWS["top-left"].apply(picture[:1, :1], 4).shape == (4, 4, 3)


def test_an_interruption_loses_only_the_shard_in_progress(folder, records):
    class Interrupted(StubEncoder):
        def encode(self, pictures):
            if self.pictures == 6:
                raise KeyboardInterrupt
            return super().encode(pictures)

    cache = FeatureCache(folder, Interrupted())
    with pytest.raises(KeyboardInterrupt):
        cache.fill(records)
    assert leftovers(cache) == []
    encoder = StubEncoder()
    cache = FeatureCache(folder, encoder)
    assert len(cache) == 4
    cache.fill(records)
    assert encoder.pictures == 5 and len(cache) == 9


def test_an_interruption_while_writing_leaves_no_file(folder, records, monkeypatch):
    def stop(descriptor):
        raise KeyboardInterrupt

    cache = FeatureCache(folder, StubEncoder())
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(feature_cache.os, "fsync", stop)
        cache.fill(records)
    assert list(cache.folder.iterdir()) == []


def test_parts_of_killed_processes_are_removed(folder, records):
    cache = FeatureCache(folder, StubEncoder())
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    host = feature_cache._HOST
    writers = (f"{host}.{killed.pid}", f"{host}.{os.getpid()}", f"elsewhere.{killed.pid}", "no-number")
    parts = [cache.folder / f".shard.npy.{writer}.part" for writer in writers]
    for part in parts:
        part.write_bytes(b"half")
    cache = FeatureCache(folder, StubEncoder())
    assert [part.exists() for part in parts] == [False, True, True, True]
    cache.fill(records)
    assert len(cache) == 9


def test_two_writers_of_one_folder(folder, records):
    one, other = (FeatureCache(folder, StubEncoder()) for _ in range(2))
    one.fill(records[0::2])
    other.fill(records[1::2])
    assert not one.has(records[1])
    one.reload()
    one.reload()
    assert len(one) == 9 and one.encoder.pictures == 5
    assert one.fill(records) == {} and one.encoder.pictures == 5
    np.testing.assert_array_equal(one.rows(records), FeatureCache(folder, StubEncoder()).rows(records))


def test_duplicates_of_two_writers_are_resolved_alike(folder, records):
    class Rounding(StubEncoder):
        def encode(self, pictures):
            return super().encode(pictures) + 1

    caches = [FeatureCache(folder, encoder) for encoder in (StubEncoder(), Rounding())]
    for cache, part in zip(caches, (records[:2], records[1:4]), strict=True):
        cache.fill(part)
        cache.reload()
    caches[0].reload()
    for cache in caches:
        np.testing.assert_array_equal(cache.rows(records[:4]), FeatureCache(folder, StubEncoder()).rows(records[:4]))


def shorten(path):
    path.write_bytes(path.read_bytes()[:-7])


def zip_archive(path):
    np.savez(path.with_suffix(".npz"), np.zeros(3))
    path.with_suffix(".npz").rename(path)


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        (".npy", shorten),
        (".npy", lambda path: path.write_bytes(b"")),
        (".npy", lambda path: path.write_bytes(b"\x93NUMPY\x01\x00\x20\x00" + b"(" * 32)),
        (".npy", lambda path: np.save(path, np.zeros((4, 9, 5), np.float16))),
        (".npy", lambda path: np.save(path, np.zeros((4, 9, 6), np.float32))),
        (".npy", lambda path: np.save(path, np.array([{}]), allow_pickle=True)),
        (".npy", zip_archive),
        (".npy", lambda path: path.unlink()),
        (".json", shorten),
        (".json", lambda path: path.write_bytes(b"[" * 100_000)),
        (".json", lambda path: path.write_text("4")),
        (".json", lambda path: path.write_text("[[], [], [], []]")),
        (".json", lambda path: path.write_text('{"a": 1, "b": 2, "c": 3, "d": 4}')),
        (".json", lambda path: path.write_text('["one key too few"]')),
    ],
)
def test_a_damaged_shard_is_computed_again(folder, records, suffix, damage):
    cache = FeatureCache(folder, StubEncoder())
    cache.fill(records[:4])
    damage(next(cache.folder.glob("*" + suffix)))
    encoder = StubEncoder()
    cache = FeatureCache(folder, encoder)
    assert len(cache) == 0
    cache.fill(records[:4])
    assert encoder.pictures == 4
    np.testing.assert_allclose(FeatureCache(folder, StubEncoder()).rows(records[:4]), [direct(r) for r in records[:4]], atol=1e-3)


def test_unreadable_pictures_are_named(folder, records, tmp_path):
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "copy.jpg").write_text("not a picture")
    bad = [Record(name, (), tmp_path / name) for name in ("text.jpg", "copy.jpg", "gone.jpg")]
    cache = FeatureCache(folder, StubEncoder())
    failed = cache.fill([*bad, *records], ["whole", "mirrored"])
    assert set(failed) == {"text.jpg", "copy.jpg", "gone.jpg"}
    assert "not a" in failed["text.jpg"] and "cannot be opened" in failed["gone.jpg"]
    assert all(cache.has(record, view) for record in records for view in ("whole", "mirrored"))


def test_a_picture_that_vanishes(folder, records):
    cache = FeatureCache(folder, StubEncoder())
    cache.fill(records[:1])
    records[0].source.unlink()
    assert cache.has(records[0])  # Its bytes have been read.
    fresh = FeatureCache(folder, StubEncoder())
    assert list(fresh.fill(records[:2])) == [records[0].name]
    with pytest.raises(ImageError, match="'0.png' cannot be opened"):
        fresh.key(records[0])


def test_equal_pictures_are_encoded_once(folder, records, tmp_path):
    (tmp_path / "copy.png").write_bytes(records[0].read())
    copy, encoder = Record("copy.png", (), tmp_path / "copy.png"), StubEncoder()
    cache = FeatureCache(folder, encoder)
    cache.fill([records[0], copy, records[0]])
    assert encoder.pictures == 1 and cache.key(copy) == cache.key(records[0])
    np.testing.assert_array_equal(*cache.rows([records[0], copy]))


def test_records_of_one_name_and_encoders_are_distinguished(folder, tmp_path):
    (tmp_path / "other").mkdir()
    one, other = write_picture(tmp_path / "same.png", 1), write_picture(tmp_path / "other" / "same.png", 2)
    cache = FeatureCache(folder, StubEncoder())
    cache.fill([one, other])
    np.testing.assert_allclose(cache.rows([one, other]), [direct(one), direct(other)], atol=1e-3)
    encoder = StubEncoder()
    encoder.fingerprint = "of another"
    assert not FeatureCache(folder, encoder).has(one)


def test_a_shard_lists_its_keys(folder, records):
    cache = FeatureCache(folder, StubEncoder())
    cache.fill(records[:4])
    keys = json.loads(next(cache.folder.glob("*.json")).read_bytes())
    assert keys == [f"{cache.key(record)} whole" for record in records[:4]]
    stored = np.load(io.BytesIO(next(cache.folder.glob("*.npy")).read_bytes()))
    np.testing.assert_array_equal(stored, cache.rows(records[:4]))


def test_a_folder_that_cannot_be_created_or_written(folder, records, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FeatureError, match="cannot be created"):
        FeatureCache(tmp_path / "file", StubEncoder())

    def full(descriptor):
        raise OSError(28, "No space left on device")

    cache = FeatureCache(folder, StubEncoder())
    monkeypatch.setattr(feature_cache.os, "fsync", full)
    with pytest.raises(FeatureError, match="No space left on device"):
        cache.fill(records)


def test_the_default_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))
    assert default_folder() == tmp_path
    monkeypatch.delenv("TRIPTYCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "triptych"
