"""Search by words and by meaning: from a saved page to the sections that answer a question.

Layers, each importing only those above it:

    values     what the service answers
    telling    how far an index is, in words (pure)
    chunk      a page to passages (pure)
    model      texts to vectors: which model it is, and how it is run
    soundness  whether a stored vector is one
    indexing   from pages to stored passages and vectors
    finding    from a question to sections, best first
    service    queries, status, and what other parts of robot call
    confined   search in one folder, for credentials that reach no further
    people     what the search pages of wikis ask

The heavy libraries (numpy, FAISS, fastembed) are imported in worker threads when first needed: a start costs nothing,
and a host where nobody searches stays small.
"""

import os

# Read once, when numpy, FAISS, tokenizers and fastembed are first imported: their own threads would fight over the
# cores, and a look at the model hub would wait half a minute for a network that may not be there.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
