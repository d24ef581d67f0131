"""What a search may spend: training equivalents (TE), or on a published table the seconds that it simulates.

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
        total: positive, in `unit`.
        unit: that all costs are counted in: "TE" or "s".
        overshoot: whether the last request may cost more than is left, as the published protocols of NAS-Bench-201
            and NATS-Bench have it: nothing more is paid once the total is spent.
    """

    def __init__(self, total: float, unit: str = "TE", overshoot: bool = False) -> None:
        if not 0 < total < float("inf"):
            raise NessBenchError(f"a budget of {total} {unit} was given; it must be a positive number")
        self.total = total
        self.unit = unit
        self.overshoot = overshoot
        self._spent = dict.fromkeys(PURPOSES, 0.0)

    @property
    def spent(self) -> dict[str, float]:
        """What was spent so far, by purpose."""
        return dict(self._spent)

    @property
    def left(self) -> float:
        """What is not yet spent."""
        return self.total - sum(self._spent.values())

    def affords(self, cost: float) -> bool:
        """Whether `cost` fits into what is left (up to rounding), or may overshoot it."""
        tolerance = 1e-9 * self.total
        return cost <= self.left + tolerance or (self.overshoot and self.left > tolerance)

    def charge(self, purpose: str, cost: float, what: str) -> None:
        """Pay `cost`.

        Args:
            purpose: one of `PURPOSES`.
            cost: in the budget's unit.
            what: names the request in the error message.

        Raises:
            BudgetExhausted: it does not fit; nothing is charged.
        """
        assert cost >= 0, "nothing earns budget"
        if not self.affords(cost):
            raise BudgetExhausted(
                f"{what} costs {cost:.3g} {self.unit}, but only {max(self.left, 0):.3g} of the budget of "
                f"{self.total:g} {self.unit} are left; "
                "give a larger budget"
            )
        self._spent[purpose] += cost
