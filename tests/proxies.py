"""Servers in this process: one that answers as a test says, and a proxy before a tracking server, which can be slow,
refuse, lose answers, or lead to another server."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

LOSE = "lose"
"""The fate of a request whose answer is lost."""


class Proxy:
    """Hands requests on to `target`, after `delay` seconds, unless `verdict` says otherwise."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.delay = 0.0
        self.verdict: Callable[[str, str], int | str | None] = lambda method, path: None
        """From method and path to None, the HTTP status that refuses the request, or `LOSE`."""
        self.requests: list[tuple[str, str]] = []
        """Method and path of every request."""
        self.uri = ""

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        """Answer a request, or not."""
        self.requests.append((request.command, request.path))
        time.sleep(self.delay)
        verdict = self.verdict(request.command, request.path)
        if isinstance(verdict, int):
            reply(request, verdict, b"{}")
            return
        target = urlsplit(self.target)
        assert target.hostname
        connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
        try:
            headers = {name: value for name, value in request.headers.items() if name != "Host"}
            connection.request(request.command, request.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except OSError:
            request.close_connection = True
            return
        finally:
            connection.close()
        if verdict == LOSE:
            request.close_connection = True
            return
        reply(request, answer.status, content, answer.headers["Content-Type"])


@contextmanager
def proxy_before(target: str) -> Iterator[Proxy]:
    """A proxy that runs until the block ends."""
    proxy = Proxy(target)
    with serving(proxy.answer) as proxy.uri:
        yield proxy


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler, bytes], None]) -> Iterator[str]:
    """The address of a server that runs until the block ends; `answer` gets each request and its body."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            answer(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815  (its names)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()  # or it ends late
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def reply(request: BaseHTTPRequestHandler, status: int, content: bytes, kind: str | None = None) -> None:
    """Send an answer, with `kind` as its Content-Type."""
    request.send_response(status)
    request.send_header("Content-Length", str(len(content)))
    if kind:
        request.send_header("Content-Type", kind)
    request.end_headers()
    request.wfile.write(content)
