"""Syntax of other search languages, which this one does not support: refused, with what to write instead.

To read it as words would mislead: `acme or db` would require all three words, and 'acme db' would not be a phrase. In
double quotes it is words. Names that only look like such syntax stay words: foo::bar, http://…, 12:30, /r/python,
rock'n'roll.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from lark import Token

from overheard.matching.query_errors import QuerySyntaxError, error_at, start_of

# The fields of GitHub, Gmail, Lucene, Google and Reddit.
_FIELDS = """
after allintext allintitle allinurl assignee author before body category cc content created date domain ext extension
file filename filetype flair from has host in inanchor inbody intext intitle inurl involves is kind label lang language
link list mentions milestone nsfw org over_18 path regex repo score selftext self since site sort source state status
sub subject subreddit text title to topic type until url user
"""
_FIELD = rf"(?:{'|'.join(_FIELDS.split())})[:：](?!:|//)"

# For one word without quotes: (pattern, message, what to write instead of it).
_WORDS = [
    (re.compile(pattern, re.IGNORECASE), message, remedy)
    for pattern, message, remedy in (
        (_FIELD, "one field cannot be searched", "Leave the field's name out (subreddits are set in the workspace) of"),
        (r".*[\w.]\*|\*+\w", "there are no wildcards", "Write out the wanted forms with OR instead of"),
        (r"!\w", "! does not exclude", "Write a - in front to exclude a word, not"),
        (r"[~^][\d.]+$", "~ and ^ are not supported", "Drop"),
        (r"~\w|.*\w[~^][\d.]*$", "~ and ^ are not supported", "Write out the wanted forms with OR instead of"),
        (r"=+\w", "words match in any case", "Drop the = of"),
        (r".*([|｜]|\w&&\w)", "| and && are not operators", "Write OR or AND, with spaces around it, instead of"),
        (r"/(?!(?:r|u|user|comments)/).+/[gimsux]{0,3}$", "there are no regular expressions", "Write words instead of"),
        (r"near/\d+$", "there is no search for nearby words", 'Write AND, or a "phrase", instead of'),
    )
]
_UPPER = "is not an operator: they are written in upper case"
_CONNECTORS = {
    "and": (_UPPER, "AND, or nothing"),
    "or": (_UPPER, "OR"),
    "not": (_UPPER, "NOT, or a - right in front of the word"),
    "near": ("is not an operator: there is no search for nearby words", 'AND, or a "phrase"'),
}
_TERM_ENDS = ("WORD", "PHRASE", "_CLOSE")
_TERM_BEGINS = ("WORD", "PHRASE", "_OPEN", "NOT", "MINUS")
# Pairs differ by language: German ‚…‘ closes with what opens in English. Slashes enclose a regular expression.
_CLOSING = {"'": "'", "‘": "’", "‚": "‘", "‛": "’", "’": "’", "＇": "＇", "`": "`", "«": "»", "/": "/"}
# Reddit's own addresses, which begin like a regular expression.
_PATHS = re.compile(r"/(?:r|u|user|comments)/", re.IGNORECASE)
_COUNT = re.compile(r"\d+|any|all|one|none", re.IGNORECASE)


def unsupported(text: str, tokens: Sequence[Token]) -> QuerySyntaxError | None:
    """Return the error for the first syntax of another language in a query's tokens, or None."""
    checks = (_quoted(tokens), _connectors(tokens), _counts(tokens), _words(tokens))
    problems = [problem for problem in checks if problem]
    if not problems:
        return None
    # The leftmost: a later one may be a consequence of it.
    at, message, hint = min(problems)
    return error_at(text, at, message, hint)


_Problem = tuple[int, str, str]  # offset, message, hint


def _words(tokens: Sequence[Token]) -> _Problem | None:
    for token in tokens:
        # Every pattern needs a sign: a plain word, as most are, skips all of them.
        if token.type != "WORD" or token.isalnum():
            continue
        for pattern, message, remedy in _WORDS:
            if pattern.match(token):
                hint = f'{remedy} {token}; or search for the text as it is, in quotes: "{token}".'
                return start_of(token), f"{message}: {token}", hint
    return None


def _connectors(tokens: Sequence[Token]) -> _Problem | None:
    """Find operators in lower case in the position of an operator; NEAR in any case."""
    for number, (token, after) in enumerate(pairwise(tokens)):
        name = token.lower()
        if token.type != "WORD" or name not in _CONNECTORS or after.type not in _TERM_BEGINS:
            continue
        between = number > 0 and tokens[number - 1].type in _TERM_ENDS
        # NOT may come first, and so does NEAR(a b) in the languages that have it.
        called = name == "near" and after.type == "_OPEN" and after.start_pos == token.end_pos
        if between or called or name == "not":
            message, instead = _CONNECTORS[name]
            hint = f'Write {instead}. To search for the word itself, put it in quotes: "{token}".'
            return start_of(token), f"{token} {message}", hint
    return None


def _quoted(tokens: Sequence[Token]) -> _Problem | None:
    """Find phrases in quotation marks other than double ones, and regular expressions with a space."""
    for start, token in enumerate(tokens):
        if token.type != "WORD" or not (closing := _CLOSING.get(token[0])) or _PATHS.match(token):
            continue
        if len(token) > 1 and token.endswith(closing):
            continue  # a single word in quotes means that word anyway
        if (end := _closing_index(tokens, start + 1, closing)) is None:
            continue
        if closing == "/":
            return start_of(token), "there are no regular expressions", "Write words, with OR between alternatives."
        phrase = " ".join(tokens[start:end])[1:-1]
        return start_of(token), "phrases are written in double quotes only", f'Write "{phrase}" instead.'
    return None


def _closing_index(tokens: Sequence[Token], start: int, closing: str) -> int | None:
    """Return the index after the word that ends with the closing sign; None if the next phrase comes first."""
    for number, token in enumerate(tokens[start:], start + 1):
        if token.type == "PHRASE":
            return None
        if token.type == "WORD" and token.endswith(closing):
            return number
    return None


def _counts(tokens: Sequence[Token]) -> _Problem | None:
    for count, of, opening in zip(tokens, tokens[1:], tokens[2:], strict=False):
        types = (count.type, of.type, opening.type)
        if types == ("WORD", "WORD", "_OPEN") and of.lower() == "of" and _COUNT.fullmatch(count):
            message = f"{count} {of} (…) is not supported: a query cannot require a number of its words"
            hint = f'Write the combinations out: (a b) OR (a c) OR (b c). To search for the words: "{count} {of}".'
            return start_of(count), message, hint
    return None
