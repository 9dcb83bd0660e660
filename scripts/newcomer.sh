#!/bin/sh
# The README's first minute, as a newcomer has it: a clean clone in a path with a space, `make run` twice, one answer
# from the demo each time, and a clean stop. Needs git, make and Python; prints a line per step, with its seconds.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
place=$(mktemp -d)
clone="$place/a path with a space/keyturn"
run=
trap '[ -z "$run" ] || kill "$run" 2>/dev/null || true; rm -rf "$place"' EXIT
began=$(date +%s)
git clone --quiet "$here" "$clone"
cd "$clone"

free_port='import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
ask='
import json, sys, urllib.request
body = {"model": "claude-sonnet-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
request = urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}/v1/messages", json.dumps(body).encode(),
                                 {"x-api-key": "any", "content-type": "application/json"})
answer = json.load(urllib.request.urlopen(request, timeout=10))
assert "demo" in answer["content"][0]["text"], answer
'

for round in first second; do
    port=$(.venv/bin/python -c "$free_port" 2>/dev/null || "${PYTHON:-python3}" -c "$free_port")
    HOME="$place" make run ARGS="--port $port" >"$place/log" 2>&1 &
    run=$!
    tries=0
    until grep -q "ANTHROPIC_BASE_URL=http://127.0.0.1:$port" "$place/log" 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -gt 1800 ] || ! kill -0 "$run" 2>/dev/null; then
            echo "newcomer: make run did not start:" >&2
            cat "$place/log" >&2
            exit 1
        fi
        sleep 0.1
    done
    .venv/bin/python -c "$ask" "$port"
    took=$(($(date +%s) - began))
    # From another folder and by its absolute path, as an alias has it.
    (cd / && HOME="$place" CLAUDE_PICK_PORT="$port" "$clone/claude-pick" --list) | grep -qx demo/demo
    pkill -TERM -P "$run" 2>/dev/null || kill "$run"
    wait "$run" || true
    run=
    [ "$round" = second ] || rm -rf .venv  # claude-pick may come before make run
    [ "$round" = second ] || "$clone/claude-pick" --help >/dev/null 2>&1
    echo "newcomer: $round make run served an answer after $took s, and stopped"
    began=$(date +%s)
done
