"""The metrics against numbers worked out by hand, a second implementation, and published scores; METEOR is optional."""

import csv
import math
import os
import random
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from captioner.errors import DatasetError
from captioner.scoring.metrics import (
    METEOR_JAR,
    METRICS,
    ROUGE_L,
    Scorer,
    _final_score,
    longest_common_subsequence,
    meteor,
    meteor_available,
    score,
    summarise,
)

SHARED = Path(__file__).resolve().parents[3] / "shared"
JAR = os.environ[METEOR_JAR] if meteor_available() else ""


@pytest.fixture(autouse=True)
def no_meteor(monkeypatch):
    monkeypatch.delenv(METEOR_JAR, raising=False)


CAPTIONS = ["a dog runs fast", "Two two cats!"]
REFERENCES = [["A dog runs.", "The dog runs fast."], ["Two cats sit.", "Cats."]]


def test_bleu_by_hand():
    # Matching of possible n-grams. Image 1: 4/4, 3/3, 2/2, 0/1. Image 2: 'two' counts once as in its reference: 2/3, 1/2, 0/1.
    # Together 6/7, 4/5, 2/3, 0/1. Lengths 4 and 3, and there are references of just these lengths: nothing off for brevity.
    scores = Scorer(REFERENCES).score(CAPTIONS)
    np.testing.assert_array_equal(scores.table[:, :10], [[4, 3, 2, 0, 4, 3, 2, 1, 4, 4], [2, 1, 0, 0, 3, 2, 1, 0, 3, 3]])
    assert scores.metrics["bleu1"] == pytest.approx(6 / 7)
    assert scores.metrics["bleu2"] == pytest.approx((6 / 7 * 4 / 5) ** (1 / 2))
    assert scores.metrics["bleu3"] == pytest.approx((6 / 7 * 4 / 5 * 2 / 3) ** (1 / 3))
    assert scores.metrics["bleu4"] == pytest.approx(0, abs=2e-4)


def test_brevity_by_hand():
    # 4 words where references have 5 and 3, equally near: the shorter counts, so nothing is taken off.
    assert score(["a b c d"], [["a b c d e", "a b c"]])["bleu1"] == pytest.approx(1)
    # 2 words where the nearest reference has 5: exp(1 - 5/2).
    assert score(["a b"], [["a b c d e", "a b c d e f"]])["bleu1"] == pytest.approx(math.exp(-1.5))


def test_rouge_l_by_hand():
    # Image 1: 3 words in common with each; precision 3/4, best recall 3/3. Image 2: 2 and 1; precision 2/3, best recall 1/1.
    expected = [2.44 * 3 / 4 / (1 + 1.44 * 3 / 4), 2.44 * 2 / 3 / (1 + 1.44 * 2 / 3)]
    scores = Scorer(REFERENCES).score(CAPTIONS)
    assert scores.table[:, ROUGE_L] == pytest.approx(expected)
    assert scores.metrics["rouge_l"] == pytest.approx(sum(expected) / 2)


def test_cider_by_hand():
    # Every n-gram belongs to one image of two, so every weight is its count times log 2, and log 2 cancels in each cosine.
    root = math.sqrt
    first = (3 / (2 * root(3)) + 2 / root(3 * 2) + 1 / root(2)) * math.exp(-1 / 72)  # Orders 1, 2, 3; lengths 4 and 3.
    second = 3 / 4 + 2 / 3 + 1 / 2  # The same length.
    third = 2 / root(5 * 3) + 1 / 2  # 'two' is clipped from 2 to 1.
    fourth = 1 / root(5) * math.exp(-4 / 72)
    scores = Scorer(REFERENCES).score(CAPTIONS)
    assert scores.cider == pytest.approx([10 / 4 * (first + second) / 2, 10 / 4 * (third + fourth) / 2])
    assert scores.metrics["cider"] == pytest.approx(scores.cider.mean())


def ngrams(words, order):
    return Counter(zip(*(words[start:] for start in range(order)), strict=False))


