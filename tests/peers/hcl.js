// Terraform's own parser, compiled to WebAssembly: {name: HCL} on standard input, {name: tree} on standard output.
const { parse } = require(process.env.NODE_MODULES + "/@cdktf/hcl2json");

async function main() {
  const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
  for (const name of Object.keys(texts)) texts[name] = await parse(name, texts[name]);
  process.stdout.write(JSON.stringify(texts));
}
main().catch((wrong) => { console.error(String(wrong)); process.exit(1); });
