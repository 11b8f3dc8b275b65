"""The service over a real socket: its answers, its problems, its counts and its log, its limits, and how it starts and ends."""

import hashlib
import io
import itertools
import json
import socket
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import requests
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from captioner.captioning.captioner import Captioner
from captioner.captioning.search_settings import load_search_config
from captioner.config import VARIANTS
from captioner.data.images import read
from captioner.errors import CheckpointError
from captioner.model.blueprint import MOST_SLOTS
from captioner.service import service as limits
from captioner.service.engine import Engine
from captioner.service.guard import MOST_BYTES
from captioner.service.problems import MEDIA_TYPE
from captioner.service.queue import WorkQueue
from captioner.service.schema import LONGEST_WORD, MOST_CAPTIONS, MOST_FILES
from captioner.views import server as page
from support.fakes import COLOURS, Recogniser, slotted_checkpoints
from support.serving import photograph, ready, serving, wait

KEY, OTHER_KEY = "a-key-that-is-long-enough", "another-key-of-good-length"


@pytest.fixture(scope="module")
def captioner(tiny_run, encoder):
    return Captioner.load(tiny_run, encoder=encoder)


@pytest.fixture(scope="module")
def load(captioner, tiny_run):
    return lambda: Engine(captioner, load_search_config(tiny_run))


@pytest.fixture(scope="module")
def service(load):
    with ready(load) as served:
        yield served


