"""A model over HTTP: MLflow's scoring protocol, and a page to type texts into."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from sentiment_rnn.inference.predictor import Predictor

LARGEST = 32 * 2**20
"""Most bytes of a request's body. Answering a text takes some twenty times its size in memory."""
TOGETHER = 2 * LARGEST
"""Most bytes of all bodies that are read or answered at the same time."""
MOST_TEXTS = 100_000
"""Most texts of a request."""
PATIENCE = 30
"""Seconds within which a body must have arrived."""
EXPECTED = 'expected texts, as in {"inputs": {"text": ["a text", "another"]}}'


class PunctualHTTP(H11Protocol):
    """uvicorn's HTTP protocol, with a limit of `timeout_keep_alive` seconds for a request's headers. uvicorn's own
    protocol waits forever once it has their first byte."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time limit of the first request."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        """Read the data that have come; the time limit stays until a request's headers are complete."""
        self.conn.receive_data(data)
        self.handle_events()


def scoring_app(
    predictor: Predictor, hosts: Collection[str], page: str = "", answer: Callable[[str], Any] | None = None
) -> Starlette:
    """The routes of MLflow's scoring server: `/invocations`, `/ping`, `/health`, `/version`.

    A page of another site cannot use it. Browsers send JSON to another site only if that site allows it. They also send
    the name by which they reached this server, which has to be one of `hosts`.

    Args:
        predictor: the model that answers.
        hosts: names and addresses by which the server may be called.
        page: HTML for `/`; empty for none.
        answer: function from a text to the answer for the page's script, which is sent as JSON.
    """
    bodies = Bodies()

    async def invocations(request: Request) -> Response:
        async with bodies.json_of(request) as asked:
            sentiments = await asyncio.to_thread(predictor.predict, texts_of(asked))
            return JSONResponse({"predictions": list(sentiments.records())})

    async def typed(request: Request) -> Response:
        async with bodies.json_of(request) as asked:
            match asked:
                case {"text": str(text)} if answer:
                    return JSONResponse(await asyncio.to_thread(answer, text))
        raise HTTPException(400, 'expected a text, as in {"text": "a text"}')

    routes = [
        Route("/invocations", invocations, methods=["POST"]),
        *(Route(path, lambda _: Response("\n", media_type="application/json")) for path in ("/ping", "/health")),
        Route("/version", lambda _: Response(version("mlflow"), media_type="application/json")),
    ]
    if page:
        routes += [Route("/", lambda _: HTMLResponse(page)), Route("/typed", typed, methods=["POST"])]
    return Starlette(
        routes=routes,
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)],
        exception_handlers={HTTPException: refusal, ClientDisconnect: lambda *_: Response()},
        max_body_size=LARGEST,
    )


class Bodies:
    """The request bodies that are being read or answered."""

    def __init__(self) -> None:
        self.held = 0
        """Bytes of all of them."""

    @asynccontextmanager
    async def json_of(self, request: Request) -> AsyncIterator[Any]:
        """A request's JSON. Its body counts towards the limit until the request is answered.

        Raises:
            HTTPException: the body is no JSON, too large or too slow.
        """
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise HTTPException(415, "expected JSON: send it with the header Content-Type: application/json")
        body = bytearray()
        try:
            yield await asyncio.wait_for(self._read(request, body), PATIENCE)
        except asyncio.TimeoutError as error:
            raise HTTPException(408, f"the body was not there within {PATIENCE} seconds") from error
        finally:
            self.held -= len(body)

    async def _read(self, request: Request, body: bytearray) -> Any:
        async for part in request.stream():
            body += part
            self.held += len(part)
            if self.held > TOGETHER:
                raise HTTPException(503, "busy with other large requests; try again")
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise HTTPException(400, f"the body is no valid JSON: {error}") from error


def texts_of(asked: Any) -> list[str | None]:
    """The texts of a request in one of MLflow's formats.

    Raises:
        HTTPException: there are none, or too many.
    """
    match asked:
        case {"inputs": {"text": [*texts]}} | {"inputs": [*texts]}:
            pass
        case {"instances": [*texts]} | {"dataframe_records": [*texts]}:
            pass
        case {"dataframe_split": {"columns": [*columns], "data": [*rows]}} if "text" in columns:
            place, width = columns.index("text"), len(columns)
            texts = [row[place] if isinstance(row, list) and len(row) == width else row for row in rows]
        case _:
            texts = [asked]
    texts = [row.get("text", row) if isinstance(row, dict) else row for row in texts]
    if not all(isinstance(text, str | None) for text in texts):
        raise HTTPException(400, EXPECTED)
    if len(texts) > MOST_TEXTS:
        raise HTTPException(413, f"{len(texts):,} texts; send at most {MOST_TEXTS:,} in a request")
    return texts


async def refusal(_: Request, error: Exception) -> Response:
    """An error in the format of MLflow's server. The line is cut, since it may quote what was sent."""
    assert isinstance(error, HTTPException)
    message = " ".join(error.detail.split())
    content = {"error_code": "BAD_REQUEST", "message": message[:500] + "…" * (len(message) > 500)}
    return JSONResponse(content, error.status_code, error.headers)
