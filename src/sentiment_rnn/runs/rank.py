"""One of the other processes of a run on several devices: `runs.processes` starts it and sends the configuration."""

import logging
import os
import pickle
import sys
import threading

from sentiment_rnn.environment import quiet_libraries
from sentiment_rnn.runs.engine import take_part


def main() -> None:
    """Read the configuration from standard input, and train with the process that sent it."""
    quiet_libraries()
    logging.basicConfig(level=logging.WARNING)  # the first process tells the rest
    config, checkpoint = pickle.load(sys.stdin.buffer)
    threading.Thread(target=end_with_first, daemon=True).start()
    take_part(config, checkpoint)


def end_with_first() -> None:
    """End this process where the first one is gone: it would wait for it for ever."""
    os.read(sys.stdin.fileno(), 1)  # not through the buffer: Python cannot end while a thread reads from it
    os._exit(1)


if __name__ == "__main__":
    main()
