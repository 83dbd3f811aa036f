// mcporter on the command line, with a separate run for each step. It opens the system's browser itself.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const [url] = process.argv.slice(2);
const say = (fact) => console.log(JSON.stringify(fact));

const config = `${process.env.HOME}/mcporter.json`;
const oauthRedirectUrl = `http://127.0.0.1:${process.env.CALLBACK_PORT}/callback`;
writeFileSync(config, JSON.stringify({ mcpServers: { gateway: { url, auth: 'oauth', oauthRedirectUrl } }, imports: [] }));

async function mcporter(...args) {
    const command = ['node_modules/mcporter/dist/cli.js', '--config', config, ...args];
    return (await promisify(execFile)(process.execPath, command)).stdout;
}
async function call(name, ...args) {
    say({ tool: name, text: await mcporter('call', `gateway.${name}`, ...args) });
}
await mcporter('auth', 'gateway');
say({ tools: JSON.parse(await mcporter('list', 'gateway', '--json')).tools.map((tool) => tool.name) });
await call('hello_mcp');
await call('save_snippet', 'snippetname=greeting', 'snippet=kept');
say({ waiting: true });
for await (const _ of createInterface({ input: process.stdin })) break; // It refreshes when the server answers with 401.
await call('get_snippet', 'snippetname=greeting');
process.exit(0);
