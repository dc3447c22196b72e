"""The settings: every variable is read, every mistake names its variable, production refuses what is embedded."""

import os
from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from pathlib import Path

import pytest

from engine.settings import Environment, InvalidSettings, Settings, load

NUMBERS = [field.name for field in fields(Settings) if type(field.default) is int]
TEXTS = [
    field.name
    for field in fields(Settings)
    if isinstance(field.default, str) and not isinstance(field.default, StrEnum)
]
WALLET = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU"
MAY_BE_ZERO = {
    "fee_bps",
    "creator_share_percent",
    "minimum_buy_lamports",
    "commit_spacing_ms",
    "compute_unit_price_microlamports",
    "withdrawal_delay_ms",
    "metrics_port",
}
PRODUCTION = {
    "BLITZ_ENV": "production",
    "BLITZ_DATABASE_URL": "oracle+oracledb://db",
    "BLITZ_BROKER_URL": "amqp://broker",
    "BLITZ_REDIS_URL": "redis://cache",
    "BLITZ_SIGNER_URL": "https://signer",
    "BLITZ_KEYS_URL": "vault:https://keys",
    "BLITZ_SOLANA_RPC_URL": "https://rpc.example",
    "BLITZ_SOLANA_WS_URL": "wss://rpc.example",
}


def variable(name: str) -> str:
    return f"BLITZ_{name.upper()}"


def test_nothing_set_is_the_embedded_default() -> None:
    settings = load({})
    assert settings.env is Environment.DEVELOPMENT
    assert settings.database_url == "sqlite:///.blitz/blitzhub.db"
    assert settings.keys_url == "seed:.blitz/keys.seed"
    assert (settings.embedded, settings.localnet) == (True, True)


def test_every_field_is_a_number_a_text_a_path_or_a_choice() -> None:
    assert {field.name for field in fields(Settings)} == {*NUMBERS, *TEXTS, "env", "log_format", "data_dir"}


def test_logs_are_json_in_production_and_where_it_is_asked_for() -> None:
    assert [load(PRODUCTION | each).logs_json for each in ({}, {"BLITZ_LOG_FORMAT": "text"})] == [True, False]
    assert [load(each).logs_json for each in ({}, {"BLITZ_LOG_FORMAT": "json"})] == [False, True]
    with pytest.raises(InvalidSettings, match="BLITZ_LOG_FORMAT was 'xml', expected one of auto, text, json"):
        load({"BLITZ_LOG_FORMAT": "xml"})


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_is_read_from_its_variable(name: str) -> None:
    assert getattr(load({variable(name): "7"}), name) == 7


@pytest.mark.parametrize("name", [name for name in TEXTS if name not in ("broker_url", "backend", "trusted_proxies")])
def test_every_text_is_read_from_its_variable(name: str) -> None:
    special = {
        "database_url": "sqlite:///elsewhere.db",
        "signer_url": "https://host:1",
        "solana_fallbacks": "https://host:1 wss://host:2",
        "operators": WALLET,
        "viewers": f"{WALLET}, {WALLET}",
    }
    value = special.get(name, "scheme://host:1/path")
    assert getattr(load({variable(name): value}), name) == value


@pytest.mark.parametrize("name", ["OPERATORS", "VIEWERS"])
@pytest.mark.parametrize("listed", ["ann", f"{WALLET} {WALLET}", f"{WALLET},x"])
def test_those_who_run_the_platform_are_wallets(name: str, listed: str) -> None:
    with pytest.raises(InvalidSettings, match=name):
        load({f"BLITZ_{name}": listed})


@pytest.mark.parametrize("name", ["", "EU-BE-01", "a.b-9"])
def test_a_backend_has_a_name_that_fits_a_header(name: str) -> None:
    assert load({"BLITZ_BACKEND": name}).backend == (name or "local")


@pytest.mark.parametrize("name", ["EU BE", "EU\r\nX: 1", "ü", "x" * 41, "EU-BE-01\n"])
def test_a_backends_name_that_does_not_fit_a_header_is_refused(name: str) -> None:
    with pytest.raises(InvalidSettings, match="BLITZ_BACKEND"):
        load({"BLITZ_BACKEND": name})


def test_trusted_proxies_are_addresses_and_networks() -> None:
    listed = "127.0.0.1, 10.0.0.0/8,2001:db8::/32"
    assert load({"BLITZ_TRUSTED_PROXIES": listed}).trusted_proxies == listed
    assert load({}).trusted_proxies == ""


@pytest.mark.parametrize("listed", ["*", "127.0.0.1,*", "proxy.example", "10.0.0.1/8", "127.0.0.1;10.0.0.1"])
def test_a_trusted_proxy_that_is_no_address_is_refused(listed: str) -> None:
    with pytest.raises(InvalidSettings, match="BLITZ_TRUSTED_PROXIES"):
        load({"BLITZ_TRUSTED_PROXIES": listed})


def test_the_broker_and_the_environment_are_read() -> None:
    assert load({"BLITZ_BROKER_URL": "amqp://host"}).broker_url == "amqp://host"
    assert load(PRODUCTION).env is Environment.PRODUCTION


def test_the_data_directory_moves_what_stands_in_it() -> None:
    settings = load({"BLITZ_DATA_DIR": "/somewhere"})
    assert settings.data_dir == Path("/somewhere")
    assert settings.database_url == "sqlite:////somewhere/blitzhub.db"
    assert settings.keys_url == "seed:/somewhere/keys.seed"


