"""A kit of lists: an API on loopback that hands records over in any style of paging, with the traps of real ones.

It is for those who write definitions, and for the tests of what reads them. A list knows the definition that reads it
and the records that a client must have; the server has a log of all requests.

    from circulate_practice.paging import kit

    items = kit.PagedList(kit.make_records(23), style="token", trap="empty_page", page_size=5)
    with kit.serve(items) as server:
        print(server.url, server.definition())

`python -m circulate_practice.paging.kit --help` runs one. It uses nothing of the engine.
"""

from circulate_practice.paging.kit.lists import PagedList, make_records
from circulate_practice.paging.kit.messages import ListReply, ListRequest
from circulate_practice.paging.kit.server import Key, ListServer, Logged, serve
from circulate_practice.paging.kit.sessions import LOGIN_STYLES, LOGIN_TRAPS, Sessions
from circulate_practice.paging.kit.styles import STYLES, Style
from circulate_practice.paging.kit.traps import TRAPS, Trap

__all__ = [
    "LOGIN_STYLES",
    "LOGIN_TRAPS",
    "STYLES",
    "TRAPS",
    "Key",
    "ListReply",
    "ListRequest",
    "ListServer",
    "Logged",
    "PagedList",
    "Sessions",
    "Style",
    "Trap",
    "make_records",
    "serve",
]
