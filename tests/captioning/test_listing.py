"""A list that is written line by line, cut off anywhere, gone on with, and always JSON in the end."""

import errno
import io
import json
import os

import pytest

from captioner.captioning.listing import Listing
from captioner.errors import ConfigError

ENTRIES = [{"image": f"{number}.jpg", "captions": {"learned": ["a \"dog\", running\n"]}} for number in range(4)]
NOT_OURS = "was not written by caption --out"


def keep_all(_entry):
    return True


def written(entries):
    stream = io.StringIO()
    listing = Listing(stream)
    for entry in entries:
        listing.add(entry)
    listing.close()
    return stream.getvalue()


@pytest.mark.parametrize("count", range(4))
def test_it_is_one_json_list_with_a_line_for_each(count):
    text = written(ENTRIES[:count])
    assert json.loads(text) == ENTRIES[:count] and len(text.splitlines()) == (count + 2 if count else 1)


def test_cut_off_anywhere_it_is_gone_on_with(tmp_path):
    whole, path = written(ENTRIES).encode(), tmp_path / "captions.json"
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        listing, done = Listing.go_on(path, keep_all)
        assert done == {entry["image"] for entry in ENTRIES[: len(done)]} and len(done) >= whole[:length].count(b",\n")
        for entry in ENTRIES[len(done) :]:
            listing.add(entry)
        listing.close()
        assert path.read_bytes() == whole


def test_a_new_file_is_begun(tmp_path):
    listing, done = Listing.go_on(tmp_path / "new.json", keep_all)
    listing.close()
    assert done == set() and json.loads((tmp_path / "new.json").read_text()) == []


def test_what_is_there_is_not_written_over(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text("my diary")
    with pytest.raises(ConfigError, match="There is a file .* already; add --skip-done"):
        Listing.begin(path)
    with pytest.raises(ConfigError, match=NOT_OURS):
        Listing.go_on(path, keep_all)
    with pytest.raises(ConfigError, match="cannot be written"):
        Listing.begin(tmp_path / "nowhere" / "new.json")
    assert path.read_text() == "my diary"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ENTRIES, indent=1) + "\n",
        "[\nmy diary\nits second page",
        "[\nmy diary",
        "\nmy diary",
        '[\n{"image": "0.jpg", "boxes": []},\n{"image": "1.jpg", "boxes": []}]',
        written(ENTRIES) + "my diary\n",
        written(ENTRIES).replace("},\n", "}\n"),
        "[\n" + "[" * 100_000 + "\n",
    ],
)
def test_what_somebody_else_wrote_is_left_as_it_is(tmp_path, text):
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=NOT_OURS):
        Listing.go_on(path, keep_all)
    assert path.read_text() == text


def test_a_damaged_line_costs_nothing_of_what_follows_it(tmp_path):
    lines = written(ENTRIES).splitlines(keepends=True)
    damaged = "".join([*lines[:2], lines[2][:20] + "\n", *lines[3:]])
    path = tmp_path / "captions.json"
    path.write_text(damaged)
    with pytest.raises(ConfigError, match=f"Line 3 of .* {NOT_OURS}"):
        Listing.go_on(path, keep_all)
    assert path.read_text() == damaged


def test_a_file_with_the_line_ends_of_windows_is_gone_on_with(tmp_path):
    path = tmp_path / "captions.json"
    path.write_bytes(written(ENTRIES[:2]).replace("\n", "\r\n").encode())
    listing, done = Listing.go_on(path, keep_all)
    listing.add(ENTRIES[2])
    listing.close()
    assert done == {"0.jpg", "1.jpg"} and json.loads(path.read_text()) == ENTRIES[:3]


def test_line_ends_are_the_same_on_every_system(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("pathlib.Path.open", lambda *_given, **how: opened.append(how) or io.StringIO())
    Listing.begin(tmp_path / "new.json")
    assert [how["newline"] for how in opened] == [""]


@pytest.mark.parametrize("given_up", [{0}, {1, 2}, {3}, {0, 3}, {0, 1, 2, 3}])
def test_what_is_given_up_is_taken_out_and_may_be_added_again(tmp_path, given_up):
    kept = [entry for number, entry in enumerate(ENTRIES) if number not in given_up]
    again = [ENTRIES[number] for number in given_up]
    path = tmp_path / "captions.json"
    path.write_text(written(ENTRIES))
    listing, done = Listing.go_on(path, kept.__contains__)
    assert done == {entry["image"] for entry in kept}
    for entry in again:
        listing.add(entry)
    listing.close()
    assert json.loads(path.read_text()) == kept + again
    listing, done = Listing.go_on(path, keep_all)
    listing.close()
    assert len(done) == len(ENTRIES) and json.loads(path.read_text()) == kept + again


def test_nothing_is_changed_when_an_entry_is_refused(tmp_path):
    def refuse(_entry):
        raise ConfigError("Other decoders.")

    path = tmp_path / "captions.json"
    path.write_text(written(ENTRIES))
    with pytest.raises(ConfigError, match="Other decoders"):
        Listing.go_on(path, refuse)
    assert path.read_text() == written(ENTRIES)


class Full(io.StringIO):
    """A file on a disk that has room for so many writes."""

    room = 2

    def flush(self):
        self.room -= 1
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_and_not_written_to_again(tmp_path):
    stream = Full()
    listing = Listing(stream)
    listing.add(ENTRIES[0])
    listing.add(ENTRIES[1])
    with pytest.raises(ConfigError, match=r"cannot be written \(No space left on device\); make room"):
        listing.add(ENTRIES[2])
    stream.room = 9
    listing.close()
    assert not stream.getvalue().endswith("]\n")


def test_a_disk_that_is_full_at_the_end_is_told(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    listing = Listing.begin(tmp_path / "captions.json")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="cannot be written"):
        listing.close()
    assert listing._stream.closed


def test_whoever_reads_a_pipe_may_go():
    class Gone(io.StringIO):
        def flush(self):
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        Listing(Gone()).add(ENTRIES[0])
