"""What a decoder's files say of it, and what is told when they do not."""

import shutil

from captioner.figures.decoder.facts import Facts, read_facts
from captioner.figures.decoder.parameters import count_parameters


def test_everything_is_found(tiny_run):
    facts, problems = read_facts(tiny_run / "word2vec")
    assert problems == [] and facts.history.seed == 1
    assert facts.parameters == count_parameters(tiny_run / "word2vec")
    assert len(facts.history.epochs) == 3 and facts.history.variant.name == "word2vec"


def test_each_thing_may_be_missing_alone(tiny_run, tmp_path):
    folder = shutil.copytree(tiny_run / "learned", tmp_path / "learned")
    (folder / "history.json").unlink()
    facts, problems = read_facts(folder)
    assert facts == Facts(parameters=count_parameters(folder))
    assert ["no curve yet" in str(problem) for problem in problems] == [True]
    shutil.rmtree(folder)
    assert read_facts(folder)[0] == Facts()
