"""aiohttp in tasks: the line is that of `session.get`, whoever runs it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ._aiohttp import BIG, SOON, harmless, leaking

if TYPE_CHECKING:
    import aiohttp

    from tests.server import Address

    Session = aiohttp.ClientSession


@leaking(count=3)
async def gathered(session: Session, server: Address) -> list[int]:
    """Three at once, of which only the status is asked."""
    responses = await asyncio.gather(
        *(session.get(server.url(BIG)) for _ in "abc")  # LEAK
    )
    return [response.status for response in responses]


@harmless(twin_of=gathered)
async def gathered_and_read(session: Session, server: Address) -> int:
    """The same, read at once too."""
    responses = await asyncio.gather(*(session.get(server.url(BIG)) for _ in "abc"))
    bodies = await asyncio.gather(*(response.read() for response in responses))
    return sum(map(len, bodies))


@leaking()
async def fire_and_forget(session: Session, server: Address) -> None:
    """Nobody looks at what comes back."""
    task = asyncio.create_task(session.get(server.url(BIG)))  # LEAK
    await asyncio.wait([task])


@harmless(twin_of=fire_and_forget)
async def fire_and_release(session: Session, server: Address) -> None:
    """A callback releases it."""
    task = asyncio.create_task(session.get(server.url(BIG)))
    task.add_done_callback(lambda done: done.result().release())
    await asyncio.wait([task])
    await asyncio.sleep(0)


@leaking(count=2)
async def first_of_three(session: Session, server: Address) -> bytes:
    """The others come too late, and are open for ever."""
    tasks = [asyncio.ensure_future(session.get(server.url(BIG))) for _ in "abc"]  # LEAK
    for first in asyncio.as_completed(tasks):
        body = await (await first).read()
        break
    await asyncio.wait(tasks)
    return body


@harmless(twin_of=first_of_three)
async def first_of_three_and_cancel(session: Session, server: Address) -> bytes:
    """The others are cancelled, or released."""
    tasks = [asyncio.ensure_future(session.get(server.url(BIG))) for _ in "abc"]
    _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait(tasks)
    body = b""
    for task in tasks:
        if not task.cancelled():
            response = task.result()
            body = body or await response.read()
            response.release()
    return body


@leaking()
async def shielded(session: Session, server: Address) -> None:
    """Who waits gives up; the request goes on."""
    inner = asyncio.ensure_future(session.get(server.url(BIG)))  # LEAK
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.shield(inner), 0)
    await asyncio.wait([inner])


@harmless(twin_of=shielded)
async def given_up(session: Session, server: Address) -> None:
    """A request that is cancelled before its answer closes its connection."""
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(session.get(server.url(BIG)), 0.000_001)


@leaking()
async def timeout_of_a_part(session: Session, server: Address) -> bytes:
    """What `content` is cancelled in stays open."""
    response = await session.get(server.url("/slow/aiohttp-part"))  # LEAK
    with suppress(asyncio.TimeoutError):
        return await asyncio.wait_for(response.content.readexactly(90_000), 0.01)
    return b""


@harmless(twin_of=timeout_of_a_part)
async def timeout_of_all(session: Session, server: Address) -> bytes:
    """What `read` is cancelled in is closed."""
    response = await session.get(server.url("/slow/aiohttp-part"))
    with suppress(asyncio.TimeoutError):
        return await asyncio.wait_for(response.read(), 0.01)
    return b""


@leaking()
async def cancelled_while_it_works(session: Session, server: Address) -> None:
    """It is cancelled between opening and reading."""

    async def work() -> None:
        response = await session.get(server.url(BIG))  # LEAK
        await asyncio.sleep(3600)
        await response.read()

    await _cancel(asyncio.create_task(work()))


@harmless(twin_of=cancelled_while_it_works)
async def cancelled_in_with(session: Session, server: Address) -> None:
    """Cancellation leaves the with block."""

    async def work() -> None:
        async with session.get(server.url(BIG)) as response:
            await asyncio.sleep(3600)
            await response.read()

    await _cancel(asyncio.create_task(work()))


@leaking()
async def a_sibling_fails(session: Session, server: Address) -> None:
    """A gather that raises lets go of what the others brought."""

    async def fail() -> None:
        await asyncio.sleep(SOON)
        raise ValueError

    with suppress(ValueError):
        await asyncio.gather(session.get(server.url(BIG)), fail())  # LEAK


@harmless(twin_of=a_sibling_fails)
async def a_sibling_fails_and_all_is_seen(session: Session, server: Address) -> None:
    """Every result is looked at."""

    async def fail() -> None:
        await asyncio.sleep(SOON)
        raise ValueError

    results = await asyncio.gather(
        session.get(server.url(BIG)), fail(), return_exceptions=True
    )
    for result in results:
        if not isinstance(result, BaseException) and result is not None:
            result.release()


@leaking()
async def a_callback_asks_the_status(session: Session, server: Address) -> list[int]:
    """A callback that takes no more than that."""
    statuses: list[int] = []
    task = asyncio.create_task(session.get(server.url(BIG)))  # LEAK
    task.add_done_callback(lambda done: statuses.append(done.result().status))
    await asyncio.wait([task])
    await asyncio.sleep(0)
    return statuses


@harmless(twin_of=a_callback_asks_the_status)
async def a_callback_starts_a_read(session: Session, server: Address) -> list[int]:
    """A callback that has it read."""
    readers: list[asyncio.Task[bytes]] = []
    task = asyncio.create_task(session.get(server.url(BIG)))
    task.add_done_callback(
        lambda done: readers.append(asyncio.create_task(done.result().read()))
    )
    await asyncio.wait([task])
    await asyncio.sleep(0)
    return [len(await reader) for reader in readers]


@leaking(count=4)
async def workers(session: Session, server: Address) -> list[int]:
    """A queue of addresses and two tasks that work it off."""
    queue: asyncio.Queue[str] = asyncio.Queue()
    statuses = []
    for _ in range(4):
        queue.put_nowait(server.url(BIG))

    async def work() -> None:
        while not queue.empty():
            response = await session.get(queue.get_nowait())  # LEAK
            statuses.append(response.status)

    await asyncio.gather(work(), work())
    return statuses


@harmless(twin_of=workers)
async def workers_that_read(session: Session, server: Address) -> list[int]:
    """The same in with."""
    queue: asyncio.Queue[str] = asyncio.Queue()
    sizes = []
    for _ in range(4):
        queue.put_nowait(server.url(BIG))

    async def work() -> None:
        while not queue.empty():
            async with session.get(queue.get_nowait()) as response:
                sizes.append(len(await response.read()))

    await asyncio.gather(work(), work())
    return sizes


@leaking(needs=("anyio",))
async def in_a_task_group_of_anyio(session: Session, server: Address) -> None:
    """What a task of a group returns is nobody's."""
    import anyio

    async def fetch() -> Any:
        return await session.get(server.url(BIG))  # LEAK

    async with anyio.create_task_group() as group:
        group.start_soon(fetch)


