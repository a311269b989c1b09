"""Backups: where a copy of the whole host lies, what it has, how it is made, and how it is taken back.

| module | what it does |
|---|---|
| `store` | the four things that a destination can do, and how it fails |
| `directory`, `s3` | a destination that is a directory, or a bucket |
| `destinations` | from what an operator writes to one of them |
| `manifest` | what a backup says of itself, written last: what has no manifest is no backup |
| `sealing` | sealing with a passphrase, in the age format |
| `live_database` | copies of SQLite databases that are in use |
| `shipment` | what one run brings, and what it goes on using of earlier ones |
| `wiki_copy` | the copy of one wiki |
| `platform_copy` | the copy of the platform's database and the keys |
| `journal` | what this host knows of its own backups, and that one runs at a time |
| `retention` | which backups are kept, and what may go |
| `taking` | one backup, from its first look at the destination to its manifest |
| `pieces` | the pieces of a backup, held against its manifest while they are read |
| `restoring` | a host, or one wiki's directory, made of a backup |
| `proving` | whether a backup can be restored, by restoring it |
| `taking_in` | one wiki of a backup, or a copy of one that is here, as a wiki of this host |
| `cloning` | a copy of a wiki beside it |
| `report` | what a check proved, and what became of a wiki, as text (pure) |

Each imports only those above it, and `robot/` outside of this package.
"""
