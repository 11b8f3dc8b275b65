"""What all decoders of a run share: photographs, features, vocabulary and text.

Training one of the decoders is left to `captioner.training.run`, the word tables to `captioner.training.embedding_tables`.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from captioner.config import FIRST, REWARD, Preset
from captioner.config_io import to_json
from captioner.data.datasets import Dataset, Record
from captioner.errors import ConfigError, DatasetError
from captioner.model.word_slots import SlotFinder
from captioner.scoring.caption_style import FUNCTION_WORDS
from captioner.training import provenance
from captioner.training.batches import window
from captioner.training.embedding_tables import Sources, Table, starting_table
from captioner.training.provenance import Data
from captioner.training.sentences import Sentences
from captioner.training.worker_group import SingleWorker
from captioner.vision.encoder import Encoder
from captioner.vision.feature_cache import VIEWS, FeatureCache
from captioner.vision.nouns import nouns
from captioner.vocabulary import Vocabulary, tokenize
from embeddings.corpus import read_lines


@dataclass(frozen=True)
class Withheld:
    """What decoders are not taught: photographs, from whose captions vectors may learn, and words that no sentence may have."""

    records: tuple[Record, ...] = ()
    words: frozenset[str] = frozenset()


class RunInputs:
    """Photographs, features, vocabulary and text of a run, prepared once for all its decoders."""

    def __init__(
        self,
        dataset: Dataset,
        encoder: Encoder,
        cache_folder: Path,
        preset: Preset,
        sources: Sources = Sources(),
        stage: str = FIRST,
        workers: SingleWorker = SingleWorker(),
        withheld: Withheld = Withheld(),
    ):
        self.withheld = withheld
        self.encoder, self.preset, self.sources, self.stage, self.workers = encoder, preset, sources, stage, workers
        self.data_name = dataset.name
        provenance.code()  # Cached now: the files may change in the hours before the first run records it.
        self.cache = FeatureCache(cache_folder, encoder)
        self.views = tuple(VIEWS)[: max(1, preset.schedule(stage).views)]
        failed = self._fill(dataset)
        self.train = _without_short_captions(_usable(dataset, "train", failed), preset.training.shortest_caption)
        self.dev = _usable(dataset, "dev", failed)
        self.failed = failed
        self.vocabulary = Vocabulary.build(self._captions(), preset.training.minimum_count)

    def _captions(self, withheld: Sequence[Record] = ()) -> Iterator[list[str]]:
        return (tokenize(caption) for record in (*self.train, *withheld) for caption in record.captions)

    def _fill(self, dataset: Dataset) -> dict[str, str]:
        """Compute missing features: each worker its shard first, then whatever is still missing."""
        dev, train = dataset.split("dev"), dataset.split("train")
        if self.workers.several:
            self.cache.fill(dev[self.workers.shard.own])
            self.cache.fill(train[self.workers.shard.own], self.views)
            self.workers.wait()
            self.cache.reload()
        return self.cache.fill(dev) | self.cache.fill(train, self.views)

    def text(self, captions_only: bool = False) -> list[list[str]]:
        """The training captions, withheld ones too, and every line of the extra text, as words; not kept: they may be large."""
        return [*self._captions(self.withheld.records), *([] if captions_only else self.extra_text())]

    def extra_text(self) -> Iterator[list[str]]:
        """Every line of the extra text, as words."""
        return filter(None, (tokenize(line) for path in self.sources.corpus for line in read_lines(path)))

    def reads_sentences(self, variant: str) -> bool:
        """Whether a decoder learns from sentences of the extra text, which controls for the captions alone do not."""
        wanted = self.stage == FIRST and self.preset.training.sentences > 0 and not variant.endswith("-captions")
        return wanted and bool(self.sources.corpus)

    def files(self, variant: str) -> list[tuple[str, Path]]:
        """The files of text and vectors that a decoder learns from, each with its role."""
        read = self.sources.corpus if self.reads_sentences(variant) else ()
        return [*dict.fromkeys([*self.sources.used_by(variant), *(("corpus", path) for path in read)])]

    def sentences(self, vocabulary: Vocabulary, finder: SlotFinder) -> Sentences:
        """The extra text as examples; `vocabulary` holds every word that has a row in the table."""
        if not finder.count:
            raise ConfigError("Sentences of the extra text teach the use of word slots; set word_slots=4, say, or sentences=0.")
        lines = (line for line in self.extra_text() if self.withheld.words.isdisjoint(line))
        found = Sentences.of(lines, vocabulary, finder)
        if not found.captions:
            raise ConfigError(
                "The extra text has no sentence to learn from; give --corpus a text that uses the nouns of word slots, or set "
                "sentences=0."
            )
        return found

    def table(self, variant: str, seed: int) -> Table:
        """The word table that a variant starts with."""
        return starting_table(self.vocabulary.words, self.preset, self.sources, self.text, variant, seed)

    @cached_property
    def data(self) -> Data:
        """The record of the training data for histories."""
        return Data.of(self.data_name, {"train": self.train, "dev": self.dev}, self.cache.key, len(self.failed))

    def fingerprint(self, variant: str, seed: int) -> str:
        """A hash that an interrupted run must share with this one to be resumed."""
        own, shared = (variant, seed, self.stage), (self.encoder.fingerprint, self.vocabulary.fingerprint)
        facts = [*own, to_json(self.preset.up_to(self.stage)), *shared, self.sources.marks()]
        if mixed := window(len(self.train), len(self.views), self.cache.row_bytes):
            facts.append(["shards mixed at a time", mixed])  # Omitted if all are mixed: older runs did not have windows.
        if self.data.sets:  # They decide what the dev loss is, and how often a photograph is shown.
            facts.append(["data sets", self.data.sets])
        if self.stage == REWARD and self.preset.reward.flaw_penalty:
            facts.append(["content words that are said twice cost the penalty", sorted(FUNCTION_WORDS)])
        if self.preset.decoder.word_slots:
            facts.append(["nouns", nouns().noun_of_class])
        if self.withheld != Withheld():
            captions = [record.captions for record in self.withheld.records]
            facts.append(["withheld", captions, sorted(self.withheld.words)])
        pictures = [(self.cache.key(record), record.captions) for record in (*self.train, *self.dev)]
        return hashlib.sha256(json.dumps([facts, pictures]).encode()).hexdigest()[:16]


def _without_short_captions(records: Iterable[Record], shortest: int) -> tuple[Record, ...]:
    """The photographs that have captions of so many words or more, with these alone."""
    kept = ((record, tuple(text for text in record.captions if len(tokenize(text)) >= shortest)) for record in records)
    found = tuple(replace(record, captions=captions) for record, captions in kept if captions)
    if not found:
        raise DatasetError(f"No training caption has {shortest} words or more; lower shortest_caption.")
    return found


def _usable(dataset: Dataset, split: str, failed: Mapping[str, str]) -> tuple[Record, ...]:
    records = tuple(record for record in dataset.split(split) if record.name not in failed)
    if not records:
        raise DatasetError(f"The split '{split}' of {dataset.name} has no readable photograph; check the picture files.")
    return records
