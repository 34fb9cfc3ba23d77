"""Draw what a service accepted as its own programs would: simple pages in their manner, not copies of them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from markdown_it import MarkdownIt

from tests.messages.sample import NOW, ZONE

PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><style>
* {{ box-sizing: border-box; }} body {{ margin: 0; font-family: Inter, sans-serif, "Noto Color Emoji"; }}
p {{ margin: 0; }} pre {{ font-family: "DejaVu Sans Mono", monospace; margin: 6px 0; white-space: pre-wrap; }}
a {{ text-decoration: none; }} {style}</style><body>{body}</body></html>"""
TIME = NOW.astimezone(ZoneInfo(ZONE)).strftime("%H:%M")


def page(style: str, body: str) -> str:
    """Return a complete page."""
    return PAGE.format(style=style, body=body)


SLACK_STYLE = """
body { background: #fff; color: #1d1c1d; font-size: 15px; line-height: 22px; padding: 18px 20px 20px; }
.message { display: grid; grid-template-columns: 36px 1fr; column-gap: 9px; padding: 8px 0; }
.avatar { width: 36px; height: 36px; border-radius: 8px; background: #0b5cad; color: #fff; text-align: center;
  font-weight: 700; line-height: 36px; }
.app { background: #e8e8e8; border-radius: 3px; color: #616061; font-size: 10px; font-weight: 600; padding: 1px 4px; }
.time { color: #616061; font-size: 12px; }
h1 { font-size: 18px; line-height: 26px; margin: 6px 0 2px; }
.section { margin: 4px 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.context { color: #616061; font-size: 13px; line-height: 18px; margin: 2px 0 8px; }
a { color: #1264a3; } pre { background: #f8f8f8; border: 1px solid #ddd; border-radius: 4px; font-size: 12px;
  line-height: 18px; padding: 8px; }
"""


def slack(contents: list[Any]) -> str:
    """Return a channel with these messages."""
    return page(SLACK_STYLE, "".join(map(_slack_message, contents)))


def _slack_message(content: Any) -> str:
    blocks = "".join(map(_slack_block, content["blocks"]))
    name = f'<b>Overheard</b> <span class="app">APP</span> <span class="time">{TIME}</span>'
    return f'<div class="message"><div class="avatar">O</div><div>{name}{blocks}</div></div>'


def _slack_block(block: Any) -> str:
    if block["type"] == "header":
        return f"<h1>{html.escape(block['text']['text'])}</h1>"
    if block["type"] == "section":
        return f'<div class="section">{_slack_text(block["text"]["text"])}</div>'
    if block["type"] == "context":
        return f'<div class="context">{" ".join(_slack_text(each["text"]) for each in block["elements"])}</div>'
    raise ValueError(f"no drawing of a {block['type']}")


def _slack_text(text: str) -> str:
    """Return Slack's mrkdwn as HTML; ``&``, ``<`` and ``>`` of the text are entities in it already."""
    parts = text.split("```")
    parts[1::2] = [f"<pre>{part.strip(chr(10))}</pre>" for part in parts[1::2]]
    parts[0::2] = [_slack_inline(part) for part in parts[0::2]]
    return "".join(parts)


def _slack_inline(text: str) -> str:
    text = re.sub(r"<([^|>]*)\|([^>]*)>", r'<a href="\1">\2</a>', text)
    return re.sub(r"(?<![\w*])\*(?=\S)(.+?)(?<=\S)\*(?![\w*])", r"<b>\1</b>", text)


DISCORD_STYLE = """
body { background: #313338; color: #dbdee1; font-size: 15px; line-height: 21px; padding: 18px 20px 20px; }
.message { display: grid; grid-template-columns: 40px 1fr; column-gap: 14px; padding: 8px 0; }
.avatar { width: 40px; height: 40px; border-radius: 50%; background: #0b5cad; color: #fff; text-align: center;
  font-weight: 700; line-height: 40px; }
.name { color: #f2f3f5; font-weight: 600; } .app { background: #5865f2; border-radius: 4px; color: #fff;
  font-size: 10px; font-weight: 600; padding: 1px 5px; } .time { color: #949ba4; font-size: 12px; }
.embed { background: #2b2d31; border-left: 4px solid; border-radius: 4px; margin-top: 6px; max-width: 560px;
  padding: 10px 16px 14px; overflow-wrap: anywhere; }
.title { color: #f2f3f5; font-size: 16px; font-weight: 600; } .embed a, .title a { color: #00a8fc; }
.embed p { margin: 6px 0 0; } .footer { color: #b5bac1; font-size: 12px; margin-top: 8px; }
pre { background: #1e1f22; border-radius: 4px; font-size: 12px; line-height: 17px; padding: 8px; }
b, strong { color: #f2f3f5; }
"""


def discord(contents: list[Any]) -> str:
    """Return a channel with these messages."""
    return page(DISCORD_STYLE, "".join(map(_discord_message, contents)))


