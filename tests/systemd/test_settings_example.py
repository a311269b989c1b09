"""`robot.toml.example` names every setting there is, with its default, and nothing else."""

import re
import tomllib
from pathlib import Path

from robot import settings

EXAMPLE = Path(__file__).parents[2] / "systemd" / "robot.toml.example"
MACHINE_OWN = {"domain", "scheme", "public_port", "data", "embedding_model_dir", "bluesky", "operators", "isolation"}
MACHINE_OWN |= {"oidc_issuer", "oidc_client_id", "oidc_client_secret_file"}
MACHINE_OWN |= {"operator_contact", "alert_webhook_file", "alert_mail_to", "alert_mail_from"}
MACHINE_OWN |= {"alert_smtp_port", "alert_smtp_user", "alert_smtp_password_file"}
MACHINE_OWN |= {"backup_destination", "backup_passphrase_file"}
"""Settings whose example value is a deployment's, not the default."""


def test_example_as_it_is_loads() -> None:
    loaded = settings.load(EXAMPLE)
    assert (loaded.settings.domain, loaded.settings.scheme) == ("wiki.example.org", "https")


def test_example_names_every_setting_with_its_default(tmp_path: Path) -> None:
    whole = re.sub(r"^#(?=[a-z_]+ = )", "", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE)
    values = tomllib.loads(whole)
    assert set(values) == set(settings.Settings.model_fields)
    config = tmp_path / "robot.toml"
    config.write_text(whole)
    named = settings.load(config).settings.model_dump()
    defaults = settings.Settings.model_validate({}).model_dump()
    assert {k: named[k] for k in set(named) - MACHINE_OWN} == {k: defaults[k] for k in set(named) - MACHINE_OWN}
