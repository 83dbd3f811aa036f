// Reads {"tables": {name: schema}, "queries": {name: text}} on standard input and writes, for each query, what the
// language service of Azure Data Explorer finds wrong with it.
const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const folder = path.dirname(require.resolve("@kusto/language-service-next/package.json"));
for (const file of ["bridge.min.js", "Kusto.Language.Bridge.min.js"]) {
  vm.runInThisContext(fs.readFileSync(path.join(folder, file), "utf8"), { filename: file });
}
const { GlobalState, KustoCode, Symbols } = globalThis.Kusto.Language;
const { tables, queries } = JSON.parse(fs.readFileSync(0, "utf8"));
const symbols = Object.entries(tables).map(([name, schema]) => Symbols.TableSymbol.From(schema).WithName(name));
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.$ctor1("workspace", symbols));

const found = {};
for (const [name, text] of Object.entries(queries)) {
  const diagnostics = KustoCode.ParseAndAnalyze(text, globals).GetDiagnostics();
  found[name] = Array.from({ length: diagnostics.Count }, (_, index) => diagnostics.getItem(index)).map(
    (each) => `${each.Start}: ${each.Message}`,
  );
}
process.stdout.write(JSON.stringify(found));
