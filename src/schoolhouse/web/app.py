"""Puts the app together."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from schoolhouse import __version__
from schoolhouse.analytics.readers import Readers
from schoolhouse.analytics.sections import SectionDirectory
from schoolhouse.collect.xapi import Xapi
from schoolhouse.settings import Settings
from schoolhouse.web import (
    admin,
    api,
    assets,
    backfill_api,
    backfill_pages,
    charts_api,
    custom_sql,
    dashboards,
    failures,
    lake_pages,
    metrics,
    openid,
    operator_api,
    pages,
    questions_api,
    signing_in,
)
from schoolhouse.web.frame import Frame
from schoolhouse.web.state import AppDatabase, AppState
from schoolhouse.web.xapi import xapi_routes


def create_app(settings: Settings, *, operator_token: str = "") -> FastAPI:
    """The app over the warehouse of `settings`; handles open with the first question and close with the app.

    Args:
        settings: which warehouse, and the address that the app is served on.
        operator_token: what the operator's own questions must carry; drawn at random when empty.
    """
    readers = Readers(settings)
    state = AppState(
        settings=settings,
        readers=readers,
        directory=SectionDirectory(readers),
        assets=assets.Assets(settings.data_dir / "cache" / "web"),
        database=AppDatabase(settings),
        operator_token=operator_token or secrets.token_urlsafe(32),
    )

    statements = Xapi(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        statements.close()
        readers.close()
        state.database.close()

    app = FastAPI(
        title="Schoolhouse",
        version=__version__,
        description="Learning analytics on xAPI statements.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.schoolhouse = state
    app.state.metrics = metrics.Metrics(settings)
    failures.install(app)
    app.router.routes[:0] = xapi_routes(statements)
    app.include_router(api.router)
    app.include_router(charts_api.router)
    app.include_router(operator_api.router)
    app.include_router(questions_api.router)
    app.include_router(dashboards.router)
    app.include_router(backfill_api.router)
    app.include_router(backfill_pages.router)
    app.include_router(custom_sql.router)
    app.include_router(pages.router)
    app.include_router(signing_in.router)
    app.include_router(openid.router)
    app.include_router(admin.router)
    app.include_router(lake_pages.router)
    app.include_router(metrics.router)
    app.include_router(assets.router)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(metrics.Measured, metrics=app.state.metrics)
    app.add_middleware(Frame, listens_on=settings.web_host, public_url=settings.public_url)
    return app
