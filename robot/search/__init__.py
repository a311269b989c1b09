"""Search by meaning: from a saved page to the passages that answer a question.

    confined    search in one folder, for credentials that reach no further
    service     queries, status, and what other parts of robot call
    nursery     the owner of all indexing: wakes, turns, failures
    shelf       which wikis have a searchable snapshot in memory, and how old it is
    model_host  the loaded model, its threads and their limits
    agenda      which wiki is worked on next: coalescing, turns, backoff; pure
    indexing    one page at a time: survey, cut, store; called in threads
    fusion      pages by words and pages by meaning as one list; pure
    ranking     a question's vector to a bounded choice of passages; called in threads
    index       FAISS over one wiki's stored vectors; immutable once built
    embed       texts to vectors, behind a small interface
    chunk       a page to passages; pure
    values      what the service answers

Each module imports only from those below it, and only the first five know Trio. The heavy libraries (numpy, FAISS,
fastembed) are imported in worker threads when first needed: a start costs nothing, and a host where nobody searches
stays small.
"""

import os

# Read once, when numpy, FAISS, tokenizers and fastembed are first imported: their own threads would fight over the
# cores, and a look at the model hub would wait half a minute for a network that may not be there.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
