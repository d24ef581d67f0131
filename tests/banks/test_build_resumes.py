import signal
import subprocess
import sys
import time

import numpy as np

from ness_bench.banks.bank import open_bank

OPTIONS = {
    "classes": 12,
    "best-repeated": 2,
    "random-repeated": 1,
    "extra-seeds": 1,
    "epochs": 2,
    "cells": 1,
    "train-examples": 480,
    "test-examples": 100,
    "uniform-epochs": 1,
    "darts-epochs": 0,
    "supernet-seeds": 1,
    "jobs": 1,
}
ARGUMENTS = [part for name, value in OPTIONS.items() for part in (f"--{name}", str(value))]


def test_a_build_killed_at_any_moment_goes_on(tmp_path):
    """SIGKILL again and again; the bank is that of an undisturbed build, and no finished member is retrained."""

    def start(out):
        command = [sys.executable, "-m", "ness_bench.cli", "bank", "build", "--out", str(out), *ARGUMENTS]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    members = tmp_path / "killed.partial" / "members"
    stamps = {}
    for wanted in (1, 5, 9):
        process = start(killed)
        while process.poll() is None and len(list(members.glob("[0-9]*.npz"))) < wanted:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        now = {path.name: path.stat().st_mtime_ns for path in members.glob("[0-9]*.npz")}
        assert wanted <= len(now) < 15
        assert stamps.items() <= now.items()
        stamps = now
    assert not killed.exists()
    assert start(killed).wait() == 0
    assert start(whole).wait() == 0
    assert not (tmp_path / "killed.partial").exists()
    one, other = open_bank(killed), open_bank(whole)
    assert one.members.architectures == other.members.architectures
    for split in ("val", "test"):
        np.testing.assert_array_equal(getattr(one, split).units, getattr(other, split).units)
    for a, b in zip(one.supernets, other.supernets, strict=True):
        np.testing.assert_array_equal(a.batch_log_likelihoods, b.batch_log_likelihoods)
    files = {path.relative_to(whole).as_posix() for path in whole.rglob("*") if path.is_file()}
    assert {path.relative_to(killed).as_posix() for path in killed.rglob("*") if path.is_file()} == files
