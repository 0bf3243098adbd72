/*
 * DMR, Distributed Message Rooms: keys, directory, sealing, opening, login, and an agent's session,
 * in the caller's own process and without any connection.
 *
 * Made by cbindgen from bindings/src/c. Do not edit.
 *
 * Results. Every function returns a dmr_status: DMR_OK, or the number of an error, of which
 * dmr_last_error tells more. What a function hands out goes through its last arguments. On an error
 * these are zeros and nulls, and nothing has to be freed.
 *
 * Arguments. No pointer may be null unless its description says so; a null gives DMR_CALL_NULL. What
 * is passed in stays the caller's and is not kept. A struct that is passed in must be all zeros where
 * it is not set. Arrays may be null where their length is 0. Texts are UTF-8; where no length goes
 * with one, it ends in a zero. Ids are not texts: see dmr_id_parse. A place for a result is filled
 * with zeros before an argument is read: let it overlap none.
 *
 * Ownership. Structs that hold dmr_bytes, and dmr_bytes themselves, are freed by the function that
 * their description names: it wipes and frees what they hold and sets them to zeros, so that freeing
 * one twice does no harm. Copies of such a struct share what it holds: free one of them only. Do not
 * reuse one for another result before it is freed.
 *
 * Handles (dmr_keys, dmr_directory, dmr_trust, dmr_authority, dmr_session) look like pointers and
 * lead nowhere: they are only passed back. Each has a function that frees it and sets the variable
 * to null. A handle that was freed, was made up or is of another kind gives DMR_CALL_WRONG_HANDLE.
 *
 * Threads. Any function may be called from any thread at any time. Handles may be shared between
 * threads: what stands behind them never changes or is locked within. A handle that one thread frees
 * while another uses it lasts until that call is over. The structs are the caller's to guard.
 * After fork() a child may go on with the handles of its parent, unless another thread of the parent
 * was in a call meanwhile.
 *
 * Faults. No input makes this library crash or end the program: a fault within is caught and told as
 * DMR_CALL_PANICKED, and a session, trust or authority that it befell can then only be freed. What
 * cannot be caught is a pointer that leads elsewhere than its description says, and lack of memory.
 *
 * Times are milliseconds: *_ms since 1970 unless it says otherwise. Nothing here reads a clock.
 */


#ifndef DMR_H
#define DMR_H

#include <stddef.h>
#include <stdint.h>

/**
 * WebSocket subprotocol that both sides name.
 */
#define DMR_SUBPROTOCOL "dmr.v1"

/**
 * Content type of a body that dmr_receipts_encode makes.
 */
#define DMR_RECEIPTS_TYPE "application/vnd.dmr.receipts"

/**
 * What a call came to: DMR_OK, or the number of an error. The hundreds are kinds: 1 input, 2 directory, 3 keys,
 * 4 trust, 5 authority and standing, 6 verification and login, 7 sealing and opening, 8 the call itself, 9 why nothing
 * is sent or no login tried. A number keeps its meaning for ever; a newer library may return others.
 */
typedef enum dmr_status {
    DMR_OK = 0,
    DMR_UNKNOWN = 1,
    DMR_ID_NOT_UUID = 101,
    DMR_ID_NIL = 102,
    DMR_ID_NOT_NAME = 103,
    DMR_ID_NOT_HEX = 104,
    DMR_DECODE_TOO_LONG = 121,
    DMR_DECODE_MALFORMED = 122,
    DMR_DECODE_TRAILING = 123,
    DMR_DECODE_NOT_CANONICAL = 124,
    DMR_DECODE_INVALID = 125,
    DMR_ENCODE_UNSUPPORTED = 141,
    DMR_ENCODE_TOO_LONG = 142,
    DMR_JSON_MALFORMED = 151,
    DMR_PUBLISH_FULL = 161,
    DMR_PUBLISH_DUPLICATE = 162,
    DMR_PUBLISH_TOO_LARGE = 163,
    DMR_PUBLISH_STOPPED = 164,
    DMR_DIRECTORY_TOO_LONG = 201,
    DMR_DIRECTORY_JSON = 202,
    DMR_DIRECTORY_TOO_MANY = 203,
    DMR_DIRECTORY_NO_REVISION = 204,
    DMR_DIRECTORY_NO_LIFETIME = 205,
    DMR_DIRECTORY_BAD_MAX_TTL = 206,
    DMR_DIRECTORY_REPEATED_PARTICIPANT = 207,
    DMR_DIRECTORY_REPEATED_NAME = 208,
    DMR_DIRECTORY_REPEATED_PUBLIC_KEY = 209,
    DMR_DIRECTORY_EMPTY_VALIDITY = 210,
    DMR_DIRECTORY_USELESS_KEY = 211,
    DMR_DIRECTORY_NOT_SEALING = 212,
    DMR_DIRECTORY_WRONG_LENGTH = 213,
    DMR_DIRECTORY_REPEATED_REVOCATION = 214,
    DMR_DIRECTORY_UNKNOWN_IN_POLICY = 215,
    DMR_KEY_WRONG_LENGTH = 301,
    DMR_KEY_NOT_CANONICAL = 302,
    DMR_KEY_NOT_ON_CURVE = 303,
    DMR_KEY_SMALL_ORDER = 304,
    DMR_KEY_WRONG_ALGORITHM = 305,
    DMR_RANDOM_UNAVAILABLE = 321,
    DMR_KEY_FILE_TOO_LONG = 331,
    DMR_KEY_FILE_MALFORMED = 332,
    DMR_KEY_FILE_WRONG_KIND = 333,
    DMR_KEY_FILE_UNKNOWN_VERSION = 334,
    DMR_KEY_FILE_KEYS = 335,
    DMR_JWS_FORM = 401,
    DMR_JWS_HEADER = 402,
    DMR_JWS_ALGORITHM = 403,
    DMR_JWS_TYPE = 404,
    DMR_ROOT_TOO_LONG = 421,
    DMR_ROOT_JSON = 422,
    DMR_ROOT_REPEATED_KEY = 423,
    DMR_ROOT_THRESHOLD = 424,
    DMR_ROOT_EMPTY_VALIDITY = 425,
    DMR_ROOT_MISSING = 426,
    DMR_ROOT_TOO_MANY = 427,
    DMR_ROOT_WRONG_NETWORK = 428,
    DMR_ROOT_VERSION = 429,
    DMR_ROOT_REPEATED_SIGNATURE = 430,
    DMR_ROOT_NOT_SIGNED = 431,
    DMR_ROOT_BAD_SIGNATURE = 432,
    DMR_REFUSED_TOO_LONG = 451,
    DMR_REFUSED_FORM = 452,
    DMR_REFUSED_UNKNOWN_KEY = 453,
    DMR_REFUSED_BAD_SIGNATURE = 454,
    DMR_REFUSED_WRONG_NETWORK = 455,
    DMR_REFUSED_OUTSIDE_VALIDITY = 456,
    DMR_REFUSED_NOT_YET_ISSUED = 457,
    DMR_REFUSED_KEY = 458,
    DMR_REFUSED_REPEATED_KEY = 459,
    DMR_REFUSED_SEALING_KEY_NOT_SIGNED = 460,
    DMR_TRUST_ROOT_ROLLBACK = 481,
    DMR_TRUST_ROOT_FORKED = 482,
    DMR_TRUST_ROLLBACK = 483,
    DMR_TRUST_FORKED = 484,
    DMR_TRUST_EXPIRED = 485,
    DMR_AUTHORITY_WRONG_ROLE = 501,
    DMR_AUTHORITY_WRONG_NETWORK = 502,
    DMR_AUTHORITY_NAME_TAKEN = 503,
    DMR_AUTHORITY_UNKNOWN_NAME = 504,
    DMR_AUTHORITY_LAST_REVISION = 505,
    DMR_STANDING_NOT_LISTED = 521,
    DMR_STANDING_INACTIVE = 522,
    DMR_STANDING_NO_SIGNING_KEY = 523,
    DMR_STANDING_NO_LOGIN_KEY = 524,
    DMR_STANDING_NO_SEALING_KEY = 525,
    DMR_VERIFY_WRONG_NETWORK = 601,
    DMR_VERIFY_SUITE_TOO_LOW = 602,
    DMR_VERIFY_UNKNOWN_SENDER_KEY = 603,
    DMR_VERIFY_REVOKED_KEY = 604,
    DMR_VERIFY_SENDER_INACTIVE = 605,
    DMR_VERIFY_BAD_SIGNATURE = 606,
    DMR_VERIFY_STALE_DIRECTORY = 607,
    DMR_VERIFY_DIRECTORY_FORKED = 608,
    DMR_VERIFY_CREATED_IN_FUTURE = 609,
    DMR_VERIFY_BAD_LIFETIME = 610,
    DMR_VERIFY_EXPIRED = 611,
    DMR_VERIFY_KEY_OUT_OF_VALIDITY = 612,
    DMR_VERIFY_UNKNOWN_RECIPIENT = 613,
    DMR_VERIFY_RECIPIENT_INACTIVE = 614,
    DMR_VERIFY_POLICY_REFUSED = 615,
    DMR_LOGIN_WRONG_NETWORK = 641,
    DMR_LOGIN_UNSUPPORTED_VERSION = 642,
    DMR_LOGIN_UNKNOWN_KEY = 643,
    DMR_LOGIN_REVOKED_KEY = 644,
    DMR_LOGIN_KEY_OUT_OF_VALIDITY = 645,
    DMR_LOGIN_INACTIVE = 646,
    DMR_LOGIN_BAD_PROOF = 647,
    DMR_CHALLENGE_WRONG_NETWORK = 661,
    DMR_CHALLENGE_NOT_SIGNED = 662,
    DMR_CHALLENGE_UNKNOWN_KEY = 663,
    DMR_CHALLENGE_BAD_SIGNATURE = 664,
    DMR_SEAL_DIRECTORY_EXPIRED = 701,
    DMR_SEAL_DIRECTORY_FORKED = 702,
    DMR_SEAL_RECIPIENT_COUNT = 703,
    DMR_SEAL_REPEATED_RECIPIENT = 704,
    DMR_SEAL_NO_SEALING_KEY = 705,
    DMR_SEAL_NO_COMMON_SUITE = 706,
    DMR_SEAL_BAD_LIFETIME = 707,
    DMR_SEAL_FAILED = 708,
    DMR_OPEN_NOT_RECIPIENT = 741,
    DMR_OPEN_UNKNOWN_KEY = 742,
    DMR_OPEN_KEY_OUT_OF_VALIDITY = 743,
    DMR_OPEN_UNDECRYPTABLE = 744,
    DMR_OPEN_MALFORMED = 745,
    DMR_CALL_NULL = 801,
    DMR_CALL_TOO_LONG = 802,
    DMR_CALL_NOT_TEXT = 803,
    DMR_CALL_WRONG_LENGTH = 804,
    DMR_CALL_OUT_OF_RANGE = 805,
    DMR_CALL_WRONG_HANDLE = 806,
    DMR_CALL_PANICKED = 807,
    DMR_CALL_OUT_OF_TURN = 808,
    DMR_CALL_MISALIGNED = 809,
    DMR_UNSEALABLE_NO_DIRECTORY = 901,
    DMR_UNSEALABLE_EXPIRED = 902,
    DMR_UNSEALABLE_FORKED = 903,
    DMR_UNSEALABLE_OWN_ENTRY = 904,
    DMR_SEND_UNKNOWN_RECIPIENT = 921,
    DMR_SEND_RECIPIENT_INACTIVE = 922,
    DMR_SEND_POLICY_REFUSED = 923,
    DMR_SEND_RECIPIENTS = 924,
    DMR_SEND_LIFETIME = 925,
    DMR_SEND_TOO_LARGE = 926,
    DMR_SEND_FULL = 927,
    DMR_SEND_DUPLICATE = 928,
    DMR_SEND_REJECTED = 929,
    DMR_SEND_EXPIRED = 930,
    DMR_SEND_WITHDRAWN = 931,
    DMR_SEND_NOT_A_QUESTION = 932,
    DMR_SEND_SEAL = 933,
    DMR_SEND_STOPPED = 934,
    DMR_LOGIN_REFUSAL_UNPROVEN_SERVER = 961,
    DMR_LOGIN_REFUSAL_NO_LOGIN_KEY = 962,
    DMR_LOGIN_REFUSAL_NO_CHANNEL_BINDING = 963,
    DMR_LOGIN_REFUSAL_NO_RANDOMNESS = 964,
    DMR_LOGIN_REFUSAL_MALFORMED = 965,
    DMR_STATUS_LARGEST = 0x7fffffff
} dmr_status;

