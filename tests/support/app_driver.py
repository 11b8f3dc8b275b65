"""What the tests of the pages share: a page opened without a browser, and what can be read on it."""

import html
import re
from pathlib import Path

from streamlit.testing.v1 import AppTest

APP = Path(__file__).resolve().parents[2] / "app.py"
PATIENCE = 180  # seconds; the first run loads TensorFlow


def open_view(name: str) -> AppTest:
    """One page alone: AppTest cannot follow a link to a page that is a function."""
    return AppTest.from_string(f"from captioner.views.{name} import page; page.show()", default_timeout=PATIENCE)


def shown(app: AppTest) -> str:
    """Everything that was put on the page as HTML."""
    assert not app.exception
    return "\n".join(element.value for element in app.html)


def sentences(app: AppTest) -> list[str]:
    return [re.sub("<.*?>", "", found) for found in re.findall(r'<p class="sentence">(.*?)</p>', shown(app))]


def refusals(app: AppTest) -> list[str]:
    return [html.unescape(found) for found in re.findall(r'<p class="refusal" role="alert">(.*?)</p>', shown(app))]


def descriptions(app: AppTest) -> list[str]:
    """What every image on the page says to who cannot see it; the photograph comes first."""
    return [image.proto.imgs[0].alt for image in app.image]
