"""`make audit`: known vulnerabilities of the packages in a folder, by pip-audit (Apache-2.0).

It queries PyPI for each package, so it is not part of `make check`. Exit status: 0 no known
vulnerabilities, 1 vulnerabilities, 2 unknown, which pip-audit itself reports as success.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CANNOT = 2


def main() -> int:
    auditor, packages = sys.argv[1:]
    command = [auditor, "--path", packages, "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(f"audit: nothing was audited, pip-audit ended without a report:\n{done.stderr}")
        return CANNOT
    return report(found, Path(packages))


def report(found: list[dict[str, Any]], packages: Path) -> int:
    """Print known vulnerabilities of each package; returns the exit status."""
    skipped = sorted(package["name"] for package in found if "skip_reason" in package)
    vulnerable = [package for package in found if package.get("vulns")]
    for package in vulnerable:
        for flaw in package["vulns"]:
            mended = ", ".join(flaw["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {flaw['id']}, fixed in {mended}")
    audited = len(found) - len(skipped)
    print(f"audit: {audited} of {len(found)} packages in {packages} audited")
    if skipped:
        print(f"audit: PyPI has no data on {', '.join(skipped)}")
    if vulnerable:
        return 1
    return 0 if audited else CANNOT


if __name__ == "__main__":
    sys.exit(main())
