"""The twin takes secrets from the environment or a private file, and no value from its arguments."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from twin.cli import app
from twin.secret_input import SecretInputError, read_secrets

CANARY = "xoxb-canary-000000000000"


def private(folder: Path, text: str) -> Path:
    file = folder / "secrets.env"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return file


def test_the_name_of_a_setting_leads_to_its_environment_variable() -> None:
    assert read_secrets(["slackBotToken"], [], {"SLACK_BOT_TOKEN": CANARY}) == {"slackBotToken": CANARY}


def test_a_value_in_the_arguments_is_refused_and_not_repeated() -> None:
    result = CliRunner().invoke(app, ["up", "--secret", f"slackBotToken={CANARY}"])
    assert result.exit_code == 1
    assert "SLACK_BOT_TOKEN" in result.output
    assert CANARY not in result.output


def test_a_missing_variable_is_named_with_the_command_that_sets_it() -> None:
    with pytest.raises(SecretInputError, match="read -rs NOTES_TOKEN && export NOTES_TOKEN"):
        read_secrets(["notesToken"], [], {})


def test_a_file_gives_several_secrets_and_the_environment_overrides_it(tmp_path: Path) -> None:
    file = private(tmp_path, f"# comment\n\nslackBotToken={CANARY}\njiraApiToken=a=b\n")
    assert read_secrets([], [file], {}) == {"slackBotToken": CANARY, "jiraApiToken": "a=b"}
    assert read_secrets(["jiraApiToken"], [file], {"JIRA_API_TOKEN": "c"})["jiraApiToken"] == "c"


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = private(tmp_path, f"slackBotToken={CANARY}\n")
    file.chmod(0o640)
    with pytest.raises(SecretInputError, match="chmod 600"):
        read_secrets([], [file], {})


@pytest.mark.parametrize("text", [CANARY, f"SLACK TOKEN={CANARY}"])
def test_a_malformed_line_is_named_by_its_number_only(tmp_path: Path, text: str) -> None:
    file = private(tmp_path, f"\n{text}\n")
    with pytest.raises(SecretInputError, match="line 2") as caught:
        read_secrets([], [file], {})
    assert CANARY not in str(caught.value)


def test_a_file_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SecretInputError, match="cannot be read"):
        read_secrets([], [tmp_path / "none"], {})
