"""The twin rejects what Flex Consumption rejects, with Azure's error messages."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pulumi_azure_native import web

from tests.program.variants import Case
from twin.azure.arm import RejectedError
from twin.azure.cloud import Cloud
from twin.stack import StackError, evaluate


def create(site_config: Mapping[str, Any], **changes: Any) -> None:
    """Creates the stack's Function App with another site configuration."""
    app = Case("dev", preview=False).stack.one("web:WebApp")
    inputs = {**app.inputs, "siteConfig": site_config, **changes}
    Cloud().create(app.type, app.name, inputs, urn=app.urn)


def app_settings(*names: str) -> dict[str, Any]:
    return {"appSettings": [{"name": name, "value": "1"} for name in names]}


@pytest.mark.parametrize(
    "name",
    [
        "alwaysOn",
        "ftpsState",
        "functionAppScaleLimit",
        "functionsRuntimeScaleMonitoringEnabled",
        "linuxFxVersion",
        "localMySqlEnabled",
        "netFrameworkVersion",
        "preWarmedInstanceCount",
        "use32BitWorkerProcess",
    ],
)
def test_a_site_property_of_other_plans_is_rejected(name: str) -> None:
    with pytest.raises(RejectedError) as rejection:
        create({name: "x"})
    assert (
        f"The following site configuration property (Site.SiteConfig.{name[0].upper()}{name[1:]}) for Flex "
        "Consumption sites is invalid.  Please remove or rename it before retrying."
    ) in str(rejection.value)
    assert "51021" in str(rejection.value)


def test_several_site_properties_are_rejected_together() -> None:
    with pytest.raises(RejectedError) as rejection:
        create({"ftpsState": "Disabled", "minTlsVersion": "1.2", "netFrameworkVersion": "v4.6"})
    assert (
        "The following list of 2 site configuration properties (Site.SiteConfig.FtpsState, "
        "Site.SiteConfig.NetFrameworkVersion) for Flex Consumption sites is invalid.  "
        "Please remove or rename them before retrying."
    ) in str(rejection.value)


@pytest.mark.parametrize(
    "name",
    [
        "FUNCTIONS_WORKER_RUNTIME",
        "functions_worker_runtime",
        "FUNCTIONS_EXTENSION_VERSION",
        "WEBSITE_RUN_FROM_PACKAGE",
        "SCM_DO_BUILD_DURING_DEPLOYMENT",
        "ENABLE_ORYX_BUILD",
        "WEBSITE_CONTENTSHARE",
    ],
)
def test_an_app_setting_of_other_plans_is_rejected(name: str) -> None:
    with pytest.raises(RejectedError) as rejection:
        create(app_settings("SNIPPETS_CONTAINER", name))
    assert (
        f"The following app setting (Site.SiteConfig.AppSettings.{name}) for Flex Consumption sites is "
        "invalid.  Please remove or rename it before retrying."
    ) in str(rejection.value)


@pytest.mark.parametrize("names", [(), ("AzureWebJobsStorage__accountName", "PYTHON_ENABLE_DEBUG_LOGGING")])
def test_settings_of_flex_consumption_are_accepted(names: tuple[str, ...]) -> None:
    create({**app_settings(*names), "minTlsVersion": "1.2", "http20Enabled": True})


def test_the_defaults_of_the_sdks_class_are_rejected() -> None:
    """Therefore the program passes a dictionary instead of `SiteConfigArgs`."""
    with pytest.raises(RejectedError, match="NetFrameworkVersion"):
        create(
            {
                "netFrameworkVersion": web.SiteConfigArgs().net_framework_version,
                "localMySqlEnabled": web.SiteConfigArgs().local_my_sql_enabled,
            }
        )


def test_an_app_of_another_plan_keeps_its_site_properties() -> None:
    create({"alwaysOn": True, "ftpsState": "Disabled"}, functionAppConfig=None)


def test_a_declared_app_that_azure_would_reject_stops_the_evaluation(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: sample\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    (tmp_path / "__main__.py").write_text(
        "from pulumi_azure_native import web\n"
        "runtime = {'name': 'python', 'version': '3.11'}\n"
        "web.WebApp('app', resource_group_name='group', function_app_config={'runtime': runtime},\n"
        "    site_config=web.SiteConfigArgs())\n"
    )
    with pytest.raises(StackError, match=r"Azure would reject app: .*Site\.SiteConfig\.NetFrameworkVersion"):
        evaluate(root=tmp_path)
