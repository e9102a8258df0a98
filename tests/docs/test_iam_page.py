"""docs/iam/README.md says of the policies beside it what is in them, and how to fill them in."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.roles import FOLDER, ROLES, allowed, denied, listed, role_policy

from console.commands import command
from logstore.s3.address import Address

PAGE = (FOLDER / "README.md").read_text("utf-8")
FILES = sorted(FOLDER.glob("*.json"))
NAMES = {role.replace("-", " "): role for role in ROLES}
ADDRESS = Address("evidence", "aircon")
WHOLE = "arn:aws:s3:::BUCKET"
MOST_CHARACTERS = 6144
"""Of a managed policy, without white space (AWS IAM user guide, "IAM and AWS STS quotas")."""


def rows(heading: str) -> Iterator[list[str]]:
    """The cells of each row of the first table behind a heading."""
    _, _, rest = PAGE.partition(f"\n## {heading}\n")
    assert rest, heading
    lines = rest.partition("\n## ")[0].splitlines()
    table = [line for line in lines if line.startswith("|")]
    return ([cell.strip() for cell in line.strip("|").split("|")] for line in table[2:])


def roles_of(cell: str) -> set[str]:
    """Who a cell says: all, all but some, or some."""
    named = {role for words, role in NAMES.items() if words in cell}
    if cell == "all five":
        return set(ROLES)
    return set(ROLES) - named if cell.startswith("all but") else named


def actions_in(cell: str) -> set[str]:
    return set(re.findall(r"`((?:s3|kms):\w+)`", cell))


def test_each_action_and_who_has_it() -> None:
    said = {
        (action, role)
        for actions, _, who in rows("What each action is for")
        for action in actions_in(actions)
        for role in roles_of(who)
    }
    found = {(action, role) for role in ROLES for action in allowed(role_policy(role, ADDRESS))}
    assert said == found


def test_what_each_role_is_denied() -> None:
    said = {
        (action, role)
        for actions, _, who in rows("What a role must never have")
        for action in actions_in(actions)
        for role in roles_of(who.partition(";")[0])
    }
    found = {(action, role) for role in ROLES for action in denied(role_policy(role, ADDRESS))}
    assert said == found


def test_the_roles_run_commands_that_there_are() -> None:
    _, _, table = PAGE.partition("| role | runs | policy |\n")
    lines = table.partition("\n\n")[0].splitlines()[1:]
    assert {re.sub(r".*\((.*)\.json\).*", r"\1", line) for line in lines} == set(ROLES)
    verbs = {word for line in lines for word in re.findall(r"`([a-z]+)`", line)}
    assert verbs
    assert not {verb for verb in verbs if command(verb) is None}


def test_what_the_keys_policies_allow() -> None:
    found = {}
    for line in PAGE.splitlines():
        for name in re.findall(r"^\|.*\]\(((?:sse-kms|key-store)-\w+\.json)\)", line):
            found[name] = actions_in(line)
    assert found == {
        path.name: set(allowed(json.loads(path.read_text("utf-8"))))
        for path in FILES
        if path.stem not in ROLES
    }


@pytest.mark.parametrize("role", ROLES)
def test_the_page_fills_them_in(role: str) -> None:
    with_prefix, without = re.findall(r"^    sed (.*) docs/iam/auditor\.json", PAGE, re.MULTILINE)

    def filled(words: str) -> str:
        arguments = words.replace("'", "").split()
        return subprocess.run(
            ["sed", *arguments, str(FOLDER / f"{role}.json")],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip

    assert json.loads(filled(with_prefix)) == role_policy(role, ADDRESS)
    whole = filled(without)
    assert "PREFIX" not in whole
    assert "BUCKET" not in whole
    assert '"s3:prefix": "*"' in whole
    assert "//" not in whole


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_policy_grants_by_name_and_below_the_prefix(path: Path) -> None:
    policy = json.loads(path.read_text("utf-8"))
    assert policy["Version"] == "2012-10-17"
    assert len("".join(path.read_text("utf-8").split())) < MOST_CHARACTERS
    names = [each["Sid"] for each in policy["Statement"]]
    assert len(set(names)) == len(names)
    assert all(name.isalnum() for name in names)
    for each in policy["Statement"]:
        assert set(each) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert "*" not in str(each["Action"])
        if each["Effect"] == "Deny":
            assert set(listed(each["Resource"])) <= {WHOLE, f"{WHOLE}/*"}
            continue
        for resource in listed(each["Resource"]):
            assert resource == "KEY_ARN" or resource.startswith(WHOLE)
            if each["Action"] == "s3:ListBucketVersions":
                assert each["Condition"] == {"StringLike": {"s3:prefix": "PREFIX/*"}}
            elif resource == WHOLE:
                assert all(action.startswith("s3:GetBucket") for action in each["Action"])
            elif resource != "KEY_ARN":
                assert resource.startswith(f"{WHOLE}/PREFIX/")


@pytest.mark.parametrize("role", ["writer", "privacy-officer"])
def test_who_places_holds_lifts_none(role: str) -> None:
    """Where the condition is known, as on AWS: any other status is not allowed, and denied."""
    status = {"s3:object-lock-legal-hold": "ON"}
    about_holds = {
        each["Effect"]: each["Condition"]
        for each in role_policy(role, ADDRESS)["Statement"]
        if each["Action"] == "s3:PutObjectLegalHold"
    }
    assert about_holds == {"Allow": {"StringEquals": status}, "Deny": {"StringNotEquals": status}}


def test_nobody_is_allowed_what_they_are_denied() -> None:
    for role in ROLES:
        policy = role_policy(role, ADDRESS)
        assert not set(allowed(policy)) & set(denied(policy)), role


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (FOLDER / target).exists(), target
    assert {path.name for path in FILES} <= set(re.findall(r"\]\(([^)#]+)\)", PAGE))
