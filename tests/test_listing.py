"""A list that is written line by line, cut off anywhere, gone on with, and always JSON in the end."""

import io
import json

import pytest

from captioner.errors import ConfigError
from captioner.listing import Listing

ENTRIES = [{"image": f"{number}.jpg", "captions": {"learned": ["a \"dog\", running\n"]}} for number in range(4)]


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
        listing, done = Listing.go_on(path)
        assert done == ENTRIES[: len(done)] and len(done) >= whole[:length].count(b",\n")
        for entry in ENTRIES[len(done) :]:
            listing.add(entry)
        listing.close()
        assert path.read_bytes() == whole


def test_a_new_file_is_begun(tmp_path):
    listing, done = Listing.go_on(tmp_path / "new.json")
    listing.close()
    assert done == [] and json.loads((tmp_path / "new.json").read_text()) == []


def test_what_is_there_is_not_written_over(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text("my diary")
    with pytest.raises(ConfigError, match="There is a file .* already; add --skip-done"):
        Listing.begin(path)
    with pytest.raises(ConfigError, match="was not written by caption --out"):
        Listing.go_on(path)
    with pytest.raises(ConfigError, match="cannot be written"):
        Listing.begin(tmp_path / "nowhere" / "new.json")
    assert path.read_text() == "my diary"
