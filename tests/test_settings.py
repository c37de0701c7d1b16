"""Settings come from the environment, wrong ones are named, secrets stay hidden."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from schoolhouse.errors import SettingsError
from schoolhouse.settings import Settings, environment_name, example_env, load_settings
from tests.conftest import ROOT


def test_with_nothing_set_everything_lives_in_one_directory() -> None:
    settings = load_settings()
    assert settings.is_embedded
    assert settings.warehouse_dir == Path("schoolhouse-data/warehouse")
    assert settings.clickhouse_database == "default"
    assert not settings.is_secure


def test_example_env_is_written_from_the_settings() -> None:
    assert (ROOT / "example.env").read_text(encoding="utf-8") == example_env(), "run `make example-env`"


def test_example_env_has_every_setting_with_its_meaning() -> None:
    text = example_env()
    for name, field in Settings.model_fields.items():
        assert f"# {field.description}\n#{environment_name(name)}=" in text


def test_the_example_as_it_stands_gives_the_defaults(tmp_path: Path) -> None:
    lines = example_env().replace("\n#", "\n").splitlines()
    (tmp_path / ".env").write_text("\n".join(line for line in lines if not line.startswith((" ", "#"))))
    assert load_settings() == Settings.model_construct(**{n: f.default for n, f in Settings.model_fields.items()})


@pytest.mark.parametrize("name", ["CLICKHOUSE_USER", "CLICKHOUSE_USERNAME"])
def test_both_names_of_the_user_are_read(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "somebody")
    assert load_settings().clickhouse_user == "somebody"


def test_the_environment_wins_over_the_file_and_arguments_over_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("CLICKHOUSE_HOST=from-file\nCLICKHOUSE_DATABASE=from_file\nUNKNOWN=1\n")
    monkeypatch.setenv("CLICKHOUSE_DATABASE", "from_environment")
    assert load_settings().clickhouse_host == "from-file"
    assert load_settings().clickhouse_database == "from_environment"
    assert load_settings(clickhouse_database="given").clickhouse_database == "given"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("CLICKHOUSE_PORT", "9000", "native port; this client speaks HTTP: use 8123"),
        ("CLICKHOUSE_PORT", "9440", "native port; this client speaks HTTP: use 8123 (or 8443 with TLS)"),
        ("CLICKHOUSE_PORT", "many", "CLICKHOUSE_PORT"),
        ("CLICKHOUSE_PORT", "0", "CLICKHOUSE_PORT"),
        ("CLICKHOUSE_HOST", "http://db.example", "without scheme"),
        ("CLICKHOUSE_HOST", "db.example:8123", "db.example:8123"),
        ("CLICKHOUSE_DATABASE", "x; DROP DATABASE y", "CLICKHOUSE_DATABASE"),
        ("CLICKHOUSE_CLUSTER", "a b", "CLICKHOUSE_CLUSTER"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT"),
        ("SCHOOLHOUSE_MAX_LINE_BYTES", "-1", "SCHOOLHOUSE_MAX_LINE_BYTES"),
        ("SCHOOLHOUSE_MAX_LINE_BYTES", "5000000000", "SCHOOLHOUSE_MAX_LINE_BYTES"),
        ("RAW_EVENTS_RETENTION_MONTHS", "-1", "RAW_EVENTS_RETENTION_MONTHS"),
        ("REJECTS_RETENTION_MONTHS", "1200", "less than or equal to 600"),
    ],
)
def test_wrong_values_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert says in raised.value.message
    assert "example.env" in raised.value.hint
    assert raised.value.exit_code == 2


def test_all_wrong_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_PORT", "x")
    monkeypatch.setenv("LOG_LEVEL", "x")
    with pytest.raises(SettingsError, match=r"LOG_LEVEL.*CLICKHOUSE_PORT"):
        load_settings()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "hush-hush")
    monkeypatch.setenv("CLICKHOUSE_READER_PASSWORD", "hush-too")
    settings = load_settings()
    shown = repr(settings) + str(settings) + settings.model_dump_json()
    assert "hush" not in shown
    assert settings.clickhouse_password.get_secret_value() == "hush-hush"
    monkeypatch.setenv("CLICKHOUSE_PORT", "hush-hush")
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert "hush" not in str(raised.value)


def test_every_setting_that_names_a_secret_is_one() -> None:
    for name, field in Settings.model_fields.items():
        if any(part in name for part in ("password", "secret", "token", "private_key")):
            assert field.annotation in {SecretStr, SecretStr | None}, name


@pytest.mark.parametrize(("port", "secure"), [(8123, False), (8443, True), (443, True), (18123, False)])
def test_tls_follows_the_port_unless_it_is_said(monkeypatch: pytest.MonkeyPatch, port: int, secure: bool) -> None:
    assert load_settings(clickhouse_port=port).is_secure is secure
    monkeypatch.setenv("CLICKHOUSE_SECURE", "false" if secure else "true")
    assert load_settings(clickhouse_port=port).is_secure is not secure
    monkeypatch.setenv("CLICKHOUSE_SECURE", "")
    assert load_settings(clickhouse_port=port).is_secure is secure


def test_the_log_level_may_be_written_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert load_settings().log_level == "DEBUG"
