"""`train` up to its first optimizer step, in a process of its own, for commands.py.

    python first_step.py STARTED [override …]

prints the seconds since STARTED, a value of Python's monotonic clock.
"""

import os
import sys
import time

from sentiment_rnn import environment


def main() -> None:
    """Act as `sentiment-rnn train`, and leave after the first step."""
    started = float(sys.argv[1])
    quiet_libraries = environment.quiet_libraries

    def then_watch_the_optimizer() -> None:
        quiet_libraries()
        if "sentiment_rnn.engine.train" in sys.modules:  # torch is loaded: not earlier, since loading it counts
            from torch.optim.optimizer import register_optimizer_step_post_hook

            def leave(*_: object) -> None:
                print(time.monotonic() - started, flush=True)
                os._exit(0)

            register_optimizer_step_post_hook(leave)

    environment.quiet_libraries = then_watch_the_optimizer
    from sentiment_rnn.cli.main import main as command  # only now: its modules bind `quiet_libraries` by name

    sys.argv = ["sentiment-rnn", "train", *sys.argv[2:]]
    command()


if __name__ == "__main__":
    main()
