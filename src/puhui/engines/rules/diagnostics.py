"""What could not be valued: what happened, where it stands in the source, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from puhui.engines.rules.tree import Span


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """Why a value became null. `code` never changes its meaning; `line` and `column` count from 1; `source` is the piece of text."""

    code: str
    message: str
    hint: str = ""
    where: str = ""
    line: int = 0
    column: int = 0
    source: str = ""
    start: int = 0
    end: int = 0

    @classmethod
    def at(cls, span: Span | None, code: str, message: str, hint: str = "") -> Diagnostic:
        """Speak of a piece of a source."""
        if span is None:
            return cls(code, message, hint)
        return cls(code, message, hint, span.source.where, span.line, span.column, span.text[:200], span.start, span.end)

    def __str__(self) -> str:
        place = f"{self.where}:{self.line}:{self.column}" if self.line else self.where
        told = f"{place}: {self.message}" if place else self.message
        return f"{told}; {self.hint}" if self.hint else told


@dataclass(frozen=True, slots=True)
class Step:
    """One decision as it was made: what it read, which rules fired (from 1), and what came out."""

    decision: str
    inputs: dict[str, object]
    fired: tuple[int, ...]
    value: object


@dataclass(frozen=True, slots=True)
class Result:
    """A value, why any part of it is null, and the steps that led to it."""

    value: object
    diagnostics: list[Diagnostic] = field(default_factory=list)
    trace: list[Step] = field(default_factory=list)