def test_without_a_mapping_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BLITZ_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BLITZ_BATCH_LIMIT", "3")
    assert load().batch_limit == 3


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert load({"BLITZ_BATCH_LIMIT": "", "BLITZ_DATABASE_URL": ""}) == load({})


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value", ["-1", "1.5", "1e3", "0x10", "１２", " 7", "7 ", "1_000", "many", str(2**63), "9" * 99]
)
def test_a_number_of_the_wrong_form_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(InvalidSettings, match=variable(name)):
        load({variable(name): value})


@pytest.mark.parametrize("name", NUMBERS)
def test_zero_is_taken_only_where_it_means_something(name: str) -> None:
    if name in MAY_BE_ZERO:
        assert getattr(load({variable(name): "0"}), name) == 0
    else:
        with pytest.raises(InvalidSettings, match=variable(name)):
            load({variable(name): "0"})


@pytest.mark.parametrize(("name", "most"), [("fee_bps", 9_999), ("creator_share_percent", 100)])
def test_a_share_is_never_more_than_the_whole(name: str, most: int) -> None:
    assert getattr(load({variable(name): str(most)}), name) == most
    with pytest.raises(InvalidSettings, match=variable(name)):
        load({variable(name): str(most + 1)})


def test_an_unknown_environment_names_its_variable_and_what_it_may_be() -> None:
    with pytest.raises(InvalidSettings, match=r"BLITZ_ENV was 'Production', expected one of development, production"):
        load({"BLITZ_ENV": "Production"})


@pytest.mark.parametrize(
    "embedded",
    [
        {"BLITZ_DATABASE_URL": "sqlite:///x.db"},
        {"BLITZ_DATABASE_URL": ""},
        {"BLITZ_BROKER_URL": "sqlite"},
        {"BLITZ_BROKER_URL": ""},
        {"BLITZ_REDIS_URL": "memory://"},
        {"BLITZ_KEYS_URL": "seed:keys"},
        {"BLITZ_SIGNER_URL": "local"},
        {"BLITZ_SIGNER_URL": ""},
        {"BLITZ_SOLANA_RPC_URL": "http://127.0.0.1:8899"},
        {"BLITZ_SOLANA_RPC_URL": "http://[::1]:8899"},
        {"BLITZ_SOLANA_WS_URL": "ws://localhost:8900"},
        {"BLITZ_SOLANA_WS_URL": ""},
    ],
    ids=lambda embedded: str(embedded),
)
def test_production_refuses_each_embedded_part_by_name(embedded: Mapping[str, str]) -> None:
    with pytest.raises(InvalidSettings) as refused:
        load(PRODUCTION | embedded)
    named = {name for name in PRODUCTION if name in str(refused.value)} - {"BLITZ_ENV"}
    assert named == set(embedded)


def test_where_there_is_a_signer_no_other_process_has_keys() -> None:
    without_keys = {name: value for name, value in PRODUCTION.items() if name != "BLITZ_KEYS_URL"}
    assert load(without_keys).keys_url == ""
    assert load({"BLITZ_SIGNER_URL": "unix:/run/signer.sock"}).keys_url == ""


@pytest.mark.parametrize("url", ["unix:/run/b/signer.sock", "https://signer:8650", "http://127.0.0.1:8650", "local"])
def test_a_signer_is_reached_over_tls_or_on_this_machine(url: str) -> None:
    assert load({"BLITZ_SIGNER_URL": url}).signer_url == url


@pytest.mark.parametrize(
    "url", ["http://signer:8650", "http://10.0.0.7:8650", "signer:8650", "unix:signer", "https://"]
)
def test_a_signer_over_an_open_network_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings, match="BLITZ_SIGNER_URL"):
        load({"BLITZ_SIGNER_URL": url})


def test_no_secret_is_told_by_the_settings() -> None:
    secrets = {name: f"secret-{name}" for name in TEXTS if name.endswith(("_token", "_password"))}
    settings = load({variable(name): value for name, value in secrets.items()})
    assert len(secrets) >= 4
    assert "secret-" not in repr(settings)


def test_production_with_nothing_set_names_every_part() -> None:
    with pytest.raises(InvalidSettings) as refused:
        load({"BLITZ_ENV": "production"})
    assert all(name in str(refused.value) for name in PRODUCTION)


def test_production_with_real_servers_is_neither_embedded_nor_local() -> None:
    settings = load(PRODUCTION)
    assert (settings.embedded, settings.localnet) == (False, False)


def test_the_embedded_broker_needs_the_embedded_database() -> None:
    with pytest.raises(InvalidSettings, match="BLITZ_BROKER_URL"):
        load({"BLITZ_DATABASE_URL": "postgresql+psycopg://db"})


@pytest.mark.parametrize(
    ("url", "secure"),
    [
        ("https://blitzhub.example", True),
        ("http://localhost:8600", True),
        ("http://127.0.0.1:8600", True),
        ("http://192.168.0.7:8600", False),
        ("http://localhost.evil.example", False),
    ],
)
def test_the_cookie_is_secure_where_a_browser_keeps_it(url: str, secure: bool) -> None:
    assert load({"BLITZ_PUBLIC_URL": url}).secure_cookie is secure


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:1", True),
        ("http://localhost", True),
        ("http://[::1]:8899", True),
        ("https://localhost.example", False),
        ("https://api.mainnet-beta.solana.com", False),
    ],
)
def test_a_local_chain_is_known_by_its_host(url: str, local: bool) -> None:
    assert load({"BLITZ_SOLANA_RPC_URL": url}).localnet is local
