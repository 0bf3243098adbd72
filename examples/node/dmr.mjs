// The part of the C library that sealing and opening take, as a module of Node's: texts and buffers in, buffers out.
//
// The library is found by the system's loader, or where DMR_LIBRARY says. See bindings/include/dmr.h for what the
// functions do; handles are freed when nothing holds their object any more, or earlier by free().
import koffi from "koffi";

const file = process.env.DMR_LIBRARY ?? "libdmr.so.0";
let library;
try {
    library = koffi.load(file);
} catch (cause) {
    throw new Error(`${file} is not found: install it with bindings/install, or name it in DMR_LIBRARY`, { cause });
}

koffi.struct("dmr_bytes", { data: "void *", len: "size_t" });
koffi.struct("dmr_slice", { data: "const uint8_t *", len: "size_t" });
koffi.struct("dmr_id", { bytes: koffi.array("uint8_t", 16, "Typed") });
koffi.struct("dmr_digest", { bytes: koffi.array("uint8_t", 32, "Typed") });
koffi.struct("dmr_reference", { id: "dmr_id", digest: "dmr_digest" });
koffi.struct("dmr_name", { text: koffi.array("char", 65, "String") });
koffi.struct("dmr_participant", { id: "dmr_id", name: "dmr_name", status: "uint32_t" });
const has = { has_conversation: "uint8_t", has_sequence: "uint8_t", has_room: "uint8_t", has_in_reply_to: "uint8_t" };
const context = { conversation: "dmr_id", sequence: "uint64_t", room: "dmr_id", in_reply_to: "dmr_reference" };
koffi.struct("dmr_content", { content_type: "const char *", body: "const uint8_t *", body_len: "size_t", ...has, ...context });
koffi.struct("dmr_seal_request", {
    recipients: "const uint8_t *", recipient_count: "size_t", created_ms: "uint64_t", expires_ms: "uint64_t",
    id: "dmr_id", kind: "uint16_t",
});
koffi.struct("dmr_sealed", { envelope: "dmr_bytes", id: "dmr_id", digest: "dmr_digest" });
koffi.struct("dmr_facts", {
    digest: "dmr_digest", id: "dmr_id", sender: "dmr_id", created_ms: "uint64_t", expires_ms: "uint64_t", kind: "uint16_t",
});
koffi.struct("dmr_opened", { facts: "dmr_facts", content_type: "dmr_bytes", body: "dmr_bytes", ...has, ...context });
for (const name of ["dmr_keys", "dmr_directory", "dmr_authority"]) {
    koffi.opaque(name);
}

const c = Object.fromEntries(
    [
        "dmr_last_error(_Out_ uint8_t *buffer, size_t len, _Out_ size_t *needed)",
        "dmr_status_name(uint32_t status, _Out_ uint8_t *buffer, size_t len, _Out_ size_t *needed)",
        "dmr_bytes_free(_Inout_ dmr_bytes *bytes)",
        "dmr_id_parse(const char *text, _Out_ dmr_id *id)",
        "dmr_id_text(const dmr_id *id, _Out_ uint8_t *buffer, size_t len)",
        "dmr_keys_generate(const dmr_id *participant, const char *name, uint16_t suite, uint64_t from, uint64_t to, _Out_ dmr_keys **keys)",
        "dmr_keys_load(const uint8_t *text, size_t len, _Out_ dmr_keys **keys)",
        "dmr_keys_card(const dmr_keys *keys, _Out_ dmr_bytes *card)",
        "dmr_keys_free(_Inout_ dmr_keys **keys)",
        "dmr_directory_verify(const uint8_t *pin, size_t pin_len, const uint8_t *bundle, size_t len, uint64_t now, _Out_ dmr_directory **directory)",
        "dmr_directory_find_name(const dmr_directory *directory, const char *name, _Out_ dmr_participant *found)",
        "dmr_directory_free(_Inout_ dmr_directory **directory)",
        "dmr_authority_found(const char *network, uint64_t now, uint64_t valid_for, _Out_ dmr_authority **authority)",
        "dmr_authority_add(dmr_authority *authority, const dmr_slice *cards, size_t count, uint64_t now, uint64_t valid_for, _Out_ dmr_directory **directory)",
        "dmr_authority_free(_Inout_ dmr_authority **authority)",
        "dmr_seal(const dmr_keys *keys, const dmr_directory *directory, const dmr_seal_request *request, const dmr_content *content, _Out_ dmr_sealed *sealed)",
        "dmr_sealed_free(_Inout_ dmr_sealed *sealed)",
        "dmr_open(const dmr_keys *keys, const dmr_directory *directory, const uint8_t *envelope, size_t len, uint64_t now, _Out_ dmr_opened *opened)",
        "dmr_opened_free(_Inout_ dmr_opened *opened)",
    ].map((prototype) => [prototype.slice(0, prototype.indexOf("(")), library.func(`int ${prototype}`)]),
);

