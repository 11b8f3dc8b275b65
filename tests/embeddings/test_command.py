"""`python -m embeddings`: what it prints, its exit status, and that it starts at once."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from embeddings import fasttext, word2vec
from embeddings.__main__ import main
from embeddings.corpus import SkipGram
from embeddings.maps import METHODS, read_maps
from embeddings.table import EmbeddingTable, build_table
from support.vectors import learned

ROOT = Path(__file__).resolve().parents[2]
SENTENCES = [["a", "dog", "runs"], ["the", "puppy", "is", "running"], ["a", "red", "dog"]] * 5
WORDS = ("<pad>", "<start>", "a", "dog", "puppy", "runs", "running", "red")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """The three tables as checkpoints have them, from vectors trained on three sentences."""
    folder = tmp_path_factory.mktemp("checkpoints")
    small = SkipGram(dimensions=8, epochs=2, buckets=200)
    pieces, words = fasttext.train(SENTENCES, small), word2vec.train(SENTENCES, small)
    composed = build_table(WORDS, WORDS[:2], pieces.lookup, 0.1, 0, pieces.source)
    files = {
        "fasttext": composed.to_files() | {"subwords.safetensors": pieces.subwords.placed(composed.placement).to_bytes()},
        "word2vec": build_table(WORDS, WORDS[:2], words.lookup, 0.1, 0, words.source).to_files(),
        "learned": learned(np.random.default_rng(0).normal(size=(8, 8)), WORDS).to_files(),
    }
    for variant, contents in files.items():
        (folder / variant).mkdir()
        for name, data in contents.items():
            (folder / variant / name).write_bytes(data)
    return folder


@pytest.fixture
def run(checkpoints, capsys):
    def run(*arguments):
        status = main(["neighbours", *arguments, "--checkpoints", str(checkpoints)])
        return status, *capsys.readouterr()

    return run


def test_all_three_tables_answer(run):
    status, out, err = run("dog", "--top", "2")
    assert status == 0 and err == ""
    assert [line for line in out.splitlines() if not line.startswith("  ")] == [
        "Learned puts these nearest to 'dog' (learned):",
        "Word2Vec puts these nearest to 'dog' (trained):",
        "FastText puts these nearest to 'dog' (trained):",
    ]
    assert len(out.splitlines()) == 9 and "<start>" not in out


def test_json_for_a_known_word(run):
    status, out, _ = run("Dog", "--json", "--top", "3")
    answer = json.loads(out)
    assert status == 0 and answer["word"] == "dog" and list(answer["tables"]) == ["learned", "word2vec", "fasttext"]
    for name, table in answer["tables"].items():
        assert table["known"] is True and table["origin"] == ("learned" if name == "learned" else "trained")
        cosines = [cosine for word, cosine in table["neighbours"]]
        assert len(cosines) == 3 and cosines == sorted(cosines, reverse=True)


def test_only_fasttext_composes_a_word_never_seen(run):
    status, out, _ = run("dogs", "--json")
    tables = json.loads(out)["tables"]
    assert status == 0
    for name in ("learned", "word2vec"):
        assert tables[name]["known"] is False and "does not know 'dogs'" in tables[name]["message"]
    assert tables["fasttext"]["origin"] == "subwords" and "3 of 10" in tables["fasttext"]["message"]
    assert "never saw 'dogs'" in run("dogs", "--table", "fasttext")[1]


def test_status_1_when_no_table_knows_the_word(run):
    assert run("dogs", "--table", "word2vec")[0] == 1
    status, out, err = run("日本語")
    assert status == 1 and len(out.splitlines()) == 3 and err == ""
    assert run("<start>", "--table", "learned")[1] == "Learned has no meaning for '<start>': its row is a special word's.\n"


def test_missing_and_damaged_tables_are_one_sentence_each(checkpoints, tmp_path, capsys):
    for name, data in {"table.json": b"{", "table.safetensors": b""}.items():
        (tmp_path / "learned").mkdir(exist_ok=True)
        (tmp_path / "learned" / name).write_bytes(data)
    arguments = ["neighbours", "dog", "--checkpoints", str(tmp_path)]
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 3
    assert main([*arguments, "--json"]) == 1
    tables = json.loads(capsys.readouterr().out)["tables"]
    assert not any(table["known"] for table in tables.values())
    assert "not JSON" in tables["learned"]["message"] and "no file" in tables["word2vec"]["message"]


@pytest.fixture
def quick(monkeypatch):
    """PCA in place of t-SNE, where only the file matters."""
    monkeypatch.setitem(METHODS, "tsne", METHODS["pca"])


def test_maps_are_drawn_into_the_folder(quick, checkpoints, capsys):
    assert main(["maps", "--checkpoints", str(checkpoints), "--words", "5", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    drawn = read_maps(checkpoints / "maps.json")
    assert facts["words"] == 5 and facts["tables"] == {name: maps.fingerprint for name, maps in drawn.items()}
    assert facts["tables"]["learned"] == EmbeddingTable.load(checkpoints / "learned").fingerprint
    assert main(["maps", "--checkpoints", str(checkpoints)]) == 0
    assert "the maps of 6 words in 3 tables" in capsys.readouterr().out
    assert not list(checkpoints.glob(".maps*"))


def test_maps_without_tables_or_a_place_to_write_are_one_sentence(quick, checkpoints, tmp_path, capsys):
    assert main(["maps", "--checkpoints", str(tmp_path)]) == 1
    assert "There is no file" in capsys.readouterr().err
    folder = shutil.copytree(checkpoints, tmp_path / "tables")
    (folder / "maps.json").unlink(missing_ok=True)
    (folder / "maps.json").mkdir()
    assert main(["maps", "--checkpoints", str(folder)]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert main(["maps", "--checkpoints", str(folder), "--words", "2"]) == 1
    assert "3 words or more" in capsys.readouterr().err


def test_of_several_stages_of_training_the_last_is_asked(quick, checkpoints, tmp_path, capsys):
    shutil.copytree(checkpoints, tmp_path / "first")
    arguments = ["maps", "--words", "5", "--json", "--checkpoints"]
    assert main([*arguments, str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["file"] == str(tmp_path / "first" / "maps.json")
    shutil.copytree(checkpoints, tmp_path / "reward")
    for folder, stage in ((tmp_path, "reward"), (tmp_path / "reward", "reward"), (tmp_path / "first", "first")):
        assert main([*arguments, str(folder)]) == 0
        assert json.loads(capsys.readouterr().out)["file"] == str(tmp_path / stage / "maps.json")


@pytest.mark.parametrize(
    "arguments",
    ["", "maps --words x", "neighbours", "neighbours two+words", "neighbours dog --top 0", "neighbours dog --table x"],
)
def test_wrong_usage_is_one_sentence_and_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([argument.replace("+", " ") for argument in arguments.split()])
    out, err = capsys.readouterr()
    assert stopped.value.code == 2 and out == "" and len(err.splitlines()) == 1 and "--help" in err


def test_help_is_instant_and_loads_nothing_heavy():
    script = "import sys, runpy; sys.argv = ['embeddings', 'neighbours', '--help']"
    script += "\ntry: runpy.run_module('embeddings', run_name='__main__')"
    script += "\nexcept SystemExit: print([name for name in ('numpy', 'gensim', 'fasttext') if name in sys.modules])"
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert time.perf_counter() - start < 1.0
    assert "WORD" in done.stdout and done.stdout.endswith("[]\n")
