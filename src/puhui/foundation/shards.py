"""Shards: run a kernel over many independent parts, on threads, processes or Ray, with the same answer in the same order."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Literal, TypeVar

from puhui.foundation.refusals import Refusal

Shard = TypeVar("Shard")
Result = TypeVar("Result")
Backend = Literal["threads", "processes", "ray"]


class RayMissing(Refusal):
    """The backend "ray" needs the extra `puhui[ray]`, which is not installed. Install it, or use threads or processes."""

    code = "shards.ray-missing"


def map_shards(kernel: Callable[[Shard], Result], shards: Iterable[Shard], *, backend: Backend = "threads", workers: int = 2) -> Iterator[Result]:
    """Give `kernel(shard)` for every shard, in their order; at most two results a worker wait in memory.

    Threads suit kernels that release the GIL. For processes and Ray, kernel, shards and results are pickled. Raises RayMissing; a fault of a
    kernel travels up.
    """
    if backend == "ray":
        yield from _map_ray(kernel, shards, workers)
        return
    with _executor(backend, workers) as executor:
        yield from _windowed(executor, kernel, shards, 2 * workers)


def _executor(backend: Backend, workers: int) -> Executor:
    return ThreadPoolExecutor(workers) if backend == "threads" else ProcessPoolExecutor(workers)


def _windowed(executor: Executor, kernel: Callable[[Shard], Result], shards: Iterable[Shard], window: int) -> Iterator[Result]:
    waiting = []
    for shard in shards:
        waiting.append(executor.submit(kernel, shard))
        if len(waiting) >= window:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


def _map_ray(kernel: Callable[[Shard], Result], shards: Iterable[Shard], workers: int) -> Iterator[Result]:
    try:
        import ray
    except ImportError:
        raise RayMissing from None
    ray.init(ignore_reinit_error=True, include_dashboard=False, num_cpus=workers)
    remote = ray.remote(kernel)
    waiting = []
    for shard in shards:
        waiting.append(remote.remote(shard))
        if len(waiting) >= 2 * workers:
            yield ray.get(waiting.pop(0))
    for reference in waiting:
        yield ray.get(reference)
