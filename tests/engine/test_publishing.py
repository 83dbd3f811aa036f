"""The dynamic provider publishes the Function App's code in a separate process."""

import pytest

from tests.engine.conftest import Deploy
from tests.engine.deployment import Deployment, Run
from tests.engine.stacks import FUNCTIONS


@pytest.fixture(scope="module")
def stack(new_stack: Deploy) -> Deployment:
    """A stack whose first publication fails, because the build fails."""
    return new_stack(FUNCTIONS)


@pytest.fixture(scope="module")
def failed(stack: Deployment) -> Run:
    """The deployment that fails."""
    stack.service.broken = "ERROR: No matching distribution found for azure-functions==1.26.0"
    return stack.up()


@pytest.fixture(scope="module")
def repaired(stack: Deployment, failed: Run) -> Run:
    """The next deployment, which starts before role assignments have propagated."""
    assert failed.failed
    stack.service.broken = None
    stack.service.unpropagated = 1
    return stack.up()


def test_the_error_of_a_failed_publication_has_no_traceback(failed: Run) -> None:
    assert failed.failed
    assert "No matching distribution found for azure-functions==1.26.0" in failed.output
    assert "Traceback" not in failed.output


def test_a_publication_is_repeated_until_roles_have_propagated(stack: Deployment, repaired: Run) -> None:
    assert not repaired.failed, repaired.output
    uploads = [call for call in repaired.calls if call.kind == "upload"]
    assert ["403" in call.error for call in uploads] == [True, False]
    ((package,),) = stack.service.packages.values()
    assert "function_app.py" in package


def test_the_functions_that_were_loaded_are_in_the_state(stack: Deployment, repaired: Run) -> None:
    assert not repaired.failed
    (publication,) = (
        resource for resource in stack.state()["resources"] if "Publication" in resource["type"]
    )
    (functions,) = stack.service.functions.values()
    assert publication["outputs"]["functions"] == sorted(functions)


def test_code_that_did_not_change_is_not_published_again(stack: Deployment, repaired: Run) -> None:
    assert not repaired.failed
    assert [call for call in stack.up().calls if call.kind == "upload"] == []
