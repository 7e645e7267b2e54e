"""Parts of an attack side by side: a Python thread for each, where torch would give an operation several threads.

torch shares out every single operation, and its threads wait for each other at the end of each. Where another program
has one of the cores, they wait for it hundreds of times a step: two threads are then slower than one. Here a thread
takes a whole step of one part, with operations that stay in it, and then the next step that waits, of whichever part.

A model is called from several threads only if all of its modules allow it: those of torch.nn in eval mode and without
hooks do, others by `thread_safe = True` in their own class. Any other model is called from one thread alone.
"""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from queue import SimpleQueue
from typing import TypeVar

import torch
from torch import Tensor, nn

Q = TypeVar("Q")
A = TypeVar("A")


def available(model: nn.Module, images: Tensor) -> int:
    """How many threads may share the work: torch's number in this thread, or 1 if all is to stay in it."""
    modes = torch._C._len_torch_dispatch_stack() + torch._C._len_torch_function_stack()  # they see their own thread
    alone = modes or images.device.type != "cpu" or not all(map(_thread_safe, model.modules()))
    return 1 if alone else torch.get_num_threads()


def side_by_side(
    parts: Sequence[Generator[Q, A, None]], answer: Callable[[Q], A], threads: int
) -> Generator[Q, None, None]:
    """Give each part the answers to what it yields, and yield each question when its part has gone on to the next.

    The parts run in the caller's thread, `answer` in others, in the caller's grad mode, inference mode and autocast;
    with one thread or part all runs in this one, a part after the other. What either raises comes through, and ends
    it all. Close the iterator to leave early: nothing is answered any more, and no part has heard more than was seen.

    Args:
        answer: looks at the model, and writes nothing.
        threads: torch's number in this thread. Each answer's operations have an equal share of them, and so have those
            of this thread until the end.
    """
    workers = min(threads, len(parts))
    if workers < 2:
        for part in parts:
            question = next(part, None)
            while question is not None:
                asked, question = question, _next(part, answer(question))
                yield asked
        return
    modes = _modes()
    answered: SimpleQueue[tuple[Generator[Q, A, None], Q, Future[A]]] = SimpleQueue()

    def work(question: Q) -> A:
        with modes():
            return answer(question)

    with ThreadPoolExecutor(workers, "answer", _limit, (threads // workers,)) as pool:

        def ask(part: Generator[Q, A, None], question: Q | None) -> int:
            if question is None:
                return 0
            pool.submit(work, question).add_done_callback(lambda future: answered.put((part, question, future)))
            return 1

        try:
            _begin(pool, workers)
            torch.set_num_threads(threads // workers)  # here too: its helpers would spin on the cores of the others
            # The number that was set last counts for threads that are new in the process: none of them has heard of us.
            other = threading.Thread(target=torch.set_num_threads, args=(threads,))
            other.start()
            other.join()
            waiting = sum(ask(part, next(part, None)) for part in parts)
            while waiting:
                part, question, future = answered.get()
                waiting += ask(part, _next(part, future.result())) - 1
                yield question
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)


def _next(part: Generator[Q, A, None], answer: A) -> Q | None:
    try:
        return part.send(answer)
    except StopIteration:
        return None


def _limit(threads: int) -> None:
    """Give this new thread so many of torch's, for good."""
    torch.set_num_threads(threads)
    torch.get_num_threads()  # a thread's first operation takes over the number that was set last, by whomever: now


def _begin(pool: ThreadPoolExecutor, workers: int) -> None:
    """Start all the threads of a pool."""
    all_there = threading.Barrier(workers)
    try:
        for arrived in [pool.submit(all_there.wait) for _ in range(workers)]:
            arrived.result()
    finally:
        all_there.abort()  # where one could not be started, the others wait no longer


def _modes() -> Callable[[], AbstractContextManager[object]]:
    """Makes contexts with the modes that this thread is in now: torch keeps them for each thread apart."""
    inference, grad = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
    cast, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")
    cached = torch.is_autocast_cache_enabled()

    @contextmanager
    def modes() -> Iterator[None]:
        with torch.inference_mode(inference), torch.set_grad_enabled(grad), torch.autocast("cpu", dtype, cast, cached):
            yield

    return modes


def _thread_safe(module: nn.Module) -> bool:
    """Whether several threads may call a module at the same time, as far as it can be told."""
    kind = type(module)
    allowed = vars(kind).get("thread_safe", kind.__module__.startswith("torch.nn."))  # a subclass must say it again
    hooks = module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    return bool(allowed) and not (module.training or hooks or "forward" in vars(module))
