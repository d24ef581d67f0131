"""A third party's package, installed beside ness_bench for some commands."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Installed:
    """A package and where it was installed to.

    Attributes:
        source: its folder.
        site: where Python finds what was installed.
    """

    source: Path
    site: Path

    def python(self, *arguments, folder=None):
        """What a new Python prints that finds the package."""
        environment = os.environ | {"PYTHONPATH": str(self.site), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)

    def ness_bench(self, *arguments, folder=None):
        return self.python("-m", "ness_bench.cli", *arguments, folder=folder)

    def passed_tests(self):
        """How many of its own tests pass, if none fails."""
        shown = self.python("-m", "pytest", "-q", "-p", "no:cacheprovider", folder=self.source)
        assert shown.returncode == 0, shown.stdout
        return int(re.search(r"(\d+) passed", shown.stdout)[1])


def install(package, folder):
    """Install a copy of a package into `folder`, with what is there and nothing from the network."""
    source, site = folder / "source", folder / "site"
    shutil.copytree(package, source)
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site))
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True)
    return Installed(source, site)
