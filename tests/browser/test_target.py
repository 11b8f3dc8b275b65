"""The page as a target: who may send what to it, what it gives away, and text that would like to be HTML."""

from urllib.parse import quote

import pytest
import requests
from browsing import PAGES, ROOT, quiet
from reading import photograph, upload, wait_for_captions
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

SCRIPT = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
ELSEWHERE = "http://elsewhere.example"
PARAMETERS = ("say", "sample", "stage", "split", "word", "decoder", "beam", "at", "axis", "near")


def test_an_upload_without_the_visitors_token_is_refused(address):
    answer = requests.put(f"{address}/_stcore/upload_file/session/file", files={"a.jpg": b"1"}, timeout=30)
    assert answer.status_code == 403 and "XSRF" in answer.text


def test_a_page_elsewhere_cannot_speak_to_the_app(address):
    with pytest.raises(InvalidStatus, match="403"):
        connect(f"{address.replace('http', 'ws')}/_stcore/stream", subprotocols=["streamlit"], origin=ELSEWHERE)
    headers = {"Origin": ELSEWHERE, "Access-Control-Request-Method": "PUT"}
    allowed = requests.options(f"{address}/_stcore/upload_file/session/file", headers=headers, timeout=30).headers
    assert allowed.get("Access-Control-Allow-Origin") not in ("*", ELSEWHERE)


@pytest.mark.parametrize(
    "path",
    ["app.py", "media/../../app.py", "static/../../../app.py", ".streamlit/config.toml", "component/triptych_paste/../../app.py",
     "..%2f..%2fapp.py", "%2e%2e/%2e%2e/app.py", "checkpoints/first/search.json"],
)  # fmt: skip
def test_no_file_of_the_server_is_served(address, path):
    """An unknown address is answered with the page itself, or not at all."""
    request = requests.Request("GET", address).prepare()
    request.url = f"{address}/{path}"  # As it is: a client would tidy it up.
    with requests.Session() as session:
        answer = session.send(request, timeout=30)
    wanted = (ROOT / "app.py").read_text().splitlines()[-1]
    assert answer.status_code >= 400 or "<title>Streamlit</title>" in answer.text
    assert wanted not in answer.text and '"trials"' not in answer.text and str(ROOT) not in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_what_stands_in_the_address_is_no_html(visitor, path):
    page = visitor().open(f"{path}?" + "&".join(f"{name}={quote(SCRIPT)}" for name in PARAMETERS)).page
    page.locator("h1").wait_for()
    quiet(page)
    assert page.title() != "taken" and page.locator("img[src=x]").count() == 0


def test_what_a_file_is_called_is_no_html(visitor):
    page = visitor().open().page
    name = SCRIPT.replace("/", "").replace('"', "").replace("'", "`") + ".jpg"
    upload(page, (name, photograph("teal")), (f"b{name}", b"no picture"))
    page.get_by_role("heading", name="2 pictures").wait_for()
    wait_for_captions(page, f"Your photograph {name}.")
    assert page.title() != "taken" and page.locator("img[src=x]").count() == 0
