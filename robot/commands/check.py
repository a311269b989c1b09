"""`robot check`"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import click

from robot.address import public_address
from robot.alerts.book import read_undelivered
from robot.alerts.secrets import read_alert_secrets
from robot.backup.sealing import CannotSeal, read_passphrase
from robot.datadir import DataDirError, prepare
from robot.isolating import missing_pieces
from robot.migrate import NotOurDatabase, SchemaTooNew, check_version
from robot.search.model.choice import SwitchedOff, choose_model
from robot.search.model.hub import NotDownloaded
from robot.search.values import ModelUnavailable
from robot.secret_files import exposed_secrets
from robot.settings import Loaded, Settings, SettingsError, load
from robot.signin.atproto.client_document import client_id, is_public_name
from robot.signin.atproto.client_keys import ClientKeys
from robot.signin.client_secret import read_client_secret
from robot.signin.keys import KeyUnreadable
from robot.signin.oidc.client import CALLBACK_PATH
from wikihost.isolation.trial import try_isolation
from wikihost.layout import DataDir

OLDEST_GIT = (2, 30)
LOW_DISK_BYTES = 1024**3
ANSWER_S = 3.0


@click.command("check")
@click.pass_obj
def command(config: Path | None) -> None:
    """Print the effective settings and their sources, then each problem with its mend; exit code 1 if there is one."""
    loaded = load(config)
    _print_settings(loaded)
    problems = [*exposed_secrets(loaded), *_problems(loaded.settings)]
    for problem in problems:
        click.echo(f"problem: {problem}")
    if problems:
        sys.exit(1)
    click.echo("No problems found.")


def _print_settings(loaded: Loaded) -> None:
    values = {name: _spelled(getattr(loaded.settings, name)) for name in Settings.model_fields}
    widest = max(len(name) for name in values)
    longest = max(len(value) for value in values.values())
    click.echo(f"settings file: {loaded.config_file or 'none'}")
    for name, value in values.items():
        click.echo(f"  {name:{widest}}  {value:{longest}}  ({loaded.sources[name]})")


def _spelled(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _problems(settings: Settings) -> Iterator[str]:
    """Sentences that say what is wrong and how to mend it."""
    data = DataDir(settings.data.absolute())
    yield from _data_problems(data)
    yield from _port_problems(settings)
    yield from _git_problems()
    yield from _isolation_problems(settings, data)
    yield from _model_problems(settings, data)
    if settings.bluesky:
        yield from _bluesky_problems(settings, data)
    if settings.oidc_issuer:
        yield from _oidc_problems(settings)
    yield from _alert_problems(settings, data)
    yield from _backup_problems(settings)
    if _free_bytes(data.root) < LOW_DISK_BYTES:
        yield f"Less than 1 GiB is free on the disk of {data.root}; make room before saves fail."


def _data_problems(data: DataDir) -> Iterator[str]:
    try:
        prepare(data)
        check_version(data.robot_db)
    except (DataDirError, SchemaTooNew, NotOurDatabase) as error:
        yield str(error)
    except sqlite3.Error as error:
        yield f"The database {data.robot_db} is damaged ({error}); restore it from a backup."


def _free_bytes(directory: Path) -> int:
    """Bytes free on the disk of a directory, or of the closest one above it that is there and may be looked at."""
    for place in (directory, *directory.parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(place).free
    return 0


def _isolation_problems(settings: Settings, data: DataDir) -> Iterator[str]:
    """What this kernel cannot keep workers from; a problem only where it is required."""
    pieces = try_isolation(data)
    for piece in pieces:
        click.echo(f"isolation of workers: {piece.name}: {f'no, {piece.lacks}' if piece.lacks else 'yes'}")
    if settings.isolation == "required":
        yield from missing_pieces(pieces)
    if settings.isolation == "off":
        click.echo('isolation of workers is switched off (isolation = "off")')


def _model_problems(settings: Settings, data: DataDir) -> Iterator[str]:
    """What keeps search by meaning from working; a model that is yet to be downloaded, or not wanted, is no problem."""
    model = choose_model(settings.embedding_model_dir, settings.embedding_model, data.models)
    try:
        model.open()
    except (NotDownloaded, SwitchedOff) as reason:
        click.echo(str(reason))
    except ModelUnavailable as error:
        yield f"{error} Search works by words alone until then."
    else:
        click.echo(f"embedding model: {model.model_id}")


def _bluesky_problems(settings: Settings, data: DataDir) -> Iterator[str]:
    address = public_address(settings)
    if not is_public_name(address.domain) or address.port != 443:
        yield (
            f"Nobody can sign in with Bluesky: its servers read who we are at {client_id(address)}, and take only a"
            " public name at port 443. Set domain and public_port, or bluesky = false."
        )
    try:
        ClientKeys(data.keys).load()
    except (KeyUnreadable, OSError) as error:
        yield f"Nobody can sign in with Bluesky: {error}."


def _oidc_problems(settings: Settings) -> Iterator[str]:
    try:
        secret = read_client_secret(settings)
    except SettingsError as error:
        yield f"Nobody can sign in with {settings.oidc_label}: {error}"
        return
    kind = "its secret is set" if secret else "a public client, without a secret"
    click.echo(f"OpenID Connect: client {settings.oidc_client_id}, {kind}")
    click.echo(f"OpenID Connect: redirect URI {public_address(settings).platform_origin}{CALLBACK_PATH}")


def _alert_problems(settings: Settings, data: DataDir) -> Iterator[str]:
    """What keeps alerts from being told; that nobody wants to be told is no problem."""
    try:
        secrets = read_alert_secrets(settings)
    except SettingsError as error:
        yield f"Alerts are not told, and robot does not start: {error}"
        return
    if not secrets.webhook and not settings.alert_mail_to:
        click.echo("alerts: nobody is told (alert_webhook_file, alert_mail_to)")
    for each in read_undelivered(data.robot_db):
        yield each.sentence


def _backup_problems(settings: Settings) -> Iterator[str]:
    """What keeps `robot backup` from working that can be seen from here; an S3-compatible service is not asked."""
    destination, passphrase = settings.backup_destination, settings.backup_passphrase_file
    if not destination:
        click.echo("backup: nowhere; set backup_destination")
    elif "://" not in destination and not os.access(destination, os.W_OK | os.X_OK):
        yield f"backup_destination {destination} is no directory that this user may write to; make or mount it."
    if passphrase is not None:
        try:
            read_passphrase(passphrase)
        except CannotSeal as error:
            yield str(error)


def _port_problems(settings: Settings) -> Iterator[str]:
    """A port in use is right when the one who uses it is robot."""
    try:
        with socket.create_server((settings.host, settings.port)):
            return
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            yield f"robot cannot listen on {settings.host} port {settings.port}: {error.strerror}; set host and port."
            return
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.port}/healthz", timeout=ANSWER_S) as answer:
            if json.load(answer) == {"status": "ok"}:
                return
    except (OSError, ValueError):
        pass
    yield f"Port {settings.port} is used by another program; stop it, or set another port."


def _git_problems() -> Iterator[str]:
    try:
        said = subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        yield "git is not installed; on Debian: apt-get install git."
        return
    version = tuple(int(part) for part in said.split()[2].split(".")[:2])
    if version < OLDEST_GIT:
        yield f"git {'.'.join(map(str, version))} is too old; 2.30 or newer is needed."
