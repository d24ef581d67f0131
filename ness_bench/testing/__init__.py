"""What a method, a space, a bank or a metric owes: classes of pytest tests, to be inherited by whoever adds one.

    from ness_bench.testing import MethodContract

    class TestMedianSearch(MethodContract):
        method = "median-search"

Methods are tried on `small_bank`, which is trained once, in about half a minute, and kept in the cache folder. This
package needs pytest; nothing else of ness_bench imports it.
"""

import pytest

_CONTRACTS = ("bank_contract", "method_contract", "metric_contract", "space_contract")
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in _CONTRACTS))  # for messages that show the values

from ness_bench.testing.bank_contract import BankContract  # noqa: E402
from ness_bench.testing.method_contract import MethodContract  # noqa: E402
from ness_bench.testing.metric_contract import MetricContract  # noqa: E402
from ness_bench.testing.small_bank import small_bank  # noqa: E402
from ness_bench.testing.space_contract import SpaceContract  # noqa: E402

__all__ = ["BankContract", "MethodContract", "MetricContract", "SpaceContract", "small_bank"]