/**
 * Why a link was closed, as a WebSocket close code. Below 3500: connect again; from there: much later.
 */
typedef enum dmr_close {
    DMR_CLOSE_DRAINING = 3000,
    DMR_CLOSE_SUPERSEDED = 3001,
    DMR_CLOSE_HEARTBEAT_MISSED = 3002,
    DMR_CLOSE_LOGIN_TIMEOUT = 3003,
    DMR_CLOSE_SLOW_PEER = 3004,
    DMR_CLOSE_UNAVAILABLE = 3005,
    DMR_CLOSE_TOO_MANY_CONNECTIONS = 3006,
    DMR_CLOSE_DIRECTORY_CHANGED = 3007,
    DMR_CLOSE_SETTLE_TIMEOUT = 3008,
    DMR_CLOSE_LINK_LOST = 3009,
    DMR_CLOSE_CONNECT_FAILED = 3010,
    DMR_CLOSE_SHUTDOWN = 3011,
    DMR_CLOSE_PROTOCOL_VIOLATION = 3500,
    DMR_CLOSE_MALFORMED = 3501,
    DMR_CLOSE_FRAME_TOO_LARGE = 3502,
    DMR_CLOSE_UNSUPPORTED_VERSION = 3503,
    DMR_CLOSE_WRONG_NETWORK = 3504,
    DMR_CLOSE_LOGIN_REFUSED = 3505,
    DMR_CLOSE_CREDIT_EXCEEDED = 3506,
    DMR_CLOSE_WRONG_SERVER = 3507,
    DMR_CLOSE_NO_CHANNEL_BINDING = 3508,
    DMR_CLOSE_LARGEST = 0x7fffffff
} dmr_close;

/**
 * Why a server did not take a publish. Below 500: never will; from there: may be published again.
 */
typedef enum dmr_reject {
    DMR_REJECT_SENDER_MISMATCH = 1,
    DMR_REJECT_WRONG_NETWORK = 2,
    DMR_REJECT_BAD_SIGNATURE = 3,
    DMR_REJECT_UNKNOWN_SENDER_KEY = 4,
    DMR_REJECT_EXPIRED = 5,
    DMR_REJECT_BAD_LIFETIME = 6,
    DMR_REJECT_UNKNOWN_RECIPIENT = 7,
    DMR_REJECT_RECIPIENT_INACTIVE = 8,
    DMR_REJECT_POLICY_REFUSED = 9,
    DMR_REJECT_TOO_LARGE = 10,
    DMR_REJECT_SUITE_TOO_LOW = 11,
    DMR_REJECT_RATE_LIMITED = 500,
    DMR_REJECT_MAILBOX_FULL = 501,
    DMR_REJECT_UNAVAILABLE = 502,
    DMR_REJECT_UNDECIDED = 503,
    DMR_REJECT_DRAINING = 504,
    DMR_REJECT_STALE_DIRECTORY = 505,
    DMR_REJECT_LARGEST = 0x7fffffff
} dmr_reject;

/**
 * Why an accepted message is never delivered, or why its recipient refused it.
 */
typedef enum dmr_failure {
    DMR_FAILURE_EXPIRED = 1,
    DMR_FAILURE_REFUSED = 2,
    DMR_FAILURE_UNDELIVERABLE = 3,
    DMR_FAILURE_MALFORMED = 4,
    DMR_FAILURE_REJECTED = 5,
    DMR_FAILURE_REPLAYED = 6,
    DMR_FAILURE_UNKNOWN_KEY = 7,
    DMR_FAILURE_REVOKED = 8,
    DMR_FAILURE_NOT_ACCEPTED = 9,
    DMR_FAILURE_MAILBOX_OVERFLOW = 10,
    DMR_FAILURE_UNSOLICITED = 11,
    DMR_FAILURE_LARGEST = 0x7fffffff
} dmr_failure;


