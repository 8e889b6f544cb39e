"""Nobody inside asks the clock or the dice: time and ids are handed in, so a replay gives the same rows."""

import ast
from pathlib import Path

import pytest

PUHUI = Path(__file__).parents[2] / "src" / "puhui"

ASKS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "datetime.datetime.now", "datetime.date.today",
    "time.time", "time.time_ns", "time.localtime", "time.gmtime", "uuid.uuid1", "uuid.uuid4", "uuid4", "uuid1", "os.urandom",
}  # fmt: skip
DICE = ("random.", "secrets.", "np.random.", "numpy.random.")

# Whoever may ask, and why.
MAY_ASK = {
    "foundation/clock.py": "the one clock",
    "foundation/crypto.py": "fresh nonces and keys; no stored value depends on their order",
    "foundation/signing.py": "fresh keys",
    "foundation/keyfiles.py": "fresh keys",
    "foundation/services.py": "the nonce of a request",
    "web/borrower/visit.py": "names of visits and devices, keys and salts of forms",
    "foundation/server.py": "a fresh folder name on the machine",
    "web/portal/samples/partner.py": "a partner's own program: it runs there, not here",
}
DOORS = ("cli/", "proofs/")


def asked(text: str) -> list[str]:
    """Give every call by which a module asks the clock or the dice."""
    found: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in ASKS or (name.startswith(DICE) and not _is_seeded(name, node)):
                found.append(f"line {node.lineno}: {name}()")
    return found


def _is_seeded(name: str, node: ast.Call) -> bool:
    return name in {"random.Random", "np.random.default_rng", "numpy.random.default_rng"} and bool(node.args)


@pytest.mark.parametrize("path", sorted(PUHUI.rglob("*.py")), ids=lambda path: str(path.relative_to(PUHUI)))
def test_nobody_inside_asks_the_clock_or_the_dice(path):
    name = str(path.relative_to(PUHUI))
    if name in MAY_ASK or name.startswith(DOORS):
        return
    assert asked(path.read_text("utf-8")) == []


def test_whoever_may_ask_exists():
    assert [name for name in MAY_ASK if not (PUHUI / name).exists()] == []


@pytest.mark.parametrize("text", ["datetime.now(UTC)", "time.time()", "uuid.uuid4()", "random.random()", "np.random.default_rng()", "secrets.token_hex(8)"])
def test_asking_is_noticed(text):
    assert asked(text)


@pytest.mark.parametrize("text", ["time.monotonic()", "random.Random(7)", "np.random.default_rng(seed)", "work.at"])
def test_measuring_a_span_or_using_a_seed_is_no_asking(text):
    assert asked(text) == []
