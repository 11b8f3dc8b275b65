"""The service and the page by one command, in one process, on one port."""

import pytest
import requests
from hardening.service import serving
from hardening.visitor import Visitor
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from support.serving import files, photograph

pytestmark = pytest.mark.slow
ELSEWHERE = "http://elsewhere.example"
LOADED = "Decoders were loaded."
COUNTING = f"""
import sys
from captioner.__main__ import main
from captioner.captioning.captioner import Captioner
load = Captioner.__init__
def load_and_say(self, *given):
    print("{LOADED}", file=sys.stderr, flush=True)
    load(self, *given)
Captioner.__init__ = load_and_say
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return tmp_path_factory.mktemp("served") / "log"


@pytest.fixture(scope="module")
def address(log):
    """A server whose environment names decoders for the page that do not exist."""
    with pytest.MonkeyPatch.context() as patch, log.open("wb") as file:
        patch.setenv("TRIPTYCH_CHECKPOINTS", str(log.parent))
        with serving(file, "--page", program=("-c", COUNTING)) as (port, _):
            yield f"http://127.0.0.1:{port}"
    assert '"stopped"' in log.read_text()


def test_each_has_its_addresses(address):
    assert requests.get(address + "/health", timeout=30).json() == {"alive": True}
    assert requests.delete(address + "/v1/captions", timeout=30).json()["type"] == "urn:triptych:problem:wrong-method"
    assert requests.get(address + "/v1/nothing", timeout=30).status_code == 404
    assert "Streamlit" in requests.get(address, timeout=30).text and requests.get(address + "/_stcore/health", timeout=30).ok
    docs = requests.get(address + "/docs", timeout=30).text
    links = [part.split('"')[0] for part in docs.split('="')[1:] if part.startswith("/")]
    assert links and all(requests.get(address + link, timeout=30).headers["content-type"][:9] != "text/html" for link in links)


def test_both_caption_the_same_photograph_alike_with_decoders_that_are_loaded_once(address, log):
    data = photograph(3, "JPEG")
    (told,) = requests.post(address + "/v1/captions", files=files(data), timeout=60).json()
    with Visitor(address) as visitor:
        visitor.upload(("photograph.jpg", data))
        assert visitor.exceptions == [] and visitor.refusals == []
        assert visitor.sentences == [best[0]["text"] for best in told["captions"].values()]
    assert log.read_text().count(LOADED) == 1


def test_the_page_is_as_well_protected_as_alone(address):
    answer = requests.put(f"{address}/_stcore/upload_file/session/file", files={"a.jpg": b"1"}, timeout=30)
    assert answer.status_code == 403 and "XSRF" in answer.text
    with pytest.raises(InvalidStatus, match="403"):
        connect(f"{address.replace('http', 'ws')}/_stcore/stream", subprotocols=["streamlit"], origin=ELSEWHERE)
    headers = {"Origin": ELSEWHERE, "Access-Control-Request-Method": "PUT"}
    allowed = requests.options(f"{address}/_stcore/upload_file/session/file", headers=headers, timeout=30).headers
    assert allowed.get("Access-Control-Allow-Origin") not in ("*", ELSEWHERE)
