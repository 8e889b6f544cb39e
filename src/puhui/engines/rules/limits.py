"""How much one evaluation may ask for. Each limit that is reached is a diagnostic and a null, never a crash or a hang."""

TEXT_MAX = 200_000
"""Characters of one expression."""
PARSE_DEPTH = 60
"""Levels of nesting in one expression."""
PARSE_STEPS = 200_000
"""Tokens stepped over, second readings included."""
REREADS_MAX = 64
"""How often the end of a range is read a second time: `[1..x[` and `[1..x[1]]` begin alike."""
CHAIN_MAX = 200
"""Operators of one kind in a row; steps of a path."""
DEPTH_MAX = 900
"""Nested evaluations: nodes of the tree, through functions that call themselves."""
STEPS_MAX = 1_000_000
"""Nodes evaluated in one call of the door."""
TURNS_MAX = 20_000
"""Turns of all loops (for, some, every) in one call of the door: no text may keep a process for longer than a tenth of a second."""
LIST_MAX = 100_000
"""Elements of one list, and of a range that is gone through."""
STRING_MAX = 1_000_000
"""Characters of one text."""
PATTERN_STEPS = 200_000
"""Steps of one search with a regular expression."""
PATTERN_MAX = 2_000
"""Characters of a regular expression."""
XML_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of a DMN file."""
XML_DEPTH_MAX = 120
"""Levels of nesting of a DMN file."""
FRAMES = 9_000
"""The interpreter's own recursion limit while it evaluates: a deep expression ends at DEPTH_MAX, long before this."""
