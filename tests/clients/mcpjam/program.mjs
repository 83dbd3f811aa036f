// MCPJam: signs in, connects with its manager, and continues when its access token has expired.
import { createInterface } from 'node:readline';

import { MCPClientManager, runOAuthLogin } from '@mcpjam/sdk';

const [url] = process.argv.slice(2);
const say = (fact) => console.log(JSON.stringify(fact));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const listen = async () => (await lines.next()).value;

const login = await runOAuthLogin({
    serverUrl: url,
    registrationMode: 'dcr',
    auth: {
        mode: 'interactive',
        openUrl: async (address) => {
            say({ open: address });
            await fetch(await listen());
        }
    }
});
if (!login.completed) throw new Error(JSON.stringify(login.error));
const { refreshToken, clientId } = login.credentials;
const manager = new MCPClientManager();
await manager.connectToServer('gateway', { url, refreshToken, clientId });
async function call(name, args = {}) {
    const result = await manager.executeTool('gateway', name, args);
    say({ tool: name, text: result.content[0].text });
}
say({ tools: (await manager.listTools('gateway')).tools.map((tool) => tool.name) });
await call('hello_mcp');
await call('save_snippet', { snippetname: 'greeting', snippet: 'kept' });
say({ waiting: true });
await listen(); // It refreshes when the server answers with 401.
await call('get_snippet', { snippetname: 'greeting' });
process.exit(0);
