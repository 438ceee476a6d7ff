"""Runs code of many shapes; in the deepest function of each it writes down the frames that Python itself shows, then calls os.getppid(). Traced by
python_stacks_test.py, which compares. Usage: python_shapes.py FILE"""
import asyncio
import contextlib
import ctypes
import functools
import json
import os
import re
import sys
import threading

sys.setrecursionlimit(5000)
truth = open(sys.argv[1], "w", encoding="utf-8", buffering=1)
lock = threading.Lock()


def note(frame):
    frames = []
    while frame is not None:
        code = frame.f_code
        frames.append([code.co_qualname, code.co_filename, frame.f_lineno])
        frame = frame.f_back
    with lock:
        truth.write(json.dumps([threading.get_native_id(), frames], ensure_ascii=False) + "\n")


def hit(*_):
    note(sys._getframe()), os.getppid()
    return 0


def recurse(n):
    if n == 0:
        return hit()
    return recurse(n - 1)


def through_sorted(n):
    if n == 0:
        return hit()
    return sorted([1], key=lambda _: through_sorted(n - 1) and 0 or 0)


def generator(n):
    for i in range(n):
        hit()
        yield i


def delegating(n):
    yield from generator(n)
    yield hit()


async def coroutine(n):
    if n:
        return await coroutine(n - 1)
    return hit()


async def sleeper(n):
    await asyncio.sleep(0)
    hit()
    await coroutine(n)


async def gathering():
    await asyncio.gather(*(sleeper(i) for i in range(4)))


async def async_generator():
    hit()
    yield 1


async def async_for():
    async for _ in async_generator():
        hit()
    return [hit() async for _ in async_generator()]


class Base:
    def __init__(self, n=0):
        self.value = hit() if n == 0 else Base(n - 1)


class Derived(Base):
    def __init__(self, n):
        super().__init__(n)

    def __add__(self, other):
        return hit()

    def __getattr__(self, name):
        if name == "missing":
            return hit()
        raise AttributeError(name)

    def __getitem__(self, key):
        return hit()

    def __del__(self):
        hit()

    def __call__(self):
        return hit()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        hit()

    @property
    def prop(self):
        return hit()

    @classmethod
    def make(cls):
        return hit()

    @staticmethod
    def free():
        return hit()


class Meta(type):
    def __new__(mcs, name, bases, members):
        hit()
        return super().__new__(mcs, name, bases, members)


def raising():
    try:
        hit()
        raise ValueError("x")
    except ValueError:
        hit()
        try:
            {}["no"]
        except KeyError:
            hit()
    finally:
        hit()


@contextlib.contextmanager
def managed():
    hit()
    yield
    hit()


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper


@decorated
@functools.lru_cache
def cached(n):
    return hit()


def closure(a, b, c, d):
    def inner():
        return a, b, c, d, hit()
    return inner


def many_lines():
    return max(
        [1,
         2],
        key=lambda value: hit(
            value,

        ),
    )


def by_ctypes():
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(hit)
    numbers = (ctypes.c_int * 2)(2, 1)
    ctypes.CDLL(None).qsort(numbers, 2, 4, compare)


def naïve_Größe(ñ):
    return (lambda 名前: hit())(ñ)


def short_lived(n):
    for i in range(n):
        scope = {"hit": hit}
        exec(compile("\n" * i + f"def made_{i}():\n    return hit()\nmade_{i}()", f"<made {i}>", "exec"), scope)
        eval(compile("hit()", f"/tmp/été {i}.py", "eval"), scope)


def comprehensions():
    return [hit() for _ in range(2)], {hit() for _ in range(1)}, {hit(): hit() for _ in range(1)}, list(hit() for _ in range(1))


def threads():
    def work(n):
        for _ in range(5):
            recurse(n)
            through_sorted(2)
    running = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def main():
    hit()
    for depth in (1, 10, 100, 1000):
        recurse(depth)
    through_sorted(20)
    list(generator(3))
    list(delegating(2))
    asyncio.run(gathering())
    asyncio.run(coroutine(5))
    asyncio.run(async_for())
    thing = Derived(5)
    thing + 1, thing.missing, thing[0], thing.prop, thing()
    with thing:
        pass
    Derived.make(), Derived.free()
    del thing
    Meta("Made", (), {})
    raising()
    with managed():
        hit()
    cached(1)
    closure(1, 2, 3, 4)()
    many_lines()
    by_ctypes()
    naïve_Größe(1)
    short_lived(30)
    comprehensions()
    list(map(hit, [1, 2]))
    functools.reduce(hit, [1, 2, 3])
    re.sub("x", lambda match: str(hit()), "axbx")
    json.loads('{"a": 1}', object_hook=hit)
    match = [1, 2]
    match match:
        case [1, second] if not hit():
            hit(second)
    threads()


main()
