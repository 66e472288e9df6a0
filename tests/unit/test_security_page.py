"""The page about security: what it says of roles is what the code does."""

from pathlib import Path

from gateway.methods import methods
from tidegate.permissions import OFFICERS, RULES, Role, Rule

PAGE = Path(__file__).parents[2] / "docs" / "security.md"


def right(rule: Rule, role: Role) -> str:
    """Say in a word what a role may."""
    if role in rule.roles:
        return "yes"
    if rule.orders is not None and role in OFFICERS:
        return "exits"
    is_limited = rule.strategies is not None or rule.adapters is not None
    return "own" if role is Role.TRADER and is_limited else ""


def table() -> str:
    """Write the page's table: each method of the wire, in the order of the services."""
    rows = [["method", *Role], ["---"] * (1 + len(Role))]
    rows += [[f"`{method.name}`", *(right(RULES[method.name], role) for role in Role)] for method in methods()]
    return "\n".join(f"| {' | '.join(row)} |".replace("  ", " ") for row in rows)


def test_the_table_of_roles_is_the_code() -> None:
    """Pins that a method and its roles stand on the page as they stand in the code; copy the expected table."""
    page = PAGE.read_text(encoding="utf-8")
    assert table() in page, f"docs/security.md should have this table:\n{table()}"


def test_every_role_is_explained() -> None:
    """Pins that no role is a name only."""
    page = PAGE.read_text(encoding="utf-8")
    assert [] == [role for role in Role if f"**{role}**" not in page]
