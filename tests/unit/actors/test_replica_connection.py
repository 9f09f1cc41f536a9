"""The gRPC options of a replica's connection, between a real server and client without Ray."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from actors import replica_connection
from actors.replica_connection import client_options, server_options

PINGS_S = 0.5


@pytest.fixture(autouse=True)
def _short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica_connection, "PING_S", PINGS_S)
    monkeypatch.setattr(replica_connection, "PING_TIMEOUT_S", PINGS_S)


class Network:
    """Forwards bytes between a client and the server, until it is cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connected = asyncio.Event()
        self._connected.set()

    def cut(self) -> None:
        """From now on all bytes are lost, and no connection is closed."""
        self._connected.clear()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(self._copy(reader, to_writer), self._copy(to_reader, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._connected.wait()
            writer.write(data)


@asynccontextmanager
async def slow_server(answer_s: float) -> AsyncIterator[tuple[Network, grpc.aio.UnaryUnaryMultiCallable]]:
    """A server that answers `b"done"` after `answer_s` seconds, and a call to it through a network."""

    async def answer(request: bytes, context: object) -> bytes:
        await asyncio.sleep(answer_s)
        return b"done"

    server = grpc.aio.server(options=server_options())
    method = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("replica", {"generate": method})])
    network = Network(server.add_insecure_port("127.0.0.1:0"))
    await server.start()
    door = await asyncio.start_server(network.carry, "127.0.0.1", 0)
    try:
        port = door.sockets[0].getsockname()[1]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=client_options()) as channel:
            yield network, channel.unary_unary("/replica/generate")
    finally:
        door.close()
        await server.stop(None)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_request_that_takes_many_pings_is_answered() -> None:
    async with slow_server(12 * PINGS_S) as (_, call):
        assert await call(b"") == b"done"


@pytest.mark.asyncio
async def test_a_proxy_of_the_environment_is_not_used(
    monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    """Requests would wait for their deadline, as Python's gRPC sends them through any HTTP proxy."""
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_tcp_port}")
    async with slow_server(0.0) as (_, call):
        assert await call(b"", timeout=10.0) == b"done"


@pytest.mark.asyncio
async def test_a_request_to_a_silent_node_fails_soon_and_can_be_sent_again() -> None:
    async with slow_server(3600) as (network, call):
        request = asyncio.ensure_future(_code(call))
        await asyncio.sleep(PINGS_S)
        network.cut()
        assert await asyncio.wait_for(request, 40 * PINGS_S) is grpc.StatusCode.UNAVAILABLE


async def _code(call: grpc.aio.UnaryUnaryMultiCallable) -> grpc.StatusCode:
    try:
        await call(b"")
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK
