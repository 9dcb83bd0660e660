"""What a text is made of, as far as its number of tokens depends on it: counts of bytes by class, and of runs. Pure.

Byte-pair vocabularies cut a text where its letters, digits, signs and blanks change, so the number of such runs says
more than the number of bytes. Counting bytes takes 3 to 5 us for a kilobyte, and runs 12 us (2 cores, 2026-11), so that
of a long text they are counted in pieces spread over it, and projected.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

PIECES = 64  # that are looked at of a long text: 1 % off on average, 3 % at most (2026-11, 60 to 800 KB)
PIECE = 128  # bytes
WHOLE = PIECES * PIECE

_LOWER = bytes(range(ord("a"), ord("z") + 1))
_UPPER = bytes(range(ord("A"), ord("Z") + 1))
_DIGITS = b"0123456789"
_LINES = b"\t\n\r\v\f"
_BLANK = b" " + _LINES
_ASCII = bytes(range(128))
_INNER = bytes(range(0x80, 0xC0))  # the bytes of a character after its first, in UTF-8

# The first bytes of characters in UTF-8, by the scripts that they begin.
SCRIPTS: tuple[tuple[str, int, int], ...] = (
    ("latin", 0xC2, 0xC3),  # Latin-1
    ("latin_more", 0xC4, 0xCD),  # Czech, Polish, Turkish, half of Vietnamese
    ("greek", 0xCE, 0xCF),
    ("cyrillic", 0xD0, 0xD3),
    ("semitic", 0xD4, 0xDF),  # Armenian, Hebrew, Arabic
    ("indic", 0xE0, 0xE0),  # and Thai
    ("georgian", 0xE1, 0xE1),  # and the other half of Vietnamese
    ("symbols", 0xE2, 0xE2),  # dashes, quotes, arrows, boxes
    ("kana", 0xE3, 0xE3),  # and the punctuation of East Asia
    ("han", 0xE4, 0xE9),
    ("hangul", 0xEA, 0xED),
    ("forms", 0xEE, 0xEF),  # full width
    ("emoji", 0xF0, 0xF4),
)
RUNS = ("words", "humps", "signs", "numbers", "gaps")
BYTES = ("lower", "upper", "digit", "space", "line", "sign")
FEATURES = (*BYTES, *RUNS, *(name for name, _, _ in SCRIPTS), "foreign")
ACCENT = 40.0  # letters that one beyond ASCII shows to be of another language than English


def _table(**classes: bytes) -> bytes:
    """For ``bytes.translate``: each byte's class as a letter."""
    table = bytearray(b"o" * 256)
    for letter, members in classes.items():
        for byte in members:
            table[byte] = ord(letter)
    return bytes(table)


_SIGNS = bytes(set(_ASCII) - {*_LOWER, *_UPPER, *_DIGITS, *_BLANK})
_CLASSES = _table(l=_LOWER, u=_UPPER, d=_DIGITS, b=_BLANK, s=_SIGNS)
_WORDS, _MARKS, _NUMBERS, _GAPS = (
    bytes.maketrans(others, b" " * len(others)) for others in (b"dbso", b"ludbo", b"lubso", b"ludso")
)
_SCRIPT_OF = _table(**{chr(ord("A") + at): bytes(range(low, high + 1)) for at, (_, low, high) in enumerate(SCRIPTS)})


def features(text: bytes) -> tuple[float, ...]:
    """FEATURES of UTF-8 text, in their order."""
    beyond_lower = text.translate(None, _LOWER)
    beyond_letters = beyond_lower.translate(None, _UPPER)
    beyond_digits = beyond_letters.translate(None, _DIGITS)
    beyond_spaces = beyond_digits.translate(None, b" ")
    beyond_blanks = beyond_spaces.translate(None, _LINES)
    beyond_ascii = beyond_blanks.translate(None, _SIGNS)
    steps = (text, beyond_lower, beyond_letters, beyond_digits, beyond_spaces, beyond_blanks, beyond_ascii)
    counts = [float(len(before) - len(after)) for before, after in pairwise(steps)]
    scripts = _scripts(beyond_ascii)
    foreign = min(counts[0] + counts[1], ACCENT * (scripts[0] + scripts[1]))
    return (*counts, *_runs(text, counts), *scripts, foreign)


def _runs(text: bytes, counts: Sequence[float]) -> Sequence[float]:
    """Of a long text, the runs in its pieces, in proportion to the bytes that runs of that kind are made of."""
    if len(text) <= WHOLE:
        return _runs_in(text.translate(_CLASSES))
    seen = _spread(text).translate(_CLASSES)
    lower, upper, digit, space, line, sign = counts
    there = (lower + upper, upper, sign, digit, space + line)
    here = tuple(sum(map(seen.count, letters)) for letters in ((b"l", b"u"), (b"u",), (b"s",), (b"d",), (b"b",)))
    return [runs * whole / (part or 1) for runs, whole, part in zip(_runs_in(seen), there, here, strict=True)]


def _runs_in(classes: bytes) -> tuple[float, ...]:
    return (
        float(len(classes.translate(_WORDS).split())),
        float(classes.count(b"lu")),
        float(len(classes.translate(_MARKS).split())),
        float(len(classes.translate(_NUMBERS).split())),
        float(classes.translate(_GAPS).count(b" bb") + classes.startswith(b"bb")),
    )


def _spread(text: bytes) -> bytes:
    step = (len(text) - PIECE) / (PIECES - 1)
    starts = (round(number * step) for number in range(PIECES))
    return b"".join(text[start : start + PIECE] for start in starts)


def _scripts(beyond_ascii: bytes) -> tuple[float, ...]:
    if not beyond_ascii:
        return _NO_SCRIPTS
    scripts = beyond_ascii.translate(_SCRIPT_OF, _INNER)
    return tuple(float(scripts.count(ord("A") + at)) for at in range(len(SCRIPTS)))


_NO_SCRIPTS = (0.0,) * len(SCRIPTS)
