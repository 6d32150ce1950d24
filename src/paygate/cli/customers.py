"""``paygate customers``: list, show, and put names and addresses right."""

from __future__ import annotations

import click

from .output import facts
from .session import Session, json_option, limit_option, pass_session

__all__ = ["customers"]


@click.group()
def customers() -> None:
    """List, show and change customers."""


@customers.command("list")
@click.option("--email", help="Only with exactly this address.")
@limit_option
@json_option
@pass_session
def list_customers(session: Session, email: str | None, limit: int | None) -> None:
    """List customers, by id."""
    with session.gateway() as gateway:
        session.show_rows(
            session.page(gateway.customers.list(email=email), limit),
            "Customers",
            ("Customer", "Name", "E-mail"),
            lambda it: (it.id, it.name, it.email),
        )


@customers.command()
@click.argument("customer")
@json_option
@pass_session
def show(session: Session, customer: str) -> None:
    """Show CUSTOMER with the contracts."""
    with session.gateway() as gateway:
        found = gateway.customers.get(customer)
        contracts = gateway.contracts.list(customer_id=customer).all()

    def print_all() -> None:
        facts(f"Customer {found.id}", [("Name", found.name), ("E-mail", found.email)])
        session.show_rows(
            contracts,
            "Contracts",
            ("Contract", "Plan", "Paid by", "Status", "Expires"),
            lambda it: (it.id, it.plan.name, it.account or it.method, it.status, it.expires_on),
        )

    session.show({"customer": found, "contracts": contracts}, print_all)


@customers.command()
@click.argument("customer")
@click.option("--name", help="The new name; an empty text removes it.")
@click.option("--email", help="The new address; an empty text removes it.")
@click.option("--reason", default="", help="Why, for the audit.")
@json_option
@pass_session
def update(session: Session, customer: str, name: str | None, email: str | None, reason: str) -> None:
    """Change the name or the address of CUSTOMER."""
    if name is None and email is None:
        raise click.UsageError("give --name, --email or both")
    with session.gateway() as gateway:
        changed = gateway.customers.update(customer, name=name, email=email, reason=reason, actor=session.actor)
    session.show(changed, lambda: facts(f"Customer {changed.id}", [("Name", changed.name), ("E-mail", changed.email)]))
