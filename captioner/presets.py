"""The presets by name: rows of settings for the one decoder builder and the one trainer."""

from dataclasses import replace

from captioner.config import (
    ADAPTED,
    DecoderConfig,
    EmbeddingConfig,
    Preset,
    RewardConfig,
    SearchConfig,
    TrainingConfig,
    find_row,
)

# Many small steps of 16 photographs each. Alternatives that were tried are in checkpoints/README.md.
_DECODER = DecoderConfig(units=384, image_units=384, heads=6, hidden_units=384, dropout=0.35)
_TRAINING = TrainingConfig(epochs=8, images_per_batch=16, learning_rate=1.5e-3, views=6)
_REWARD = RewardConfig(epochs=8, learning_rate=2e-4, feature_dropout=0.2, views=6, flaw_penalty=0.3)
_HOUSE = TrainingConfig(
    epochs=8, patience=3, images_per_batch=16, learning_rate=2e-3, weight_decay=0.0, views=1, label_smoothing=0.0
)

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        # For several data sets and more text; the sentences make a step about 1.5 times as long.
        Preset(
            "triptych",
            encoder=ADAPTED,
            decoder=replace(_DECODER, word_slots=4),
            training=replace(_TRAINING, shortest_caption=4, sentences=32),
            reward=_REWARD,
        ),
        # The recipe of the study on Flickr8k alone, and the same on the original CNN, for comparison with models that do not
        # fine-tune theirs. The records of that study hold these settings, so they stay when triptych changes.
        Preset("flickr8k", encoder=ADAPTED, decoder=_DECODER, training=_TRAINING, reward=_REWARD),
        Preset("triptych-frozen", decoder=_DECODER, training=_TRAINING, reward=_REWARD),
        # The fine-tuned encoder was made with these: many crops, then, with --from, whole photographs and mirror images.
        Preset("triptych-crops", training=TrainingConfig(images_per_batch=32, learning_rate=8e-4, epochs=18, views=6)),
        Preset(
            "triptych-settle",
            decoder=DecoderConfig(feature_dropout=0.2, dropout=0.3),
            training=TrainingConfig(epochs=2, learning_rate=2e-4, averaging=0.99, views=2),
        ),
        Preset(
            "tiny",
            encoder=ADAPTED,
            decoder=DecoderConfig(
                embedding_dimensions=16, units=32, image_units=32, heads=2, hidden_units=32, feature_dropout=0.0, dropout=0.1
            ),
            training=TrainingConfig(
                epochs=12, images_per_batch=16, learning_rate=1e-2, label_smoothing=0.0, averaging=0.9, views=1, minimum_count=1
            ),
            embedding=EmbeddingConfig(epochs=3, minimum_count=1, buckets=500),
            reward=RewardConfig(epochs=3, images_per_batch=16, learning_rate=1e-3, views=1, temperature=1.0, maximum_words=12),
        ),
        Preset(
            "shapes",
            encoder=ADAPTED,
            decoder=DecoderConfig(
                embedding_dimensions=64, units=128, image_units=128, heads=4, hidden_units=128, feature_dropout=0.1, dropout=0.2
            ),
            training=TrainingConfig(
                epochs=16,
                images_per_batch=16,
                learning_rate=5e-3,
                label_smoothing=0.0,
                averaging=0.98,
                views=1,
                minimum_count=1,
            ),
            embedding=EmbeddingConfig(epochs=20, minimum_count=1, buckets=500),
            reward=RewardConfig(epochs=4, images_per_batch=16, learning_rate=3e-4, views=1, temperature=1.0, maximum_words=16),
        ),
        # Older recipes, on the original CNN. They define the decoder, its dropout, the vocabulary and the search; optimization
        # is the same for all: AdamW with a cosine schedule, averaged weights, an early stop, and whole photographs alone. The
        # learning rate was chosen by CIDEr on dev for `show-and-tell` and `resnet152-lstm`; `course` reaches its best in
        # these epochs with the smaller one.
        Preset(
            "course",
            decoder=DecoderConfig(
                "merge", units=256, image_units=256, hidden_units=256, feature_dropout=0.5, dropout=0.5, dropout_at="words"
            ),
            training=replace(_HOUSE, minimum_count=1, learning_rate=1e-3),
            search=SearchConfig(maximum_words=32),
        ),
        Preset(
            "show-and-tell",
            decoder=DecoderConfig("init", embedding_dimensions=512, hidden_units=0, feature_dropout=0.0, dropout=0.3),
            training=replace(_HOUSE, learning_rate=1e-3),
            search=SearchConfig(length_preference=0.0, maximum_words=20),
        ),
        Preset(
            "resnet152-lstm",
            decoder=DecoderConfig(
                "pre", embedding_dimensions=256, hidden_units=0, feature_dropout=0.0, dropout=0.0, image_norm="batch"
            ),
            training=replace(_HOUSE, minimum_count=4),
            search=SearchConfig(beam=1, maximum_words=20),
        ),
        # The concatenated grid would have nine times as many numbers, and most of the decoder's parameters would read it.
        Preset(
            "stacked",
            decoder=DecoderConfig(
                "merge",
                units=256,
                layers=4,
                image_units=256,
                hidden_units=256,
                feature_dropout=0.5,
                dropout=0.2,
                pooling="blocks",
            ),
            training=replace(_HOUSE, minimum_count=10),
        ),
        # Soft additive attention with the context in the LSTM's next step; without the published gate on the context and
        # the second loss that evens out the attention.
        Preset(
            "attention",
            decoder=DecoderConfig(image_units=256, feature_dropout=0.3, dropout=0.5, attention="additive"),
            training=_HOUSE,
        ),
    )
}

# Epochs on generated pictures; otherwise training all three decoders would take more than three minutes.
ON_SHAPES = {"stacked": 6, "attention": 4}
OLDER_RECIPES = ("course", "show-and-tell", "resnet152-lstm", "stacked", "attention")


def find_preset(name: str) -> Preset:
    return find_row(PRESETS, name, "preset")
