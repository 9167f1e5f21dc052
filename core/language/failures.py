"""The ways a pair can fail while a program is evaluated, worded once for both evaluators."""

from __future__ import annotations

from core.types import Failure, HeadId


def division(line: int, operator: str) -> Failure:
    """A divisor of 0 in `/`, `//` or `%`."""
    return Failure("division", f"line {line}: `{operator}` by zero")


def log_domain(line: int) -> Failure:
    """The logarithm of 0 or less."""
    return Failure("domain", f"line {line}: `log` of a number that is not above 0")


def sqrt_domain(line: int) -> Failure:
    """The square root of less than 0."""
    return Failure("domain", f"line {line}: `sqrt` of a number below 0")


def fractional_power(line: int) -> Failure:
    """A negative number to a power that is not whole."""
    return Failure("domain", f"line {line}: `**` of a negative number to a fractional power")


def zero_power(line: int) -> Failure:
    """Zero to a negative power."""
    return Failure("domain", f"line {line}: `**` of 0 to a negative power")


def non_finite(line: int, operation: str) -> Failure:
    """A result beyond the largest 32-bit number."""
    return Failure("non-finite", f"line {line}: the result of `{operation}` is too large")


def unavailable(line: int) -> Failure:
    """similarity() without the model's embeddings."""
    return Failure("unavailable", f"line {line}: `similarity` needs the model's embeddings")


def unseen(line: int, head: HeadId) -> Failure:
    """look() at a head whose attention is not at hand."""
    return Failure("unavailable", f"line {line}: the attention of {head} is not at hand")


def too_much(elements: int) -> Failure:
    """A whole evaluation that would touch more elements than allowed for one sentence."""
    return Failure("budget", f"the whole program touches more than {elements:,} elements of one sentence")


def timeout(seconds: float) -> Failure:
    """An evaluation that took longer than allowed."""
    return Failure("timeout", f"the program took longer than {seconds:g} s")


def budget(line: int, operation: str, elements: int) -> Failure:
    """An operation that would touch more elements than allowed for one sentence."""
    return Failure("budget", f"line {line}: `{operation}` over {elements:,} elements of one sentence")
