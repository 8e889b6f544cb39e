"""Read FEEL: a Pratt parser whose tokens depend on the names in scope, so that `Pre-bureau risk` is one name where it is known.

`Names` is what is in scope. A name of several words or with signs is one name wherever it is known, the longest first. A text
that cannot be read gives a `Broken` node: null, with a diagnostic that points at the place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Iterator as Iterating
from contextlib import contextmanager
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

from puhui.engines.rules import limits
from puhui.engines.rules.temporal import read_temporal
from puhui.engines.rules.tree import (
    Arithmetic,
    Asked,
    Between,
    Broken,
    Call,
    Compare,
    CompareTest,
    ContextNode,
    Entry,
    Filter,
    For,
    FunctionNode,
    If,
    In,
    InstanceOf,
    Iterator,
    ListNode,
    Literal,
    Logic,
    Name,
    Negative,
    Node,
    Path,
    Quantified,
    RangeNode,
    Source,
    Span,
    Tests,
    TypeNode,
    UnaryRange,
)
from puhui.engines.rules.values import NUMBERS, Trouble

_START = (
    "?A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d\u2070-\u218f\u2c00-\u2fef"
    "\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_PART = _START + "0-9\u00b7\u0300-\u036f\u203f-\u2040"
NAME = re.compile(f"[{_START}][{_PART}]*")
_SPACE = re.compile(r"(?:[\s\ufeff\u180e\u200b]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_STRING = re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)
_SIGN = re.compile(r"\*\*|\.\.|<=|>=|!=|->|[-+*/<>=()\[\]{},:.@]")
_ARGUMENT_NAME = re.compile(rf"([{_START}][{_PART}\s'+\-*/.]*?)\s*:")
_KEY = re.compile(r"([^:{}\[\]()\"]+?)\s*:")
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{6}|[nrt\\\"'])")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "'": "'"}
KEYWORDS = frozenset(
    ["if", "then", "else", "for", "in", "return", "some", "every", "satisfies", "and", "or", "between", "instance", "of", "function", "external", "true", "false", "null"]
)
COMPARISONS = frozenset({"=", "!=", "<", "<=", ">", ">="})
TYPE_NAMES = (
    "days and time duration",
    "years and months duration",
    "date and time",
    "day time duration",
    "year month duration",
)
PROPERTIES = ("time offset", "start included", "end included")


def squeezed(name: str) -> str:
    """A name with its white space made single."""
    return " ".join(name.split())


@lru_cache(maxsize=65_536)
def _pattern(name: str) -> re.Pattern[str] | None:
    """How a name of several tokens may stand in a text; None for a plain name."""
    if NAME.fullmatch(name) or not NAME.match(name):
        return None
    pieces = re.findall(rf"[{_PART}]+|[^\s]", name)
    told = re.escape(pieces[0])
    for before, piece in pairwise(pieces):
        both_words = re.match(f"[{_PART}]", before[-1]) and re.match(f"[{_PART}]", piece[0])
        told += (r"\s+" if both_words else r"\s*") + re.escape(piece)
    if re.match(f"[{_PART}]", name[-1]):
        told += f"(?![{_PART}])"
    return re.compile(told)


class Names:
    """The names of several tokens that are in scope, by their first word."""

    __slots__ = ("_by_first",)

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._by_first: dict[str, dict[str, re.Pattern[str]]] = {}
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """Let one more name be known."""
        pattern = _pattern(name)
        first = NAME.match(name)
        if pattern is not None and first is not None:
            self._by_first.setdefault(first[0], {})[name] = pattern

    def longest(self, text: str, at: int, first: str) -> tuple[str, int] | None:
        """The longest known name that stands at this place, and where it ends."""
        best: tuple[str, int] | None = None
        for name, pattern in self._by_first.get(first, {}).items():
            found = pattern.match(text, at)
            if found and (best is None or found.end() > best[1]):
                best = name, found.end()
        return best

    def __bool__(self) -> bool:
        return bool(self._by_first)


def parse(text: str, names: Names, *, members: Names | None = None, types: Names | None = None, where: str = "") -> Node:
    """Read an expression."""
    return _guarded(text, where, lambda source: Parser(source, names, members, types).whole())


def parse_tests(text: str, names: Names, *, members: Names | None = None, types: Names | None = None, where: str = "") -> Tests:
    """Read the unary tests of a cell."""

    def read(source: Source) -> Node:
        return Parser(source, names, members, types).whole_tests()

    node = _guarded(text, where, read)
    return node if isinstance(node, Tests) else Tests(node.span, (node,))


def _guarded(text: str, where: str, read: object) -> Node:
    source = Source(text, where)
    if len(text) > limits.TEXT_MAX:
        return Broken(Span(source, 0, 1), "the expression is too long", f"at most {limits.TEXT_MAX} characters", "feel.limit")
    try:
        return read(source)  # type: ignore[operator, no-any-return]
    except _SyntaxTrouble as trouble:
        return Broken(Span(source, trouble.start, trouble.end), trouble.what, trouble.hint, trouble.code)


class _SyntaxTrouble(Trouble):
    def __init__(self, what: str, hint: str, start: int, end: int, code: str = "feel.syntax") -> None:
        super().__init__(what, hint, code)
        self.start, self.end = start, end


class Parser:
    """Reads one source from left to right; looks at most one token ahead, save at the end of a range."""

    def __init__(self, source: Source, names: Names, members: Names | None = None, types: Names | None = None) -> None:
        self.source, self.text = source, source.text
        self.frames = [BUILTIN_NAMES, names]
        self.members, self.types = members or Names(), types or Names()
        self.depth = self.steps = self.questions = self.rereads = 0
        self.is_filter_shut = False
        self.at = self._skip(0)
        self.end_before = self.at

    # tokens

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self.text, at)
        return found.end() if found else at

    def fail(self, what: str, hint: str, start: int | None = None, code: str = "feel.syntax") -> _SyntaxTrouble:
        start = self.at if start is None else start
        return _SyntaxTrouble(what, hint, start, min(len(self.text), start + 1), code)

    def seen(self) -> str:
        """The token at the cursor, as it would be shown."""
        return self.text[self.at : self.at + 20].split("\n")[0] or "the end"

    def sign(self) -> str:
        """The sign at the cursor, or an empty text."""
        found = _SIGN.match(self.text, self.at)
        return found[0] if found else ""

    def word(self) -> str:
        """The word at the cursor, or an empty text."""
        found = NAME.match(self.text, self.at)
        return found[0] if found else ""

    def go(self, length: int) -> None:
        """Step over a token."""
        self.steps += 1
        if self.steps > limits.PARSE_STEPS:
            raise self.fail("the expression is too intricate", "split it into smaller ones", code="feel.limit")
        self.end_before = self.at + length
        self.at = self._skip(self.end_before)

    def take(self, sign: str) -> bool:
        """Step over the sign if it stands here."""
        if self.sign() == sign:
            self.go(len(sign))
            return True
        return False

    def take_word(self, word: str) -> bool:
        """Step over the keyword if it stands here."""
        if self.word() == word:
            self.go(len(word))
            return True
        return False

    def need(self, sign: str) -> None:
        if not self.take(sign):
            raise self.fail(f"expected {sign} but found {self.seen()}", f"write {sign} here")

    def need_word(self, word: str) -> None:
        if not self.take_word(word):
            raise self.fail(f"expected {word} but found {self.seen()}", f"write {word} here")

    def span(self, start: int) -> Span:
        return Span(self.source, start, max(self.end_before, start))

    def known_name(self, *, frames: list[Names] | None = None) -> str | None:
        """The longest name of several tokens that is known here; steps over it."""
        first = self.word()
        if not first:
            return None
        best: tuple[str, int] | None = None
        for frame in frames or [*self.frames, self.members]:
            found = frame.longest(self.text, self.at, first)
            if found and (best is None or found[1] > best[1]):
                best = found
        if best is None:
            return None
        self.go(best[1] - self.at)
        return best[0]

    @contextmanager
    def inside(self, *names: str) -> Iterating[None]:
        """More names in scope for a while."""
        self.frames.append(Names(names))
        try:
            yield
        finally:
            self.frames.pop()

    @contextmanager
    def deeper(self) -> Iterating[None]:
        self.depth += 1
        shut, self.is_filter_shut = self.is_filter_shut, False
        if self.depth > limits.PARSE_DEPTH:
            raise self.fail("the expression is nested too deeply", f"at most {limits.PARSE_DEPTH} levels; name its parts", code="feel.limit")
        try:
            yield
        finally:
            self.depth -= 1
            self.is_filter_shut = shut

    # whole texts

    def whole(self) -> Node:
        node = self.expression()
        self._need_end()
        return node

    def whole_tests(self) -> Tests:
        start = self.at
        if self.text[self.at :].strip() in {"", "-"}:
            return Tests(Span(self.source, 0, len(self.text)), ())
        if self.word() == "not" and self.text[self._skip(self.at + 3) : self._skip(self.at + 3) + 1] == "(":
            saved = self.at, self.end_before
            try:
                self.go(3)
                self.need("(")
                tests = self.test_list()
                self.need(")")
                self._need_end()
                return Tests(self.span(start), tests, is_negated=True)
            except _SyntaxTrouble:
                self.at, self.end_before = saved
        tests = self.test_list()
        self._need_end()
        return Tests(self.span(start), tests)

    def _need_end(self) -> None:
        if self.at < len(self.text):
            raise self.fail(f"did not expect {self.seen()}", "end the expression before it, or join the parts by a sign")

    # expressions, from the loosest binding to the tightest

    def expression(self) -> Node:
        with self.deeper():
            return self.any_of()

    def any_of(self) -> Node:
        return self._logic("or", self.all_of)

    def all_of(self) -> Node:
        return self._logic("and", self.comparison)

    def _logic(self, word: str, part: object) -> Node:
        start = self.at
        parts = [part()]  # type: ignore[operator]
        while self.take_word(word):
            parts.append(part())  # type: ignore[operator]
        return parts[0] if len(parts) == 1 else Logic(self.span(start), word, tuple(parts))

    def comparison(self) -> Node:
        start = self.at
        left = self.sums()
        while True:
            sign = self.sign()
            if sign in COMPARISONS:
                self.go(len(sign))
                left = Compare(self.span(start), sign, left, self.sums())
            elif self.take_word("between"):
                low = self.sums()
                self.need_word("and")
                high = self.sums()
                left = Between(self.span(start), left, low, high)
            elif self.take_word("in"):
                tests = self.in_tests()
                left = In(self.span(start), left, tests)
            else:
                return left

    def sums(self) -> Node:
        return self._left(("+", "-"), self.products)

    def products(self) -> Node:
        return self._left(("*", "/"), self.powers)

    def powers(self) -> Node:
        return self._left(("**",), self.unary)

    def _left(self, signs: tuple[str, ...], part: object) -> Node:
        start = self.at
        left = part()  # type: ignore[operator]
        length = 0
        while (sign := self.sign()) in signs:
            length += 1
            if length > limits.CHAIN_MAX:
                raise self.fail("the chain of signs is too long", f"at most {limits.CHAIN_MAX}; use sum() or product()", code="feel.limit")
            self.go(len(sign))
            right = part()  # type: ignore[operator]
            left = Arithmetic(self.span(start), sign, left, right)
        return left  # type: ignore[no-any-return]

    def unary(self) -> Node:
        start = self.at
        if self.take("-"):
            with self.deeper():
                return Negative(self.span(start), self.unary())
        return self.instance()

    def instance(self) -> Node:
        start = self.at
        node = self.postfix()
        while self.word() == "instance":
            self.go(8)
            self.need_word("of")
            node = InstanceOf(self.span(start), node, self.type_node())
        return node

    def postfix(self) -> Node:
        start = self.at
        return self._tail(self.primary(), start)

    def _tail(self, node: Node, start: int) -> Node:
        length = 0
        while True:
            length += 1
            if length > limits.CHAIN_MAX:
                raise self.fail("the path is too long", f"at most {limits.CHAIN_MAX} steps", code="feel.limit")
            sign = self.sign()
            if sign == ".":
                self.go(1)
                node = Path(self.span(start), node, self.member())
            elif sign == "(" and (isinstance(node, Name | Path | Call | FunctionNode | Filter) or self.text[self.end_before - 1] == ")"):
                node = self.call(node, start)
            elif sign == "[" and not self.is_filter_shut:
                self.go(1)
                with self.inside("item"):
                    condition = self.expression()
                self.need("]")
                node = Filter(self.span(start), node, condition)
            else:
                return node

    def member(self) -> str:
        """The name behind a dot."""
        if name := self.known_name(frames=[self.members, PROPERTY_NAMES, *self.frames]):
            return name
        word = self.word()
        if not word:
            raise self.fail(f"expected a name but found {self.seen()}", "write the name of an entry behind the dot")
        self.go(len(word))
        return word

    def call(self, function: Node, start: int) -> Node:
        self.need("(")
        if self.take(")"):
            return Call(self.span(start), function)
        if self._argument_name() is not None:
            named = []
            while True:
                found = self._argument_name()
                if found is None:
                    raise self.fail("expected a name and a colon", "give all arguments by name, or all by place")
                self.go(found.end() - self.at)
                named.append((squeezed(found[1]), self.expression()))
                if not self.take(","):
                    break
            self.need(")")
            return Call(self.span(start), function, (), tuple(named))
        arguments = [self.expression()]
        while self.take(","):
            arguments.append(self.expression())
        self.need(")")
        return Call(self.span(start), function, tuple(arguments))

    def _argument_name(self) -> re.Match[str] | None:
        return _ARGUMENT_NAME.match(self.text, self.at)

    # primaries

    def primary(self) -> Node:
        start = self.at
        if found := _NUMBER.match(self.text, self.at):
            self.go(len(found[0]))
            return self.number(found[0], start)
        sign = self.sign()
        match sign:
            case "(":
                return self.parenthesis()
            case "[" | "]":
                return self.bracket()
            case "{":
                return self.context()
            case "@":
                return self.at_literal()
        if self.text[self.at : self.at + 1] == '"':
            return Literal(self.span_after_string(start := self.at), self.string(start))
        return self.worded(start)

    def number(self, text: str, start: int) -> Node:
        try:
            return Literal(self.span(start), NUMBERS.create_decimal(text))
        except ArithmeticError:
            return Broken(self.span(start), f"the number {text[:40]} is too large", "numbers reach 1e6144", "feel.number")

    def span_after_string(self, start: int) -> Span:
        found = _STRING.match(self.text, start)
        if not found:
            raise self.fail("the text does not end", 'close it with "', start)
        self.go(len(found[0]))
        return self.span(start)

    def string(self, start: int) -> str:
        found = _STRING.match(self.text, start)
        assert found, "the caller looked"
        return unescaped(found[0][1:-1])

    def at_literal(self) -> Node:
        start = self.at
        self.go(1)
        inner = self.at
        if self.text[inner : inner + 1] != '"':
            raise self.fail('expected " behind @', 'write it as @"2026-11-23"')
        self.span_after_string(inner)
        try:
            return Literal(self.span(start), read_temporal(self.string(inner)))
        except Trouble as trouble:
            return Broken(self.span(start), trouble.what, trouble.hint, trouble.code)

    def worded(self, start: int) -> Node:
        if name := self.known_name():
            return Name(self.span(start), name)
        word = self.word()
        match word:
            case "":
                raise self.fail(f"did not expect {self.seen()}", "an expression is missing here")
            case "true" | "false":
                self.go(len(word))
                return Literal(self.span(start), word == "true")
            case "null":
                self.go(4)
                return Literal(self.span(start), None)
            case "if":
                return self.condition()
            case "for":
                return self.loop()
            case "some" | "every":
                return self.quantified()
            case "function":
                return self.function()
        if word in KEYWORDS:
            raise self.fail(f"did not expect {word}", "an expression is missing before it")
        self.go(len(word))
        self.questions += word == "?"
        return Name(self.span(start), word)

    def condition(self) -> Node:
        start = self.at
        self.need_word("if")
        test = self.expression()
        self.need_word("then")
        then = self.expression()
        self.need_word("else")
        other = self.expression()
        return If(self.span(start), test, then, other)

    def loop(self) -> Node:
        start = self.at
        self.need_word("for")
        with self.inside("partial"):
            iterators = self.iterators("return")
            body = self.expression()
            for _ in iterators:
                self.frames.pop()
        return For(self.span(start), iterators, body)

    def quantified(self) -> Node:
        start = self.at
        is_every = self.word() == "every"
        self.go(len(self.word()))
        iterators = self.iterators("satisfies")
        body = self.expression()
        for _ in iterators:
            self.frames.pop()
        return Quantified(self.span(start), is_every, iterators, body)

    def iterators(self, until: str) -> tuple[Iterator, ...]:
        """Read `x in a, y in 1..n return`. Each leaves a frame of names, which the caller takes away."""
        found: list[Iterator] = []
        while True:
            name = self.words_until("in")
            domain = self.expression()
            end = self.expression() if self.take("..") else None
            self.frames.append(Names([name]))
            found.append(Iterator(name, domain, end))
            if not self.take(","):
                break
        self.need_word(until)
        return tuple(found)

    def words_until(self, word: str) -> str:
        start = self.at
        while self.word() and self.word() != word:
            self.go(len(self.word()))
        name = squeezed(self.text[start : self.end_before])
        if self.at == start:
            raise self.fail(f"expected a name but found {self.seen()}", "name the variable")
        self.need_word(word)
        return name

    def function(self) -> Node:
        start = self.at
        self.need_word("function")
        self.need("(")
        parameters: list[tuple[str, TypeNode | None]] = []
        while not self.take(")"):
            begin = self.at
            while self.sign() not in {":", ",", ")"}:
                if self.at >= len(self.text):
                    raise self.fail("the list of parameters does not end", "close it with )")
                self.go(len(self.word()) or 1)
            name = squeezed(self.text[begin : self.end_before])
            kind = self.type_node() if self.take(":") else None
            parameters.append((name, kind))
            if not self.take(",") and self.sign() != ")":
                raise self.fail(f"expected , or ) but found {self.seen()}", "separate parameters by commas")
        kind_word = "java" if self.take_word("external") else "FEEL"
        with self.inside(*(name for name, _ in parameters)):
            body = self.expression()
        return FunctionNode(self.span(start), tuple(parameters), body, kind_word)

    def parenthesis(self) -> Node:
        start = self.at
        self.need("(")
        sign = self.sign()
        if sign in COMPARISONS:
            self.go(len(sign))
            with self.deeper():
                end = self.sums()
            self.need(")")
            return UnaryRange(self.span(start), sign, end)
        node = self.expression()
        if self.take(".."):
            return self.range_end(start, node, is_included=False)
        self.need(")")
        return node

    def bracket(self) -> Node:
        start = self.at
        is_included = self.take("[")
        if not is_included:
            self.need("]")
        elif self.take("]"):
            return ListNode(self.span(start), ())
        first = self.expression()
        if self.take(".."):
            return self.range_end(start, first, is_included=is_included)
        if not is_included:
            raise self.fail(f"expected .. but found {self.seen()}", "a range is written ]1..10]")
        items = [first]
        while self.take(","):
            items.append(self.expression())
        self.need("]")
        return ListNode(self.span(start), tuple(items))

    def range_end(self, start: int, first: Node, *, is_included: bool) -> Node:
        """Read the end of a range. A `[` behind it closes the range unless a filter can be read."""
        saved = self.at, self.end_before
        for is_shut in (False, True):
            self.at, self.end_before = saved
            depth, frames = self.depth, len(self.frames)
            try:
                with self.deeper():
                    self.is_filter_shut = is_shut
                    last = self.sums()
                sign = self.sign()
                if sign not in {")", "]", "["}:
                    raise self.fail(f"expected the end of a range but found {self.seen()}", "close it with ] or )")
                self.go(1)
                return RangeNode(self.span(start), first, last, is_included, sign == "]")
            except _SyntaxTrouble as trouble:
                self.depth = depth
                del self.frames[frames:]
                self.rereads += 1
                if is_shut or trouble.code == "feel.limit" or self.rereads > limits.REREADS_MAX:
                    raise
        raise AssertionError("one of the two ways returned or raised")

    def context(self) -> Node:
        start = self.at
        self.need("{")
        entries: list[Entry] = []
        self.frames.append(Names())
        while not self.take("}"):
            name = self.key()
            value = self.expression()
            entries.append(Entry(name, value))
            self.frames[-1].add(name)
            self.members.add(name)
            if not self.take(",") and self.sign() != "}":
                raise self.fail(f"expected , or }} but found {self.seen()}", "separate entries by commas")
        self.frames.pop()
        return ContextNode(self.span(start), tuple(entries))

    def key(self) -> str:
        start = self.at
        if self.text[self.at : self.at + 1] == '"':
            self.span_after_string(start)
            name = self.string(start)
            self.need(":")
            return name
        found = _KEY.match(self.text, self.at)
        if not found or not NAME.match(found[1]):
            raise self.fail(f"expected a key but found {self.seen()}", "write an entry as name: value")
        self.go(found.end() - self.at)
        return squeezed(found[1])

    # unary tests

    def in_tests(self) -> Tests:
        """What stands behind `in`: one test, or several in parentheses."""
        start = self.at
        if self.sign() != "(":
            test = self.test(is_whole=False)
            return Tests(self.span(start), (test,))
        self.need("(")
        with self.deeper():
            tests = [self.test(is_whole=True)]
            if self.sign() == ".." and not isinstance(tests[0], CompareTest):
                self.go(2)
                node = self._tail(self.range_end(start, tests[0], is_included=False), start)
                return Tests(self.span(start), (node,))
            while self.take(","):
                tests.append(self.test(is_whole=True))
            self.need(")")
        if len(tests) == 1 and not isinstance(tests[0], CompareTest):
            return Tests(self.span(start), (self._tail(tests[0], start),))
        return Tests(self.span(start), tuple(tests))

    def test_list(self) -> tuple[Node, ...]:
        tests = [self.test(is_whole=True)]
        while self.take(","):
            tests.append(self.test(is_whole=True))
        return tuple(tests)

    def test(self, *, is_whole: bool) -> Node:
        start = self.at
        sign = self.sign()
        if sign in COMPARISONS:
            self.go(len(sign))
            with self.deeper():
                right = self.sums()
            return CompareTest(self.span(start), sign, right)
        before = self.questions
        node = self.expression() if is_whole else self.sums()
        return node if self.questions == before else Asked(self.span(start), node)

    # types

    def type_node(self) -> TypeNode:
        with self.deeper():
            return self._type_node()

    def _type_node(self) -> TypeNode:
        if name := self.known_name(frames=[self.types, BUILTIN_TYPES]):
            return TypeNode(name)
        word = self.word()
        if not word:
            raise self.fail(f"expected a type but found {self.seen()}", "name a type, like number or list<string>")
        self.go(len(word))
        if self.sign() == "<" and word in {"list", "range", "context", "function"}:
            return self.generic(word)
        while self.sign() == ".":
            self.go(1)
            word += "." + self.member()
        return TypeNode(word)

    def generic(self, word: str) -> TypeNode:
        self.need("<")
        if word == "context":
            fields = []
            while not self.take(">"):
                found = _KEY.match(self.text, self.at)
                if not found:
                    raise self.fail("expected a name and a type", "write context<name: type>")
                self.go(found.end() - self.at)
                fields.append((squeezed(found[1]), self.type_node()))
                if not self.take(",") and self.sign() != ">":
                    raise self.fail(f"expected , or > but found {self.seen()}", "separate fields by commas")
            return TypeNode(word, fields=tuple(fields))
        parts = []
        while self.sign() != ">":
            parts.append(self.type_node())
            if not self.take(","):
                break
        self.need(">")
        if word == "function":
            self.need("->")
            return TypeNode(word, tuple(parts), result=self.type_node())
        if len(parts) != 1:
            raise self.fail(f"{word} has one type of element", f"write {word}<number>")
        return TypeNode(word, tuple(parts))


def unescaped(text: str) -> str:
    """What a text between quotes means."""
    if "\\" not in text:
        return text

    def one(found: re.Match[str]) -> str:
        told = found[1]
        if told[0] in "uU":
            point = int(told[1:], 16)
            return chr(point) if point <= 0x10FFFF else "\ufffd"
        return _ESCAPES[told]

    told = _ESCAPE.sub(one, text)
    if any("\ud800" <= letter <= "\udfff" for letter in told):
        told = told.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return told


BUILTIN_NAMES = Names()
"""The built-in functions whose names have several words; `builtins` adds them."""
PROPERTY_NAMES = Names(PROPERTIES)
BUILTIN_TYPES = Names(TYPE_NAMES)


def decimal_of(text: str) -> Decimal:
    """A number's text as a number of 34 digits."""
    return NUMBERS.create_decimal(text)
