"""`score`: captions from any source against the references of a data set."""

import json
from pathlib import Path

import pytest

from captioner.data.datasets import shapes
from captioner.scoring.metrics import METRICS

SHARED = Path(__file__).resolve().parents[3] / "shared"


@pytest.fixture
def written(data, tmp_path):
    """A list of pictures, and for each its first reference as the caption."""
    records = shapes(48, 16, 16).split("dev")
    (tmp_path / "images.txt").write_text("".join(f"{record.name}\n" for record in records))
    (tmp_path / "captions.txt").write_text("".join(f"{record.captions[0]}\n" for record in records))
    return ["score", "--data", data, "--images", tmp_path / "images.txt", "--captions", tmp_path / "captions.txt"]


def test_captions_are_scored_line_by_line(run, written, tmp_path):
    status, output, _ = run(*written, "--json")
    answer = json.loads(output)
    assert status == 0 and answer["images"] == 16 and set(answer["metrics"]) == set(METRICS)
    assert answer["metrics"]["bleu4"] == pytest.approx(1.0) and answer["metrics"]["cider"] > 2
    path = tmp_path / "captions.txt"
    path.write_text("\n" + path.read_text().split("\n", 1)[1])
    status, output, _ = run(*written)
    assert status == 0 and "16 images" in output and {line.split()[0] for line in output.splitlines()[1:]} == set(METRICS)
    path.write_text(path.read_text() + "one more\n")
    status, _, errors = run(*written)
    assert status == 2 and "has 16 lines, but captions.txt has 17 lines" in errors
    (tmp_path / "images.txt").write_text("cat.jpg\n" * 17)
    status, _, errors = run(*written)
    assert status == 2 and "no photograph 'cat.jpg'" in errors


@pytest.mark.skipif(not (SHARED / "golden").is_dir(), reason="the published captions are not here")
def test_score_reproduces_published_metrics(run):
    folder = SHARED / "golden" / "where-image2"
    head, *lines = [line.split("\t") for line in (folder / "metrics.tsv").read_text().splitlines()]
    published = next(dict(zip(head, line, strict=True)) for line in lines if line[:2] == ["merge", "1"])
    titles = {"bleu1": "Bleu_1", "bleu2": "Bleu_2", "bleu3": "Bleu_3", "bleu4": "Bleu_4", "rouge_l": "ROUGE_L", "cider": "CIDEr"}
    names = ["--images", folder / "images.txt", "--captions", folder / "merge_1.txt"]
    status, output, _ = run("score", "--data", SHARED / "flickr8k", *names, "--json")
    found = json.loads(output)["metrics"]
    assert status == 0 and found == pytest.approx({name: float(published[title]) for name, title in titles.items()}, abs=5e-5)
