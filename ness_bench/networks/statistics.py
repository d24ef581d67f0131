"""Batch normalisation by the statistics of another batch.

The networks here call `torch.nn.functional.batch_norm` in an order that their architecture decides. One pass records
the statistics at each call, later passes of the same architecture replay them.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Statistics = list[tuple[Tensor, Tensor]]
"""The mean and the variance [channels] at each call."""


class RecordedStatistics(TorchFunctionMode):
    """Within it, batch normalisation works as always, and its batch's statistics are kept.

    Attributes:
        statistics: of each call so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.statistics: Statistics = []

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, arguments: Any = (), options: Any = None
    ) -> Any:
        if function is F.batch_norm:
            x: Tensor = arguments[0]
            self.statistics.append((x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)))
        return function(*arguments, **(options or {}))


class FixedStatistics(TorchFunctionMode):
    """Within it, batch normalisation uses recorded statistics, whatever its batch is.

    Args:
        recorded: in a pass of the same architecture.
    """

    def __init__(self, recorded: RecordedStatistics) -> None:
        super().__init__()
        self._left = iter(recorded.statistics)

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, arguments: Any = (), options: Any = None
    ) -> Any:
        if function is not F.batch_norm:
            return function(*arguments, **(options or {}))
        x, *_ = arguments
        mean, variance = next(self._left)
        return F.batch_norm(x, mean, variance, **({**(options or {}), "training": False}))