const text = (write) => {
    const buffer = Buffer.alloc(1024);
    write(buffer);
    return buffer.toString("utf8", 0, buffer.indexOf(0));
};

/** What the library refused; `name` is the stable name of the error, such as `verify.bad-signature`. */
export class DmrError extends Error {
    constructor(status) {
        super(text((buffer) => c.dmr_last_error(buffer, buffer.length, [0])));
        this.status = status;
        this.name = text((buffer) => c.dmr_status_name(status, buffer, buffer.length, [0]));
    }
}

const must = (status) => {
    if (status !== 0) {
        throw new DmrError(status);
    }
};

const copy = ({ data, len }) => (len ? Buffer.from(koffi.decode(data, koffi.array("uint8_t", len, "Typed"))) : Buffer.alloc(0));

const taken = (free, bytes) => {
    try {
        return copy(bytes);
    } finally {
        must(free(bytes));
    }
};

const id = (written) => {
    const parsed = {};
    must(c.dmr_id_parse(written, parsed));
    return parsed;
};

const written = (parsed) => text((buffer) => must(c.dmr_id_text(parsed, buffer, buffer.length)));

const forgotten = new FinalizationRegistry(({ free, handle }) => free([handle]));

/** An object of the library's, and how it is freed. */
class Handle {
    #free;

    constructor(free, make) {
        const out = [null];
        must(make(out));
        [this.handle] = out;
        this.#free = free;
        forgotten.register(this, { free, handle: this.handle }, this);
    }

    free() {
        forgotten.unregister(this);
        must(this.#free([this.handle]));
    }
}

export const X25519 = 1;
export const X_WING = 2;
export const QUESTION = 1;

/** A participant's secret keys. */
export class Keys extends Handle {
    static generate(participant, name, suite, from, to) {
        return new Keys(c.dmr_keys_free, (out) => c.dmr_keys_generate(id(participant), name, suite, from, to, out));
    }

    static load(file) {
        return new Keys(c.dmr_keys_free, (out) => c.dmr_keys_load(file, file.length, out));
    }

    card() {
        const card = {};
        must(c.dmr_keys_card(this.handle, card));
        return taken(c.dmr_bytes_free, card);
    }
}

/** A verified directory. */
export class Directory extends Handle {
    static verify(pin, bundle, now) {
        return new Directory(c.dmr_directory_free, (out) =>
            c.dmr_directory_verify(pin, pin.length, bundle, bundle.length, now, out));
    }

    find(name) {
        const found = {};
        must(c.dmr_directory_find_name(this.handle, name, found));
        return written(found.id);
    }
}

/** The keeper of a directory, for examples. */
export class Authority extends Handle {
    static found(network, now, validFor) {
        return new Authority(c.dmr_authority_free, (out) => c.dmr_authority_found(network, now, validFor, out));
    }

    add(cards, now, validFor) {
        const given = cards.map((card) => ({ data: card, len: card.length }));
        return new Directory(c.dmr_directory_free, (out) =>
            c.dmr_authority_add(this.handle, given, given.length, now, validFor, out));
    }
}

const NOTHING = { bytes: new Uint8Array(16) };
const NO_DIGEST = { bytes: new Uint8Array(32) };

/** Seals `body` to `recipients`, which are ids as texts; gives the envelope. */
export function seal(keys, directory, { recipients, kind, created, expires, contentType, body }) {
    const to = Buffer.concat(recipients.map((recipient) => id(recipient).bytes));
    const request = {
        recipients: to, recipient_count: recipients.length, created_ms: created, expires_ms: expires, id: NOTHING, kind,
    };
    const content = {
        content_type: contentType, body, body_len: body.length,
        has_conversation: 0, has_sequence: 0, has_room: 0, has_in_reply_to: 0,
        conversation: NOTHING, sequence: 0, room: NOTHING, in_reply_to: { id: NOTHING, digest: NO_DIGEST },
    };
    const sealed = {};
    must(c.dmr_seal(keys.handle, directory.handle, request, content, sealed));
    try {
        return copy(sealed.envelope);
    } finally {
        must(c.dmr_sealed_free(sealed));
    }
}

/** Opens an envelope as the participant of `keys`. */
export function open(keys, directory, envelope, now) {
    const opened = {};
    must(c.dmr_open(keys.handle, directory.handle, envelope, envelope.length, now, opened));
    try {
        const { id, sender, kind } = opened.facts;
        return {
            id: written(id), sender: written(sender), kind,
            contentType: copy(opened.content_type).toString("utf8"), body: copy(opened.body),
        };
    } finally {
        must(c.dmr_opened_free(opened));
    }
}
