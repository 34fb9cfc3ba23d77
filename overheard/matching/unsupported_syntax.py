"""What other search languages offer and this one does not: refused, with what to write instead.

Reading it as words would mislead: `acme or db` would ask for all three words, 'acme db' for no phrase. In quotes it
is words. Names that only look like it stay words: foo::bar, http://…, 12:30, /r/python, rock'n'roll.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from lark import Token

from overheard.matching.query_errors import QuerySyntaxError, error_at, start_of

# Of GitHub, Gmail, Lucene, Google and Reddit.
_FIELDS = """
after allintext allintitle allinurl assignee author before body category cc content created date domain ext extension
file filename filetype flair from has host in inanchor inbody intext intitle inurl involves is kind label lang language
link list mentions milestone nsfw org over_18 path regex repo score selftext self since site sort source state status
sub subject subreddit text title to topic type until url user
"""
_FIELD = rf"(?:{'|'.join(_FIELDS.split())})[:：](?!:|//)"

# Of one bare word: (pattern, message, what to write instead of it).
_WORDS = [
    (re.compile(pattern, re.IGNORECASE), message, remedy)
    for pattern, message, remedy in (
        (_FIELD, "one field cannot be searched", "Leave the field's name out (subreddits stand in the workspace) of"),
        (r".*[\w.]\*|\*+\w", "there are no wildcards", "Write the wanted forms out with OR instead of"),
        (r"!\w", "! does not exclude", "Write a - in front to exclude a word, not"),
        (r"[~^][\d.]+$", "there is no ~ and no ^", "Drop"),
        (r"~\w|.*\w[~^][\d.]*$", "there is no ~ and no ^", "Write the wanted forms out with OR instead of"),
        (r"=+\w", "words match in any case", "Drop the = of"),
        (r".*([|｜]|\w&&\w)", "| and && are not operators", "Write OR or AND, with spaces around it, instead of"),
        (r"/(?!(?:r|u|user|comments)/).+/[gimsux]{0,3}$", "there are no regular expressions", "Write words instead of"),
        (r"near/\d+$", "how near words stand cannot be asked for", 'Write AND, or a "phrase", instead of'),
    )
]
_UPPER = "is not an operator: they are written in upper case"
_CONNECTORS = {
    "and": (_UPPER, "AND, or nothing"),
    "or": (_UPPER, "OR"),
    "not": (_UPPER, "NOT, or a - right in front of the word"),
    "near": ("is not an operator: how near words stand cannot be asked for", 'AND, or a "phrase"'),
}
_TERM_ENDS = ("WORD", "PHRASE", "_CLOSE")
_TERM_BEGINS = ("WORD", "PHRASE", "_OPEN", "NOT", "MINUS")
_CLOSING = {"'": "'", "‘": "’", "‚": "‘", "‛": "’", "’": "’", "＇": "＇", "`": "`", "«": "»", "/": "/"}
_PATHS = re.compile(r"/(?:r|u|user|comments)/", re.IGNORECASE)
_COUNT = re.compile(r"\d+|any|all|one|none", re.IGNORECASE)


def unsupported(text: str, tokens: Sequence[Token]) -> QuerySyntaxError | None:
    """What a query's tokens say in another language only, the first of it; None: nothing."""
    found = [each for each in (_spans(tokens), _connectors(tokens), _counts(tokens), _words(tokens)) if each]
    if not found:
        return None
    at, message, hint = min(found)
    return error_at(text, at, message, hint)


_Found = tuple[int, str, str]  # where, what is wrong, what to do


def _words(tokens: Sequence[Token]) -> _Found | None:
    for token in tokens:
        if token.type != "WORD" or token.isalnum():
            continue
        for pattern, message, remedy in _WORDS:
            if pattern.match(token):
                hint = f'{remedy} {token}; or search for the text as it stands, in quotes: "{token}".'
                return start_of(token), f"{message}: {token}", hint
    return None


def _connectors(tokens: Sequence[Token]) -> _Found | None:
    """Operators in lower case where operators stand; NEAR in any."""
    for number, (token, after) in enumerate(pairwise(tokens)):
        name = token.lower()
        if token.type != "WORD" or name not in _CONNECTORS or after.type not in _TERM_BEGINS:
            continue
        between = number > 0 and tokens[number - 1].type in _TERM_ENDS
        # NOT may come first, and NEAR(a b) does where it is known.
        called = name == "near" and after.type == "_OPEN" and after.start_pos == token.end_pos
        if between or called or name == "not":
            message, instead = _CONNECTORS[name]
            hint = f'Write {instead}. To search for the word itself, put it in quotes: "{token}".'
            return start_of(token), f"{token} {message}", hint
    return None


def _spans(tokens: Sequence[Token]) -> _Found | None:
    """Phrases in other quotation marks than double ones, and regular expressions with a space."""
    for start, token in enumerate(tokens):
        if token.type != "WORD" or not (closing := _CLOSING.get(token[0])) or _PATHS.match(token):
            continue
        if len(token) > 1 and token.endswith(closing):
            continue  # one word in quotes is that word
        if (end := _closed(tokens, start + 1, closing)) is None:
            continue
        if closing == "/":
            return (
                start_of(token),
                "there are no regular expressions",
                "Write words, with OR between those that may stand.",
            )
        said = " ".join(tokens[start:end])[1:-1]
        return start_of(token), "phrases stand in double quotes only", f'Write "{said}" instead.'
    return None


def _closed(tokens: Sequence[Token], start: int, closing: str) -> int | None:
    """Behind the word that ends with the closing sign; None where none does before the next phrase."""
    for number, token in enumerate(tokens[start:], start + 1):
        if token.type == "PHRASE":
            return None
        if token.type == "WORD" and token.endswith(closing):
            return number
    return None


def _counts(tokens: Sequence[Token]) -> _Found | None:
    for count, of, opening in zip(tokens, tokens[1:], tokens[2:], strict=False):
        types = (count.type, of.type, opening.type)
        if types == ("WORD", "WORD", "_OPEN") and of.lower() == "of" and _COUNT.fullmatch(count):
            message = f"{count} {of} (…) is not understood: how many must be there cannot be asked for"
            hint = f'Write the combinations out: (a b) OR (a c) OR (b c). To search for the words: "{count} {of}".'
            return start_of(count), message, hint
    return None
