"""Credentials of a cloud in place of a key, and what of an operator's an address holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.banner import banner
from gateway.cli.check import report
from gateway.routing import not_configured
from gateway.settings.layers import Layers, environment_layer
from gateway.settings.logins import LoginFinder
from providers.logins.kinds import AwsLogin, GoogleLogin
from providers.secret import Secret
from providers.spec import Lack, LoginKind, ProviderConfig
from tests.gateway.place import Place, only, provider
from tests.providers.google import EMAIL, service_account, user, written

CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"
TOKENS = "https://oauth2.googleapis.com/token"
GCLOUD = ".config/gcloud/application_default_credentials.json"
PROJECT = {"VERTEX_PROJECT_ID": "p"}
GET_THEM = (
    "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a service account's file"
)
NO_CREDENTIALS = Lack("credentials", CREDENTIALS, GET_THEM)
NO_PROJECT = Lack("project", "VERTEX_PROJECT_ID")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def named(place: Place, token_uri: str = TOKENS) -> dict[str, str]:
    """The variable, naming a service account's file."""
    return {CREDENTIALS: str(written(place.cwd / "sa.json", service_account(token_uri)))}


def vertex(place: Place, *environs: dict[str, str]) -> ProviderConfig:
    return provider(place.load({name: text for each in environs for name, text in each.items()}), "vertex")


def google(config: ProviderConfig) -> GoogleLogin:
    [key] = config.keys
    assert isinstance(key.login, GoogleLogin)
    assert (key.variable, bool(key.secret)) == (CREDENTIALS, False)
    return key.login


def base(location: str = "us-central1", project: str = "p", host: str = "") -> str:
    host = host or f"{location}-aiplatform.googleapis.com"
    return f"https://{host}/v1/projects/{project}/locations/{location}/endpoints/openapi"


# The address


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"VERTEX_PROJECT_ID": "a", "GOOGLE_CLOUD_PROJECT": "z"}, base(project="a")),
        ({"ANTHROPIC_VERTEX_PROJECT_ID": "b", "GOOGLE_CLOUD_PROJECT": "z"}, base(project="b")),
        ({"GOOGLE_CLOUD_PROJECT": "z"}, base(project="z")),
        ({**PROJECT, "VERTEX_LOCATION": "europe-west1", "CLOUD_ML_REGION": "us-east5"}, base("europe-west1")),
        ({**PROJECT, "CLOUD_ML_REGION": "us-east5"}, base("us-east5")),
        ({**PROJECT, "CLOUD_ML_REGION": "global"}, base("global", host="aiplatform.googleapis.com")),
        ({**PROJECT, "VERTEX_LOCATION": "us"}, base("us", host="aiplatform.us.rep.googleapis.com")),
        ({**PROJECT, "VERTEX_LOCATION": "eu"}, base("eu", host="aiplatform.eu.rep.googleapis.com")),
        ({**PROJECT, "VERTEX_LOCATION": " "}, base()),
    ],
)
def test_project_and_location(place: Place, environ: dict[str, str], url: str) -> None:
    config = vertex(place, named(place), environ)
    assert config.base_url == url
    assert config.of("claude-opus-4-8").base_url == url.replace("endpoints/openapi", "publishers/anthropic/models")
    assert config.usable


def test_the_credentials_name_a_project(place: Place) -> None:
    assert vertex(place, named(place)).base_url == base(project="my-project")
    assert vertex(place, named(place), {"GOOGLE_CLOUD_PROJECT": "z"}).base_url == base(project="z")


@pytest.mark.parametrize("text", ["my project", "a/b", "a?b", "..", "{project}", "a\nb", "-a"])
def test_what_cannot_stand_in_a_url_is_refused_and_of_what_is_meant_for_others_not_used(
    place: Place, text: str
) -> None:
    problem = only(place.problems({**named(place), "VERTEX_PROJECT_ID": text}))
    assert (problem.name, problem.problem) == ("VERTEX_PROJECT_ID", "is not made of letters, digits and -")
    assert vertex(place, named(place), {"GOOGLE_CLOUD_PROJECT": text}).base_url == base(project="my-project")


def test_a_base_url_of_ones_own_moves_every_face(place: Place) -> None:
    environ = {"VERTEX_BASE_URL": "http://127.0.0.1:9/v1/projects/p/locations/l/endpoints/openapi"}
    config = vertex(place, {CREDENTIALS: named(place)[CREDENTIALS]}, environ)
    assert config.base_url == environ["VERTEX_BASE_URL"]
    assert config.usable
    claude = config.of("claude-sonnet-4-6")
    assert claude.base_url == "http://127.0.0.1:9/v1/projects/p/locations/l/publishers/anthropic/models"
    assert (claude.spec.dialect, claude.spec.counts_tokens) == ("anthropic", True)
    assert (config.spec.dialect, config.spec.counts_tokens) == ("openai_chat", False)


