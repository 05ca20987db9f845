"""Simulate every data set of this folder anew, from its manifest, and compare with what is there.

``python data/simulated/regenerate.py`` leaves equal files alone and ends with 0. It replaces files that differ, enters their checksum in the
manifest, says so and ends with 1: the data of a release must not change unnoticed.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import trustsem as ts

HERE = Path(__file__).resolve().parent
GENERATORS = {"Gaussian": ts.Gaussian}


def simulated_csv(manifest: dict[str, Any]) -> bytes:
    """Return the content of data.csv that a manifest describes: UTF-8, line feeds, numbers rounded as it says."""
    settings = manifest["simulation"]
    frame = ts.simulate(
        ts.load_theory(settings["theory"]),
        n=manifest["n"],
        seed=settings["seed"],
        generator=GENERATORS[settings["generator"]](),
        preset=settings["preset"],
    )
    columns = list(manifest["columns"])
    if sorted(columns) != sorted(frame.columns):
        raise SystemExit(f"The manifest describes the columns {columns}, the theory has {list(frame.columns)}.")
    rounded = frame[columns].round(settings["decimals"]) + 0.0  # no negative zeros
    return rounded.to_csv(index=False, lineterminator="\n").encode()


def refresh(folder: Path) -> bool:
    """Write the data of one folder if they differ from what the manifest gives; return whether they were equal."""
    path, table = folder / "manifest.toml", folder / "data.csv"
    text = path.read_text(encoding="utf-8")
    content = simulated_csv(tomllib.loads(text))
    checksum = hashlib.sha256(content).hexdigest()
    entered = re.sub(r'^sha256 = ".*"$', f'sha256 = "{checksum}"', text, count=1, flags=re.MULTILINE)
    if entered == text and table.exists() and table.read_bytes() == content:
        return True
    table.write_bytes(content)
    path.write_text(entered, encoding="utf-8", newline="\n")
    return False


def main() -> int:
    """Refresh every data set; return 1 if one changed."""
    changed = 0
    for path in sorted(HERE.glob("*/manifest.toml")):
        equal = refresh(path.parent)
        changed |= not equal
        print(f"{path.parent.name}: {'unchanged' if equal else 'CHANGED, files rewritten'}")
    return changed


if __name__ == "__main__":
    sys.exit(main())
