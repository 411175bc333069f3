//! What the servers are made of: Debian packages, the jars of Apache Kafka and of the Apicurio registry, fetched once and kept in a
//! cache.
//!
//! The cache is `$SKALD_TEST_CACHE`, else `$XDG_CACHE_HOME/skald-tests`, else `~/.cache/skald-tests`. Packages are installed only by
//! root and only if their command is missing.
//!
//! Absent on purpose: other versions. One version of Kafka is what the figures and the semantics were tried with.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Version of Apache Kafka.
pub const KAFKA_VERSION: &str = "4.3.0";

/// Version of the Apicurio registry.
pub const REGISTRY_VERSION: &str = "3.0.9";

/// Raised when the list of jars changes, so that an older cache is not taken for it.
const JARS_LAYOUT: u32 = 1;

/// Makes sure that a command exists, installing its Debian package if that is possible.
///
/// # Panics
/// If it is missing and cannot be installed; the message says in one line what to do.
pub fn command(name: &str, package: &str) {
    if exists(name) {
        return;
    }
    // Two test binaries must not run the package manager at the same time.
    let _lock = lock("packages");
    if !exists(name) && is_root() {
        install(package);
    }
    assert!(
        exists(name),
        "`{name}` is missing: install the package {package}, or set SKALD_TEST_KAFKA and SKALD_TEST_REDIS"
    );
}

/// Directory with the jars of Apache Kafka.
///
/// # Panics
/// If they cannot be fetched.
pub fn kafka_jars() -> PathBuf {
    let jars = cache().join(format!("kafka-{KAFKA_VERSION}-{JARS_LAYOUT}"));
    let _lock = lock("kafka");
    if !jars.is_dir() {
        command("java", "openjdk-17-jre-headless");
        command("mvn", "maven");
        fetch_jars(&jars);
    }
    jars
}

/// Fetches into a directory beside the final one and renames it, so a half-filled one is never taken for complete.
fn fetch_jars(jars: &Path) {
    let work = tempfile::tempdir_in(cache()).expect("the cache is writable");
    let pom = work.path().join("pom.xml");
    fs::write(&pom, POM.replace("VERSION", KAFKA_VERSION)).expect("the cache is writable");
    let filled = work.path().join("jars");
    let status = Command::new("mvn")
        .args(["-q", "-B", "-Dstyle.color=never", "-f"])
        .arg(&pom)
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", filled.display()))
        .stdout(Stdio::null())
        .status();
    assert!(
        status.is_ok_and(|s| s.success()),
        "Maven cannot fetch Apache Kafka {KAFKA_VERSION}: give it access to a repository, or set SKALD_TEST_KAFKA"
    );
    fs::rename(filled, jars).expect("the cache is writable");
}

/// Directory with the Apicurio registry: its jar, and `lib`.
///
/// # Panics
/// If it cannot be fetched.
pub fn registry() -> PathBuf {
    let files = cache().join(format!("apicurio-{REGISTRY_VERSION}"));
    let _lock = lock("apicurio");
    if !files.is_dir() {
        command("mvn", "maven");
        fetch_registry(&files);
    }
    files
}

/// Unpacked beside its final place and renamed, as the jars of Kafka are.
fn fetch_registry(files: &Path) {
    let work = tempfile::tempdir_in(cache()).expect("the cache is writable");
    let unpacked = work.path().join("files");
    fs::create_dir(&unpacked).expect("the cache is writable");
    let artifact = format!("io.apicurio:apicurio-registry-app:{REGISTRY_VERSION}:tar.gz:all");
    let fetched = Command::new("mvn")
        .args(["-q", "-B", "-Dstyle.color=never", "dependency:copy"])
        .arg(format!("-Dartifact={artifact}"))
        .arg(format!("-DoutputDirectory={}", work.path().display()))
        .current_dir(work.path())
        .stdout(Stdio::null())
        .status();
    assert!(
        fetched.is_ok_and(|s| s.success()),
        "Maven cannot fetch {artifact}: give it access to a repository"
    );
    let archive = format!("apicurio-registry-app-{REGISTRY_VERSION}-all.tar.gz");
    let status = Command::new("tar")
        .arg("xzf")
        .arg(work.path().join(archive))
        .arg("-C")
        .arg(&unpacked)
        .status();
    assert!(
        status.is_ok_and(|s| s.success()),
        "the archive of {artifact} cannot be unpacked: remove it from the local Maven repository"
    );
    fs::rename(unpacked, files).expect("the cache is writable");
}

/// Installs a Debian package that brings no command of its own, if that is possible.
pub(super) fn package(name: &str) {
    let _lock = lock("packages");
    if is_root() {
        install(name);
    }
}

fn install(package: &str) {
    let script =
        format!("apt-get update -q && apt-get install -q -y --no-install-recommends {package}");
    // Its success shows in the command being there afterwards.
    let _ = Command::new("sh")
        .args(["-c", &script])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(Stdio::null())
        .status();
}

fn exists(name: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|directory| directory.join(name).is_file())
}

fn is_root() -> bool {
    // The owner of our own entry is the effective user.
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

/// An exclusive lock between processes; it ends with the value, or with the process.
pub(super) fn lock(name: &str) -> File {
    let path = cache().join(format!("{name}.lock"));
    let file = File::create(path).expect("the cache is writable");
    file.lock().expect("the cache can be locked");
    file
}

pub(super) fn cache() -> PathBuf {
    let directory = cache_path();
    fs::create_dir_all(&directory).expect("the cache can be created");
    directory
}

fn cache_path() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    variable("SKALD_TEST_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|p| p.join("skald-tests")))
        .or_else(|| variable("HOME").map(|p| p.join(".cache/skald-tests")))
        .unwrap_or_else(|| std::env::temp_dir().join("skald-tests"))
}

const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>skald</groupId><artifactId>test-broker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>VERSION</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"#;
