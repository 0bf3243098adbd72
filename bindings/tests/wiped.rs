//! What is secret is not left behind in freed memory: an allocator looks at every block that is given back.

#![cfg(feature = "c")]
#![expect(unsafe_code, clippy::undocumented_unsafe_blocks, reason = "functions of C are called as C calls them")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::SeqCst};

use dmr::c::*;

const NOW: u64 = 1_790_000_000_000;
const DAY: u64 = 86_400_000;

/// Counts the freed blocks in which the planted bytes stand.
struct Watching;

static PLANTED: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static PLANTED_LEN: AtomicUsize = AtomicUsize::new(0);
static FOUND: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Watching = Watching;

unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeros, so that what is looked at has always been written.
        unsafe { System.alloc_zeroed(layout) }
    }

    // The default for growing comes here too, with the old block.
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let (planted, len) = (PLANTED.load(SeqCst), PLANTED_LEN.load(SeqCst));
        if !planted.is_null() {
            let planted = unsafe { std::slice::from_raw_parts(planted, len) };
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            if bytes.windows(len).any(|window| window == planted) {
                FOUND.fetch_add(1, SeqCst);
            }
        }
        unsafe { System.dealloc(block, layout) };
    }
}

/// How many freed blocks hold `planted` while `work` runs.
fn freed_with(planted: &[u8], work: impl FnOnce()) -> usize {
    let mut planted = planted.to_vec();
    FOUND.store(0, SeqCst);
    PLANTED_LEN.store(planted.len(), SeqCst);
    PLANTED.store(planted.as_mut_ptr(), SeqCst);
    work();
    PLANTED.store(std::ptr::null_mut(), SeqCst);
    FOUND.load(SeqCst)
}

fn made<T>(call: impl FnOnce(*mut T) -> dmr_status) -> T {
    let mut place = MaybeUninit::<T>::zeroed();
    assert_eq!(call(place.as_mut_ptr()), 0, "{}", std::any::type_name::<T>());
    // SAFETY: numbers and pointers, which any bytes are.
    unsafe { place.assume_init() }
}

fn view(bytes: &dmr_bytes) -> &[u8] {
    unsafe { std::slice::from_raw_parts(bytes.data, bytes.len) }
}

/// One test, since the allocator watches all threads.
#[test]
fn no_freed_memory_holds_a_message_or_a_key() {
    unsafe {
        let freed = freed_with(b"a planted text", || drop(std::hint::black_box(b"it is a planted text".to_vec())));
        assert_eq!(freed, 1, "the allocator does not see what is left behind");

        let id = dmr_id { bytes: [1; 16] };
        let mut keys = made(|to| dmr_keys_generate(&id, c"tax".as_ptr(), 2, NOW, NOW + 90 * DAY, to));
        let mut file: dmr_bytes = made(|to| dmr_keys_save(keys, to));
        let text = String::from_utf8(view(&file).to_vec()).unwrap();
        for field in ["\"seed\": \"", "\"secret\": \""] {
            let at = text.find(field).unwrap_or_else(|| panic!("no {field} in a key file")) + field.len();
            let freed = freed_with(&text.as_bytes()[at..at + 40], || {
                let mut loaded = made(|to| dmr_keys_load(file.data, file.len, to));
                let mut saved = made(|to| dmr_keys_save(loaded, to));
                assert_eq!((dmr_bytes_free(&mut saved), dmr_keys_free(&mut loaded)), (0, 0));
            });
            assert_eq!(freed, 0, "a part of a key file is left behind: {field}");
        }
        dmr_bytes_free(&mut file);

        let mut authority = made(|to| dmr_authority_found(c"test".as_ptr(), NOW, 30 * DAY, to));
        let mut card: dmr_bytes = made(|to| dmr_keys_card(keys, to));
        let slice = dmr_slice { data: card.data, len: card.len };
        let mut directory = made(|to| dmr_authority_add(authority, &slice, 1, NOW, 30 * DAY, to));
        for len in [0, 600, 100_000] {
            let text = [b"Is report 2026-00417 registered with you?".as_slice(), &vec![b'!'; len]].concat();
            let freed = freed_with(b"report 2026-00417 registered", || {
                let content = dmr_content { body: text.as_ptr(), body_len: text.len(), ..plain_text() };
                let request = dmr_seal_request {
                    recipients: &id,
                    recipient_count: 1,
                    created_ms: NOW,
                    expires_ms: NOW + DAY,
                    id,
                    kind: DMR_KIND_EVENT,
                };
                let mut sealed: dmr_sealed = made(|to| dmr_seal(keys, directory, &request, &content, to));
                let (data, len) = (sealed.envelope.data, sealed.envelope.len);
                let mut opened: dmr_opened = made(|to| dmr_open(keys, directory, data, len, NOW, to));
                assert!(view(&opened.body) == text);
                assert_eq!((dmr_opened_free(&mut opened), dmr_sealed_free(&mut sealed)), (0, 0));
            });
            assert_eq!(freed, 0, "a message of {} bytes is left behind", text.len());
        }
        assert_eq!((dmr_bytes_free(&mut card), dmr_directory_free(&mut directory)), (0, 0));
        assert_eq!((dmr_authority_free(&mut authority), dmr_keys_free(&mut keys)), (0, 0));
    }
}

fn plain_text() -> dmr_content {
    let mut content: dmr_content = unsafe { MaybeUninit::zeroed().assume_init() };
    content.content_type = c"text/plain".as_ptr();
    content
}