@pytest.mark.parametrize("model", ["google/gemini-3.5-flash", "gemini-claude-1", "Claude", "anthropic/claude-x", ""])
def test_every_other_model_is_asked_as_the_row_says(place: Place, model: str) -> None:
    config = vertex(place, named(place), PROJECT)
    assert config.of(model) is config


def test_a_face_that_is_chosen_holds_for_all_models(place: Place) -> None:
    config = vertex(place, named(place), PROJECT, {"VERTEX_DIALECT": "anthropic"})
    assert config.base_url == base().replace("endpoints/openapi", "publishers/anthropic/models")
    assert config.of("claude-x") is config
    assert config.quirks.paths is not None
    assert vertex(place, named(place), PROJECT, {"VERTEX_DIALECT": "openai"}).of("claude-x").spec.dialect == "anthropic"


def test_what_the_file_says_of_the_provider_holds_for_every_face(place: Place) -> None:
    text = (
        "[[providers]]\nname = 'vertex'\nproject = 'q'\nlocation = 'global'\nmax_output_tokens = 100\n"
        "read_timeout = 7\nheaders = { x-team = 'blue' }\n"
    )
    config = provider(place.toml(text, named(place)), "vertex")
    assert config.base_url == base("global", "q", "aiplatform.googleapis.com")
    for each in (config, config.of("claude-x")):
        assert (each.quirks.max_output_tokens, each.timeouts.read) == (100, 7)
        assert each.headers == (("x-team", "blue"),)


def test_only_that_providers_entry_has_those_keys(place: Place) -> None:
    problem = only(place.toml_problems("[[providers]]\nname = 'groq'\napi_key = 'k'\nproject = 'q'\n"))
    assert (problem.name, problem.problem) == ("providers.groq.project", "this key is unknown")


# The credentials


def test_a_service_account_by_the_variable(place: Place) -> None:
    login = google(vertex(place, named(place), PROJECT))
    assert login == GoogleLogin(f"service account {EMAIL}", place.cwd / "sa.json")


def test_a_relative_path_and_one_from_home(place: Place) -> None:
    written(place.cwd / "sa.json", service_account(TOKENS))
    written(place.home / "home.json", service_account(TOKENS))
    assert google(vertex(place, {CREDENTIALS: "sa.json"})).file == place.cwd / "sa.json"
    place.write(".env", f"{CREDENTIALS}=~/home.json\n")
    assert google(vertex(place)).file == place.home / "home.json"


def test_gclouds_own_file(place: Place) -> None:
    path = place.write(f"~/{GCLOUD}", "{}")
    written(path, user())
    assert google(vertex(place, PROJECT)) == GoogleLogin("the user of gcloud", path)
    assert google(vertex(place, PROJECT, named(place))).title.startswith("service account")
    elsewhere = written(place.cwd / "application_default_credentials.json", user())
    assert google(vertex(place, PROJECT, {"CLOUDSDK_CONFIG": str(place.cwd)})).file == elsewhere


def test_windows_has_another_folder(tmp_path: Path) -> None:
    (tmp_path / "gcloud").mkdir()
    path = written(tmp_path / "gcloud" / "application_default_credentials.json", user())
    layers = Layers((environment_layer({"APPDATA": str(tmp_path)}),))
    found = LoginFinder(layers, tmp_path, tmp_path, windows=True).find(LoginKind.GOOGLE)
    assert found.login == GoogleLogin("the user of gcloud", path)


@pytest.mark.parametrize(
    ("environ", "product", "host"),
    [
        ({"GCE_METADATA_HOST": "127.0.0.1:8"}, "", "127.0.0.1:8"),
        ({"K_SERVICE": "my-service"}, "", "metadata.google.internal"),
        ({}, "Google Compute Engine\n", "metadata.google.internal"),
        ({"NO_GCE_CHECK": "True", "K_SERVICE": "s"}, "Google Compute Engine\n", ""),
        ({}, "KVM\n", ""),
        ({}, "", ""),
    ],
)
def test_a_machine_of_googles(tmp_path: Path, environ: dict[str, str], product: str, host: str) -> None:
    if product:
        (tmp_path / "product").write_text(product)
    finder = LoginFinder(Layers((environment_layer(environ),)), tmp_path, tmp_path, False, tmp_path / "product")
    login = finder.find(LoginKind.GOOGLE).login
    assert login == (GoogleLogin("this machine's service account", metadata_host=host) if host else None)


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({"HTTPS_PROXY": "http://127.0.0.1:3128"}, "http://127.0.0.1:3128"),
        ({"HTTPS_PROXY": "http://127.0.0.1:3128", "NO_PROXY": "oauth2.googleapis.com"}, None),
        ({"HTTPS_PROXY": "http://a:1", "VERTEX_PROXY": "socks5://127.0.0.1:1080"}, "socks5://127.0.0.1:1080"),
        ({}, None),
    ],
)
def test_tokens_are_had_by_way_of_the_proxies(place: Place, environ: dict[str, str], proxy: str | None) -> None:
    assert google(vertex(place, named(place), environ)).proxy == (Secret(proxy) if proxy else None)


