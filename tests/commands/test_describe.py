"""The counts of `describe`, against the parameters that a course project published and against sums by hand."""

import json

import pytest

from captioner.__main__ import main
from captioner.commands.describe import FEATURES, REGIONS
from captioner.config import ADAPTED, LITE2
from captioner.presets import OLDER_RECIPES, PRESETS

WORD2VEC = ("--preset", "course", "--variant", "word2vec", "--vocabulary", "7577", "--features", "2048")
FASTTEXT = ("--preset", "course", "--variant", "fasttext", "--vocabulary", "7577", "--rows", "8829", "--features", "2048")


def described(capsys, *arguments):
    assert main(["describe", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_course_with_word2vec(capsys):
    found = described(capsys, *WORD2VEC)
    assert list(found) == ["parameters", "trainable", "layers"] and found["parameters"] == 5_381_093
    assert found["trainable"] == 5_381_093 - 2_273_100
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert {name: layer["parameters"] for name, layer in layers.items()} == {
        "table": 2_273_100, "image": 524_544, "lstm0": 570_368, "hidden": 65_792, "words": 1_947_289,
    }  # fmt: skip
    assert layers["table"] == {"name": "table", "parameters": 2_273_100, "trainable": 0, "weights": {"table": [7577, 300]}}
    assert layers["lstm0"]["weights"] == {"kernel": [300, 1024], "recurrent_kernel": [256, 1024], "bias": [1024]}


def test_the_course_with_fasttext_of_10_dimensions(capsys):
    found = described(capsys, *FASTTEXT, "--embedding", "10")
    layers = {layer["name"]: layer["parameters"] for layer in found["layers"]}
    assert (found["parameters"], layers["table"], layers["lstm0"]) == (2_899_323, 88_290, 273_408)
    assert found["trainable"] == 2_899_323 - 88_290


def test_a_learned_table_is_trained(capsys):
    found = described(capsys, *WORD2VEC[:2], "--variant", "learned", *WORD2VEC[4:])
    assert found["trainable"] == found["parameters"] == 5_381_093


def by_hand(preset, words, channels):
    """Every layer’s inputs, plus one for the bias, times its outputs."""
    if preset == "show-and-tell":
        return words * 512 + (channels + 1) * 512 + 2 * 513 * 512 + (512 + 512 + 1) * 4 * 512 + 513 * words
    if preset == "resnet152-lstm":
        return words * 256 + (channels + 1) * 256 + 4 * 256 + (256 + 512 + 1) * 4 * 512 + 513 * words
    if preset == "stacked":
        layers = (300 + 256 + 1) * 1024 + 3 * (256 + 256 + 1) * 1024
        return words * 300 + (9 * channels + 1) * 256 + layers + 257 * 256 + 257 * words
    look = 256 * 256 + 513 * 256 + 256 + 256 * 4 * 512
    first = (channels + 1) * 256 + 2 * 257 * 512
    return words * 300 + first + look + (300 + 512 + 1) * 4 * 512 + (512 + 256 + 1) * 512 + 513 * words


@pytest.mark.parametrize("preset", OLDER_RECIPES[1:])
def test_the_other_recipes_by_hand(capsys, preset):
    found = described(capsys, "--preset", preset, "--vocabulary", 50, "--features", 20, "--regions", 36)
    assert found["parameters"] == by_hand(preset, 50, 20)


def test_the_table_for_people_adds_up(capsys):
    assert main(["describe", *WORD2VEC, "--set", "hidden_units=0"]) == 0
    shown = capsys.readouterr().out
    assert "total" in shown and "hidden" not in shown and f"{5_381_093 - 65_792:,}" in shown


def test_the_default_grid_is_that_of_every_presets_encoder(capsys, encoder):
    assert {preset.encoder for preset in PRESETS.values()} == {LITE2, ADAPTED}
    assert (encoder.channels, encoder.regions) == (FEATURES, REGIONS)
    (count,) = {described(capsys, "--preset", "resnet152-lstm", "--vocabulary", 50, *more)["parameters"]
                for more in ((), ("--features", 1280), ("--regions", 81))}  # fmt: skip
    assert count == by_hand("resnet152-lstm", 50, 1280)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--variant", "glove", "--vocabulary", "9"), "no variant 'glove'"),
        (("--vocabulary", "9", "--rows", "8"), "too small for 9 words"),
        (("--vocabulary", "9", "--preset", "parrot"), "no preset 'parrot'"),
        (("--vocabulary", "9", "--set", "heads=7"), "must be a multiple of heads"),
        (
            ("--vocabulary", "9", "--embedding", "10", "--set", "embedding_dimensions=50"),
            "--embedding 10 and --set embedding_dimensions=50",
        ),
    ],
)
def test_an_impossible_decoder_is_an_error(capsys, arguments, sentence):
    assert main(["describe", *arguments]) == 2
    assert sentence in capsys.readouterr().err
