"""JSON Lines that are appended, cut off anywhere, resumed, and never mistaken for somebody else's file."""

import errno
import io
import json
import os

import pytest

from captioner.captioning.listing import Listing, read_done, write
from captioner.errors import ConfigError

ENTRIES = [{"image": f"{number}.jpg", "captions": {"learned": ["a \"dog\", running\n"]}} for number in range(4)]
FAILED = {"image": "4.jpg", "error": "'4.jpg' is not a picture."}
LINES = [json.dumps(entry) + "\n" for entry in [*ENTRIES, FAILED]]


def accept(_entry):
    return True


@pytest.fixture
def path(tmp_path):
    return tmp_path / "captions.jsonl"


def add(path, *entries, resume=True):
    listing = Listing(path, resume)
    for entry in entries:
        listing.add(entry)
    listing.close()


def test_a_line_is_an_entry_on_every_system(path):
    add(path, *ENTRIES, FAILED, resume=False)
    assert path.read_bytes() == "".join(LINES).encode()


def test_cut_off_anywhere_it_is_resumed(path):
    whole = "".join(LINES[:4]).encode()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        done = read_done(path, accept)
        assert done == {entry["image"] for entry in ENTRIES[: whole[:length].count(b"\n")]}
        add(path, *ENTRIES[len(done) :])
        assert path.read_bytes() == whole


def test_a_missing_file_is_begun_and_one_that_is_there_is_not_overwritten(path):
    assert read_done(path, accept) == set() and not path.exists()
    add(path, ENTRIES[0])
    with pytest.raises(ConfigError, match="--skip-done"):
        Listing(path)
    with pytest.raises(ConfigError, match="Cannot write"):
        Listing(path.parent / "nowhere" / "new.jsonl")
    assert path.read_text() == LINES[0]


def test_what_failed_or_is_not_wanted_is_not_done(path):
    path.write_text("".join(LINES))
    assert read_done(path, accept) == {entry["image"] for entry in ENTRIES}
    assert read_done(path, lambda entry: entry != ENTRIES[0]) == {entry["image"] for entry in ENTRIES[1:]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("my diary", "Line 1"),
        (LINES[0] + "my diary\n" + LINES[1], "Line 2"),
        (LINES[0] + "{}", "Line 2"),
        ('{"image": "0.jpg", "boxes": []}\n', "Line 1"),
        ("\n" + LINES[0], "Line 1"),
        ("{" * 100_000 + "\n", "Line 1"),
        ("[\n" + ",\n".join(map(json.dumps, ENTRIES)) + "\n]\n", "JSON list"),
        ("[]\n", "JSON list"),
    ],
)
def test_what_something_else_wrote_is_left_as_it_is(path, text, said):
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"{said}.*another name"):
        read_done(path, accept)
    assert path.read_text() == text


def test_nothing_is_removed_when_an_entry_is_refused(path):
    def refuse(_entry):
        raise ConfigError("Other decoders.")

    path.write_text(LINES[0] + LINES[1][:20])
    with pytest.raises(ConfigError, match="Other decoders"):
        read_done(path, refuse)
    assert path.read_text() == LINES[0] + LINES[1][:20]


def full(*_given):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_a_sentence_at_any_time(path, monkeypatch):
    listing = Listing(path)
    with monkeypatch.context() as patch, pytest.raises(ConfigError, match="No space left.*--skip-done"):
        patch.setattr(os, "fsync", full)
        listing.close()
    assert listing._file.closed
    stream = io.StringIO()
    monkeypatch.setattr(stream, "flush", full)
    with pytest.raises(ConfigError, match="No space left.*--skip-done"):
        write(stream, "a line")


def test_the_reader_of_a_pipe_may_leave(monkeypatch):
    def gone():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    stream = io.StringIO()
    monkeypatch.setattr(stream, "flush", gone)
    with pytest.raises(BrokenPipeError):
        write(stream, "a line")
