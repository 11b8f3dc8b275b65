"""Folders under every kind of misfortune: what is on the disk afterwards is the old folder or the new one."""

import json
import os

import pytest

from captioner import storage
from captioner.errors import CheckpointError
from captioner.storage import exists, load_folder, parse_json, read_bytes, read_json, remove_folder, save_folder, write_json

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


def test_companions_may_change_and_go(tmp_path):
    save_folder(tmp_path / "folder", OLD, {"history.json": b"{}"})
    assert load_folder(tmp_path / "folder") == OLD and read_json(tmp_path / "folder" / "history.json") == {}
    write_json(tmp_path / "folder" / "history.json", {"epochs": []})
    assert load_folder(tmp_path / "folder") == OLD
    (tmp_path / "folder" / "history.json").unlink()
    assert load_folder(tmp_path / "folder") == OLD


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


def test_a_cut_between_the_renames_and_a_history_after_it(folder, monkeypatch):
    """The folder is there again, but holds only what is written into it now; the whole one still lies beside it."""
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
    remove_folder(folder)
    assert not folder.exists()
    remove_folder(folder)  # What is not there any more is removed as well.


def test_no_room(folder, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(storage.os, "fsync", full)
        with pytest.raises(CheckpointError, match="No space left on device.*make room"):
            save_folder(folder, NEW)
        with pytest.raises(CheckpointError, match="No space left on device.*make room"):
            write_json(folder / "history.json", {})
    assert load_folder(folder) == OLD


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / "b.bin").write_bytes(b"odd"), "b.bin of folder is not the one that was saved"),
        (lambda folder: (folder / "b.bin").write_bytes(b"ol"), "b.bin of folder is not the one that was saved"),
        (lambda folder: (folder / "b.bin").unlink(), "'b.bin' of folder is missing"),
        (lambda folder: (folder / "manifest.json").unlink(), "no checkpoint in folder"),
        (lambda folder: (folder / "manifest.json").write_bytes(b"{"), "manifest.json is not readable JSON"),
        (lambda folder: (folder / "manifest.json").write_bytes(b"\xff\xfe"), "manifest.json is not readable JSON"),
        (lambda folder: (folder / "manifest.json").write_text("[" * 10_000), "manifest.json is not readable JSON"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "not a list of files"),
        (lambda folder: resign(folder, files=["a.json"]), "not a list of files"),
        (lambda folder: resign(folder, format=2), "not a list of files of format 1"),
        (lambda folder: resign(folder, files={"a.json": None}), "a.json of folder is not the one"),
        (lambda folder: resign(folder, files={"../secret": "0"}), "not a list of files"),
        (lambda folder: resign(folder, files={"/etc/passwd": "0"}), "not a list of files"),
        (lambda folder: resign(folder, files={"..": "0"}), "'..' of folder is missing"),
        (lambda folder: resign(folder, files={"": "0"}), "is missing"),
        (lambda folder: resign(folder, files={"a\0b": "0"}), "is missing"),
        (lambda folder: resign(folder, files={"\ud800": "0"}), "is missing"),
        (lambda folder: resign(folder, files={"a" * 300: "0"}), "is missing|cannot be read"),
        (lambda folder: (os.mkfifo(folder / "pipe"), resign(folder, files={"pipe": "0"})), "'pipe' of folder is missing"),
        (lambda folder: folder.rename(folder.with_name("moved")), "no checkpoint in folder"),
    ],
)
def test_whatever_is_wrong_is_one_sentence(folder, damage, sentence):
    damage(folder)
    with pytest.raises(CheckpointError, match=sentence) as error:
        load_folder(folder)
    assert str(error.value).isprintable()


def test_files_are_refused_by_their_size(tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**40)  # All holes: it takes no room on the disk.
    with pytest.raises(CheckpointError, match="1,099,511,627,776 bytes long, more than the 100"):
        read_bytes(tmp_path / "large", 100)
    with pytest.raises(CheckpointError, match="large is 1,099"):
        read_json(tmp_path / "large")


def test_json(tmp_path):
    write_json(tmp_path / "new" / "file.json", {"epochs": [1.5]})
    assert read_json(tmp_path / "new" / "file.json") == {"epochs": [1.5]} and os.listdir(tmp_path / "new") == ["file.json"]
    for wrong in (b"", b"{'a': 1}", b"1" * 10_000, b'{"a":' * 10_000):
        with pytest.raises(CheckpointError, match="file.json is not readable JSON"):
            parse_json(wrong, "file.json")


def test_a_file_in_pieces_is_the_file_whole(tmp_path):
    save_folder(tmp_path / "whole", {"a.bin": b"onetwothree"})
    save_folder(tmp_path / "pieces", {"a.bin": (b"one", memoryview(b"two"), b"", b"three")})
    assert load_folder(tmp_path / "pieces") == load_folder(tmp_path / "whole") == {"a.bin": b"onetwothree"}
    manifests = [(tmp_path / name / "manifest.json").read_bytes() for name in ("whole", "pieces")]
    assert manifests[0] == manifests[1]
