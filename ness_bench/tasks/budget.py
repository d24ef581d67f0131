"""What a search may spend, counted in training equivalents (TE).

1 TE is what training the space's average architecture once, at the full recipe, costs.
"""

from ness_bench.errors import NessBenchError

PURPOSES = ("training", "supernet", "evaluation")
"""What is paid for: stand-alone trainings, supernet training, passes with inherited weights."""


class BudgetExhausted(NessBenchError):
    """A request that does not fit into what is left. Nothing was charged, nothing was handed over."""


class Budget:
    """A total and what of it has been spent.

    Args:
        total: in TE, positive.
    """

    def __init__(self, total: float) -> None:
        if not 0 < total < float("inf"):
            raise NessBenchError(
                f"a budget of {total} TE was given; it must be a positive number of training equivalents"
            )
        self.total = total
        self._spent = dict.fromkeys(PURPOSES, 0.0)

    @property
    def spent(self) -> dict[str, float]:
        """TE spent so far, by purpose."""
        return dict(self._spent)

    @property
    def left(self) -> float:
        """TE not yet spent."""
        return self.total - sum(self._spent.values())

    def affords(self, cost: float) -> bool:
        """Whether `cost` TE fit into what is left (up to rounding)."""
        return cost <= self.left + 1e-9 * self.total

    def charge(self, purpose: str, cost: float, what: str) -> None:
        """Pay `cost` TE.

        Args:
            purpose: one of `PURPOSES`.
            cost: in TE.
            what: names the request in the error message.

        Raises:
            BudgetExhausted: it does not fit; nothing is charged.
        """
        assert cost >= 0, "nothing earns budget"
        if not self.affords(cost):
            raise BudgetExhausted(
                f"{what} costs {cost:.3g} TE, but only {self.left:.3g} of the budget of {self.total:g} TE are left; "
                "give a larger budget"
            )
        self._spent[purpose] += cost
