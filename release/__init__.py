"""Makes what is published of a release: `make dist`.

| module | makes |
|---|---|
| `packages` | the source distribution, the wheel, and the wheels of everything that is locked |
| `licences` | one text with the licences of all of them |
| `archives` | tar archives whose bytes depend on their content alone |

The program (`python -m release`) joins them to a folder that installs without internet, and to one executable file. It
needs a package that robot does not (pex), so it has an environment of its own. The same locks, Python and
`SOURCE_DATE_EPOCH` give the same bytes.
"""
