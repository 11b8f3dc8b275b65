"""Where a run comes from: hashes that anybody can work out, and a commit that git itself is asked about."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from captioner.data.datasets import Record
from captioner.errors import CheckpointError, TrainingError
from captioner.storage import write_json
from captioner.training import provenance
from captioner.training.provenance import Code, Data, File, code_in, read_code, read_data, to_json, trained_on_dev

ROOT = Path(__file__).resolve().parents[2]
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed.")


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def data():
    train = [Record("a.jpg", ("a dog .", "one dog"), Path("a.jpg")), Record("b.jpg", ("a café",), Path("b.jpg"))]
    splits = {"train": train, "dev": [Record("c.jpg", ("a cat",), Path("c.jpg"))]}
    return Data.of("mine", splits, lambda record: f"of {record.name}", 3)


def test_the_hashes_are_those_of_texts_that_anybody_can_write(data):
    lines = "train\ta.jpg\ta dog .\n", "train\ta.jpg\tone dog\n", "train\tb.jpg\ta café\n", "dev\tc.jpg\ta cat\n"
    assert data.captions_sha256 == sha256("".join(lines))
    assert data.pictures_sha256 == sha256("train\ta.jpg\tof a.jpg\ntrain\tb.jpg\tof b.jpg\ndev\tc.jpg\tof c.jpg\n")
    assert data.photographs == {"train": 2, "dev": 1} and data.captions == {"train": 3, "dev": 1} and data.left_out == 3


def test_a_name_that_is_no_text_has_a_hash(data):
    odd = Data.of("mine", {"train": [Record("a\udcff.jpg", ("a dog",), Path("a.jpg"))]}, lambda record: "", 0)
    assert len(odd.captions_sha256) == 64


def test_there_and_back(data, tmp_path):
    (tmp_path / "more.txt").write_text("a dog\n")
    file = File.of("corpus", tmp_path / "more.txt")
    assert (file.name, file.bytes, file.sha256) == ("more.txt", 6, sha256("a dog\n"))
    given = Data(**vars(data) | {"files": (file,)})
    assert read_data(json.loads(json.dumps(to_json(given)))) == given
    assert read_data(None) is None and read_code(None) == [None]
    codes = [Code("s"), Code("s", "c", True)]
    assert read_code([*map(to_json, codes), None]) == [*codes, None]
    with pytest.raises(TrainingError, match="cannot be read"):
        File.of("corpus", tmp_path / "gone.txt")


def test_a_history_tells_whether_dev_was_trained_on(data, tmp_path):
    """Its own data or those of the run that it started from; one that put nothing down was before that time."""
    apart, joined = (to_json(Data(**vars(data) | {"name": name})) for name in ("flickr8k", "flickr8k-7000-1000"))
    write_json(tmp_path / "learned" / "history.json", {"data": apart})
    write_json(tmp_path / "word2vec" / "history.json", {"state": "finished"})
    assert not trained_on_dev(tmp_path) and not trained_on_dev(tmp_path / "nowhere")
    write_json(tmp_path / "fasttext" / "history.json", {"data": joined})
    assert trained_on_dev(tmp_path) and trained_on_dev(tmp_path, ["fasttext"])
    assert not trained_on_dev(tmp_path, ["learned", "word2vec"])
    further = {"data": apart, "started_from": {"seed": 1, "data": apart, "started_from": {"seed": 2, "data": joined}}}
    write_json(tmp_path / "random" / "history.json", further)
    assert trained_on_dev(tmp_path, ["random"])
    for damaged in ([], {"data": 3}, {"data": apart, "started_from": [1]}):
        write_json(tmp_path / "random" / "history.json", damaged)
        assert not trained_on_dev(tmp_path, ["random"])


DAMAGES = {
    "no list": lambda data: read_code({"source": "s"}),
    "an empty list": lambda data: read_code([]),
    "code without its source": lambda data: read_code([{"commit": "c"}]),
    "code with more to it": lambda data: read_code([{"source": "s", "branch": "main"}]),
    "a commit that is a number": lambda data: read_code([{"source": "s", "commit": 7}]),
    "data that is a list": lambda data: read_data([]),
    "data that lacks its name": lambda data: read_data({key: value for key, value in data.items() if key != "name"}),
    "as many as a text": lambda data: read_data(data | {"photographs": {"train": "many"}}),
    "a count that is a truth": lambda data: read_data(data | {"left_out": True}),
    "a file that is a text": lambda data: read_data(data | {"files": ["corpus"]}),
    "a file without a size": lambda data: read_data(data | {"files": [{"role": "corpus", "name": "a", "sha256": "s"}]}),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_every_damage_is_a_sentence(data, damage):
    with pytest.raises(CheckpointError, match="The (code|data) in a history: .*(0|name|train|left_out|files|content)"):
        damage(to_json(data))


@pytest.fixture
def program(tmp_path):
    """A program of two packages, that no git knows."""
    for package in provenance.PACKAGES:
        (tmp_path / "program" / package).mkdir(parents=True)
        (tmp_path / "program" / package / "one.py").write_text("one = 1\n")
    return tmp_path / "program"


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True).stdout.strip()


def test_the_source_is_what_stands_in_the_python_files(program, monkeypatch):
    monkeypatch.setattr(provenance, "_git", lambda *_: None)
    before = code_in(program)
    assert before.commit is None and before.changed is None and "commit" not in to_json(before)
    (program / "captioner" / "notes.txt").write_text("nothing")
    (program / "captioner" / "one.py").write_bytes(b"one = 1\r\n")
    assert code_in(program) == before
    (program / "captioner" / "one.py").write_text("one = 2\n")
    changed = code_in(program)
    (program / "captioner" / "one.py").rename(program / "captioner" / "two.py")
    assert len({before.source, changed.source, code_in(program).source}) == 3


@needs_git
def test_the_commit_is_the_one_checked_out_and_changes_are_marked(program, monkeypatch):
    assert code_in(program).commit is None
    git(program, "init", "-q")
    assert code_in(program).commit is None  # Nothing is committed yet.
    git(program, "add", ".")
    git(program, "commit", "-q", "-m", "one")
    commit = git(program, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # As in a hook of another repository.
    assert (code_in(program).commit, code_in(program).changed) == (commit, False)
    (program / "README.md").write_text("no code")
    assert code_in(program).changed is False
    (program / "embeddings" / "two.py").write_text("two = 2\n")
    assert (code_in(program).commit, code_in(program).changed) == (commit, True)


@needs_git
def test_a_repository_around_the_program_says_nothing_of_it(program):
    around = program.parent
    git(around, "init", "-q")
    git(around, "add", ".")
    git(around, "commit", "-q", "-m", "one")
    assert code_in(program).commit is None


def test_without_git_there_is_no_commit(program, monkeypatch):
    monkeypatch.setenv("PATH", os.devnull)
    assert code_in(program).commit is None


def test_this_program_is_asked_about_once(monkeypatch):
    found = provenance.code()
    monkeypatch.setattr(provenance, "code_in", lambda root: pytest.fail("asked again"))
    assert provenance.code() is found and found.source == code_in_lines(ROOT)


def code_in_lines(root):
    """The hash of the sources by other means: one line for every file, as sha256sum would write it."""
    paths = (path for package in ("captioner", "embeddings") for path in (root / package).rglob("*.py"))
    lines = (f"{path.relative_to(root)} {sha256(path.read_text(encoding='utf-8'))}\n" for path in sorted(paths))
    return sha256("".join(lines))
