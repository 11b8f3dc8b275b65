"""Tables and wrapped paragraphs in Markdown."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows of text as Markdown; the first holds the heads."""
    head, *others = (f"| {' | '.join(row)} |\n" for row in rows)
    return head + "|---" * (head.count(" | ") + 1) + "|\n" + "".join(others)


def framed(data: "pd.DataFrame") -> str:
    return table([[data.index.name, *data.columns], *([name, *row] for name, row in data.fillna("").iterrows())])


def filled(*texts: str) -> str:
    """Paragraphs, wrapped; a name such as show-and-tell stays whole."""
    return "\n".join(textwrap.fill(text, 120, break_on_hyphens=False) + "\n" for text in texts if text)
