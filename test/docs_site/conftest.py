"""The website's tools are a folder of programs, not a package: they are found by path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "docs_site"))
