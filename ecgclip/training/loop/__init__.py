"""THE loop and what one step of it is made of: portions, processes, gradients and the moving average."""

from .average import MovingAverage
from .loop import Loop, learning_rate, multiplies_bfloat16
from .memory import give_back_freed_memory, keep_freed_memory

__all__ = [
    "Loop",
    "MovingAverage",
    "give_back_freed_memory",
    "keep_freed_memory",
    "learning_rate",
    "multiplies_bfloat16",
]
