"""MLflow's scoring server for one model, and the page beside it; both are guarded against strangers."""

import asyncio
import ipaddress
import json
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import mlflow.pyfunc
from fastapi import FastAPI, Request, Response
from mlflow.pyfunc import scoring_server
from starlette.datastructures import Headers
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from sentiment_rnn.data.tokenizer import whole
from sentiment_rnn.tracking.models import checked_model

INVOCATIONS, TYPED = "/invocations", "/typed"
LOCAL = ("127.0.0.1", "localhost", "::1")
"""Addresses that this machine alone reaches."""
LARGEST = 32 * 2**20
"""Bytes of a request's body. Answering a text takes some twenty times its size in memory."""
TOGETHER = 2 * LARGEST
"""Bytes of all bodies that are read or answered at a time."""
PATIENCE = 10
"""Seconds that a body may pause."""


class Page(NamedTuple):
    """Page at the server's root."""

    html: str
    answer: Callable[[str], Any]
    """From a text to what the page's script is sent, as JSON."""


def scoring_app(folder: Path, host: str, others: Sequence[str] = (), page: Page | None = None) -> FastAPI:
    """The web application that `mlflow models serve` runs: `/invocations`, `/ping`, `/health`, `/version`.

    Args:
        folder: an MLflow model of this project; raises `UserError` for another.
        host: the address that it listens on.
        others: further names that it may be called by.
        page: beside it, at `/`; None for no page.
    """
    os.environ.setdefault("MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT", "60")
    app = scoring_server.init(mlflow.pyfunc.load_model(str(checked_model(folder))))
    if page:
        _add_page(app, page)
    app.add_middleware(Guard, host=host, others=others)
    return app


def _add_page(app: FastAPI, page: Page) -> None:
    async def show(_: Request) -> Response:
        return HTMLResponse(page.html)

    async def answer(request: Request) -> Response:
        asked = await request.json()
        text = asked.get("text") if isinstance(asked, dict) else None
        if not isinstance(text, str):
            return refusal('expected a text, as in {"text": "a text"}')
        return JSONResponse(await asyncio.to_thread(page.answer, text))

    app.add_route("/", show, methods=["GET"])
    app.add_route(TYPED, answer, methods=["POST"])


class Guard(BaseHTTPMiddleware):
    """Turns a request away before anything reads it, or hands it on with its whole body.

    A page of another site can have a browser send requests here. Where it does so in its own name, `Origin` names it.
    Where its name leads to this address (DNS rebinding), `Host` does.
    """

    def __init__(self, app: ASGIApp, host: str, others: Sequence[str]) -> None:
        super().__init__(app)
        self.others = {name.lower() for name in others}
        self.names = {*LOCAL, host.lower(), *self.others}
        self.by_number = host not in LOCAL
        """Whether any IP address is accepted as a name. Behind a router or in a container, this machine does not know
        its own. The name of another site is no IP address."""
        if self.by_number:
            self.names.add(socket.gethostname().lower())
        self.held = 0
        """Bytes of the bodies that are read or answered now."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Answer a request, or have it answered."""
        body = bytearray()
        try:
            headers = request.headers
            if found := self._stranger(headers) or _too_large(headers) or await self._read(request, body):
                return EarlyAnswer(found.body, found.status_code, media_type=found.media_type)
            request._body = bytes(body)  # what Starlette hands on
            return await _answered(request, call_next)
        except ClientDisconnect:
            return Response()
        finally:
            self.held -= len(body)

    def _stranger(self, headers: Headers) -> Response | None:
        given, origin = headers.get("host", ""), headers.get("origin")
        site = (origin or "").partition("://")[2]
        if not self._is_ours(given):
            return refusal(f"Host: {given}: not a name of this server; serve --allow-host NAME makes it one", 403)
        # A proxy may put a name of ours in the place of the one that the browser asked for.
        if origin is not None and site != given and site.partition(":")[0].lower() not in self.others:
            return refusal(f"Origin: {origin}: a page of another site may not ask this server", 403)
        return None

    def _is_ours(self, given: str) -> bool:
        try:
            name = urlsplit(f"//{given}").hostname or ""
            return name in self.names or (self.by_number and bool(ipaddress.ip_address(name)))
        except ValueError:
            return False

    async def _read(self, request: Request, body: bytearray) -> Response | None:
        """Read the body, which counts as held from now on; an answer where it is refused."""
        parts = request.stream()
        try:
            while part := await asyncio.wait_for(anext(parts), PATIENCE):  # the last one is empty
                body += part
                self.held += len(part)
                if refused := _over(len(body)):
                    return refused
                if self.held > TOGETHER:
                    return refusal("busy with other large requests; try again", 503)
        except asyncio.TimeoutError:
            return refusal(f"the body paused for {PATIENCE} seconds", 408)
        return None


