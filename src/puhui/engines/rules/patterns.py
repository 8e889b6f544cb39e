r"""Regular expressions as XPath defines them (FEEL's `matches`, `replace`, `split`), searched within a bound of steps.

Python's `re` knows neither class subtraction nor `\i`, `\c` and `\p{...}`, and a search of it cannot be stopped: a hostile pattern would hang
the process. This matcher goes back and forth like any other, but counts, and ends in Trouble when the count is used up.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial

from puhui.engines.rules import limits
from puhui.engines.rules.values import Trouble

Continue = Callable[[int], int]
Step = Callable[["Run", int, Continue], int]
Member = Callable[[str], bool]

BLOCKS = {
    "BasicLatin": (0x0, 0x7F),
    "Latin-1Supplement": (0x80, 0xFF),
    "LatinExtended-A": (0x100, 0x17F),
    "LatinExtended-B": (0x180, 0x24F),
    "IPAExtensions": (0x250, 0x2AF),
    "SpacingModifierLetters": (0x2B0, 0x2FF),
    "CombiningDiacriticalMarks": (0x300, 0x36F),
    "Greek": (0x370, 0x3FF),
    "GreekandCoptic": (0x370, 0x3FF),
    "Cyrillic": (0x400, 0x4FF),
    "Armenian": (0x530, 0x58F),
    "Hebrew": (0x590, 0x5FF),
    "Arabic": (0x600, 0x6FF),
    "Syriac": (0x700, 0x74F),
    "Thaana": (0x780, 0x7BF),
    "Devanagari": (0x900, 0x97F),
    "Bengali": (0x980, 0x9FF),
    "Gurmukhi": (0xA00, 0xA7F),
    "Gujarati": (0xA80, 0xAFF),
    "Oriya": (0xB00, 0xB7F),
    "Tamil": (0xB80, 0xBFF),
    "Telugu": (0xC00, 0xC7F),
    "Kannada": (0xC80, 0xCFF),
    "Malayalam": (0xD00, 0xD7F),
    "Sinhala": (0xD80, 0xDFF),
    "Thai": (0xE00, 0xE7F),
    "Lao": (0xE80, 0xEFF),
    "Tibetan": (0xF00, 0xFFF),
    "Myanmar": (0x1000, 0x109F),
    "Georgian": (0x10A0, 0x10FF),
    "HangulJamo": (0x1100, 0x11FF),
    "Ethiopic": (0x1200, 0x137F),
    "Cherokee": (0x13A0, 0x13FF),
    "Ogham": (0x1680, 0x169F),
    "Runic": (0x16A0, 0x16FF),
    "Khmer": (0x1780, 0x17FF),
    "Mongolian": (0x1800, 0x18AF),
    "LatinExtendedAdditional": (0x1E00, 0x1EFF),
    "GreekExtended": (0x1F00, 0x1FFF),
    "GeneralPunctuation": (0x2000, 0x206F),
    "SuperscriptsandSubscripts": (0x2070, 0x209F),
    "CurrencySymbols": (0x20A0, 0x20CF),
    "LetterlikeSymbols": (0x2100, 0x214F),
    "NumberForms": (0x2150, 0x218F),
    "Arrows": (0x2190, 0x21FF),
    "MathematicalOperators": (0x2200, 0x22FF),
    "MiscellaneousTechnical": (0x2300, 0x23FF),
    "BoxDrawing": (0x2500, 0x257F),
    "BlockElements": (0x2580, 0x259F),
    "GeometricShapes": (0x25A0, 0x25FF),
    "MiscellaneousSymbols": (0x2600, 0x26FF),
    "Dingbats": (0x2700, 0x27BF),
    "CJKRadicalsSupplement": (0x2E80, 0x2EFF),
    "KangxiRadicals": (0x2F00, 0x2FDF),
    "CJKSymbolsandPunctuation": (0x3000, 0x303F),
    "Hiragana": (0x3040, 0x309F),
    "Katakana": (0x30A0, 0x30FF),
    "Bopomofo": (0x3100, 0x312F),
    "HangulCompatibilityJamo": (0x3130, 0x318F),
    "EnclosedCJKLettersandMonths": (0x3200, 0x32FF),
    "CJKCompatibility": (0x3300, 0x33FF),
    "CJKUnifiedIdeographsExtensionA": (0x3400, 0x4DBF),
    "CJKUnifiedIdeographs": (0x4E00, 0x9FFF),
    "YiSyllables": (0xA000, 0xA48F),
    "HangulSyllables": (0xAC00, 0xD7AF),
    "PrivateUse": (0xE000, 0xF8FF),
    "CJKCompatibilityIdeographs": (0xF900, 0xFAFF),
    "AlphabeticPresentationForms": (0xFB00, 0xFB4F),
    "ArabicPresentationForms-A": (0xFB50, 0xFDFF),
    "CombiningHalfMarks": (0xFE20, 0xFE2F),
    "CJKCompatibilityForms": (0xFE30, 0xFE4F),
    "HalfwidthandFullwidthForms": (0xFF00, 0xFFEF),
    "Specials": (0xFFF0, 0xFFFF),
}
CATEGORIES = frozenset(
    ["L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Z", "Zs", "Zl", "Zp", "S", "Sm", "Sc", "Sk", "So", "C", "Cc", "Cf", "Co", "Cn"],
)
_NAME_START = re.compile("[A-Z_a-z:\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff]")
_NAME_PART = re.compile("[-.0-9\u00b7\u0300-\u036f\u203f\u2040]")


def _bad(what: str) -> Trouble:
    return Trouble(f"the pattern is not a regular expression: {what}", "write it as XPath defines it", "feel.pattern")


@dataclass(slots=True)
class Run:
    """One search: its text, what the groups hold, and how many steps are left."""

    text: str
    groups: list[tuple[int, int] | None]
    left: int = limits.PATTERN_STEPS
    depth: int = 0

    def spend(self, steps: int = 1) -> None:
        self.left -= steps
        if self.left < 0:
            raise Trouble("the search takes too long", "write a pattern with fewer ways to match", "feel.limit")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression ready to search with."""

    step: Step = field(repr=False)
    groups: int

    def find(self, text: str, start: int, run: Run | None = None) -> tuple[int, int, list[tuple[int, int] | None]] | None:
        """The first place at or after `start` where the pattern stands: its start, its end, and the groups."""
        run = run or Run(text, [])
        for at in range(start, len(text) + 1):
            run.groups = [None] * (self.groups + 1)
            run.spend()
            end = self.step(run, at, lambda end: end)
            if end >= 0:
                return at, end, run.groups
        return None


