"""Pages, sign-in and charts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from schoolhouse.settings.kinds import Group


class Web(Group):
    """Pages, sign-in and charts."""

    web_host: str = Field(
        "127.0.0.1", validation_alias="SCHOOLHOUSE_WEB_HOST", description="Address that `serve` listens on."
    )
    web_port: int = Field(
        8000,
        ge=0,
        le=65535,
        validation_alias="SCHOOLHOUSE_WEB_PORT",
        description="Port that `serve` listens on.",
    )
    public_url: str = Field(
        "",
        pattern=r"^(https?://[^\s/<>\"]+)?$",
        validation_alias="SCHOOLHOUSE_PUBLIC_URL",
        description="Address under which people reach `serve` through a proxy, such as https://learn.example, "
        "without a path. Empty: the address that it listens on.",
    )
    session_hours: float = Field(
        12, gt=0, le=24 * 90, validation_alias="SCHOOLHOUSE_SESSION_HOURS", description="Hours that a sign-in lasts."
    )
    oidc_issuer: str = Field(
        "",
        pattern=r"^(https?://[^\s<>\"]+)?$",
        validation_alias="OIDC_ISSUER",
        description="Address of an OpenID Connect identity provider. Empty: accounts sign in with passwords alone.",
    )
    oidc_client_id: str = Field("", validation_alias="OIDC_CLIENT_ID", description="Our name at OIDC_ISSUER.")
    oidc_client_secret: SecretStr = Field(
        SecretStr(""), validation_alias="OIDC_CLIENT_SECRET", description="Our secret at OIDC_ISSUER, if it gave one."
    )
    oidc_default_role: Literal["", "instructor", "author", "analyst"] = Field(
        "",
        validation_alias="OIDC_DEFAULT_ROLE",
        description="Role of people without an account whom OIDC_ISSUER lets in. Empty: they are turned away.",
    )
    analytics_min_group_size: int = Field(
        5,
        ge=1,
        validation_alias="ANALYTICS_MIN_GROUP_SIZE",
        description="Groups of fewer learners are hidden in charts from people who may not see learners' identifiers.",
    )
