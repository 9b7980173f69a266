"""MLflow's scoring server, for one model."""

import json
import os
from pathlib import Path
from typing import Any

import mlflow.pyfunc
from fastapi import FastAPI, Request, Response
from mlflow.pyfunc import scoring_server

from sentiment_rnn.data.text import whole
from sentiment_rnn.tracking.models import checked_model

INVOCATIONS = "/invocations"


def scoring_app(folder: Path) -> FastAPI:
    """The web application that `mlflow models serve` runs: `/invocations`, `/ping`, `/version`.

    Args:
        folder: an MLflow model of this project; raises `UserError` for another.
    """
    os.environ.setdefault("MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT", "60")
    app = scoring_server.init(mlflow.pyfunc.load_model(str(checked_model(folder))))
    app.middleware("http")(_for_strangers)
    return app


async def _for_strangers(request: Request, call_next: Any) -> Response:
    """What MLflow's server leaves undone: texts at which its data frames fail or which they turn into others, and
    tracebacks in answers."""
    if request.url.path != INVOCATIONS:
        return await call_next(request)
    body = await request.body()
    if "json" in request.headers.get("content-type", ""):
        try:
            request._body = json.dumps(readable(json.loads(body))).encode()  # which Starlette hands on
        except ValueError:
            pass  # MLflow says what is wrong with it
        except RecursionError:
            return Response(one_message(b"the JSON is nested too deeply"), 400, media_type="application/json")
    response = await call_next(request)
    if response.status_code < 400:
        return response
    answer = b"".join([part async for part in response.body_iterator])
    return Response(one_message(answer), response.status_code, media_type="application/json")


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


def one_message(answer: bytes, longest: int = 500) -> str:
    """An error as JSON with its code and its message alone, which MLflow would repeat a whole body in."""
    try:
        found = json.loads(answer)
        code, message = str(found["error_code"]), str(found["message"])
    except (ValueError, KeyError, TypeError):
        code, message = "BAD_REQUEST", answer.decode(errors="replace")
    line = " ".join(message.split())
    return json.dumps({"error_code": code, "message": line if len(line) <= longest else line[:longest] + "…"})
