"""The rows of data that recipes, variants and stages are."""

import pytest

from captioner.config import VARIANTS, DecoderConfig, find_variant
from captioner.errors import ConfigError
from captioner.presets import PRESETS, find_preset


def test_rows_are_found_by_their_names():
    assert all(find_variant(name).name == name for name in VARIANTS) and list(VARIANTS) == ["learned", "word2vec", "fasttext"]
    assert all(find_preset(name).name == name for name in PRESETS) and {"triptych", "tiny"} <= set(PRESETS)
    with pytest.raises(ConfigError, match="no variant 'glove'; choose one of learned, word2vec, fasttext"):
        find_variant("glove")
    with pytest.raises(ConfigError, match="no preset 'huge'; choose one of triptych"):
        find_preset("huge")


def test_variants_can_be_told_apart_without_colour():
    assert [variant.frozen for variant in VARIANTS.values()] == [False, True, True]
    for what in ("title", "colour", "dash", "explanation"):
        assert len({getattr(variant, what) for variant in VARIANTS.values()}) == len(VARIANTS)


def test_attention_is_additive_only_where_there_is_attention():
    entries = ("attention", "merge", "init", "pre")
    assert [DecoderConfig(entry, attention="additive").additive for entry in entries] == [True, False, False, False]
    assert not DecoderConfig().additive and find_preset("attention").decoder.additive