@harmless(twin_of=in_a_task_group_of_anyio, needs=("anyio",))
async def read_in_a_task_group_of_anyio(session: Session, server: Address) -> None:
    """Read in it."""
    import anyio

    async def fetch() -> None:
        async with session.get(server.url(BIG)) as response:
            await response.read()

    async with anyio.create_task_group() as group:
        group.start_soon(fetch)


@leaking()
async def asked_by_another_thread(session: Session, server: Address) -> int:
    """A thread that hands its work to the loop."""
    loop = asyncio.get_running_loop()
    statuses: list[int] = []

    async def fetch() -> Any:
        return await session.get(server.url(BIG))  # LEAK

    def work() -> None:
        future = asyncio.run_coroutine_threadsafe(fetch(), loop)
        statuses.append(future.result(30).status)

    thread = threading.Thread(target=work)
    thread.start()
    await loop.run_in_executor(None, thread.join)
    return statuses[0]


@harmless(twin_of=asked_by_another_thread)
async def read_for_another_thread(session: Session, server: Address) -> int:
    """It asks for the body."""
    loop = asyncio.get_running_loop()
    sizes: list[int] = []

    async def fetch() -> bytes:
        async with session.get(server.url(BIG)) as response:
            return await response.read()

    def work() -> None:
        sizes.append(len(asyncio.run_coroutine_threadsafe(fetch(), loop).result(30)))

    thread = threading.Thread(target=work)
    thread.start()
    await loop.run_in_executor(None, thread.join)
    return sizes[0]


@leaking("open")
async def open_at_the_end(session: Session, server: Address) -> Any:
    """What a scope leaves behind."""
    return await session.get(server.url(BIG))  # LEAK


@harmless(twin_of=open_at_the_end)
async def closed_at_the_end(session: Session, server: Address) -> Any:
    """Closed within it."""
    response = await session.get(server.url(BIG))
    response.close()
    return response


@leaking("open")
async def open_in_a_task_at_the_end(session: Session, server: Address) -> Any:
    """A task of the scope's has it."""

    async def work() -> None:
        response = await session.get(server.url(BIG))  # LEAK
        await asyncio.sleep(3600)
        await response.read()

    task = asyncio.create_task(work())
    await asyncio.sleep(SOON)
    return task


@harmless(twin_of=open_in_a_task_at_the_end)
async def ended_tasks_at_the_end(session: Session, server: Address) -> Any:
    """It was cancelled, and closes."""

    async def work() -> None:
        async with session.get(server.url(BIG)):
            await asyncio.sleep(3600)

    task = asyncio.create_task(work())
    await _cancel(task)
    return task


@leaking("open", count=2)
async def half_read_at_the_end(session: Session, server: Address) -> None:
    """Forgotten in a scope is open at its end."""
    for _ in range(2):
        response = await session.get(server.url(BIG))  # LEAK
        await response.content.readany()


@harmless(twin_of=half_read_at_the_end)
async def read_at_the_end(session: Session, server: Address) -> None:
    """Read on to the end."""
    for _ in range(2):
        response = await session.get(server.url(BIG))
        while await response.content.readany():
            pass


async def _cancel(task: asyncio.Task[None]) -> None:
    """Cancel a task that has opened its response."""
    await asyncio.sleep(SOON)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
