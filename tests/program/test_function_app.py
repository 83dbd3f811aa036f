"""The Function App as Azure receives it: Flex Consumption accepts few site properties and app settings."""

import pytest

from backends.functions import PYTHON_VERSION
from tests.program.variants import CASES, Case

every_case = pytest.mark.parametrize("case", CASES, ids=str)


@every_case
def test_the_site_configuration_has_only_properties_that_flex_consumption_accepts(case: Case) -> None:
    # The SDK's `SiteConfigArgs` would add netFrameworkVersion, localMySqlEnabled and http20Enabled.
    declared = case.stack.one("web:WebApp").inputs["siteConfig"]
    restrictions = {
        "ipSecurityRestrictionsDefaultAction",
        "scmIpSecurityRestrictionsDefaultAction",
        "scmIpSecurityRestrictionsUseMain",
    }
    private = restrictions if case.variant == "network" else set()
    assert declared.keys() == {"appSettings", "minTlsVersion", "scmMinTlsVersion"} | private


@every_case
def test_the_app_settings_are_those_that_the_app_needs(case: Case) -> None:
    settings = case.stack.one("web:WebApp").inputs["siteConfig"]["appSettings"]
    assert {setting["name"] for setting in settings} == {
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "AzureWebJobsStorage__accountName",
        "AzureWebJobsStorage__clientId",
        "AzureWebJobsStorage__credential",
        "PYTHON_ISOLATE_WORKER_DEPENDENCIES",
        "SNIPPETS_CONTAINER",
        "SNIPPETS_STORAGE__blobServiceUri",
        "SNIPPETS_STORAGE__clientId",
    }


@every_case
def test_the_app_uses_its_own_packages_and_the_version_of_python_for_which_they_are_installed(
    case: Case,
) -> None:
    app = case.stack.one("web:WebApp").inputs
    assert app["functionAppConfig"]["runtime"] == {"name": "python", "version": PYTHON_VERSION}
    settings = {app_setting["name"]: app_setting["value"] for app_setting in app["siteConfig"]["appSettings"]}
    assert settings["PYTHON_ISOLATE_WORKER_DEPENDENCIES"] == "1"
