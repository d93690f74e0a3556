"""Memory that a step frees is kept for the next one."""

import ctypes
import sys

__all__ = ["give_back_freed_memory", "keep_freed_memory"]

# mallopt's parameters, glibc's malloc.h
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3


def keep_freed_memory() -> bool:
    """Tell glibc not to hand tensors of megabytes back to the system at every step.

    Each would be mapped and zeroed again by the kernel at the next step, a tenth of a CPU's training time.

    Returns:
        Whether the allocator took it; elsewhere than on Linux with glibc nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all(
        mallopt(parameter, value)
        for parameter, value in (
            (_MMAP_THRESHOLD, 1 << 25),
            (_TRIM_THRESHOLD, (1 << 31) - 1),
            (_TOP_PAD, 1 << 28),
        )
    )


def give_back_freed_memory() -> bool:
    """Hand back what `keep_freed_memory` kept: a process that trains many models would grow with each of them.

    Returns:
        Whether the allocator had some to give; elsewhere than on Linux with glibc nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (OSError, AttributeError):
        return False
