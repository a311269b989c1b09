"""Settings: one frozen value from defaults, a TOML file and `ROBOT_…` variables (the later wins)."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, IPvAnyNetwork, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from robot.client_address import LOOPBACK
from robot.signin.atproto.origins import bare_origin

ENV_PREFIX = "ROBOT_"
CONFIG_VARIABLE = "ROBOT_CONFIG"
DEFAULT_CONFIG = Path("/etc/robot/robot.toml")

_LONGEST_LIFE_S = 10 * 365 * 24 * 3600.0

_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")

_ISSUER = re.compile(r"https://[^\s?#\\]+")
_SUBJECT = re.compile(r"did:[a-z]+:\S+|https://[^\s?#\\]+#.+")

# One address that no header can be made of (RFC 5321 allows more than any provider hands out).
_MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")

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
    bluesky: bool = Field(False, description="Whether people sign in with Bluesky and its kin; needs scheme https.")
    plc_directory: str = Field("https://plc.directory", description="Who keeps the documents about did:plc accounts.")
    oidc_issuer: str = Field("", description="An OpenID Connect provider that people sign in with; empty: none.")
    oidc_client_id: str = Field("", description="What that provider knows this host by.")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="What proves to it that it is us.")
    oidc_client_secret_file: Path | None = Field(None, description="A file that holds that secret, in its place.")
    oidc_label: str = Field("single sign-on", max_length=40, description="What people know that provider by.")
    oidc_private: bool = Field(False, description="Whether its host may have an address in a private network.")
    sign_up: Literal["open", "invited", "closed"] = Field(
        "invited", description="Who may make an account: all who can sign in (open), the invited, nobody (closed)."
    )
    operators: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="DIDs, or issuer#subject of OpenID Connect: who signs in so is an operator of this host."
    )
    max_wikis_per_user: int = Field(5, ge=1, description="How many wikis a person may own; operators are not bound.")
    quota_pages: int = Field(5_000, ge=10, description="Pages that a wiki may have; see `robot wiki quota`.")
    quota_mebibytes: int = Field(200, ge=1, description="MiB that the files of a wiki may take, without history.")
    oauth_registrations_per_hour: int = Field(
        60, ge=0, description="OAuth clients that a network may register, all together 20 times as many; 0: no limit."
    )
    sign_ins_per_hour: int = Field(
        600, ge=0, description="Sign-ins that a network may begin, all together 10 times as many; 0: no limit."
    )
    writes_per_hour: int = Field(
        7_200, ge=0, description="Changes of a person or token, to a wiki 5 times as many; 0: no limit."
    )
    searches_per_hour: int = Field(
        14_400, ge=0, description="Searches of a person, token or network, half by meaning; 0: no limit."
    )
    git_requests_per_hour: int = Field(
        3_600, ge=0, description="Git requests of a token or network, to a wiki 5 times as many; 0: no limit."
    )
    anonymous_requests_per_hour: int = Field(
        72_000, ge=0, description="Requests to wikis that a network may make without signing in; 0: no limit."
    )
    crawler_requests_per_hour: int = Field(
        3_600, ge=0, description="What a crawler may fetch of a wiki, all of them twice as much; 0: no limit."
    )
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        LOOPBACK, description="Whose X-Forwarded-For counts: addresses and networks; loopback is where Caddy is."
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
    audit_days: int = Field(400, ge=1, description="How long is kept who did what to wikis: settings, tokens, people.")
    embedding_model: str = Field(
        "bundled", description="Model for search by meaning: bundled, none, or a name that fastembed lists."
    )
    embedding_model_dir: Path | None = Field(
        None, description="A directory with model.onnx and tokenizer.json, in place of that model."
    )
    page_cache_bytes: int = Field(64 * 1024 * 1024, ge=0, description="Memory for pages that were shown; 0: none.")
    log_format: Literal["text", "json"] = Field("text", description="How a line of the log looks.")
    slow_request: float = Field(
        1.0, ge=0, description="A request that took the host longer is in the log, with where the time went; 0: none."
    )
    access_log_days: int = Field(
        14, ge=0, le=400, description="How long is kept who visited a wiki, for its owners; 0: it is not kept."
    )
    operator_contact: str = Field("", max_length=200, description="How people reach you, where they are told to ask.")
    alert_webhook: SecretStr = Field(SecretStr(""), description="An https address that alerts are posted to as JSON.")
    alert_webhook_file: Path | None = Field(None, description="A file that holds that address, in its place.")
    alert_webhook_private: bool = Field(False, description="Whether its host may be in a private network.")
    alert_mail_to: Annotated[tuple[str, ...], NoDecode] = Field((), description="Whom alerts are mailed to.")
    alert_mail_from: str = Field("", description="Who they are from; empty: robot@ and the domain.")
    alert_smtp_host: str = Field("localhost", min_length=1, description="The mail server that takes them.")
    alert_smtp_port: Port | None = Field(None, description="Its port; unset: 587, 465 or 25, as the next says.")
    alert_smtp_security: Literal["starttls", "tls", "none"] = Field("starttls", description="How it is spoken to.")
    alert_smtp_user: str = Field("", description="Whom it knows us as; empty: nobody.")
    alert_smtp_password_file: Path | None = Field(None, description="A file that holds the password for that.")
    alert_disk_mebibytes: int = Field(1024, ge=0, description="Less free on the disk of the data is told; 0: never.")
    alert_backup_hours: int = Field(48, ge=0, description="A last good backup that is older is told; 0: never.")
    metrics_from: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        LOOPBACK, description="Whose programs may read /metrics, and why the host is not ready; never through a proxy."
    )

    backup_destination: str = Field("", description="Where `robot backup` writes: a directory, or s3://bucket/prefix.")
    backup_passphrase_file: Path | None = Field(
        None, description="A file with the passphrase that keys are sealed with in backups; unset: left out."
    )
    backup_keep_days: int = Field(30, ge=0, description="How long backups are kept; the last good one always is.")
    backup_keep_last: int = Field(7, ge=1, description="How many of the newest are kept, whatever their age.")

    isolation: Literal["required", "try", "off"] = Field(
        "try",
        description="Whether workers are kept to their wikis: surely or no start, as far as the kernel can, or not.",
    )
    worker_mebibytes: int = Field(1024, ge=256, description="MiB of memory that each process of a wiki may take.")

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

    @field_validator("trusted_proxies", "operators", "metrics_from", "alert_mail_to", mode="before")
    @classmethod
    def _lists_may_be_one_text(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("operators")
    @classmethod
    def _operators_are_subjects(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """A handle is refused: it can be somebody else's tomorrow, and until then it would quietly make nobody one."""
        for subject in value:
            if not _SUBJECT.fullmatch(subject):
                raise ValueError(
                    f"{subject} is neither a DID (did:plc:…) nor an issuer and subject (https://…#…); "
                    "the account page of whoever signed in shows theirs"
                )
        return value

    @field_validator("domain")
    @classmethod
    def _domain_is_a_host_name(cls, value: str) -> str:
        value = value.lower().rstrip(".")
        if not _DOMAIN.fullmatch(value):
            raise ValueError("must be a host name with a dot, such as wiki.example.org, without scheme or port")
        return value

    @field_validator("plc_directory")
    @classmethod
    def _directory_is_an_origin(cls, value: str) -> str:
        origin = bare_origin(value)
        if origin is None:
            raise ValueError("must be an https address of a host, without a path, such as https://plc.directory")
        return origin

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer_is_an_address(cls, value: str) -> str:
        if value and not _ISSUER.fullmatch(value):
            raise ValueError("must be an https address without ? and #, just as the provider writes it")
        return value

    @field_validator("alert_mail_to", "alert_mail_from")
    @classmethod
    def _mail_addresses_are_some(cls, value: tuple[str, ...] | str) -> tuple[str, ...] | str:
        for address in (value,) if isinstance(value, str) else value:
            if address and not _MAIL_ADDRESS.fullmatch(address):
                raise ValueError(f"{address} is not a mail address, such as operator@example.org")
        return value

    @field_validator("alert_webhook")
    @classmethod
    def _webhook_is_an_address(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith("https://") and value.get_secret_value():
            raise ValueError("must be an address that begins with https://")
        return value

    @model_validator(mode="after")
    def _alerts_are_whole(self) -> Settings:
        if self.alert_webhook.get_secret_value() and self.alert_webhook_file is not None:
            raise ValueError("set alert_webhook or alert_webhook_file, not both")
        if bool(self.alert_smtp_user) != (self.alert_smtp_password_file is not None):
            raise ValueError("alert_smtp_user and alert_smtp_password_file go together; set both, or neither")
        if self.alert_smtp_user and self.alert_smtp_security == "none":
            raise ValueError('a password is not sent unencrypted: set alert_smtp_security to "starttls" or "tls"')
        return self

    @model_validator(mode="after")
    def _providers_are_whole(self) -> Settings:
        if self.bluesky and self.scheme != "https":
            raise ValueError('bluesky needs scheme = "https", since its servers read who we are from our own address')
        if bool(self.oidc_issuer) != bool(self.oidc_client_id):
            raise ValueError("oidc_issuer and oidc_client_id go together; set both, or neither")
        if self.oidc_client_secret.get_secret_value() and self.oidc_client_secret_file is not None:
            raise ValueError("set oidc_client_secret or oidc_client_secret_file, not both")
        return self

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
        names = [ENV_PREFIX + name.upper() for name in Settings.model_fields]
        raise SettingsError(_no_setting(unknown[0], unknown[0], names, "unset"))
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


def _no_setting(shown: str, name: str, names: list[str], mend: str) -> str:
    close = get_close_matches(name, names, 1)
    meant = f" Is {close[0]} meant?" if close else " All there are stand in the example of the settings file."
    return f"{shown} is not a setting of robot; {mend} it.{meant}"


def _sentence(problem: Any, sources: Mapping[str, str]) -> str:
    name = ".".join(str(part) for part in problem["loc"]) or "settings"
    where = sources.get(name.partition(".")[0])
    origin = f" (from {where})" if where and where != "default" else ""
    if problem["type"] == "extra_forbidden":
        return _no_setting(f"{name}{origin}", name, list(Settings.model_fields), "remove")
    reason = problem["msg"].removeprefix("Value error, ")
    return f"{name}{origin}: {reason[0].lower()}{reason[1:]}."
