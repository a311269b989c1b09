"""What follows from what DNS says (pure).

A domain comes in force when its TXT record shows the wiki's value and it leads here. In force it stays until one of
these was missing for a week, or until another wiki shows its value where the first one's is gone: so whoever buys a
domain that somebody let go has it at once, and nobody loses one by a slip in DNS. Where DNS gives no answer, nothing
changes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from robot.domains.claims import Claim
from robot.domains.evidence import Evidence, Pointing, Unknown

PATIENCE = timedelta(days=7)
"""How long a domain in force may be without what it needs: it answers, but nobody is sent or signed in there."""

_MAX_SHOWN_CHARS = 80


def judge(claim: Claim, evidence: Evidence, holder: Claim | None, now: datetime) -> Claim:
    """The claim as it is from now on. `holder` is the claim of another wiki by which that one has the domain."""
    looked_at = replace(
        claim,
        checked=now,
        record_problem=_record_problem(claim, evidence),
        address_problem=_address_problem(claim, evidence),
    )
    if _is_missing(claim, evidence):
        return _without(looked_at, now)
    if looked_at.record_problem or looked_at.address_problem:
        return looked_at
    if holder is not None and shows(evidence, holder):
        held = (
            f"Another wiki of this host has {claim.domain.shown}, and its TXT record is still there."
            " Remove that record, then check again."
        )
        return replace(looked_at, problem=held)
    return replace(looked_at, verified=claim.verified or now, failing_since=None, problem=None)


def ousted(claim: Claim) -> Claim:
    """A claim that was in force until another wiki had the domain."""
    problem = "Another wiki of this host has shown that the domain is its own, and the record of this wiki was gone."
    return replace(claim, verified=None, failing_since=None, problem=problem)


def shows(evidence: Evidence, claim: Claim) -> bool:
    """Whether the value of that claim is among the texts."""
    if isinstance(evidence.texts, Unknown):
        return False
    return any(text.strip().strip('"').lower() == claim.challenge for text in evidence.texts)


def _is_missing(claim: Claim, evidence: Evidence) -> bool:
    """Whether something is gone for sure, as opposed to unknown."""
    has_no_record = not isinstance(evidence.texts, Unknown) and not shows(evidence, claim)
    return has_no_record or (isinstance(evidence.pointing, Pointing) and not evidence.pointing.is_here)


def _without(claim: Claim, now: datetime) -> Claim:
    """A claim without what it needs: one in force has a week."""
    if not claim.is_in_force:
        return claim
    failing_since = claim.failing_since or now
    if now - failing_since < PATIENCE:
        return replace(claim, failing_since=failing_since)
    problem = f"The domain was switched off: what it needs had been missing in DNS since {failing_since:%d %B %Y}."
    return replace(claim, verified=None, failing_since=None, problem=problem)


def _record_problem(claim: Claim, evidence: Evidence) -> str | None:
    match evidence.texts:
        case Unknown(sentence):
            return sentence
        case _ if shows(evidence, claim):
            return None
        case []:
            return f"There is no TXT record at {claim.domain.challenge_name} yet."
        case [text, *_]:
            shown = text if len(text) <= _MAX_SHOWN_CHARS else f"{text[:_MAX_SHOWN_CHARS]}…"
            return f"There is another text at {claim.domain.challenge_name}: {shown}"
        case _:
            return None


def _address_problem(claim: Claim, evidence: Evidence) -> str | None:
    match evidence.pointing:
        case Unknown(sentence):
            return sentence
        case Pointing(is_here=True):
            return None
        case Pointing(shown=""):
            return f"{claim.domain.name} leads nowhere yet."
        case Pointing(shown=shown):
            return f"{claim.domain.name} leads to {shown}, which is not this host."
