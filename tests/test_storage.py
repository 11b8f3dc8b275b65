"""Folders that are written while the power fails or the disk is full, read after damage, and JSON files read as types."""

import functools
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pytest
from safetensors.numpy import load

from captioner import storage
from captioner.errors import CheckpointError
from captioner.storage import (
    exists,
    load_folder,
    parse_as,
    parse_json,
    read_as,
    read_bytes,
    read_json,
    remove_folder,
    save_folder,
    tensor_pieces,
    write_json,
)

OLD, NEW = {"a.json": b"1", "b.bin": b"old"}, {"a.json": b"2", "c.bin": b"new"}


class PowerCut(BaseException):
    """Nothing catches it, as nothing catches a power cut."""


@pytest.fixture
def folder(tmp_path):
    save_folder(tmp_path / "deep" / "folder", OLD)
    return tmp_path / "deep" / "folder"


def resign(folder, **manifest):
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "files": {}} | manifest))


def test_there_and_back(folder):
    assert load_folder(folder) == OLD and exists(folder)
    save_folder(folder, NEW)
    assert load_folder(folder) == NEW
    assert sorted(os.listdir(folder.parent)) == ["folder"] and sorted(os.listdir(folder)) == ["a.json", "c.bin", "manifest.json"]


def test_companions_may_change_and_go(folder):
    save_folder(folder, OLD, {"history.json": b"{}"})
    assert read_json(folder / "history.json") == {} and load_folder(folder) == OLD
    write_json(folder / "history.json", {"epochs": []})
    assert load_folder(folder) == OLD
    (folder / "history.json").unlink()
    assert load_folder(folder) == OLD


@pytest.mark.parametrize("cut_at", [1, 2, 3])
def test_a_power_cut_while_writing(folder, monkeypatch, cut_at):
    write, count = storage._write, []

    def cut(path, data):
        count.append(path)
        if len(count) == cut_at:
            path.write_bytes(data[:1])
            raise PowerCut
        write(path, data)

    with monkeypatch.context() as patch, pytest.raises(PowerCut):
        patch.setattr(storage, "_write", cut)
        save_folder(folder, NEW)
    assert load_folder(folder) == OLD
    save_folder(folder, NEW)
    assert load_folder(folder) == NEW and os.listdir(folder.parent) == ["folder"]


@pytest.mark.parametrize(("cut_at", "left"), [(1, OLD), (2, OLD), (3, NEW)])
def test_a_power_cut_between_the_renames(folder, monkeypatch, cut_at, left):
    """Before the first rename, between the two, and before the old folder is swept away."""
    flush, rename = storage._flush_folder, storage.Path.rename
    steps = []

    def stop(step):
        steps.append(step)
        if len(steps) == cut_at:
            raise PowerCut

    with monkeypatch.context() as patch, pytest.raises(PowerCut):
        patch.setattr(storage.Path, "rename", lambda path, goal: (stop(path), rename(path, goal))[1])
        patch.setattr(storage, "_flush_folder", lambda path: stop(path) if steps else flush(path))
        save_folder(folder, NEW)
    assert load_folder(folder) == left and exists(folder)
    save_folder(folder, NEW)
    assert load_folder(folder) == NEW and os.listdir(folder.parent) == ["folder"]


def test_a_cut_between_the_renames_and_a_history_after_it(folder):
    folder.rename(folder.with_name(".folder.old"))
    write_json(folder / "history.json", {})
    assert exists(folder) and load_folder(folder) == OLD


def test_a_folder_that_is_being_removed_is_not_whole(folder, monkeypatch):
    def cut(path, ignore_errors):
        if path == folder:
            raise PowerCut

    with monkeypatch.context() as patch, pytest.raises(PowerCut):
        patch.setattr(storage.shutil, "rmtree", cut)
        remove_folder(folder)
    assert not exists(folder)
    for _ in range(2):  # Removing a folder that is gone is no error.
        remove_folder(folder)
        assert not folder.exists()


def test_no_room_and_no_folder(folder, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(storage.os, "fsync", full)
        with pytest.raises(CheckpointError, match="No space left on device.*make room"):
            save_folder(folder, NEW)
        with pytest.raises(CheckpointError, match="No space left on device.*make room"):
            write_json(folder / "history.json", {})
    assert load_folder(folder) == OLD
    for write in (lambda: save_folder(folder / "a.json" / "deep", NEW), lambda: write_json(folder / "a.json" / "b.json", {})):
        with pytest.raises(CheckpointError, match="cannot be written .(Not a directory|File exists)"):
            write()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / "b.bin").write_bytes(b"odd"), "b.bin of folder has changed"),
        (lambda folder: (folder / "b.bin").unlink(), "'b.bin' of folder is missing"),
        (lambda folder: (folder / "manifest.json").unlink(), "no checkpoint in folder"),
        (lambda folder: (folder / "manifest.json").write_bytes(b"{"), "manifest.json is not readable JSON"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "not a list of files"),
        (lambda folder: resign(folder, files=["a.json"]), "not a list of files"),
        (lambda folder: resign(folder, format=2), "not a list of files in format 1"),
        (lambda folder: resign(folder, files={"a.json": None}), "a.json of folder has changed"),
        (lambda folder: resign(folder, files={"../secret": "0"}), "not a list of files"),
        (lambda folder: resign(folder, files={"..": "0"}), "'..' of folder is missing"),
        (lambda folder: resign(folder, files={"a\0b": "0"}), "is missing"),
        (lambda folder: resign(folder, files={"\ud800": "0"}), "is missing"),
        (lambda folder: resign(folder, files={"a" * 300: "0"}), "is missing|cannot be read"),
        (lambda folder: (os.mkfifo(folder / "pipe"), resign(folder, files={"pipe": "0"})), "'pipe' of folder is missing"),
        (lambda folder: folder.rename(folder.with_name("moved")), "no checkpoint in folder"),
    ],
)
def test_damaged_folders_are_refused(folder, damage, sentence):
    damage(folder)
    with pytest.raises(CheckpointError, match=sentence) as error:
        load_folder(folder)
    assert str(error.value).isprintable()