def test_this_machines_own_servers_are_asked_directly(place: Place) -> None:
    environ = {"HTTPS_PROXY": "http://127.0.0.1:3128", "HTTP_PROXY": "http://127.0.0.1:3128"}
    assert google(vertex(place, named(place, "http://127.0.0.1:9/token"), environ)).proxy is None
    assert google(vertex(place, {"K_SERVICE": "s", "VERTEX_PROXY": "http://127.0.0.1:3128"}, environ)).proxy is None


def test_an_access_token_as_a_key_goes_first(place: Place) -> None:
    config = vertex(place, named(place), PROJECT, {"VERTEX_API_KEY": "ya29.a-token"})
    assert [(key.secret.reveal(), key.login) for key in config.keys] == [("ya29.a-token", None)]


@pytest.mark.parametrize("key", ["AIzaSyA-0123456789", "AQ.Ab8RN6K0123456789"])
def test_an_api_key_is_not_used_and_the_warning_says_what_to_do(place: Place, key: str) -> None:
    settings = place.load({**named(place), "VERTEX_API_KEY": key})
    [warning] = settings.warnings
    assert warning.startswith("VERTEX_API_KEY (from the environment): this is an API key, which Vertex AI takes for")
    assert "Application Default Credentials" in warning
    assert key not in warning
    google(provider(settings, "vertex"))


# What is missing, and what is told


def test_credentials_alone_choose_nothing(place: Place) -> None:
    """They are there for other programs: whoever wants Vertex AI says so."""
    settings = place.load({**named(place), "GOOGLE_CLOUD_PROJECT": "z", "CLOUD_ML_REGION": "global"})
    assert provider(settings, "vertex").usable
    assert not provider(settings, "vertex").chosen
    assert settings.routing.default.provider == "demo"
    assert vertex(place, named(place), {"ANTHROPIC_VERTEX_PROJECT_ID": "p"}).chosen
    assert vertex(place, named(place), {"MODEL": "vertex/claude-sonnet-4-6"}).chosen


@pytest.mark.parametrize(
    ("environ", "lacks"),
    [
        ({}, (NO_CREDENTIALS, NO_PROJECT)),
        (PROJECT, (NO_CREDENTIALS,)),
        ({"VERTEX_API_KEY": "ya29.a-token"}, (NO_PROJECT,)),
        ({"K_SERVICE": "s"}, (NO_PROJECT,)),
    ],
)
def test_what_is_missing(place: Place, environ: dict[str, str], lacks: tuple[Lack, ...]) -> None:
    config = vertex(place, environ)
    assert config.lacks == lacks
    assert not config.usable


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "GOOGLE_APPLICATION_CREDENTIALS names sa.json, which cannot be read (No such file or directory)"),
        ("", f"sa.json is not JSON; {GET_THEM}"),
        ("nothing", f"sa.json is not JSON; {GET_THEM}"),
        ("[]", f"sa.json is not JSON; {GET_THEM}"),
    ],
)
def test_a_file_that_is_none(place: Place, text: str | None, told: str) -> None:
    if text is not None:
        place.write("sa.json", text)
    assert vertex(place, PROJECT, {CREDENTIALS: "sa.json"}).lacks == (Lack("credentials", CREDENTIALS, told),)


def test_an_unreadable_file_stops_nobody_who_does_not_use_it(place: Place) -> None:
    settings = place.load({CREDENTIALS: "none.json", "GROQ_API_KEY": "gsk-1"})
    assert settings.warnings == ()
    assert settings.routing.default.provider == "groq"


def test_who_names_it_is_told_what_is_missing(place: Place) -> None:
    settings = place.load({"MODEL": "vertex/google/gemini-3.5-flash", **PROJECT})
    [warning] = settings.warnings
    assert warning.startswith("MODEL (from the environment): vertex has no credentials, so its requests get status 503")
    assert warning.endswith("Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a "
                            "service account's file.")  # fmt: skip
    config = provider(settings, "vertex")
    fault = not_configured(config.spec, config.lacks)
    assert (fault.status, fault.retry) == (503, False)
    assert fault.message == (
        f"Provider vertex has no credentials: {GET_THEM} in .env or the environment and restart Keyturn."
    )