def _discord_message(content: Any) -> str:
    embeds = "".join(map(_embed, content["embeds"]))
    name = f'<span class="name">Overheard</span> <span class="app">APP</span> <span class="time">Today at {TIME}</span>'
    return f'<div class="message"><div class="avatar">O</div><div>{name}{embeds}</div></div>'


def _embed(embed: Any) -> str:
    title = html.escape(embed["title"].replace("\\", ""))
    if "url" in embed:
        title = f'<a href="{html.escape(embed["url"])}">{title}</a>'
    footer = html.escape(embed.get("footer", {}).get("text", ""))
    if "timestamp" in embed:
        moment = datetime.fromisoformat(embed["timestamp"]).astimezone(ZoneInfo(ZONE))
        footer += f" • Today at {moment:%H:%M}"
    description = _markdown(embed.get("description", ""))
    return (
        f'<div class="embed" style="border-color:#{embed["color"]:06x}"><div class="title">{title}</div>'
        f'{description}<div class="footer">{footer}</div></div>'
    )


def _markdown(text: str) -> str:
    """Return Markdown as HTML in the way of chats, where a line break is one and there are no lists."""
    parser = MarkdownIt("zero", {"breaks": True, "html": False}).enable(
        ["emphasis", "link", "escape", "fence", "newline"]
    )
    blank = re.sub(r"\n\n(?!```)", "\n\u00a0\n", text)
    return str(parser.render(blank)).replace(
        "<br />\n\u00a0<br />\n", '<br><span style="display:block;height:10px"></span>'
    )


TELEGRAM_STYLE = """
body { background: linear-gradient(160deg, #cfe0b8, #a9cdb3); color: #000; font-size: 15px; line-height: 21px;
  padding: 18px 16px 20px; }
.bubble { background: #fff; display: flow-root;
  border-radius: 4px 14px 14px 14px; box-shadow: 0 1px 1px rgb(0 0 0 / 15%);
  margin: 0 0 10px; max-width: 470px; padding: 7px 11px 8px; white-space: pre-wrap; overflow-wrap: anywhere; }
.name { color: #3390ec; font-weight: 600; }
.time { color: #8d9ba8; float: right; font-size: 12px; margin: 4px 0 0 10px; }
a { color: #3390ec; } pre { font-size: 12px; line-height: 17px; margin: 0; }
blockquote { border-left: 3px solid #3390ec;
  margin: 2px 0; padding-left: 8px; }
.button { background: rgb(60 100 70 / 55%); border-radius: 8px; color: #fff; display: inline-block; font-weight: 600;
  margin: -4px 6px 10px 0; padding: 6px 16px; }
"""


def telegram(contents: list[Any]) -> str:
    """Return a chat with these messages."""
    return page(TELEGRAM_STYLE, "".join(map(_telegram_message, contents)))


def _telegram_message(content: Any) -> str:
    rows = content.get("reply_markup", {}).get("inline_keyboard", [])
    buttons = "".join(f'<span class="button">{html.escape(button["text"])}</span>' for row in rows for button in row)
    # Its tags are Telegram's own few, which the stand-in has checked. A block needs no line break before and after it.
    text = re.sub(r"\n?(<pre>.*?</pre>)\n?", r"\1", content["text"], flags=re.DOTALL)
    time = f'<span class="time">{TIME}</span>'
    return f'<div class="bubble"><div class="name">Overheard</div>{text}{time}</div>{buttons}'


NTFY_STYLE = """
body { background: #f2f2f2; color: #1c1b1f; font-size: 14px; line-height: 20px; padding: 16px; }
.card { background: #fff; border-radius: 12px; box-shadow: 0 1px 3px rgb(0 0 0 / 20%); margin: 0 0 12px;
  padding: 12px 16px 14px; overflow-wrap: anywhere; }
.time { color: #79747e; font-size: 12px; }
.title { font-size: 16px; font-weight: 600; line-height: 23px; margin: 2px 0; }
a { color: #317f6f; } .card p { margin: 4px 0; } .tags { color: #79747e; font-size: 12px; }
.button { color: #317f6f; font-weight: 600; margin-right: 18px; } pre { font-size: 12px; line-height: 17px; }
"""


def ntfy(contents: list[Any]) -> str:
    """Return a topic with these messages."""
    return page(NTFY_STYLE, "".join(map(_ntfy_message, contents)))


def _ntfy_message(content: Any) -> str:
    body = _markdown(content["message"]) if content.get("markdown") else f"<p>{html.escape(content['message'])}</p>"
    tags = f'<div class="tags">Tags: {html.escape(", ".join(content["tags"]))}</div>' if content.get("tags") else ""
    buttons = "".join(
        f'<span class="button">{html.escape(each["label"])}</span>' for each in content.get("actions", [])
    )
    title = html.escape(content.get("title", ""))
    time = f'<div class="time">27 Nov, {TIME}</div>'
    return f'<div class="card">{time}<div class="title">{title}</div>{body}{tags}{buttons}</div>'


MOCKUPS: dict[str, Callable[[list[Any]], str]] = {
    "slack": slack,
    "discord": discord,
    "telegram": telegram,
    "ntfy": ntfy,
}
