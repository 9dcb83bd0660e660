"""The main job: Claude Code works through the gateway, one turn after the other."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

from tests.e2e.claude import Claude
from tests.upstream import Upstream, image, message, text, thinking, tool_use

CLIENT_TOKEN = "freecc"
UPSTREAM_KEY = "sk-upstream-key"


def tool_results(messages: list[Any]) -> list[Any]:
    """The tool_result blocks of the last user message, without the client's cache marks."""
    last = [message for message in messages if message["role"] == "user"][-1]
    found = [block for block in last["content"] if block["type"] == "tool_result"]
    return [{key: value for key, value in block.items() if key != "cache_control"} for block in found]


def tool_calls(messages: list[Any]) -> list[str]:
    """The ids of all tool calls in a history, in order."""
    blocks = [block for message in messages if message["role"] == "assistant" for block in message["content"]]
    return [block["id"] for block in blocks if block["type"] == "tool_use"]


def test_text_turn(claude: Claude, upstream: Upstream) -> None:
    early = {"input_tokens": 0, "output_tokens": 1}
    late = {"input_tokens": 1234, "cache_read_input_tokens": 55, "output_tokens": 9}
    upstream.script(message(text("Hello from the upstream"), usage=early, late_usage=late))

    run = claude.ask("Say hello")

    assert run.code == 0, run.stderr
    assert run.result["result"] == "Hello from the upstream"
    usage = run.result["usage"]
    assert {name: usage[name] for name in late} == late

    [request] = upstream.posts("/v1/messages")
    assert request.json["messages"][0]["content"][-1]["text"] == "Say hello"
    assert (request.model, request.json["stream"]) == ("claude-opus-4-8", True)
    assert request.header("anthropic-version") == "2023-06-01"
    betas = (request.header("anthropic-beta") or "").split(",")
    assert {"claude-code-20250219", "interleaved-thinking-2025-05-14"} <= set(betas)


def test_the_upstream_gets_the_gateways_key_and_not_the_clients_token(claude: Claude, upstream: Upstream) -> None:
    upstream.script(message(text("Hello")))

    run = claude.ask("Say hello")

    assert run.result["result"] == "Hello"
    [request] = upstream.posts("/v1/messages")
    credentials = [value for name, value in request.headers if name.lower() in ("x-api-key", "authorization")]
    assert credentials in ([UPSTREAM_KEY], [f"Bearer {UPSTREAM_KEY}"])
    assert not [value for _, value in request.headers if CLIENT_TOKEN in value]


def test_tool_loop(claude: Claude, upstream: Upstream) -> None:
    target, copy = claude.work / "made.txt", claude.work / "copy.txt"
    upstream.script(
        message(text("First a file."), tool_use("Bash", {"command": f"echo from-bash | tee {target}"}, "toolu_bash")),
        message(tool_use("Read", {"file_path": str(target)}, "toolu_read")),
        message(tool_use("Write", {"file_path": str(copy), "content": "copied: from-bash\n"}, "toolu_write")),
        message(text("All three done")),
    )

    run = claude.ask("Make a file, read it, copy it")

    assert run.result["result"] == "All three done"
    assert target.read_text() == "from-bash\n"
    assert copy.read_text() == "copied: from-bash\n"

    histories = [request.json["messages"] for request in upstream.posts("/v1/messages")]
    assert [tool_calls(history) for history in histories[1:]] == [
        ["toolu_bash"],
        ["toolu_bash", "toolu_read"],
        ["toolu_bash", "toolu_read", "toolu_write"],
    ]
    bash, read, write = (tool_results(history)[0] for history in histories[1:])
    assert bash == {"type": "tool_result", "tool_use_id": "toolu_bash", "content": "from-bash", "is_error": False}
    assert "from-bash" in read["content"]
    assert "copy.txt" in write["content"]


def test_two_tools_in_one_turn(claude: Claude, upstream: Upstream) -> None:
    upstream.script(
        message(
            tool_use("Bash", {"command": "echo one"}, "toolu_one"),
            tool_use("Bash", {"command": "echo two"}, "toolu_two"),
        ),
        message(text("Both ran")),
    )

    run = claude.ask("Run both")

    assert run.result["result"] == "Both ran"
    shown = [block["tool_use_id"] for block in run.blocks("user")]
    assert sorted(shown) == ["toolu_one", "toolu_two"]
    results = tool_results(upstream.posts("/v1/messages")[1].json["messages"])
    assert {result["tool_use_id"]: result["content"] for result in results} == {"toolu_one": "one", "toolu_two": "two"}


def test_thinking_is_kept_across_turns(claude: Claude, upstream: Upstream) -> None:
    first, second = thinking("Which file?", "c2lnbmF0dXJlLW9uZQ=="), thinking("Now answer.", "c2lnbmF0dXJlLXR3bw==")
    upstream.script(
        message(first, tool_use("Bash", {"command": "echo five"}, "toolu_one")),
        message(second, text("Five")),
        message(text("Still five")),
    )

    run = claude.ask("How many?")
    again = claude.ask("Are you sure?", "--continue")

    assert (run.result["result"], again.result["result"]) == ("Five", "Still five")
    assert [block["thinking"] for block in run.blocks("assistant") if block["type"] == "thinking"] == [
        "Which file?",
        "Now answer.",
    ]
    histories = [request.json["messages"] for request in upstream.posts("/v1/messages")]
    assert thoughts(histories[1]) == [first.whole]
    assert thoughts(histories[2]) == [first.whole, second.whole]


def thoughts(messages: list[Any]) -> list[Any]:
    blocks = [block for message in messages if message["role"] == "assistant" for block in message["content"]]
    return [block for block in blocks if block["type"] == "thinking"]


def test_image_read_from_disk(claude: Claude, upstream: Upstream) -> None:
    picture = claude.work / "square.png"
    picture.write_bytes(png(4, 4))
    upstream.script(
        message(tool_use("Read", {"file_path": str(picture)}, "toolu_read")),
        message(text("A red square")),
    )

    run = claude.ask("What is in square.png?")

    assert run.result["result"] == "A red square"
    [result] = tool_results(upstream.posts("/v1/messages")[1].json["messages"])
    assert result["tool_use_id"] == "toolu_read"
    assert result["content"] == [image(base64.b64encode(picture.read_bytes()).decode())]


def png(width: int, height: int) -> bytes:
    """A red picture, RGB, 8 bits."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\xff\0\0" * width) * height
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
