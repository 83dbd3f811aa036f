// MCP Inspector on the command line, with a separate run for each step. It opens the system's browser itself.
import { execFile } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const [url, transport] = process.argv.slice(2);
const say = (fact) => console.log(JSON.stringify(fact));

process.env.MCP_STORAGE_DIR = `${process.env.HOME}/inspector`;
process.env.MCP_INSPECTOR_SECRET_STORE = 'file';
// Without a terminal it signs in only if it detects that it can open a browser.
process.env.MCP_AUTO_OPEN_ENABLED = 'true';
process.env.MCP_OAUTH_CALLBACK_URL = `http://127.0.0.1:${process.env.CALLBACK_PORT}/oauth/callback`;

async function inspector(...args) {
    const command = ['node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js', '--cli', url, '--transport', transport, ...args];
    return JSON.parse((await promisify(execFile)(process.execPath, command)).stdout);
}
async function call(name, ...args) {
    const result = await inspector('--method', 'tools/call', '--tool-name', name, ...args);
    say({ tool: name, text: result.content[0].text });
}
say({ tools: (await inspector('--method', 'tools/list')).tools.map((tool) => tool.name) });
await call('hello_mcp');
await call('save_snippet', '--tool-arg', 'snippetname=greeting', '--tool-arg', 'snippet=kept');
say({ waiting: true });
for await (const _ of createInterface({ input: process.stdin })) break; // It refreshes when the server answers with 401.
await call('get_snippet', '--tool-arg', 'snippetname=greeting');
process.exit(0);
