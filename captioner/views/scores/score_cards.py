"""Scores and caption style as HTML tables; every text is escaped."""

import html
from collections.abc import Iterable, Mapping, Sequence

from captioner.config import VARIANTS, Variant
from captioner.figures.curves.histories import History
from captioner.figures.decoder.settings_in_words import Facts
from captioner.figures.glossary import GLOSSARY
from captioner.figures.scores.scoreboard import TITLES, VERDICT_METRIC, Board
from captioner.figures.scores.stage_changes import Change
from captioner.figures.style import number
from captioner.scoring.baselines import ScoreSummary
from captioner.scoring.caption_style import BANDS, CaptionStyle
from captioner.scoring.comparison import PEOPLE
from captioner.views import cards
from captioner.views.html_tables import row, table

Cells = tuple[str, ...]


def paragraph(text: str, style: str) -> str:
    return f'<p class="{style}">{html.escape(text)}</p>' if text else ""


def score_table(board: Board, facts: Mapping[str, Facts]) -> str:
    """A column per decoder: metrics with intervals, then parameters and training."""
    rows: dict[str, Cells] = {}
    for name, title in board.metrics.items():
        rows[title] = tuple(_score(entry.score, name) for entry in board.entries)
        rows |= _further_sets(board) if name == VERDICT_METRIC else {}
    columns = [facts[entry.variant.name] for entry in board.entries]
    rows["dev loss, epoch kept"] = tuple(_loss(one.history) for one in columns)
    rows["trainable parameters"] = tuple(f"{one.parameters.trainable:,}" if one.parameters else "" for one in columns)
    rows["frozen parameters"] = tuple(f"{one.parameters.frozen:,}" if one.parameters else "" for one in columns)
    rows["seconds an epoch"] = tuple(_seconds(one.history) for one in columns)
    caption = f"Scores on {board.images:,} {board.split} photographs, 95% intervals below them"
    return _table(caption, [entry.variant for entry in board.entries], rows)


def _further_sets(board: Board) -> dict[str, Cells]:
    """CIDEr on the same split of further data sets."""
    return {
        f"{TITLES[VERDICT_METRIC]} on {name}, {images:,} photographs": tuple(
            _score(entry.further[name], VERDICT_METRIC) for entry in board.entries
        )
        for name, images in board.further.items()
    }


def change_table(changes: Mapping[str, Sequence[Change]], variants: Sequence[Variant], of: str) -> str:
    """A column per decoder: each figure after the later stage, and below it the one before and the difference."""
    rows = {title: tuple(map(_change, row)) for title, row in changes.items()}
    return _table(f"{of}; below each figure what it was before", variants, rows)


def _change(change: Change) -> str:
    return f"<b>{change.after}</b><small>before {change.before}, {change.difference}</small>"


def wording_table(wording: Mapping[str, CaptionStyle], images: int) -> str:
    """A column per decoder and one for people."""
    held = list(wording.values())
    rows = {
        "words in a caption": tuple(f"{one.mean_words:.1f}" for one in held),
        "different captions": tuple(f"{one.distinct_captions:,.0f}" for one in held),
        "different words": tuple(f"{one.different_words:,.0f}" for one in held),
        "repeats itself": tuple(_share(one.repeating) for one in held),
        "breaks off": tuple(_share(one.cut) for one in held),
        "repeats itself or breaks off": tuple(_share(one.flawed) for one in held),
        "says a word twice": tuple(_share(one.says_twice) for one in held),
        "seen in training": tuple(_share(one.copied) for one in held),
    }
    bands = {name: f"of those seen {least} to {most} times" for name, (least, most) in BANDS.items()}
    for name, title in ({"rare": "rare words found"} | bands).items():
        rows[title] = tuple(_share(getattr(one, name)) for one in held)
    heads = ["People" if name == PEOPLE else VARIANTS[name] for name in wording]
    return _table(f"{images:,} captions of each, one for every photograph", heads, rows)


def _table(caption: str, heads: Sequence[Variant | str], rows: Mapping[str, Cells]) -> str:
    """A table without its empty rows."""
    lines = (row(title, *cells) for title, cells in rows.items() if any(cells))
    return table(["", *map(_head, heads)], lines, caption, "figures")


def glossary() -> str:
    return terms(GLOSSARY.items())


def terms(rows: Iterable[tuple[str, str]]) -> str:
    """Names and their meanings."""
    lines = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(meaning)}</dd>" for name, meaning in rows)
    return f'<dl class="glossary">{lines}</dl>'


def _head(head: Variant | str) -> str:
    return html.escape(head) if isinstance(head, str) else html.escape(head.title) + cards.rule(head)


def _score(score: ScoreSummary, metric: str) -> str:
    value, ends = score.metrics[metric], score.intervals.get(metric)
    return f"<b>{number(value)}</b>" + (f"<small>{number(ends[0])} to {number(ends[1])}</small>" if ends else "")


def _loss(history: History | None) -> str:
    if history is None:
        return ""
    return f"<b>{number(history.best.dev_loss)}</b><small>epoch {history.best_epoch} of {len(history.epochs)}</small>"


def _share(value: float | None) -> str:
    """
    >>> _share(0.126), _share(0.0126), _share(None)
    ('13%', '1.3%', '')
    """
    return "" if value is None else f"{value:.{0 if value >= 0.0995 else 1}%}"


def _seconds(history: History | None) -> str:
    if history is None:
        return ""
    return f"{history.seconds_per_epoch:.{0 if history.seconds_per_epoch >= 10 else 1}f}"
