"""The tables of accounts. Times are UTC seconds since 1970, which SQLite and Postgres compare alike.

Secrets stand here as hashes only: argon2 for passwords, which people choose; SHA-256 for sessions and tokens, which are
256 random bits and need no slow hash.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from schoolhouse.database import metadata

# SQLite numbers its rows by itself only in an INTEGER column.
_Number: Final = BigInteger().with_variant(Integer, "sqlite")


def _account(*, is_key: bool = False) -> Column[int]:
    return Column("account_id", _Number, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=is_key)


accounts = Table(
    "accounts",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    Column("password_hash", Text, nullable=False, default=""),
    Column("identity", String(600), nullable=True, unique=True),  # issuer and subject of OpenID Connect
    Column("may_see_learner_identifiers", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
)

account_sections = Table(
    "account_sections",
    metadata,
    _account(is_key=True),
    Column("platform", String(500), primary_key=True),
    Column("section_id", String(20), primary_key=True),  # UInt64, wider than a database's integer
)

account_projects = Table(
    "account_projects",
    metadata,
    _account(is_key=True),
    Column("platform", String(500), primary_key=True),
    Column("project_id", String(20), primary_key=True),
)

sessions = Table(
    "account_sessions",
    metadata,
    Column("secret_hash", String(64), primary_key=True),
    _account(),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
)

tokens = Table(
    "account_tokens",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    _account(),
    Column("name", String(200), nullable=False),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=True),
    Column("last_used_at", Float, nullable=True),
)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("name_hash", String(64), nullable=False, index=True),
    Column("address", String(100), nullable=False, index=True),
    Column("at", Float, nullable=False, index=True),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False, index=True),
    Column("who", String(200), nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", String(600), nullable=False),
    Column("detail", Text, nullable=False),
    Column("outcome", String(40), nullable=False),
    Column("seconds", Float, nullable=True),
)
Index("ix_audit_entries_who_at", audit_entries.c.who, audit_entries.c.at)

flag_shares = Table(
    "flag_shares",
    metadata,
    Column("flag", String(60), primary_key=True),
    Column("share_percent", Integer, nullable=False),
)

flag_choices = Table(
    "flag_choices",
    metadata,
    Column("flag", String(60), primary_key=True),
    Column("subject", String(600), primary_key=True),
    Column("is_on", Boolean, nullable=False),
)

saved_questions = Table(
    "saved_questions",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("scope", String(600), nullable=False, index=True),
    Column("owner", String(200), nullable=False),
    Column("title", String(200), nullable=False),
    Column("sql", Text, nullable=False),
    Column("chart", Text, nullable=False),  # a Vega-Lite specification without data; may be empty
    Column("is_shared", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
)
