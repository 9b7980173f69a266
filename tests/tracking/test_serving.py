"""Requests that pass the guard of the scoring server, over real HTTP, around an application that answers lengths."""

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from processes import free_port
from sentiment_rnn.tracking import serving

Serve = Callable[..., int]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Serve]:
    """Start a server on 127.0.0.1 whose guard thinks that it listens on `host`; its port. No server logs an error."""
    started: list[tuple[uvicorn.Server, threading.Thread]] = []
    monkeypatch.setattr(serving, "LARGEST", 1000)
    monkeypatch.setattr(serving, "TOGETHER", 1500)
    monkeypatch.setattr(serving, "PATIENCE", 0.5)

    async def length(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    def start(host: str = "127.0.0.1", *others: str) -> int:
        app = Starlette(routes=[Route("/", length, methods=["GET", "POST"])])
        app.add_middleware(serving.Guard, host=host, others=others)
        port = free_port()
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, log_level="warning"))
        thread = threading.Thread(target=server.run)
        started.append((server, thread))
        thread.start()
        while not server.started:
            assert thread.is_alive()
            threading.Event().wait(0.01)
        return port

    yield start
    for server, thread in started:
        server.should_exit = True
        thread.join(10)
    assert [*caplog.get_records("call"), *caplog.get_records("teardown")] == []


def ask(port: int, body: Any = None, **headers: str) -> tuple[int, str]:
    """Status and body, or message."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST" if body else "GET", "/", body, headers)
    answer = connection.getresponse()
    said = answer.read().decode()
    connection.close()
    return answer.status, said if answer.status == 200 else json.loads(said)["message"]


def open_request(port: int, body: bytes, length: int) -> socket.socket:
    """A request of which only this much of the body comes."""
    opened = socket.create_connection(("127.0.0.1", port), timeout=20)
    opened.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (length, body))
    return opened


@pytest.mark.parametrize(
    ("host", "others", "given", "status"),
    [
        ("127.0.0.1", (), "127.0.0.1:{port}", 200),
        ("127.0.0.1", (), "LOCALHOST", 200),
        ("127.0.0.1", (), "[::1]:{port}", 200),
        ("127.0.0.1", (), "evil.example:{port}", 403),
        ("127.0.0.1", (), "127.0.0.1.evil.example", 403),
        ("127.0.0.1", (), "10.0.0.7", 403),
        ("127.0.0.1", (), "[::1", 403),
        ("127.0.0.1", (), "", 403),
        ("127.0.0.1", ("models.example",), "Models.Example", 200),
        ("box.lan", (), "box.lan:{port}", 200),
        ("0.0.0.0", (), "10.0.0.7:{port}", 200),
        ("0.0.0.0", (), "[fd00::7]:{port}", 200),
        ("0.0.0.0", (), socket.gethostname(), 200),
        ("0.0.0.0", (), "evil.example", 403),
    ],
)
def test_only_names_of_the_server_are_answered(
    serve: Serve, host: str, others: tuple[str, ...], given: str, status: int
) -> None:
    port = serve(host, *others)
    found, said = ask(port, Host=given.format(port=port))
    assert found == status
    assert status == 200 or "--allow-host" in said


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://{here}", 200), ("https://{here}", 200), ("http://localhost:1", 403), ("http://evil.example", 403),
     ("null", 403), ("http://[", 403), ("https://Models.example:8443", 200), ("https://models.example.evil", 403)],
)  # fmt: skip
def test_no_page_of_another_site_is_answered(serve: Serve, origin: str, status: int) -> None:
    port = serve("127.0.0.1", "models.example")
    here = f"127.0.0.1:{port}"
    assert ask(port, b"a", Host=here, Origin=origin.format(here=here))[0] == status


def test_a_body_that_is_too_large_is_a_413_whether_its_length_is_told_or_not(serve: Serve) -> None:
    port = serve()
    assert ask(port, b"a" * 1000) == (200, "1000")
    assert ask(port, b"a" * 1001)[0] == 413
    assert ask(port, iter([b"a" * 600, b"a" * 400])) == (200, "1000")
    status, said = ask(port, iter([b"a" * 100_000] * 200))  # all of it is sent before the answer is read
    assert status == 413
    assert "larger than" in said
    with open_request(port, b"", 10**15) as told:  # which is answered before it comes
        assert told.recv(100).startswith(b"HTTP/1.1 413 ")


def test_bodies_that_are_too_large_together_wait_for_nothing_and_leave_room_when_they_go(serve: Serve) -> None:
    port = serve()
    held = open_request(port, b"a" * 900, 1000)
    assert ask(port, b"a" * 500) == (200, "500")
    assert ask(port, b"a" * 900)[0] == 503
    held.close()
    assert ask(port, b"a" * 900) == (200, "900")
    with open_request(port, b"a" * 900, 1000) as paused:
        assert paused.recv(100).startswith(b"HTTP/1.1 408 ")
        assert ask(port, b"a" * 900) == (200, "900")


def test_a_client_that_goes_is_no_error(serve: Serve) -> None:
    port = serve()
    for body in (b"", b"a" * 10, b"a" * 999, b"a" * 1000):
        open_request(port, body, 1000).close()
    assert ask(port, b"a") == (200, "1")
