from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def importable():
    """Workers that are not our children find the tests' jobs, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
        yield
