"""METEOR where it is installed; everywhere else it must be absent, and never be another METEOR."""

import os

import pytest

from captioner.errors import DatasetError
from captioner.scoring import meteor
from captioner.scoring.metrics import METRICS, score

CAPTIONS, REFERENCES = ["a dog runs", "two cats"], [["a dog runs", "the dog"], ["two cats"]]
installed = pytest.mark.skipif(not meteor.available(), reason="needs Java and meteor-1.5.jar, named by " + meteor.JAR)


def test_without_its_program_it_is_absent(monkeypatch, tmp_path):
    for jar in (None, "", str(tmp_path / "none.jar"), str(tmp_path)):
        monkeypatch.delenv(meteor.JAR, raising=False) if jar is None else monkeypatch.setenv(meteor.JAR, jar)
        assert not meteor.available()
        assert tuple(score(CAPTIONS, REFERENCES)) == METRICS


def test_without_java_it_is_absent(monkeypatch, tmp_path):
    (tmp_path / "meteor.jar").touch()
    monkeypatch.setenv(meteor.JAR, str(tmp_path / "meteor.jar"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not meteor.available()


def test_a_program_that_does_not_run_is_told(monkeypatch, tmp_path):
    (tmp_path / "meteor.jar").touch()
    monkeypatch.setenv(meteor.JAR, str(tmp_path / "meteor.jar"))
    with pytest.raises(DatasetError, match="METEOR could not be run"):
        meteor.score([["a"]], [[["a"]]])


def test_the_final_score_is_read_from_the_report():
    assert meteor._final_score("Segment 1 score:\t0.3\n\nFinal score:            0.1932946443\n") == 0.1932946443
    with pytest.raises(DatasetError, match="without a final score"):
        meteor._final_score("Segment 1 score:\t0.3\n")


@installed
def test_the_real_program_knows_a_perfect_caption():
    assert os.environ[meteor.JAR]
    metrics = score(CAPTIONS, REFERENCES)
    assert metrics["meteor"] == pytest.approx(1.0)
    assert score(["the dog", "a cat"], REFERENCES)["meteor"] < 1