def problem(answer, status, name):
    """The body of an answer that must be this problem, in the form that RFC 9457 gives it."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)
    body = answer.json()
    assert body["type"] == f"urn:triptych:problem:{name}" and body["status"] == status and body["title"] and body["detail"]
    assert body["instance"].endswith(answer.headers["x-request-id"])
    return body


def begin(served, length):
    """A connection with a request that announces this many bytes and sends only the first few."""
    host, port = served.address.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), 30)
    told = f"content-type: multipart/form-data; boundary=x\r\ncontent-length: {length}\r\n"
    connection.sendall(f"POST /v1/captions HTTP/1.1\r\nhost: x\r\n{told}\r\n--x\r\n".encode())
    return connection


def test_captions_are_those_of_the_library(service, captioner, tiny_run):
    data = [photograph(seed) for seed in range(3)]
    answer = service.post(*data)
    config = replace(load_search_config(tiny_run), alternatives=0)
    expected = captioner.caption([read(one, "one") for one in data], config)
    assert answer.status_code == 200 and [entry["image"] for entry in answer.json()] == ["0.png", "1.png", "2.png"]
    for entry, captions in zip(answer.json(), expected, strict=True):
        assert list(entry["captions"]) == list(VARIANTS) and entry["stage"] == "first"
        for name, (told,) in entry["captions"].items():
            best = captions[name][0]
            assert (told["text"], told["words"]) == (best.text, list(best.words))
            assert told["log_probability"] == pytest.approx(best.log_probability, abs=1e-4)


def test_beam_top_and_variants(service):
    answer = service.post(photograph(), params={"top": 3, "variants": ["fasttext", "learned", "fasttext"]}).json()
    assert {name: len(captions) for name, captions in answer[0]["captions"].items()} == {"fasttext": 3, "learned": 3}
    alone = service.post(photograph(), params={"beam": 1, "variants": "learned"}).json()
    assert list(alone[0]["captions"]) == ["learned"]
    for wrong in ({"beam": 0}, {"beam": "wide"}, {"top": MOST_CAPTIONS + 1}, {"variants": "transformer"}, {"beam": 2, "top": 3}):
        name = next(iter(wrong))
        assert name in problem(service.post(photograph(), params=wrong), 422, "bad-request")["detail"]
    told = problem(service.post(photograph(), params={"variant": "learned", "tops": 2}), 422, "bad-request")["detail"]
    assert "variant: there is no such parameter; there are beam, top, variants, tell; tops: there" in told


def test_a_word_can_be_told(service):
    data = io.BytesIO()
    Image.new("RGB", (40, 40), COLOURS["dog"]).save(data, "PNG")
    with ready(lambda: Engine(Captioner(Recogniser(), slotted_checkpoints()))) as served:
        (entry,) = served.post(data.getvalue(), params={"tell": "zebra"}).json()
        assert entry["notes"] == ["Learned has no vector for 'zebra' and captions without it."] and entry["told"] == ["zebra"]
        assert [word["word"] for word in entry["words_seen"]] == ["zebra", "dog"]
        (entry,) = served.post(data.getvalue(), params={"tell": ["zebra", ""], "variants": "word2vec"}).json()
        assert entry["notes"] == [] and [word["word"] for word in entry["words_seen"]] == ["zebra"]
        for wrong, sentence in (
            (["a"] * (MOST_SLOTS + 1), f"tell: List should have at most {MOST_SLOTS} items"),
            ("a" * (LONGEST_WORD + 1), f"tell: String should have at most {LONGEST_WORD} characters"),
            (["a", "b", "c"], "have 2 word slots, but received 3 words"),
            ("a dog", "holds one word"),
        ):
            assert sentence in problem(served.post(data.getvalue(), params={"tell": wrong}), 422, "bad-request")["detail"]
    assert "no word slots" in problem(service.post(photograph(), params={"tell": "dog"}), 422, "bad-request")["detail"]


def test_one_bad_file_spoils_nothing(service):
    entries = service.post(photograph(), b"<script>alert(1)</script>", photograph(1)).json()
    assert ["captions" in entry for entry in entries] == [True, False, True]
    assert "1.png" in entries[1]["error"] and "script" not in entries[1]["error"]
    body = problem(service.post(b"no picture", b""), 422, "not-a-picture")
    assert [one["image"] for one in body["files"]] == ["0.png", "1.png"] and all(one["error"] for one in body["files"])


def test_what_is_no_upload_is_a_problem(service):
    address = service.address + "/v1/captions"
    for sent in ({}, {"data": b"x"}, {"json": {"files": []}}, {"data": {"files": "text"}}):
        problem(requests.post(address, timeout=60, **sent), 415, "no-form")
    for sent in ({"files": {"pictures": photograph()}}, {"files": {"files": (None, "text")}},
                 {"data": b"--", "headers": {"content-type": "multipart/form-data; boundary=x"}},
                 {"data": b"--", "headers": {"content-type": "multipart/form-data"}}):  # fmt: skip
        problem(requests.post(address, timeout=60, **sent), 422, "bad-request")
    assert str(MOST_FILES) in problem(service.post(*[photograph()] * (MOST_FILES + 1)), 422, "bad-request")["detail"]
    problem(service.get("/v1/captions"), 405, "wrong-method")
    problem(service.get("/v2"), 404, "not-found")
    problem(service.get("/health/", allow_redirects=False), 404, "not-found")


def test_too_large_a_request_is_not_read(service):
    with begin(service, MOST_BYTES + 1) as connection:
        assert b" 413 " in connection.recv(1000).split(b"\r\n")[0]
    # And one that does not say how large it is, cut off when it has become too large.
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    chunks = itertools.chain([head], itertools.repeat(bytes(1 << 20), (MOST_BYTES >> 20) + 3))
    headers = {"content-type": "multipart/form-data; boundary=x"}
    try:
        answer = requests.post(service.address + "/v1/captions", data=chunks, headers=headers, timeout=60)
        problem(answer, 413, "too-large")
    except requests.ConnectionError:
        pass  # Closed before all was sent, which is as good.


def test_no_photograph_goes_through_the_disk(service, monkeypatch):
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", lambda _self: pytest.fail("It was written to a file."))
    page.configure()  # It sets the same limit for its own uploads.
    large = photograph() + bytes(5 << 20)  # What follows the end of a picture is nobody's concern.
    assert service.post(large, large).ok
    problem(service.post(bytes(MOST_BYTES >> 1)), 422, "not-a-picture")


def test_health_and_variants(service):
    assert service.get("/health").json() == {"alive": True}
    assert service.get("/ready").json() == {"ready": True, "variants": list(VARIANTS)}
    told = service.get("/v1/variants").json()
    assert [one["name"] for one in told] == list(VARIANTS) and [one["frozen"] for one in told] == [False, True, True]
    for path in ("/health", "/ready"):  # As many monitors ask.
        answer = requests.head(service.address + path, timeout=60)
        assert (answer.status_code, answer.content) == (200, b"")


def test_pages_of_other_origins_are_refused(service):
    headers = {"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "POST"}
    asked = requests.options(service.address + "/v1/captions", headers=headers, timeout=60)
    for answer in (asked, service.post(photograph(), headers=headers)):
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_its_description_needs_no_network(service):
    page = service.get("/docs").text
    links = [part.split('"')[0] for part in page.replace("'", '"').split('="')[1:] if part.startswith(("http", "//", "/"))]
    assert links and not [link for link in links if not link.startswith("/")]
    for link in links:
        assert service.get(link).ok, link


def test_metrics_count_what_happened(service):
    def counted():
        families = text_string_to_metric_families(service.get("/metrics").text)
        return {(one.name, *sorted(one.labels.items())): one.value for family in families for one in family.samples}

    before = counted()
    service.post(photograph(40), photograph(41), b"bad", params={"variants": "word2vec"})
    service.post(b"bad")
    after = counted()
    gained = {key: after[key] - before.get(key, 0) for key in after if after[key] != before.get(key, 0)}
    path = ("path", "/v1/captions")
    assert gained["triptych_photographs_total", ("variant", "word2vec")] == 2
    assert ("triptych_photographs_total", ("variant", "learned")) not in gained
    assert gained["triptych_refused_files_total",] == 2
    assert all(gained["triptych_requests_total", path, ("status", status)] == 1 for status in ("200", "422"))
    assert gained["triptych_failures_total", ("kind", "not-a-picture")] == 1
    assert all(gained["triptych_part_seconds_count", ("part", part)] > 0 for part in ("decode", "encode", "search"))
    assert after["triptych_waiting_photographs",] == 0


def test_the_log_has_a_line_for_every_request_and_no_picture(service):
    data = photograph(77)
    answer = service.post(data)
    wait(lambda: any(line.get("id") == answer.headers["x-request-id"] for line in service.lines))
    (line,) = [line for line in service.lines if line.get("id") == answer.headers["x-request-id"]]
    assert line["files"] == [{"sha256": hashlib.sha256(data).hexdigest()[:16], "bytes": len(data)}]
    assert (line["status"], line["path"], line["method"]) == (200, "/v1/captions", "POST") and line["ms"] >= 0
    assert "PNG" not in service.log.getvalue() and "0.png" not in service.log.getvalue()


@pytest.mark.slow
def test_many_at_once_each_get_their_own(service):
    alone = {seed: service.post(photograph(seed)).json() for seed in range(4)}
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: (number % 4, service.post(photograph(number % 4))), range(32)))
    for seed, answer in answers:
        for name, (told,) in answer.json()[0]["captions"].items():
            assert told["text"] == alone[seed][0]["captions"][name][0]["text"]


def test_keys(load):
    with ready(load, keys=[KEY, OTHER_KEY]) as served:
        wrong = ({}, {"x-api-key": KEY[:-1]}, {"authorization": f"Basic {KEY}"}, {"authorization": KEY}, {"x-api-key": ""})
        for headers in wrong:
            answer = served.post(photograph(), headers=headers)
            problem(answer, 401, "no-key")
            assert answer.headers["www-authenticate"] == "Bearer"
        for headers in ({"x-api-key": OTHER_KEY}, {"authorization": f"Bearer {KEY}"}):
            assert served.post(photograph(), headers=headers).ok and served.get("/v1/variants", headers=headers).ok
        assert served.get("/health").ok and served.get("/metrics").ok and served.get("/v1/variants").status_code == 401
        assert KEY not in served.log.getvalue()


class Slow(Engine):
    """Captions only when `free` is set."""

    free, begun = threading.Event(), 0

    def _work(self, jobs):
        self.begun += 1
        self.free.wait(60)
        return super()._work(jobs)


def occupy(served, pool):
    """Send a photograph to each of the two workers."""
    engine, at_work = served.app.state.service.engine, []
    for number in (1, 2):
        at_work.append(pool.submit(served.post, photograph(number)))
        wait(lambda: engine.begun == number)
    return engine, at_work


def test_a_full_queue_is_a_problem_and_accepted_requests_are_answered_before_the_end(captioner):
    Slow.free.clear()
    with ready(lambda: Slow(captioner, queue=WorkQueue(2, waiting=4))) as served, ThreadPoolExecutor(8) as pool:
        engine, at_work = occupy(served, pool)
        taken = [pool.submit(served.post, *[photograph(number)] * 2) for number in (5, 6)]
        wait(lambda: engine.queue.waiting == 4)
        answer = served.post(photograph(9))
        problem(answer, 503, "busy")
        assert int(answer.headers["retry-after"]) > 0
        assert served.get("/health").ok
        served.server.should_exit = True
        time.sleep(0.3)
        Slow.free.set()
        assert [one.result().status_code for one in (*at_work, *taken)] == [200] * 4
    assert served.lines[-1]["event"] == "stopped"


def test_requests_without_room_are_not_read_and_a_hang_up_makes_room(load):
    with ready(load) as served:
        begun = [begin(served, MOST_BYTES) for _ in range(limits.ROOM // MOST_BYTES)]
        wait(lambda: served.post(photograph()).status_code == 503)
        answer = served.post(photograph())
        problem(answer, 503, "busy")
        assert int(answer.headers["retry-after"]) > 0
        for connection in begun:
            connection.close()
        wait(lambda: served.post(photograph()).ok)
        assert len([line for line in served.lines if line.get("status") == 499]) == len(begun)
        assert "error" not in {line["event"] for line in served.lines} and 'kind="broken"' not in served.get("/metrics").text


@pytest.mark.slow
def test_slow_requests_are_given_up_and_queued_ones_dropped(captioner, monkeypatch):
    monkeypatch.setattr(limits, "SECONDS", 3)
    Slow.free.clear()
    with ready(lambda: Slow(captioner)) as served, ThreadPoolExecutor(2) as pool:
        engine, at_work = occupy(served, pool)
        for answer in (served.post(photograph(3)), *(one.result() for one in at_work)):
            problem(answer, 504, "too-slow")
        Slow.free.set()
        wait(lambda: engine.queue.waiting == 0)
        monkeypatch.undo()
        assert served.post(photograph(4)).ok and engine.begun == 3


def test_slow_sending_and_slow_reading_are_given_up(captioner, monkeypatch):
    free = threading.Event()

    class Reading(Engine):
        def prepare(self, *given):
            free.wait(60)
            return super().prepare(*given)

    with ready(lambda: Reading(captioner)) as served:
        monkeypatch.setattr(limits, "SECONDS", 0.3)
        with begin(served, 1000) as connection:
            assert b" 504 " in connection.recv(1000).split(b"\r\n")[0]
        problem(served.post(*[photograph()] * MOST_FILES), 504, "too-slow")
        free.set()


def test_before_it_is_ready(load):
    started = threading.Event()

    def late():
        started.wait(60)
        return load()

    with serving(late) as served:
        assert served.get("/health").ok
        for answer in (served.get("/ready"), served.get("/v1/variants"), served.post(photograph())):
            problem(answer, 503, "starting")
            assert int(answer.headers["retry-after"]) > 0
        started.set()
        wait(lambda: served.get("/ready").ok)


@pytest.mark.parametrize(
    ("error", "told"), [(CheckpointError("The decoders are gone."), "are gone"), (RuntimeError("/a/secret"), "log says why")]
)
def test_decoders_that_cannot_be_loaded_are_a_problem(error, told):
    def broken():
        raise error

    given_up = threading.Event()
    with serving(broken, give_up=given_up.set) as served:
        assert given_up.wait(60)
        answer = served.get("/ready")
        detail = problem(answer, 503, "starting")["detail"]
        assert told in detail and "secret" not in detail and str(error) in served.log.getvalue()
        assert "retry-after" not in answer.headers


def test_only_the_log_gets_the_details_of_a_failure(captioner):
    class Broken(Engine):
        def prepare(self, *_):
            raise RuntimeError("/a/secret/place")

    with ready(lambda: Broken(captioner)) as served:
        body = problem(served.post(photograph()), 500, "broken")
        assert "secret" not in json.dumps(body) and "/a/secret/place" in served.log.getvalue()
