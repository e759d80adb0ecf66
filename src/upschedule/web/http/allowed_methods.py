"""`OPTIONS`: which methods an address answers."""

from itertools import chain

from litestar.datastructures import MutableScopeHeaders
from litestar.routes import HTTPRoute
from litestar.types import Message, Scope


async def name_all_methods(message: Message, scope: Scope) -> None:
    """A `before_send` hook: the framework's answer to `OPTIONS` names the methods of one handler of several."""
    if message["type"] != "http.response.start" or scope["type"] != "http" or scope["method"] != "OPTIONS":
        return
    if template := scope.get("path_template"):
        routes = (route for route in scope["litestar_app"].routes if isinstance(route, HTTPRoute))
        methods = chain.from_iterable(route.methods for route in routes if route.path_format == template)
        MutableScopeHeaders.from_message(message)["Allow"] = ", ".join(sorted(set(methods)))
