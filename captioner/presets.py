"""The recipes by name: rows of data over the one builder of decoders and the one trainer."""

from dataclasses import replace

from captioner.config import DecoderConfig, EmbeddingConfig, Preset, RewardConfig, SearchConfig, TrainingConfig, find_row

# The recipe: many small steps, each on 16 photographs. The runs that are kept of what else was tried stand in
# checkpoints/README.md.
_DECODER = DecoderConfig(units=384, image_units=384, heads=6, hidden_units=384, dropout=0.35)
_TRAINING = TrainingConfig(epochs=8, images_per_batch=16, learning_rate=1.5e-3, views=6)
_REWARD = RewardConfig(epochs=8, learning_rate=2e-4, feature_dropout=0.2, views=6, flaw_penalty=0.3)
_HOUSE = TrainingConfig(
    epochs=8, patience=3, images_per_batch=16, learning_rate=2e-3, weight_decay=0.0, views=1, label_smoothing=0.0
)

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("triptych", encoder="efficientnet-lite2-adapted", decoder=_DECODER, training=_TRAINING, reward=_REWARD),
        # The same on the CNN as it comes, for comparisons with others that leave theirs alone.
        Preset("triptych-frozen", decoder=_DECODER, training=_TRAINING, reward=_REWARD),
        # What the adapted encoder was made with: many crops, then, with --from, whole photographs and their mirror images.
        Preset("triptych-crops", training=TrainingConfig(images_per_batch=32, learning_rate=8e-4, epochs=18, views=6)),
        Preset(
            "triptych-settle",
            decoder=DecoderConfig(feature_dropout=0.2, dropout=0.3),
            training=TrainingConfig(epochs=2, learning_rate=2e-4, averaging=0.99, views=2),
        ),
        Preset(
            "tiny",
            decoder=DecoderConfig(
                embedding_dimensions=16, units=32, image_units=32, heads=2, hidden_units=32, feature_dropout=0.0, dropout=0.1
            ),
            training=TrainingConfig(
                epochs=12, images_per_batch=16, learning_rate=1e-2, label_smoothing=0.0, averaging=0.9, views=1, minimum_count=1
            ),
            embedding=EmbeddingConfig(epochs=3, minimum_count=1, buckets=500),
            reward=RewardConfig(epochs=3, images_per_batch=16, learning_rate=1e-3, views=1, temper=1.0, maximum_words=12),
        ),
        Preset(
            "shapes",
            decoder=DecoderConfig(
                embedding_dimensions=64, units=128, image_units=128, heads=4, hidden_units=128, feature_dropout=0.1, dropout=0.2
            ),
            training=TrainingConfig(
                epochs=16, images_per_batch=16, learning_rate=5e-3, label_smoothing=0.0, averaging=0.98, views=1, minimum_count=1
            ),
            embedding=EmbeddingConfig(epochs=20, minimum_count=1, buckets=500),
            reward=RewardConfig(epochs=4, images_per_batch=16, learning_rate=3e-4, views=1, temper=1.0, maximum_words=16),
        ),
        # The recipes that Triptych descends from, on the CNN as it comes. Of theirs are the shape, what is dropped out, the
        # words that are kept, and how captions are looked for; how steps are taken is the house's: AdamW, whose step falls as
        # a cosine, averaged weights, an early stop, and whole photographs alone. The largest step was chosen by dev's CIDEr for
        # `show-and-tell` and `resnet152-lstm`; with the smaller one the course's decoder comes to its best in these epochs.
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
        # A whole grid end to end would have nine times the numbers, and most of the decoder's parameters would read them.
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
        # Soft attention, additive, its context in the LSTM's next step; without the gate on the context and the second loss
        # that evens out where it looks, which came with it.
        Preset(
            "attention",
            decoder=DecoderConfig(image_units=256, feature_dropout=0.3, dropout=0.5, attention="additive"),
            training=_HOUSE,
        ),
    )
}

# Epochs on generated pictures, where it would otherwise be more than three minutes until all three decoders are trained.
ON_SHAPES = {"stacked": 6, "attention": 4}
OLDER_RECIPES = ("course", "show-and-tell", "resnet152-lstm", "stacked", "attention")


def find_preset(name: str) -> Preset:
    return find_row(PRESETS, name, "preset")
