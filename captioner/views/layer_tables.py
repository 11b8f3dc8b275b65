"""Tables as HTML, in a box that scrolls by itself: the layers of the figure, and what the decoders share. All text is escaped."""

import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from captioner.architecture import NOTHING, Architecture, Column, Layer, size
from captioner.properties import Property
from captioner.config import Variant

_HEAD = ("Layer", "What it does", "What comes out", "Parameters", "How they add up", "Trained?")


def table(label: str, head: Sequence[str], rows: Iterable[str], kind: str = "") -> str:
    """A table under a label for who cannot see it; the box can be reached by keyboard, since it may have to be scrolled."""
    cells = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{html.escape(label)}"><table class="figures {kind}">'
        f"<thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def row(name: str, *cells: str, kind: str = "") -> str:
    """The name is escaped, the cells are HTML."""
    given = f' class="{kind}"' if kind else ""
    return f'<tr{given}><th scope="row">{html.escape(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def layers(architecture: Architecture) -> str:
    """The figure as tables: what is shared, then the decoders, those alike in one table."""
    shared = table("Layers that all decoders share", _HEAD, map(_layer, architecture.trunk), "layers")
    return f"<h3>Shared by all</h3>{shared}" + "".join(_alike(columns) for columns in _groups(architecture.columns))


def _groups(columns: Sequence[Column]) -> Iterable[list[Column]]:
    """Decoders whose layers differ at most in whether they are trained."""
    found: dict[tuple[Layer, ...], list[Column]] = {}
    for column in columns:
        found.setdefault(tuple(replace(layer, state="") for layer in column.layers), []).append(column)
    return found.values()


def _alike(columns: list[Column]) -> str:
    titles = _names([column.variant for column in columns])
    rows = [_layer(alike[0], _states(columns, alike)) for alike in zip(*(column.layers for column in columns), strict=True)]
    trained = ", ".join(f"{column.trained:,} of {html.escape(column.variant.title)}" for column in columns)
    rows.append(row("Together", "", "", f"{columns[0].parameters:,}", "", f"trained: {trained}", kind="total"))
    return f"<h3>{html.escape(titles)}</h3>" + table(f"Layers of {titles}", _HEAD, rows, "layers")


def _states(columns: Sequence[Column], alike: Sequence[Layer]) -> str:
    """Trained or frozen; said for each decoder where they differ."""
    states = {layer.state for layer in alike}
    if len(states) == 1:
        return alike[0].state
    by_state = {state: [c.variant for c, layer in zip(columns, alike, strict=True) if layer.state == state] for state in states}
    return "; ".join(f"{state} in {_names(by_state[state])}" for state in sorted(states, reverse=True))


def _names(variants: Sequence[Variant]) -> str:
    titles = [variant.title for variant in variants]
    return " and ".join(filter(None, (", ".join(titles[:-1]), titles[-1])))


def _layer(layer: Layer, state: str = "") -> str:
    parameters = "not counted here" if layer.parameters is None else f"{layer.parameters:,}" if layer.state != NOTHING else "none"
    return row(layer.name, html.escape(layer.role), size(layer.shape), parameters, layer.sum, html.escape(state or layer.state))


def comparison(variants: Sequence[Variant], found: Sequence[Property]) -> str:
    """First what is the same, told once for all; then what differs, told for each."""
    ordered = sorted(found, key=lambda one: not one.same)
    head = ("Property", *(variant.title for variant in variants))
    return table("What the decoders share and where they differ", head, _compared(ordered), "compared")


def _compared(found: Sequence[Property]) -> Iterator[str]:
    for one in found:
        if one.same and len(one.values) > 1:
            cell = f'<td colspan="{len(one.values)}"><span>the same: {html.escape(one.values[0])}</span></td>'
            yield f'<tr><th scope="row">{html.escape(one.label)}</th>{cell}</tr>'
        else:
            yield row(one.label, *(html.escape(value) for value in one.values), kind="differs")
