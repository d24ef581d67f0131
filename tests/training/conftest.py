import pytest

from ness_bench.training.tensors import one_thread


@pytest.fixture(autouse=True)
def alone():
    """Numba's parallel kernels, if a test before ran them, set OpenMP to all cores: slow on networks this small."""
    with one_thread():
        yield
