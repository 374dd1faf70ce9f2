// schema.js - Which of the documents on standard input a schema refuses, by ajv: schema.js SCHEMA; a JSON list in, a list of messages out.
const Ajv = require("ajv");
const fs = require("fs");

const judge = new Ajv({allErrors: true, strict: true}).compile(JSON.parse(fs.readFileSync(process.argv[2])));
const documents = JSON.parse(fs.readFileSync(0));
console.log(JSON.stringify(documents.map(one => judge(one) ? [] : judge.errors.map(e => e.instancePath || "/"))));
