"""`python -m embeddings`: `neighbours` lists each table's nearest words, `maps` draws the maps of the page."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from embeddings.errors import EmbeddingError

if TYPE_CHECKING:
    from embeddings.explore import Answer

TITLES = {"learned": "Learned", "word2vec": "Word2Vec", "fasttext": "FastText"}
CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"
STAGES = ("reward", "first")  # A folder with several training stages is read from the first of these that exists.
_ABOUT_FOLDER = "folder of trained decoders or of one of their training stages (default: the shipped decoders)"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; exit status 0 if it found an answer, 1 if not, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    options.checkpoints = _stage_folder(options.checkpoints)
    try:
        return options.run(options)
    except ModuleNotFoundError as error:  # Maps need more packages than neighbours.
        print(f"This command needs {error.name}, which is not installed; run pip install -r requirements.txt.", file=sys.stderr)
        return 1


def _stage_folder(folder: Path) -> Path:
    """The folder of the tables: that of a training stage if there is one, otherwise the folder itself."""
    inside = (folder / stage for stage in STAGES if any((folder / stage / name / "table.json").is_file() for name in TITLES))
    return next(inside, folder)


def _neighbours(options: argparse.Namespace) -> int:
    names = list(TITLES) if options.table == "all" else [options.table]
    answers = {name: _ask(name, options.checkpoints / name, options.word, options.top) for name in names}
    if options.json:
        print(json.dumps({"word": options.word, "tables": {name: _to_json(answer) for name, answer in answers.items()}}))
    else:
        for name, answer in answers.items():
            _print(TITLES[name], options.word, answer)
    return 0 if any(not isinstance(answer, EmbeddingError) and answer.known for answer in answers.values()) else 1


def _ask(name: str, folder: Path, word: str, top: int) -> "Answer | EmbeddingError":
    # NumPy comes with these, and --help does not need it.
    from embeddings.explore import ask
    from embeddings.files import read_bytes
    from embeddings.subwords import SUBWORDS_FILE, Subwords
    from embeddings.table import EmbeddingTable

    try:
        table = EmbeddingTable.load(folder)
        composes = name == "fasttext" and word not in table
        subwords = Subwords.from_bytes(read_bytes(folder / SUBWORDS_FILE)) if composes else None
        return ask(TITLES[name], table, word, top, subwords)
    except EmbeddingError as error:
        return error


def _to_json(answer: "Answer | EmbeddingError") -> dict[str, object]:
    if isinstance(answer, EmbeddingError):
        return {"known": False, "message": str(answer)}
    near = [[word, round(cosine, 4)] for word, cosine in answer.neighbours]
    found: dict[str, object] = {"known": True, "origin": answer.origin, "neighbours": near} if answer.known else {"known": False}
    return found | ({"message": answer.message} if answer.message else {})


def _print(title: str, word: str, answer: "Answer | EmbeddingError") -> None:
    if isinstance(answer, EmbeddingError):
        print(answer, file=sys.stderr)
        return
    print(answer.message or f"{title} puts these nearest to '{word}' ({answer.origin}):")
    for neighbour, cosine in answer.neighbours:
        print(f"  {cosine:5.2f}  {neighbour}")


def _maps(options: argparse.Namespace) -> int:
    from embeddings.maps import MAPS_FILE, draw_maps, maps_to_json
    from embeddings.table import EmbeddingTable

    path = options.checkpoints / MAPS_FILE
    try:
        tables = {name: EmbeddingTable.load(options.checkpoints / name) for name in TITLES}
        print(f"Drawing {options.words} words of {len(tables)} tables; each takes some seconds.", file=sys.stderr)
        drawn = draw_maps(tables, options.words)
        _replace(path, maps_to_json(drawn))
    except EmbeddingError as error:
        print(error, file=sys.stderr)
        return 1
    words = len(next(iter(drawn.values())).methods["pca"].words)
    facts = {"file": str(path), "words": words, "tables": {name: maps.fingerprint for name, maps in drawn.items()}}
    print(json.dumps(facts) if options.json else f"Wrote the maps of {words} words in {len(drawn)} tables to {path}.")
    return 0


def _replace(path: Path, data: bytes) -> None:
    """Replace a file atomically."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise EmbeddingError(f"{path} cannot be written ({error.strerror}); make room or choose another folder.") from error


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m embeddings", description="Explore the word vectors of the three decoders.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("neighbours", help="list the words nearest to a word in each table")
    command.add_argument("word", metavar="WORD", type=_word, help="one word, seen in training or not")
    command.add_argument("--table", choices=[*TITLES, "all"], default="all", help="table to query (default: all)")
    command.add_argument("--top", type=_count, default=10, metavar="N", help="number of words to list (default: 10)")
    _finish(command, _neighbours)
    command = commands.add_parser("maps", help="map the commonest words in two dimensions (PCA and t-SNE) and write maps.json")
    command.add_argument("--words", type=_count, default=450, metavar="N", help="number of words to draw (default: 450)")
    _finish(command, _maps)
    return parser


def _finish(command: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]) -> None:
    command.add_argument("--checkpoints", type=Path, default=CHECKPOINTS, metavar="DIR", help=_ABOUT_FOLDER)
    command.add_argument("--json", action="store_true", help="write JSON")
    command.set_defaults(run=run)


def _word(text: str) -> str:
    from embeddings.explore import checked_word

    try:
        return checked_word(text)
    except EmbeddingError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of 1 or more, but got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
