"""`python -m captioner`: runs a command, and says what becomes of an error or an interruption.

The arguments are in `captioner.commands.parser`, what the commands do in one module each beside it.
"""

import os
import sys
from collections.abc import Sequence

from captioner.commands.arguments import read
from captioner.commands.parser import WRONG, parser
from captioner.commands.report import note
from captioner.errors import TriptychError

IN_PART, INTERRUPTED = 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 well, 1 in part, 2 our sentence says why not, 130 interrupted."""
    options = parser().parse_args(arguments)
    try:
        return options.command.run(read(options.command.Request, options))
    except TriptychError as error:
        note(str(error))
        return WRONG
    except BrokenPipeError:  # Whoever read what we say has gone, and knows why.
        return IN_PART
    except KeyboardInterrupt:
        note(options.interrupted)
        return INTERRUPTED


def finish(status: int) -> int:
    """Write what standard output still holds, and give the exit status; a reader who has gone is no failure worth a word."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python tries once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return status or IN_PART
        if not status:
            note(f"Standard output cannot be written ({error.strerror}); make room or write elsewhere.")
        return status or WRONG
    return status


if __name__ == "__main__":
    # A file's name may hold what the terminal's encoding cannot show; it is escaped, as on standard error.
    sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(finish(main()))