def _too_large(headers: Headers) -> Response | None:
    length = headers.get("content-length", "")
    return _over(int(length)) if length.isdecimal() else None


def _over(size: int) -> Response | None:
    if size <= LARGEST:
        return None
    return refusal(f"the body is larger than {LARGEST // 2**20} MiB; send the texts in several requests", 413)


class EarlyAnswer(Response):
    """An answer before the body was read. What is left of the body is thrown away: many clients read no answer before
    they have sent everything."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        self.headers["Connection"] = "close"
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with suppress(asyncio.TimeoutError):
            while (await asyncio.wait_for(receive(), PATIENCE)).get("more_body"):
                pass
        await send({"type": "http.response.body"})


async def _answered(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Checks that MLflow's server leaves undone: texts at which its data frames fail or which they turn into others,
    and tracebacks in answers."""
    path = request.url.path
    if path not in (INVOCATIONS, TYPED):
        return await call_next(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return refusal("expected JSON: send it with the header Content-Type: application/json", 415)
    try:
        value = await request.json()
        if path == INVOCATIONS:
            if found := misplaced(value):
                return refusal(found)
            request._body = json.dumps(readable(value)).encode()
    except RecursionError:
        return refusal("the JSON is nested too deeply")
    except ValueError as error:
        return refusal(f"the body is no valid JSON: {error}")
    response: Any = await call_next(request)
    if response.status_code < 400:
        return response
    answer = b"".join([part async for part in response.body_iterator])
    return refusal(message_of(answer), response.status_code)


SHAPES: dict[str, tuple[tuple[type, ...], ...]] = {
    "inputs": ((dict, list), (list, dict), (dict,), (list,)),
    "instances": ((list, dict), (list,)),
    "dataframe_records": ((list, dict),),
    "dataframe_split": ((dict, list, list),),
}
"""MLflow's names for what is asked, and the containers around a text in each: `{"inputs": {"text": ["good"]}}`."""


def misplaced(value: Any) -> str | None:
    """Fault in where the texts of a request stand; None where nothing is."""
    if not isinstance(value, dict):
        return f"expected an object with one of {', '.join(SHAPES)}"
    for name, shapes in SHAPES.items():
        if name in value and not any(_fits(value[name], shape) for shape in shapes):
            return f'{name}: expected texts, as in {{"inputs": {{"text": ["a text", "another"]}}}}'
    return None


def _fits(value: Any, shape: tuple[type, ...]) -> bool:
    if not isinstance(value, list | dict):
        return True
    if not shape or not isinstance(value, shape[0]):
        return False
    return all(_fits(item, shape[1:]) for item in (value.values() if isinstance(value, dict) else value))


def readable(value: Any) -> Any:
    """JSON whose values are texts: a number is the text of its digits, null an empty text (MLflow would make it
    "None"), half of a character U+FFFD."""
    if isinstance(value, list):
        return [readable(item) for item in value]
    if isinstance(value, dict):
        return {whole(key): readable(item) for key, item in value.items()}
    if isinstance(value, str):
        return whole(value)
    return "" if value is None else json.dumps(value)


def message_of(answer: bytes) -> str:
    """The message of an error that MLflow answers, without its traceback."""
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer.decode(errors="replace")


def refusal(message: str, status: int = 400) -> Response:
    """An error as JSON: its message in one line, which may hold what was sent, so it is cut."""
    line = " ".join(message.split())
    shown = line[:500] + "…" * (len(line) > 500)
    content = json.dumps({"error_code": "BAD_REQUEST", "message": shown})
    return Response(content, status, media_type="application/json")
