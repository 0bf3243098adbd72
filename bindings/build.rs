//! The versioned name of the C library, where the linker knows of such names.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let has_sonames = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| {
        matches!(
            system.as_str(),
            "linux" | "android" | "freebsd" | "netbsd" | "openbsd" | "dragonfly" | "illumos" | "solaris"
        )
    });
    // A program that is linked against one version of the interface must not start with another.
    if std::env::var_os("CARGO_FEATURE_C").is_some() && has_sonames {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libdmr.so.0");
    }
}
