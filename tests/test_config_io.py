"""Settings as data: there and back, and every way in which written or stored settings can be wrong."""

import doctest
import json

import pytest

from captioner import config_io as module
from captioner.config import FIRST, REWARD, SHIPPED, AdaptationConfig, RewardConfig
from captioner.config_io import changed, preset_from_json, to_json, with_settings
from captioner.errors import CheckpointError, ConfigError
from captioner.presets import PRESETS, find_preset


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_a_preset_there_and_back(preset):
    assert preset_from_json(json.loads(json.dumps(to_json(preset)))) == preset


STORED = sorted(SHIPPED.glob("**/config.json"))


@pytest.mark.parametrize("path", STORED, ids=lambda path: str(path.relative_to(SHIPPED).parent))
def test_stored_settings_stay_as_they_are_to_the_letter(path):
    """Hashes are made of them, so a switch of a later version is stored only where it differs from its default."""
    stored = json.loads(path.read_text())["preset"]
    again = to_json(preset_from_json(stored))
    if "flaw_penalty" not in stored["reward"]:  # The one setting without a switch that older files lack.
        assert again["reward"].pop("flaw_penalty") == 0.0
    assert json.dumps(again) == json.dumps(stored)


def test_a_switch_is_named_where_it_is_moved():
    moved = to_json(find_preset("stacked"))
    assert moved["decoder"]["pooling"] == "blocks" and not {"attention", "additive"} & set(moved["decoder"])
    assert "search" not in moved
    assert to_json(find_preset("resnet152-lstm"))["search"]["maximum_words"] == 20


def test_settings_given_as_text():
    tiny = find_preset("tiny")
    first = changed(tiny, FIRST, {"epochs": "3", "units": "64", "learning_rate": "1e-3", "window": "4", "image_entry": "merge"})
    assert (first.training.epochs, first.embedding.epochs, first.reward) == (3, tiny.embedding.epochs, tiny.reward)
    assert (first.decoder.units, first.training.learning_rate, first.embedding.window) == (64, 1e-3, 4)
    second = changed(tiny, REWARD, {"epochs": "2", "samples": "7"})
    assert (second.reward.epochs, second.reward.samples, second.training) == (2, 7, tiny.training)
    for stage, settings, sentence in (
        (FIRST, {"samples": "7"}, "no setting 'samples'"),
        (REWARD, {"label_smoothing": "0"}, "no setting 'label_smoothing'; choose one of averaging, .*temperature"),
        (REWARD, {"dropout": "0.1"}, "no setting 'dropout'"),
        (FIRST, {"additive": "1"}, "no setting 'additive'"),  # a property
        (REWARD, {"samples": "1"}, "samples of 2 or more.* not 1, 12, 1 and 0"),
        (REWARD, {"temperature": "0"}, "a temperature above 0"),
        (REWARD, {"feature_dropout": "1"}, "feature_dropout from 0 to below 1"),
        (FIRST, {"units": "2.5"}, "'units' is a whole number such as 32, not '2.5'"),
        (FIRST, {"dropout": "nan"}, "'dropout' is a number such as 0.1, not 'nan'"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            changed(tiny, stage, settings)


def test_one_table_of_settings_given_as_text():
    found = with_settings(AdaptationConfig(), {"epochs": "2", "first_block": "blocks_5"})
    with pytest.raises(ConfigError, match="leave views at 1"):
        with_settings(AdaptationConfig(), {"views": "6"})
    assert (found.epochs, found.first_block, found.light) == (2, "blocks_5", AdaptationConfig().light)
    with pytest.raises(ConfigError, match="no setting 'flat'; choose one of averaging, .*warmup_epochs"):
        with_settings(AdaptationConfig(), {"flat": "5"})


def test_the_example_says_what_is_so():
    assert doctest.testmod(module).failed == 0 < doctest.testmod(module).attempted


@pytest.fixture
def stored():
    return to_json(find_preset("tiny"))


def test_files_keep_the_name_of_a_renamed_setting(stored):
    assert stored["reward"].pop("temper") == RewardConfig(temperature=1.0).temperature
    stored["reward"]["temper"] = 0.4
    assert preset_from_json(stored).reward.temperature == 0.4


def test_whole_numbers_pass_for_decimal_ones(stored):
    stored["decoder"]["dropout"] = 0
    read = preset_from_json(stored).decoder.dropout
    assert read == 0.0 and type(read) is float


@pytest.mark.parametrize(
    ("section", "name", "value", "expected"),
    [
        ("decoder", "units", "512", "a valid integer, but is '512'"),
        ("decoder", "units", True, "a valid integer, but is True"),
        ("decoder", "image_entry", "side", "'attention', 'merge', 'init' or 'pre', but is 'side'"),
        ("training", "learning_rate", float("nan"), "a finite number, but is nan"),
        ("training", "momentum", 0.9, "is not known"),
    ],
)
def test_a_value_that_does_not_fit_is_named(stored, section, name, value, expected):
    stored[section][name] = value
    with pytest.raises(CheckpointError, match=f"'{section}.{name}' .*{expected}"):
        preset_from_json(stored)


def test_missing_settings_and_things_that_are_no_settings(stored):
    for wrong in (None, [], "tiny", 3):
        with pytest.raises(CheckpointError, match="The preset: the content should be an object"):
            preset_from_json(wrong)
        with pytest.raises(CheckpointError, match="'training' should be an object"):
            preset_from_json(stored | {"training": wrong})
    del stored["reward"]  # Earlier versions had no second stage.
    assert preset_from_json(stored).reward == RewardConfig()
    del stored["decoder"]["heads"]
    with pytest.raises(CheckpointError, match="'decoder.heads' is missing"):
        preset_from_json(stored)
    del stored["training"]
    with pytest.raises(CheckpointError, match="is missing"):
        preset_from_json(stored)
