"""The site served live: to this machine, by Starlette and Uvicorn, with news as they come."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, MutableMapping
from contextlib import suppress
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from lpharness.base.errors import HostError, InputError
from lpharness.site import addresses
from lpharness.site.pages import POLICY
from lpharness.site.shelf import Shelf

_LOOK_S = 0.2
_ALIVE_S = 15.0
"""How often a comment is sent where there is no news: a connection that died is noticed by it."""
_HEADERS = (
    (b"content-security-policy", f"{POLICY}; frame-ancestors 'none'".encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_KINDS = {"css": "text/css", "js": "text/javascript"}


def listen(host: str, port: int, *, remote: bool = False) -> socket.socket:
    """Open the socket to serve on.

    Args:
        host: a name or an address of this machine.
        port: 0 for any that is free.
        remote: whether others than this machine may be served.

    Raises:
        InputError: the address is not a loopback one, or not one of this machine.
        HostError: the port is taken, or not to be had.
    """
    if not remote and not is_loopback(host):
        raise InputError(
            f"{host} is not a loopback address: whoever reaches it could read the store",
            hint="put a server that asks who comes in front, or say --allow-remote",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (socket.gaierror, UnicodeError) as error:
        raise InputError(f"{host!r} is no address of this machine") from error
    except OSError as error:
        raise HostError(
            f"cannot listen on {host}, port {port}: {error.strerror}",
            hint="name another with --port; 0 takes any that is free",
        ) from error


def is_loopback(host: str) -> bool:
    """Say whether an address is one that only this machine reaches."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def serve(shelf: Shelf, opened: socket.socket, *, remote: bool = False) -> None:
    """Serve until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        application(shelf, remote=remote),
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    with shelf, suppress(KeyboardInterrupt):
        _Server(config, shelf).run(sockets=[opened])


def application(shelf: Shelf, *, remote: bool = False) -> ASGIApp:
    """Return the application that answers requests."""

    async def page(request: Request) -> Response:
        path = request.path_params["path"] or addresses.INDEX
        if (asset := shelf.asset(path)) is not None:
            return Response(asset, media_type=_KINDS[path.rpartition(".")[2]])
        try:
            text = await run_in_threadpool(shelf.page, path)
        except HostError as error:
            return PlainTextResponse(error.message, status_code=503)
        if text is None:
            return PlainTextResponse("There is no such page.", status_code=404)
        return HTMLResponse(text)

    async def events(request: Request) -> Response:
        del request
        return StreamingResponse(_news(shelf), media_type="text/event-stream")

    routes = [Route("/events", events), Route("/{path:path}", page)]
    return _Guarded(Starlette(routes=routes), remote=remote)


async def _news(shelf: Shelf) -> AsyncIterator[bytes]:
    """Yield what is told, now and whenever it changes."""
    version, silent = -1, 0.0
    while not shelf.closing:
        told = shelf.told
        if told.version != version:
            version, silent = told.version, 0.0
            yield b"data: " + msgspec.json.encode(told) + b"\n\n"
        elif silent >= _ALIVE_S:
            silent = 0.0
            yield b": still here\n\n"
        await asyncio.sleep(_LOOK_S)
        silent += _LOOK_S


class _Guarded:
    """Gives each answer its security headers, and refuses requests by names that are not ours.

    A page of somewhere else whose name was made to lead here (DNS rebinding) would otherwise read
    the store with the user's own browser.
    """

    def __init__(self, app: ASGIApp, *, remote: bool) -> None:
        self._app = app
        self._remote = remote

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        if scope["type"] != "http" or self._remote or self._known(scope):
            await self._app(scope, receive, guarded)
        else:
            refusal = PlainTextResponse("This server is asked by another name.", status_code=421)
            await refusal(scope, receive, guarded)

    @staticmethod
    def _known(scope: Scope) -> bool:
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        try:
            return is_loopback(urlsplit(f"//{host.decode('latin-1')}").hostname or "")
        except ValueError:
            return False


class _Server(uvicorn.Server):
    """Sends away who waits for news when it is to end."""

    def __init__(self, config: uvicorn.Config, shelf: Shelf) -> None:
        super().__init__(config)
        self._shelf = shelf

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        self._shelf.close()
        super().handle_exit(sig, frame)
