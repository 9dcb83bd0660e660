"""Web tools while the configuration changes under them."""

from __future__ import annotations

from pathlib import Path

from gateway.app import reload
from tests.gateway.server_tools.web_rig import SEARCH, calls_search, codes, says, web_rig

OFF = "enable_web_server_tools = false\n"
ON = 'enable_web_server_tools = true\nweb_search_engine = "searxng"\n'
ALICE = '[[tokens]]\nname = "alice"\ntoken = "token-of-alice"\nweb_tools_per_minute = 1\n'


async def test_a_reload_switches_them_on_and_off(tmp_path: Path) -> None:
    file = tmp_path / "keyturn.toml"
    file.write_text(OFF)
    async with web_rig(tmp_path, on={}, reloads=True) as rig:
        for text, lost in ((OFF, SEARCH["type"]), (ON, ""), (OFF, SEARCH["type"])):
            file.write_text(text)
            assert await reload(rig.gateway.app)
            before = len(rig.engine.requests)
            rig.model.script(*([] if lost else [calls_search("key")]), says())
            reply = await rig.post(tools=[SEARCH])
            assert reply.headers.get("x-keyturn-lost", "").removeprefix("tools.") == lost
            assert len(rig.engine.requests) - before == (0 if lost else 1)


async def test_what_was_used_before_a_reload_counts_after_it(tmp_path: Path) -> None:
    """The gateway's rate, and that of a token."""
    file = tmp_path / "keyturn.toml"
    file.write_text(ON + "web_tools_rate_limit = 3\n" + ALICE)
    async with web_rig(tmp_path, on={}, reloads=True) as rig:

        async def searched(token: str) -> list[str]:
            rig.model.script(calls_search("key"), says())
            return codes(await rig.message(tools=[SEARCH], token=token))

        assert await searched("token-of-alice") == ["ok"]
        assert await reload(rig.gateway.app)
        assert await searched("token-of-alice") == ["too_many_requests"]
        file.write_text(ON + "web_tools_rate_limit = 1\n" + ALICE.replace("= 1", "= 9"))
        assert await reload(rig.gateway.app)
        assert await searched("token-of-alice") == ["too_many_requests"]
