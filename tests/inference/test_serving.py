"""The server of `serve` promises MLflow's protocol, to its own names alone, and bounds on what it holds."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

from processes import wait_for
from sentiment_rnn.inference import serving
from sentiment_rnn.inference.package import Package
from sentiment_rnn.inference.predictor import Predictor

TEXTS = b'{"inputs": {"text": ["good"]}}'
HEAD = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture
def port(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, build_package: Callable[..., Package]
) -> Iterator[int]:
    """Port of a server on 127.0.0.1 with small bounds, whose other name is models.example. It logs no error."""
    monkeypatch.setattr(serving, "LARGEST", 1000)
    monkeypatch.setattr(serving, "TOGETHER", 1500)
    monkeypatch.setattr(serving, "MOST_TEXTS", 9)
    monkeypatch.setattr(serving, "PATIENCE", 0.5)
    app = serving.scoring_app(Predictor(build_package()), ["127.0.0.1", "localhost", "[::1]", "models.example"])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, http=serving.PunctualHTTP, timeout_keep_alive=1, log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(10)
    errors = [record for record in caplog.get_records("call") if record.levelname == "ERROR"]
    assert errors == []


def ask(port: int, body: Any = None, path: str = "/invocations", method: str = "", **headers: str) -> tuple[int, Any]:
    """Status and answer, or message."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    method = method or ("POST" if body else "GET")
    connection.request(method, path, body, {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    content = answer.read().decode()
    connection.close()
    return answer.status, json.loads(content) if content.startswith("{") else content


def open_request(port: int, body: bytes, length: int) -> socket.socket:
    """A request of which only this much of the body comes."""
    opened = socket.create_connection(("127.0.0.1", port), timeout=20)
    opened.sendall(HEAD % length + body)
    return opened


def is_closed(connection: socket.socket) -> bool:
    """Whether the server closes a connection without a word."""
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:  # as a system says it where the server had not read all
        return True


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:{port}", 200), ("Models.Example", 200), ("evil.example:{port}", 400), ("127.0.0.1.evil.example", 400)],
)  # fmt: skip
def test_only_names_of_the_server_are_answered(port: int, host: str, status: int) -> None:
    assert ask(port, TEXTS, Host=host.format(port=port))[0] == status


def test_a_browser_gets_no_leave_to_send_what_a_page_of_another_site_asks(port: int) -> None:
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    assert ask(port, method="OPTIONS", **asked)[0] == 405
    # What a browser sends without asking first: a form, or plain text.
    for kind in ("text/plain; json", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        assert ask(port, TEXTS, **{"Content-Type": kind})[0] == 415


def test_it_speaks_mlflows_protocol(port: int) -> None:
    import mlflow

    (expected,) = ask(port, TEXTS)[1]["predictions"]
    assert set(expected) == {"label", "probability", "known_tokens", "unknown_tokens"}
    assert expected["label"] == ("positive" if expected["probability"] > 0.5 else "negative")
    for asked in (
        {"inputs": ["good"]},
        {"inputs": [{"text": "good"}]},
        {"instances": [{"text": "good"}]},
        {"dataframe_records": [{"text": "good", "id": 3}]},
        {"dataframe_split": {"index": [7], "columns": ["id", "text"], "data": [[3, "good"]]}, "params": {}},
    ):
        assert ask(port, json.dumps(asked)) == (200, {"predictions": [expected]}), asked
    assert ask(port, path="/ping")[0] == ask(port, path="/health")[0] == 200
    assert ask(port, path="/version") == (200, mlflow.__version__)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{bad", "valid JSON"),
        (b"[" * 900, "valid JSON"),
        (b"{}", "expected texts"),
        (b'{"inputs": {"text": [["good"]]}}', "expected texts"),
        (b'{"instances": [{"review": "good"}]}', "expected texts"),
        (b'{"dataframe_split": {"columns": [["id"]], "data": [["a"]]}}', "expected texts"),
        (b'{"dataframe_split": {"columns": ["id", "text"], "data": [["a", "good"], ["b"]]}}', "expected texts"),
    ],
)
def test_what_is_no_list_of_texts_is_one_line(port: int, body: bytes, message: str) -> None:
    status, answer = ask(port, body)
    assert (status, set(answer)) == (400, {"error_code", "message"})
    assert message in answer["message"]
    assert "\n" not in answer["message"]


def test_a_body_that_is_too_large_is_a_413_whether_its_length_is_told_or_not(port: int) -> None:
    padded = TEXTS + b" " * (1000 - len(TEXTS))
    assert ask(port, padded)[0] == ask(port, iter([padded[:600], padded[600:]]))[0] == 200
    assert ask(port, padded + b" ")[0] == 413
    assert ask(port, iter([b"a" * 100_000] * 200))[0] == 413, "all of it is sent before the answer is read"
    with open_request(port, b"", 10**15) as opened:  # which is answered before it comes
        assert opened.recv(100).startswith(b"HTTP/1.1 413 ")
    status, answer = ask(port, json.dumps({"inputs": ["a"] * 10}))
    assert (status, answer["message"]) == (413, "10 texts; send at most 9 in a request")


def test_bodies_that_are_too_large_together_are_refused_and_leave_room_when_they_go(port: int) -> None:
    padded = TEXTS + b" " * 870
    held = open_request(port, b" " * 900, 1000)
    assert ask(port, TEXTS)[0] == 200
    assert ask(port, padded)[0] == 503
    held.close()
    assert ask(port, padded)[0] == 200
    with open_request(port, b" " * 900, 1000) as paused:
        assert paused.recv(100).startswith(b"HTTP/1.1 408 ")
        assert ask(port, padded)[0] == 200


def test_headers_that_are_sent_by_half_are_not_waited_for(port: int) -> None:
    half_sent = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(300)]
    for connection in half_sent:
        connection.sendall(b"GET / HT")
    assert ask(port, TEXTS)[0] == 200
    begin = time.monotonic()
    for connection in half_sent:
        assert is_closed(connection)
        connection.close()
    assert time.monotonic() - begin < 5
    with open_request(port, TEXTS, len(TEXTS)) as later:  # a second request on a connection that has had its answer
        answer = http.client.HTTPResponse(later)
        answer.begin()
        assert (answer.status, bool(answer.read())) == (200, True)
        for byte in b"GET /p":
            later.sendall(bytes([byte]))
            threading.Event().wait(0.1)
        assert is_closed(later)


def test_a_client_that_goes_is_no_error(port: int) -> None:
    for body in (b"", b"a" * 10, b"a" * 999, b"a" * 1000):
        open_request(port, body, 1000).close()
    wait_for(lambda: ask(port, TEXTS)[0] == 200, 5)
