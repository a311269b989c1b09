"""From a question to the sections that answer it, best first.

Layers, each importing only those above it:

    index       FAISS over one wiki's stored vectors; immutable once built
    shelf       which wikis have a searchable snapshot in memory, and how old it is
    questions   questions as vectors, the latest remembered
    fusion      pages by words and pages by meaning as one list (pure)
    sections    which passage of a page answers best, and what of it to show (pure)
    showing     from ranked pages to the sections that are shown; called in threads
    ranking     a question to a bounded choice of sections; called in threads
    similar     pages like a page; called in threads
    joining     what several wikis bring as one list
    everywhere  one question to many wikis, bounded in time and threads

Only `shelf`, `questions` and `everywhere` know Trio.
"""
