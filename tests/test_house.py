"""The house rules that no single module can keep: who may import whom, who may import Streamlit, and what lies at the top."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ALLOWED_AT_THE_TOP = {
    "app.py", "README.md", "requirements.txt", "LICENSE", "Dockerfile", "compose.yaml", "SECURITY.md",
    "captioner", "embeddings", "checkpoints", "tests",
}  # fmt: skip

# A package, or a file of the ground floor, imports only from rows above its own; within a package there is no circle.
ORDER = """
    errors runtime progress config vocabulary storage presets config_io
    data vision model captioning scoring training service experiments benchmarks figures reports views commands __main__
""".split()
HEAVY = {"tensorflow", "keras", "gensim", "fasttext", "skimage", "altair", "sklearn", "matplotlib.pyplot"}
_TRAINS = (
    "training.trainer", "training.self_critical", "training.encoder_finetuning", "training.run_inputs", "training.run",
    "experiments.runner", "experiments.examiner", "benchmarks.keras_baseline",
)  # fmt: skip
TRAINING = {f"captioner.{name}" for name in _TRAINS} | {f"embeddings.{name}" for name in ("word2vec", "fasttext")}


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def imported(path: Path) -> frozenset[str]:
    """Every module that a file imports at run time, in functions too; imports for type checkers are left out."""
    return frozenset(_imported(ast.parse(path.read_text(encoding="utf-8"))))


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [name for name in inner if _exists(name)]
            yield from modules
            if len(modules) < len(inner):
                yield node.module
        yield from _imported(node)


@cache
def _exists(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def reachable(*files: str) -> set[str]:
    """Every module that these files import, directly or through our own modules."""
    seen: set[str] = set()
    waiting = [ROOT / name for name in files]
    while waiting:
        for name in imported(waiting.pop()) - seen:
            seen.add(name)
            path = ROOT.joinpath(*name.split("."))
            waiting += [found for found in (path.with_suffix(".py"), path / "__init__.py") if found.is_file()]
    return seen


def row(name: str) -> str:
    """The row of ORDER that a module of captioner belongs to; the package itself, which is empty, belongs to none."""
    return (name.split(".") + [""])[1]


def test_a_module_imports_only_from_above():
    wrong = [
        f"{module_name(path)} must not import {name}"
        for path in sources("captioner")
        for name in imported(path)
        if row(module_name(path)) and name.startswith("captioner.") and row(name) != row(module_name(path))
        and ORDER.index(row(name)) > ORDER.index(row(module_name(path)))
    ]  # fmt: skip
    assert not wrong


def test_no_modules_import_each_other_in_a_circle():
    """Imports inside functions count: a circle that is put off until later is one all the same."""
    graph = {module_name(path): imported(path) for path in [*sources("captioner"), *sources("embeddings")]}
    TopologicalSorter({name: imports & graph.keys() - {name} for name, imports in graph.items()}).prepare()


def test_every_row_is_a_module():
    present = {row(module_name(path)) for path in sources("captioner")} - {""}
    assert sorted(present) == sorted(ORDER)


def test_embeddings_import_nothing_of_captioner():
    assert "captioner" not in _top(name for path in sources("embeddings") for name in imported(path))


def test_only_the_views_import_streamlit():
    users = {path for folder in ("captioner", "embeddings") for path in sources(folder) if _top(imported(path)) & {"streamlit"}}
    assert users and all(path.is_relative_to(ROOT / "captioner" / "views") for path in users)


def test_only_training_imports_tensorflow():
    """It is not installed where captions are only served."""
    users = {row(module_name(path)) for path in sources("captioner") if _top(imported(path)) & {"tensorflow", "keras"}}
    assert users <= {"runtime", "model", "vision", "training", "benchmarks"}


def _top(names: Iterable[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def test_app_py_is_navigation_and_nothing_else():
    tree = ast.parse((ROOT / "app.py").read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.If | ast.For | ast.With | ast.Try)]
    # `streamlit run` also imports it, to find the server.
    assert [ast.unparse(node).splitlines()[0] for node in found] == ["if __name__ == '__main__':"]


def test_nothing_that_the_page_can_reach_trains_anything():
    seen = reachable("app.py")
    assert "captioner.captioning.captioner" in seen and "tensorflow" in seen
    assert {module_name(path) for path in sources("captioner/views") if path.name == "page.py"} <= seen
    assert not seen & TRAINING
    assert not _top(seen) & {"gensim", "fasttext"}


def test_the_start_of_the_page_loads_nothing_heavy():
    views = [module_name(path) for path in sources("captioner/views")]
    code = f"import {', '.join(views)}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    loaded = set(done.stdout.split())
    assert set(views) <= loaded
    assert not loaded & (HEAVY | TRAINING)


def test_the_top_of_the_house_holds_only_what_is_allowed():
    ignored = {line.strip().rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
    present = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - ignored
    assert present <= ALLOWED_AT_THE_TOP
