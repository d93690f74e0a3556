"""Processes that work for this one: spawned, without the caller's script, and never left behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ecgclip.errors import DataError

from .corpus import Corpus

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing.connection import Connection

Key = TypeVar("Key")
Job = TypeVar("Job")
Done = TypeVar("Done")


def picklable(corpus: Corpus) -> bool:
    """Whether another process can load the reader: not one defined in the script that runs."""
    reader = corpus.reader
    return getattr(reader, "__module__", None) != "__main__" and type(reader).__module__ != "__main__"


def spread(
    work: Callable[[Job], Done], todo: Iterator[tuple[Key, Job]], workers: int
) -> Iterator[tuple[Key, Done]]:
    """Do jobs in processes of their own, a few ahead of need, and give each as it is done.

    Args:
        work: does one; another process must be able to load it.
        todo: jobs under a key.
        workers: processes.

    Raises:
        DataError: if a process dies, or what it raises.
    """
    from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    context = get_context("spawn")
    hears, tells = context.Pipe(duplex=False)
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker, initargs=(hears,)
    ) as pool:
        waiting: dict[Future[Done], Key] = {}
        try:
            while True:
                while len(waiting) < 2 * workers and (item := next(todo, None)) is not None:
                    waiting[_submit(pool, work, item[1])] = item[0]
                if not waiting:
                    return
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(future), future.result()
        except BrokenProcessPool as error:
            raise DataError(
                "a working process died, most often for want of memory: run again with fewer of them, what is "
                "finished is kept"
            ) from error
        except BaseException:
            tells.close()  # whoever is at work lets it drop
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            tells.close()
            hears.close()


def _submit(pool: ProcessPoolExecutor, work: Callable[[Job], Done], job: Job) -> Any:
    """Hand a job over; a process that this starts does not run the caller's script again."""
    with _unseen_main():
        return pool.submit(work, job)


@contextmanager
def _unseen_main() -> Iterator[None]:
    """Hide the file of ``__main__`` while a process starts: it may lack a main guard, or load torch."""
    main = sys.modules["__main__"]
    hidden: dict[str, Any] = {
        name: vars(main).pop(name) for name in ("__file__", "__spec__") if name in vars(main)
    }
    main.__spec__ = None
    try:
        yield
    finally:
        vars(main).update(hidden)


def _start_worker(hears: Connection) -> None:
    """Leave Ctrl-C to the parent, and end when it says so or is gone, even by kill -9."""
    import signal
    import threading
    from multiprocessing import connection, parent_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            connection.wait([parent.sentinel, hears])
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
