"""Which tests of a contract fail for a subject."""

import pytest


def promises_of(contract):
    """What its tests are called."""
    return {name.removeprefix("test_") for name in dir(contract) if name.startswith("test_")}


def failing(contract, **promises):
    """The tests that fail, of a class that inherits from `contract` and has these attributes."""
    subject = type("Subject", (contract,), promises)
    failed = set()
    for name in promises_of(contract):
        try:
            getattr(subject(), f"test_{name}")()
        except pytest.skip.Exception:
            pass
        except (Exception, pytest.fail.Exception):
            failed.add(name)
    return failed
