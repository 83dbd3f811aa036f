// Codex CLI: signs in with its command; then its app server lists and calls tools without a model.
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const [url] = process.argv.slice(2);
const say = (fact) => console.log(JSON.stringify(fact));

const home = `${process.env.HOME}/.codex`;
mkdirSync(home);
writeFileSync(`${home}/config.toml`, `mcp_oauth_credentials_store = "file"\n\n[mcp_servers.gateway]\nurl = "${url}"\n`);
const codex = ['node_modules/@openai/codex/bin/codex.js'];

class AppServer {
    constructor() {
        this.process = spawn(process.execPath, [...codex, 'app-server'], { stdio: ['pipe', 'pipe', 'inherit'] });
        this.waiting = new Map();
        this.number = 0;
        createInterface({ input: this.process.stdout }).on('line', (line) => {
            const { id, result, error } = JSON.parse(line);
            const done = this.waiting.get(id);
            if (!done || (result === undefined && !error)) return;
            if (error) done[1](new Error(JSON.stringify(error)));
            else done[0](result);
        });
    }

    ask(method, params) {
        const id = ++this.number;
        this.process.stdin.write(`${JSON.stringify({ id, method, params })}\n`);
        return new Promise((...done) => this.waiting.set(id, done));
    }

    async start() {
        await this.ask('initialize', { clientInfo: { name: 'test', version: '1.0.0' }, capabilities: { experimentalApi: true } });
        this.thread = (await this.ask('thread/start', { ephemeral: true })).thread.id;
    }

    async call(tool, args = {}) {
        const result = await this.ask('mcpServer/tool/call', {
            threadId: this.thread,
            server: 'gateway',
            tool,
            arguments: args
        });
        say({ tool, text: result.content[0].text });
    }

    stop() {
        return new Promise((done) => this.process.once('exit', done).kill());
    }
}

// By default it signs in with a metadata document of chatgpt.com, which a twin without the internet cannot fetch.
const login = ['mcp', 'login', 'gateway', '--oauth-client-registration', 'dcr'];
await promisify(execFile)(process.execPath, [...codex, ...login]);
let server = new AppServer();
await server.start();
const [status] = (await server.ask('mcpServerStatus/list', { threadId: server.thread })).data.filter((each) => each.name === 'gateway');
say({ tools: Object.keys(status.tools) });
await server.call('hello_mcp');
await server.call('save_snippet', { snippetname: 'greeting', snippet: 'kept' });
await server.stop();
say({ waiting: true });
const later = await new Promise((done) => createInterface({ input: process.stdin }).once('line', done));
// It compares the expiry of a stored token with its own clock, so the test makes the token older.
const file = `${home}/.credentials.json`;
const stored = JSON.parse(readFileSync(file, 'utf8'));
for (const credentials of Object.values(stored)) credentials.expires_at -= 1000 * later;
writeFileSync(file, JSON.stringify(stored));
server = new AppServer();
await server.start();
await server.call('get_snippet', { snippetname: 'greeting' });
await server.stop();
process.exit(0);
