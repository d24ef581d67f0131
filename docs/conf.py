"""How the documentation is built: `make docs`, or `sphinx-build -W docs docs/_build/html`."""

import doctest
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

from ness_bench import __version__

project = "ness_bench"
author = "the authors of ness_bench"
copyright = "the authors of ness_bench; MIT licence"  # noqa: A001
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
    "plain_docstrings",
    "command_reference",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
# Dimensions of arrays and formulas stand in single backticks, in docstrings as in Markdown.
default_role = "literal"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "exclude-members": "model_config"}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

doctest_default_flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL

highlight_language = "none"

html_theme = "furo"
html_title = f"ness_bench {version}"
html_theme_options = {"navigation_with_keys": True, "sidebar_hide_name": False}
html_static_path = ["static"]
html_css_files = ["style.css"]
smartquotes_action = "D"  # dashes only