/**
 * The version of the interface that this header describes: functions and structs are as here for as long as it is
 * the same. The library's file name ends in it.
 */
#define DMR_ABI 0

/**
 * Room for an id as text, with the zero.
 */
#define DMR_ID_TEXT 37

/**
 * Suite 1: HPKE with X25519, Ed25519.
 */
#define DMR_SUITE_X25519 1

/**
 * Suite 2: the same with X-Wing (ML-KEM-768 and X25519), against a later quantum computer.
 */
#define DMR_SUITE_X_WING 2

/**
 * A directory is in the first half of its life.
 */
#define DMR_FRESHNESS_FRESH 0

/**
 * In the second half: its keeper should renew it.
 */
#define DMR_FRESHNESS_AGEING 1

/**
 * Expired less than a day ago: still used.
 */
#define DMR_FRESHNESS_GRACE 2

/**
 * Expired: nothing new is sealed under it; opening goes on.
 */
#define DMR_FRESHNESS_EXPIRED 3

/**
 * A participant takes part.
 */
#define DMR_PARTICIPANT_ACTIVE 0

/**
 * It neither sends nor receives for a while.
 */
#define DMR_PARTICIPANT_SUSPENDED 1

/**
 * It takes part no more.
 */
#define DMR_PARTICIPANT_REMOVED 2

/**
 * Asks for an answer.
 */
#define DMR_KIND_QUESTION 1

/**
 * Answers a question, which `in_reply_to` names.
 */
#define DMR_KIND_ANSWER 2

/**
 * Says that a question, which `in_reply_to` names, will not be answered.
 */
#define DMR_KIND_DECLINE 3

/**
 * Tells something and expects no answer.
 */
#define DMR_KIND_EVENT 4

/**
 * Says what became of envelopes: see `dmr_receipts_encode`.
 */
#define DMR_KIND_RECEIPT 5

/**
 * Between agents, about the exchange itself.
 */
#define DMR_KIND_CONTROL 6

/**
 * Most recipients of one envelope.
 */
#define DMR_RECIPIENTS 64

/**
 * Most receipts in one message.
 */
#define DMR_RECEIPTS 64

/**
 * The recipient's service took it.
 */
#define DMR_VERDICT_DELIVERED 0

/**
 * It will never be delivered; `reason` says why.
 */
#define DMR_VERDICT_FAILED 1

/**
 * A person has seen it.
 */
#define DMR_VERDICT_READ 2

/**
 * Most servers of one session.
 */
#define DMR_SERVERS 64

/**
 * Nothing for now.
 */
#define DMR_EVENT_NONE 0

/**
 * Open a link to the server at `server`, giving up any other; answer with `dmr_session_link_up` or
 * `dmr_session_link_down`.
 */
#define DMR_EVENT_CONNECT 1

/**
 * Log in: answer with `dmr_session_sign`, or with `dmr_session_challenge_signed` or `dmr_session_challenge_refused`.
 * `data` is the challenge, `signature` the server's over it, empty when it has no key.
 */
#define DMR_EVENT_SIGN 2

/**
 * Logged in at `server`: `id` names the session in both sides' logs, `store` the broker's memory.
 */
#define DMR_EVENT_READY 3

/**
 * The link is gone for `reason`, `DMR_CLOSE_…`; another is asked for after `delay_ms`.
 */
#define DMR_EVENT_DOWN 4

/**
 * The server has the message `id`, by the broker's word. May come again.
 */
#define DMR_EVENT_CONFIRMED 5

/**
 * The server does not take the message `id` for `reason`, `DMR_REJECT_…`; the session has forgotten it. Not to be
 * published again before `delay_ms`. `recipients`: each one's result, when they differ.
 */
#define DMR_EVENT_REJECTED 6

/**
 * An envelope came in: `data`. Settle it by `delivery`. `attempt` is 1 for the first time; a hint.
 */
#define DMR_EVENT_DELIVERED 7

/**
 * The message `id` expired without a receipt, or without a confirm; the session has forgotten it.
 */
#define DMR_EVENT_EXPIRED 8

/**
 * A directory came in, unverified: `data`. Offer it to `dmr_trust_offer`.
 */
#define DMR_EVENT_DIRECTORY 9

/**
 * A server's unsigned word about the confirmed message `id`: `reason`, `DMR_FAILURE_…`.
 */
#define DMR_EVENT_NOTICE 10

/**
 * The session has shut down. Nothing follows.
 */
#define DMR_EVENT_STOPPED 11

/**
 * Nothing for now.
 */
#define DMR_TRANSMIT_NONE 0

/**
 * Send `frame`: one binary WebSocket message.
 */
#define DMR_TRANSMIT_FRAME 1

/**
 * Close the link with `close_code`, then report it down. Nothing follows on this link.
 */
#define DMR_TRANSMIT_CLOSE 2

/**
 * No deadline.
 */
#define DMR_NEVER UINT64_MAX

/**
 * Between two links.
 */
#define DMR_STATE_WAITING 0

/**
 * The program opens a link.
 */
#define DMR_STATE_CONNECTING 1

/**
 * The link is open.
 */
#define DMR_STATE_AWAITING_CHALLENGE 2

/**
 * The program checks the challenge and signs the login.
 */
#define DMR_STATE_SIGNING 3

/**
 * The login is out.
 */
#define DMR_STATE_AWAITING_WELCOME 4

/**
 * Frames flow.
 */
#define DMR_STATE_READY 5

/**
 * The server or the program asked to finish.
 */
#define DMR_STATE_DRAINING 6

/**
 * The close is to be sent.
 */
#define DMR_STATE_CLOSING 7

/**
 * Over.
 */
#define DMR_STATE_STOPPED 8

/**
 * A network's keeper: its root key, its directory key and its newest directory, in memory only. For tests and examples.
 * Locked within: any number of threads may use it at once. Freed with `dmr_authority_free`, which wipes the keys.
 */
typedef struct dmr_authority dmr_authority;

/**
 * A directory whose whole chain of signatures holds: the only thing under which anything is sealed or opened. Never
 * changes; any number of threads may use it at once. Freed with `dmr_directory_free`.
 */
typedef struct dmr_directory dmr_directory;

/**
 * A participant's secret keys. Never changes; any number of threads may use it at once. Freed with `dmr_keys_free`;
 * the secrets are wiped when the last call that uses them is over.
 */
typedef struct dmr_keys dmr_keys;

/**
 * An agent's session, without a connection of its own. The program opens a WebSocket to the path
 * `/v1/link` of the server with the one subprotocol `DMR_SUBPROTOCOL` when `DMR_EVENT_CONNECT` says so, hands each binary message to `dmr_session_receive`, sends what
 * `dmr_session_poll_transmit` gives as one binary message each, does what `dmr_session_poll_event` asks for, and calls
 * `dmr_session_handle_timeout` when `dmr_session_poll_timeout` is reached. It needs no clock: both readings are given,
 * `wall_ms` in milliseconds since 1970, and `elapsed_ms` of a clock that never goes back, from any origin.
 *
 * Locked within, so any number of threads may call it; what the calls mean depends on their order, which is for the program
 * to keep. Freed with `dmr_session_free`.
 */
typedef struct dmr_session dmr_session;

/**
 * What a participant trusts: a pin, the directory in use, and what it has seen. Locked within: any number of threads
 * may use it at once. Freed with `dmr_trust_free`.
 */
typedef struct dmr_trust dmr_trust;

/**
 * Which library is in use.
 */
typedef struct dmr_library {
    /**
     * Version of the interface: compare it with `DMR_ABI`.
     */
    uint16_t abi;
    /**
     * Version of the library, first number.
     */
    uint16_t major;
    /**
     * Version of the library, second number.
     */
    uint16_t minor;
    /**
     * Version of the library, third number.
     */
    uint16_t patch;
    /**
     * Version of the protocol on the wire.
     */
    uint16_t protocol;
} dmr_library;

/**
 * Bytes that this library has allocated. Whoever received them frees them with `dmr_bytes_free`, which wipes them
 * first. Behind the last byte stands one zero, which `len` does not count, so that a text can be read as one of C's.
 * Of no bytes, `data` is null unless a description says otherwise.
 */
