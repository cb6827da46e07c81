"""Pages of the repository outside docs/ that are pages of the site, too."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# File -> name of its page in docs/generated/project/.
PROJECT_PAGES = {
    "CONTRIBUTING.md": "contributing",
    "SECURITY.md": "security_policy",
    "README.md": "readme",
    "benchmarks/README.md": "benchmarks",
}
PROJECT_PAGES |= {
    str(card.relative_to(ROOT)): f"card_{card.parent.name}" for card in sorted((ROOT / "models").glob("*/README.md"))
}
