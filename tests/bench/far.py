"""Put a server far away: pass bytes on, each piece so many milliseconds after it came. Usage: `far.py PORT MS`.

Listens on a free port of loopback, writes it, and delays both directions by half of `MS`, which is the round trip. It
knows nothing of HTTP, so that whatever the client sends arrives as it is.
"""

import asyncio
import sys
from contextlib import closing, suppress

HERE = "127.0.0.1"
PIECE = 1 << 18


async def delay(source: asyncio.StreamReader, target: asyncio.StreamWriter, seconds: float) -> None:
    """Pass all on from `source` to `target`, late."""
    loop = asyncio.get_running_loop()
    late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def read() -> None:
        data = b"more"
        while data:
            try:
                data = await source.read(PIECE)
            except OSError:
                data = b""
            late.put_nowait((loop.time() + seconds, data))

    reading = asyncio.create_task(read())
    with closing(target), suppress(OSError):
        while (piece := await late.get())[1]:
            await asyncio.sleep(piece[0] - loop.time())
            target.write(piece[1])
            await target.drain()
    await reading


async def serve(port: int, seconds: float) -> None:
    """Delay connections to `port` until the process is stopped."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HERE, port)
        await asyncio.gather(delay(reader, back, seconds), delay(there, writer, seconds))

    server = await asyncio.start_server(connected, HERE, 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 2000))
