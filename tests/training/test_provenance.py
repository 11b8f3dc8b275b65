"""Provenance: hashes against hashlib, and the commit against git."""

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
from captioner.training.provenance import Code, Data, File, code_in, first_data_set, read_code, read_data, to_json, trained_on_dev

ROOT = Path(__file__).resolve().parents[2]
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed.")


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def data():
    train = [Record("a.jpg", ("a dog .", "one dog"), Path("a.jpg")), Record("b.jpg", ("a café",), Path("b.jpg"))]
    splits = {"train": train, "dev": [Record("c.jpg", ("a cat",), Path("c.jpg"))]}
    return Data.of("mine", splits, lambda record: f"of {record.name}", 3)


def test_the_hashes_are_those_of_the_documented_text(data):
    lines = "train\ta.jpg\ta dog .\n", "train\ta.jpg\tone dog\n", "train\tb.jpg\ta café\n", "dev\tc.jpg\ta cat\n"
    assert data.captions_sha256 == sha256("".join(lines))
    assert data.pictures_sha256 == sha256("train\ta.jpg\tof a.jpg\ntrain\tb.jpg\tof b.jpg\ndev\tc.jpg\tof c.jpg\n")
    assert data.photographs == {"train": 2, "dev": 1} and data.captions == {"train": 3, "dev": 1} and data.left_out == 3
    undecodable = Data.of("mine", {"train": [Record("a\udcff.jpg", ("a dog",), Path("a.jpg"))]}, lambda record: "", 0)
    assert len(undecodable.captions_sha256) == 64


def test_the_photographs_of_several_data_sets(data):
    train, dev = ([Record(name, ("a dog",), Path(name), name[0]) for name in names] for names in (["a1", "b1", "b2"], ["a2"]))
    both = Data.of("a+b", {"train": train, "dev": dev}, lambda record: "", 0)
    assert both.sets == {"a": {"train": 1, "dev": 1}, "b": {"train": 2, "dev": 0}} and read_data(to_json(both)) == both
    assert data.sets is None and "sets" not in to_json(data)


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


def test_a_history_shows_whether_dev_was_trained_on(data, tmp_path):
    """A run was trained on its own data and on the data of the run it started from."""
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


def test_the_first_data_set_of_a_training(data, tmp_path):
    assert first_data_set(tmp_path, ["learned", "word2vec"]) is None
    write_json(tmp_path / "learned" / "history.json", {"state": "finished"})
    write_json(tmp_path / "word2vec" / "history.json", {"data": to_json(Data(**vars(data) | {"name": "b+a-7000-1000"}))})
    assert first_data_set(tmp_path, ["learned", "word2vec"]) == "b"


DAMAGES = {
    "no list": lambda data: read_code({"source": "s"}),
    "an empty list": lambda data: read_code([]),
    "a commit that is a number": lambda data: read_code([{"source": "s", "commit": 7}]),
    "data that is a list": lambda data: read_data([]),
    "a file that is a text": lambda data: read_data(data | {"files": ["corpus"]}),
    "code without its source": lambda data: read_code([{"commit": "c"}]),
    "an unknown field": lambda data: read_code([{"source": "s", "branch": "main"}]),
    "data that lacks its name": lambda data: read_data({key: value for key, value in data.items() if key != "name"}),
    "a count that is a text": lambda data: read_data(data | {"photographs": {"train": "many"}}),
    "a count that is a bool": lambda data: read_data(data | {"left_out": True}),
    "a file without a size": lambda data: read_data(data | {"files": [{"role": "corpus", "name": "a", "sha256": "s"}]}),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_every_damage_is_a_sentence(data, damage):
    with pytest.raises(CheckpointError, match="The (code|data) in a history: .*(0|name|train|left_out|files|content)"):
        damage(to_json(data))


@pytest.fixture
def program(tmp_path):
    """A program of two packages outside any repository."""
    for package in provenance.PACKAGES:
        (tmp_path / "program" / package).mkdir(parents=True)
        (tmp_path / "program" / package / "one.py").write_text("one = 1\n")
    return tmp_path / "program"


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True).stdout.strip()


def test_the_source_is_the_hash_of_the_python_files(program, monkeypatch):
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
def test_the_commit_and_whether_files_differ_from_it(program, monkeypatch):
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
def test_a_repository_around_the_program_does_not_count(program):
    git(program.parent, "init", "-q")
    git(program.parent, "add", ".")
    git(program.parent, "commit", "-q", "-m", "one")
    assert code_in(program).commit is None


def test_without_git_there_is_no_commit(program, monkeypatch):
    monkeypatch.setenv("PATH", os.devnull)
    assert code_in(program).commit is None


def test_the_code_of_this_program_is_read_once(monkeypatch):
    """The hash is that of lines as sha256sum would write them."""
    found = provenance.code()
    monkeypatch.setattr(provenance, "code_in", lambda root: pytest.fail("read again"))
    files = (path for package in ("captioner", "embeddings") for path in (ROOT / package).rglob("*"))
    paths = (path for path in files if path.suffix in (".py", ".tsv"))
    lines = (f"{path.relative_to(ROOT)} {sha256(path.read_text(encoding='utf-8'))}\n" for path in sorted(paths))
    assert provenance.code() is found and found.source == sha256("".join(lines))
