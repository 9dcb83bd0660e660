"""The file with the admin token: who may read it, when it is there, and what stands in its way."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import httpx
import pytest

from gateway.cli.admin_token import stored_tokens, with_admin_token
from gateway.settings import Settings
from gateway.settings.folders import run_folders
from tests.gateway.place import Place
from tests.gateway_process import running_gateway

PORT = 8082


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def file_of(place: Place, port: int = PORT) -> Path:
    return place.home / ".local/state/keyturn" / f"admin-{port}.token"


def revealed(settings: Settings, port: int = PORT) -> list[str]:
    return [token.reveal() for token in stored_tokens(settings, port)]


def token_of(settings: Settings) -> str:
    assert settings.admin_token
    return settings.admin_token.reveal()


def off(settings: Settings) -> str:
    """The warning that says why /admin is off."""
    with with_admin_token(settings, PORT) as own:
        assert own.admin_token is None
        assert revealed(settings) == []
        (warning,) = own.warnings
    assert warning.startswith("KEYTURN_ADMIN_TOKEN: /admin and `keyturn status` are off, since ")
    return warning


def test_it_is_there_while_the_gateway_runs_and_only_its_owner_reads_it(place: Place) -> None:
    settings = place.load()
    assert revealed(settings) == []
    with with_admin_token(settings, PORT) as own:
        (token,) = revealed(settings)
        assert own.admin_token is not None
        assert own.admin_token.matches(token)
        assert len(token) >= 40
        assert own.warnings == settings.warnings
        assert stat.S_IMODE(file_of(place).stat().st_mode) == 0o600
        assert stat.S_IMODE(file_of(place).parent.stat().st_mode) == 0o700
        assert [each.name for each in file_of(place).parent.iterdir()] == ["admin-8082.token"]
    assert list(file_of(place).parent.iterdir()) == []
    assert revealed(settings) == []


def test_it_is_removed_though_the_gateway_fails(place: Place) -> None:
    with pytest.raises(ZeroDivisionError), with_admin_token(place.load(), PORT):
        raise ZeroDivisionError
    assert not file_of(place).exists()


@pytest.mark.parametrize("environ", [{"KEYTURN_ADMIN_TOKEN": "my-own-token"}, {"HOST": "0.0.0.0"}])
def test_no_file_where_a_token_is_set_or_others_reach_the_gateway(place: Place, environ: dict[str, str]) -> None:
    settings = place.load(environ)
    with with_admin_token(settings, PORT) as own:
        assert own is settings
        assert not file_of(place).parent.exists()


def test_two_gateways_have_two_tokens(place: Place) -> None:
    settings = place.load()
    with with_admin_token(settings, 8082) as one, with_admin_token(settings, 9000) as other:
        assert revealed(settings, 8082) == [token_of(one)]
        assert revealed(settings, 9000) == [token_of(other)]
        assert one.admin_token != other.admin_token
    assert revealed(settings, 8082) == revealed(settings, 9000) == []


def test_a_stale_file_is_replaced(place: Place) -> None:
    file_of(place).parent.mkdir(parents=True, mode=0o700)
    file_of(place).write_text("of a gateway that was killed")
    file_of(place).chmod(0o644)
    settings = place.load()
    with with_admin_token(settings, PORT) as own:
        assert revealed(settings) == [token_of(own)]
        assert stat.S_IMODE(file_of(place).stat().st_mode) == 0o600


def test_a_file_that_another_gateway_put_there_meanwhile_stays(place: Place) -> None:
    settings = place.load()
    draining, new = with_admin_token(settings, PORT), with_admin_token(settings, PORT)
    draining.__enter__()
    with new as own:
        draining.__exit__(None, None, None)
        assert revealed(settings) == [token_of(own)]


@pytest.mark.parametrize("dangling", [True, False])
def test_a_link_in_its_place_is_replaced_and_not_followed(place: Place, tmp_path: Path, dangling: bool) -> None:
    aim = tmp_path / "aim"
    if not dangling:
        aim.write_text("precious")
    file_of(place).parent.mkdir(parents=True, mode=0o700)
    file_of(place).symlink_to(aim)
    settings = place.load()
    assert revealed(settings) == []
    with with_admin_token(settings, PORT):
        assert not file_of(place).is_symlink()
    assert aim.exists() is not dangling
    assert dangling or aim.read_text() == "precious"


def test_a_pipe_in_its_place_keeps_nobody_waiting(place: Place) -> None:
    file_of(place).parent.mkdir(parents=True, mode=0o700)
    os.mkfifo(file_of(place))
    assert revealed(place.load()) == []


@pytest.mark.parametrize("mode", [0o777, 0o720])
def test_a_folder_that_others_write_to_is_no_place_for_it(place: Place, mode: int) -> None:
    file_of(place).parent.mkdir(parents=True)
    file_of(place).parent.chmod(mode)
    assert "others may write to keyturn" in off(place.load())


def test_a_link_to_a_folder_is_no_place_for_it(place: Place, tmp_path: Path) -> None:
    file_of(place).parent.parent.mkdir(parents=True)
    file_of(place).parent.symlink_to(tmp_path)
    assert "keyturn is not a folder" in off(place.load())


def test_where_nothing_can_be_written_a_warning_says_what_to_do(place: Place) -> None:
    (place.home / ".local").write_text("a file in the way")
    warning = off(place.load())
    assert f"({place.home}/.local/state/keyturn: Not a directory)" in warning
    assert warning.endswith("Set KEYTURN_ADMIN_TOKEN to a token of your own.")


def test_the_next_place_is_taken_where_the_first_cannot_be_written(place: Place) -> None:
    runtime = place.write("run", "a file in the way")
    settings = place.load({"XDG_RUNTIME_DIR": str(runtime)})
    with with_admin_token(settings, PORT) as own:
        assert file_of(place).read_text() == token_of(own)


def test_it_is_found_where_the_environment_is_another(place: Place, tmp_path: Path) -> None:
    """Such as that of a login, for a gateway that a service manager started."""
    with with_admin_token(place.load(), PORT) as own:
        assert revealed(place.load({"XDG_RUNTIME_DIR": str(tmp_path)})) == [token_of(own)]


@pytest.mark.parametrize(
    ("environ", "windows", "folders"),
    [
        ({}, False, ["/home/ada/.local/state/keyturn"]),
        ({"XDG_RUNTIME_DIR": "/run/user/7"}, False, ["/run/user/7/keyturn", "/home/ada/.local/state/keyturn"]),
        (
            {"XDG_RUNTIME_DIR": "", "XDG_STATE_HOME": "/state"},
            False,
            ["/state/keyturn", "/home/ada/.local/state/keyturn"],
        ),
        ({"XDG_RUNTIME_DIR": "run", "XDG_STATE_HOME": "../x"}, False, ["/home/ada/.local/state/keyturn"]),
        ({"XDG_RUNTIME_DIR": "/home/ada/.local/state"}, False, ["/home/ada/.local/state/keyturn"]),
        (
            {"LOCALAPPDATA": "/local", "XDG_RUNTIME_DIR": "/run"},
            True,
            ["/local/keyturn", "/home/ada/AppData/Local/keyturn"],
        ),
    ],
)
def test_its_places_by_the_platforms_rules(environ: dict[str, str], windows: bool, folders: list[str]) -> None:
    assert [str(folder) for folder in run_folders(environ, Path("/home/ada"), windows)] == folders


def test_without_a_home_there_is_no_place() -> None:
    assert run_folders({}, Path("~")) == ()


def test_the_program_writes_it_under_the_port_that_it_got_and_removes_it(tmp_path: Path) -> None:
    folder = tmp_path / ".local/state/keyturn"
    with running_gateway(tmp_path, {}) as gateway:
        (file,) = folder.iterdir()
        assert file.name == f"admin-{gateway.port}.token"
        token = file.read_text()
    assert list(folder.iterdir()) == []
    assert token not in gateway.stdout + gateway.stderr


def test_the_program_starts_without_it_too_and_says_so(tmp_path: Path) -> None:
    (tmp_path / ".local").write_text("a file in the way")
    with running_gateway(tmp_path, {}) as gateway:
        reply = httpx.get(f"{gateway.url}/admin/pool", trust_env=False)
    assert (reply.status_code, "set KEYTURN_ADMIN_TOKEN" in reply.text) == (404, True)
    assert "warning    KEYTURN_ADMIN_TOKEN: /admin and `keyturn status` are off, since " in gateway.stdout
