// Seals a message for one recipient, opens it again, and tries to cheat: the cryptography alone, without any network.
//
//     npm ci --prefix examples/node && DMR_LIBRARY=/usr/local/lib/libdmr.so.0 node examples/node/seal_and_open.mjs
import { Authority, DmrError, Keys, QUESTION, X_WING, open, seal } from "./dmr.mjs";

const day = 24 * 60 * 60 * 1000;
// Nothing in dmr reads a clock: the time is an argument everywhere.
const now = Date.now();

const tax = Keys.generate("0193a5c8-7e1d-7cc2-8f4e-000000000001", "tax", X_WING, now, now + 90 * day);
const police = Keys.generate("0193a5c8-7e1d-7cc2-8f4e-000000000002", "police", X_WING, now, now + 90 * day);

// The network's keeper founds it, adds both cards, and signs the result. Sealing takes no other list of keys.
const directory = Authority.found("demo", now, 30 * day).add([tax.card(), police.card()], now, 30 * day);

const envelope = seal(tax, directory, {
    recipients: [directory.find("police")],
    kind: QUESTION,
    created: now,
    expires: now + day,
    contentType: "text/plain",
    body: Buffer.from("Is report 2026-00417 registered with you?"),
});
console.log(`sealed      ${envelope.length} bytes`);
console.log(`opened      "${open(police, directory, envelope, now).body}"`);

// Nobody else can open it, and no bit of it can change.
const refusal = (attempt) => {
    try {
        attempt();
    } catch (error) {
        if (error instanceof DmrError) {
            return error.message;
        }
        throw error;
    }
    throw new Error("it was opened");
};
console.log(`not for tax ${refusal(() => open(tax, directory, envelope, now))}`);
envelope[envelope.length >> 1] ^= 1;
console.log(`tampered    ${refusal(() => open(police, directory, envelope, now))}`);
