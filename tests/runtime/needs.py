"""What a case may need of the machine. Each check returns None when it is there, else one sentence that says what is missing."""
import ctypes
import errno
import functools
import os
import pathlib
import shutil
import subprocess

SYS_BPF = 321 if os.uname().machine == "x86_64" else 280
BPF_MAP_CREATE = 0
CAPABILITIES = {"CAP_SYS_ADMIN": 21, "CAP_SYS_PTRACE": 19, "CAP_PERFMON": 38, "CAP_BPF": 39}


def root():
    return None if os.geteuid() == 0 else "needs root (scripts/test goes through sudo)"


def effective_capabilities():
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


@functools.cache
def bpf():
    """Whether the bpf system call makes a map: capabilities, seccomp and lockdown all show there."""
    held = effective_capabilities()
    if not held >> CAPABILITIES["CAP_SYS_ADMIN"] & 1:
        missing = [name for name in ("CAP_BPF", "CAP_PERFMON") if not held >> CAPABILITIES[name] & 1]
        if missing:
            return f"lacks {' and '.join(missing)}"
    attributes = (ctypes.c_uint32 * 18)(2, 4, 4, 1)  # an array of one u32
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(SYS_BPF, BPF_MAP_CREATE, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if fd < 0:
        code = ctypes.get_errno()
        why = {errno.EPERM: "refused: no CAP_BPF here, or seccomp", errno.ENOSYS: "not in this kernel"}.get(code, os.strerror(code))
        return f"the bpf system call is {why}"
    os.close(fd)
    return None


def event_source(name, what):
    present = pathlib.Path(f"/sys/bus/event_source/devices/{name}/type").exists()
    return None if present else f"this kernel has no {what}"


def uprobe():
    return bpf() or event_source("uprobe", "uprobes (CONFIG_UPROBE_EVENTS)")


def kprobe():
    return bpf() or event_source("kprobe", "kprobes (CONFIG_KPROBE_EVENTS)")


@functools.cache
def tracefs():
    known = "tracefs" in pathlib.Path("/proc/filesystems").read_text()
    return bpf() or (None if known else "this kernel has no tracefs")


def btf():
    return bpf() or (None if pathlib.Path("/sys/kernel/btf/vmlinux").exists() else "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)")


def perf():
    return bpf() or event_source("software", "software perf events")


@functools.cache
def has_pmu():
    sources = pathlib.Path("/sys/bus/event_source/devices")
    return any(path.name.startswith(("cpu", "armv8")) for path in sources.glob("*"))


def pmu():
    return bpf() or (None if has_pmu() else "this machine has no counters (PMU)")


def no_pmu():
    return "this machine has counters (PMU); the case is about one without" if has_pmu() else bpf()


def no_kprobe():
    return None if event_source("kprobe", "") else "this kernel has kprobes; the case is about one without"


@functools.cache
def mount_namespace():
    """A private mount namespace, for the cases without tracefs."""
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True)
    return None if done.returncode == 0 else "cannot make a mount namespace (CAP_SYS_ADMIN)"


def python_shim():
    """A python3 on PATH that is a script."""
    found = shutil.which("python3")
    if not found:
        return "there is no python3 on PATH"
    with open(found, "rb") as file:
        return None if file.read(2) == b"#!" else f"python3 on PATH ({found}) is no script"


def cpus(count):
    return None if len(os.sched_getaffinity(0)) >= count else f"needs {count} CPUs"


def missing(words):
    """The first reason why a case that needs `words` cannot run here, or None."""
    checks = {
        "root": root, "bpf": bpf, "uprobe": uprobe, "usdt": uprobe, "kprobe": kprobe, "no_kprobe": no_kprobe, "tracepoint": tracefs,
        "rawtracepoint": btf, "btf": btf, "perf": perf, "pmu": pmu, "no_pmu": no_pmu, "mount_namespace": mount_namespace, "python_shim": python_shim,
    }
    for word in words:
        if word == "nothing":
            continue
        kind, _, name = word.partition(":")
        if kind == "command":
            reason = None if shutil.which(name) else f"the command {name} is not installed"
        elif kind == "file":
            reason = None if pathlib.Path(name).exists() else f"there is no {name}"
        elif kind == "cpus":
            reason = cpus(int(name))
        elif word in checks:
            reason = checks[word]()
        else:
            raise ValueError(f"NEEDS {word}: not known (see tests/runtime/needs.py)")
        if reason:
            return reason
    return None
