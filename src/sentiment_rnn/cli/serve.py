"""Serve a trained model: MLflow's scoring server, and a page that answers as one types.

sentiment-rnn serve
curl http://127.0.0.1:5001/invocations -H 'Content-Type: application/json' -d '{"inputs": {"text": ["warm and funny"]}}'
"""

import argparse
import signal
import socket
import sys
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING

from sentiment_rnn.cli.commands import new_parser
from sentiment_rnn.cli.trained_model import TrainedModel, add_arguments, open_model
from sentiment_rnn.errors import UserError

if TYPE_CHECKING:
    from sentiment_rnn.inference.predictor import Predictor

BESIDE = ("rnn", "lstm")
"""Aliases of the models that the page asks, where they are registered."""


def main() -> None:
    """Read the command line and serve."""
    parser = new_parser("serve", __doc__)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 is every network (default: %(default)s)"
    )
    parser.add_argument("--port", type=int, default=5001, help="(default: %(default)s)")
    parser.add_argument(
        "--allow-host", metavar="NAME", action="append", default=[],
        help="answer to this name too, a reverse proxy's say; local names and --host are answered anyway",
    )  # fmt: skip
    parser.add_argument("--no-page", action="store_true", help="the scoring server alone")
    add_arguments(parser)
    serve(parser.parse_args())


def serve(arguments: argparse.Namespace) -> None:
    """Serve until interrupted."""
    import uvicorn

    from sentiment_rnn.report.pages.typed import answers, typed_page
    from sentiment_rnn.tracking.serving import LOCAL, Page, scoring_app

    host = arguments.host
    check_port(host, arguments.port)
    if host not in LOCAL:
        print(
            f"warning: --host={host}: whoever reaches this machine can have texts judged, see which model it is, and "
            "keep the processor busy; nobody is asked for a password, and nothing is encrypted",
            file=sys.stderr, flush=True,
        )  # fmt: skip
    with ExitStack() as stack:
        # uvicorn raises the signal that ended it once more: models that were downloaded are removed then, too.
        before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        stack.callback(signal.signal, signal.SIGTERM, before)
        model = stack.enter_context(open_model(arguments))
        shown = {} if arguments.no_page else beside(arguments, model, stack)
        page = Page(typed_page(shown), partial(answers, shown)) if shown else None
        app = scoring_app(model.folder, host, arguments.allow_host, page)
        address = f"http://{f'[{host}]' if ':' in host else host}:{arguments.port}"
        print(
            f"{model.predictor.package.name}, run {model.run}: POST {address}/invocations  (Ctrl-C stops it)",
            flush=True,
        )
        if shown:
            print(f"page, with {' and '.join(shown)}: {address}", flush=True)
        uvicorn.run(app, host=host, port=arguments.port, log_level="warning")


def beside(arguments: argparse.Namespace, model: TrainedModel, stack: ExitStack) -> "dict[str, Predictor]":
    """Models on the page: the served one, and the best RNN and LSTM where no model was chosen."""
    shown: dict[str, Predictor] = {}
    if not (arguments.run or arguments.model):
        name = model.registered.partition("@")[0]
        for alias in BESIDE:
            with suppress(UserError):  # the sweep that was compared had none
                shown[alias] = stack.enter_context(open_model(arguments, model=f"{name}@{alias}")).predictor
    return shown | {model.predictor.package.name: model.predictor}


def check_port(host: str, port: int) -> None:
    """Raise `UserError` where this machine has no such address, or something listens on the port already."""
    if port == 0:
        raise UserError("--port=0: expected a port that can be told before it is opened; give 5001, say")
    try:
        family = socket.getaddrinfo(host, port)[0][0]
        with socket.socket(family) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, port))
    except (OSError, OverflowError, ValueError) as error:  # the last of a name that cannot be one
        raise UserError(
            f"--host={host} --port={port}: {getattr(error, 'strerror', None) or error}; choose another"
        ) from error
