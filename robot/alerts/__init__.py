"""Telling the operator when something is wrong, once when it begins and once when it is over.

Layers, each importing only those above it:

    message       what is told, and the words around it (pure)
    conditions    what is wrong, of what is known of the host (pure)
    decisions     what follows for the alerts that stand, and what is to be told (pure)
    book          the alerts that stand and the messages that wait, in the database
    runs          when the host ran, and which of the runs did not end in order
    facts         asks the parts of the host what `conditions` wants to know
    secrets       what the ways need that nobody else is to know
    ways          how messages leave: what one is, and why it may fail
    webhook       by a POST to an address
    mail          by SMTP
    chosen        the ways that the settings name
    delivery      sends what waits, by each way in order
    watch         the task that looks, decides and sends
"""
