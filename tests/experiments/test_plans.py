"""The trials of each plan, and what a trial changes about its preset."""

from collections import Counter
from dataclasses import replace

from captioner.config import CONTROLS, FIRST, REWARD, STAGES, VARIANTS
from captioner.experiments.plans import ABLATION, FLICKR8K, PLANS, RECIPES, SEEDS, Trial, overrides, repeated_seeds
from captioner.presets import OLDER_RECIPES, PRESETS
from support.recipe_factory import dimensions


def names(trials):
    return [(trial.preset, trial.stage, trial.variant, trial.seed) for trial in trials]


def test_the_seeds_go_through_both_stages_one_after_the_other():
    trials = repeated_seeds("tiny", 3, 2, 1).trials()
    assert names(trials) == [
        *(("tiny", stage, name, seed) for seed in (1, 2) for stage in (FIRST, REWARD) for name in VARIANTS),
        *(("tiny", FIRST, name, 3) for name in VARIANTS),
        *(("tiny", FIRST, name, 1) for name in CONTROLS),
    ]
    assert repeated_seeds("tiny", 1, 5, 0).trials()[-1].seed == 1  # No second stage without a first.


def test_the_study_on_flickr8k_ends_with_the_same_on_the_original_encoder():
    frozen = [trial for trial in FLICKR8K.trials() if trial.preset != "flickr8k"]
    assert FLICKR8K.trials()[-6:] == frozen == FLICKR8K.trials(["original"]) and len(FLICKR8K.trials()) == 38
    assert names(frozen) == [("triptych-frozen", FIRST, name, seed) for seed in (1, 2) for name in VARIANTS]
    own, original = PRESETS["flickr8k"], PRESETS["triptych-frozen"]
    assert replace(original, name=own.name, encoder=own.encoder) == own and own.encoder != original.encoder


def test_the_plan_that_ships_has_three_seeds_of_the_three_alone():
    found = Counter((trial.stage, trial.variant) for trial in PLANS[SEEDS].trials())
    assert found == {(stage, name): 3 for stage in STAGES for name in VARIANTS}
    assert PLANS[SEEDS].place == "" and FLICKR8K.place == "flickr8k"


def test_a_plan_knows_its_trials_with_more_seeds():
    plan = repeated_seeds("triptych", 1, 0, 0)
    more = repeated_seeds("triptych", 9, 9, 9).trials()
    assert set(more) <= set(plan.order) and list(plan.order)[:3] == plan.trials()
    assert Trial("tiny", "learned") not in plan.order
    assert Trial("triptych", "learned", overrides=(("decoder.units", 8),)) not in plan.order


def test_the_recipes_have_every_trial_once():
    whole = RECIPES.trials()
    assert len(set(whole)) == len(whole) == 35
    assert set(whole) == {one for part in RECIPES.parts for one in RECIPES.trials([part])}
    table, question, notes = (RECIPES.trials([part]) for part in RECIPES.parts)
    assert [(one.preset, one.variant) for one in table] == [(preset, name) for preset in OLDER_RECIPES for name in VARIANTS]
    assert all(one.settings == PRESETS[one.preset] for one in table)
    widths = Counter((one.variant, one.seed) for one in question)
    counts = {"word2vec": 4, "fasttext": 4, "random": 2}
    assert widths == {(name, seed): count for seed in (1, 2) for name, count in counts.items()}
    assert {dimensions(one) for one in question if one.variant == "random"} == {10, 300}
    told = [(one.settings.decoder.activation, one.splits) for one in notes]
    assert told == [("tanh", "standard"), ("relu", "standard"), ("tanh", "7000-1000")]


def test_the_ablation_has_every_combination_and_no_sentences():
    settings = [trial.settings for trial in ABLATION.trials()]
    kinds = {(one.decoder.word_slots, one.training.other_share, one.training.sentences) for one in settings}
    assert kinds == {(0, 0.0, 0), (0, 1.0, 0), (4, 0.0, 0), (4, 1.0, 0)} and len(settings) == 24


def test_no_two_trials_are_trained_in_one_folder():
    trials = {trial for plan in PLANS.values() for trial in plan.order}
    assert len({(trial.label, trial.place) for trial in trials}) == len(trials)


def test_a_new_experiment_takes_rows_alone():
    """Any setting of any part, the encoder too, can be overridden."""
    changed = (("encoder", "VGG16"), ("decoder.units", 8), ("training.views", 2), ("search.beam", 1))
    plan = replace(RECIPES, parts={"mine": {Trial("tiny", "learned", overrides=changed): 2}})
    one, two = plan.trials()
    settings = two.settings
    assert (settings.encoder, settings.decoder.units, settings.training.views, settings.search.beam) == ("VGG16", 8, 2, 1)
    assert overrides(settings, FIRST) == changed and Trial.of(settings, "learned", seed=2) == two
    assert two.label == one.label == "tiny-encoder-VGG16-decoder.units-8-training.views-2-search.beam-1"
    assert str(two) == "tiny, learned, first stage, seed 2, encoder VGG16, units 8, views 2, beam 1"


def test_a_first_stage_does_not_depend_on_the_settings_of_the_second():
    tiny = PRESETS["tiny"]
    changed = replace(tiny, reward=replace(tiny.reward, epochs=9), decoder=replace(tiny.decoder, units=8))
    reward = Trial.of(changed, "learned", REWARD, seed=3)
    assert reward.overrides == (("decoder.units", 8), ("reward.epochs", 9))
    assert reward.start == Trial.of(changed, "learned", FIRST, seed=3) and reward.start.overrides == (("decoder.units", 8),)