typedef struct dmr_bytes {
    /**
     * The bytes. Read them; change neither the pointer nor `len`.
     */
    uint8_t *data;
    /**
     * How many.
     */
    size_t len;
} dmr_bytes;

/**
 * A UUID (RFC 9562) of a participant, a message, a conversation, a room, an instance, a session or a store. Sixteen
 * zeros name nothing.
 */
typedef struct dmr_id {
    /**
     * The bytes, in the order in which they are written.
     */
    uint8_t bytes[16];
} dmr_id;

/**
 * The name of a network, a participant or a server: 1 to 64 of `a-z 0-9 . _ -`, beginning with a letter or a digit.
 */
typedef struct dmr_name {
    /**
     * The name and a zero.
     */
    char text[65];
} dmr_name;

/**
 * A SHA-256 that names an envelope or a directory.
 */
typedef struct dmr_digest {
    /**
     * The bytes.
     */
    uint8_t bytes[32];
} dmr_digest;

/**
 * What a directory says of itself.
 */
typedef struct dmr_directory_info {
    /**
     * The network.
     */
    struct dmr_name network;
    /**
     * The revision; grows with each document.
     */
    uint64_t revision;
    /**
     * Version of the newest root document.
     */
    uint64_t root_version;
    /**
     * SHA-256 of the signed document: what headers carry.
     */
    struct dmr_digest digest;
    /**
     * When it was signed, in milliseconds since 1970.
     */
    uint64_t issued_ms;
    /**
     * When it ends, in milliseconds since 1970.
     */
    uint64_t expires_ms;
    /**
     * Longest lifetime of an envelope, in milliseconds.
     */
    uint64_t max_ttl_ms;
    /**
     * How many participants it lists, whatever their status.
     */
    size_t participants;
    /**
     * How many relay servers it lists; 0: none can prove its name.
     */
    size_t servers;
    /**
     * The lowest suite that receivers accept: `DMR_SUITE_…`.
     */
    uint16_t suite_floor;
    /**
     * Not 0: another document of the same revision exists, and nothing is sealed under this one.
     */
    uint8_t is_forked;
} dmr_directory_info;

/**
 * One entry of a directory.
 */
typedef struct dmr_participant {
    /**
     * The id.
     */
    struct dmr_id id;
    /**
     * The name.
     */
    struct dmr_name name;
    /**
     * `DMR_PARTICIPANT_…`.
     */
    uint32_t status;
} dmr_participant;

/**
 * Bytes of the caller's, borrowed for the length of a call.
 */
typedef struct dmr_slice {
    /**
     * The bytes; may be null when `len` is 0.
     */
    const uint8_t *data;
    /**
     * How many.
     */
    size_t len;
} dmr_slice;

/**
 * What an envelope is for, and for whom. Start from all zeros; everything stays the caller's.
 */
typedef struct dmr_seal_request {
    /**
     * Who shall open it: 1 to 64 participants, none twice, in any order.
     */
    const struct dmr_id *recipients;
    /**
     * How many recipients.
     */
    size_t recipient_count;
    /**
     * Now, in milliseconds since 1970.
     */
    uint64_t created_ms;
    /**
     * After this it is not delivered, in milliseconds since 1970.
     */
    uint64_t expires_ms;
    /**
     * Unique for the sender; sixteen zeros: a fresh one is made.
     */
    struct dmr_id id;
    /**
     * `DMR_KIND_…`, or a number of the callers' own from 7 up.
     */
    uint16_t kind;
} dmr_seal_request;

/**
 * Names one envelope beyond doubt.
 */
typedef struct dmr_reference {
    /**
     * The envelope's id.
     */
    struct dmr_id id;
    /**
     * The digest of what its sender signed.
     */
    struct dmr_digest digest;
} dmr_reference;

/**
 * A message to be sealed. Start from all zeros; a field whose `has_…` is 0 is not there, whatever it holds. Everything
 * stays the caller's.
 */
typedef struct dmr_content {
    /**
     * Media type of the body, ending in zero.
     */
    const char *content_type;
    /**
     * The message itself; may be null when `body_len` is 0.
     */
    const uint8_t *body;
    /**
     * Bytes of the body; about 1 MiB at most.
     */
    size_t body_len;
    /**
     * Not 0: `conversation` counts.
     */
    uint8_t has_conversation;
    /**
     * Not 0: `sequence` counts.
     */
    uint8_t has_sequence;
    /**
     * Not 0: `room` counts.
     */
    uint8_t has_room;
    /**
     * Not 0: `in_reply_to` counts.
     */
    uint8_t has_in_reply_to;
    /**
     * Conversation that the message belongs to.
     */
    struct dmr_id conversation;
    /**
     * Position in the conversation, from 0.
     */
    uint64_t sequence;
    /**
     * Room that the message belongs to.
     */
    struct dmr_id room;
    /**
     * The envelope that this one answers.
     */
    struct dmr_reference in_reply_to;
} dmr_content;

/**
 * A sealed envelope. Freed with `dmr_sealed_free`.
 */
typedef struct dmr_sealed {
    /**
     * What travels.
     */
    struct dmr_bytes envelope;
    /**
     * Its id.
     */
    struct dmr_id id;
    /**
     * Names it in receipts and answers.
     */
    struct dmr_digest digest;
} dmr_sealed;

/**
 * What a verified signature vouches for.
 */
typedef struct dmr_facts {
    /**
     * Names the envelope in receipts, in answers, and for a guard against replays.
     */
    struct dmr_digest digest;
    /**
     * Its id.
     */
    struct dmr_id id;
    /**
     * Who sealed it.
     */
    struct dmr_id sender;
    /**
     * When it was sealed, by the sender's clock, in milliseconds since 1970.
     */
    uint64_t created_ms;
    /**
     * When it expires, in milliseconds since 1970.
     */
    uint64_t expires_ms;
    /**
     * `DMR_KIND_…`, or another number, which is treated like an event.
     */
    uint16_t kind;
} dmr_facts;

/**
 * An opened message. A field whose `has_…` is 0 is not there. Freed with `dmr_opened_free`, which wipes it.
 */
typedef struct dmr_opened {
    /**
     * Where it comes from. Remember digests by sender and id until they expire: the same envelope opens again.
     */
    struct dmr_facts facts;
    /**
     * Media type of the body: UTF-8, and a zero behind it. Its `data` is not null, also when it is empty.
     */
    struct dmr_bytes content_type;
    /**
     * The message itself.
     */
    struct dmr_bytes body;
    /**
     * Not 0: `conversation` counts.
     */
    uint8_t has_conversation;
    /**
     * Not 0: `sequence` counts.
     */
    uint8_t has_sequence;
    /**
     * Not 0: `room` counts.
     */
    uint8_t has_room;
    /**
     * Not 0: `in_reply_to` counts.
     */
    uint8_t has_in_reply_to;
    /**
     * Conversation that the message belongs to.
     */
    struct dmr_id conversation;
    /**
     * Position in the conversation, from 0.
     */
    uint64_t sequence;
    /**
     * Room that the message belongs to.
     */
    struct dmr_id room;
    /**
     * The envelope that this one answers.
     */
    struct dmr_reference in_reply_to;
} dmr_opened;

/**
 * One recipient, and its sealing key that was chosen.
 */
typedef struct dmr_recipient {
    /**
     * Who may open the envelope.
     */
    struct dmr_id participant;
    /**
     * Id of the key.
     */
    uint8_t key[16];
} dmr_recipient;

/**
 * What an envelope says of itself. Nothing of it is verified.
 */
typedef struct dmr_header {
    /**
     * The network.
     */
    struct dmr_name network;
    /**
     * Its id.
     */
    struct dmr_id id;
    /**
     * Who is said to have sealed it.
     */
    struct dmr_id sender;
    /**
     * Id of the sender's key.
     */
    uint8_t sender_key[16];
    /**
     * What its signature would name it by.
     */
    struct dmr_digest digest;
    /**
     * When it was sealed, in milliseconds since 1970.
     */
    uint64_t created_ms;
    /**
     * When it expires, in milliseconds since 1970.
     */
    uint64_t expires_ms;
    /**
     * Revision of the directory it was sealed under.
     */
    uint64_t directory_revision;
    /**
     * Digest of that directory.
     */
    struct dmr_digest directory_digest;
    /**
     * `DMR_SUITE_…`.
     */
    uint16_t suite;
    /**
     * `DMR_KIND_…`, or another number.
     */
    uint16_t kind;
    /**
     * How many recipients, 1 to 64.
     */
    size_t recipient_count;
    /**
     * The recipients, ascending by id; zeros behind the last.
     */
    struct dmr_recipient recipients[64];
} dmr_header;

