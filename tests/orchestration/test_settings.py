"""Settings and the master key: what is refused, and that the key is made once."""

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestration.resources.settings import Settings, SettingsError
from orchestration.resources.variables import TABLE


def test_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.load(None, {})
    assert settings.home == tmp_path / ".flexoraa"
    assert (settings.engine, settings.database_url, settings.whatsapp_url) == ("duckdb", None, "https://graph.facebook.com/v23.0")
    assert Settings.load(None, {"FLEXORAA_HOME": "/x"}).home == Path("/x")
    assert Settings.load(tmp_path, {"FLEXORAA_HOME": "/x"}).warehouse == tmp_path / "warehouse.duckdb"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("FLEXORAA_HOEM", "/x", "FLEXORAA_HOEM is no setting of this version; did you mean FLEXORAA_HOME"),
        ("FLEXORAA_ENGINE", "oracle", "one of duckdb, postgres, spark"),
        ("FLEXORAA_SPARK_MASTER", "yarn", "must look like local"),
        ("FLEXORAA_SPARK_MEMORY", "2 GB", "must look like 2g"),
        ("FLEXORAA_WHATSAPP_URL", "graph.facebook.com", "must begin with http"),
        ("FLEXORAA_HTTP_READ_SECONDS", "0", "number of seconds above 0"),
        ("FLEXORAA_HTTP_READ_SECONDS", "nan", "number of seconds above 0"),
        ("DATABASE_URL", "mysql://user:hunter2@host/db", "DATABASE_URL must begin with postgresql://"),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=expected) as refused:
        Settings.load(tmp_path, {name: value})
    assert "hunter2" not in str(refused.value)


def test_what_is_taken(tmp_path: Path) -> None:
    env = {
        "DATABASE_URL": "postgres://u:hunter2@h/d",
        "FLEXORAA_WHATSAPP_URL": "http://127.0.0.1:9/v1/",
        "FLEXORAA_DBT_THREADS": "4",
    }
    settings = Settings.load(tmp_path, env)
    assert settings.database_url == "postgresql://u:hunter2@h/d"
    assert settings.whatsapp_url == "http://127.0.0.1:9/v1"
    assert "hunter2" not in repr(settings)


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / "home", {})
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: settings.master_key(), range(8)))
    assert len(keys) == 1
    assert len(keys.pop()) == 32
    assert [path.name for path in settings.secrets.iterdir()] == ["master.key"]
    assert stat.S_IMODE((settings.secrets / "master.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    settings = Settings.load(tmp_path, {})
    settings.master_key()
    (settings.secrets / "master.key").chmod(mode)
    with pytest.raises(SettingsError, match="may be read by others"):
        settings.master_key()


def test_the_key_of_the_environment(tmp_path: Path) -> None:
    key = bytes(range(224, 256))
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert Settings.load(tmp_path, {"FLEXORAA_MASTER_KEY": encode(key).decode()}).master_key() == key
    for wrong in ("hunter2", base64.b64encode(key[1:]).decode(), "é"):
        settings = Settings.load(tmp_path, {"FLEXORAA_MASTER_KEY": wrong})
        with pytest.raises(SettingsError, match="openssl rand") as refused:
            settings.master_key()
        assert wrong not in str(refused.value)
    assert not (tmp_path / "secrets").exists()


@pytest.mark.parametrize("name", TABLE)
def test_every_variable_is_a_sentence_with_an_example_that_is_taken(tmp_path: Path, name: str) -> None:
    variable = TABLE[name]
    assert len(variable.meaning.split()) >= 4 and variable.meaning.endswith("."), variable.meaning
    if "SECONDS" in name or "_DAYS" in name:
        assert name.rpartition("_")[2].lower() in variable.meaning  # the unit
    plain = Settings.load(tmp_path, {})
    if variable.example.startswith("$("):  # of a key an example would be used
        return
    told = Settings.load(None if name == "FLEXORAA_HOME" else tmp_path, {name: variable.example})
    assert told != plain, "it is the default, or has no effect"
