"""The command line: `robot VERB`. Every failure is a sentence on stderr and an exit code other than 0."""

from __future__ import annotations

import importlib
import sys
from keyword import iskeyword
from pathlib import Path
from typing import Any

import click

EXIT_FAILURE = 1
EXIT_USAGE = 2

VERBS = {
    "serve": "Run the host until it is told to stop.",
    "demo": "Run the host with a demo wiki, for trying it out.",
    "check": "Print the effective settings, where they come from, and what is wrong.",
    "stats": "Show how this host is and what it did.",
    "upgrade": "Bring the data to this release, or say what that would change.",
    "login-link": "Make a one-time link that signs somebody in.",
    "user": "Create, list and delete accounts, keep people out, and say who is an operator.",
    "wiki": "Create, list and delete wikis, and say how much each may hold.",
    "token": "Create, list and revoke the tokens of agents.",
    "keys": "List and rotate the keys by which Bluesky's servers know this host.",
    "alert": "Try how alerts reach you, and list what is wrong.",
    "reindex": "Build a wiki's search index anew.",
    "import": "Take pages and attachments into a wiki.",
    "export": "Write a wiki to a file or a folder.",
    "backup": "Copy the whole host to a directory or an S3-compatible service.",
    "restore": "Make a host, or one wiki, of a backup; or prove that this can be done.",
}


class Verbs(click.Group):
    """Imports a verb's module only when the verb is used: `serve` must start fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        name = cmd_name.replace("-", "_")
        module = importlib.import_module(f"robot.commands.{name}{'_' if iskeyword(name) else ''}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="robot")
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="Settings in TOML.")
@click.pass_context
def cli(context: click.Context, config: Path | None) -> None:
    """Host wikis that people and their AI agents share."""
    context.obj = config


def main() -> None:
    """Run a verb; the one place where errors become sentences and exit codes."""
    try:
        cli.main(prog_name="robot", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(EXIT_USAGE)
    except (click.Abort, KeyboardInterrupt):
        click.echo("robot: Stopped before it was done.", err=True)
        sys.exit(EXIT_FAILURE)
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        click.echo(f"robot: {_shown(sentence)}", err=True)
        sys.exit(EXIT_FAILURE)


def _sentence(error: Exception) -> str | None:
    """What a person can do about a failure that was foreseen; None for a fault of ours, which shows its traceback."""
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return str(error) if isinstance(error, _foreseen()) else None


def _shown(sentence: str) -> str:
    """Its lines, with nothing in them that a terminal obeys: some quote git, a backup, or another program."""
    from robot.logs import escaped  # noqa: PLC0415  (only when something went wrong)

    return "\n".join(map(escaped, sentence.splitlines()))


def _foreseen() -> tuple[type[Exception], ...]:
    """The closed sets of errors of the parts; imported only when something went wrong, so that Ctrl-C is always met."""
    modules: Any = importlib.import_module
    return (
        OSError,
        modules("robot.accounts").InvalidAccount,
        modules("robot.backup.journal").BackupRunning,
        modules("robot.backup.manifest").NoManifest,
        modules("robot.backup.pieces").BackupDamaged,
        modules("robot.backup.restoring").NoRoom,
        modules("robot.backup.sealing").CannotSeal,
        modules("robot.backup.store").StoreError,
        modules("robot.backup.taking_in").NotInBackup,
        modules("robot.datadir").DataDirError,
        modules("robot.db").DatabaseError,
        modules("robot.fetch").FetchRefused,
        modules("robot.isolating").IsolationMissing,
        modules("robot.leaving").OwnsAlone,
        modules("robot.migrate").NoRoomToUpgrade,
        modules("robot.migrate").NotOurDatabase,
        modules("robot.migrate").SchemaTooNew,
        modules("robot.ownership").TooManyWikis,
        modules("robot.sealed_copies").NotSealed,
        modules("robot.settings").SettingsError,
        modules("robot.signin.atproto.client_keys").RotationUnderWay,
        modules("robot.signin.keys").KeyUnreadable,
        modules("robot.standing").LastOperator,
        modules("robot.takedown").TakedownRefused,
        modules("robot.tokens").InvalidToken,
        modules("robot.wikis").InvalidWiki,
        modules("wikihost.errors").ContentError,
    )