def matches(text: str, pattern: str, flags: str) -> bool:
    """Whether the pattern stands somewhere in the text."""
    return compiled(pattern, flags).find(text, 0) is not None


def replace(text: str, pattern: str, replacement: str, flags: str) -> str:
    """Put the replacement in every place where the pattern stands. `$1` is what group 1 holds."""
    found = compiled(pattern, flags)
    if found.find("", 0) is not None:
        raise _bad("it matches the empty text, so nothing can be replaced")
    told: list[str] = []
    pieces = [replacement] if "q" in flags else _replacement(replacement, found.groups)
    at, run = 0, Run(text, [])
    while hit := found.find(text, at, run):
        start, end, groups = hit
        groups[0] = (start, end)
        told.append(text[at:start])
        for piece in pieces:
            told.append(piece if isinstance(piece, str) else text[slice(*(groups[piece] or (0, 0)))])
        at = end
        if end == start:
            raise _bad("it matches the empty text, so nothing can be replaced")
    return "".join(told) + text[at:]


def split(text: str, pattern: str) -> list[str]:
    """The pieces between the places where the pattern stands."""
    found = compiled(pattern, "")
    if found.find("", 0) is not None:
        raise _bad("it matches the empty text, so nothing can be split")
    told: list[str] = []
    at, run = 0, Run(text, [])
    while hit := found.find(text, at, run):
        told.append(text[at : hit[0]])
        if hit[1] == hit[0]:
            raise _bad("it matches the empty text, so nothing can be split")
        at = hit[1]
    return [*told, text[at:]]


@lru_cache(maxsize=1024)
def compiled(pattern: str, flags: str) -> Pattern:
    """The pattern made ready; Trouble where it is none."""
    if set(flags) - set("smixq"):
        raise Trouble(f'"{flags[:20]}" are no flags of a pattern', "the flags are s, m, i, x and q", "feel.pattern")
    if len(pattern) > limits.PATTERN_MAX:
        raise Trouble("the pattern is too long", f"at most {limits.PATTERN_MAX} characters", "feel.limit")
    if "q" in flags:
        return Pattern(_sequence([_single(_character(letter, "i" in flags)) for letter in pattern]), 0)
    if "x" in flags:
        pattern = _without_space(pattern)
    reader = _Reader(pattern, flags)
    step = reader.branches()
    if reader.at < len(pattern):
        raise _bad(f"did not expect {pattern[reader.at]}")
    return Pattern(step, reader.groups)


