"""Settings: one frozen value from defaults, a TOML file and `ROBOT_…` variables (the later wins)."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

ENV_PREFIX = "ROBOT_"
CONFIG_VARIABLE = "ROBOT_CONFIG"
DEFAULT_CONFIG = Path("/etc/robot/robot.toml")

_LONGEST_LIFE_S = 10 * 365 * 24 * 3600.0

_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")

Port = Annotated[int, Field(ge=1, le=65535)]


class SettingsError(Exception):
    """The settings cannot be used; the message names each problem and its mend, a line each."""


class Settings(BaseSettings):
    """Everything an operator can set. Durations are in seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_ignore_empty=True)

    domain: str = Field("robot.localhost", description="Host name of the platform; wikis: {slug}.{domain}.")
    scheme: Literal["http", "https"] = Field("http", description="Scheme of public addresses; https behind Caddy.")
    public_port: Port | None = Field(None, description="Port in public addresses; unset: the scheme's or `port`.")
    host: str = Field("127.0.0.1", description="Address to listen on; leave it on loopback behind Caddy.")
    port: Port = Field(8080, description="Port to listen on, unless systemd passes a socket.")
    data: Path = Field(Path("data"), description="The data directory; everything that must be kept is in it.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged to stderr.")
    max_wikis_per_user: int = Field(5, ge=1, description="How many wikis a person may own; operators are not bound.")
    quota_pages: int = Field(5_000, ge=10, description="Pages that a wiki may have; see `robot wiki quota`.")
    quota_mebibytes: int = Field(200, ge=1, description="MiB that the files of a wiki may take, without history.")
    oauth_registrations_per_hour: int = Field(
        60, ge=1, description="OAuth clients that one network may register; all networks together 20 times as many."
    )
    max_awake_wikis: int = Field(50, ge=1, description="Workers kept at once; the longest idle sleep first.")
    worker_idle: float = Field(600.0, gt=0, description="A wiki that nobody visits for so long goes to sleep.")
    wake_timeout: float = Field(10.0, gt=0, description="How long a request waits for a wiki to wake up.")
    stop_timeout: float = Field(4.0, gt=0, le=60, description="How long requests in flight may take at shutdown.")
    max_body_bytes: int = Field(64 * 1024 * 1024, ge=1024, description="Largest request body to a wiki.")
    max_push_bytes: int = Field(100 * 1024 * 1024, ge=1024, description="Largest git push to a wiki.")
    access_token_life: float = Field(
        12 * 3600.0, ge=1, le=_LONGEST_LIFE_S, description="How long agents' access tokens live; they renew."
    )
    refresh_token_life: float = Field(
        30 * 24 * 3600.0,
        ge=1,
        le=_LONGEST_LIFE_S,
        description="After so long without use, an agent must ask its person again.",
    )
    activity_days: int = Field(90, ge=1, description="How long is kept what agents did; changes are in git for ever.")
    activity_calls: int = Field(5_000, ge=0, description="Calls of agents that are kept in detail, for each wiki.")
    embedding_model: str = Field(
        "bundled", description="Model for search by meaning: bundled, none, or a name that fastembed lists."
    )
    embedding_model_dir: Path | None = Field(
        None, description="A directory with model.onnx and tokenizer.json, in place of that model."
    )
    page_cache_bytes: int = Field(64 * 1024 * 1024, ge=0, description="Memory for pages that were shown; 0: none.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the given values alone: `load` joins the layers itself, to know where each value came from."""
        return (init_settings,)

    @field_validator("domain")
    @classmethod
    def _domain_is_a_host_name(cls, value: str) -> str:
        value = value.lower().rstrip(".")
        if not _DOMAIN.fullmatch(value):
            raise ValueError("must be a host name with a dot, such as wiki.example.org, without scheme or port")
        return value

    @model_validator(mode="after")
    def _cookies_need_tls(self) -> Settings:
        local = self.domain == "localhost" or self.domain.endswith(".localhost")
        if self.scheme == "http" and not local:
            raise ValueError(
                "scheme http works only under .localhost, since browsers keep sign-in cookies for https alone; "
                'set scheme = "https" and put Caddy in front'
            )
        return self


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and for each the place where its value came from."""

    settings: Settings
    sources: Mapping[str, str]
    config_file: Path | None


def load(
    config: Path | None = None, overrides: Mapping[str, Any] | None = None, default: Path | None = DEFAULT_CONFIG
) -> Loaded:
    """Read settings from defaults, the TOML file, the environment and the command line, the later winning.

    `config` None means `$ROBOT_CONFIG`, or `default` if there is such a file. Raises SettingsError.
    """
    path = _config_path(config, default)
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if path is not None:
        layers.append((str(path), _read_toml(path)))
    layers.append(("environment", EnvSettingsSource(Settings)()))
    layers.append(("command line", {k: v for k, v in (overrides or {}).items() if v is not None}))
    values: dict[str, Any] = {}
    sources = dict.fromkeys(Settings.model_fields, "default")
    for name, layer in layers:
        values.update(layer)
        sources.update(dict.fromkeys(layer, name))
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(problem, sources) for problem in error.errors())) from error
    unknown = sorted(name for name in os.environ if _is_unknown_variable(name))
    if unknown:
        raise SettingsError(
            f"{unknown[0]} is not a setting of robot; unset it, or run `robot check` for the names there are."
        )
    return Loaded(settings, sources, path)


def _config_path(config: Path | None, default: Path | None) -> Path | None:
    if config is not None:
        return config
    if CONFIG_VARIABLE in os.environ:
        return Path(os.environ[CONFIG_VARIABLE])
    return default if default is not None and _is_there(default) else None


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return True  # for others; reading it says so in a sentence


def _read_toml(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except PermissionError as error:
        raise SettingsError(
            f"The settings file {path} may not be read by this user; run robot as the one it is for "
            "(runuser -u robot -- …), or name another file with --config."
        ) from error
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {path} is not valid TOML: {error}.") from error


def _is_unknown_variable(name: str) -> bool:
    if not name.startswith(ENV_PREFIX) or name == CONFIG_VARIABLE:
        return False
    return name.removeprefix(ENV_PREFIX).lower() not in Settings.model_fields


def _sentence(problem: Any, sources: Mapping[str, str]) -> str:
    name = ".".join(str(part) for part in problem["loc"]) or "settings"
    where = sources.get(name)
    origin = f" (from {where})" if where and where != "default" else ""
    if problem["type"] == "extra_forbidden":
        return f"{name}{origin} is not a setting of robot; remove it, or run `robot check` for the names there are."
    reason = problem["msg"].removeprefix("Value error, ")
    return f"{name}{origin}: {reason[0].lower()}{reason[1:]}."