/**
 * What a recipient says of one envelope.
 */
typedef struct dmr_receipt {
    /**
     * Which envelope.
     */
    struct dmr_reference envelope;
    /**
     * `DMR_VERDICT_…`.
     */
    uint32_t verdict;
    /**
     * Why it failed: `DMR_FAILURE_…`; 0 for the other verdicts.
     */
    uint16_t reason;
    /**
     * When, by the recipient's clock, in milliseconds since 1970.
     */
    uint64_t at_ms;
} dmr_receipt;

/**
 * What ties a login to this process and its connection. Start from all zeros.
 */
typedef struct dmr_login_options {
    /**
     * This process: a fresh id for each. A newer link of the same instance supersedes the older.
     */
    struct dmr_id instance;
    /**
     * Not 0: `binding` counts. A connection with TLS must be bound when the challenge offers it.
     */
    uint8_t has_binding;
    /**
     * The TLS connection's `tls-exporter` (RFC 9266): 32 bytes of exported keying material.
     */
    uint8_t binding[32];
    /**
     * Not 0: a server that cannot bind logins is used all the same, because TLS ends elsewhere. Only `dmr_session_sign`
     * looks at it.
     */
    uint8_t allows_unbound;
    /**
     * How many logins in a row this server has refused, from 0: chooses among the login keys, since a server may have
     * a directory that is not known here yet.
     */
    uint32_t attempt;
} dmr_login_options;

/**
 * A login: what goes into the frame that answers a challenge. Freed with `dmr_login_free`.
 */
typedef struct dmr_login {
    /**
     * The fields that were signed.
     */
    struct dmr_bytes fields;
    /**
     * The signature over challenge and fields: 64 bytes.
     */
    struct dmr_bytes proof;
} dmr_login;

/**
 * Whose login it was.
 */
typedef struct dmr_logged_in {
    /**
     * The participant.
     */
    struct dmr_id participant;
    /**
     * Its process.
     */
    struct dmr_id instance;
    /**
     * Revision of the directory that it has; 0 for none.
     */
    uint64_t directory_revision;
    /**
     * Not 0: `binding` counts.
     */
    uint8_t has_binding;
    /**
     * What it says of the connection: to be compared with one's own.
     */
    uint8_t binding[32];
} dmr_logged_in;

/**
 * A server's challenge, decoded.
 */
typedef struct dmr_challenge {
    /**
     * The network that the server serves.
     */
    struct dmr_name network;
    /**
     * The server's name.
     */
    struct dmr_name server;
    /**
     * Lowest protocol version it speaks.
     */
    uint16_t version_min;
    /**
     * Highest protocol version it speaks.
     */
    uint16_t version_max;
    /**
     * Largest envelope it takes, in bytes.
     */
    uint32_t max_envelope;
    /**
     * Revision of the directory it has.
     */
    uint64_t directory_revision;
    /**
     * Not 0: it can bind the login to the TLS connection.
     */
    uint8_t binds_channel;
    /**
     * Not 0: it names a key of its own.
     */
    uint8_t is_signed;
} dmr_challenge;

/**
 * How a session behaves. Fill it with `dmr_session_defaults` first, then set network, participant and servers. It and all
 * that it points to stay the caller's, and are not needed once the session is made.
 */
typedef struct dmr_session_config {
    /**
     * The network, ending in zero. No default.
     */
    const char *network;
    /**
     * The names that the servers' challenges must bear, in the order in which `dmr_event.server` counts them; a null
     * among them allows any. No default.
     */
    const char *const *server_names;
    /**
     * How many servers, 1 to 64. Default 0, which is refused.
     */
    size_t server_count;
    /**
     * Who takes part. No default.
     */
    struct dmr_id participant;
    /**
     * This process. Default: fresh.
     */
    struct dmr_id instance;
    /**
     * Seed of the jitter; different in every process. Default: random.
     */
    uint64_t seed;
    /**
     * Messages kept until their receipt. Default 10,000.
     */
    size_t outbox_messages;
    /**
     * Bytes of envelopes kept until their receipt. Default 64 MiB.
     */
    size_t outbox_bytes;
    /**
     * Time for opening a link, in ms. Default 15,000.
     */
    uint64_t connect_timeout_ms;
    /**
     * Time from the open link to the welcome, in ms. Default 10,000.
     */
    uint64_t login_timeout_ms;
    /**
     * Time for finishing at a drain and at a shutdown, in ms. Default 5,000.
     */
    uint64_t grace_ms;
    /**
     * Upper end of the first delay before connecting again, in ms; it doubles each time. Default 250.
     */
    uint64_t backoff_base_ms;
    /**
     * Upper end of every such delay, in ms. Default 30,000.
     */
    uint64_t backoff_cap_ms;
    /**
     * Delay after a refusal that will not pass soon, in ms. Default 60,000.
     */
    uint64_t refused_delay_ms;
    /**
     * Refusals in a row that are answered by an ordinary delay. Default 1.
     */
    size_t first_refusals;
    /**
     * Deliveries that may be unsettled at once, 1 to 1,024; 0: the session only sends. Default 64.
     */
    uint16_t prefetch;
    /**
     * Not 0: deliveries come with the first login. 0: only after `dmr_session_accept_deliveries`. Default 1.
     */
    uint8_t subscribes_at_once;
} dmr_session_config;

/**
 * One recipient's part in a publish that was not confirmed as a whole.
 */
typedef struct dmr_recipient_result {
    /**
     * The recipient.
     */
    struct dmr_id participant;
    /**
     * Why its mailbox does not have the envelope, `DMR_REJECT_…`; 0: it does.
     */
    uint16_t reason;
} dmr_recipient_result;

/**
 * What a session asks for or tells: `kind` says which fields count, the others are zeros. Freed with `dmr_event_free`.
 */
typedef struct dmr_event {
    /**
     * `DMR_EVENT_…`.
     */
    uint32_t kind;
    /**
     * Attempt of a delivery.
     */
    uint32_t attempt;
    /**
     * Position in the list of servers.
     */
    size_t server;
    /**
     * A message, or the login's session.
     */
    struct dmr_id id;
    /**
     * The broker's memory.
     */
    struct dmr_id store;
    /**
     * Names a delivery of this session.
     */
    uint64_t delivery;
    /**
     * A delay, in milliseconds.
     */
    uint64_t delay_ms;
    /**
     * The challenge, the envelope or the directory.
     */
    struct dmr_bytes data;
    /**
     * A server's signature.
     */
    struct dmr_bytes signature;
    /**
     * A number of `DMR_CLOSE_…`, `DMR_REJECT_…` or `DMR_FAILURE_…`; or one of a newer version.
     */
    uint16_t reason;
    /**
     * How many of `recipients` count.
     */
    size_t recipient_count;
    /**
     * Each recipient's result.
     */
    struct dmr_recipient_result recipients[64];
} dmr_event;

/**
 * What is to be done to the link. Freed with `dmr_transmit_free`.
 */
typedef struct dmr_transmit {
    /**
     * `DMR_TRANSMIT_…`.
     */
    uint32_t kind;
    /**
     * Close code of the WebSocket, `DMR_CLOSE_…`.
     */
    uint16_t close_code;
    /**
     * The frame.
     */
    struct dmr_bytes frame;
} dmr_transmit;

/**
 * Where a session stands.
 */
typedef struct dmr_session_view {
    /**
     * `DMR_STATE_…`.
     */
    uint32_t state;
    /**
     * Not 0: `dmr_session_poll_transmit` may have something.
     */
    uint8_t wants_transmit;
    /**
     * Messages in the outbox.
     */
    size_t outbox_messages;
    /**
     * Bytes of their envelopes.
     */
    size_t outbox_bytes;
    /**
     * Those on the link without an answer.
     */
    size_t unconfirmed;
    /**
     * Deliveries that are not settled.
     */
    size_t unsettled;
} dmr_session_view;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Which library is in use.
 */
