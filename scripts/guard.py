"""Refuse what must not be committed: `scripts/guard.py [FILE...]`, without files all that git tracks or would add.

Secrets, large files, locks that carry the address of a registry, and lock files that pyproject.toml has outgrown.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

MAX_BYTES = 500_000
# A line that must hold something of a secret's form says so.
ALLOWED = "guard: not a secret"
SECRETS = re.compile(
    r"""-----BEGIN\ [A-Z ]*PRIVATE\ KEY-----
    | \b(?: sk-(?:ant|proj|or|svcacct)-[\w-]{20,} | sk-[A-Za-z0-9]{32,} | gsk_\w{32,} | nvapi-[\w-]{32,} | xai-\w{32,}
    | AIza[\w-]{35} | AKIA[A-Z0-9]{16} | gh[pousr]_\w{36} | github_pat_\w{40,} | hf_[A-Za-z]{30,} | fw_\w{20,}
    | csk-\w{32,} | tgp_\w{32,} )\b""",
    re.VERBOSE,
)
ADDRESS_LOCKS = {"uv.lock", "package-lock.json", "poetry.lock", "Pipfile.lock", "yarn.lock", "pnpm-lock.yaml"}
PIN = re.compile(r"^([a-z0-9-]+)==", re.MULTILINE)


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=True
    )
    return [Path(name) for name in listed.stdout.decode().split("\0") if name]


def in_file(path: Path) -> Iterator[str]:
    if path.name in ADDRESS_LOCKS:
        yield f"{path}: carries the addresses of a registry; commit requirements/*.txt instead"
    if path.stat().st_size > MAX_BYTES:
        yield f"{path}: larger than {MAX_BYTES} bytes"
    text = path.read_text(errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        if SECRETS.search(line) and ALLOWED not in line:
            yield f"{path}:{number}: looks like a secret; if it is made up, end the line with '{ALLOWED}'"


def in_locks() -> Iterator[str]:
    project = tomllib.loads(Path("pyproject.toml").read_text())
    run, dev = project["project"]["dependencies"], project["project"]["optional-dependencies"]["dev"]
    if project["dependency-groups"]["dev"] != dev:
        yield "pyproject.toml: the two dev lists differ; make them the same"
    for name, wanted in (("run", run), ("dev", run + dev)):
        text = Path(f"requirements/{name}.txt").read_text()
        if "://" in text or re.search(r"^-", text, re.MULTILINE):
            yield f"requirements/{name}.txt: carries an address or an option; run make lock"
        missing = {re.split(r"[^A-Za-z0-9-]", item)[0] for item in wanted} - set(PIN.findall(text))
        if missing:
            yield f"requirements/{name}.txt: lacks {', '.join(sorted(missing))}; run make lock"


def main() -> None:
    paths = [Path(name) for name in sys.argv[1:]] or tracked()
    found = [line for path in paths if path.is_file() and not path.is_symlink() for line in in_file(path)]
    sys.exit("\n".join([*found, *in_locks()]) or 0)


if __name__ == "__main__":
    main()
