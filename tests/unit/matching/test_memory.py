"""What matching remembers of texts of strangers."""

from overheard.matching.text.memory import REMEMBERED_CHARS, remembered


def test_only_short_texts_are_remembered() -> None:
    asked: list[str] = []

    @remembered(2)
    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    short, long = "x" * REMEMBERED_CHARS, "x" * (REMEMBERED_CHARS + 1)
    assert [length(text) for text in (short, long, short, long)] == [40, 41, 40, 41]
    assert asked == [short, long, long]
    assert (length("a"), length("b"), length(short)) == (1, 1, 40)
    assert asked[-1] == short, "there is room for two"
