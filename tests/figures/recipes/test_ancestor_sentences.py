"""What the table of older recipes says, against sums worked by hand."""

from dataclasses import replace
from statistics import fmean

from captioner.config import VARIANTS
from captioner.experiments.plans import RECIPES
from captioner.figures.recipes import ancestor_sentences as sentences
from support.written_recipes import gave_up, record
from support.written_study import write_study

TABLE = RECIPES.trials(["table"])
STACKED, RELU, JOINED = RECIPES.trials(["notes"])


def test_recipes_are_held_against_their_relatives_by_their_means():
    ciders = {"course": (0.43, 0.44, 0.45), "show-and-tell": (0.44, 0.45, 0.46), "resnet152-lstm": (0.5, 0.6, 0.7)}
    records = [record(one, cider=ciders.get(one.preset, (0.4,) * 3)[list(VARIANTS).index(one.variant)]) for one in TABLE]
    assert sentences.held_against(records) == (
        "Test CIDEr, mean over the embeddings, against the published systems in which the photograph enters in the same way. "
        "As good or better: resnet152-lstm 0.600 (Pre-inject, 2018: 0.469). Worse by 0.03 or less: course 0.440 (Merge, 2018: "
        "0.469). Worse by more: show-and-tell 0.450 (Init-inject, 2018: 0.481) and stacked 0.400 (Merge, 2018: 0.469). Soft "
        "attention, 2015, was published without a CIDEr: its BLEU-4 is 0.195 by another BLEU implementation without the "
        "brevity penalty, that of attention here 0.200; they are only roughly comparable."
    )


def test_what_came_of_them_is_told_from_the_study(tmp_path):
    study = write_study(tmp_path)
    means = {(one.variant.name, one.on_original_encoder): fmean(one.runs["cider"]) for one in study.stage("first")}
    told = sentences.descendant([record(one) for one in TABLE], study)
    assert f"on the same CNN Word2Vec {means['word2vec', True]:.3f} (seeds: 2); on the adapted one Learned" in told
    assert f"FastText {means['fasttext', False]:.3f} (seeds: 2)." in told and "Random" not in told
    assert "shown 6 views of each photograph, the older ones 1, and" in told


def test_a_study_without_the_same_cnn_is_not_told(tmp_path):
    study = write_study(tmp_path)
    own = replace(study, groups=tuple(group for group in study.groups if not group.on_original_encoder))
    assert sentences.descendant([record(STACKED)], study) and sentences.descendant([record(STACKED)], own) == ""


def test_the_study_is_not_held_against_other_photographs_or_cnns(tmp_path):
    study = write_study(tmp_path)
    assert sentences.descendant([record(STACKED)], None) == sentences.descendant([], study) == ""
    for changes in ({"data": "shapes"}, {"encoder": "VGG16"}):
        assert sentences.descendant([record(STACKED), record(TABLE[0], **changes)], study) == ""


def test_the_conditions_are_those_of_the_records():
    told = sentences.conditions([record(TABLE[0], cores=1), record(TABLE[1])])
    assert "through efficientnet-lite2; each row is one training (seed 1) on 1 to 2 cores," in told
    assert "on 1 core," in sentences.conditions([record(TABLE[0], cores=1)])
    assert "older CNN" not in sentences.conditions([record(TABLE[0], data="shapes")])


def test_only_the_published_systems_that_are_shown_are_told_of():
    course, attention = TABLE[0], TABLE[-1]
    merge = "Merge, 2018 looked through an older CNN, VGG16; the figures are the mean of 3 trainings."
    soft = "Soft attention, 2015 looked through an older CNN, VGG19; the figures are of one training."
    both = "Merge, 2018 and Init-inject, 2018 looked through an older CNN, VGG16; the figures are each the mean of 3 trainings."
    assert sentences.conditions([record(course)]).endswith(f"resnet152-lstm. {merge}")
    assert sentences.conditions([record(attention)]).endswith(f"resnet152-lstm. {soft}")
    assert sentences.conditions([record(course), record(TABLE[3]), record(attention)]).endswith(f"{both} {soft}")


def test_what_relu_does_is_told_from_both_trainings():
    relu = record(RELU, cider=0.123, losses=((6.5, 6.25), (6.0, 5.75)))
    told = sentences.relu_note([record(STACKED), relu])
    assert "a dev loss of 5.750 instead of 2.800" in told
    assert "a test CIDEr of 0.123 (0.093 to 0.153) instead of 0.500 (0.470 to 0.530)" in told
    assert told.endswith("training loss of its first epoch is 6.500 instead of 4.000. That is one training of each.")
    near = sentences.relu_note([record(STACKED), record(RELU, cider=0.45)])
    assert near.endswith("That is one training of each, and the intervals overlap.")
    told = sentences.relu_note([record(STACKED), gave_up(RELU)])
    assert told.endswith("could not be trained to its end: after 1 whole epoch its loss ran away.")
    assert sentences.relu_note([relu]) == sentences.relu_note([record(STACKED)]) == ""


def test_what_other_splits_do_is_told_from_both_trainings():
    told = sentences.splits_note([record(STACKED), record(JOINED, cider=0.55, words=120)])
    assert "(6,999 photographs in place of 5,999, 120 words in place of 100)" in told
    assert "0.550 (0.520 to 0.580) instead of 0.500 (0.470 to 0.530). That is one training of each, and the int" in told
    assert sentences.splits_note([record(STACKED)]) == ""
