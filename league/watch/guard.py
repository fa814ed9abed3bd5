"""Lets a browser in only by the token in the address that the terminal shows.

MuJoCo's web viewer answers everyone who reaches its port, and lets them load files. Here every request, and every
WebSocket before it opens, must carry the token: once in the address, from then on in a cookie.
"""

import contextlib
import hmac
import http
import json
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mujoco.studio.web import web_server
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

_STREAMS = ("/ui", "/state")  # the WebSockets of a page
_UPLOAD = "/drop"  # by which a page could load models of its own
_STATUS = "/match.json"
_OPENING = 10.0  # s that a connection may take to say what it wants
_MOST_STREAMS = 64  # at a time; a page has two

_Handler = Callable[[ServerConnection], Awaitable[None]]


class Guard:
    """Decides what a request may have. `watchers` counts the pages that are shown the match."""

    def __init__(self, status: Callable[[], dict[str, Any]]):
        """Makes a token. `status` returns plain data for JSON, which `/match.json` serves."""
        self.token, self._status = secrets.token_urlsafe(16), status
        self.watchers, self._streams, self._cookie = 0, 0, "mjx_arena"

    def bind(self, listening: socket.socket) -> None:
        """Guards what is served on `listening`."""
        self._cookie = f"mjx_arena_{listening.getsockname()[1]}"  # cookies do not tell ports apart
        _guarded[listening] = self

    def refusal(self, request: Request) -> Response | None:
        """Returns the answer to a request that gets no further: without the token, or to what is not for pages."""
        try:
            address = urlsplit(request.path)
            given = parse_qs(address.query).get("token", [""])[0]
            origin = urlsplit(request.headers.get("Origin", "")).netloc
        except ValueError:
            return _text(http.HTTPStatus.BAD_REQUEST, "this is no address")
        if not self._right(self._cookie_of(request)):
            if not self._right(given) or address.path in _STREAMS:
                return _text(http.HTTPStatus.FORBIDDEN, "Open the address that the terminal shows; it ends in a token.")
            headers = {
                "Location": address.path,
                "Set-Cookie": f"{self._cookie}={self.token}; HttpOnly; SameSite=Strict",
            }
            return _text(http.HTTPStatus.SEE_OTHER, "", headers)
        if address.path == _UPLOAD:
            return _text(http.HTTPStatus.NOT_FOUND, "no models are loaded from pages")
        if address.path == _STATUS:
            body, headers = json.dumps(self._status(), allow_nan=False), {"Content-Type": "application/json"}
            return _text(http.HTTPStatus.OK, body, headers)
        if address.path in _STREAMS:
            if origin != request.headers.get("Host", ""):  # a page of another server has the cookie too
                return _text(http.HTTPStatus.FORBIDDEN, "pages of another server get no stream")
            if self._streams >= _MOST_STREAMS:
                return _text(http.HTTPStatus.SERVICE_UNAVAILABLE, "too many pages are open")
        return None

    async def counted(self, handler: _Handler, connection: ServerConnection) -> None:
        """Serves one WebSocket by `handler`, and counts it meanwhile."""
        path = urlsplit(connection.request.path if connection.request else "").path
        watching = path == "/state"
        self._streams, self.watchers = self._streams + 1, self.watchers + watching
        try:
            await handler(connection)
        finally:
            self._streams, self.watchers = self._streams - 1, self.watchers - watching

    def _right(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())

    def _cookie_of(self, request: Request) -> str:
        with contextlib.suppress(CookieError):
            for header in request.headers.get_all("Cookie"):
                found = SimpleCookie(header).get(self._cookie)
                if found is not None:
                    return found.value
        return ""


def _text(status: http.HTTPStatus, text: str, headers: dict[str, str] | None = None) -> Response:
    body = text.encode()
    fields = {
        "Content-Type": "text/plain; charset=utf-8",
        "Cache-Control": "no-store",
        "Content-Length": str(len(body)),
    }
    return Response(status.value, status.phrase, Headers(fields | (headers or {})), body)


class OwnSocket(socket.socket):
    """A listening socket on 127.0.0.1 that accepts connections from this very process alone, where Linux can tell.

    The viewer draws its panel through one, and would take anybody's connection for its own.
    """

    def accept(self) -> tuple[socket.socket, Any]:
        """Accepts a connection. Raises BlockingIOError for one of another process, as if there were none."""
        connection, peer = super().accept()
        if _is_own(peer[1], self.getsockname()[1]):
            return connection, peer
        connection.close()
        raise BlockingIOError


def _is_own(port: int, listening: int) -> bool:
    """Returns whether this process holds the end at `port` of a connection on 127.0.0.1 to `listening`."""
    table = Path("/proc/self/net/tcp")
    if not table.exists():
        return True
    ends = [f"0100007F:{number:04X}" for number in (port, listening)]
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[1:3] == ends}
    return any(_target(path) in inodes for path in Path("/proc/self/fd").iterdir())


def _target(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:  # closed meanwhile
        return ""


_guarded: dict[socket.socket, Guard] = {}


def _serve(handler: _Handler, *, sock: socket.socket, process_request: Any, **options: Any) -> Any:
    """Serves as the viewer's server asks for, behind the guard of its socket."""
    guard = _guarded[sock]

    def checked(connection: ServerConnection, request: Request) -> Response | None:
        return guard.refusal(request) or process_request(connection, request)

    async def counted(connection: ServerConnection) -> None:
        await guard.counted(handler, connection)

    options["open_timeout"] = _OPENING  # the viewer's own server waits for ever
    return serve(counted, sock=sock, process_request=checked, **options)


web_server.serve = _serve  # the only way into MuJoCo's server, which has no option for a check
