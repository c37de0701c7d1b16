"""`schoolhouse user`: accounts, and what they may see."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schoolhouse.cli import console
from schoolhouse.errors import UsageError

if TYPE_CHECKING:
    from schoolhouse.accounts.people import Person
    from schoolhouse.accounts.scopes import Scope

app = typer.Typer(cls=console.Commands, help="Accounts: who may sign in, and what they see.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
Name = Annotated[str, typer.Argument(help="Name of the account, such as an e-mail address.")]
RoleName = Annotated[str, typer.Option("--role", help="admin, instructor, author or analyst.")]
Sections = Annotated[
    list[str] | None,
    typer.Option("--section", help="A section that an instructor sees: 42@torus.example. Repeat for more."),
]
Projects = Annotated[
    list[str] | None, typer.Option("--project", help="A project that an author sees: 7@torus.example. Repeat for more.")
]
SeesIdentifiers = Annotated[
    bool | None,
    typer.Option(
        "--learner-identifiers/--no-learner-identifiers", help="Show who learners are. Default: the role decides."
    ),
]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command()
def add(
    name: Name,
    role: RoleName = "instructor",
    section: Sections = None,
    project: Projects = None,
    learner_identifiers: SeesIdentifiers = None,
    password_stdin: FromStdin = False,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="No password: tokens, or an identity provider, sign it in.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add an account. Asks for a password twice, unless told otherwise.

    Example: schoolhouse user add ann@school.example --role instructor --section 42@torus.example
    """
    from schoolhouse.accounts.people import NewAccount, add_person

    sections = [read_scope(text, "section") for text in section or []]
    projects = [read_scope(text, "project") for text in project or []]
    password = "" if no_password else _password(from_stdin=password_stdin)
    new = NewAccount(name, role, password, sections=sections, projects=projects, sees_identifiers=learner_identifiers)
    with console.database() as engine:
        _show(add_person(engine, new), as_json=as_json)


@app.command("list")
def list_accounts(as_json: AsJson = False) -> None:
    """List the accounts.

    Example: schoolhouse user list
    """
    from schoolhouse.accounts.people import list_people

    with console.database() as engine:
        found = [_facts(person) for person in list_people(engine)]
    if as_json:
        console.print_json(found)
    else:
        rows = [[_plain(value) for value in facts.values()] for facts in found]
        console.print_table("Accounts", ("name", "role", "sections", "projects", "sees who learners are"), rows)


@app.command()
def passwd(name: Name, password_stdin: FromStdin = False) -> None:
    """Set the password of an account; its sessions end.

    Example: schoolhouse user passwd ann@school.example
    """
    from schoolhouse.accounts.people import change_password

    with console.database() as engine:
        change_password(engine, name, _password(from_stdin=password_stdin))
    console.print_facts("", {"new password for": name})


@app.command()
def role(
    name: Name,
    new_role: Annotated[str, typer.Argument(help="admin, instructor, author or analyst.")],
    section: Sections = None,
    project: Projects = None,
    learner_identifiers: SeesIdentifiers = None,
    as_json: AsJson = False,
) -> None:
    """Give an account another role, and the sections and projects named here instead of those it had.

    Example: schoolhouse user role ann@school.example author --project 7@torus.example
    """
    from schoolhouse.accounts.people import change_role

    scopes = (
        [read_scope(text, "section") for text in section or []],
        [read_scope(text, "project") for text in project or []],
    )
    with console.database() as engine:
        changed = change_role(engine, name, new_role, scopes=scopes, sees_identifiers=learner_identifiers)
        _show(changed, as_json=as_json)


@app.command()
def remove(name: Name) -> None:
    """Remove an account, with its sessions, its tokens and the questions that it did not share.

    Example: schoolhouse user remove ann@school.example
    """
    from schoolhouse.accounts.people import remove_person

    with console.database() as engine:
        remove_person(engine, name)
    console.print_facts("", {"removed": name})


def read_scope(text: str, kind: str) -> Scope:
    """A section or project as somebody wrote it; what does not name its platform in full is looked up."""
    from schoolhouse.accounts.scopes import Scope, is_written_in_full, parse_scope
    from schoolhouse.analytics.sections import SQL, host_of
    from schoolhouse.cli.query import ask_operator
    from schoolhouse.errors import UsageError
    from schoolhouse.warehouse.statements import statement

    number, _, host = text.partition("@")
    if is_written_in_full(text) or not (number.isascii() and number.isdigit() and len(number) <= 20):
        return parse_scope(text)
    question = statement(f"find_{kind}s_by_id", SQL)
    found = json.loads(ask_operator(question, "JSON", {f"{kind}_id": int(number)}))["data"]
    platforms = sorted({row["platform"] for row in found if host in ("", host_of(row["platform"]))})
    if len(platforms) == 1:
        return Scope(platforms[0], int(number))
    if platforms:
        choices = ", ".join(f"{number}@{platform}" for platform in platforms)
        raise UsageError(f"Several platforms have a {kind} {text}.", hint=f"Choose one: {choices}.")
    raise UsageError(
        f"There is no {kind} {text} yet.", hint=f"Name its platform in full to grant it early: {number}@https://…"
    )


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        if not (password := sys.stdin.readline().rstrip("\r\n")):
            raise UsageError("The first line of standard input is empty.", hint="It must hold the password.")
        return password
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _facts(person: Person) -> dict[str, Any]:
    return {
        "name": person.name,
        "role": person.role,
        "sections": [str(scope) for scope in sorted(person.sections)],
        "projects": [str(scope) for scope in sorted(person.projects)],
        "may_see_learner_identifiers": person.may_see_learner_identifiers,
    }


def _show(person: Person, *, as_json: bool) -> None:
    facts = _facts(person)
    if as_json:
        console.print_json(facts)
    else:
        console.print_facts("Account", {name: _plain(value) for name, value in facts.items()})


def _plain(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, list) else value
