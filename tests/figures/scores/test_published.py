"""Published figures are fractions with a source, and means where there are several runs."""

import pytest

from captioner.figures.scores.published import FROZEN_CIDER, PUBLISHED, System, in_short
from captioner.figures.scores.scoreboard import TITLES


def test_a_system_has_the_mean_of_its_runs():
    assert System("x", "y", "z", ({"cider": 0.4}, {"cider": 0.5})).metrics == pytest.approx({"cider": 0.45})


def test_the_range_of_frozen_cnns_holds_the_ones_that_are_listed_by_cider():
    listed = [run["cider"] for system in PUBLISHED for run in system.runs if "cider" in run]
    lowest, highest = FROZEN_CIDER
    assert listed and lowest <= min(listed) and max(listed) <= highest


def test_hard_attention_is_named_with_what_was_other_about_its_bleu():
    hard = next(system for system in PUBLISHED if "Hard attention" in system.title)
    caveat = hard.scoring.split(", and for")[0]
    assert f"BLEU-4 {hard.metrics['bleu4']}" in in_short() and caveat in in_short() and "roughly" in in_short()


@pytest.mark.parametrize("system", PUBLISHED, ids=lambda system: system.title)
def test_every_system_names_its_source_and_falls_with_longer_runs_of_words(system):
    assert system.source and system.scoring and set(system.metrics) <= set(TITLES)
    bleu = [system.metrics[name] for name in ("bleu1", "bleu2", "bleu3", "bleu4") if name in system.metrics]
    if set(system.metrics) != {"cider"}:  # Of one no captions were given away, and no more than that is known.
        assert len(bleu) >= 3 and bleu == sorted(bleu, reverse=True) and 0 < bleu[-1] < bleu[0] < 1
    assert all(run.keys() == system.runs[0].keys() for run in system.runs)
