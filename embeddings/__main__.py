"""`python -m embeddings`: `neighbours` asks each table what is like a word, `maps` draws the maps that the page shows.

Only words and arguments are handled here.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from embeddings.errors import EmbeddingError

if TYPE_CHECKING:
    from embeddings.explore import Answer

TITLES = {"learned": "Learned", "word2vec": "Word2Vec", "fasttext": "FastText"}
CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"
STAGES = ("reward", "first")  # Of a folder with several stages of training, the first of these that is there is asked.
_ABOUT_FOLDER = "the folder of trained decoders, or of one stage of their training (default: those that come with the program)"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 if it could answer, 1 if it could not; 2 means wrong usage."""
    options = _parser().parse_args(arguments)
    options.checkpoints = _stage_folder(options.checkpoints)
    return options.run(options)


def _stage_folder(folder: Path) -> Path:
    """Where the tables lie: right in the folder, or in that of a stage of training."""
    inside = (folder / stage for stage in STAGES if any((folder / stage / name / "table.json").is_file() for name in TITLES))
    return next(inside, folder)


def _neighbours(options: argparse.Namespace) -> int:
    names = list(TITLES) if options.table == "all" else [options.table]
    answers: dict[str, Answer | EmbeddingError] = {}
    for name in names:
        try:
            answers[name] = _ask(name, options.checkpoints / name, options.word, options.top)
        except EmbeddingError as error:
            answers[name] = error
    (_print_json if options.json else _print_text)(options.word, answers)
    return 0 if any(_known(answer) for answer in answers.values()) else 1


def _maps(options: argparse.Namespace) -> int:
    from embeddings.maps import MAPS_FILE, draw_maps, maps_to_json
    from embeddings.table import EmbeddingTable

    path = options.checkpoints / MAPS_FILE
    try:
        tables = {name: EmbeddingTable.load(options.checkpoints / name) for name in TITLES}
        print(f"Drawing {options.words} words of {len(tables)} tables, some seconds each.", file=sys.stderr)
        drawn = draw_maps(tables, options.words)
        _replace(path, maps_to_json(drawn))
    except EmbeddingError as error:
        print(error, file=sys.stderr)
        return 1
    words = len(next(iter(drawn.values())).methods["pca"].words)
    facts = {"file": str(path), "words": words, "tables": {name: maps.fingerprint for name, maps in drawn.items()}}
    print(json.dumps(facts) if options.json else f"{path} has the maps of {words} words in {len(drawn)} tables.")
    return 0


def _replace(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old or the new one and never half of it."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise EmbeddingError(f"{path} cannot be written ({error.strerror}); make room or choose another folder.") from error


def _ask(name: str, folder: Path, word: str, top: int) -> "Answer":
    # NumPy comes with these, and is not needed to print the help.
    from embeddings.explore import ask
    from embeddings.files import read_bytes
    from embeddings.subwords import SUBWORDS_FILE, Subwords
    from embeddings.table import EmbeddingTable

    table = EmbeddingTable.load(folder)
    composes = name == "fasttext" and word not in table
    subwords = Subwords.from_bytes(read_bytes(folder / SUBWORDS_FILE)) if composes else None
    return ask(TITLES[name], table, word, top, subwords)


def _known(answer: "Answer | EmbeddingError") -> bool:
    return not isinstance(answer, EmbeddingError) and answer.known


def _print_json(word: str, answers: "Mapping[str, Answer | EmbeddingError]") -> None:
    tables: dict[str, object] = {}
    for name, answer in answers.items():
        if isinstance(answer, EmbeddingError):
            tables[name] = {"known": False, "message": str(answer)}
        elif not answer.known:
            tables[name] = {"known": False, "message": answer.message}
        else:
            near = [[word, round(cosine, 4)] for word, cosine in answer.neighbours]
            tables[name] = {"known": True, "origin": answer.origin, "neighbours": near}
            tables[name] |= {"message": answer.message} if answer.message else {}
    print(json.dumps({"word": word, "tables": tables}))


def _print_text(word: str, answers: "Mapping[str, Answer | EmbeddingError]") -> None:
    for name, answer in answers.items():
        if isinstance(answer, EmbeddingError):
            print(answer, file=sys.stderr)
            continue
        print(answer.message or f"{TITLES[name]} puts these nearest to '{word}' ({answer.origin}):")
        for neighbour, cosine in answer.neighbours:
            print(f"  {cosine:5.2f}  {neighbour}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m embeddings", description="Look into the word vectors of the three decoders.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("neighbours", help="the words that a table takes to be most like a word")
    command.add_argument("word", metavar="WORD", type=_word, help="one word, also one that was never seen")
    command.add_argument("--table", choices=[*TITLES, "all"], default="all", help="whose vectors to ask (default: all)")
    command.add_argument("--top", type=_count, default=10, metavar="N", help="how many words to list (default: 10)")
    _finish(command, _neighbours)
    command = commands.add_parser("maps", help="draw the commonest words on a plane (PCA and t-SNE), into maps.json")
    command.add_argument("--words", type=_count, default=450, metavar="N", help="how many words to draw (default: 450)")
    _finish(command, _maps)
    return parser


def _finish(command: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]) -> None:
    command.add_argument("--checkpoints", type=Path, default=CHECKPOINTS, metavar="DIR", help=_ABOUT_FOLDER)
    command.add_argument("--json", action="store_true", help="write JSON for machines")
    command.set_defaults(run=run)


def _word(text: str) -> str:
    from embeddings.explore import checked_word

    try:
        return checked_word(text)
    except EmbeddingError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number of 1 or more is needed, but {text!r} was given")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
