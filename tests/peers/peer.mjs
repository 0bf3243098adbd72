// The peer in Node: README.md here has the protocol. It stands beside the example's dmr.mjs when it runs.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Directory, DmrError, Keys, open, seal } from "./dmr.mjs";

const [pinFile, directoryFile] = process.argv.slice(2);
const LONGEST = 4 << 20;

class NoRequest extends Error {}

const unhex = (text) => {
    const bytes = text === "-" ? Buffer.alloc(0) : Buffer.from(text, "hex");
    if (text !== "-" && 2 * bytes.length !== text.length) {
        throw new NoRequest();
    }
    return bytes;
};

const number = (text, bits = 64) => {
    if (!/^[0-9]{1,20}$/.test(text) || BigInt(text) >> BigInt(bits) !== 0n) {
        throw new NoRequest();
    }
    return BigInt(text);
};

const hex = (bytes) => bytes.toString("hex") || "-";
const directoryAt = (now) => Directory.verify(readFileSync(pinFile), readFileSync(directoryFile), now);

const requests = {
    seal(keyFile, now, expires, kind, recipients, contentType, body) {
        const [created, sealed] = [number(now), unhex(body)];
        const [keys, directory] = [Keys.load(readFileSync(keyFile)), directoryAt(created)];
        try {
            return hex(seal(keys, directory, {
                recipients: recipients.split(","), kind: Number(number(kind, 16)), created, expires: number(expires),
                contentType, body: sealed,
            }));
        } finally {
            keys.free();
            directory.free();
        }
    },
    open(keyFile, now, envelope) {
        const sealed = unhex(envelope);
        const [keys, directory] = [Keys.load(readFileSync(keyFile)), directoryAt(number(now))];
        try {
            const opened = open(keys, directory, sealed, number(now));
            return [opened.id, opened.sender, opened.kind, opened.contentType, hex(opened.body)].join(" ");
        } finally {
            keys.free();
            directory.free();
        }
    },
};

const answer = (line) => {
    const [request, ...words] = line.split(" ");
    try {
        if (line.length > LONGEST || requests[request]?.length !== words.length) {
            throw new NoRequest();
        }
        return `ok ${requests[request](...words)}`;
    } catch (error) {
        if (error instanceof DmrError) {
            return `error ${error.name}`;
        }
        if (error instanceof NoRequest) {
            return "error call.out-of-range";
        }
        throw error;
    }
};

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    process.stdout.write(`${answer(line)}\n`);
}
