"""``python -m tests.fidelity > docs/fidelity.md``"""

from __future__ import annotations

from tests.fidelity.page import text

print(text(), end="")