dmr_status dmr_version(struct dmr_library *library);

/**
 * How many handles of this process are not freed: for finding those that a program forgets. They stand in a table of
 * the library's, so tools that look for lost memory do not see them.
 */
dmr_status dmr_live_handles(size_t *count);

/**
 * Writes what went wrong in the last call on this thread that failed, in English and without secrets, and a zero.
 * A call that succeeds leaves the text alone; before the first failure it is empty.
 *
 * `buffer`: room for `len` characters, may be null when `len` is 0. A text that does not fit is cut. At most 1,024
 * are ever needed. `needed`: how many characters the whole text takes, with the zero.
 */
dmr_status dmr_last_error(char *buffer,
                          size_t len,
                          size_t *needed);

/**
 * Writes the stable name of `status`, such as `verify.bad-signature`, and a zero: what logs and the other languages
 * call the same error. `DMR_OK` is called `ok`.
 *
 * `buffer`, `len` and `needed` as for `dmr_last_error`; 64 characters are enough. `DMR_CALL_OUT_OF_RANGE` for a
 * number that is none of `dmr_status`.
 */
dmr_status dmr_status_name(uint32_t status,
                           char *buffer,
                           size_t len,
                           size_t *needed);

/**
 * Wipes and frees `bytes` and sets it to nothing; freeing that again does no harm.
 *
 * `bytes`: as this library filled it in, or all zero. A copy of the struct must not be freed as well.
 */
dmr_status dmr_bytes_free(struct dmr_bytes *bytes);

/**
 * A fresh message id, made of the time and randomness, so that ids ascend roughly with time.
 *
 * `now_ms`: milliseconds since 1970.
 */
dmr_status dmr_id_fresh(uint64_t now_ms, struct dmr_id *id);

/**
 * The id that `text` writes, in 36 characters and a zero.
 */
dmr_status dmr_id_parse(const char *text, struct dmr_id *id);

/**
 * Writes an id as text: 36 characters and a zero.
 *
 * `buffer`: room for `len` characters. `DMR_CALL_WRONG_LENGTH` for fewer than `DMR_ID_TEXT`, and an empty text.
 */
dmr_status dmr_id_text(const struct dmr_id *id,
                       char *buffer,
                       size_t len);

/**
 * The id of a participant's answer to a question. However often it is asked, it has one answer.
 *
 * `question`: the question's id. `answering`: who answers. `answer`: the id under which to seal it.
 */
dmr_status dmr_answer_id(const struct dmr_id *question,
                         const struct dmr_id *answering,
                         struct dmr_id *answer);

/**
 * Fresh keys: an identity key for signing and login, and a sealing key for each suite up to `suite`.
 *
 * `participant`: whose. `name`: its name, ending in zero. `suite`: `DMR_SUITE_…`. `not_before_ms`, `not_after_ms`: when
 * the keys are valid, in milliseconds since 1970. `keys`: a handle, to be freed with `dmr_keys_free`.
 */
dmr_status dmr_keys_generate(const struct dmr_id *participant,
                             const char *name,
                             uint16_t suite,
                             uint64_t not_before_ms,
                             uint64_t not_after_ms,
                             struct dmr_keys **keys);

/**
 * The keys in the text of a key file, which this library or `dmr-agent` has written. Nothing of the text is kept.
 *
 * `text`, `len`: the file, at most 64 KiB; wipe it afterwards. `keys`: a handle, to be freed with `dmr_keys_free`.
 */
dmr_status dmr_keys_load(const uint8_t *text,
                         size_t len,
                         struct dmr_keys **keys);

/**
 * The text of the key file: secret. Write it where nobody else can read it.
 *
 * `text`: to be freed with `dmr_bytes_free`, which wipes it.
 */
dmr_status dmr_keys_save(const struct dmr_keys *keys, struct dmr_bytes *text);

/**
 * The public card, as JSON: what the directory's keeper is handed. Nothing in it is secret.
 *
 * `card`: to be freed with `dmr_bytes_free`.
 */
dmr_status dmr_keys_card(const struct dmr_keys *keys, struct dmr_bytes *card);

/**
 * Whose keys they are.
 */
dmr_status dmr_keys_participant(const struct dmr_keys *keys, struct dmr_id *participant);

/**
 * The participant's name.
 */
dmr_status dmr_keys_name(const struct dmr_keys *keys, struct dmr_name *name);

/**
 * Frees the keys and sets `*keys` to null. A handle that was freed before gives `DMR_CALL_WRONG_HANDLE`, null nothing.
 */
dmr_status dmr_keys_free(struct dmr_keys **keys);

/**
 * Verifies a directory against a pin, without regard to what was seen before and to whether it has expired: an agent
 * uses `dmr_trust` instead.
 *
 * `pin`, `pin_len`: the text of the pin file. `bundle`, `bundle_len`: root documents and directory as they travel, at
 * most 16 MiB. `now_ms`: milliseconds since 1970. `directory`: a handle, to be freed with `dmr_directory_free`.
 */
dmr_status dmr_directory_verify(const uint8_t *pin,
                                size_t pin_len,
                                const uint8_t *bundle,
                                size_t bundle_len,
                                uint64_t now_ms,
                                struct dmr_directory **directory);

/**
 * What the directory says of itself.
 */
dmr_status dmr_directory_read(const struct dmr_directory *directory,
                              struct dmr_directory_info *info);

/**
 * How far the directory is through its life: `DMR_FRESHNESS_…`.
 */
dmr_status dmr_directory_freshness(const struct dmr_directory *directory,
                                   uint64_t now_ms,
                                   uint32_t *freshness);

/**
 * The participant with this id, whatever its status. `DMR_STANDING_NOT_LISTED` when there is none.
 */
dmr_status dmr_directory_find_id(const struct dmr_directory *directory,
                                 const struct dmr_id *id,
                                 struct dmr_participant *participant);

/**
 * The participant with this name, whatever its status. `DMR_AUTHORITY_UNKNOWN_NAME` when there is none.
 *
 * `name`: ending in zero.
 */
dmr_status dmr_directory_find_name(const struct dmr_directory *directory,
                                   const char *name,
                                   struct dmr_participant *participant);

/**
 * The participant at `position`, from 0: to list them all. `DMR_CALL_OUT_OF_RANGE` past the last.
 */
dmr_status dmr_directory_participant(const struct dmr_directory *directory,
                                     size_t position,
                                     struct dmr_participant *participant);

/**
 * Whether the policy lets `from` write to `to`: `*allowed` is 1 or 0; 0 too when either is not listed.
 */
dmr_status dmr_directory_allows(const struct dmr_directory *directory,
                                const struct dmr_id *from,
                                const struct dmr_id *to,
                                uint8_t *allowed);

/**
 * Whether the participant of `keys` can send and receive under this directory: `DMR_OK`, or what is in the way,
 * `DMR_STANDING_…`.
 */
dmr_status dmr_directory_standing(const struct dmr_directory *directory,
                                  const struct dmr_keys *keys,
                                  uint64_t now_ms);

/**
 * The bytes that the directory was verified from, as they travel and are kept.
 *
 * `bundle`: to be freed with `dmr_bytes_free`.
 */
dmr_status dmr_directory_bundle(const struct dmr_directory *directory, struct dmr_bytes *bundle);

/**
 * Frees the directory and sets `*directory` to null. A handle that was freed before gives `DMR_CALL_WRONG_HANDLE`,
 * null nothing.
 */
dmr_status dmr_directory_free(struct dmr_directory **directory);

/**
 * Trust in a pin, and no directory yet.
 *
 * `pin`, `len`: the text of the pin file. `trust`: a handle, to be freed with `dmr_trust_free`.
 */
dmr_status dmr_trust_load(const uint8_t *pin, size_t len, struct dmr_trust **trust);

/**
 * Takes up the directory that was in use before a restart. Unlike an offer it may have expired.
 *
 * As `dmr_trust_offer` otherwise.
 */
dmr_status dmr_trust_restore(struct dmr_trust *trust,
                             const uint8_t *bundle,
                             size_t len,
                             uint64_t now_ms,
                             uint8_t *adopted);

