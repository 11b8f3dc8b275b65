"""The page as a target: who may send what to it, what it gives away, and text that would like to be HTML."""

import re
from urllib.parse import quote

import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from browsing import PAGES, ROOT, caption_upload, photograph, quiet, upload, wait_for_captions

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


def test_every_page_works_under_the_policy_that_we_advise(visitor, address):
    """Exactly the one of SECURITY.md, laid on every document; a page that breaks it complains in the console."""
    policy = re.search(r'Content-Security-Policy "([^"]+)"', (ROOT / "SECURITY.md").read_text(encoding="utf-8"))[1]

    def guard(route):
        answer = route.fetch()
        route.fulfill(response=answer, headers=answer.headers | {"content-security-policy": policy})

    visit = visitor()
    visit.page.route(lambda url: True, lambda route: guard(route) if route.request.is_navigation_request() else route.fallback())
    for path in PAGES:
        visit.read(path)
        assert not visit.problems(), path
    caption_upload(visit.open().page, "mine.jpg", photograph("teal"))


def test_what_stands_in_the_address_is_no_html(visit):
    for path in PAGES:
        page = visit.open(f"{path}?" + "&".join(f"{name}={quote(SCRIPT)}" for name in PARAMETERS)).page
        page.locator("h1").wait_for()
        quiet(page)
        assert page.title() != "taken" and page.locator("img[src=x]").count() == 0, path


def test_what_a_file_is_called_is_no_html(visit):
    page = visit.open().page
    name = SCRIPT.replace("/", "").replace('"', "").replace("'", "`") + ".jpg"
    upload(page, (name, photograph("teal")), (f"b{name}", b"no picture"))
    page.get_by_role("heading", name="2 pictures").wait_for()
    wait_for_captions(page, f"Your photograph {name}.")
    assert page.title() != "taken" and page.locator("img[src=x]").count() == 0
