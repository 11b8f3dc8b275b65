"""`python -m captioner.leash`: the same command line, at low priority, that stops when whoever started it goes or says so.

It ends as by Ctrl+C when its standard input is closed, which the system does even for a parent that was killed.
"""

import _thread
import os
import signal
import sys
import threading

from captioner.__main__ import main

PRIORITY = 10  # as of the command nice: every other program goes first


def _hold() -> None:
    """Wait for the end of the input; read from below Python's own buffers, which must be free when the program ends."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    _thread.interrupt_main()


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(PRIORITY)
    # A program started in the background may have been told to ignore interruptions.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_hold, daemon=True).start()
    sys.exit(main())