def _replacement(text: str, groups: int) -> list[str | int]:
    pieces: list[str | int] = []
    at = 0
    while at < len(text):
        letter, following = text[at], text[at + 1 : at + 2]
        if letter == "\\":
            if following not in {"\\", "$"} or not following:
                raise Trouble("a \\ in a replacement stands before \\ or $", "double it", "feel.pattern")
            pieces.append(following)
            at += 2
        elif letter == "$":
            digits = re.match(r"[0-9]+", text[at + 1 :])
            if not digits:
                raise Trouble("a $ in a replacement stands before the number of a group", "write \\\\$ for the sign itself", "feel.pattern")
            number = digits[0]
            while len(number) > 1 and int(number) > groups:
                number = number[:-1]
            pieces.append(int(number) if int(number) <= groups else "")
            at += 1 + len(number)
        else:
            pieces.append(letter)
            at += 1
    return pieces


def _without_space(pattern: str) -> str:
    told, depth, at = [], 0, 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "\\" and depth and at + 1 < len(pattern):
            told.append(pattern[at : at + 2])
            at += 2
            continue
        depth += (letter == "[") - (letter == "]" and depth > 0)
        if depth or letter not in "\t\n\r ":
            told.append(letter)
        at += 1
    return "".join(told)


# steps


def _single(member: Member) -> Step:
    def step(run: Run, at: int, go: Continue) -> int:
        run.spend()
        if at < len(run.text) and member(run.text[at]):
            return go(at + 1)
        return -1

    step.member = member  # type: ignore[attr-defined]
    return step


def _sequence(steps: list[Step]) -> Step:
    if len(steps) == 1:
        return steps[0]

    def step(run: Run, at: int, go: Continue) -> int:
        return _chain(run, at, go, 0)

    def _chain(run: Run, at: int, go: Continue, index: int) -> int:
        text = run.text
        while index < len(steps):
            member = getattr(steps[index], "member", None)
            if member is None:
                return steps[index](run, at, partial(_chain_on, run, go, index + 1))
            run.spend()
            if at >= len(text) or not member(text[at]):
                return -1
            at += 1
            index += 1
        return go(at)

    def _chain_on(run: Run, go: Continue, index: int, at: int) -> int:
        return _chain(run, at, go, index)

    return step


def _either(steps: list[Step]) -> Step:
    def step(run: Run, at: int, go: Continue) -> int:
        for one in steps:
            run.spend()
            end = one(run, at, go)
            if end >= 0:
                return end
        return -1

    return step


def _group(inner: Step, number: int) -> Step:
    def step(run: Run, at: int, go: Continue) -> int:
        before = run.groups[number]

        def close(end: int) -> int:
            kept = run.groups[number]
            run.groups[number] = (at, end)
            told = go(end)
            if told < 0:
                run.groups[number] = kept
            return told

        end = inner(run, at, close)
        if end < 0:
            run.groups[number] = before
        return end

    return step


def _again(number: int, *, any_case: bool) -> Step:
    def step(run: Run, at: int, go: Continue) -> int:
        held = run.groups[number]
        told = run.text[slice(*held)] if held else ""
        run.spend(1 + len(told))
        seen = run.text[at : at + len(told)]
        if seen == told or (any_case and seen.casefold() == told.casefold()):
            return go(at + len(told))
        return -1

    return step


def _anchor(is_here: Callable[[str, int], bool]) -> Step:
    def step(run: Run, at: int, go: Continue) -> int:
        run.spend()
        return go(at) if is_here(run.text, at) else -1

    return step


def _repeat(inner: Step, least: int, most: int | None, *, is_greedy: bool) -> Step:
    member: Member | None = getattr(inner, "member", None)
    if member is not None:
        return _repeat_single(member, least, most, is_greedy=is_greedy)

    def turn(run: Run, at: int, go: Continue, done: int) -> int:
        run.spend()
        run.depth += 1
        if run.depth > 1000:
            raise Trouble("the search goes too deep", "write a pattern with fewer nested repetitions", "feel.limit")
        try:
            if done < least:
                return inner(run, at, lambda end: turn(run, end, go, done + 1))
            if not is_greedy and (end := go(at)) >= 0:
                return end
            if most is None or done < most:
                end = inner(run, at, lambda end: -1 if end == at else turn(run, end, go, done + 1))
                if end >= 0:
                    return end
            return go(at) if is_greedy else -1
        finally:
            run.depth -= 1

    return lambda run, at, go: turn(run, at, go, 0)


