"""Prose with markers becomes HTML, everything in it escaped first.

The language is small on purpose: paragraphs, `- ` lists, `**bold**`, `*emphasis*`, `` `code` ``, `[text](address)`.
An address is `https://`, `http://`, `mailto:`, a `#place` on the page, or a page of the same study such as
`../queue.html`; anything else stays text.
"""

import re
from collections.abc import Callable
from typing import Final

from markupsafe import Markup, escape

from hrtech.facts.parts import PAGE, markers

FactLink = Callable[[str, str], Markup]

_INLINE: Final = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|\*\*(?P<bold>[^*\n]+)\*\*"
    r"|\*(?P<em>[^*\n]+)\*"
    r"|\[(?P<text>[^\]\n]+)\]\((?P<address>(?:https?://|mailto:|#)[^\s()<>\"]+|" + PAGE.pattern + r")\)"
)
_HOLDER: Final = re.compile("\ue000(\\d*)\ue001|[\ue000\ue001]")
_CODE: Final = re.compile(r"`[^`\n]+`")


def prose(text: str, link: FactLink) -> Markup:
    """Render paragraphs and lists.

    Args:
        text: Markdown-lite with fact markers.
        link: Renders `(fact id, field)`.
    """
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text.strip()) if block.strip()]
    return Markup("\n").join(_block(block, link) for block in blocks)


def inline(text: str, link: FactLink) -> Markup:
    """Render one line: markers, emphasis, links, without a paragraph around."""
    held: list[Markup] = []
    text = _HOLDER.sub("", text)
    # markers step aside while the marks are read, so that a number may stand inside bold text
    for fact_id, field, begin, end in reversed(markers(text)):
        held.append(link(fact_id, field))
        text = f"{text[:begin]}\ue000{len(held) - 1}\ue001{text[end:]}"
    # what is put back was escaped by whoever made the link
    return Markup(_HOLDER.sub(lambda found: str(held[int(found[1])]), str(_marks(text))))  # noqa: S704


def without_settings(text: str) -> str:
    """The text with its `` `settings` `` blanked: those are inputs of the method, not findings."""
    return _CODE.sub(lambda found: " " * len(found[0]), text)


def _block(block: str, link: FactLink) -> Markup:
    lines = [line.strip() for line in block.splitlines()]
    if all(line.startswith("- ") for line in lines):
        items = Markup("").join(Markup("<li>{}</li>").format(inline(line[2:], link)) for line in lines)
        return Markup("<ul>{}</ul>").format(items)
    return Markup("<p>{}</p>").format(inline(" ".join(lines), link))


def _marks(text: str) -> Markup:
    pieces, start = [], 0
    for found in _INLINE.finditer(text):
        pieces += [escape(text[start : found.start()]), _mark(found)]
        start = found.end()
    return Markup("").join([*pieces, escape(text[start:])])


def _mark(found: re.Match[str]) -> Markup:
    if found["code"]:
        return Markup("<code>{}</code>").format(found["code"])
    if found["bold"]:
        return Markup("<strong>{}</strong>").format(found["bold"])
    if found["em"]:
        return Markup("<em>{}</em>").format(found["em"])
    return Markup('<a href="{}" rel="noopener noreferrer">{}</a>').format(found["address"], found["text"])
