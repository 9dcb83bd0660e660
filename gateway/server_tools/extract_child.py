"""Takes the text out of one HTML page: a program of its own, which knows nothing but the page and ends with it.

No parser is safe from what is written to break it. Two megabytes of nested or crowded markup took lxml and trafilatura
minutes, and selectolax too, which keeps the interpreter to itself meanwhile (2 cores, 2026-11). A process can be given
a bound on its memory and its time, and be ended.

HTML on stdin, the URL and the most characters as arguments, {"title", "text"} as JSON on stdout.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress

import trafilatura

MEMORY = 512 * 1024 * 1024  # bytes of address space; the libraries themselves take 150 MB of it
SECONDS = 5  # of CPU


def extract(html: str, url: str, most: int) -> tuple[str, str]:
    """Title and text: the main content as Markdown, or all text where nothing on the page looks like that."""
    tree = trafilatura.load_html(html)
    title = " ".join((tree.findtext(".//title") or "").split()) if tree is not None else ""
    text = trafilatura.extract(html, url=url, output_format="markdown", include_links=True, favor_recall=True)
    return title[:300], (text or trafilatura.html2txt(html) or "")[:most]


def bound() -> None:
    """Bounds on this process, where the system has them; tighter ones stay."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_FSIZE, 0)):
        hard = resource.getrlimit(kind)[1]
        bounded = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(
            ValueError, OSError
        ):  # macOS refuses any bound on memory (github.com/python/cpython/issues/78783)
            resource.setrlimit(kind, (bounded, bounded))


def main() -> None:
    bound()
    html = sys.stdin.buffer.read().decode("utf-8", "replace")
    title, text = extract(html, sys.argv[1], int(sys.argv[2]))
    sys.stdout.buffer.write(json.dumps({"title": title, "text": text}).encode())


if __name__ == "__main__":
    main()