def _repeat_single(member: Member, least: int, most: int | None, *, is_greedy: bool) -> Step:
    def step(run: Run, at: int, go: Continue) -> int:
        text, end = run.text, at
        until = len(text) if most is None else min(len(text), at + most)
        if is_greedy:
            while end < until and member(text[end]):
                end += 1
            run.spend(1 + end - at)
            while end >= at + least:
                run.spend()
                told = go(end)
                if told >= 0:
                    return told
                end -= 1
            return -1
        while True:
            run.spend()
            if end >= at + least and (told := go(end)) >= 0:
                return told
            if end >= until or not member(text[end]):
                return -1
            end += 1

    return step


# classes of characters


def _variants(letter: str) -> set[str]:
    low, high = letter.lower(), letter.upper()
    return {one for one in (letter, low, high, low.upper(), high.lower()) if len(one) == 1}


def _any_case(member: Member) -> Member:
    return lambda letter: any(member(one) for one in _variants(letter))


def _character(wanted: str, any_case: bool) -> Member:
    if any_case:
        wide = _variants(wanted)
        return lambda letter: letter in wide or not wide.isdisjoint(_variants(letter))
    return lambda letter: letter == wanted


def _is_name_start(letter: str) -> bool:
    return bool(_NAME_START.match(letter)) or ord(letter) >= 0x10000


def _is_word(letter: str) -> bool:
    return unicodedata.category(letter)[0] not in "PZC"


_MULTI: dict[str, Member] = {
    "s": lambda letter: letter in " \t\n\r",
    "d": lambda letter: unicodedata.category(letter) == "Nd",
    "w": _is_word,
    "i": _is_name_start,
    "c": lambda letter: _is_name_start(letter) or bool(_NAME_PART.match(letter)),
}
_SINGLES = {"n": "\n", "r": "\r", "t": "\t"} | {letter: letter for letter in "\\|.?*+(){}$-[]^"}


def _inverted(member: Member) -> Member:
    return lambda letter: not member(letter)


