//! Handles: what C holds of an object of this library.
//!
//! A handle is a number in the shape of a pointer, never an address: nothing is at it. The objects stand in one table
//! under their numbers, and a number is not given twice. So a handle that was freed, one of another kind, and one that was
//! made up are told apart from a live one with certainty, by whatever thread they come, and an object that is freed while
//! another thread uses it lasts until that is done.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::argument::{Caller, Out};
use crate::CallError;

/// The first number, above what any system takes for a null pointer. Go, for one, refuses to see pointers below 4,096.
const FIRST: usize = 1 << 16;
/// Numbers are as far apart as anything may ask a pointer to be aligned.
const STEP: usize = 16;

struct Table {
    next: usize,
    objects: BTreeMap<usize, Arc<dyn Any + Send + Sync>>,
}

static TABLE: RwLock<Table> = RwLock::new(Table { next: FIRST, objects: BTreeMap::new() });

/// What stands behind a handle of type `Self` in the header.
pub(crate) trait Handle: Sized {
    /// The object.
    type Object: Any + Send + Sync;
    /// What the header calls the argument.
    const NAME: &'static str;

    /// A new handle to `object`.
    fn new(object: Self::Object) -> *mut Self {
        let object: Arc<dyn Any + Send + Sync> = Arc::new(object);
        let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
        let Table { next, objects } = &mut *table;
        // Where numbers have an end, it comes round, and those that are taken are left out.
        let number = loop {
            let number = *next;
            *next = next.checked_add(STEP).unwrap_or(FIRST);
            if !objects.contains_key(&number) {
                break number;
            }
        };
        objects.insert(number, object);
        std::ptr::without_provenance_mut(number)
    }

    /// The object of `handle`.
    fn get(handle: *const Self) -> Result<Arc<Self::Object>, CallError> {
        let argument = Self::NAME;
        if handle.is_null() {
            return Err(CallError::Null { argument });
        }
        let table = TABLE.read().unwrap_or_else(PoisonError::into_inner);
        let object = table.objects.get(&handle.addr());
        let object = Arc::clone(object.ok_or(CallError::WrongHandle { argument })?);
        drop(table);
        object.downcast().map_err(|_| CallError::WrongHandle { argument })
    }

    /// The object of `handle`, or none for null.
    fn get_optional(handle: *const Self) -> Result<Option<Arc<Self::Object>>, CallError> {
        if handle.is_null() { Ok(None) } else { Self::get(handle).map(Some) }
    }

    /// Takes the object of `*place` out of the table and sets `*place` to null. Null is left alone.
    fn free(caller: &Caller, place: *mut *mut Self) -> Result<(), CallError> {
        let argument = Self::NAME;
        let handle = *caller.one(place, argument)?;
        if handle.is_null() {
            return Ok(());
        }
        Self::get(handle)?;
        let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
        let freed = table.objects.remove(&handle.addr());
        drop(table);
        // Another thread may have freed it between the two looks.
        drop(freed.ok_or(CallError::WrongHandle { argument })?);
        caller.change(place, argument, |place| *place = std::ptr::null_mut())
    }

    /// Gives the caller a new handle to `object`.
    fn put(out: Out<'_, *mut Self>, object: Self::Object) {
        out.put(Self::new(object));
    }
}

/// How many handles are live.
pub(crate) fn live() -> usize {
    let table = TABLE.read().unwrap_or_else(PoisonError::into_inner);
    table.objects.len()
}

/// Says what object stands behind a handle.
macro_rules! handle {
    ($name:ident, $object:ty) => {
        impl super::handle::Handle for $name {
            type Object = $object;
            const NAME: &'static str = stringify!($name);
        }
    };
}

pub(super) use handle;
