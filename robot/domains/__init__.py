"""Wikis' own domains: wanting one, showing in DNS that one may have it, and losing it again.

Layers, each importing only those above it:

    names         a domain as somebody types it (pure)
    claims        which wiki wants which domain, and which is in force
    evidence      what DNS says about a domain that a wiki wants
    judgement     what follows from the evidence (pure)
    checking      looks at DNS, and puts what follows in force
    rechecks      the task that looks again at the domains in force
"""
