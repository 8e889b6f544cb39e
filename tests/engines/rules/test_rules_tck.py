"""DMN's public test kit, all of it."""

import csv
import os
from pathlib import Path

import pytest

from puhui.proofs import tck

FOLDER = os.environ.get("PUHUI_PUBLIC_DATA")
KIT = Path(FOLDER) / "dmn-tck" if FOLDER else None


@pytest.mark.skipif(KIT is None or not KIT.is_dir(), reason="PUHUI_PUBLIC_DATA names no folder with dmn-tck")
def test_every_case_of_the_public_kit_passes(tmp_path):
    assert KIT is not None, "the test would not run without it"
    told = tck.run(KIT, tmp_path / "result.csv")
    assert {name: (told[name]["passed"], told[name]["listed"]) for name in ("level2", "level3")} == {"level2": (116, 116), "level3": (3275, 3275)}
    assert told["level2"]["non_null_passed"] + told["level3"]["non_null_passed"] == 1927
    with (tmp_path / "result.csv").open() as file:
        rows = list(csv.reader(file))
    assert len(rows) == 3391 + 42
    assert rows[0][3] == "SUCCESS"
