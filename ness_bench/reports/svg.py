"""Matplotlib's SVG made fit to stand inside a web page, beside others.

A file of its own may call its parts anything and is as large as it says. Inside a page, ids must differ from those of
other figures, rules of style must not reach beyond their figure, and the page decides on the size.
"""

import re
from xml.etree import ElementTree

from markupsafe import Markup

STYLE = "stroke-linejoin: round; stroke-linecap: butt"
"""What Matplotlib says of every element, in a rule that would hold for the whole page."""

PLACES = {"d", "x", "y"}
"""The attributes with coordinates, of which hundredths are enough: they are points, or finer."""

_REFERENCE = re.compile(r"(?<=url\(#)[^)]+|(?<=^#).+")
_LONG = re.compile(r"-?\d+\.\d{3,}")


def inline(svg: str, prefix: str) -> Markup:
    """A figure as an element of HTML, without metadata, rules of style, size or namespaces.

    Args:
        svg: a file as Matplotlib writes it.
        prefix: of all ids, a name that no other figure of the page has.
    """
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if _local(child.tag) in ("metadata", "style"):
                parent.remove(child)
    named = {name for element in root.iter() for value in element.attrib.values() for name in _REFERENCE.findall(value)}
    for element in root.iter():
        element.tag, element.text, element.tail = _local(element.tag), "", "\n"
        kept = {_local(name): value for name, value in element.attrib.items() if name != "id" or value in named}
        element.attrib.clear()
        element.attrib.update({name: _value(name, value, prefix) for name, value in kept.items()})
    view = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib.update({"viewBox": view, "style": STYLE})
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _local(name: str) -> str:
    """A name without its namespace."""
    return name.rpartition("}")[2]


def _value(attribute: str, value: str, prefix: str) -> str:
    if attribute == "id":
        return f"{prefix}-{value}"
    if attribute in PLACES:
        return " ".join(_LONG.sub(lambda number: f"{float(number[0]):.2f}", value).split())
    return _REFERENCE.sub(lambda name: f"{prefix}-{name[0]}", value)
