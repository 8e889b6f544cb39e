"""Why a variable has no value."""

from enum import IntEnum


class Missing(IntEnum):
    """The reasons, in the order in which the first that applies wins; 0 in `kinds` means a value."""

    NO_TABLE = 1
    NO_EVENT = 2
    NULL_FIELD = 3
    UNDEFINED = 4
