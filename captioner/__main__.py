"""`python -m captioner`: run a command, and turn errors and interruptions into a message and an exit status.

`captioner.commands.parser` lists the commands. With `--supervised` in front of the command, the process runs at low priority
and stops, as by Ctrl+C, when its standard input closes; the system closes it even for a parent that was killed.
"""

import _thread
import os
import signal
import sys
import threading
from collections.abc import Sequence

from captioner.commands.arguments import read
from captioner.commands.parser import ERROR, parser
from captioner.commands.report import note
from captioner.errors import TriptychError

PARTIAL, INTERRUPTED = 1, 130
_SUPERVISED = "--supervised"
_LOW_PRIORITY = 10  # as `nice` counts: every other program goes first


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status: 0 success, 1 partial success, 2 error with a message, 130 interrupted."""
    options = parser().parse_args(arguments)
    try:
        return options.command.run(read(options.command.Request, options))
    except TriptychError as error:
        note(str(error))
        return ERROR
    except ModuleNotFoundError as error:  # Training needs more packages than captions.
        if str(error.name).startswith("captioner"):
            raise
        note(f"This command needs {error.name}, which is not installed; run pip install -r requirements.txt.")
        return ERROR
    except BrokenPipeError:  # The reader of our output has gone; there is nobody to tell.
        return PARTIAL
    except KeyboardInterrupt:
        note(options.command.Request.interrupted)
        return INTERRUPTED


def finish(status: int) -> int:
    """Flush standard output and return the exit status; a reader that has gone is no error."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return status or PARTIAL
        if not status:
            note(f"Cannot write to standard output ({error.strerror}). Make room or write elsewhere.")
        return status or ERROR
    return status


def supervise() -> None:
    """Lower this process's priority, and interrupt it when its standard input closes."""
    if hasattr(os, "nice"):
        os.nice(_LOW_PRIORITY)
    # A program started in the background may have been set to ignore interruptions.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_interrupt_at_end_of_input, daemon=True).start()


def _interrupt_at_end_of_input() -> None:
    # Not through sys.stdin, whose lock must be free when the program ends.
    while os.read(sys.stdin.fileno(), 1):
        pass
    _thread.interrupt_main()


def _run_program(arguments: Sequence[str]) -> int:
    # A file name may hold what the terminal's encoding cannot show; it is escaped, as on standard error.
    sys.stdout.reconfigure(errors="backslashreplace")
    if arguments[:1] == [_SUPERVISED]:
        supervise()
        arguments = arguments[1:]
    return finish(main(arguments))


if __name__ == "__main__":
    sys.exit(_run_program(sys.argv[1:]))