def slow_bleu(captions, references):
    """Exact precisions, without the tiny constants; only for captions that match something of every order."""
    product, results = Fraction(1), []
    length = sum(map(len, captions))
    nearest = sum(min((abs(len(r) - len(c)), len(r)) for r in image)[1] for c, image in zip(captions, references, strict=True))
    for order in range(1, 5):
        matching = possible = 0
        for caption, image in zip(captions, references, strict=True):
            for ngram, count in ngrams(caption, order).items():
                matching += min(count, max(ngrams(reference, order)[ngram] for reference in image))
                possible += count
        product *= Fraction(matching, possible)
        results.append(math.exp(min(0, 1 - Fraction(nearest, length))) * float(product) ** (1 / order))
    return results


def slow_subsequence(first, second):
    lengths = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for row, one in enumerate(first):
        for column, two in enumerate(second):
            longest = max(lengths[row][column + 1], lengths[row + 1][column])
            lengths[row + 1][column + 1] = lengths[row][column] + 1 if one == two else longest
    return lengths[-1][-1]


def slow_cider(captions, references):
    """CIDEr-D with dense vectors over all n-grams there are."""
    values = np.zeros(len(captions))
    for order in range(1, 5):
        every = sorted({ngram for words in [*captions, *sum(references, [])] for ngram in ngrams(words, order)})
        seen = [sum(any(ngrams(words, order)[ngram] for words in image) for image in references) for ngram in every]
        weights = np.log(len(references) / np.maximum(1, seen))
        for place, (caption, image) in enumerate(zip(captions, references, strict=True)):
            own = np.array([ngrams(caption, order)[ngram] for ngram in every]) * weights
            for reference in image:
                other = np.array([ngrams(reference, order)[ngram] for ngram in every]) * weights
                norms = np.linalg.norm(own) * np.linalg.norm(other)
                penalty = math.exp(-((len(caption) - len(reference)) ** 2) / 72)
                values[place] += penalty * (np.minimum(own, other) @ other) / norms / len(image) if norms else 0
    return values * 10 / 4


def random_captions(seed, images):
    chosen = random.Random(seed)
    drawn = [[chosen.choices("abc", k=chosen.randint(4, 9)) for _ in range(chosen.randint(2, 6))] for _ in range(images)]
    return [image[0] for image in drawn], [image[1:] for image in drawn]


@pytest.mark.parametrize("seed", range(6))
def test_a_second_implementation_agrees(seed):
    captions, references = random_captions(seed, images=10)
    scores = Scorer(references).score(captions)
    assert [scores.metrics[f"bleu{order}"] for order in range(1, 5)] == pytest.approx(slow_bleu(captions, references), abs=1e-9)
    assert scores.cider == pytest.approx(slow_cider(captions, references), abs=1e-12)
    for caption, image in zip(captions, references, strict=True):
        for reference in image:
            assert longest_common_subsequence(caption, reference) == slow_subsequence(caption, reference)


def test_a_reference_scores_as_well_as_can_be():
    _, references = random_captions(7, images=10)
    metrics = score([image[-1] for image in references], references)
    assert [metrics[name] for name in METRICS[:5]] == pytest.approx([1.0] * 5)
    assert score(["a b c d", "e f g h"], [["a b c d"], ["e f g h"]])["cider"] == pytest.approx(10)
    assert score(["a b c d"], [["a b c d"]])["cider"] == 0  # With one image every weight is 0.


def test_texts_and_words_score_alike_and_empty_references_do_not_count():
    words = [[text.lower().strip(".!").split() for text in image] for image in REFERENCES]
    assert score(CAPTIONS, REFERENCES) == score([["a", "dog", "runs", "fast"], ["two", "two", "cats"]], words)
    assert score(CAPTIONS, [[*image, "", "!"] for image in REFERENCES]) == score(CAPTIONS, REFERENCES)
    assert tuple(score(CAPTIONS, REFERENCES)) == METRICS


def test_a_caption_without_words_scores_nothing():
    empty = Scorer(REFERENCES).score(["", "..."])
    assert all(value == pytest.approx(0, abs=1e-12) for value in empty.metrics.values())
    half = Scorer(REFERENCES).score(["", CAPTIONS[1]])
    assert (half.table[0, ROUGE_L], half.cider[0]) == (0, 0)
    assert half.metrics["bleu1"] == pytest.approx(2 / 3 * math.exp(1 - 6 / 3))