/**
 * Takes up a directory if it verifies, is newer than what was seen and has not expired. Anything else leaves the one
 * in use in use; after `DMR_TRUST_FORKED` that no longer seals.
 *
 * `bundle`, `len`: as it came, at most 16 MiB; nothing of it is kept in place. `now_ms`: milliseconds since 1970.
 * `adopted`: 1 when it is in use from now on: keep the bundle on disk before using it; 0 when it was in use already.
 */
dmr_status dmr_trust_offer(struct dmr_trust *trust,
                           const uint8_t *bundle,
                           size_t len,
                           uint64_t now_ms,
                           uint8_t *adopted);

/**
 * The directory in use.
 *
 * `directory`: a handle of its own, to be freed with `dmr_directory_free`; it stays what it is when another directory
 * is taken up. Null, with `DMR_OK`, when there is none yet.
 */
dmr_status dmr_trust_current(const struct dmr_trust *trust,
                             struct dmr_directory **directory);

/**
 * Frees the trust and sets `*trust` to null. A handle that was freed before gives `DMR_CALL_WRONG_HANDLE`, null
 * nothing.
 */
dmr_status dmr_trust_free(struct dmr_trust **trust);

/**
 * Founds a network with fresh keys, and a directory without participants.
 *
 * `network`: its name, ending in zero. `now_ms`: milliseconds since 1970. `valid_for_ms`: how long the directory lasts.
 * `authority`: a handle, to be freed with `dmr_authority_free`.
 */
dmr_status dmr_authority_found(const char *network,
                               uint64_t now_ms,
                               uint64_t valid_for_ms,
                               struct dmr_authority **authority);

/**
 * The pin that every participant holds beforehand, as JSON.
 *
 * `pin`: to be freed with `dmr_bytes_free`.
 */
dmr_status dmr_authority_pin(const struct dmr_authority *authority, struct dmr_bytes *pin);

/**
 * Signs a directory with these cards: new entries, or new keys of entries with the same id and name.
 *
 * `cards`, `count`: texts of `dmr_keys_card`; none gives the same entries again in a new revision. `now_ms`,
 * `valid_for_ms`: as for `dmr_authority_found`. `directory`: the new directory, a handle to be freed with
 * `dmr_directory_free`. On an error the newest directory stays what it was.
 */
dmr_status dmr_authority_add(struct dmr_authority *authority,
                             const struct dmr_slice *cards,
                             size_t count,
                             uint64_t now_ms,
                             uint64_t valid_for_ms,
                             struct dmr_directory **directory);

/**
 * Frees the authority and sets `*authority` to null. A handle that was freed before gives `DMR_CALL_WRONG_HANDLE`,
 * null nothing.
 */
dmr_status dmr_authority_free(struct dmr_authority **authority);

/**
 * Seals and signs a message. Each call makes other bytes: what is to be sent again is kept, not sealed again.
 *
 * `keys`: the sender's. `directory`: under which it is sealed. `request`, `content`: what, and for whom. `sealed`: to be
 * freed with `dmr_sealed_free`.
 */
dmr_status dmr_seal(const struct dmr_keys *keys,
                    const struct dmr_directory *directory,
                    const struct dmr_seal_request *request,
                    const struct dmr_content *content,
                    struct dmr_sealed *sealed);

/**
 * Frees what `sealed` holds and sets it to zeros; freeing that again does no harm. A copy of the struct must not be
 * freed as well.
 */
dmr_status dmr_sealed_free(struct dmr_sealed *sealed);

/**
 * Opens an envelope as the participant of `keys`, checking everything about its sender first.
 *
 * `keys`: the recipient's. `directory`: the newest there is. `envelope`, `len`: as it came. `now_ms`: milliseconds since
 * 1970. `opened`: to be freed with `dmr_opened_free`. On an error nothing of the message gets out; for
 * `DMR_VERIFY_STALE_DIRECTORY`, `DMR_VERIFY_UNKNOWN_SENDER_KEY`, `DMR_VERIFY_DIRECTORY_FORKED` and
 * `DMR_VERIFY_UNKNOWN_RECIPIENT` a newer directory may help.
 */
dmr_status dmr_open(const struct dmr_keys *keys,
                    const struct dmr_directory *directory,
                    const uint8_t *envelope,
                    size_t len,
                    uint64_t now_ms,
                    struct dmr_opened *opened);

/**
 * Wipes and frees what `opened` holds and sets it to zeros; freeing that again does no harm. A copy of the struct must
 * not be freed as well.
 */
dmr_status dmr_opened_free(struct dmr_opened *opened);

/**
 * Checks everything about the sender of an envelope, as a relay does: it takes no secret, and opens nothing.
 *
 * As for `dmr_open`. `facts`: nothing in it needs freeing.
 */
dmr_status dmr_verify(const struct dmr_directory *directory,
                      const uint8_t *envelope,
                      size_t len,
                      uint64_t now_ms,
                      struct dmr_facts *facts);

/**
 * What an envelope says of itself: its form is checked, its signature is not. For routing and for logs; trust only
 * what `dmr_verify` and `dmr_open` tell.
 *
 * `envelope`, `len`: as it came. `header`: nothing in it needs freeing.
 */
dmr_status dmr_inspect(const uint8_t *envelope,
                       size_t len,
                       struct dmr_header *header);

/**
 * The body of a receipt message: to be sealed to the sender of the envelopes, as kind `DMR_KIND_RECEIPT` and content
 * type `DMR_RECEIPTS_TYPE`. Owed for every envelope that was settled and whose sender is known, save for receipts
 * and controls.
 *
 * `receipts`, `count`: 1 to 64. `body`: to be freed with `dmr_bytes_free`.
 */
dmr_status dmr_receipts_encode(const struct dmr_receipt *receipts,
                               size_t count,
                               struct dmr_bytes *body);

/**
 * The receipts in the body of a receipt message that was opened. They speak for its sender alone.
 *
 * `body`, `len`: as opened. `receipts`: room for 64, of which the first `*count` are written and the rest zeros.
 * `count`: how many there are.
 */
dmr_status dmr_receipts_decode(const uint8_t *body,
                               size_t len,
                               struct dmr_receipt *receipts,
                               size_t *count);

/**
 * The login that answers a challenge. It does not check the server: see `dmr_challenge_verify`. A session does both:
 * see `dmr_session_sign`.
 *
 * `keys`: who logs in. `directory`: the newest, or null when there is none yet. `challenge`, `len`: as received.
 * `options`: of this process and connection. `now_ms`: milliseconds since 1970. `login`: to be freed with
 * `dmr_login_free`.
 */
dmr_status dmr_login_prove(const struct dmr_keys *keys,
                           const struct dmr_directory *directory,
                           const uint8_t *challenge,
                           size_t len,
                           const struct dmr_login_options *options,
                           uint64_t now_ms,
                           struct dmr_login *login);

/**
 * Wipes and frees what `login` holds and sets it to zeros; freeing that again does no harm. A copy of the struct must
 * not be freed as well.
 */
dmr_status dmr_login_free(struct dmr_login *login);

/**
 * Checks a login, as a server does.
 *
 * `directory`: the newest. `challenge`: as it was sent. `fields`, `proof`: as they came. `now_ms`: milliseconds since
 * 1970. `who`: nothing in it needs freeing; compare `binding` with your own connection, and allow one attempt for
 * each challenge.
 */
dmr_status dmr_login_verify(const struct dmr_directory *directory,
                            const uint8_t *challenge,
                            size_t challenge_len,
                            const uint8_t *fields,
                            size_t fields_len,
                            const uint8_t *proof,
                            size_t proof_len,
                            uint64_t now_ms,
                            struct dmr_logged_in *who);

/**
 * Checks a server's signature over its challenge, and decodes it. A directory that lists no server demands none.
 *
 * `directory`: the newest. `challenge`, `signature`: as received. `now_ms`: milliseconds since 1970. `decoded`: nothing in
 * it needs freeing.
 */
dmr_status dmr_challenge_verify(const struct dmr_directory *directory,
                                const uint8_t *challenge,
                                size_t challenge_len,
                                const uint8_t *signature,
                                size_t signature_len,
                                uint64_t now_ms,
                                struct dmr_challenge *decoded);

/**
 * The defaults, with a fresh instance and seed; what has no default is null or zero.
 *
 * `config`: to be filled in; nothing in it needs freeing.
 */
dmr_status dmr_session_defaults(struct dmr_session_config *config);

