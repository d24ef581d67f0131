"""The words that stand under every table and figure: what was measured, on what, how often."""

from typing import TypedDict


class Context(TypedDict):
    """What captions need and records do not say.

    Attributes:
        study: name of the study.
        bank: name of the prediction bank.
        data: its data set and the sizes of the splits.
        repetitions: runs a mean is over.
        best: the test NLL of the best ensemble there is, by size, and whether it is proved to be the best.
        cost_model: name of the model by which costs are counted in training equivalents (TE).
    """

    study: str
    bank: str
    data: str
    repetitions: int
    best: str
    cost_model: str


def protocol(context: Context) -> str:
    """How the numbers of a table or figure came about, in plain text."""
    return (
        f"Study {context['study']} on bank {context['bank']} ({context['data']}); searched on val, scored on test; "
        f"means over {context['repetitions']} repetitions with 95 % percentile bootstrap intervals; "
        f"regret is NLL above that of the best ensemble there is, {context['best']}; "
        f"costs in training equivalents (TE), cost model {context['cost_model']}."
    )
