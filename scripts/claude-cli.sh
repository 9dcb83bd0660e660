#!/bin/sh
# Installs the pinned Claude Code CLI for the end-to-end tests under .e2e (once) and prints the path of its program.
set -eu
cd "$(dirname "$0")/.."
version=2.1.197

case "$(uname -s)" in Darwin) system=darwin ;; *) system=linux ;; esac
case "$(uname -m)" in arm64 | aarch64) machine=arm64 ;; *) machine=x64 ;; esac
program="$PWD/.e2e/node_modules/@anthropic-ai/claude-code-$system-$machine/claude"

if [ "$(cat .e2e/installed 2>/dev/null)" != "$version" ] || [ ! -x "$program" ]; then
    command -v npm >/dev/null || {
        echo "keyturn e2e: the end-to-end tests need npm; install Node.js 18 or newer, then run make e2e again." >&2
        exit 1
    }
    echo "keyturn e2e: installing Claude Code $version under .e2e" >&2
    mkdir -p .e2e
    npm install --prefix .e2e --ignore-scripts --no-save --no-package-lock --no-audit --no-fund --loglevel=error \
        "@anthropic-ai/claude-code@$version" >/dev/null
    [ -x "$program" ] || {
        echo "keyturn e2e: npm installed no program at $program; is this platform served by Claude Code?" >&2
        exit 1
    }
    echo "$version" >.e2e/installed
fi
echo "$program"
