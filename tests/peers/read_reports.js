// read_reports.js - What the TLS reports in messages say, by mailparser and Node's own gzip and JSON: messages in base64, a JSON list, in; a list out.
const {simpleParser} = require("mailparser");
const fs = require("fs");
const zlib = require("zlib");

async function read(message) {
    const mail = await simpleParser(Buffer.from(message, "base64"));
    const packed = mail.attachments.filter(one => one.contentType === "application/tlsrpt+gzip");
    if (packed.length !== 1)
        throw new Error(`${packed.length} reports in one message`);
    const text = new TextDecoder("utf-8", {fatal: true}).decode(zlib.gunzipSync(packed[0].content));
    return {domain: mail.headers.get("tls-report-domain"), subject: mail.subject, file: packed[0].filename, text: mail.text, report: JSON.parse(text)};
}

Promise.all(JSON.parse(fs.readFileSync(0)).map(read)).then(all => console.log(JSON.stringify(all)));