def test_banner_and_check_tell_who_logs_in(place: Place) -> None:
    settings = place.load({**named(place), **PROJECT})
    line = f"vertex  1 key: vertex-01 by service account {EMAIL}  {base()}"
    assert line in banner(settings, 8082)
    assert line in report(settings)
    assert "PRIVATE KEY" not in f"{settings!r}"


def test_banner_and_check_tell_what_is_missing(place: Place) -> None:
    settings = place.load(PROJECT)
    assert f"providers  vertex  no credentials: {GET_THEM}\n" in banner(settings, 8082)
    assert f"vertex  no credentials: {GET_THEM}\n" in report(settings)
    assert "no credentials: " in banner(place.load({"MODEL": "vertex/claude-x"}), 8082)
    assert "; no project: set VERTEX_PROJECT_ID\n" in banner(place.load({"MODEL": "vertex/claude-x"}), 8082)


def test_an_entry_of_the_file_needs_no_key_where_there_are_credentials(place: Place) -> None:
    settings = place.toml("[[providers]]\nname = 'vertex'\nproject = 'q'\n", named(place))
    assert provider(settings, "vertex").usable
    assert provider(settings, "vertex").chosen


# AWS

AWS_KEY = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "a-secret-key"}


def bedrock(place: Place, *environs: dict[str, str]) -> ProviderConfig:
    return provider(place.load({name: text for each in environs for name, text in each.items()}), "bedrock")


def aws(config: ProviderConfig) -> AwsLogin:
    [key] = config.keys
    assert isinstance(key.login, AwsLogin)
    return key.login


def test_an_aws_key_signs_at_the_endpoint_that_takes_signatures(place: Place) -> None:
    config = bedrock(place, AWS_KEY, {"AWS_SESSION_TOKEN": "a-token", "AWS_REGION": "eu-west-1"})
    assert config.base_url == "https://bedrock-mantle.eu-west-1.api.aws/anthropic"
    assert (config.spec.default_model, config.spec.counts_tokens) == ("anthropic.claude-opus-4-8", True)
    assert aws(config) == AwsLogin("an AWS key", "AKID", Secret("a-secret-key"), Secret("a-token"), region="eu-west-1")
    assert config.usable
    assert not config.chosen, "it is there for other programs"
    assert config.keys[0].variable == "AWS_ACCESS_KEY_ID"


def test_a_bedrock_key_goes_first_and_to_the_endpoint_of_keys(place: Place) -> None:
    config = bedrock(place, AWS_KEY, {"AWS_BEARER_TOKEN_BEDROCK": "bedrock-key"})
    assert config.base_url == "https://bedrock-runtime.us-east-1.amazonaws.com/anthropic"
    assert [key.login for key in config.keys] == [None]


@pytest.mark.parametrize("environ", [{"AWS_ACCESS_KEY_ID": "AKID"}, {**AWS_KEY, "AWS_SECRET_ACCESS_KEY": "***"}, {}])
def test_half_a_key_is_none(place: Place, environ: dict[str, str]) -> None:
    config = bedrock(place, environ)
    assert config.lacks == (Lack("key", "BEDROCK_API_KEY"),)
    assert config.base_url == "https://bedrock-runtime.us-east-1.amazonaws.com/anthropic"


def test_a_profile(place: Place) -> None:
    named = aws(bedrock(place, {"AWS_PROFILE": "work", "AWS_CONFIG_FILE": "~/aws.ini"}))
    assert (named.profile, named.title, named.config_file) == ("work", "AWS profile work", place.home / "aws.ini")
    place.write("~/.aws/credentials", "[default]\n")
    usual = aws(bedrock(place))
    assert (usual.profile, usual.title) == ("", "AWS profile default")
    assert (usual.credentials_file, usual.config_file) == (
        place.home / ".aws/credentials",
        place.home / ".aws/config",
    )


def test_a_role_of_this_machines(place: Place) -> None:
    config = bedrock(place, {"AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token"})
    assert aws(config) == AwsLogin("this machine's AWS role")
    assert config.keys[0].variable == "AWS_WEB_IDENTITY_TOKEN_FILE"


def test_without_the_extra_nothing_is_signed_and_that_is_told(tmp_path: Path) -> None:
    layers = Layers((environment_layer(AWS_KEY),))
    found = LoginFinder(layers, tmp_path, tmp_path, signs=False).find(LoginKind.AWS)
    [lack] = found.lacks
    assert found.login is None
    assert (lack.what, lack.variable) == ("key", "BEDROCK_API_KEY")
    assert "install keyturn[bedrock]" in lack.how


def test_the_banner_tells_of_the_signature(place: Place) -> None:
    shown = banner(place.load({**AWS_KEY, "MODEL": "bedrock/anthropic.claude-opus-4-8"}), 8082)
    assert "bedrock  1 key: bedrock-01 by an AWS key\n" in shown
    assert "a-secret" not in shown
