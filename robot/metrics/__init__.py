"""What this host does, in figures for Prometheus and for whoever asks at the terminal.

Layers, each importing only those above it:

    meters      what happens, counted as it happens
    state       what is, told from the machine's facts when somebody asks (pure)
    exposition  both, as the text that Prometheus reads
    summary     that text, as what people want to know of it (pure)

There is no registry but the one that `Meters` makes. No label names a wiki, a person or a page: what strangers do makes
no new series, and whoever may read the figures learns of no private wiki.
"""
