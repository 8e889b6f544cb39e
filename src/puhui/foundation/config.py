"""Configuration: from `PUHUI_*` in the environment, then from the TOML file that `PUHUI_CONFIG` names, then the defaults.

Every error says which setting, what was given and what is wanted; an unknown setting is refused with the nearest known one.
"""

import difflib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from puhui.foundation.clock import ClockMode
from puhui.foundation.refusals import Refusal

SERVICES = ("rail", "bureau", "local-bureau", "checks", "sign", "message", "entry", "shop", "funder")
FIRST_DAY = datetime.fromisoformat("2026-09-01T06:00:00+08:00")
T = TypeVar("T")

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class BadSetting(Refusal):
    """The setting {name} is {given!r}, but it should be {wanted}. It was read from {source}."""

    code = "config.bad-setting"


class UnknownSetting(Refusal):
    """There is no setting {name} (read from {source}). {hint}"""

    code = "config.unknown-setting"


class ConfigUnreadable(Refusal):
    """The configuration file {path} cannot be read: {why}."""

    code = "config.unreadable"


@dataclass(frozen=True, slots=True)
class Config:
    """What the lender configures. URLs without a trailing slash; `clock_at` is where a fresh fast or stepped clock begins."""

    home: Path = Path(".puhui")
    database_url: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = ""
    clock: ClockMode = ClockMode.LIVE
    clock_at: datetime = FIRST_DAY
    clock_speed: int = 4320
    tick_s: int = 60
    driver_key_file: str = ""
    law_folder: str = ""
    lender_key_file: str = ""
    workers: int = 1
    pool_size: int = 12
    log_level: str = "info"
    service_urls: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_loopback(self) -> bool:
        return self.host in LOOPBACK

    @property
    def base_url(self) -> str:
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def field_keys_path(self) -> Path:
        return self.home / "keys" / "field-keys.json"

    @property
    def lender_key_path(self) -> Path:
        return Path(self.lender_key_file) if self.lender_key_file else self.home / "keys" / "lender-1.pem"

    def url_of(self, service: str) -> str:
        """Give the base address of an outside service. Raises BadSetting if the lender has not configured it."""
        url = self.service_urls.get(service, "")
        if not url:
            raise BadSetting(name=_url_setting(service), given="", wanted="the base address of that service", source="the defaults")
        return url


def read(environ: Mapping[str, str]) -> Config:
    """Read the configuration. Raises BadSetting, UnknownSetting, ConfigUnreadable."""
    given: dict[str, tuple[str, str]] = {}
    if path := environ.get("PUHUI_CONFIG"):
        given |= {name.upper(): (str(value), path) for name, value in _read_file(Path(path)).items()}
    given |= {
        name.removeprefix("PUHUI_"): (value, "the environment")
        for name, value in environ.items()
        if name.startswith("PUHUI_") and name not in {"PUHUI_CONFIG", "PUHUI_PUBLIC_DATA"} and value
    }
    settings: dict[str, object] = {}
    urls: dict[str, str] = {}
    for name, (value, source) in sorted(given.items()):
        if name in _URLS:
            urls[_URLS[name]] = _parse(name, value, source, _url, "an http:// or https:// address")
        elif name in _PARSERS:
            parse, wanted = _PARSERS[name]
            settings[name.lower()] = _parse(name, value, source, parse, wanted)
        else:
            raise UnknownSetting(name=f"PUHUI_{name}", source=source, hint=_hint(name))
    return Config(**settings, service_urls=urls)  # type: ignore[arg-type]


def _read_file(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigUnreadable(path=path, why=error.strerror) from None
    except (ValueError, RecursionError) as error:
        raise ConfigUnreadable(path=path, why=f"it is no TOML: {error}") from None


def _parse(name: str, value: str, source: str, parse: Callable[[str], T], wanted: str) -> T:
    try:
        if "\0" not in value:
            return parse(value)
    except ValueError:
        pass
    raise BadSetting(name=f"PUHUI_{name}", given=value, wanted=wanted, source=source)


def _hint(name: str) -> str:
    near = difflib.get_close_matches(name, [*_PARSERS, *_URLS], n=1)
    return f"Did you mean PUHUI_{near[0]}?" if near else "`puhui config` lists them all."


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(value)
    return value.rstrip("/")


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        number = int(value)
        if not low <= number <= high:
            raise ValueError(value)
        return number

    return parse


def _aware(value: str) -> datetime:
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError(value)
    return at


def _database(value: str) -> str:
    if not value.startswith(("postgresql://", "postgres://")):
        raise ValueError(value)
    return value


def _url_setting(service: str) -> str:
    return f"PUHUI_{service.upper().replace('-', '_')}_URL"


def _level(value: str) -> str:
    if value not in {"debug", "info", "warning", "error"}:
        raise ValueError(value)
    return value


_PARSERS: dict[str, tuple[Callable[[str], object], str]] = {
    "HOME": (Path, "a folder"),
    "DATABASE_URL": (_database, "a postgresql:// address"),
    "HOST": (str, "an address to listen on"),
    "PORT": (_whole(0, 65535), "a port, 0..65535"),
    "PUBLIC_URL": (_url, "an http:// or https:// address"),
    "CLOCK": (ClockMode, "live, fast or stepped"),
    "CLOCK_AT": (_aware, "an instant with its zone, like 2026-09-01T06:00:00+08:00"),
    "CLOCK_SPEED": (_whole(1, 1_000_000), "a whole number from 1 to 1,000,000"),
    "TICK_S": (_whole(1, 3600), "seconds, 1..3600"),
    "DRIVER_KEY_FILE": (str, "a file with the driver's public key"),
    "LAW_FOLDER": (str, "a folder with the lender's own rule packs"),
    "LENDER_KEY_FILE": (str, "a file with the lender's private key (PEM)"),
    "WORKERS": (_whole(1, 64), "a whole number from 1 to 64"),
    "POOL_SIZE": (_whole(2, 200), "database connections, 2..200"),
    "LOG_LEVEL": (_level, "debug, info, warning or error"),
}
_URLS = {_url_setting(service).removeprefix("PUHUI_"): service for service in SERVICES}

assert {name.lower() for name in _PARSERS} == {f.name for f in fields(Config)} - {"service_urls"}
