"""MLflow's scoring server, for one model."""

import json
import os
from pathlib import Path
from typing import Any

import mlflow.pyfunc
from fastapi import FastAPI, Request, Response
from mlflow.pyfunc import scoring_server

from sentiment_rnn.data.tokenizer import whole
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
    if "json" not in request.headers.get("content-type", ""):
        return refusal("expected JSON: send it with the header Content-Type: application/json", 415)
    try:
        value = json.loads(await request.body())
    except RecursionError:
        return refusal("the JSON is nested too deeply")
    except ValueError as error:
        return refusal(f"the body is no valid JSON: {error}")
    if found := misplaced(value):
        return refusal(found)
    request._body = json.dumps(readable(value)).encode()  # what Starlette hands on
    response = await call_next(request)
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
    """What is wrong with where the texts of a request stand; None where nothing is."""
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


def refusal(message: str, status: int = 400, longest: int = 500) -> Response:
    """An error as JSON: its message in one line, which may hold what was sent, so it is cut."""
    line = " ".join(message.split())
    shown = line if len(line) <= longest else line[:longest] + "…"
    content = json.dumps({"error_code": "BAD_REQUEST", "message": shown})
    return Response(content, status, media_type="application/json")
