"""Formulas of pages and docstrings as MathML, which browsers draw by themselves: no script, nothing fetched."""

import re
from typing import Any
from xml.etree.ElementTree import Element, fromstring

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.blockprocessors import BlockProcessor
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor
from mkdocs.config.defaults import MkDocsConfig

PAGES = r"(?<![\\$\w])\$(?!\s)([^$\n]+?)(?<!\s)\$(?![\w$])"
DOCSTRINGS = r":math:`([^`]+)`"
DIRECTIVE = re.compile(r"\.\. math::[ \t]*")


def formula(text: str, display: str = "inline") -> Element:
    """Return a formula, its elements named as those of the page around it."""
    return fromstring(convert(text, display=display).replace(' xmlns="http://www.w3.org/1998/Math/MathML"', ""))


class Inline(InlineProcessor):
    """``$x$`` of pages and the role ``math`` of docstrings."""

    def handleMatch(self, found: re.Match[str], _: str) -> tuple[Element, int, int]:
        """Return the formula and where it stood."""
        return formula(found[1]), found.start(0), found.end(0)


class Displayed(BlockProcessor):
    """The directive ``math`` of docstrings."""

    def test(self, _: Element, block: str) -> bool:
        """Return whether a block is one."""
        return DIRECTIVE.match(block) is not None

    def run(self, parent: Element, blocks: list[str]) -> None:
        """Put the formula, which may begin in the next block, into a block of its own."""
        text = DIRECTIVE.sub("", blocks.pop(0), count=1).strip() or blocks.pop(0)
        parent.append(formula(" ".join(text.split()), "block"))


class Formulas(Extension):
    """Formulas, before backticks and paragraphs are looked at."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Register what reads them."""
        md.inlinePatterns.register(Inline(DOCSTRINGS, md), "formula of a docstring", 195)
        md.inlinePatterns.register(Inline(PAGES, md), "formula of a page", 185)
        md.parser.blockprocessors.register(Displayed(md.parser), "displayed formula", 105)


def on_config(config: MkDocsConfig, /, **_: Any) -> MkDocsConfig:
    """Have pages, and docstrings with them, read so."""
    config.markdown_extensions.append(Formulas())  # type: ignore[arg-type]
    return config
