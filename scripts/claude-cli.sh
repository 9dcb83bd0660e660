#!/bin/sh
# Installs the pinned Claude Code CLI for the end-to-end tests under .e2e (once) and prints the path of its program.
# With the argument "older", that is the one of 2025-07, a script for Node.js.
set -eu
cd "$(dirname "$0")/.."

if [ "${1:-}" = older ]; then
    version=1.0.56 folder=.e2e/older
    program="$PWD/$folder/node_modules/@anthropic-ai/claude-code/cli.js"
else
    version=2.1.197 folder=.e2e
    case "$(uname -s)" in Darwin) system=darwin ;; *) system=linux ;; esac
    case "$(uname -m)" in arm64 | aarch64) machine=arm64 ;; *) machine=x64 ;; esac
    program="$PWD/$folder/node_modules/@anthropic-ai/claude-code-$system-$machine/claude"
fi

if [ "$(cat "$folder/installed" 2>/dev/null)" != "$version" ] || [ ! -x "$program" ]; then
    command -v npm >/dev/null || {
        echo "keyturn e2e: the end-to-end tests need npm; install Node.js 18 or newer, then run make e2e again." >&2
        exit 1
    }
    echo "keyturn e2e: installing Claude Code $version under $folder" >&2
    mkdir -p "$folder"
    npm install --prefix "$folder" --ignore-scripts --no-save --no-package-lock --no-audit --no-fund --loglevel=error \
        "@anthropic-ai/claude-code@$version" >/dev/null
    [ -x "$program" ] || {
        echo "keyturn e2e: npm installed no program at $program; is this platform served by Claude Code?" >&2
        exit 1
    }
    echo "$version" >"$folder/installed"
fi
echo "$program"
