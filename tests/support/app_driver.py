"""Open a page without a browser, and read what it shows."""

import html
import re
from pathlib import Path

from streamlit.testing.v1 import AppTest

APP = Path(__file__).resolve().parents[2] / "app.py"
PATIENCE = 180  # seconds


def open_view(name: str) -> AppTest:
    """Open one page; AppTest cannot follow links to pages that are functions."""
    return AppTest.from_string(f"from captioner.views.{name} import page; page.show()", default_timeout=PATIENCE)


def shown(app: AppTest) -> str:
    """All HTML on the page."""
    assert not app.exception
    return "\n".join(element.value for element in app.html)


def sentences(app: AppTest) -> list[str]:
    return [re.sub("<.*?>", "", found) for found in re.findall(r'<p class="sentence">(.*?)</p>', shown(app))]


def refusals(app: AppTest) -> list[str]:
    return [html.unescape(found) for found in re.findall(r'<p class="refusal" role="alert">(.*?)</p>', shown(app))]


def descriptions(app: AppTest) -> list[str]:
    """The alternative text of every image; the photograph comes first."""
    return [image.proto.imgs[0].alt for image in app.image]
