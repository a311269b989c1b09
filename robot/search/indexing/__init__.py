"""From pages to stored passages and vectors, for all wikis in turns.

Layers, each importing only those above it:

    agenda      which wiki is worked on next: coalescing, turns, backoff (pure)
    workload    which page of a wiki is next: edits before the rest (pure)
    run_record  what a restart must know of a wiki's index
    steps       one page at a time: survey, cut, store; called in threads
    page_work   a page on its way, some passages at a time
    job         what is known of one wiki meanwhile
    nursery     the owner of all indexing: wakes, turns, failures
"""
