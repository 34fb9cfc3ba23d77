"""Take a text's markup apart from its words: Reddit's Markdown, HTML tags and entities.

`flow(text)` returns a mask: a text of exactly the same length, in which each character of markup is replaced in place,
so that a position in it is the same position in the original. Links are listed beside it.

| in the text                              | in the mask (· IGNORED, ¶ BREAK)                                    |
|------------------------------------------|---------------------------------------------------------------------|
| `**Ac**me`, `_Acme_`, `~~Acme~~`         | `··Ac··me`: emphasis; `2 * 3`, `a*b`, `foo_bar` stay                |
| `\\_`, `&amp;`, `&#8217;`                  | `·_`, `&····`, `’······`: escapes and entities                      |
| `[Acme](https://x.y/z) DB`               | `·Acme················ DB`: the target is in `targets`              |
| `![alt](src)`, `[text][ref]`, `[ref]: url` | likewise                                                          |
| `https://x.y/a%20b`                      | `https://x.y/a ··b`: what is encoded in an address                  |
| `https://x.y/a_b`, `<https://x.y>`       | stay, without `<>`: they are in `links`, as all targets are         |
| `` `code` ``, fenced and indented blocks     | the ticks are ignored, what is inside stays                         |
| `>!spoiler!<`, `^super`, `<b>`           | the marks are ignored; `x^2` stays, for a superscript is a word     |
| blank lines, items, headings, quotes     | the newline before them is BREAK, their marks are ignored           |
| `a | b` above or below `---|---`         | each `|` is BREAK; elsewhere it stays                               |
| `<p>`, `<li>`, `<br><br>`                | BREAK; one `<br>` is a newline                                      |

CommonMark's rules apply, with these exceptions. A line without a mark ends a quote, for people answer there. HTML tags
are markup by their names, though Reddit shows them: texts of other sources and of editors contain them. A superscript
is a word of its own. `2013.` at the start of a line stays, and so does `[Note]: remember`: they are text more often.

Time is linear in the length of the text, whatever it contains.
"""

from overheard.matching.markup.mask import BREAK
from overheard.matching.markup.text_flow import Flow, address_mask, flow, needs_mask
from overheard.matching.text.scripts import IGNORED

__all__ = ["BREAK", "IGNORED", "Flow", "address_mask", "flow", "needs_mask"]
