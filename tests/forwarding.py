"""A Service as kube-proxy makes one: each new connection goes to one of its endpoints.

A connection stays where it is, also when its endpoint is no more one.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from typing import Self

READ_BYTES = 64 * 1024


class Service:
    """Forwards connections to ports of this machine.

    Attributes:
        endpoints: where new connections go; may be replaced at any time.
        port: where it listens.
    """

    def __init__(self, *endpoints: int) -> None:
        self.endpoints = endpoints
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=[self._run()]
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        self._loop.close()

    async def _run(self) -> None:
        connections: set[asyncio.Task[None]] = set()

        def connected(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            task = asyncio.ensure_future(self._forward(reader, writer))
            connections.add(task)
            task.add_done_callback(connections.discard)

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            endpoint = random.choice(self.endpoints)
            try:
                there, back = await asyncio.open_connection("127.0.0.1", endpoint)
                try:
                    await asyncio.gather(_pump(reader, back), _pump(there, writer))
                finally:
                    back.close()
            finally:
                writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what one side sends, and that it has ended."""
    while data := await reader.read(READ_BYTES):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
