import itertools
import threading

import pytest
import torch

from kerckhoffs.attacks import Step
from kerckhoffs.ui import jobs
from kerckhoffs.ui.jobs import Jobs

PICTURE = torch.zeros(1, 1, 2, 2)
LIMIT = 10.0  # seconds that a test waits before it fails; nothing here takes long


def step(done, total=4):
    return Step(done, total, PICTURE + done, PICTURE)


def finish(job):
    """Wait for a job's end."""
    job._future.exception(timeout=LIMIT)


def test_a_job_gives_its_result_and_its_newest_step():
    def work(job):
        assert not job.on_step(step(1))
        assert not job.on_step(step(2))
        return PICTURE + 5

    job = Jobs().submit(jobs.Job(work))
    finish(job)
    job.stop()
    assert job.done
    assert not job.failed
    assert not job.stopped, "it had ended by itself"
    assert torch.equal(job.result(), PICTURE + 5)
    assert job.step.done == 2
    assert job.seconds_left >= 0


def test_a_stopped_job_ends_at_its_next_step_with_the_best_so_far():
    running, stopped = threading.Event(), threading.Event()

    def work(job):
        job.on_step(step(1))
        running.set()
        assert stopped.wait(LIMIT)
        assert job.on_step(step(2))
        return PICTURE + 2

    job = Jobs().submit(jobs.Job(work))
    assert running.wait(LIMIT)
    job.stop()
    stopped.set()
    finish(job)
    assert job.stopped
    assert not job.orphaned, "someone pressed the button"
    assert torch.equal(job.result(), PICTURE + 2)


def test_a_page_can_wait_for_the_first_step_or_the_end_but_not_for_long():
    hold = threading.Event()

    def slow(job):
        job.on_step(step(1))
        assert hold.wait(LIMIT)
        return PICTURE

    def without_a_step(job):
        return PICTURE

    pool = Jobs()
    job = pool.submit(jobs.Job(slow))
    job.wait_for_step(LIMIT)
    assert not job.done
    assert job.step.done == 1
    ended = pool.submit(jobs.Job(without_a_step))
    ended.wait_for_step(LIMIT)
    finish(ended)
    silent = pool.submit(jobs.Job(lambda job: PICTURE if hold.wait(LIMIT) else None))
    silent.wait_for_step(0.01)
    assert silent.step is None
    hold.set()
    finish(job)
    finish(silent)


def test_a_job_that_no_page_asks_after_stops_by_itself(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(jobs.time, "monotonic", lambda: now[0])
    job = jobs.Job(lambda job: PICTURE)
    assert not job.on_step(step(1))
    now[0] += jobs.ORPHANED_SECONDS - 1
    assert job.step.done == 1  # a page asks
    now[0] += jobs.ORPHANED_SECONDS - 1
    assert not job.on_step(step(2))
    assert not job.stopped
    now[0] += 2
    assert job.on_step(step(3))
    assert job.stopped, "it has not finished"
    assert job.orphaned
    assert job.step.done == 3  # a page asks again
    assert job.on_step(step(4)), "what has stopped does not go on"


def test_what_the_work_refuses_is_raised_to_the_page():
    def work(job):
        raise ValueError("epsilon must be between 0 and 1, but is 2")

    job = Jobs().submit(jobs.Job(work))
    finish(job)
    assert job.failed
    with pytest.raises(ValueError, match="but is 2"):
        job.result()


def test_the_pool_refuses_more_than_it_can_hold_and_stopped_waiting_jobs_never_run():
    release = threading.Event()
    ran = []

    def work(job):
        ran.append(job)
        assert release.wait(LIMIT)
        return PICTURE

    pool = Jobs()
    accepted = [pool.submit(jobs.Job(work)) for _ in range(jobs.WAITING)]
    with pytest.raises(ValueError, match=f"{jobs.WAITING} attacks are running or waiting"):
        pool.submit(jobs.Job(work))
    accepted[-1].stop()
    assert accepted[-1].done
    assert accepted[-1].result() is None
    assert pool.submit(jobs.Job(work)), "the stopped one made room"
    release.set()
    for job in accepted:
        if not job.stopped:
            finish(job)
    assert accepted[-1] not in ran


def test_a_session_has_few_jobs_at_a_time_and_others_can_go_on():
    release = threading.Event()

    def work(job):
        assert release.wait(LIMIT)
        return PICTURE

    pool = Jobs()
    accepted = [pool.submit(jobs.Job(work), "me") for _ in range(jobs.A_SESSION)]
    with pytest.raises(ValueError, match=f"{jobs.A_SESSION} attacks that you started"):
        pool.submit(jobs.Job(work), "me")
    accepted.append(pool.submit(jobs.Job(work), "another"))
    release.set()
    for job in accepted:
        finish(job)
    finish(pool.submit(jobs.Job(work), "me"))


@pytest.mark.parametrize("count", [1, 2, jobs.SNAPSHOTS, jobs.SNAPSHOTS + 1, 1000, 4097])
def test_the_steps_that_are_kept_are_few_evenly_spread_and_end_with_the_newest(count):
    job = jobs.Job(lambda job: PICTURE)
    for number in range(count):
        job.on_step(step(number, count))
    kept = [each.done for each in job.steps]
    assert len(kept) <= jobs.SNAPSHOTS + 1
    assert kept[0] == 0
    assert kept[-1] == count - 1
    gaps = {after - before for before, after in itertools.pairwise(kept[:-1])}
    assert len(gaps) <= 1
    if count > jobs.SNAPSHOTS:
        assert len(kept) > jobs.SNAPSHOTS / 2


def test_a_job_without_a_step_has_no_steps():
    assert jobs.Job(lambda job: PICTURE).steps == ()


def test_a_page_that_is_loaded_anew_finds_its_job_but_takes_none_that_somebody_watches(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(jobs.time, "monotonic", lambda: now[0])
    pool, hold = Jobs(), threading.Event()
    running = pool.submit(jobs.Job(lambda job: PICTURE if hold.wait(LIMIT) else None, "this one"))
    assert pool.left("this one") is None, "its page asked a moment ago"
    now[0] += jobs.UNWATCHED_SECONDS + 0.1
    assert pool.left("another one") is None
    assert pool.left("this one") is running
    hold.set()
    finish(running)
    assert pool.left("this one") is running, "its result is found, too"
    for number in range(jobs.KEPT + 1):
        finish(pool.submit(jobs.Job(lambda job: PICTURE, number)))
    pool.submit(jobs.Job(lambda job: PICTURE))
    now[0] += jobs.UNWATCHED_SECONDS + 0.1
    assert pool.left("this one") is None, "not all are kept"
    assert pool.left(jobs.KEPT) is not None


def test_what_was_stopped_or_failed_is_not_found_again(monkeypatch):
    pool = Jobs()
    monkeypatch.setattr(jobs, "UNWATCHED_SECONDS", -1.0)
    failed = pool.submit(jobs.Job(lambda job: 1 / 0, "fails"))
    assert isinstance(failed._future.exception(LIMIT), ZeroDivisionError)
    assert pool.left("fails") is None
