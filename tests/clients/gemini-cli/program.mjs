// The core of Gemini CLI, as the command-line client calls it. It opens the system's browser itself.
import { createInterface } from 'node:readline';
import { connectToMcpServer } from '@google/gemini-cli-core/dist/src/tools/mcp-client.js';

const [url, transport] = process.argv.slice(2);
const say = (fact) => console.log(JSON.stringify(fact));

// In settings.json: {"mcpServers": {"gateway": {"httpUrl": URL, "oauth": {"enabled": true}}}}, or "url" for SSE.
const config = { [transport === 'sse' ? 'url' : 'httpUrl']: url, oauth: { enabled: true } };
if (transport === 'sse') config.type = 'sse';
const workspace = { getDirectories: () => [], onDirectoriesChanged: () => () => {} };
const context = {
    sanitizationConfig: { allowedEnvironmentVariables: [], blockedEnvironmentVariables: [], enableEnvironmentVariableRedaction: false },
    emitMcpDiagnostic: (severity, message, error) => console.error(severity, message, error),
    isTrustedFolder: () => true
};

// Before it opens the browser, it asks for permission on the terminal.
process.stdin.unshift('y\n');
const connect = () => connectToMcpServer('1.0.0', 'gateway', config, false, workspace, context);
let client = await connect();
async function call(name, args = {}) {
    const result = await client.callTool({ name, arguments: args });
    say({ tool: name, text: result.content[0].text });
}
say({ tools: (await client.listTools()).tools.map((tool) => tool.name) });
await call('hello_mcp');
await call('save_snippet', { snippetname: 'greeting', snippet: 'kept' });
say({ waiting: true });
const later = await new Promise((done) => createInterface({ input: process.stdin }).once('line', done));
const clock = Date.now;
Date.now = () => clock() + 1000 * later;
// The session in which it signed in keeps its first access token; a later session reads the stored token and refreshes it.
await client.close();
client = await connect();
await call('get_snippet', { snippetname: 'greeting' });
await client.close();
process.exit(0);
