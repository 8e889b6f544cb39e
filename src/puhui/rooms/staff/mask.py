"""What staff see of personal data unless they unmask it, with a reason, for one customer and one field."""

from collections.abc import Callable


def _middle(left: int, right: int) -> Callable[[str], str]:
    def masked(value: str) -> str:
        hidden = len(value) - left - right
        return value[:left] + "*" * max(hidden, 3) + (value[-right:] if right and hidden > 0 else "")

    return masked


MASKS: dict[str, Callable[[str], str]] = {
    "name": lambda value: value[:1] + "*" * max(len(value) - 1, 1),
    "id_number": _middle(3, 2),
    "phone": _middle(3, 4),
    "card": _middle(0, 4),
    "address": _middle(6, 0),
}


def masked(field: str, value: str) -> str:
    """Give a personal value as staff see it; a field without a mask is hidden whole."""
    mask = MASKS.get(field)
    return mask(value) if mask else "***"
