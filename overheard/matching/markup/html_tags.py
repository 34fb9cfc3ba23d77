"""HTML tags in a text, by their names: `List<String>`, `<3` and `a < b` are not tags."""

import re

from overheard.matching.markup.mask import BREAK, Mask

_INLINE = (
    "a abbr acronym b bdi bdo big center cite code data del details dfn em font i img ins kbd label mark q rp rt ruby s"
    " samp small span strike strong sub summary sup time tt u var wbr"
)
_BLOCK = (
    "address article aside blockquote body caption dd div dl dt figcaption figure footer form h1 h2 h3 h4 h5 h6 head"
    " header hr html li main nav ol p pre section table tbody td tfoot th thead title tr ul"
)
# An attribute needs its value: "a <b and c> d" is not a tag.
_ATTRIBUTE = r"\s++[A-Za-z_:@][\w:.-]*+\s*+=\s*+(?:\"[^\"<>]*+\"|'[^'<>]*+'|[^\s\"'=<>`]++)"
_TAG = re.compile(
    rf"</?(?:(?P<inline>{_INLINE.replace(' ', '|')})|(?P<block>{_BLOCK.replace(' ', '|')}))(?:{_ATTRIBUTE})*\s*+/?>"
    r"|(?P<break><br\s*+/?>(?:\s*+<br\s*+/?>)*)",
    re.IGNORECASE,
)
_VALUE = re.compile(r"\s(href|src|alt|title)\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'>]++))", re.IGNORECASE)


def mask_tag(text: str, mask: Mask, at: int, end: int) -> int:
    """Mask the tag that starts here; return its end, or ``at`` if there is none."""
    tag = _TAG.match(text, at, end)
    if tag is None:
        return at
    if tag["inline"]:
        mask.ignore(*tag.span())
    else:
        single = tag["break"] and tag["break"].count("<") == 1
        mask.replace(*tag.span(), "\n" if single else BREAK)
    for value in _VALUE.finditer(text, *tag.span()):
        add = mask.add_target if value[1].lower() in ("href", "src") else mask.add_text
        add(*value.span(value.lastindex or 0))
    return tag.end()
