"""What a case may need of the machine. Each check returns None when it is there, else one sentence that says what is missing."""
import ctypes
import errno
import functools
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile

SYS_BPF = 321 if os.uname().machine == "x86_64" else 280
BPF_MAP_CREATE = 0
BPF_PROG_LOAD = 5
BPF_PROG_TYPE_KPROBE = 2
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


def kallsyms():
    """Kernel symbols with their addresses."""
    try:
        with open("/proc/kallsyms") as table:
            shown = int(table.readline().split()[0], 16) != 0
            return bpf() or (None if shown or any(int(line.split()[0], 16) for line in table) else "addresses of kernel symbols are hidden here")
    except (OSError, IndexError):
        return "this kernel has no /proc/kallsyms"


def percpu_symbols():
    """The kernel lists its data too (CONFIG_KALLSYMS_ALL)."""
    with open("/proc/kallsyms") as table:
        found = any(line.split()[2] == "__per_cpu_offset" for line in table)
    return kallsyms() or (None if found else "this kernel does not list its variables (CONFIG_KALLSYMS_ALL)")


@functools.cache
def write_user():
    """Whether the kernel takes a program that writes to memory of processes; lockdown forbids it."""
    def instruction(code, registers=0, offset=0, immediate=0):
        return struct.pack("<BBhi", code, registers, offset, immediate)

    # *(u64 *)(r10 - 8) = 0; r1 = 0; r2 = r10 - 8; r3 = 8; bpf_probe_write_user(); return 0
    program = b"".join([instruction(0x7a, 10, -8), instruction(0xb7, 1), instruction(0xbf, 0xa2), instruction(0x07, 2, 0, -8),
                        instruction(0xb7, 3, 0, 8), instruction(0x85, 0, 0, 36), instruction(0xb7), instruction(0x95)])
    code, license = ctypes.create_string_buffer(program), ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack("<IIQQIIQII", BPF_PROG_TYPE_KPROBE, len(program) // 8, ctypes.addressof(code), ctypes.addressof(license), 0, 0, 0, 0, 0)
    fd = ctypes.CDLL(None).syscall(SYS_BPF, BPF_PROG_LOAD, attributes, len(attributes))
    if fd >= 0:
        os.close(fd)
    return bpf() or (None if fd >= 0 else "the kernel does not let programs write to memory of processes (lockdown)")


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
def has_fentry():
    """Kernels whose functions can be traced by trampolines list the functions."""
    def readable(path):
        try:
            with open(path) as file:
                return bool(file.readline())
        except OSError:
            return False

    return os.path.exists("/sys/kernel/btf/vmlinux") and any(readable(at + "/available_filter_functions") for at in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"))


def fentry():
    return bpf() or (None if has_fentry() else "this kernel has no trampolines for its functions (fentry)")


def no_fentry():
    return "this kernel has fentry; the case is about one without" if has_fentry() else bpf()


@functools.cache
def mount_namespace():
    """A private mount namespace, for the cases without tracefs."""
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True)
    return None if done.returncode == 0 else "cannot make a mount namespace (CAP_SYS_ADMIN)"


def block_device():
    """Files of the cases lie on a block device: writing them is seen as requests to it."""
    return None if os.major(os.stat(tempfile.gettempdir()).st_dev) != 0 else "temporary files are not on a block device"


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
        "root": root, "bpf": bpf, "uprobe": uprobe, "usdt": uprobe, "kprobe": kprobe, "no_kprobe": no_kprobe, "fentry": fentry, "no_fentry": no_fentry, "tracepoint": tracefs,
        "rawtracepoint": btf, "btf": btf, "perf": perf, "kallsyms": kallsyms, "percpu_symbols": percpu_symbols,
        "pmu": pmu, "no_pmu": no_pmu, "write_user": write_user, "mount_namespace": mount_namespace, "python_shim": python_shim, "block_device": block_device,
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