@pytest.mark.parametrize(
    ("captions", "references", "sentence"),
    [
        (CAPTIONS[:1], REFERENCES, "list of 2 captions, one per image, but got a list of 1"),
        ("ab", REFERENCES, "list of 2 captions, one per image, but got one text"),
        ([], [], "no image to score"),
        (CAPTIONS, [["a dog"], []], "Image 2 has no reference"),
        (CAPTIONS, [["..."], ["a dog"]], "Image 1 has no reference"),
        (CAPTIONS, ["a dog", ["a dog"]], "references of image 1 are one text"),
    ],
)
def test_what_cannot_be_scored_is_refused(captions, references, sentence):
    with pytest.raises(DatasetError, match=sentence):
        score(captions, references)


def test_the_table_of_some_images_sums_to_the_metrics_of_those_images():
    captions, references = random_captions(8, images=9)
    scores = Scorer(references).score(captions)
    drawn = [3, 3, 0, 8, 5, 5, 5]
    again = summarise(scores.table[drawn].sum(axis=0), len(drawn))
    expected = score([captions[image] for image in drawn], [references[image] for image in drawn])
    for name in METRICS[:5]:
        assert again[name] == pytest.approx(expected[name])
    assert again["cider"] == pytest.approx(scores.cider[drawn].mean())


@pytest.fixture(scope="module")
def published():
    folder, texts = SHARED / "golden" / "where-image2", SHARED / "flickr8k" / "Flickr8k_text" / "Flickr8k.token.txt"
    if not folder.is_dir() or not texts.is_file():
        pytest.skip("the published captions are not at hand")
    captions = defaultdict(list)
    for line in texts.read_text(encoding="utf-8").splitlines():
        name, _, text = line.partition("\t")
        captions[name.partition("#")[0]].append(text)
    rows = list(csv.DictReader((folder / "metrics.tsv").open(encoding="utf-8"), delimiter="\t"))
    written = [(folder / f"{row['architecture']}_{row['run']}.txt").read_text(encoding="utf-8").splitlines() for row in rows]
    return [captions[name] for name in (folder / "images.txt").read_text().split()], list(zip(written, rows, strict=True))


def test_published_scores_come_out_again(published):
    references, systems = published
    scorer = Scorer(references)
    assert len(systems) == 6
    for captions, row in systems:
        metrics = scorer.score(captions).metrics
        expected = [float(row[name]) for name in ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr")]
        assert [round(metrics[name], 4) for name in METRICS] == [round(value, 4) for value in expected]


def test_without_its_program_or_java_meteor_is_absent(monkeypatch, tmp_path):
    for jar in (None, "", str(tmp_path / "none.jar"), str(tmp_path)):
        monkeypatch.delenv(METEOR_JAR, raising=False) if jar is None else monkeypatch.setenv(METEOR_JAR, jar)
        assert not meteor_available()
        assert tuple(score(CAPTIONS, REFERENCES)) == METRICS
    (tmp_path / "meteor.jar").touch()
    monkeypatch.setenv(METEOR_JAR, str(tmp_path / "meteor.jar"))
    with pytest.raises(DatasetError, match="METEOR failed"):
        meteor([["a"]], [[["a"]]])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not meteor_available()


def test_the_final_score_is_read_from_the_report():
    assert _final_score("Segment 1 score:\t0.3\n\nFinal score:            0.1932946443\n") == 0.1932946443
    with pytest.raises(DatasetError, match="no final score"):
        _final_score("Segment 1 score:\t0.3\n")


@pytest.mark.skipif(not JAR, reason=f"needs Java and meteor-1.5.jar, named by {METEOR_JAR}")
def test_the_real_program_knows_a_perfect_caption(monkeypatch):
    monkeypatch.setenv(METEOR_JAR, JAR)
    captions, references = ["a dog runs", "two cats"], [["a dog runs", "the dog"], ["two cats"]]
    assert score(captions, references)["meteor"] == pytest.approx(1.0)
    assert score(["the dog", "a cat"], references)["meteor"] < 1
