"""A proxy before a tracking server, which can be slow, silent, refuse, lose answers, or lead to another server."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

LOSE, SILENCE = "lose", "silence"
"""Fates of a request: its answer is lost; it is never answered."""


class Proxy:
    """Hands requests on to `target`, after `delay` seconds, unless `verdict` says otherwise."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.delay = 0.0
        self.verdict: Callable[[str, str], int | str | None] = lambda method, path: None
        """From method and path to None, the HTTP status that refuses the request, `LOSE` or `SILENCE`."""
        self.requests: list[tuple[str, str]] = []
        """Method and path of every request."""
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                proxy.answer(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815  (its names)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.uri = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request, or not."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.requests.append((request.command, request.path))
        time.sleep(self.delay)
        verdict = self.verdict(request.command, request.path)
        if verdict == SILENCE:
            time.sleep(120)
        if isinstance(verdict, int):
            self.reply(request, verdict, {}, b"{}")
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
        kept = {name: value for name, value in answer.getheaders() if name == "Content-Type"}
        self.reply(request, answer.status, kept, content)

    @staticmethod
    def reply(request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], content: bytes) -> None:
        """Send an answer."""
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)


@contextmanager
def proxy_before(target: str) -> Iterator[Proxy]:
    """A proxy that runs until the block ends."""
    proxy = Proxy(target)
    threading.Thread(target=proxy.server.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.server.shutdown()
        proxy.server.server_close()
