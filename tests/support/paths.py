"""Folders of the checkout that tests read."""

from pathlib import Path

SUPPORT = Path(__file__).parent
ROOT = SUPPORT.parents[1]
#: The samples and cases that lie beside the checkout.
SHARED = ROOT.parent / "shared"
