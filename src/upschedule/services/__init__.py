"""The one composition root: opens pools and clients, builds the objects that use them, and closes everything again."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from upschedule.services.composition import Services
from upschedule.services.live import LiveSettings
from upschedule.services.opening import Role, open_stores
from upschedule.services.settings_watch import open_watch

__all__ = ["LiveSettings", "Role", "Services", "open_services"]


@asynccontextmanager
async def open_services(live: LiveSettings, *, role: Role) -> AsyncGenerator[Services]:
    """Waits for no server: readiness tells which of them answer. What was opened is closed in the reverse order."""
    async with AsyncExitStack() as opened:
        settings = live.current
        stores = await opened.enter_async_context(open_stores(settings, role=role))
        services = Services(settings, stores)
        if role == "api":
            services.broadcaster.start()
            opened.push_async_callback(services.broadcaster.close)
        opened.push_async_callback(services.jobs.close)
        years = services.academic_year_store() if role == "api" else None
        await opened.enter_async_context(open_watch(live, years))
        yield services
