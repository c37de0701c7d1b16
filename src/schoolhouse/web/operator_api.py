"""Charts for the operator's commands while this process holds the embedded warehouse."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from starlette.responses import Response

from schoolhouse.analytics.answers import Asker
from schoolhouse.analytics.catalogue import find_chart
from schoolhouse.analytics.drawing import Theme
from schoolhouse.analytics.exports import Ending, Wanted, chart_bytes, find_scope
from schoolhouse.errors import AccessRefused
from schoolhouse.web.chart_address import ChartAddress
from schoolhouse.web.failures import ErrorBody
from schoolhouse.web.state import state_of

router = APIRouter(responses={"default": {"model": ErrorBody, "description": "What went wrong, and what to do."}})
_bearer = HTTPBearer(auto_error=False, description="The token in `<data_dir>/serve.json`.", scheme_name="operator")


class ChartOrder(BaseModel):
    """One chart of one section or project."""

    chart: str
    section: str = ""
    project: str = ""
    filters: ChartAddress = Field(default_factory=lambda: ChartAddress.model_validate({}))
    ending: Ending = "json"
    theme: Theme = "light"


@router.post(
    "/api/chart",
    response_class=Response,
    responses={200: {"description": "The chart in the wanted form.", "content": {"application/octet-stream": {}}}},
)
def order_chart(
    request: Request,
    order: ChartOrder,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Response:
    """The operator's own chart, of any section or project, with learners' identifiers."""
    state = state_of(request)
    if not credentials or not secrets.compare_digest(credentials.credentials.encode(), state.operator_token.encode()):
        raise AccessRefused("This needs the token of the running serve.", hint="It stands in <data_dir>/serve.json.")
    scope = find_scope(state.readers, section=order.section, project=order.project, who="operator")
    chart = find_chart(order.chart, scope.kind)
    wanted = Wanted(chart, scope, order.filters.filters(), order.ending, order.theme)
    return Response(
        chart_bytes(state.readers, wanted, Asker("operator", may_see_learners=True)),
        media_type="application/octet-stream",
    )
