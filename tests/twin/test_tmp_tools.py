from tests.twin.test_slack_server import *
def test_print(real_server):
    import json
    _, sessions = real_server
    open("/tmp/access/slack_tools","w").write("\n".join(sorted(sessions["http"].tools())))