def test_large_files_are_refused(tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**40)  # All holes: it takes no room on the disk.
    with pytest.raises(CheckpointError, match="1,099,511,627,776 bytes, more than the limit of 100"):
        read_bytes(tmp_path / "large", 100)
    with pytest.raises(CheckpointError, match="large has 1,099"):
        read_json(tmp_path / "large")


def test_json(tmp_path):
    write_json(tmp_path / "new" / "file.json", {"epochs": [1.5]})
    assert read_json(tmp_path / "new" / "file.json") == {"epochs": [1.5]} and os.listdir(tmp_path / "new") == ["file.json"]
    for wrong in (b"", b"{'a': 1}", b"\xff\xfe", b"1" * 10_000, b'{"a":' * 10_000):
        with pytest.raises(CheckpointError, match="file.json is not readable JSON"):
            parse_json(wrong, "file.json")


def test_a_file_in_pieces_is_the_file_whole(tmp_path):
    save_folder(tmp_path, {"a.bin": (b"one", memoryview(b"two"), b"", b"three")})
    assert load_folder(tmp_path) == {"a.bin": b"onetwothree"}


class Interval(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True)
class Part:
    count: int
    scores: Mapping[str, Interval]


@dataclass(frozen=True)
class Whole:
    parts: tuple[Part, ...]
    kind: Literal["one", "two"] = "one"
    note: str | None = None


GOOD = {"parts": [{"count": 3, "scores": {"cider": {"low": 1, "high": 2.5}}}]}


def test_a_file_is_read_as_its_type(tmp_path):
    path = tmp_path / "run" / "whole.json"
    write_json(path, GOOD | {"of a later version": [1]})
    found = read_as(path, Whole)
    assert found == Whole((Part(3, {"cider": Interval(1.0, 2.5)}),)) and type(found.parts[0].scores["cider"].low) is float
    assert read_as(path, dict[str, list])["of a later version"] == [1]
    with pytest.raises(CheckpointError, match="^whole.json of run: 'of a later version' is not known .*; make it anew.$"):
        read_as(path, Whole, "make it anew", exact=True)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"count": 3', '"count": "3"', "'parts.0.count' should be a valid integer, but is '3'; copy it again.$"),
        ('"count": 3', '"count": true', "'parts.0.count' should be a valid integer, but is True"),
        ('"count": 3, ', "", "'parts.0.count' is missing"),
        ('"high": 2.5', '"high": NaN', "'parts.0.scores.cider.high' should be a finite number, but is nan"),
        ('"high": 2.5', '"high": 1' + "0" * 400, "'parts.0.scores.cider.high' should be a finite number, but is 1000*;"),
        (', "high": 2.5', "", "'parts.0.scores.cider.high' is missing"),
        ('"parts"', '"kind": "three", "parts"', "'kind' should be 'one' or 'two', but is 'three'"),
        (json.dumps(GOOD), "[]", r"the content should be an object, but is \[\]"),
        (json.dumps(GOOD), "", "content is missing"),
        (json.dumps(GOOD), json.dumps(GOOD) + ", {}", "content"),
        (json.dumps(GOOD), "[" * 100_000, "content should be readable JSON"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, old, new, sentence):
    path = tmp_path / "run" / "whole.json"
    path.parent.mkdir()
    path.write_text(json.dumps(GOOD).replace(old, new))
    with pytest.raises(CheckpointError, match=f"^whole.json of run: .*{sentence}"):
        read_as(path, Whole)


def test_a_part_of_a_file_is_read_as_its_type():
    assert parse_as([{"low": 0, "high": 1}], tuple[Interval, ...], "scores") == (Interval(0, 1),)
    with pytest.raises(CheckpointError, match="^scores: '0.low' should be a finite number, but is inf; copy it again.$"):
        parse_as([{"low": float("inf"), "high": 1}], tuple[Interval, ...], "scores")
    deep = functools.reduce(lambda inner, _: [inner], range(5_000), [])
    with pytest.raises(CheckpointError, match="^scores: .*deep"):
        parse_as(deep, list, "scores")


RANDOM = np.random.default_rng(0)
ARRAYS = {
    "grid/kernel": RANDOM.normal(size=(3, 5)).astype(np.float32),
    "half é": RANDOM.normal(size=7).astype(np.float16),
    "step": np.array(2**40, np.int64),
    "turned": RANDOM.normal(size=(4, 6)).T,
    "none": np.zeros((0, 3), np.int32),
}


@pytest.mark.parametrize("names", [[], ["step"], list(ARRAYS), list(ARRAYS)[::-1]])
def test_safetensors_reads_tensors_written_in_pieces(names):
    found = load(b"".join(tensor_pieces({name: ARRAYS[name] for name in names})))
    assert set(found) == set(names)
    for name in names:
        assert found[name].dtype == ARRAYS[name].dtype and found[name].shape == ARRAYS[name].shape
        np.testing.assert_array_equal(found[name], ARRAYS[name])


def test_large_tensors_are_not_copied():
    large = np.arange(1_000, dtype=np.float32)
    assert np.shares_memory(np.frombuffer(tensor_pieces({"large": large})[2], np.float32), large)
