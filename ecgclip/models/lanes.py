"""Several batches at once, each on one thread: small steps cost more to share out among threads than to do."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

import torch
from torch import nn

__all__ = ["in_lanes", "lanes_of"]

Item = TypeVar("Item")
Found = TypeVar("Found")


def lanes_of(model: nn.Module) -> int:
    """How many batches a model computes at once: torch's threads on a CPU, one elsewhere and while it trains."""
    weight = next(model.parameters(), None)
    alone = model.training or weight is None or weight.device.type != "cpu"
    return 1 if alone else torch.get_num_threads()


def in_lanes(
    work: Callable[[Item], Found], items: Iterable[Item], lanes: int
) -> Iterator[tuple[Item, Found]]:
    """Work on items side by side and give them, with what was found, in their order.

    A single item is worked on by the caller's thread with all of torch's threads. What work raises, this raises.

    Args:
        work: what is done; it must not depend on what was done before.
        items: taken one by one, at most one more than there are lanes before the first is given.
        lanes: items at once.
    """
    todo = iter(items)
    head = list(islice(todo, 2))
    if lanes < 2 or len(head) < 2:
        for item in chain(head, todo):
            yield item, work(item)
        return
    threads = torch.get_num_threads()
    waiting: deque[tuple[Item, Future[Found]]] = deque()
    with ThreadPoolExecutor(lanes, "ecgclip-lane", torch.set_num_threads, (1,)) as pool:
        try:
            for item in chain(head, todo):
                waiting.append((item, pool.submit(work, item)))
                if len(waiting) > lanes:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        finally:
            for _, future in waiting:
                future.cancel()
            torch.set_num_threads(threads)  # a lane's setting is also that of threads to come
