"""The tables of the page How it works: the layers of the figure, and what the decoders share. All text is escaped."""

import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from captioner.config import Variant
from captioner.figures.decoder.architecture import NOTHING, Architecture, Column, Layer, size
from captioner.figures.decoder.differences import Property
from captioner.figures.style import listed
from captioner.views.html_tables import row, table

_HEAD = ("Layer", "What it does", "What comes out", "Parameters", "How they add up", "Trained?")


def layers(architecture: Architecture) -> str:
    """The figure as tables: what is shared, then the decoders, those alike in one table."""
    shared = _layers("Layers that all decoders share", map(_layer, architecture.trunk))
    return f"<h3>Shared by all</h3>{shared}" + "".join(_alike(columns) for columns in _groups(architecture.columns))


def _layers(label: str, rows: Iterable[str]) -> str:
    return table(_HEAD, rows, label, "figures layers", captioned=False)


def _groups(columns: Sequence[Column]) -> Iterable[list[Column]]:
    """Decoders whose layers differ at most in whether they are trained."""
    found: dict[tuple[Layer, ...], list[Column]] = {}
    for column in columns:
        found.setdefault(tuple(replace(layer, state="") for layer in column.layers), []).append(column)
    return found.values()


def _alike(columns: list[Column]) -> str:
    titles = listed([column.variant.title for column in columns])
    rows = [_layer(alike[0], _states(columns, alike)) for alike in zip(*(column.layers for column in columns), strict=True)]
    trained = ", ".join(f"{column.trained:,} of {html.escape(column.variant.title)}" for column in columns)
    rows.append(row("Together", "", "", f"{columns[0].parameters:,}", "", f"trained: {trained}", style="total"))
    return f"<h3>{html.escape(titles)}</h3>" + _layers(f"Layers of {titles}", rows)


def _states(columns: Sequence[Column], alike: Sequence[Layer]) -> str:
    """Trained or frozen; said for each decoder where they differ."""
    states = {layer.state for layer in alike}
    if len(states) == 1:
        return alike[0].state
    titles = {state: [] for state in sorted(states, reverse=True)}
    for column, layer in zip(columns, alike, strict=True):
        titles[layer.state].append(column.variant.title)
    return "; ".join(f"{state} in {listed(having)}" for state, having in titles.items())


def _layer(layer: Layer, state: str = "") -> str:
    parameters = "not counted here" if layer.parameters is None else f"{layer.parameters:,}" if layer.state != NOTHING else "none"
    learns = html.escape(state or layer.state)
    return row(html.escape(layer.name), html.escape(layer.role), size(layer.shape), parameters, layer.sum, learns)


def comparison(variants: Sequence[Variant], found: Sequence[Property]) -> str:
    """First what is the same, told once for all; then what differs, told for each."""
    ordered = sorted(found, key=lambda one: not one.same)
    head = ("Property", *(html.escape(variant.title) for variant in variants))
    return table(head, _compared(ordered), "What the decoders share and where they differ", "figures compared", captioned=False)


def _compared(found: Sequence[Property]) -> Iterator[str]:
    for one in found:
        if one.same and len(one.values) > 1:
            yield row(html.escape(one.label), f"<span>the same: {html.escape(one.values[0])}</span>", span=len(one.values))
        else:
            yield row(html.escape(one.label), *map(html.escape, one.values), style="differs")