/**
 * A session, which asks for a link at once.
 *
 * `config`: how it behaves. `session`: a handle, to be freed with `dmr_session_free`.
 */
dmr_status dmr_session_new(const struct dmr_session_config *config,
                           uint64_t wall_ms,
                           uint64_t elapsed_ms,
                           struct dmr_session **session);

/**
 * The link that was asked for is open.
 */
dmr_status dmr_session_link_up(struct dmr_session *session, uint64_t wall_ms, uint64_t elapsed_ms);

/**
 * The link is gone or could not be opened.
 *
 * `reason`: the close code of the WebSocket when it is 3000 to 3999, else `DMR_CLOSE_LINK_LOST` or
 * `DMR_CLOSE_CONNECT_FAILED`. `DMR_CALL_OUT_OF_RANGE` for any other number.
 */
dmr_status dmr_session_link_down(struct dmr_session *session,
                                 uint16_t reason,
                                 uint64_t wall_ms,
                                 uint64_t elapsed_ms);

/**
 * A frame came in: one binary message of the WebSocket. What is wrong with it closes the link, and is no error here.
 *
 * `frame`, `len`: the message.
 */
dmr_status dmr_session_receive(struct dmr_session *session,
                               const uint8_t *frame,
                               size_t len,
                               uint64_t wall_ms,
                               uint64_t elapsed_ms);

/**
 * Answers `DMR_EVENT_SIGN`: checks the server where the directory lists any, and logs in. On an error below 800 or above
 * 899 the session has been told that the challenge is refused, and closes the link: `DMR_CHALLENGE_…` for a server that
 * does not prove its name, `DMR_LOGIN_REFUSAL_NO_CHANNEL_BINDING` for one that cannot bind where that is demanded. The
 * others are of the call itself and change nothing; `DMR_CALL_OUT_OF_TURN` when there is no challenge to answer.
 *
 * `keys`: who logs in. `directory`: the newest, or null when there is none yet. `options`: of this connection; its
 * `instance` is not looked at, the session has one.
 */
dmr_status dmr_session_sign(struct dmr_session *session,
                            const struct dmr_keys *keys,
                            const struct dmr_directory *directory,
                            const struct dmr_login_options *options,
                            uint64_t wall_ms,
                            uint64_t elapsed_ms);

/**
 * Answers `DMR_EVENT_SIGN` with a login of the program's own making: see `dmr_login_prove`.
 *
 * `fields`: at most 4 KiB. `proof`: 64 bytes.
 */
dmr_status dmr_session_challenge_signed(struct dmr_session *session,
                                        const uint8_t *fields,
                                        size_t fields_len,
                                        const uint8_t *proof,
                                        size_t proof_len,
                                        uint64_t wall_ms,
                                        uint64_t elapsed_ms);

/**
 * Answers `DMR_EVENT_SIGN`: the program does not log in here, and the link closes.
 *
 * `reason`: `DMR_CLOSE_…`; `DMR_CLOSE_WRONG_SERVER` for a server that does not prove its name.
 */
dmr_status dmr_session_challenge_refused(struct dmr_session *session,
                                         uint16_t reason,
                                         uint64_t wall_ms,
                                         uint64_t elapsed_ms);

/**
 * Asks for the directory; at most every 5 s, and after the next login when there is no link.
 */
dmr_status dmr_session_fetch_directory(struct dmr_session *session,
                                       uint64_t wall_ms,
                                       uint64_t elapsed_ms);

/**
 * Another directory is in use: the session does not ask for that again.
 *
 * `revision`: as `dmr_directory_read` tells it.
 */
dmr_status dmr_session_directory_changed(struct dmr_session *session, uint64_t revision);

/**
 * From now on deliveries can be handled: subscribes, for a session whose `subscribes_at_once` is 0.
 */
dmr_status dmr_session_accept_deliveries(struct dmr_session *session);

/**
 * Closes the link for `reason`, `DMR_CLOSE_…`, and opens another.
 */
dmr_status dmr_session_reconnect(struct dmr_session *session,
                                 uint16_t reason,
                                 uint64_t wall_ms,
                                 uint64_t elapsed_ms);

/**
 * Takes nothing new, waits for confirms and settles for the grace period, closes the link, and tells
 * `DMR_EVENT_STOPPED`.
 */
dmr_status dmr_session_shutdown(struct dmr_session *session,
                                uint64_t wall_ms,
                                uint64_t elapsed_ms);

/**
 * Looks at the time. Calling it too early does no harm.
 */
dmr_status dmr_session_handle_timeout(struct dmr_session *session,
                                      uint64_t wall_ms,
                                      uint64_t elapsed_ms);

/**
 * Frees the session with all it holds, and sets `*session` to null. A handle that was freed before gives
 * `DMR_CALL_WRONG_HANDLE`, null nothing.
 */
dmr_status dmr_session_free(struct dmr_session **session);

/**
 * Takes an envelope for publishing, over this link or later ones. Its id and expiry are those of its header. It is not
 * verified.
 *
 * `envelope`, `len`: as sealed; copied. `keep`: not 0: kept until `dmr_session_receipted` or its expiry; 0, for receipts:
 * until confirmed. `DMR_PUBLISH_FULL` when the outbox is at its bound: try again later.
 */
dmr_status dmr_session_publish(struct dmr_session *session,
                               const uint8_t *envelope,
                               size_t len,
                               uint8_t keep,
                               uint64_t wall_ms,
                               uint64_t elapsed_ms);

/**
 * Forgets a message that was never on any link.
 *
 * `withdrawn`: 1 when nothing of it was or will be sent; 0 when it was on a link, or is not in the outbox.
 */
dmr_status dmr_session_withdraw(struct dmr_session *session,
                                const struct dmr_id *id,
                                uint8_t *withdrawn);

/**
 * Stops keeping a message: a receipt or an answer of its recipient was opened.
 */
dmr_status dmr_session_receipted(struct dmr_session *session, const struct dmr_id *id);

/**
 * Settles a delivery: it was taken, and is forgotten by the server. One of a link that is gone is left alone: the server
 * has given it to someone again. `DMR_CALL_OUT_OF_RANGE` for a number that named no delivery.
 *
 * `delivery`: of `dmr_event`.
 */
dmr_status dmr_session_ack(struct dmr_session *session,
                           uint64_t delivery);

/**
 * Settles a delivery: it is to come again, not before `after_ms`, at most ten minutes. As `dmr_session_ack` otherwise.
 */
dmr_status dmr_session_retry(struct dmr_session *session,
                             uint64_t delivery,
                             uint32_t after_ms);

/**
 * Settles a delivery: it is never to come again, for `reason`, `DMR_FAILURE_…`. As `dmr_session_ack` otherwise.
 */
dmr_status dmr_session_reject(struct dmr_session *session,
                              uint64_t delivery,
                              uint16_t reason);

/**
 * Takes the next thing to do. Ask after every call that feeds the session, until `DMR_EVENT_NONE`.
 *
 * `event`: to be freed with `dmr_event_free`.
 */
dmr_status dmr_session_poll_event(struct dmr_session *session, struct dmr_event *event);

/**
 * Frees what `event` holds and sets it to zeros; freeing that again does no harm. A copy of the struct must not be
 * freed as well.
 */
dmr_status dmr_event_free(struct dmr_event *event);

/**
 * Takes the next frame, or the close. Ask when the link can take one; publishes become frames only then.
 *
 * `transmit`: to be freed with `dmr_transmit_free`.
 */
dmr_status dmr_session_poll_transmit(struct dmr_session *session,
                                     struct dmr_transmit *transmit);

/**
 * Frees what `transmit` holds and sets it to zeros; freeing that again does no harm. A copy of the struct must not be
 * freed as well.
 */
dmr_status dmr_transmit_free(struct dmr_transmit *transmit);

/**
 * When `dmr_session_handle_timeout` wants to be called, on the clock of `elapsed_ms`; `DMR_NEVER` when not at all. Every
 * other call may change it.
 */
dmr_status dmr_session_poll_timeout(const struct dmr_session *session,
                                    uint64_t *elapsed_ms);

/**
 * Where the session stands.
 */
dmr_status dmr_session_read(const struct dmr_session *session, struct dmr_session_view *view);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* DMR_H */
