"""A base image as debootstrap leaves one, as far as the images made of its packages look at it."""

from pathlib import Path

STATUS = """\
Package: python3-minimal
Status: install ok installed
Architecture: amd64
Pre-Depends: python3.11-minimal (>= 3.11.2-1~)
Depends: dpkg (>= 1.13.20)
Description: the interpreter
 Depends: nothing in this line

Package: python3.11-minimal
Status: install ok installed
Architecture: amd64
Depends: libexpat1 (>= 2.1) | libexpat-old
Pre-Depends: libc6 (>= 2.35)

Package: libpython3-stdlib
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Depends: libpython3.11-stdlib:any (>= 3.11.2)

Package: libpython3.11-stdlib
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Depends: media-types | mime-support, libc6 (>= 2.34), libgone1

Package: libexpat1
Status: install ok installed
Architecture: amd64

Package: libc6
Status: install ok installed
Architecture: amd64

Package: libgone1
Status: deinstall ok config-files
Architecture: amd64

Package: dpkg
Status: install ok installed
Architecture: amd64
Depends: libdpkg1

Package: libdpkg1
Status: install ok installed
Architecture: amd64

Package: e2fsprogs
Status: install ok installed
Architecture: amd64
Depends: logsave
Pre-Depends: libext2fs2 (= 1.47.0), libc6 (>= 2.34)

Package: libext2fs2
Status: install ok installed
Architecture: amd64

Package: logsave
Status: install ok installed
Architecture: amd64

Package: coreutils
Status: install ok installed
Architecture: amd64
Pre-Depends: libc6 (>= 2.34)
"""
# By package: the file's path, and what it links to if it is a link.
FILES = {
    "python3-minimal": {"/usr/bin/python3": "python3.11", "/usr/share/doc/python3/copyright": ""},
    "python3.11-minimal": {"/usr/bin/python3.11": "", "/etc/python3.11/sitecustomize.py": ""},
    "libpython3-stdlib:amd64": {},
    "libpython3.11-stdlib:amd64": {
        "/usr/lib/python3.11/json.py": "",
        "/usr/lib/python3.11/sitecustomize.py": "/etc/python3.11/sitecustomize.py",
        "/usr/lib/python3.11/lib2to3/main.py": "",
        "/usr/lib/python3.11/lib-dynload/_ssl.so": "",
    },
    "libexpat1:amd64": {
        "/lib/x86/libexpat.so.1": "libexpat.so.1.8.10",
        "/lib/x86/libexpat.so.1.8.10": "",
    },
    "libc6:amd64": {
        "/lib64/ld-linux.so.2": "/lib/x86/ld.so",
        "/lib/x86/ld.so": "",
        "/usr/lib/x86/gconv/ISO.so": "",
    },
    "dpkg": {"/usr/bin/dpkg": ""},
    "libdpkg1:amd64": {"/usr/lib/x86/libdpkg.so.1": ""},
    "e2fsprogs": {
        "/sbin/mke2fs": "",
        "/sbin/debugfs": "",
        "/sbin/mkfs.ext4": "mke2fs",
        "/etc/mke2fs.conf": "",
    },
    "libext2fs2:amd64": {"/lib/x86/libext2fs.so.2": ""},
    "logsave": {"/sbin/logsave": ""},
    "coreutils": {"/bin/cp": "", "/bin/mv": ""},
}


def make_base(base: Path) -> Path:
    """Writes the base image and returns it."""
    info = base / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    (base / "var/lib/dpkg/status").write_text(STATUS)
    for package, files in FILES.items():
        folders = {str(Path(path).parent) for path in files}
        listed = ["/.", *sorted(folders), *files]
        (info / f"{package}.list").write_text("".join(f"{path}\n" for path in listed))
        for path, target in files.items():
            place = base / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            if target:
                place.symlink_to(target)
            else:
                place.write_text(path)
                place.chmod(0o755 if "bin/" in path else 0o644)
    return base
