// What Node's own HTTP server, which reads with llhttp, makes of raw requests: an oracle for tests/flow/test_wire.py.
//
// stdin: a JSON array of [name, bytes in base 64]. stdout: an object of name and what came of the bytes, each on a connection of its own:
// {"requests": [{method, target, version, fields: [[name, value], …], body (base 64), whole, keep}], "refused": null or a code}.
// No request and no refusal: it waits for more.
"use strict";
const http = require("node:http");
const { Duplex } = require("node:stream");

class Connection extends Duplex {
    _read() {}
    _write(chunk, encoding, done) {
        done();
    }
    setTimeout() {}
    setNoDelay() {}
    setKeepAlive() {}
    ref() {}
    unref() {}
}

function read(bytes) {
    return new Promise((resolve) => {
        const seen = { requests: [], refused: null };
        const server = http.createServer({ insecureHTTPParser: false, requireHostHeader: true, maxHeaderSize: 65536 });
        const take = (request, response) => {
            const fields = [];
            for (let i = 0; i < request.rawHeaders.length; i += 2)
                fields.push([request.rawHeaders[i], Buffer.from(request.rawHeaders[i + 1], "latin1").toString("base64")]);
            const one = { method: request.method, target: Buffer.from(request.url, "latin1").toString("base64"), version: request.httpVersion,
                          fields, body: "", whole: false, keep: response.shouldKeepAlive };
            const pieces = [];
            seen.requests.push(one);
            request.on("data", (piece) => pieces.push(piece));
            request.on("end", () => {
                one.whole = request.complete;
                one.body = Buffer.concat(pieces).toString("base64");
                response.end();
            });
            request.on("error", () => {});
        };
        server.on("request", take);
        server.on("checkContinue", take);
        server.on("checkExpectation", (request, response) => {
            seen.refused ??= "unknown expectation";
            response.end();
        });
        server.on("connect", () => { seen.refused ??= "CONNECT"; });
        server.on("clientError", (error) => { seen.refused ??= error.code || error.message; });
        const connection = new Connection();
        connection.on("error", () => {});
        server.emit("connection", connection);
        connection.push(bytes);
        // Everything happens within a few turns of the loop: there is no socket to wait for.
        let turns = 0;
        const turn = () => (++turns < 8 ? setImmediate(turn) : (resolve(seen), connection.destroy()));
        setImmediate(turn);
    });
}

async function main() {
    const results = {};
    for (const [name, bytes] of JSON.parse(require("node:fs").readFileSync(0, "utf8")))
        results[name] = await read(Buffer.from(bytes, "base64"));
    process.stdout.write(JSON.stringify({ node: process.version, llhttp: process.versions.llhttp, results }), () => process.exit(0));
}

main();
