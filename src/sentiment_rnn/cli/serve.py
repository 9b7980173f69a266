"""Serve a trained model: MLflow's scoring server, and a page that answers while you type.

sentiment-rnn serve
curl http://127.0.0.1:5001/invocations -H 'Content-Type: application/json' -d '{"inputs": {"text": ["warm and funny"]}}'
"""

import signal
import socket
import sys
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from sentiment_rnn.cli.trained_model import ModelOptions, TrainedModel, open_model
from sentiment_rnn.errors import UserError

if TYPE_CHECKING:
    from sentiment_rnn.inference.predictor import Predictor

LOCAL = ("127.0.0.1", "localhost", "[::1]")
"""Names that only this machine can use, to reach itself."""
BESIDE = ("rnn", "lstm")
"""Aliases of the models that the page asks, where they are registered."""


def main(
    *,
    host: str = "127.0.0.1",
    port: int = 5001,
    allow_host: tuple[str, ...] = (),
    no_page: bool = False,
    options: ModelOptions = ModelOptions(),
) -> None:
    """Serve until interrupted.

    Args:
        host: address to listen on; 0.0.0.0 listens on every network
        port: port to listen on; 0 takes a free one
        allow_host: answer to this name too, or to *.example.com; local names and --host are answered anyway
        no_page: serve only the scoring server
    """
    import uvicorn

    from sentiment_rnn.inference.serving import PunctualHTTP, scoring_app
    from sentiment_rnn.report.pages import answers, typed_page

    for name in allow_host:
        if name != "*" and "*" in name.removeprefix("*."):
            raise UserError(f"--allow-host={name}: expected a name, *.example.com for a domain, or * for every name")
    called = f"[{host}]" if ":" in host else host
    names = [*LOCAL, called, *allow_host]
    with ExitStack() as stack:
        opened = stack.enter_context(listening(host, port))
        if called not in LOCAL:
            names += own_names()
            print(
                f"warning: --host={host}: whoever reaches this machine can have texts judged, see which "
                "model it is, and keep the processor busy; nobody is asked for a password, and nothing is encrypted. "
                f"It answers to {', '.join(names)}; --allow-host NAME adds a name",
                file=sys.stderr, flush=True,
            )  # fmt: skip
        # SIGTERM then raises SystemExit, so that downloaded models are removed.
        before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        stack.callback(signal.signal, signal.SIGTERM, before)
        model = stack.enter_context(open_model(options))
        shown = {} if no_page else beside(options, model, stack)
        app = scoring_app(model.predictor, names, typed_page(shown) if shown else "", partial(answers, shown))
        address = f"http://{called}:{opened.getsockname()[1]}"
        print(
            f"{model.predictor.package.name}, run {model.run}: POST {address}/invocations  (Ctrl-C stops it)",
            flush=True,
        )
        if shown:
            print(f"page, with {' and '.join(shown)}: {address}", flush=True)
        uvicorn.Server(uvicorn.Config(app, http=PunctualHTTP, log_level="warning")).run([opened])


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there; raises `UserError` where this machine has no such address, or the port is taken."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError, ValueError) as error:  # ValueError: a malformed name
        reason = str(getattr(error, "strerror", None) or error).partition(" (")[0]
        raise UserError(f"--host={host} --port={port}: {reason}; choose another") from error


def own_names() -> list[str]:
    """This machine's name and its addresses in all its networks."""
    from psutil import net_if_addrs

    addresses = chain.from_iterable(net_if_addrs().values())
    numbers = [a.address.partition("%")[0] for a in addresses if a.family in (socket.AF_INET, socket.AF_INET6)]
    return [socket.gethostname(), *(f"[{number}]" if ":" in number else number for number in numbers)]


def beside(options: ModelOptions, model: TrainedModel, stack: ExitStack) -> "dict[str, Predictor]":
    """Models on the page: the served one, and the best RNN and LSTM where no model was chosen."""
    shown: dict[str, Predictor] = {}
    if not (options.run or options.model):
        name = model.registered.partition("@")[0]
        for alias in BESIDE:
            with suppress(UserError):  # no run of this encoder is registered
                shown[alias] = stack.enter_context(open_model(replace(options, model=f"{name}@{alias}"))).predictor
    return shown | {model.predictor.package.name: model.predictor}
