"""git over HTTP at `/.git` of a wiki's host: clone, fetch and push (gitprotocol-http(5), "smart" clients only).

endpoint    which request it is, and who may
fetch       a git process, streamed both ways
push        spool, unpack apart, check, then a short moment under the wiki's lock
packets     what is on the wire: pkt-lines, commands of a push, its report (pure)
body        a request body, unzipped and bounded
process     a git process: clean environment, limits, and its end
challenge   how a request without credentials is refused
"""
