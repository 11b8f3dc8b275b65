"""Tables as HTML: finished cells, each row under its own heading, in a box that scrolls and can be reached by keyboard."""

import html
from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[str], label: str, style: str = "plain", captioned: bool = True) -> str:
    """Headings are HTML, the label is text: it names the box, and stands above the table unless something else there does."""
    said = html.escape(label)
    caption = f"<caption>{said}</caption>" if captioned else ""
    top = "".join(f'<th scope="col">{heading}</th>' if heading else "<td></td>" for heading in headings)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{said}"><table class="{style}">{caption}'
        f"<thead><tr>{top}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def row(heading: str, *cells: str, style: str = "", span: int = 1) -> str:
    """A row of HTML cells; each may reach over several columns."""
    given, wide = f' class="{style}"' if style else "", f' colspan="{span}"' if span > 1 else ""
    return f'<tr{given}><th scope="row">{heading}</th>{"".join(f"<td{wide}>{cell}</td>" for cell in cells)}</tr>'
