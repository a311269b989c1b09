"""Questions with known answers, made from what is installed, and how well the product's search finds the answers.

values              pages, questions, and the halves that they are split into
documents           manual pages and HTML as sections of text
manuals  packages  library  answers
                    the collections: wikis, and sets of questions about them
sources             which there are, and what each needs
measures            nDCG, recall, bootstrap intervals
product             wikis on disk, indexed and asked by the real search service
judging             every question in every mode, and what the answers are worth
losers  tuning  tables
                    what is looked at

Each line imports only from those above it. The command is `bench.search_quality`.
"""