class _Reader:
    """Reads one pattern from left to right."""

    def __init__(self, text: str, flags: str) -> None:
        self.text, self.flags = text, flags
        self.any_case = "i" in flags
        self.at = self.groups = self.depth = 0
        self.open: set[int] = set()

    def next(self) -> str:
        return self.text[self.at : self.at + 1]

    def branches(self) -> Step:
        self.depth += 1
        if self.depth > 50:
            raise _bad("it is nested too deeply")
        steps = [self.branch()]
        while self.next() == "|":
            self.at += 1
            steps.append(self.branch())
        self.depth -= 1
        return steps[0] if len(steps) == 1 else _either(steps)

    def branch(self) -> Step:
        steps = []
        while self.next() not in {"", "|", ")"}:
            steps.append(self.piece())
        return _sequence(steps)

    def piece(self) -> Step:
        atom = self.atom()
        found = re.compile(r"([?*+])|\{([0-9]{1,4})(,([0-9]{1,4})?)?\}").match(self.text, self.at)
        if not found:
            return atom
        self.at = found.end()
        if found[1]:
            least, most = {"?": (0, 1), "*": (0, None), "+": (1, None)}[found[1]]
        else:
            least = int(found[2])
            most = (int(found[4]) if found[4] else None) if found[3] else least
            if most is not None and most < least:
                raise _bad("a repetition has its bounds the wrong way round")
        is_greedy = self.next() != "?"
        self.at += not is_greedy
        return _repeat(atom, least, most, is_greedy=is_greedy)

    def atom(self) -> Step:
        letter = self.next()
        self.at += 1
        match letter:
            case "(":
                return self.group()
            case "[":
                return _single(self.bracket())
            case ".":
                return _single((lambda _: True) if "s" in self.flags else (lambda letter: letter not in "\n\r"))
            case "^":
                if "m" in self.flags:
                    return _anchor(lambda text, at: at == 0 or (text[at - 1] == "\n" and at < len(text)))
                return _anchor(lambda _, at: at == 0)
            case "$":
                if "m" in self.flags:
                    return _anchor(lambda text, at: at == len(text) or text[at] == "\n")
                return _anchor(lambda text, at: at == len(text))
            case "\\":
                return self.escaped()
            case "?" | "*" | "+" | "{" | "}" | "]":
                raise _bad(f"did not expect {letter}")
        return _single(_character(letter, self.any_case))

    def group(self) -> Step:
        is_kept = self.text[self.at : self.at + 2] != "?:"
        if is_kept:
            self.groups += 1
            number = self.groups
            self.open.add(number)
        else:
            self.at += 2
            number = 0
        inner = self.branches()
        if self.next() != ")":
            raise _bad("a parenthesis is not closed")
        self.at += 1
        self.open.discard(number)
        return _group(inner, number) if is_kept else _sequence([inner, _sequence([])])

    def escaped(self) -> Step:
        if self.next().isdigit():
            found = re.compile(r"[1-9][0-9]*").match(self.text, self.at)
            if not found:
                raise _bad("there is no group 0 to refer to")
            number = found[0]
            while len(number) > 1 and int(number) > self.groups:
                number = number[:-1]
            if int(number) > self.groups or int(number) in self.open:
                raise _bad(f"there is no group {number} before this place")
            self.at += len(number)
            return _again(int(number), any_case=self.any_case)
        member, single = self.escape()
        return _single(member if single is None else _character(single, self.any_case))

    def escape(self) -> tuple[Member, str | None]:
        """What stands behind a backslash: a class, or one character."""
        letter = self.next()
        self.at += 1
        if letter in _SINGLES and letter:
            return _character(_SINGLES[letter], self.any_case), _SINGLES[letter]
        if letter and letter.lower() in _MULTI:
            member = _MULTI[letter.lower()]
            return (_inverted(member) if letter.isupper() else member), None
        if letter and letter in "pP":
            found = re.compile(r"\{([A-Za-z0-9\-]+)\}").match(self.text, self.at)
            if not found:
                raise _bad("a property is written \\p{Lu}")
            self.at = found.end()
            member = self.property(found[1])
            return (_inverted(member) if letter == "P" else member), None
        raise _bad(f"there is no \\{letter}")

    def property(self, name: str) -> Member:
        if name in CATEGORIES:
            return lambda letter: unicodedata.category(letter).startswith(name)
        if name.startswith("Is") and name[2:] in BLOCKS:
            low, high = BLOCKS[name[2:]]
            return lambda letter: low <= ord(letter) <= high
        raise _bad(f"there is no property {name}")

    def bracket(self) -> Member:
        """A class in brackets; the opening one has been read."""
        self.depth += 1
        if self.depth > 50:
            raise _bad("it is nested too deeply")
        is_negated = self.next() == "^"
        self.at += is_negated
        members: list[Member] = []
        without: Member | None = None
        while (letter := self.next()) != "]":
            if letter == "":
                raise _bad("a bracket is not closed")
            if letter == "-" and self.text[self.at + 1 : self.at + 2] == "[":
                self.at += 2
                without = self.bracket()
                if self.next() != "]":
                    raise _bad("a subtraction ends its class")
                break
            members.append(self.member(is_first=not members))
        self.at += 1
        self.depth -= 1
        if not members:
            raise _bad("a class is empty")

        def inside(letter: str) -> bool:
            return any(member(letter) for member in members)

        wide = _any_case(inside) if self.any_case else inside
        whole = _inverted(wide) if is_negated else wide
        if without is None:
            return whole
        taken = without
        return lambda letter: whole(letter) and not taken(letter)

    def member(self, *, is_first: bool) -> Member:
        low, member = self.end_of_range(is_first=is_first)
        if low is None:
            assert member is not None, "a class or a character"
            return member
        following = self.text[self.at + 1 : self.at + 2]
        if self.next() != "-" or following in {"]", "", "["}:
            return lambda letter: letter == low
        self.at += 1
        high, _ = self.end_of_range(is_first=False)
        if high is None or high < low:
            raise _bad("a range of characters has its ends the wrong way round")
        return lambda letter: low <= letter <= high

    def end_of_range(self, *, is_first: bool) -> tuple[str | None, Member | None]:
        letter = self.next()
        self.at += 1
        if letter == "\\":
            member, single = self.escape()
            return (single, None) if single is not None else (None, member)
        if letter == "[" or (letter == "-" and not is_first and self.next() != "]"):
            raise _bad(f"did not expect {letter} in a class")
        return letter, None
